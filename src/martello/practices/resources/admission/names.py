"""Names of resources: which ones containers, LimitRanges and quotas may use, in the server's words.

Source: the helpers and validation of Kubernetes' core API.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

_COMPUTE: Final = ("cpu", "memory", "ephemeral-storage")
_COUNTED: Final = (
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
)
_QUOTA: Final = frozenset(
    (
        *_COMPUTE,
        *(f"requests.{name}" for name in _COMPUTE),
        *(f"limits.{name}" for name in _COMPUTE),
        "requests.storage",
        *_COUNTED,
    )
)
_FORM: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_NAME: Final = re.compile(_FORM, re.ASCII)
_SUBDOMAIN_FORM: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_SUBDOMAIN: Final = re.compile(_SUBDOMAIN_FORM, re.ASCII)
_MUST: Final = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    f"validation is '{_FORM}')"
)
_SUBDOMAIN_MUST: Final = (
    "must consist of lower case alphanumeric characters, '-' or '.', and must start and end with "
    "an alphanumeric character (e.g. 'example.com', regex used for validation is "
    f"'{_SUBDOMAIN_FORM}')"
)
_FULL: Final = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"


@lru_cache(maxsize=4096)
def unqualified(name: str) -> tuple[str, ...]:
    """What is wrong with a qualified name; empty where nothing is."""
    parts = name.split("/")
    if len(parts) > 2:
        return (f"a qualified name {_MUST}{_FULL}",)
    told: list[str] = []
    if len(parts) == 2:
        if not parts[0]:
            told.append("prefix part must be non-empty")
        else:
            if len(parts[0]) > 253:
                told.append("prefix part must be no more than 253 characters")
            if not _SUBDOMAIN.fullmatch(parts[0]):
                told.append(f"prefix part a lowercase RFC 1123 subdomain {_SUBDOMAIN_MUST}")
    if not parts[-1]:
        told.append("name part must be non-empty")
    elif len(parts[-1]) > 63:
        told.append("name part must be no more than 63 characters")
    if not _NAME.fullmatch(parts[-1]):
        told.append(f"name part {_MUST}")
    return tuple(told)


def is_huge(name: str) -> bool:
    """Whether it is a size of huge pages."""
    return name.startswith("hugepages-")


def _is_huge_in_quota(name: str) -> bool:
    return name.startswith(("hugepages-", "requests.hugepages-"))


def is_native(name: str) -> bool:
    """Whether Kubernetes itself owns the name."""
    return "/" not in name or "kubernetes.io/" in name


@lru_cache(maxsize=4096)
def is_extended(name: str) -> bool:
    """Whether it is an extended resource, such as `nvidia.com/gpu`."""
    if is_native(name) or name.startswith("requests."):
        return False
    return not unqualified(f"requests.{name}")


def overcommits(name: str) -> bool:
    """Whether a limit may be greater than the request."""
    return is_native(name) and not is_huge(name)


def is_whole(name: str) -> bool:
    """Whether only whole numbers of it exist."""
    return name in _COUNTED or is_extended(name)


def is_standard(name: str) -> bool:
    """Whether a quota knows it by a short name."""
    return name in _QUOTA or _is_huge_in_quota(name)


def _plain(name: str) -> Iterator[str]:
    wrong = unqualified(name)
    yield from wrong
    if not wrong and "/" not in name and not is_standard(name) and name != "storage":
        yield "must be a standard resource type or fully qualified"


def wrong_in_container(name: str) -> Iterator[str]:
    """What is wrong with a resource of a container, or of a LimitRange for them."""
    yield from _plain(name)
    if "/" not in name:
        if name not in _COMPUTE and not is_huge(name):
            yield "must be a standard resource for containers"
    elif not is_native(name) and not is_extended(name):
        yield "doesn't follow extended resource name standard"


def wrong_in_range(kind: str, name: str) -> Iterator[str]:
    """What is wrong with a resource in a LimitRange item of a type."""
    return wrong_in_container(name) if kind in ("Pod", "Container") else _plain(name)


def wrong_in_quota(name: str) -> Iterator[str]:
    """What is wrong with a key of a quota."""
    yield from _plain(name)
    if "/" not in name and not is_standard(name):
        yield "must be a standard resource for quota"
