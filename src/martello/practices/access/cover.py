"""Whether somebody's rules cover other rules: what may be granted without being escalated.

Source: Covers in k8s.io/component-helpers auth/rbac/validation/policy_comparator.go. The rules to
be granted are broken into singles; each must be covered by one rule of the owner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Final

from martello.practices.access.rules import Rule, url_covers
from martello.practices.access.symbols import Symbols

Single = tuple[str, str, str, str | None, str]  # verb, group, resource, name or None, URL
_FEW: Final = 300  # words of rules that are compared one by one
MOST: Final = 100_000  # singles that are compared; beyond, a rule counts as not covered


def covers(owner: Iterable[Rule], servant: Iterable[Rule]) -> tuple[bool, tuple[Single, ...]]:
    """Whether the owner's rules cover all of the servant's, and the singles that they do not."""
    return compared(_coverage(tuple(owner)), servant)


def compared(
    covered: Callable[[Single], bool], servant: Iterable[Rule]
) -> tuple[bool, tuple[Single, ...]]:
    """The same for owners that are turned around already."""
    missing: dict[Single, None] = {}
    for at, single in enumerate(singles(servant)):
        if at >= MOST or not covered(single):
            missing[single] = None
            if at >= MOST:
                break
    return not missing, tuple(missing)


def _coverage(owner: tuple[Rule, ...]) -> Callable[[Single], bool]:
    """Says of a single whether one rule covers it; many rules are turned around first."""
    if sum(len(words) for rule in owner for words in rule.lists) <= _FEW:
        return lambda single: any(_covers(rule, single) for rule in owner)
    symbols = Symbols(dict.fromkeys(rule.lists for rule in owner))
    return lambda single: bool(symbols.covering(*single))


class Growing:
    """Whether one of the rules so far covers a single, while rules are added. The new ones are
    compared one by one; many are turned around together, and with as many of before: adding
    n rules costs n log n.
    """

    __slots__ = ("_few", "_levels", "_words")

    def __init__(self, rules: Iterable[Rule]) -> None:
        held = tuple(rules)
        self._levels = [(held, _coverage(held))]
        self._few: list[Rule] = []
        self._words = 0

    def add(self, rule: Rule) -> None:
        """One more."""
        self._few.append(rule)
        self._words += sum(map(len, rule.lists))
        if self._words <= _FEW:
            return
        held = tuple(self._few)
        while len(self._levels) > 1 and len(self._levels[-1][0]) <= len(held):
            held = (*self._levels.pop()[0], *held)
        self._levels.append((held, _coverage(held)))
        self._few, self._words = [], 0

    def __call__(self, single: Single) -> bool:
        """Whether one of them does."""
        return any(level(single) for _, level in self._levels) or any(
            _covers(rule, single) for rule in self._few
        )


def singles(rules: Iterable[Rule]) -> Iterator[Single]:
    """Rules broken down to one verb, group, resource and name each, or one verb and URL."""
    for rule in rules:
        for group, resource, verb in product(rule.groups, rule.resources, rule.verbs):
            for name in rule.names or (None,):
                yield (verb, group, resource, name, "")
        for url, verb in product(rule.urls, rule.verbs):
            yield (verb, "", "", None, url)


def _covers(rule: Rule, single: Single) -> bool:
    verb, group, resource, name, url = single
    if "*" not in rule.verbs and verb not in rule.verbs:
        return False
    if url:
        return any(url_covers(each, url) for each in rule.urls)
    return (
        ("*" in rule.groups or group in rule.groups)
        and _resource(rule, resource)
        and (not rule.names or (name is not None and name in rule.names))
    )


def _resource(rule: Rule, resource: str) -> bool:
    if "*" in rule.resources or resource in rule.resources:
        return True
    _, slash, sub = resource.partition("/")
    return bool(slash) and f"*/{sub}" in rule.resources
