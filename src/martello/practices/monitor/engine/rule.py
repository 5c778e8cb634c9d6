"""A rule, whatever language it was written in, and a pack of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from martello.core.alert import SEVERITIES as SEVERITIES
from martello.practices.monitor.engine.ir import FALSE, Node


class Source(msgspec.Struct, frozen=True):
    """Where a rule is written: `language` is falco, sigma or martello; lines count from 1."""

    language: str
    file: str = ""
    line: int = 0


class Correlation(msgspec.Struct, frozen=True):
    """What several hits must be together. `of` are ids of rules; `by` columns whose values are
    equal (`aliases`: by rule, another column for one of them); `within` seconds.

    `type`: count, values (distinct of `field`), all (each rule, in any order), sequence (each rule,
    in this order), sum, avg, percentile, median (of `field`). `op` and `value` compare the figure.
    `alone`: the rules it is made of alert by themselves too.
    """

    type: str
    of: tuple[str, ...]
    by: tuple[str, ...] = ()
    within: int = 0
    op: str = ">="
    value: float = 0
    field: str = ""
    percentile: float = 0
    aliases: Mapping[str, Mapping[str, str]] = {}
    alone: bool = False


class Rule(msgspec.Struct, frozen=True, eq=False):
    """One rule. It is tried on events of its `kinds`; no rule hides another.

    `say` is its message, `{column}` in it replaced; `group` are the columns by which hits become
    one alert within `window` seconds, or within as long as a correlation looks back if that is
    more. `learn` is never, baseline or free: whether an exception may
    silence it, and which way. `unassessed` says why it cannot run at all; it is never silent.
    """

    id: str
    title: str
    tree: Node = FALSE
    kinds: tuple[str, ...] = ()
    severity: str = "medium"
    say: str = ""
    why: str = ""
    fix: str = ""
    group: tuple[str, ...] = ()
    window: int = 3600
    learn: str = "free"
    attack: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    enabled: bool = True
    correlate: Correlation | None = None
    source: Source = Source("martello")
    unassessed: str = ""
    warnings: tuple[str, ...] = ()
    tests: tuple[Mapping[str, Any], ...] = ()
    message: Callable[[Mapping[str, Any]], str] | None = (
        None  # instead of `say`, of events whose raw is at hand
    )

    @property
    def hash(self) -> str:
        """What the rule decides by; an exception's proof holds for this one only."""
        told = msgspec.json.encode((self.tree, self.kinds, self.correlate))
        return hashlib.sha256(told).hexdigest()[:16]


class Pack:
    """Rules by id. Of two with one id the later one counts."""

    __slots__ = ("rules",)

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.rules: dict[str, Rule] = {}
        for one in rules:
            self.rules[one.id] = one

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules.values())

    def __len__(self) -> int:
        return len(self.rules)

    def usable(self, kind: str) -> tuple[Rule, ...]:
        """The rules that are tried on events of a kind."""
        return tuple(
            one
            for one in self.rules.values()
            if one.enabled and not one.unassessed and one.correlate is None and kind in one.kinds
        )


class Hit(msgspec.Struct, frozen=True, eq=False):
    """A rule that was true of an event, and which atoms of its tree (in their order) were.
    `related` are the events that a correlation stands on, the last of them this one.
    """

    rule: str
    event: Mapping[str, Any]
    true: tuple[int, ...] = ()
    related: tuple[Mapping[str, Any], ...] = ()
