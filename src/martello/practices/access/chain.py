"""In which order authorizers are asked: from an AuthorizationConfiguration or the flags of the API
server where they are here, `Node,RBAC` otherwise.

The first one that allows or denies decides. RBAC and Node never deny; webhooks may do either.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Resource

CONFIGURATION: Final = "AuthorizationConfiguration.apiserver.config.k8s.io"
_MODES: Final = ("Node", "RBAC", "ABAC", "Webhook", "AlwaysAllow", "AlwaysDeny")


class Authorizer(msgspec.Struct, frozen=True):
    """One authorizer. `kind` is a mode of the API server; any other one is of unknown effect."""

    kind: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" if self.name else self.kind


class Chain(msgspec.Struct, frozen=True):
    """The authorizers in order; `source` says where that was read, empty where it is assumed."""

    authorizers: tuple[Authorizer, ...]
    source: str = ""

    def has(self, kind: str) -> bool:
        """Whether one of this kind is asked."""
        return any(each.kind == kind for each in self.authorizers)

    def before(self, kind: str) -> tuple[Authorizer, ...]:
        """Those that are asked earlier than the first one of this kind."""
        found: list[Authorizer] = []
        for each in self.authorizers:
            if each.kind == kind:
                break
            found.append(each)
        return tuple(found)


ASSUMED: Final = Chain((Authorizer("Node"), Authorizer("RBAC")))


@lru_cache(maxsize=2)
def chain(cluster: Cluster) -> Chain:
    """The authorizers of a cluster."""
    for resource in cluster.of_kind(CONFIGURATION):
        return Chain(_configured(resource), str(resource.locate(("authorizers",))))
    flags = server_flags(cluster)
    if flags is None:
        return ASSUMED
    resource, said = flags
    if "authorization-config" in said:
        named = Authorizer("configured in", said["authorization-config"])
        return Chain((named,), str(resource.locate()))
    modes = said.get("authorization-mode", "AlwaysAllow").split(",")
    return Chain(tuple(Authorizer(mode.strip()) for mode in modes), str(resource.locate()))


def uncertain(order: Chain) -> tuple[Authorizer, ...]:
    """The authorizers whose answers nobody here can tell."""
    return tuple(a for a in order.authorizers if a.kind == "ABAC" or may_deny(a))


def may_deny(authorizer: Authorizer) -> bool:
    """Whether an authorizer may refuse what a later one would allow."""
    return authorizer.kind == "Webhook" or authorizer.kind not in _MODES


def _configured(resource: Resource) -> tuple[Authorizer, ...]:
    written = resource.raw.get("authorizers")
    found: list[Authorizer] = []
    for entry in written if isinstance(written, list) else ():
        kind = entry.get("type") if isinstance(entry, dict) else None
        name = entry.get("name") if isinstance(entry, dict) else None
        if isinstance(kind, str):
            shown = name if isinstance(name, str) and kind == "Webhook" else ""
            found.append(Authorizer(kind, shown))
        else:
            found.append(Authorizer("unreadable", "entry of authorizers"))
    return tuple(found)


def server_flags(cluster: Cluster) -> tuple[Resource, dict[str, str]] | None:
    """The flags of the kube-apiserver whose pod is here, and that pod."""
    for resource in cluster.of_kind("Pod", "kube-system"):
        containers = resource.spec.get("containers")
        for container in containers if isinstance(containers, list) else ():
            words = _words(container)
            if any(word.rpartition("/")[2] == "kube-apiserver" for word in words[:1]):
                return resource, _flags(words[1:])
    return None


def _words(container: Any) -> list[str]:
    if not isinstance(container, dict):
        return []
    words: list[str] = []
    for field in ("command", "args"):
        listed = container.get(field)
        words.extend(w for w in listed if isinstance(w, str)) if isinstance(listed, list) else None
    return words


def _flags(words: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for at, word in enumerate(words):
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            following = words[at + 1] if at + 1 < len(words) else ""
            if not equals:
                value = "true" if following.startswith("-") or not following else following
            found[name] = value
    return found
