"""The facts that paths are made of: the cluster, and what the other practices know of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from martello.cli.access.opening import Opened, opened, state
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
    return known_reading(opened(flags))


def known_state(word: str, flags: dict[str, Any]) -> Known:
    """One of two states that are compared."""
    return known_reading(state(word, flags))


def known_reading(world: Opened) -> Known:
    """What was read, with what every practice knows of it."""
    named = crown()
    with Progress() as progress:
        progress("joining the facts of all practices")
        weak, reasons = weaknesses(world.reading)
        told, notes = inputs(world.cluster, weak, named)
        read = facts(world.cluster, told)
        own = tuple(one for one in named if read.program.find(one) is not None)
        return Known(world, read, (*reasons, *notes), weak, own)


def inputs(
    cluster: Cluster, weak: tuple[Weakness, ...] | None, own: Iterable[Proposition] = ()
) -> tuple[Inputs, tuple[str, ...]]:
    """What the other practices know of a cluster, and what they could not tell. `weak` are the
    weaknesses of images, which an edit of objects leaves as they are; `own` the goals of [crown].
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
