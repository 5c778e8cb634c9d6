"""What one state of a cluster grants and another does not: by meaning, not by text.

A thing that somebody may do is gained where no rule of the old state covers it, wildcards counted
for what they are: `*` is more than all verbs of today, and a listed verb is never more than `*`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from martello.core.resource import Resource
from martello.practices.access.answers import Access
from martello.practices.access.bindings import Subject
from martello.practices.access.cover import Single, covers
from martello.practices.access.index import Index
from martello.practices.access.principals import subject_key
from martello.practices.access.rules import Rule

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
    """All of them, gains first. `more` is true where there were too many to tell."""

    changed: tuple[Changed, ...]
    more: bool = False


def changes(old: Access, new: Access) -> Changes:
    """The difference of two states. A refactoring that changes no right has none."""
    found: list[Changed] = []
    told = 0
    for gained, before, after in ((True, old, new), (False, new, old)):
        for change in _gains(before.index, after.index, gained):
            found.append(change)
            told += len(change.singles)
            if told > MOST:
                return Changes(tuple(found), True)
    return Changes(tuple(found))


def _gains(old: Index, new: Index, gained: bool) -> Iterator[Changed]:
    subjects = {
        subject_key(subject): subject for binding in new.bindings for subject in binding.subjects
    }
    for key, spaces in sorted(new.cells.items()):
        subject = subjects[key]
        for scope in sorted(spaces):
            held = _rules(old, key, scope)
            known = {rule.lists for rule in held}
            wide = [rule for _, rule in _bound(new, key, "")] if scope else []
            known |= {rule.lists for rule in wide}
            for binding, rule in _bound(new, key, scope):
                if rule.lists in known or (scope and rule.urls):
                    continue
                known.add(rule.lists)
                covered, missing = covers((*held, *wide), (rule,))
                if not covered and missing:
                    yield Changed(gained, subject, scope, missing, binding, rule)
                    held = (*held, rule)


def _rules(index: Index, key: str, scope: str) -> tuple[Rule, ...]:
    """The rules that count for a key in a scope: those of everywhere too."""
    found = [rule for _, rule in _bound(index, key, "")]
    if scope:
        found += [rule for _, rule in _bound(index, key, scope) if not rule.urls]
    return tuple(found)


def _bound(index: Index, key: str, scope: str) -> Iterator[tuple[Resource, Rule]]:
    cell = index.cells.get(key, {}).get(scope)
    for place in cell.bindings if cell is not None else ():
        for rule in index.roles[index.role_of[place]].rules:
            yield index.bindings[place].resource, rule
