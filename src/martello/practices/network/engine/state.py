"""One state of a cluster in the engine: classes, groups, and rows that are made when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from martello.core.errors import BadInput
from martello.practices.network.engine.asked import Asked
from martello.practices.network.engine.classes import Universe, universe
from martello.practices.network.engine.columns import Numbers
from martello.practices.network.engine.groups import Groups, groups
from martello.practices.network.engine.match import Matcher, Taken
from martello.practices.network.engine.names import NOTHING, refined
from martello.practices.network.engine.rows import Key, Row, Rows
from martello.practices.network.engine.rules import EGRESS, INGRESS, Compiler
from martello.practices.network.model import Policies, Policy, Profile, Who, World

_MOST: Final = 4 << 30  # bytes of all rows
WAYS: Final = (INGRESS, EGRESS)


class State:
    """The classes, groups and rows of a world under policies."""

    __slots__ = (
        "_matcher",
        "_own",
        "_rows",
        "asked",
        "groups",
        "kept",
        "profile",
        "serials",
        "universe",
        "world",
    )

    def __init__(
        self,
        world: World,
        profile: Profile,
        asked: Asked,
        universe: Universe,
        serials: Mapping[int, Policy],
    ) -> None:
        self.world = world
        self.profile = profile
        self.asked = asked
        self.universe = universe
        self.serials = serials
        self.kept: dict[tuple[str, Key], Row] = {}
        self.groups: dict[str, Groups] = {way: groups(universe, serials, way) for way in WAYS}
        self._matcher = Matcher(universe, profile, universe.columns)
        self._rows = Rows(Compiler(universe, self._matcher), serials)
        self._own: dict[tuple[str, Key], Row] = {}

    def part(self, columns: Numbers) -> Rows:
        """Rows over some of the columns only."""
        matcher = Matcher(self.universe, self.profile, self.universe.columns.only(columns))
        return Rows(Compiler(self.universe, matcher), self.serials)

    @property
    def made(self) -> int:
        """How many rows were computed for this state, rather than taken over or not asked for."""
        return self._rows.made

    @property
    def asked_selectors(self) -> int:
        """How many times a selector was evaluated."""
        every = self.universe
        return every.pods.asked + every.spaces.asked + every.nodes.asked

    @property
    def open(self) -> Row:
        """The row of what no policy selects."""
        return self._rows.open

    def row(self, way: str, group: int) -> Row:
        """The row of a group."""
        key = self.groups[way].keys[group]
        found = self.kept.get((way, key))
        if found is None:
            found = self.kept[(way, key)] = self._rows.of(way, key)
        return found

    def columns_of(self, who: Who) -> Taken:
        """The columns that one peer takes in, surely and perhaps."""
        return self._matcher.columns_of((who,))

    def own(self, way: str, group: int) -> Row:
        """The row of a group for the node that an endpoint runs on."""
        key = self.groups[way].keys[group]
        found = self._own.get((way, key))
        if found is None:
            found = self._own[(way, key)] = self._rows.of(way, key, own_node=True)
        return found

    def rows(self, way: str) -> list[Row]:
        """The rows of all groups of a direction. Raises BadInput where they would not fit."""
        size = self.open.sure.nbytes * sum(len(found.keys) for found in self.groups.values())
        if size > _MOST:
            raise BadInput(
                "too much to answer for all pairs at once",
                f"the policies tell apart so many ports and places that it takes {size >> 30} GiB",
                "ask for single pairs, or for a part of the cluster",
            )
        return [self.row(way, group) for group in range(len(self.groups[way].keys))]


def first_state(world: World, policies: Policies, profile: Profile) -> State:
    """The state of a world under policies, made from nothing."""
    enforced = policies.policies if profile.enforces else ()
    asked = Asked()
    asked.add(enforced, profile)
    names, _ = refined(NOTHING, asked, world, Asked())
    serials = dict(enumerate(enforced))
    return State(world, profile, asked, universe(world, asked, names, profile), serials)
