"""What the numbers of the engine stand for, kept from one state of a cluster to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from martello.core.reach import Ports
from martello.practices.network.engine.asked import Asked
from martello.practices.network.engine.portatoms import PortAtoms, spans_of
from martello.practices.network.engine.selectors import Vocabulary
from martello.practices.network.engine.spans import Spans
from martello.practices.network.model import Declared, World

BITS: Final = {4: 32, 6: 128}
Shape = tuple[tuple[str, str, int], ...]  # the named ports of a pod that rules ask for


class Names(msgspec.Struct, frozen=True, eq=False):
    """Vocabularies of labels, atoms of ports and addresses, shapes. All are only appended to."""

    pods: Vocabulary
    spaces: Vocabulary
    nodes: Vocabulary
    ports: PortAtoms
    lines: Mapping[int, Spans]  # the addresses of each family
    shapes: dict[Shape, int]


NOTHING: Final = Names(
    Vocabulary(),
    Vocabulary(),
    Vocabulary(),
    PortAtoms(),
    {version: Spans(0, 2**bits - 1, reserve=True) for version, bits in BITS.items()},
    {(): 0},
)


def refined(
    before: Names, asked: Asked, world: World, known: Asked
) -> tuple[Names, tuple[tuple[int, int], ...]]:
    """The numbers that tell apart all that is asked, and which bits of ports were split. What is
    known was asked before.
    """
    wanted = {one.name for one in asked.names}
    declared = {e.ports for e in world.endpoints} if wanted else set()
    numbers = {one for ports in declared for one in shape_of(ports, wanted)}
    sets = {spans_of(ports) for ports in asked.ports - known.ports}
    sets.update(spans_of((Ports(protocol, n, n),)) for _, protocol, n in numbers)
    ports, splits = before.ports.refined(sorted(sets))
    lines = {
        version: line.refined(sorted(s for v, s in asked.blocks - known.blocks if v == version))[0]
        for version, line in before.lines.items()
    }
    return Names(
        before.pods.with_(asked.pods - known.pods),
        before.spaces.with_(asked.spaces - known.spaces),
        before.nodes.with_(asked.nodes - known.nodes),
        ports,
        lines,
        {**before.shapes},
    ), splits


def shape_of(ports: tuple[Declared, ...], wanted: set[str]) -> Shape:
    """The named ports of a pod, of the names that are wanted."""
    return tuple(sorted({(p.name, p.protocol, p.number) for p in ports if p.name in wanted}))
