"""The built-in kinds of Kubernetes: their resources, since when and until when they are served.

The facts lie in data/api.json, which tools/make_api_table.py writes from the OpenAPI documents of
Kubernetes 1.11 and newer.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

import msgspec

_DATA: Final = Path(__file__).parent / "data" / "api.json"
# Kinds that moved to another group; all others keep theirs.
_GROUPS: Final = {
    ("extensions", "DaemonSet"): "apps",
    ("extensions", "Deployment"): "apps",
    ("extensions", "ReplicaSet"): "apps",
    ("extensions", "Ingress"): "networking.k8s.io",
    ("extensions", "NetworkPolicy"): "networking.k8s.io",
}


class BuiltIn(msgspec.Struct, frozen=True, array_like=True):
    """One built-in kind: the number of its type, and the minor versions that serve it (`since` 0:
    1.11 or older; `removed` 0: still served).
    """

    type: int
    namespaced: bool
    since: int
    removed: int


class Table(msgspec.Struct, frozen=True):
    """data/api.json. `kinds` by `apiVersion/Kind`; `types` by number: field → code (see schema)."""

    versions: tuple[int, int]
    kinds: dict[str, BuiltIn]
    types: tuple[dict[str, str], ...]


class ApiResource(msgspec.Struct, frozen=True):
    """What a kind is called in REST paths and in policies' rules, and whether it lies in a
    namespace.
    """

    plural: str
    namespaced: bool


@functools.cache
def table() -> Table:
    """The facts, read once, on first use."""
    return msgspec.json.decode(_DATA.read_bytes(), type=Table, strict=False)


def built_in(api_version: str, kind: str) -> BuiltIn | None:
    """The facts of a kind; None where Kubernetes itself has no such kind."""
    return table().kinds.get(f"{api_version}/{kind}")


def resource_for(group: str, version: str, kind: str) -> ApiResource | None:
    """The resource of a built-in kind; None for any other kind."""
    found = built_in(f"{group}/{version}" if group else version, kind)
    return None if found is None else ApiResource(plural(kind), found.namespaced)


def plural(kind: str) -> str:
    """The plural that Kubernetes uses for its own kinds, and code generators for custom ones unless
    told otherwise.
    """
    word = kind.lower()
    if word == "endpoints":
        return word
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2:-1] not in ("a", "e", "o"):
        return word[:-1] + "ies"
    return word + "s"


def removed(api_version: str, kind: str) -> int | None:
    """The minor version that serves this apiVersion of a built-in kind no more; None where it is
    still served, or not built in.
    """
    found = built_in(api_version, kind)
    return found.removed or None if found is not None else None


def successor(api_version: str, kind: str, minor: int) -> str | None:
    """The best apiVersion of the same kind that Kubernetes 1.`minor` serves, stable before beta
    before alpha; None where there is none.
    """
    group = api_version.rpartition("/")[0]
    group = _GROUPS.get((group, kind), group)
    found: list[tuple[tuple[int, int, int], str]] = []
    for key, facts in table().kinds.items():
        api, _, name = key.rpartition("/")
        if name != kind or api.rpartition("/")[0] != group:
            continue
        if facts.since <= minor and not 0 < facts.removed <= minor:
            found.append((_rank(api.rpartition("/")[2]), api))
    return max(found)[1] if found else None


def _rank(version: str) -> tuple[int, int, int]:
    """Kubernetes' order of versions: v2 > v1 > v1beta2 > v1beta1 > v1alpha1."""
    for stage, word in ((1, "beta"), (0, "alpha")):
        major, found, number = version.partition(word)
        if found:
            return (stage, int(major[1:]), int(number))
    return (2, int(version[1:]), 0)
