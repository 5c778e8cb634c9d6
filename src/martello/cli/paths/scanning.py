"""Paths for `martello scan`: the facts of the checks ACC-900 to ACC-903, where these run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from martello.cli.images.known import World
from martello.core.finding import Unassessed
from martello.core.reading import Reading

OWN: Final = "ACC-903"
CHECKS: Final = frozenset(("ACC-900", "ACC-901", "ACC-902", OWN))


def wanted(profile: str, only: Sequence[str]) -> bool:
    """Whether a scan is to look for paths: they are asked for by id, or all checks are."""
    return bool(CHECKS & set(only)) if only else profile == "all"


def with_paths(known: World, reading: Reading) -> World:
    """What is known of a target, with its paths from all footholds to the usual goals and those of
    [crown].
    """
    from martello.cli.access.opening import opened_reading
    from martello.cli.paths.findings import way_of
    from martello.cli.paths.opening import known_reading
    from martello.paths import Options, find
    from martello.paths.find import footholds_of

    if not reading.resources:
        return known
    world = known_reading(opened_reading(reading))
    options = Options(own=world.own)
    classes = find(world.facts, footholds=footholds_of(world.facts, options), options=options)
    ways = tuple(way for way in map(way_of, classes) if way is not None)
    unassessed = known.unassessed
    if not world.own:
        why = "nothing that [crown] of martello.toml names is here"
        unassessed = (*unassessed, Unassessed(why, check=OWN, asked=False))
    return msgspec.structs.replace(
        known, facts={**known.facts, "paths": ways}, unassessed=unassessed
    )
