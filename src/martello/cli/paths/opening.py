"""The facts that paths are made of: the cluster, and what the other practices know of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from martello.cli.access.opening import Opened, opened, state
from martello.cli.paths import starving
from martello.cli.paths.crown import crown
from martello.cli.paths.weaknesses import weaknesses
from martello.cli.progress import Progress
from martello.core.cluster import Cluster
from martello.core.errors import MartelloError
from martello.paths.facts import Facts, facts
from martello.paths.model import Inputs, Proposition, Weakness


class Known(msgspec.Struct, frozen=True, eq=False):
    """A cluster with its facts. `notes` say what nobody has looked at."""

    opened: Opened
    facts: Facts
    notes: tuple[str, ...] = ()
    weak: tuple[Weakness, ...] | None = None  # of images; None: nobody has looked
    own: tuple[Proposition, ...] = ()  # goals of [crown] that are here


def known(flags: dict[str, Any]) -> Known:
    """Reads the world that the flags name. Raises BadInput, Unreachable, NotPermitted."""
    return known_reading(opened(flags), flags.get("goals") or ())


def known_state(word: str, flags: dict[str, Any]) -> Known:
    """One of two states that are compared."""
    return known_reading(state(word, flags), flags.get("goals") or ())


def known_reading(world: Opened, goals: Iterable[str] = ()) -> Known:
    """What was read, with what every practice knows of it. Who starves whom is asked only where one
    of these `goals`, or [crown], wants it.
    """
    named = crown()
    wanted = starving.asked(goals, named)
    with Progress() as progress:
        progress("joining the facts of all practices")
        weak, reasons = weaknesses(world.reading)
        told, notes = inputs(world.cluster, weak, named, starve=wanted)
        read = facts(world.cluster, told)
        own = tuple(one for one in named if read.program.find(one) is not None)
        return Known(world, read, (*reasons, *notes), weak, own)


def inputs(
    cluster: Cluster,
    weak: tuple[Weakness, ...] | None,
    own: Iterable[Proposition] = (),
    *,
    starve: bool = False,
) -> tuple[Inputs, tuple[str, ...]]:
    """What the other practices know of a cluster, and what they could not tell. `weak` are the
    weaknesses of images, which an edit of objects leaves as they are; `own` the goals of [crown];
    `starve` whether it matters who starves whom.
    """
    from martello.gate.pods import policies, security
    from martello.paths.network import Network

    levels, notes = security(cluster)
    told = Inputs(
        weaknesses=weak,
        security=levels,
        policies=policies(cluster),
        secrets=tuple((one[1], one[2]) for one in own if one[0] == "secret"),
    )
    if starve:
        try:
            found = starving.starving(cluster)
            told = msgspec.structs.replace(told, starving=found)
            notes = (*notes, starving.GUARDS)
        except MartelloError as error:
            notes = (*notes, f"who starves whom was not judged: {error.what}")
    try:
        network = Network(cluster)
        sure = [one for one in weak or () if not one.because]
        told = msgspec.structs.replace(
            told,
            exposed=network.exposed(),
            metadata=network.metadata(),
            lateral=network.lateral(sure) if sure else (),
        )
        return told, notes
    except MartelloError as error:
        return told, (*notes, f"the network was not judged: {error.what}")
