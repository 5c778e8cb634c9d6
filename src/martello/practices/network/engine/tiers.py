"""The tiers around NetworkPolicy: what their ordered rules may decide, and what they leave.

Rules are folded from the last to the first, so a rule that only perhaps matches keeps both what it
would do and what those after it do. Policies without an order among themselves (equal priority, or
two versions of the API side by side) may each come first.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import msgspec
import numpy as np

from martello.practices.network.engine.portatoms import OTHER, PERHAPS_OTHER
from martello.practices.network.engine.rules import (
    Compiler,
    Grid,
    Match,
    at_least,
    at_most,
    drop,
    put,
)
from martello.practices.network.model import ACCEPT, DENY, Policy


class Member(msgspec.Struct, frozen=True, eq=False):
    """A policy that selects a group: surely or perhaps."""

    serial: int
    policy: Policy
    perhaps: bool = False


class Opinion(msgspec.Struct, eq=False):
    """What may become of each connection: accepted, denied, passed on, or none of these."""

    accept: Grid
    deny: Grid
    pass_: Grid
    none: Grid

    def all(self) -> tuple[Grid, Grid, Grid, Grid]:
        """The four of them."""
        return self.accept, self.deny, self.pass_, self.none

    def copy(self) -> Opinion:
        """One that may change by itself."""
        return Opinion(*(grid.copy() for grid in self.all()))

    def or_(self, other: Opinion) -> Opinion:
        """What either may decide."""
        return Opinion(*(a | b for a, b in zip(self.all(), other.all(), strict=True)))


class Outcome(msgspec.Struct, frozen=True, eq=False):
    """What a tier may do: accept, deny, or leave to the next one."""

    accept: Grid
    deny: Grid
    leave: Grid


def tier(compiler: Compiler, members: Sequence[Member], way: str, shape: int) -> Outcome:
    """The outcome of the policies of one tier that select a group. `shape` is that of the group on
    the way in, -1 on the way out: names of ports are those of the destination.
    """
    families = [
        [member for member in members if member.policy.family == family]
        for family in dict.fromkeys(member.policy.family for member in members)
    ]
    fold = _Fold(compiler, way, shape)
    found = unordered([fold.ranked(family) for family in families])
    return Outcome(found.accept, found.deny, found.pass_ | found.none)


class _Fold:
    """The rules of one direction for one group, folded."""

    def __init__(self, compiler: Compiler, way: str, shape: int) -> None:
        self._compiler = compiler
        self._way = way
        columns = compiler.columns
        self._shapes = columns.shape if shape < 0 else np.full(columns.count, shape)

    def nothing(self) -> Opinion:
        """No rule at all."""
        empty = self._compiler.empty
        return Opinion(empty(), empty(), empty(), ports_only(self._compiler.full()))

    def ranked(self, members: Sequence[Member]) -> Opinion:
        """Policies in order of priority."""
        ordered = sorted(members, key=lambda member: -member.policy.priority)
        found = self.nothing()
        for _, rank in groupby(ordered, key=lambda member: member.policy.priority):
            equals = list(rank)
            if len(equals) == 1:
                found = self.one(equals[0], found)
                continue
            first = unordered([self.one(member, self.nothing()) for member in equals])
            found = Opinion(
                first.accept | (first.none & found.accept),
                first.deny | (first.none & found.deny),
                first.pass_ | (first.none & found.pass_),
                first.none & found.none,
            )
        return found

    def one(self, member: Member, then: Opinion) -> Opinion:
        """One policy before what follows."""
        before = then.copy() if member.perhaps else None
        matches = self._compiler.matches(member.serial, member.policy, self._way)
        for match in reversed(matches):
            self._rule(match, then)
        return then.or_(before) if before is not None else then

    def _rule(self, match: Match, then: Opinion) -> None:
        mask = self._compiler.mask(match.ports)
        for grid in then.all():
            drop(grid, match.sure, at_least(mask), self._shapes)
        own = then.pass_
        if match.action == ACCEPT:
            own = then.accept
        elif match.action == DENY:
            own = then.deny
        put(own, match.perhaps, at_most(mask), self._shapes)


def unordered(opinions: Sequence[Opinion]) -> Opinion:
    """What those decide of which any may come first."""
    found = opinions[0]
    for more in opinions[1:]:
        found = Opinion(
            found.accept | more.accept,
            found.deny | more.deny,
            found.pass_ | more.pass_,
            found.none & more.none,
        )
    return found


def ports_only(grid: Grid) -> Grid:
    """A row in which bit 0 alone stands for what has no ports."""
    grid[0] &= ~PERHAPS_OTHER
    return grid


def may_pass(perhaps: Grid) -> Grid:
    """What may be allowed, of the upper bound of a row."""
    found = perhaps.copy()
    found[0] = (perhaps[0] & ~(OTHER | PERHAPS_OTHER)) | ((perhaps[0] >> OTHER) & OTHER)
    return found


def may_stop(sure: Grid, full: Grid) -> Grid:
    """What may be denied, of the lower bound of a row."""
    return ports_only(full & ~sure)


def bounds(passing: Grid, stopping: Grid, full: Grid) -> tuple[Grid, Grid]:
    """Lower and upper bound of a row of what may be allowed and what may be denied."""
    sure = ports_only(full & ~stopping)
    perhaps = passing.copy()
    other = (passing[0] & OTHER) << OTHER
    perhaps[0] = (perhaps[0] & ~OTHER) | (sure[0] & OTHER) | other
    sure[0] |= other
    return sure, perhaps
