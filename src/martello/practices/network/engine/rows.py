"""Rows: what the policies that select a group of endpoints say of every column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from martello.practices.network.engine.columns import Numbers
from martello.practices.network.engine.portatoms import OTHER, PERHAPS_OTHER
from martello.practices.network.engine.rules import Compiler, Grid, Match, put
from martello.practices.network.engine.tiers import (
    Member,
    Outcome,
    bounds,
    may_pass,
    may_stop,
    tier,
)
from martello.practices.network.model import ADMIN, BASELINE, NETWORK, Policy

_TIERS_KEPT: Final = 64


class Row(msgspec.Struct, frozen=True, eq=False):
    """What surely passes and what perhaps does, for each column: one array where both agree."""

    sure: Grid
    perhaps: Grid

    @property
    def decided(self) -> bool:
        """Whether both bounds are the same."""
        return self.sure is self.perhaps


class Key(msgspec.Struct, frozen=True):
    """What makes groups equal: the policies that select them (a number each, doubled, odd where
    they perhaps do), and on the way in the named ports where rules use them.
    """

    codes: tuple[int, ...] = ()
    shape: int = -1


def row(left: Grid, right: Grid) -> Row:
    """A row of two bounds."""
    return Row(left, left if np.array_equal(left, right) else right)


class Rows:
    """Computes rows over the columns of a compiler. `made` counts them."""

    __slots__ = ("_compiler", "_policies", "_tiers", "made", "open")

    def __init__(self, compiler: Compiler, policies: Mapping[int, Policy]) -> None:
        self._compiler = compiler
        self._policies = policies
        self._tiers: dict[tuple[str, str, Key], Outcome] = {}
        self.made = 0
        full = compiler.full()
        self.open = Row(full, full)

    def of(self, way: str, key: Key, *, own_node: bool = False) -> Row:
        """The row of a group. For its own node, NetworkPolicies stand aside (P14)."""
        if not key.codes:
            return self.open
        self.made += 1
        members = [Member(c >> 1, self._policies[c >> 1], bool(c & 1)) for c in key.codes]
        if any(member.policy.doubt for member in members):
            return self._doubtful()
        of_tier = {
            name: [member for member in members if member.policy.tier == name]
            for name in (ADMIN, NETWORK, BASELINE)
        }
        found = self.open
        if of_tier[BASELINE]:
            found = self._through(self._tier(BASELINE, of_tier[BASELINE], way, key.shape), found)
        if of_tier[NETWORK]:
            found = self._network(of_tier[NETWORK], way, key.shape, found, own_node)
        if of_tier[ADMIN]:
            found = self._through(self._tier(ADMIN, of_tier[ADMIN], way, key.shape), found)
        return found

    def _doubtful(self) -> Row:
        sure = self._compiler.empty()
        sure[0] |= PERHAPS_OTHER
        perhaps = self._compiler.full()
        perhaps[0] &= ~OTHER
        return Row(sure, perhaps)

    def _tier(self, name: str, members: Sequence[Member], way: str, shape: int) -> Outcome:
        codes = tuple(member.serial * 2 + member.perhaps for member in members)
        key = (way, name, Key(codes, shape))
        found = self._tiers.get(key)
        if found is None:
            if len(self._tiers) >= _TIERS_KEPT:
                self._tiers.clear()
            found = self._tiers[key] = tier(self._compiler, members, way, shape)
        return found

    def _through(self, outcome: Outcome, after: Row) -> Row:
        full = self.open.sure
        passing = outcome.accept | (outcome.leave & may_pass(after.perhaps))
        stopping = outcome.deny | (outcome.leave & may_stop(after.sure, full))
        return row(*bounds(passing, stopping, full))

    def _network(
        self, members: Sequence[Member], way: str, shape: int, free: Row, own_node: bool
    ) -> Row:
        """The union of what isolating policies accept. Where only perhaps some policy isolates,
        also what goes for those that are free.
        """
        sure, perhaps = self._compiler.empty(), self._compiler.empty()
        shapes = self._compiler.columns.shape
        if shape >= 0:
            shapes = np.full(len(shapes), shape)
        isolated = any(not member.perhaps for member in members)
        if own_node:
            return self.open if isolated else _either(self.open, free)
        matches = [self._compiler.matches(m.serial, m.policy, way) for m in members]
        for member, rules in zip(members, matches, strict=True):
            for match in () if member.perhaps else rules:
                put(sure, match.sure, self._compiler.mask(match.ports), shapes)
        decided = all(match.decided for rules in matches for match in rules)
        if isolated and decided and not any(m.perhaps for m in members):
            return Row(sure, sure)
        if isolated:
            for match in (match for rules in matches for match in rules):
                put(perhaps, match.perhaps, self._compiler.mask(match.ports), shapes)
            return _tidy(sure, perhaps)
        found = free
        for rules in matches:
            found = _either(found, self._alone(rules, shapes))
        return found

    def _alone(self, rules: Sequence[Match], shapes: Numbers) -> Row:
        sure, perhaps = self._compiler.empty(), self._compiler.empty()
        for match in rules:
            put(sure, match.sure, self._compiler.mask(match.ports), shapes)
            put(perhaps, match.perhaps, self._compiler.mask(match.ports), shapes)
        return _tidy(sure, perhaps)


def _tidy(sure: Grid, perhaps: Grid) -> Row:
    """Both bounds say the same of what has no ports: bit 0 of the lower, bit 1 of the upper."""
    sure[0] = (sure[0] & ~PERHAPS_OTHER) | (perhaps[0] & PERHAPS_OTHER)
    perhaps[0] = (perhaps[0] & ~OTHER) | (sure[0] & OTHER)
    return row(sure, perhaps)


def _either(one: Row, other: Row) -> Row:
    """What holds where it is not known which row applies."""
    return _tidy(one.sure & other.sure, one.perhaps | other.perhaps)
