"""Rules made of what was needed: as few as say it, as tight as asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from martello.practices.access.cover import Single, covers
from martello.practices.access.model import Request
from martello.practices.access.rules import Rule

NAMES: Final = 3  # that are kept in a rule; beyond, it is written without
MANY_NAMESPACES: Final = 20  # in which one atom was used; beyond, it stays granted everywhere
VERBS, NAMED, NAMESPACES = "verbs", "names", "namespaces"
WIDENINGS: Final = (VERBS, NAMED, NAMESPACES)
_TOGETHER: Final[Mapping[str, tuple[str, ...]]] = {
    "list": ("get", "watch"),
    "watch": ("get", "list"),
    "update": ("get", "patch"),
    "patch": ("get", "update"),
}
# What controllers put behind a name: random letters (none of them a vowel), a hash, a number.
_GENERATED: Final = re.compile(
    r".*-(?:[bcdfghjklmnpqrstvwxz2456789]{5}|[0-9a-f]{8,64}|[0-9]{6,})|[0-9a-f-]{32,}", re.ASCII
)
Atom = tuple[str, str, str]  # verb, group, resource with its subresource
Raw = dict[str, Any]


class Need(msgspec.Struct, frozen=True):
    """One request as a right that is needed. `free`: what grants it today asks for no name, so that
    a rule without names grants no more.
    """

    request: Request
    free: bool = True
    more: bool = False  # names beyond those that are known

    @property
    def atom(self) -> Atom:
        """The right without its name and place."""
        one = self.request
        resource = f"{one.resource}/{one.subresource}" if one.subresource else one.resource
        return one.verb, one.group, resource


class _Part:
    """What one scope needs."""

    def __init__(self) -> None:
        self.atoms: dict[Atom, set[str] | None] = {}  # None: any name
        self.urls: dict[str, set[str]] = {}

    def add(self, atom: Atom, names: Iterable[str] | None) -> None:
        here = self.atoms.setdefault(atom, set())
        if here is None:
            return
        if names is None:
            self.atoms[atom] = None
        else:
            here.update(names)


def scoped_rules(
    needs: Iterable[Need],
    widen: frozenset[str],
    home: str = "",
    limit: tuple[Rule, ...] | None = None,
    kept: Iterable[Single] = (),
) -> dict[str, list[Raw]]:
    """The rules for each namespace, and for everywhere under "". `home` is where it is granted
    today, and where `kept` rights stay as they are. With `limit` no rule goes beyond these.
    """
    parts = _parts(needs, widen, not home)
    if VERBS in widen:
        for part in parts.values():
            _together(part, limit)
    for verb, group, resource, name, url in kept:
        part = parts.setdefault(home, _Part())
        if url:
            part.urls.setdefault(url, set()).add(verb)
        else:
            part.add((verb, group, resource), None if name is None else (name,))
    _covered(parts)
    return {scope: rules for scope, part in sorted(parts.items()) if (rules := _rules(part))}


def _parts(needs: Iterable[Need], widen: frozenset[str], wide: bool) -> dict[str, _Part]:
    gathered: dict[Atom, dict[str, list[Need]]] = {}
    parts: dict[str, _Part] = {}
    for need in needs:
        if need.request.path:
            urls = parts.setdefault("", _Part()).urls
            urls.setdefault(need.request.path, set()).add(need.request.verb)
        else:
            spaces = gathered.setdefault(need.atom, {})
            spaces.setdefault(need.request.namespace, []).append(need)
    for atom, spaces in gathered.items():
        most = 1 if NAMESPACES in widen else MANY_NAMESPACES
        if wide and ("" in spaces or len(spaces) > most):
            spaces = {"": [need for some in spaces.values() for need in some]}
        for scope, some in spaces.items():
            parts.setdefault(scope, _Part()).add(atom, _names(some, widen))
    return parts


def _names(needs: list[Need], widen: frozenset[str]) -> set[str] | None:
    """The names that a rule asks for; None for any."""
    names = {need.request.name for need in needs}
    if any(need.free and not need.request.name for need in needs):
        return None
    if not all(need.free for need in needs):
        return names
    most = 1 if NAMED in widen else NAMES
    if len(names) > most or any(n.more for n in needs) or any(map(generated, names)):
        return None
    return names


def generated(name: str) -> bool:
    """Whether a name looks made by a controller: the next one will be another."""
    return len(name) < 300 and _GENERATED.fullmatch(name) is not None


def _together(part: _Part, limit: tuple[Rule, ...] | None) -> None:
    """Verbs that clients use together, where what is granted today has them too."""
    for (verb, group, resource), names in list(part.atoms.items()):
        for other in _TOGETHER.get(verb, ()):
            if limit is None or _within((other, group, resource), names, limit):
                part.add((other, group, resource), names)


def _within(atom: Atom, names: set[str] | None, limit: tuple[Rule, ...]) -> bool:
    verb, group, resource = atom
    wanted = Rule((verb,), (group,), (resource,), tuple(sorted(names or ())), (), limit[0].role, 0)
    return bool(limit) and covers(limit, (wanted,))[0]


def _covered(parts: dict[str, _Part]) -> None:
    """Takes out of namespaces what is granted everywhere anyway."""
    everywhere = parts.get("")
    if everywhere is None:
        return
    for scope, part in parts.items():
        if not scope:
            continue
        for atom in list(part.atoms):
            if atom not in everywhere.atoms:
                continue
            wide, here = everywhere.atoms[atom], part.atoms[atom]
            if wide is None or (here is not None and here <= wide):
                del part.atoms[atom]


def _rules(part: _Part) -> list[Raw]:
    verbs: dict[tuple[str, str, tuple[str, ...] | None], set[str]] = {}
    for (verb, group, resource), names in part.atoms.items():
        key = (group, resource, None if names is None else tuple(sorted(names)))
        verbs.setdefault(key, set()).add(verb)
    merged: dict[tuple[str, tuple[str, ...], tuple[str, ...] | None], list[str]] = {}
    for (group, resource, named), some in verbs.items():
        merged.setdefault((group, tuple(sorted(some)), named), []).append(resource)
    rules: list[Raw] = []
    for (group, some_verbs, named), resources in sorted(
        merged.items(), key=lambda item: (item[0][0], sorted(item[1]), item[0][1], item[0][2] or ())
    ):
        rule: Raw = {
            "apiGroups": [group],
            "resources": sorted(resources),
            "verbs": list(some_verbs),
        }
        if named is not None:
            rule["resourceNames"] = list(named)
        rules.append(rule)
    by_verbs: dict[tuple[str, ...], list[str]] = {}
    for url, asked in part.urls.items():
        by_verbs.setdefault(tuple(sorted(asked)), []).append(url)
    for asked_verbs, urls in sorted(by_verbs.items()):
        rules.append({"nonResourceURLs": sorted(urls), "verbs": list(asked_verbs)})
    return rules
