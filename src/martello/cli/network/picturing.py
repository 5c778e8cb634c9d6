"""What passes between everything, as the matrices and graphs that the reports draw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from martello.cli.network.opening import Opened
from martello.core.errors import BadInput
from martello.core.reach import ALL, NONE, Conn, Reachability
from martello.practices.network.compare.alike import Alike
from martello.practices.network.model import Address, Endpoint, Place
from martello.practices.network.outside import parts
from martello.report.network.model import DOUBT, OPEN, PART, SELF, SHUT, Cell, Edge, Focus, Matrix
from martello.report.network.model import Spot as Drawn
from martello.report.text import plural

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
    outside = Outside(opened)
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


class Outside:
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
    """The matrix of workloads; of some namespaces who reaches them, from wherever. Raises BadInput
    where these are too many for one picture.
    """
    names = _names(opened, namespaces)
    if len(names) > _MOST:
        what = f"{len(names):,} workloads are no picture"
        raise BadInput(what, f"the most is {_MOST:,}", "choose a namespace with -n NAME")
    at = {name: i for i, name in enumerate(names)}
    found: list[Row] = []
    beyond: set[str] = set()
    for row in rows(opened, namespaces):
        if row.destination in at and (row.reach.yes or row.reach.maybe):
            found.append(row)
        elif row.destination not in at and row.reach.yes:
            beyond.add(row.destination)
    others = sorted({r.source for r in found if r.source not in at and _verdict(r.reach) != SHUT})
    lines = (*names[:-1], *others, INTERNET)
    of = {name: i for i, name in enumerate(lines)}
    cells = {(of[name], at[INTERNET]): Cell(SELF) for name in others}
    cells.update({(of[name], at[name]): Cell(SELF) for name in names})
    for row in found:
        if row.source in of:
            verdict = SELF if row.source == row.destination else _verdict(row.reach)
            passes, unsure = bool(row.reach.yes), verdict == DOUBT
            cell = Cell(verdict, row.reach.yes, row.reach.maybe, int(passes), int(unsure))
            cells[of[row.source], at[row.destination]] = cell
    inside, total = len(names) - 1, len(_names(opened, ())) - 1
    told = [cell for cell in cells.values() if cell.verdict != SELF]
    return Matrix(
        _title("workload", namespaces),
        "workload",
        lines,
        names,
        cells,
        sum(cell.open for cell in told),
        sum(cell.doubtful for cell in told),
        inside * (total - 1) + 2 * inside,
        (*opened.notes, *_unshown(namespaces, len(beyond))),
    )


def by_namespace(opened: Opened, namespaces: Sequence[str] = ()) -> Matrix:
    """The matrix of namespaces, of some of them who reaches them: a cell counts the pairs of
    workloads of both.
    """
    lines = tuple(dict.fromkeys(map(_space, _names(opened, ()))))
    names = tuple(dict.fromkeys(map(_space, _names(opened, namespaces))))
    of, at = ({name: i for i, name in enumerate(each)} for each in (lines, names))
    sizes = Counter(map(_space, _names(opened, ())))
    sums: dict[tuple[int, int], list[tuple[Conn, Conn]]] = {}
    beyond: set[str] = set()
    for row in rows(opened, namespaces):
        source, target = _space(row.source), _space(row.destination)
        if target not in at:
            beyond.update((row.destination,) if row.reach.yes else ())
        elif row.source != row.destination and (row.reach.yes or row.reach.maybe):
            sums.setdefault((of[source], at[target]), []).append((row.reach.yes, row.reach.maybe))
    cells: dict[tuple[int, int], Cell] = {}
    pairs = 0
    for name, i in of.items():
        for target, j in at.items():
            size = sizes[name] * (sizes[target] - (name == target))
            if not size or (target == INTERNET and name not in at):
                cells[i, j] = Cell(SELF)
                continue
            pairs += size
            if (i, j) in sums:
                cells[i, j] = _summed(sums[i, j], size)
    return Matrix(
        _title("namespace", namespaces),
        "namespace",
        lines,
        names,
        cells,
        sum(cell.open for cell in cells.values()),
        sum(cell.doubtful for cell in cells.values()),
        pairs,
        (*opened.notes, *_unshown(namespaces, len(beyond))),
    )


def _unshown(namespaces: Sequence[str], count: int) -> Iterator[str]:
    """A note that a picture of some namespaces does not say all that these reach."""
    if count:
        many = f"{plural(count, 'workload')} of other namespaces"
        yield f"{', '.join(namespaces)} also reaches {many}: without -n they are shown"


def _summed(found: list[tuple[Conn, Conn]], pairs: int) -> Cell:
    yes, maybe = NONE, NONE
    for one, other in found:
        yes, maybe = yes | one, maybe | other
    is_open = sum(1 for one, _ in found if one)
    unsure = sum(1 for one, other in found if not one and other.ranges)
    if is_open == pairs and all(one == ALL for one, _ in found):
        verdict = OPEN
    else:
        verdict = PART if is_open else DOUBT if unsure else SHUT
    return Cell(verdict, yes, maybe - yes, is_open, unsure, pairs)


def _verdict(found: Reachability) -> str:
    if found.yes == ALL:
        return OPEN
    if found.yes:
        return PART
    return DOUBT if found.maybe.ranges else SHUT  # of ping rules with ports say nothing


def _names(opened: Opened, namespaces: Sequence[str]) -> tuple[str, ...]:
    """The workloads by name, in order, and the internet at the end. Raises BadInput for a namespace
    that is not here.
    """
    world = opened.reach.world
    for name in namespaces:
        if name not in world.namespaces:
            from martello.cli.errors import nearest

            known = sorted(world.namespaces)
            hint = f"there are {', '.join(known[:12])}" if known else "there is none"
            more = f" and {len(known) - 12} more" if len(known) > 12 else ""
            following = f"did you mean {nearest(name, known)}?" if known else ""
            raise BadInput(f"no namespace {name}", hint + more, following)
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
        if _verdict(row.reach) == SHUT:
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
