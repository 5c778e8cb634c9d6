"""Pairs of a pod and what runs on the network of its own node: they reach each other (P14)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from martello.practices.network.engine.classes import FAMILY
from martello.practices.network.engine.pairs import Cells
from martello.practices.network.engine.rules import EGRESS, INGRESS
from martello.practices.network.engine.state import State

Words = tuple[int, ...]
Both = tuple[Words, Words]  # lower and upper bound


def neighbours(state: State, units: Cells) -> Iterator[tuple[int, int, int]]:
    """(cell on the network of a node, cell of pods on that node, how many such pairs)."""
    hosts: dict[str, Counter[int]] = {}
    pods: dict[str, Counter[int]] = {}
    of = units.of.tolist()
    for at, endpoint in enumerate(state.world.endpoints):
        if endpoint.node:
            kind = hosts if endpoint.host_network else pods
            kind.setdefault(endpoint.node, Counter())[of[at]] += 1
    found: Counter[tuple[int, int]] = Counter()
    for node, here in hosts.items():
        for host, number in here.items():
            for pod, times in pods.get(node, Counter()).items():
                found[host, pod] += number * times
    for (host, pod), number in found.items():
        yield host, pod, number


class Exceptions:
    """What the rules say of such pairs, and what holds."""

    __slots__ = ("_known", "_state", "_units")

    def __init__(self, state: State, units: Cells) -> None:
        self._state = state
        self._units = units
        self._known: dict[tuple[int, ...], tuple[Both, Both]] = {}

    def of(self, host: int, pod: int, way: str) -> tuple[Both, Both]:
        """Bounds by the rules, and bounds that hold, of one way into or out of the pod."""
        units = self._units
        group = int((units.into if way == INGRESS else units.out)[pod])
        families = int(units.families[host] & units.families[pod])
        columns = int(units.column4[host]), int(units.column6[host])
        key = (group, families, *columns, way == EGRESS)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._find(way, group, families, columns)
        return found

    def _find(
        self, way: str, group: int, families: int, columns: tuple[int, int]
    ) -> tuple[Both, Both]:
        state = self._state
        found: list[Both] = []
        for row in (state.row(way, group), state.own(way, group)):
            kept = [
                column
                for column, bit in zip(columns, FAMILY.values(), strict=True)
                if families & bit
            ]
            words = range(state.universe.names.ports.words)
            least, most = [0 for _ in words], [0 for _ in words]
            for at, column in enumerate(kept):
                sure, perhaps = row.sure[:, column].tolist(), row.perhaps[:, column].tolist()
                least = [a & b if at else b for a, b in zip(least, sure, strict=True)]
                most = [a | b for a, b in zip(most, perhaps, strict=True)]
            found.append((tuple(least), tuple(most)))
        return found[0], found[1]
