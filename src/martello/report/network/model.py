"""What the network reports show: plain words and numbers, made by the command line."""

from __future__ import annotations

from typing import Final

import msgspec

from martello.core.reach import NONE, Conn
from martello.report.model import Screen

# Verdicts of a cell: what passes between two places, or between the members of two groups.
OPEN: Final = "open"  # every pair, every port
PART: Final = "part"  # some pairs, or some ports
SHUT: Final = "shut"
DOUBT: Final = "doubt"  # nothing surely, something perhaps
SELF: Final = "self"  # one place and itself, or not asked for: nothing to tell
GLYPHS: Final = {OPEN: "■", PART: "◪", SHUT: "·", DOUBT: "?", SELF: " "}
WORDS: Final = {
    OPEN: "everything passes",
    PART: "some of it passes",
    SHUT: "nothing passes",
    DOUBT: "not known",
}


class Line(msgspec.Struct, frozen=True):
    """One line of an answer: the direction (out, in, fix, also), a place, and what is so there."""

    mark: str
    place: str
    verdict: str
    why: str
    where: str = ""  # file:line
    policy: str = ""


class Answer(msgspec.Struct, frozen=True):
    """The answer to one question: yes, no or unknown, in a sentence, and why."""

    verdict: str
    sentence: str
    source: str
    destination: str
    protocol: str
    port: int
    lines: tuple[Line, ...] = ()
    passes: Conn = NONE
    perhaps: Conn = NONE
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()  # what could not be read: then the answer may be another one
    exit: int = 0


class Cell(msgspec.Struct, frozen=True):
    """What passes from one row to one column. `open` of `pairs` pairs let something through."""

    verdict: str
    passes: Conn = NONE
    perhaps: Conn = NONE
    open: int = 0
    doubtful: int = 0
    pairs: int = 1


class Matrix(msgspec.Struct, frozen=True):
    """Who reaches whom. `cells` maps (row, column) to what is not shut; what is missing is shut."""

    title: str
    by: str  # namespace or workload
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: dict[tuple[int, int], Cell]
    open: int = 0
    doubtful: int = 0
    pairs: int = 0
    notes: tuple[str, ...] = ()
    screen: Screen = Screen()

    def verdict(self, row: int, column: int) -> str:
        """The verdict of one cell."""
        cell = self.cells.get((row, column))
        return SHUT if cell is None else cell.verdict


class Spot(msgspec.Struct, frozen=True):
    """One place of a focus graph. Those that reach the focus stand in layer -1, the focus in 0,
    what it reaches in 1, what these reach in 2, and so on.
    """

    name: str
    group: str  # its namespace, or what it is
    layer: int = 0
    note: str = ""  # what passes there
    kind: str = "workload"  # workload, outside, more
    certain: bool = True


class Edge(msgspec.Struct, frozen=True):
    """What passes between two places of a focus graph, by their index."""

    source: int
    destination: int
    certain: bool = True


class Focus(msgspec.Struct, frozen=True):
    """One workload, or a few, with everything that they reach and are reached by."""

    title: str
    spots: tuple[Spot, ...]
    edges: tuple[Edge, ...]
    notes: tuple[str, ...] = ()
