"""The state after a change: rows that nothing touched are taken over, column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from martello.practices.network.engine.asked import Asked
from martello.practices.network.engine.classes import universe
from martello.practices.network.engine.columns import Numbers
from martello.practices.network.engine.names import Names, refined
from martello.practices.network.engine.rows import Key, Row, Rows
from martello.practices.network.engine.rules import Grid
from martello.practices.network.engine.state import WAYS, State
from martello.practices.network.model import Endpoint, Node, Policies, Policy, World

Splits = Sequence[tuple[int, int]]


def next_state(before: State, world: World, policies: Policies) -> State:
    """The state of a world under policies, with what still holds of the one before."""
    profile = before.profile
    serials = _numbered(before.serials, policies.policies if profile.enforces else ())
    fresh = [
        policy for serial, policy in serials.items() if before.serials.get(serial) is not policy
    ]
    asked = before.asked.copy()
    asked.add(fresh, profile)
    names, splits = refined(before.universe.names, asked, world, before.asked)
    every = before.universe
    if world is not before.world or splits or not _same(before, asked, names):
        same = before.universe if world is before.world else None
        every = universe(world, asked, names, profile, same)
    state = State(world, profile, asked, every, serials)
    _take_over(before, state, splits)
    return state


def _numbered(before: Mapping[int, Policy], policies: Sequence[Policy]) -> dict[int, Policy]:
    """Policies by number: those that were there keep theirs, others get one never used."""
    known = {id(policy): serial for serial, policy in before.items()}
    following = max(before, default=-1) + 1
    found: dict[int, Policy] = {}
    for policy in policies:
        serial = known.get(id(policy))
        if serial is None:
            serial, following = following, following + 1
        found[serial] = policy
    return found


def _same(before: State, asked: Asked, names: Names) -> bool:
    """Whether the classes of the state before still tell enough apart."""
    old, known = before.universe.names, before.asked
    return (
        names.pods is old.pods
        and names.spaces is old.spaces
        and names.nodes is old.nodes
        and asked.named == known.named
        and asked.names == known.names
        and asked.takes_pods == known.takes_pods
        and asked.blocks == known.blocks
    )


def _take_over(before: State, state: State, splits: Splits) -> None:
    """The rows of groups that were there: a policy that changed has a number not used before."""
    kept = [
        (way, key) for way in WAYS for key in state.groups[way].keys if (way, key) in before.kept
    ]
    if state.universe is before.universe:
        for name in kept:
            state.kept[name] = before.kept[name]
        return
    parent = _parents(before, state)
    missing = np.flatnonzero(parent < 0)
    part = state.part(missing) if len(missing) else None
    for way, key in kept:
        if key.codes:
            state.kept[(way, key)] = _moved(
                before.kept[(way, key)], state, splits, parent, _part(part, way, key)
            )


def _part(part: Rows | None, way: str, key: Key) -> Row | None:
    return None if part is None else part.of(way, key)


def _moved(old: Row, state: State, splits: Splits, parent: Numbers, part: Row | None) -> Row:
    """A row over the columns of the new state; `part` is it over those that have no parent."""
    missing = parent < 0

    def moved(grid: Grid, more: Grid | None) -> Grid:
        found = state.universe.names.ports.moved(grid, splits)[:, parent]
        if more is not None:
            found[:, missing] = more
        return found

    sure = moved(old.sure, part.sure if part else None)
    if old.decided and (part is None or part.decided):
        return Row(sure, sure)
    return Row(sure, moved(old.perhaps, part.perhaps if part else None))


def _parents(before: State, state: State) -> Numbers:
    """For each column the one before that held the same; -1 where there is none."""
    old, new = before.universe, state.universe
    parent = np.full(new.columns.count, -1, dtype=np.int64)
    here, there = _aligned(before, state)
    for version, columns in new.column.items():
        parent[columns[here]] = old.column[version][there]
    for version, first in new.address.items():
        line, former = new.names.lines[version], old.names.lines[version]
        parent[first : first + former.count] = old.address[version] + np.arange(former.count)
        for begin, _, atom in line.intervals():
            parent[first + atom] = old.address[version] + former.at(begin)
    return parent


def _aligned(before: State, state: State) -> tuple[Numbers, Numbers]:
    """Places that are the same in both states: their numbers after and before."""
    old, new = before.world, state.world
    if old is new:
        every = np.arange(len(new.endpoints) + len(new.nodes))
        return every, every
    nodes = {node.name: (at, node) for at, node in enumerate(old.nodes)}
    same_nodes = {
        node.name
        for node in new.nodes
        if node.name in nodes and _same_node(nodes[node.name][1], node)
    }
    gone = {node.name for node in old.nodes} - {node.name for node in new.nodes}
    added = {node.name for node in new.nodes} - nodes.keys()
    spaces = {n for n, labels in new.namespaces.items() if _known(old, n) == (True, labels)}
    held = {e.key: (at, e) for at, e in enumerate(old.endpoints)}
    here: list[int] = []
    there: list[int] = []
    for at, endpoint in enumerate(new.endpoints):
        was = held.get(endpoint.key)
        if was is None or not _same_endpoint(was[1], endpoint):
            continue
        if endpoint.host_network:
            name = endpoint.node
            alike = name in same_nodes or not (name in nodes or name in gone or name in added)
        else:
            alike = endpoint.namespace in spaces
        if alike:
            here.append(at)
            there.append(was[0])
    for at, node in enumerate(new.nodes):
        if node.name in same_nodes:
            here.append(len(new.endpoints) + at)
            there.append(len(old.endpoints) + nodes[node.name][0])
    return np.array(here, dtype=np.int64), np.array(there, dtype=np.int64)


def _known(world: World, name: str) -> tuple[bool, dict[str, str] | None]:
    return name in world.namespaces, world.namespaces.get(name)


def _same_node(one: Node, other: Node) -> bool:
    return (one.labels, one.addresses) == (other.labels, other.addresses)


def _same_endpoint(one: Endpoint, other: Endpoint) -> bool:
    return one is other or (
        (one.labels == other.labels and one.ports == other.ports)
        and (one.addresses, one.node, one.host_network, one.namespace)
        == (other.addresses, other.node, other.host_network, other.namespace)
    )
