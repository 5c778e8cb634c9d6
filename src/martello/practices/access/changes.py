"""What one state of a cluster grants and another does not: by meaning, not by text.

A thing that somebody may do is gained where no rule of the old state covers it, wildcards counted
for what they are: `*` is more than all verbs of today, and a listed verb is never more than `*`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.answers import Access, access
from martello.practices.access.bindings import BINDINGS, Subject
from martello.practices.access.cover import Growing, Single, compared
from martello.practices.access.gaps import unplaced, unread_role
from martello.practices.access.index import Index, scope_of
from martello.practices.access.model import MASTERS
from martello.practices.access.principals import of_subject, subject_key
from martello.practices.access.rules import ROLES, Lists, Rule

MOST: Final = 20_000  # things gained and lost that are told one by one


class Changed(msgspec.Struct, frozen=True, eq=False):
    """What a subject gains or loses in a scope (empty: everywhere) by one rule of one binding."""

    gained: bool
    subject: Subject
    scope: str
    singles: tuple[Single, ...]
    binding: Resource
    rule: Rule

    @property
    def open(self) -> bool:
        """Whether it reaches verbs, groups or kinds that do not exist yet."""
        return any("*" in single[:3] or single[4].endswith("*") for single in self.singles)


class Changes(msgspec.Struct, frozen=True, eq=False):
    """All of them, gains first. `more` is true where there were too many to tell; `doubts` are
    reasons for which there may be others.
    """

    changed: tuple[Changed, ...]
    more: bool = False
    doubts: tuple[str, ...] = ()


def diff(before: Cluster, after: Cluster) -> Changes:
    """The difference of what two clusters grant."""
    return changes(access(before), access(after))


def changes(old: Access, new: Access) -> Changes:
    """The difference of two states. A refactoring that changes no right has none."""
    found: list[Changed] = []
    doubts = tuple(dict.fromkeys((*_doubts(old.cluster, new.cluster), *_unclear(old, new))))
    told = 0
    for gained, before, after in ((True, old, new), (False, new, old)):
        for change in _gains(before, after, gained):
            found.append(change)
            told += len(change.singles)
            if told > MOST:
                return Changes(tuple(found), True, doubts)
    return Changes(tuple(found), doubts=doubts)


def _doubts(old: Cluster, new: Cluster) -> Iterator[str]:
    for side, cluster in (("old", old), ("new", new)):
        for kind in (*BINDINGS, *ROLES):
            if kind in cluster.unlisted:
                yield f"{side}: {kind}: {cluster.unlisted[kind]}"
        if cluster.read:
            yield f"{side}: only {len(cluster.read)} namespaces were read"


def _unclear(old: Access, new: Access) -> Iterator[str]:
    """Bindings that one state alone has and whose rights are not known, and other authorizers."""
    if old.chain.authorizers != new.chain.authorizers:
        was, now = (", ".join(map(str, each.chain.authorizers)) for each in (old, new))
        yield f"the authorizers change from {was} to {now}: that is more than roles can tell"
    sides = [(side, dict(_open(each))) for side, each in (("old", old), ("new", new))]
    for (side, own), (_, other) in (sides, reversed(sides)):
        for key, reasons in own.items():
            if key not in other:
                yield from (f"{side}: {reason}" for reason in reasons)


def _open(found: Access) -> Iterator[tuple[object, tuple[str, ...]]]:
    """What each binding says whose rights are not known, and why they are not."""
    pending = (binding for held in found.index.pending.values() for binding in held)
    said_by: dict[int, frozenset[Lists]] = {}
    for binding in {id(each): each for each in (*pending, *found.index.adrift)}.values():
        reasons = tuple(unread_role(found.cluster, binding)) if binding.role is None else ()
        if not binding.cluster_wide and not binding.resource.ref.namespace:
            reasons += (unplaced(binding),)
        if reasons:
            role = id(binding.role)
            if role not in said_by:
                said_by[role] = frozenset(rule.lists for rule in binding.rules)
            rules = said_by[role]
            said = (binding.role_kind, binding.role_name, frozenset(binding.subjects), rules)
            yield (scope_of(binding), binding.cluster_wide, said), reasons


def _gains(old: Access, new: Access, gained: bool) -> Iterator[Changed]:
    """What each subject of a binding has on the new side alone. What a group grants that it is
    always in counts as held: an account is in the group of its namespace.
    """
    subjects = {
        subject_key(subject): subject
        for binding in new.index.bindings
        for subject in binding.subjects
    }
    subjects.pop(f"g{MASTERS}", None)  # they may do everything already
    signs = (_Signs(old.index), _Signs(new.index))
    for key, spaces in sorted(new.index.cells.items()):
        for scope in sorted(spaces) if key in subjects else ():
            if signs[0].of(key, scope) != signs[1].of(key, scope):
                yield from _in_scope(old, new, gained, subjects[key], scope)


def _in_scope(
    old: Access, new: Access, gained: bool, subject: Subject, scope: str
) -> Iterator[Changed]:
    key = subject_key(subject)
    held = old.rules(of_subject(subject), scope)
    known = {rule.lists for rule in held}
    wide = [rule for _, rule in _bound(new.index, key, "")] if scope else []
    known |= {rule.lists for rule in wide}
    covered = Growing((*held, *wide))
    for binding, rule in _bound(new.index, key, scope):
        if rule.lists in known:
            continue
        known.add(rule.lists)
        there = msgspec.structs.replace(rule, urls=()) if scope and rule.urls else rule
        _, missing = compared(covered, (there,))
        if missing:
            yield Changed(gained, subject, scope, missing, binding, rule)
            covered.add(there)


def _bound(index: Index, key: str, scope: str) -> Iterator[tuple[Resource, Rule]]:
    cell = index.cells.get(key, {}).get(scope)
    for place in cell.bindings if cell is not None else ():
        for rule in index.roles[index.role_of[place]].rules:
            yield index.bindings[place].resource, rule


class _Signs:
    """What a cell says, so that cells that say the same are equal: the sets of rules of its
    roles.
    """

    __slots__ = ("_index", "_of_role")

    def __init__(self, index: Index) -> None:
        self._index = index
        self._of_role: dict[int, frozenset[Lists]] = {}

    def of(self, key: str, scope: str) -> frozenset[frozenset[Lists]]:
        """The sign of the cell of a key in a scope."""
        cell = self._index.cells.get(key, {}).get(scope)
        roles = {self._index.role_of[place] for place in cell.bindings} if cell else ()
        return frozenset(self._role(role) for role in roles)

    def _role(self, role: int) -> frozenset[Lists]:
        found = self._of_role.get(role)
        if found is None:
            rules = self._index.roles[role].rules
            found = self._of_role[role] = frozenset(rule.lists for rule in rules)
        return found
