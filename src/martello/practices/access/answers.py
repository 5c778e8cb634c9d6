"""The questions: may somebody do this, who may, through what, and what is missing.

RBAC only adds. Where something was not read, `allowed` stands and `denied` becomes `unknown`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from martello.core.cluster import Cluster
from martello.core.path import Path
from martello.practices.access.bindings import BINDINGS, ROLE_BINDING, Binding, Subject
from martello.practices.access.grants import Grants, grants
from martello.practices.access.index import Index, scope_of
from martello.practices.access.model import MASTERS, Answer, Grant, Principal, Request
from martello.practices.access.principals import keys, principal, subject_key
from martello.practices.access.rules import RBAC, Rule

_MASTERS: Final = Answer("allowed", because=(f"group {MASTERS} passes every authorizer",))
_DENIED: Final = Answer("denied")


class Access:
    """What the roles and bindings of one cluster answer."""

    __slots__ = ("cluster", "grants", "index")

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.grants: Grants = grants(cluster)
        self.index = Index(self.grants.bindings)

    def can(self, who: Principal, request: Request) -> Answer:
        """Whether somebody may: with the first grant where he may, with reasons where it is
        unknown.
        """
        return self._answer(who, request, whole=False)

    def why(self, who: Principal, request: Request) -> Answer:
        """As `can`, with every grant, or with those that miss in one field."""
        return self._answer(who, request, whole=True)

    def principal(self, text: str, groups: Iterable[str] = ()) -> Principal:
        """The principal that a person means (see principals.principal)."""
        return principal(text, groups)

    def _answer(self, who: Principal, request: Request, whole: bool) -> Answer:
        if MASTERS in who.groups:
            return _MASTERS
        asked = keys(who)
        rules = self.index.allowing(request)
        space = "" if request.path else request.namespace
        found: list[Grant] = []
        if rules:
            for key, scope, cell in self.index.cells_of(asked, space):
                if cell.mask(self.index) & rules:
                    for binding in self.index.granting(cell, rules):
                        found.extend(self._grants(binding, key, scope, rules, whole))
                        if not whole:
                            return Answer("allowed", tuple(found))
        if found:
            return Answer("allowed", tuple(dict.fromkeys(found)))
        reasons = tuple(dict.fromkeys(self._unread(asked, space)))
        return Answer("unknown", because=reasons) if reasons else _DENIED

    def _grants(
        self, binding: int, key: str, scope: str, rules: int, whole: bool
    ) -> Iterator[Grant]:
        index = self.index
        bound = index.bindings[binding]
        role = index.roles[index.role_of[binding]]
        for subject in _places(bound, key):
            for rule in index.rules(index.role_of[binding], rules):
                yield Grant(bound.resource, subject, role.resource, rule.role, rule.index, scope)
                if not whole:
                    return

    def _unread(self, asked: tuple[str, ...], space: str) -> Iterator[str]:
        """Why a grant may exist that is not here."""
        unlisted = self.cluster.unlisted
        for kind in BINDINGS:
            if kind in unlisted and (space or kind != ROLE_BINDING):
                yield f"{kind}: {unlisted[kind]}"
        if space and not self.cluster.saw(space):
            yield f"namespace {space} was not read"
        for key in asked:
            for binding in self.index.pending.get(key, ()):
                if scope_of(binding) in ("", space):
                    yield from self._missing(binding)

    def _missing(self, binding: Binding) -> Iterator[str]:
        """Why the role of a binding may exist, though it is not here."""
        ref = binding.resource.ref
        kind = f"{binding.role_kind}.{RBAC}"
        if binding.role_kind not in ("ClusterRole", "Role"):
            return
        if kind in self.cluster.unlisted:
            yield f"{ref.local}: {kind}: {self.cluster.unlisted[kind]}"
        elif not self.cluster.complete:
            yield f"{ref.local}: {binding.role_kind} {binding.role_name} is not in these files"

    def rules(self, who: Principal, namespace: str = "") -> tuple[Rule, ...]:
        """The rules that somebody holds everywhere, and in a namespace where one is given."""
        index = self.index
        held: dict[int, None] = {}
        for _, _, cell in index.cells_of(keys(who), namespace):
            held.update(dict.fromkeys(index.role_of[binding] for binding in cell.bindings))
        return tuple(rule for role in held for rule in index.roles[role].rules)

    def who_can(self, request: Request) -> tuple[tuple[Subject, Answer], ...]:
        """Every subject that may, as bindings name it, with its grants."""
        index = self.index
        rules = index.allowing(request)
        roles = set(index.roles_with(rules))
        space = "" if request.path else request.namespace
        found: dict[Subject, list[Grant]] = {}
        for place, binding in enumerate(index.bindings):
            if index.role_of[place] not in roles or scope_of(binding) not in ("", space):
                continue
            for subject in dict.fromkeys(binding.subjects):
                key = subject_key(subject)
                if key:
                    held = self._grants(place, key, scope_of(binding), rules, True)
                    found.setdefault(subject, []).extend(held)
        masters = (Subject("Group", MASTERS), _MASTERS)
        found.pop(masters[0], None)
        answers = [(s, Answer("allowed", tuple(g))) for s, g in found.items()]
        return (masters, *answers)


def _places(binding: Binding, key: str) -> Iterator[Path]:
    """Where a binding names the subject with this key."""
    for subject, place in zip(binding.subjects, binding.places, strict=True):
        if subject_key(subject) == key:
            yield ("subjects", place)


@lru_cache(maxsize=2)
def access(cluster: Cluster) -> Access:
    """The answers for a cluster, compiled once: a Cluster never changes."""
    return Access(cluster)
