"""What passes between everything, as the matrices and graphs that the reports draw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from martello.cli.network.opening import Opened
from martello.core.errors import BadInput
from martello.core.reach import ALL, NONE, Conn, Reachability
from martello.practices.network.alike import Alike
from martello.practices.network.model import Address, Endpoint, Place
from martello.practices.network.outside import parts
from martello.report.network.model import DOUBT, OPEN, PART, SELF, SHUT, Cell, Edge, Focus, Matrix
from martello.report.network.model import Spot as Drawn

INTERNET: Final = "internet"
_WHOLE: Final = (Address(4, 0, (1 << 32) - 1), Address(6, 0, (1 << 128) - 1))
_MOST: Final = 3_000  # workloads of a matrix by workload


class Row(msgspec.Struct, frozen=True):
    """What passes from one workload to another, or from or to the internet."""

    source: str
    destination: str
    reach: Reachability


def rows(opened: Opened, namespaces: Sequence[str] = ()) -> Iterator[Row]:
    """Every pair of workloads that something passes between, surely or perhaps, with the internet
    as one more place; of some namespaces both ends where these are given.
    """
    kept = frozenset(namespaces)
    outside = _Outside(opened)
    for source, destination, found in opened.reach.matrix(by="workload"):
        if not kept or (_space(source) in kept or _space(destination) in kept):
            yield Row(source, destination, found)
    for name, places in representatives(opened).items():
        if not kept or _space(name) in kept:
            yield Row(INTERNET, name, outside.into(places))
            yield Row(name, INTERNET, outside.out(places))


def representatives(opened: Opened) -> dict[str, list[Endpoint]]:
    """The pods of each workload by its name, one for each set of labels and addresses that differ
    for the outside.
    """
    found: dict[str, dict[object, Endpoint]] = {}
    for endpoint in opened.reach.world.endpoints:
        labels = tuple(sorted(endpoint.labels.items()))
        found.setdefault(endpoint.name, {}).setdefault((labels, endpoint.ports), endpoint)
    return {name: list(members.values()) for name, members in found.items()}


class _Outside:
    """What passes between workloads and some public address, asked once for each kind of pods."""

    __slots__ = ("_alike", "_known", "_parts", "_reach")

    def __init__(self, opened: Opened) -> None:
        self._reach = opened.reach
        self._alike = Alike(opened.reach)
        self._parts = [part for whole in _WHOLE for part in parts(opened.reach, whole)]
        self._known: dict[tuple[int, bool], Reachability] = {}

    def into(self, places: Iterable[Place]) -> Reachability:
        """What some public address reaches of some places."""
        return _any(self._one(place, True) for place in places)

    def out(self, places: Iterable[Place]) -> Reachability:
        """What some places reach of some public address."""
        return _any(self._one(place, False) for place in places)

    def _one(self, place: Place, inwards: bool) -> Reachability:
        key = (self._alike.number(place), inwards)
        if key not in self._known:
            self._known[key] = _any(
                self._reach.verdict(part, place) if inwards else self._reach.verdict(place, part)
                for part in self._parts
            )
        return self._known[key]


def _any(found: Iterable[Reachability]) -> Reachability:
    yes, maybe = NONE, NONE
    because: dict[str, None] = {}
    for one in found:
        yes, maybe = yes | one.yes, maybe | one.maybe
        because.update(dict.fromkeys(one.because))
    return Reachability(yes, maybe - yes, tuple(because))


def by_workload(opened: Opened, namespaces: Sequence[str] = ()) -> Matrix:
    """The matrix of workloads. Raises BadInput where these are too many for one picture."""
    names = _names(opened, namespaces)
    if len(names) > _MOST:
        what = f"{len(names):,} workloads are no picture"
        raise BadInput(what, f"the most is {_MOST:,}", "choose a namespace with -n NAME")
    at = {name: i for i, name in enumerate(names)}
    cells: dict[tuple[int, int], Cell] = {}
    tally = [0, 0]
    for row in rows(opened, namespaces):
        key = at.get(row.source), at.get(row.destination)
        if key[0] is None or key[1] is None:
            continue
        verdict = _verdict(row.reach)
        if row.source == row.destination:
            verdict = SELF
        elif verdict == SHUT:
            continue
        tally[0] += bool(row.reach.yes)
        tally[1] += not row.reach.yes
        passes = bool(row.reach.yes)
        cell = Cell(verdict, row.reach.yes, row.reach.maybe, int(passes), int(not passes))
        cells[key[0], key[1]] = cell
    inside = len(names) - 1
    pairs = inside * (inside - 1) + 2 * inside
    own = sum(1 for cell in cells.values() if cell.verdict == SELF)
    return Matrix(
        _title("workload", namespaces),
        "workload",
        names,
        names,
        cells,
        tally[0] - own,
        tally[1],
        pairs,
        opened.notes,
    )


def by_namespace(opened: Opened, namespaces: Sequence[str] = ()) -> Matrix:
    """The matrix of namespaces: a cell counts the pairs of workloads of both."""
    names = tuple(dict.fromkeys(map(_space, _names(opened, namespaces))))
    at = {name: i for i, name in enumerate(names)}
    sizes = dict.fromkeys(names, 0)
    for name in _names(opened, ()):
        if _space(name) in sizes:
            sizes[_space(name)] += 1
    sums: dict[tuple[int, int], list[tuple[Conn, Conn]]] = {}
    for row in rows(opened, namespaces):
        ends = at.get(_space(row.source)), at.get(_space(row.destination))
        if ends[0] is None or ends[1] is None or row.source == row.destination:
            continue
        if row.reach.yes or row.reach.maybe:
            sums.setdefault((ends[0], ends[1]), []).append((row.reach.yes, row.reach.maybe))
    cells: dict[tuple[int, int], Cell] = {}
    for (i, j), found in sums.items():
        pairs = sizes[names[i]] * (sizes[names[j]] - (i == j))
        cells[i, j] = _summed(found, pairs)
    total = sum(sizes.values()) - 1
    cells[at[INTERNET], at[INTERNET]] = Cell(SELF)
    return Matrix(
        _title("namespace", namespaces),
        "namespace",
        names,
        names,
        cells,
        sum(cell.open for cell in cells.values()),
        sum(cell.doubtful for cell in cells.values()),
        total * (total + 1),
        opened.notes,
    )


def _summed(found: list[tuple[Conn, Conn]], pairs: int) -> Cell:
    yes, maybe = NONE, NONE
    for one, other in found:
        yes, maybe = yes | one, maybe | other
    is_open = sum(1 for one, _ in found if one)
    if is_open == pairs and all(one == ALL for one, _ in found):
        verdict = OPEN
    else:
        verdict = PART if is_open else DOUBT
    return Cell(verdict, yes, maybe - yes, is_open, len(found) - is_open, pairs)


def _verdict(found: Reachability) -> str:
    if found.yes == ALL:
        return OPEN
    if found.yes:
        return PART
    return DOUBT if found.maybe else SHUT


def _names(opened: Opened, namespaces: Sequence[str]) -> tuple[str, ...]:
    """The workloads by name, in order, and the internet at the end. Raises BadInput for a namespace
    that is not here.
    """
    world = opened.reach.world
    for name in namespaces:
        if name not in world.namespaces:
            from martello.cli.errors import nearest

            known = sorted(world.namespaces)
            hint = f"the nearest is '{nearest(name, known)}'" if known else "there is none"
            raise BadInput(f"no namespace {name}", hint, "kubectl get namespaces")
    kept = frozenset(namespaces)
    found = {e.name for e in world.endpoints if not kept or e.namespace in kept}
    return (*sorted(found), INTERNET)


def _title(by: str, namespaces: Sequence[str]) -> str:
    of = f" of {', '.join(namespaces)}" if namespaces else ""
    return f"Who reaches whom, by {by}{of}"


def _space(name: str) -> str:
    return name.partition("/")[0]


def focus(opened: Opened, name: str) -> Focus:
    """One workload with who reaches it and what it reaches."""
    spots = [Drawn(name, _space(name))]
    edges: list[Edge] = []
    for row in rows(opened):
        if name not in (row.source, row.destination) or row.source == row.destination:
            continue
        if not (row.reach.yes or row.reach.maybe):
            continue
        other = row.source if row.destination == name else row.destination
        layer = -1 if row.destination == name else 1
        sure = bool(row.reach.yes)
        note = str(row.reach.yes) if sure else f"perhaps {row.reach.maybe}"
        outside = other == INTERNET
        group, kind = ("outside", "outside") if outside else (_space(other), "workload")
        spots.append(Drawn(other, group, layer, note, kind, sure))
        ends = (len(spots) - 1, 0) if layer < 0 else (0, len(spots) - 1)
        edges.append(Edge(*ends, sure))
    return Focus(f"What {name} reaches, and who reaches it", tuple(spots), tuple(edges))
