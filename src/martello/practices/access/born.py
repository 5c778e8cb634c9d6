"""Bindings of the platform: those that every API server is born with, and those of vendors."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from martello.practices.access.bindings import Binding, Subject
from martello.practices.access.defaults import FOR_PEOPLE, PLATFORM, default_objects

_OF_GKE: Final = frozenset(("kubelet", "kubelet-bootstrap", "kubelet-nodepool-bootstrap"))
_ADDONS: Final = ("kube-system", "openshift-")
# Bound by older releases alone.
_BORN_BEFORE: Final = {
    "system:service-account-issuer-discovery": Subject("Group", "system:serviceaccounts"),
}


def of_platform(binding: Binding) -> bool:
    """Whether a binding is the server's own or its platform's: by its name and by whom it binds,
    for anybody may choose a name.
    """
    return binding.resource.ref.name.startswith(PLATFORM) and not outsiders(binding)


def outsiders(binding: Binding) -> tuple[Subject, ...]:
    """The subjects of a binding that are no part of the platform: neither its users and groups nor
    accounts of its namespaces, nor bound by a binding of this name in every cluster.
    """
    name = binding.resource.ref.name
    born = _born().get(name, frozenset()) | {_BORN_BEFORE.get(name)}
    return tuple(s for s in binding.subjects if s not in born and not _of_platform(s, name))


def _of_platform(subject: Subject, name: str) -> bool:
    if subject.kind == "ServiceAccount":
        return subject.namespace.startswith(_ADDONS)
    if subject.name == "system:serviceaccounts:kube-system":
        return True
    if name.startswith("gce:") and subject.name in _OF_GKE:
        return subject.kind == "User"
    return subject.name.startswith(PLATFORM) and not subject.name.startswith(FOR_PEOPLE)


@lru_cache(maxsize=1)
def _born() -> dict[str, frozenset[Subject]]:
    """Whom the bindings bind that every API server is born with."""
    return {
        one.ref.name: frozenset(
            Subject(raw["kind"], raw["name"], raw.get("namespace", ""))
            for raw in one.raw.get("subjects") or ()
        )
        for one in default_objects()
        if one.ref.kind.endswith("Binding")
    }
