"""What names of images tell of their registries: where they begin, and who may push there."""

from __future__ import annotations

import ipaddress
from typing import Final

# Names that nobody can register: RFC 6761, 6762, 8375 and 9476, and what networks in fact use.
_INSIDE: Final = frozenset(
    (
        *("localhost", "local", "test", "example", "invalid", "internal", "alt"),
        *("lan", "home", "corp", "intranet", "private", "svc", "arpa"),
    )
)


def public(registry: str) -> bool:
    """Whether a registry (host, with a port maybe) lies on the public network by its name. One
    label, a private address or an inside domain does not.
    """
    host = registry.lower()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        labels = host.rstrip(".").split(".")
    if labels[-2:-1] == ["example"] and labels[-1] in ("com", "net", "org"):
        return False  # RFC 6761 again: names of documents
    return len(labels) > 1 and labels[-1] not in _INSIDE


def spelled(image: str) -> str:
    """An image as it was written, with the registry that runtimes take where it names none. What is
    no reference is spelled too: it must not slip past a list.
    """
    if image.startswith("index.docker.io/"):
        return image.removeprefix("index.")
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"docker.io/{image}" if slash else f"docker.io/library/{image}"


def begins(image: str, prefix: str) -> bool:
    """Whether an image, as `spelled` has it, lies at or below a registry or a repository, or begins
    with a prefix that ends in a slash.
    """
    if prefix.endswith("/"):
        return image.startswith(prefix)
    if image == prefix or image.startswith(f"{prefix}/"):
        return True
    return "/" in prefix and image.startswith((f"{prefix}:", f"{prefix}@"))
