"""Which subject of which binding each use is put down to.

First to one that stays anyway, then to the narrowest: what is not needed by any use can go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from martello.practices.access.answers import Access
from martello.practices.access.cover import Single
from martello.practices.access.edits import fixed
from martello.practices.access.keep import Kept
from martello.practices.access.minimal import Need
from martello.practices.access.model import Grant, Request
from martello.practices.access.replay import Explained
from martello.practices.access.rules import Rule, read_role
from martello.practices.access.uses import Use

Key = tuple[int, int]  # id of a binding, place of a subject in it


class Credit:
    """What was used by each subject of each binding. `stays` says what is kept of them anyway."""

    def __init__(self, found: Access, stays: Mapping[Key, tuple[Kept, ...]]) -> None:
        self._found = found
        self._stays = stays
        self._kept: dict[Key, tuple[Rule, ...] | None] = {}
        self._wild: dict[int, bool] = {}
        self._named: dict[tuple[int, int], bool] = {}
        self.needs: dict[Key, list[tuple[Need, Use]]] = {}
        self.uncertain: set[Key] = set()  # of whose named rights not all are known

    def take(self, some: Iterable[Explained]) -> None:
        """Puts requests down to grants, those that are allowed by one."""
        for one in some:
            if not one.answer.grants:
                continue
            best = min(one.answer.grants, key=lambda grant: self._rank(grant, one.request))
            free = not self._names(best)
            key = key_of(best)
            if one.use.more and not free:
                self.uncertain.add(key)
            need = Need(one.request, free, one.use.more and not one.request.name)
            self.needs.setdefault(key, []).append((need, one.use))

    def _rank(self, grant: Grant, request: Request) -> tuple[bool, bool, bool, bool, str]:
        kind = grant.binding.raw["subjects"][key_of(grant)[1]].get("kind")
        return (
            not self._stands(grant, request),
            not grant.scope,
            self._wide(grant),
            kind == "Group",
            grant.binding.ref.local,
        )

    def _stands(self, grant: Grant, request: Request) -> bool:
        """Whether the grant is there after the trim, whatever was used."""
        if fixed(grant.binding):
            return True
        key = key_of(grant)
        if key not in self._kept:
            kept = self._stays.get(key, ())
            whole = any(not one.rights for one in kept)
            rights = [right for one in kept for right in one.rights]
            self._kept[key] = None if whole else tuple(_rule(r, grant) for r in rights)
        rules = self._kept[key]
        return rules is None or any(rule.allows(request) for rule in rules)

    def _wide(self, grant: Grant) -> bool:
        key = id(grant.role)
        if key not in self._wild:
            self._wild[key] = any(
                "*" in (*rule.verbs, *rule.groups, *rule.resources)
                for rule in self._found.grants.role(grant.role).rules
            )
        return self._wild[key]

    def _names(self, grant: Grant) -> bool:
        """Whether the rule asks for names."""
        key = (id(grant.rule_role), grant.rule)
        if key not in self._named:
            rules = read_role(grant.rule_role).rules
            self._named[key] = any(rule.names for rule in rules if rule.index == grant.rule)
        return self._named[key]


def key_of(grant: Grant) -> Key:
    """Whose grant it is."""
    place = grant.subject[1]
    assert isinstance(place, int)
    return id(grant.binding), place


def _rule(right: Single, grant: Grant) -> Rule:
    verb, group, resource, name, url = right
    names = () if name is None else (name,)
    if url:
        return Rule((verb,), (), (), (), (url,), grant.role, 0)
    return Rule((verb,), (group,), (resource,), names, (), grant.role, 0)
