"""Three readings of the tree agree: over one event, over columns, and in SQL.

`MARTELLO_ROUNDS` makes as many times as much of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import duckdb
import pytest
from tests.support.monitor.generated import atom, event, tree
from tests.support.monitor.hostile import line

from martello.adapters import batch
from martello.adapters.audit import bulk
from martello.adapters.audit.columns import Origin
from martello.practices.monitor.engine.detect import Detector
from martello.practices.monitor.engine.ir import Node
from martello.practices.monitor.engine.rule import Rule
from martello.practices.monitor.engine.scalar import Bad, explain, holds, judge
from martello.practices.monitor.engine.sql import condition

ROUNDS = int(os.environ.get("MARTELLO_ROUNDS", "1"))
ORIGIN = Origin(b"key", seen=1_800_000_000_000_000_000)


def trees(random: Random, made: Callable[[Random], Node], number: int) -> list[Node]:
    """As many trees whose operands can be read."""
    found: list[Node] = []
    while len(found) < number:
        one = made(random)
        try:
            judge(one)
        except Bad:
            continue
        found.append(one)
    return found


def rules(nodes: Sequence[Node]) -> tuple[Rule, ...]:
    """A rule for each tree, by its number."""
    return tuple(Rule(str(at), str(at), node, ("audit",)) for at, node in enumerate(nodes))


def columnar(nodes: Sequence[Node], rows: Any) -> dict[tuple[int, int], tuple[int, ...]]:
    """Row and tree of every hit, and the atoms that were true."""
    found = Detector(rules(nodes), "audit").find(rows)
    return {(one.row, int(one.rule.id)): one.true for one in found}


def scalar(
    nodes: Sequence[Node], events: Sequence[dict[str, Any]]
) -> dict[tuple[int, int], tuple[int, ...]]:
    """The same of one event after the other."""
    return {
        (row, at): tuple(n for n, told in enumerate(explain(node, one)) if told.truth)
        for row, one in enumerate(events)
        for at, node in enumerate(nodes)
        if holds(node, one)
    }


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("made", [atom, tree], ids=["atoms", "trees"])
def test_columns_are_events(made: Callable[[Random], Node], seed: int) -> None:
    for turn in range(ROUNDS):
        random = Random(seed * 1000 + turn)
        events = [event(random) for _ in range(130)]
        nodes = trees(random, made, 60)
        assert columnar(nodes, batch.table("audit", events)) == scalar(nodes, events)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("made", [atom, tree], ids=["atoms", "trees"])
def test_sql_is_events(made: Callable[[Random], Node], seed: int) -> None:
    duck = duckdb.connect(config={"threads": 1})
    exact = 0
    for turn in range(ROUNDS):
        random = Random(seed * 1000 + turn)
        events = [event(random) for _ in range(80)]
        duck.register("events", batch.table("audit", events))
        for node in trees(random, made, 40):
            said = condition(node, "audit")
            found = [row[0] for row in duck.sql(f"SELECT {said.sql} FROM events").fetchall()]
            wanted = [holds(node, one) is True for one in events]
            if said.exact:
                exact += 1
                assert found == wanted, node
            else:
                assert all(f for f, w in zip(found, wanted, strict=True) if w), node
    duck.close()
    assert exact > 10 * ROUNDS


@pytest.mark.parametrize("seed", range(3))
def test_hostile_bytes_are_judged_alike(seed: int) -> None:
    """From bytes in bulk, and by the scalar reader and reading: the same verdicts."""
    random = Random(seed)
    rows = bulk.read(b"\n".join(line(random, at) for at in range(300)), ORIGIN).rows
    nodes = trees(random, tree, 30)
    assert columnar(nodes, rows) == scalar(nodes, batch.events(rows))
