"""Which registries anybody may push to, as far as their names tell."""

from __future__ import annotations

import ipaddress
from typing import Final

# Names that no public resolver knows: RFC 6761, 6762, 8375 and 9476, and what networks in fact use.
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
    return len(labels) > 1 and labels[-1] not in _INSIDE
