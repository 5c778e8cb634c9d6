"""The universe of a cluster: its endpoints in classes, and the columns of all places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.practices.network.addresses import parse_range
from martello.practices.network.engine.asked import Asked
from martello.practices.network.engine.columns import (
    ADDRESS,
    ALIKE,
    HIDDEN,
    KNOWN,
    NODE,
    POD,
    Column,
    Columns,
    Numbers,
    joined,
)
from martello.practices.network.engine.names import Names, shape_of
from martello.practices.network.engine.selectors import UNKNOWN, LabelClasses, Vocabulary, factor
from martello.practices.network.model import Endpoint, Node, Profile, World

FAMILY: Final = {4: 1, 6: 2}  # families as bits
BOTH: Final = 3
_SIGNS: Final = 8  # signature of an address: atom * 8 + 1 or 2 by family; 0: no block speaks of it
_UNSEEN: Final = 4  # signature of an unknown one: 4 + how it is hidden


class Universe(msgspec.Struct, frozen=True, eq=False):
    """The classes of one state. `base` is the class of an endpoint as a subject, -1 where it is
    none: on the network of its node, or left alone by the plugin. The columns of places are those
    of endpoints, then of nodes.
    """

    names: Names
    pods: LabelClasses
    spaces: LabelClasses
    nodes: LabelClasses
    space_of: Mapping[str, int]
    base: Numbers
    base_space: Numbers
    base_label: Numbers
    base_shape: Numbers
    column: Mapping[int, Numbers]  # version → column of each place
    families: NDArray[np.uint8]
    labels: Mapping[str, Numbers]  # of endpoints that are subjects, by key
    signs: Mapping[int, Numbers]
    takes_pods: bool
    columns: Columns
    address: Mapping[int, int]  # version → the column of its atom 0; the others follow


def universe(
    world: World, asked: Asked, names: Names, profile: Profile, before: Universe | None = None
) -> Universe:
    """The classes of a world that all that is asked tells apart; `before` is what was known of the
    same world.
    """
    spaces, space_of = _spaces(world, asked, names)
    host = np.array([e.host_network for e in world.endpoints], dtype=bool)
    subjects = [e for e in world.endpoints if not e.host_network]
    labels = _labels(names.pods, subjects, before)
    pods, label = _label_classes(names.pods, labels, len(subjects))
    space = np.array([space_of[e.namespace] for e in subjects], dtype=np.int64)
    shape = _shapes(names, asked, subjects)
    base = factor((space, label, shape)) if subjects else np.zeros(0, dtype=np.int64)
    first = np.unique(base, return_index=True)[1]
    ranges = _ranges(profile)
    signs = {
        v: before.signs[v]
        if before is not None and before.names.lines[v] is names.lines[v] and before.takes_pods
        else _signs(subjects, v, asked, names, ranges)
        for v in FAMILY
    }
    columns, column4, column6 = _pod_columns(base, space, label, shape, list(signs.values()))
    placed = {4: _spread(host, column4), 6: _spread(host, column6)}
    nodes, more, placed = _nodes(world, names, host, columns.count, placed)
    address = {4: columns.count + len(more)}
    address[6] = address[4] + names.lines[4].count
    for version, line in names.lines.items():
        more += [Column(ADDRESS, 0, version, (atom,)) for atom in range(line.count)]
    return Universe(
        names,
        pods,
        spaces,
        nodes,
        space_of,
        _subjects(world, profile, _spread(host, base)),
        space[first],
        label[first],
        shape[first],
        placed,
        before.families if before is not None else _all_families(world, ranges),
        labels,
        signs,
        asked.takes_pods,
        joined(columns, more),
        address,
    )


def _spaces(world: World, asked: Asked, names: Names) -> tuple[LabelClasses, dict[str, int]]:
    found: dict[tuple[str, tuple[int, ...]], int] = {}
    space_of: dict[str, int] = {}
    every: dict[str, None] = dict.fromkeys(world.namespaces)
    every.update(dict.fromkeys(e.namespace for e in world.endpoints))
    for name in every:
        numbers = names.spaces.of_namespace(name, world.namespaces.get(name))
        key = (name if name in asked.named else "", numbers)
        space_of[name] = found.setdefault(key, len(found))
    rows = [numbers for _, numbers in found]
    return _classes(names.spaces, rows), space_of


def _classes(vocabulary: Vocabulary, rows: Sequence[tuple[int, ...]]) -> LabelClasses:
    table = np.array(rows, dtype=np.int64).reshape(len(rows), len(vocabulary.keys))
    columns = {key: table[:, at] for at, key in enumerate(vocabulary.keys)}
    return LabelClasses(vocabulary, columns, len(rows))


def _labels(
    vocabulary: Vocabulary, subjects: Sequence[Endpoint], before: Universe | None
) -> dict[str, Numbers]:
    labels = [e.labels for e in subjects]
    found = {}
    for key, values in vocabulary.keys.items():
        if before is not None and before.names.pods.keys.get(key) == values:
            found[key] = before.labels[key]
        else:
            found[key] = vocabulary.column(key, labels)
    return found


def _label_classes(
    vocabulary: Vocabulary, columns: Mapping[str, Numbers], count: int
) -> tuple[LabelClasses, Numbers]:
    label = factor((np.zeros(count, dtype=np.int64), *columns.values()))
    first = np.unique(label, return_index=True)[1]
    kept = {key: numbers[first] for key, numbers in columns.items()}
    return LabelClasses(vocabulary, kept, len(first)), label


def _shapes(names: Names, asked: Asked, subjects: Sequence[Endpoint]) -> Numbers:
    wanted = {one.name for one in asked.names}
    if not wanted:
        return np.zeros(len(subjects), dtype=np.int64)
    known: dict[object, int] = {}
    found = []
    for endpoint in subjects:
        number = known.get(endpoint.ports)
        if number is None:
            shape = shape_of(endpoint.ports, wanted)
            number = known[endpoint.ports] = names.shapes.setdefault(shape, len(names.shapes))
        found.append(number)
    return np.array(found, dtype=np.int64)


def _ranges(profile: Profile) -> frozenset[int]:
    """The families of which the profile knows the ranges of pods."""
    parsed = [parse_range(text) for text in profile.pod_ranges]
    return frozenset(one[0] for one in parsed if one is not None)


def _all_families(world: World, ranges: frozenset[int]) -> NDArray[np.uint8]:
    found = [_families(place, ranges) for place in world.endpoints]
    found += [_families(place, ranges) for place in world.nodes]
    return np.array(found, dtype=np.uint8)


def _families(place: Endpoint | Node, ranges: frozenset[int]) -> int:
    versions: Iterable[int] = {version for version, _ in place.addresses}
    if not versions and isinstance(place, Endpoint) and not place.host_network:
        versions = ranges
    return sum(FAMILY[version] for version in versions) or BOTH


def _signs(
    subjects: Sequence[Endpoint], version: int, asked: Asked, names: Names, ranges: frozenset[int]
) -> Numbers:
    """What blocks may tell of the addresses of endpoints in one family."""
    line = names.lines[version]
    if not asked.takes_pods:
        return np.zeros(len(subjects), dtype=np.int64)
    unseen = _UNSEEN + (HIDDEN[version] if ranges else ALIKE)
    found = []
    for endpoint in subjects:
        address = next((a for v, a in endpoint.addresses if v == version), None)
        if address is not None:
            atom = line.at(address)
            found.append(atom * _SIGNS + FAMILY[version] if atom else 0)
        else:
            found.append(0 if endpoint.addresses else unseen)
    return np.array(found, dtype=np.int64)


def _pod_columns(
    base: Numbers, space: Numbers, label: Numbers, shape: Numbers, signs: Sequence[Numbers]
) -> tuple[Columns, Numbers, Numbers]:
    widest = max((int(s.max()) for s in signs if len(s)), default=0) + 1
    codes = np.concatenate([base * widest + sign for sign in signs])
    _, first, column = np.unique(codes, return_index=True, return_inverse=True)
    sign = np.concatenate(signs)[first]
    first = first % max(len(base), 1)
    small = sign < _SIGNS
    columns = Columns(
        np.full(len(first), POD),
        space[first],
        label[first],
        shape[first],
        np.where(small, 0, np.where(sign % _SIGNS == FAMILY[4], 4, 6)),
        np.where(small, -1, sign // _SIGNS),
        np.where(small & (sign > 0), sign - _UNSEEN, KNOWN),
        {},
    )
    return columns, column[: len(base)], column[len(base) :]


def _subjects(world: World, profile: Profile, base: Numbers) -> Numbers:
    """The classes without pods that nothing owns, where the plugin applies no policies to them."""
    if not profile.needs_owner:
        return base
    alone = np.array([e.kind == "Pod" for e in world.endpoints], dtype=bool)
    return np.where(alone, -1, base)


def _spread(host: NDArray[np.bool_], numbers: Numbers) -> Numbers:
    """Numbers of the endpoints that are subjects, over all endpoints; -1 for the others."""
    found = np.full(len(host), -1, dtype=np.int64)
    found[~host] = numbers
    return found


def _nodes(
    world: World, names: Names, host: NDArray[np.bool_], first: int, pods: dict[int, Numbers]
) -> tuple[LabelClasses, list[Column], dict[int, Numbers]]:
    """Classes and columns of nodes; with the columns of endpoints on the network of their node."""
    keys = tuple(names.nodes.keys)
    unknown = tuple(UNKNOWN for _ in keys)
    labels: dict[tuple[int, ...], int] = {unknown: 0}
    found: dict[Column, int] = {}

    def column(place: Endpoint | Node, numbers: tuple[int, ...], version: int) -> int:
        label = labels.setdefault(numbers, len(labels))
        line = names.lines[version]
        atoms = tuple(sorted({line.at(a) for v, a in place.addresses if v == version}))
        if not place.addresses:
            one = Column(NODE, label, hidden=ALIKE)
        elif atoms in ((), (0,)):
            one = Column(NODE, label)
        else:
            one = Column(NODE, label, version, atoms)
        return first + found.setdefault(one, len(found))

    of_node = {
        node.name: (node, tuple(names.nodes.number(key, node.labels) for key in keys))
        for node in world.nodes
    }
    placed = {}
    for version, held in pods.items():
        columns = held.copy()
        for at in np.flatnonzero(host).tolist():
            endpoint = world.endpoints[at]
            place, numbers = of_node.get(endpoint.node, (endpoint, unknown))
            if endpoint.node and isinstance(place, Node) and not place.addresses:
                columns[at] = column(endpoint, numbers, version)
            else:
                columns[at] = column(place, numbers, version)
        ends = [column(n, of_node[n.name][1], version) for n in world.nodes]
        placed[version] = np.concatenate([columns, np.array(ends, dtype=np.int64)])
    return _classes(names.nodes, list(labels)), list(found), placed
