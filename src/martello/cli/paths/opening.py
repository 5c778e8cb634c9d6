"""The facts that paths are made of: the cluster, and what the other practices know of it."""

from __future__ import annotations

from typing import Any

import msgspec

from martello.cli.access.opening import Opened, opened, state
from martello.cli.progress import Progress
from martello.core.cluster import Cluster
from martello.core.errors import MartelloError
from martello.paths.facts import Facts, facts
from martello.paths.model import Inputs


class Known(msgspec.Struct, frozen=True, eq=False):
    """A cluster with its facts. `notes` say what nobody has looked at."""

    opened: Opened
    facts: Facts
    notes: tuple[str, ...] = ()


def known(flags: dict[str, Any]) -> Known:
    """Reads the world that the flags name. Raises BadInput, Unreachable, NotPermitted."""
    return _read(opened(flags))


def known_state(word: str, flags: dict[str, Any]) -> Known:
    """One of two states that are compared."""
    return _read(state(word, flags))


def _read(world: Opened) -> Known:
    with Progress() as progress:
        progress("joining the facts of all practices")
        told, notes = inputs(world.cluster)
        return Known(world, facts(world.cluster, told), notes)


def inputs(cluster: Cluster) -> tuple[Inputs, tuple[str, ...]]:
    """What the other practices know of a cluster, and what they could not tell."""
    from martello.paths.network import Network

    notes = ["no image was scanned: whether one can be exploited is open"]
    try:
        network = Network(cluster)
        return Inputs(exposed=network.exposed(), metadata=network.metadata()), tuple(notes)
    except MartelloError as error:
        notes.append(f"the network was not judged: {error.what}")
        return Inputs(), tuple(notes)
