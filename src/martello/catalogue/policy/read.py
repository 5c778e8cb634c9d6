"""The policies found among some objects: every dialect, joined with its bindings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from martello.catalogue.policy.model import Binding, Policy
from martello.catalogue.policy.programs import Fault, Programs
from martello.catalogue.policy.raw import Malformed
from martello.catalogue.policy.read_gatekeeper import (
    GROUP,
    OtherEngine,
    constraint_kind,
    read_constraint,
    read_template,
)
from martello.catalogue.policy.read_kyverno import (
    Pairs,
    read_cluster_policy,
    read_validating_policy,
)
from martello.catalogue.policy.read_vap import read_binding, read_policy
from martello.core.finding import Unassessed
from martello.core.path import Path
from martello.core.resource import Resource
from martello.core.version import NEWEST

_VAP: Final = "ValidatingAdmissionPolicy.admissionregistration.k8s.io"
_BINDING: Final = "ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io"
_TEMPLATE: Final = "ConstraintTemplate.templates.gatekeeper.sh"
_VALIDATING: Final = frozenset(
    (
        "ValidatingPolicy.policies.kyverno.io",
        "NamespacedValidatingPolicy.policies.kyverno.io",
    )
)
_CLUSTER: Final = frozenset(("ClusterPolicy.kyverno.io", "Policy.kyverno.io"))
# Policies that judge objects in a way that is not evaluated here.
_OTHERS: Final = {
    "ImageValidatingPolicy.policies.kyverno.io": "it verifies images",
    "NamespacedImageValidatingPolicy.policies.kyverno.io": "it verifies images",
    "PolicyException.policies.kyverno.io": "exceptions are not applied",
    "PolicyException.kyverno.io": "exceptions are not applied",
    "ClusterAdmissionPolicy.policies.kubewarden.io": "it is a WebAssembly module",
    "AdmissionPolicy.policies.kubewarden.io": "it is a WebAssembly module",
}


class Bound(msgspec.Struct, frozen=True, eq=False):
    """A policy with its bindings."""

    policy: Policy
    bindings: tuple[Binding, ...]


class PolicySet:
    """Policies with their bindings; those of neither (`inert`), and what was recognised but is not
    evaluated (`unassessed`). Programs are compiled when a policy first applies.
    """

    __slots__ = ("_programs", "bound", "inert", "minor", "unassessed")

    def __init__(
        self,
        bound: Iterable[Bound],
        unassessed: Iterable[Unassessed] = (),
        inert: Iterable[Policy] = (),
        minor: int = NEWEST,
    ) -> None:
        self.bound = tuple(bound)
        self.unassessed = tuple(unassessed)
        self.inert = tuple(inert)
        self.minor = minor
        self._programs: dict[int, Programs | Fault] = {}

    def __bool__(self) -> bool:
        return bool(self.bound)

    def programs(self, policy: Policy) -> Programs:
        """The compiled policy. Raises Fault where an expression does not compile."""
        found = self._programs.get(id(policy))
        if found is None:
            try:
                found = Programs(policy, self.minor)
            except Fault as fault:
                found = fault
            self._programs[id(policy)] = found
        if isinstance(found, Fault):
            raise found
        return found

    def faults(self) -> Iterator[Unassessed]:
        """The policies whose expressions do not compile."""
        for policy in (*(b.policy for b in self.bound), *self.inert):
            try:
                self.programs(policy)
            except Fault as fault:
                yield _unassessed(policy.resource, fault.path, f"{policy.title}: {fault.why}")


def policies_from(resources: Iterable[Resource], minor: int = NEWEST) -> PolicySet:
    """Reads the policies among some objects; the order is theirs, by name within a dialect."""
    return _Reader(resources).policies(minor)


class _Reader:
    """Sorts objects into policies, bindings and what cannot be read."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.policies_found: list[Policy] = []
        self.bindings: dict[str, list[Binding]] = {}
        self.templates: dict[str, Policy] = {}
        self.constraints: list[Binding] = []
        self.pairs: Pairs = []
        self.unassessed: list[Unassessed] = []
        self.unread: set[str] = set()
        for resource in resources:
            self._take(resource)

    def _take(self, resource: Resource) -> None:
        kind = resource.ref.group_kind
        try:
            if kind == _VAP:
                self.policies_found.append(read_policy(resource))
            elif kind == _BINDING:
                binding = read_binding(resource)
                self.bindings.setdefault(binding.policy, []).append(binding)
            elif kind == _TEMPLATE:
                self._template(resource)
            elif resource.ref.group == GROUP:
                self.constraints.append(read_constraint(resource))
            elif kind in _VALIDATING:
                self.pairs += read_validating_policy(resource)
            elif kind in _CLUSTER:
                self._cluster_policy(resource)
            elif kind in _OTHERS:
                self._note(resource, (), _OTHERS[kind])
        except Malformed as error:
            self._note(resource, (), str(error))

    def _template(self, resource: Resource) -> None:
        try:
            policy = read_template(resource)
        except OtherEngine as engine:
            self.unread.add(constraint_kind(resource))
            self._note(resource, ("spec", "targets"), f"it is written in {engine}")
        else:
            self.templates[policy.name] = policy

    def _cluster_policy(self, resource: Resource) -> None:
        pairs, others = read_cluster_policy(resource)
        self.pairs += pairs
        for path, what in others:
            self._note(resource, path, what)

    def _note(self, resource: Resource, path: Path, why: str) -> None:
        reason = f"{resource.ref.kind} '{resource.ref.name}' is not assessed: {why}"
        self.unassessed.append(_unassessed(resource, path, reason))

    def policies(self, minor: int) -> PolicySet:
        """Joins policies and bindings."""
        bound: list[Bound] = []
        inert: list[Policy] = []
        for policy in sorted(self.policies_found, key=_name):
            bindings = sorted(self.bindings.get(policy.name, ()), key=_name)
            if bindings:
                bound.append(Bound(policy, tuple(bindings)))
            else:
                inert.append(policy)
        for kind, policy in sorted(self.templates.items()):
            made = sorted((c for c in self.constraints if c.policy == kind), key=_name)
            if made:
                bound.append(Bound(policy, tuple(made)))
            else:
                inert.append(policy)
        for constraint in self.constraints:
            known = constraint.policy in self.templates or constraint.policy in self.unread
            if not known and constraint.resource is not None:
                self._note(constraint.resource, (), "its template is not in view")
        bound += [Bound(policy, (binding,)) for policy, binding in self.pairs]
        return PolicySet(bound, self.unassessed, inert, minor)


def _name(thing: Policy | Binding) -> str:
    return thing.name


def _unassessed(resource: Resource, path: Path, reason: str) -> Unassessed:
    return Unassessed(reason, resource.locate(path), ref=resource.ref)
