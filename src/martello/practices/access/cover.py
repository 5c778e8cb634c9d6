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
    covered = _coverage(tuple(owner))
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
