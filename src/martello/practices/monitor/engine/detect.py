"""Which rules are true of which events of a batch.

Rules are sliced by their anchors: those that no event of the batch can meet are left out, and so
are the events that no rule can meet. Of the rest every atom is evaluated once, as a Polars
expression; its result is a set of rows, held as the bits of a whole number, and rules combine these
sets. What has no expression is asked of distinct values, or of the rows where all else leaves the
verdict open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import lru_cache
from typing import Any, Final

import msgspec
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from martello.adapters.batch import events
from martello.core.event import COLUMNS
from martello.practices.monitor.engine.compile import Compiler
from martello.practices.monitor.engine.ir import And, Atom, Constant, Node, Not, atoms, columns
from martello.practices.monitor.engine.rule import Hit, Pack, Rule
from martello.practices.monitor.engine.scalar import anchor, judge

ANCHORS: Final = (
    "api_verb",
    "action",
    "k8s_resource",
    "k8s_subresource",
    "api_stage",
    "sys_call",
)
_MOST_VALUES: Final = 50_000  # whose verdicts an atom remembers
_MOST_PLACES: Final = 20_000
Bits = tuple[int, int]  # the rows where it is true, and those where it is false
_OPEN: Final[Bits] = (0, 0)  # this very tuple: nothing is known of any row


class Found(msgspec.Struct, frozen=True):
    """A rule that is true of a row of the batch, and which atoms of its tree were."""

    row: int
    rule: Rule
    true: tuple[int, ...]


def detect(pack: Pack, rows: pa.Table) -> list[Hit]:
    """The hits of a pack in a batch of one kind, by row and then in the order of the rules."""
    if not rows.num_rows:
        return []
    found = detector(pack.usable(rows["kind"][0].as_py()), rows["kind"][0].as_py()).find(rows)
    numbers = sorted({one.row for one in found})
    told = dict(zip(numbers, events(rows.take(numbers)), strict=True)) if numbers else {}
    return [Hit(one.rule.id, told[one.row], one.true) for one in found]


@lru_cache(maxsize=16)
def detector(rules: tuple[Rule, ...], kind: str) -> Detector:
    """The rules ready to be tried on batches of a kind; the same for the same rules."""
    return Detector(rules, kind)


class Detector:
    """Rules of one kind of events, compiled once."""

    def __init__(self, rules: Sequence[Rule], kind: str) -> None:
        self._compiler = Compiler(
            {name: one.type for name, one in COLUMNS.items() if kind in one.kinds}
        )
        self._numbers: dict[str, int] = {}
        self.asked: list[Asked] = []
        self._rules = tuple(self._compiled(rule) for rule in rules)
        self._places: dict[tuple[Any, ...], tuple[int, ...]] = {}

    def _compiled(self, rule: Rule) -> _Ready:
        needs = {
            name: values for name in ANCHORS if (values := anchor(rule.tree, name)) is not None
        }
        return _Ready(rule, tuple(map(self._number, atoms(rule.tree))), needs)

    def _number(self, atom: Atom) -> int:
        """The atom's number; equal atoms of all rules have one. What is written counts, for Python
        takes 1 and true for equal, and a rule does not.
        """
        number = self._numbers.setdefault(repr(atom), len(self.asked))
        if number == len(self.asked):
            self.asked.append(Asked(atom, self._compiler))
        return number

    def find(self, rows: pa.Table) -> list[Found]:
        """The rules that are true of each row, by row and then in their order."""
        chosen, numbers = self._sliced(rows)
        if not chosen:
            return []
        reads = {name for rule in chosen for name in rule.columns}
        reads.add("kind")  # a table without columns would have no rows
        kept = rows.select([name for name in rows.column_names if name in reads])
        batch = _Batch(kept if numbers is None else kept.take(numbers), self._compiler, numbers)
        wanted = sorted({number for rule in chosen for number in rule.atoms})
        bits = batch.evaluate([self.asked[number] for number in wanted])
        truth = dict(zip(wanted, bits, strict=True))
        found: list[tuple[int, int, tuple[int, ...]]] = []
        open_: dict[int, list[int]] = {}
        for place, rule in enumerate(chosen):
            true, candidates = self._combined(rule, truth, batch.all)
            for row in _rows(true):
                found.append((row, place, rule.true(truth, row)))
            for row in _rows(candidates):
                open_.setdefault(row, []).append(place)
        found += self._asked_singly(open_, chosen, truth, batch)
        found.sort(key=lambda one: one[:2])
        places = batch.places([row for row, _, _ in found])
        return [
            Found(at, chosen[place].rule, true)
            for at, (_, place, true) in zip(places, found, strict=True)
        ]

    def _combined(
        self, rule: _Ready, truth: Mapping[int, Bits], everything: int
    ) -> tuple[int, int]:
        """The rows of which a rule is true, and those of which only the scalar reading can tell;
        not both.
        """
        numbers = iter(rule.atoms)
        true, false = _combined(rule.rule.tree, lambda: truth[next(numbers)], everything)
        if any(truth[one] is _OPEN for one in rule.atoms):
            return 0, everything & ~false
        return true, 0

    def _asked_singly(
        self,
        rows: Mapping[int, Sequence[int]],
        chosen: Sequence[_Ready],
        truth: Mapping[int, Bits],
        batch: _Batch,
    ) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        """The hits among the rows that are left open, row by row."""
        numbers = sorted(rows)
        names = {name for places in rows.values() for at in places for name in chosen[at].columns}
        for row, event in zip(numbers, batch.events(numbers, names), strict=True):
            for place in rows[row]:
                rule = chosen[place]
                if judge(rule.rule.tree)(event):
                    yield row, place, rule.true(truth, row, self.asked, event)

    def _sliced(self, rows: pa.Table) -> tuple[list[_Ready], pa.Array | None]:
        """The rules that some row can meet and the rows that some rule can meet (None: all)."""
        names = [name for name in ANCHORS if name in rows.column_names]
        if not names or not rows.num_rows:
            return (list(self._rules) if rows.num_rows else []), None
        frame = pl.DataFrame(rows.select(names))
        code = frame.select(pl.struct(names).rank("dense").alias("code"))["code"]
        first = frame.with_columns(code).unique("code").sort("code")
        met: set[int] = set()
        useful: list[bool] = []
        for values in first.select(names).iter_rows():
            fit = self._fitting(dict(zip(names, values, strict=True)))
            useful.append(bool(fit))
            met.update(fit)
        chosen = [self._rules[place] for place in sorted(met)]
        if all(useful):
            return chosen, None
        mask = pl.Series(useful, dtype=pl.Boolean).gather(code - 1)
        return chosen, mask.arg_true().to_arrow()

    def _fitting(self, values: Mapping[str, Any]) -> tuple[int, ...]:
        key = tuple(values.values())
        known = self._places.get(key)
        if known is None:
            known = tuple(
                place
                for place, rule in enumerate(self._rules)
                if all(values.get(name) in among for name, among in rule.needs.items())
            )
            if len(self._places) >= _MOST_PLACES:
                self._places.clear()
            self._places[key] = known
        return known


class _Ready:
    """A rule, the numbers of its atoms in their order, and what its anchors must be."""

    def __init__(
        self, rule: Rule, numbers: tuple[int, ...], needs: Mapping[str, frozenset[str]]
    ) -> None:
        self.rule = rule
        self.atoms = numbers
        self.needs = needs
        self.columns = columns(rule.tree)

    def true(
        self,
        truth: Mapping[int, Bits],
        row: int,
        asked: Sequence[Asked] = (),
        event: Mapping[str, Any] | None = None,
    ) -> tuple[int, ...]:
        """Which of its atoms are true of a row; those left open are asked of its event."""
        return tuple(
            place
            for place, number in enumerate(self.atoms)
            if truth[number][0] >> row & 1
            or (event is not None and truth[number] is _OPEN and asked[number].judge(event))
        )


class Asked:
    """An atom and how it is evaluated: `made` is its expression or constant; without one, `single`
    names the only column that it reads, whose distinct values are asked.
    """

    def __init__(self, atom: Atom, compiler: Compiler) -> None:
        self.made = compiler.atom(atom)
        self.reads: frozenset[str] = frozenset()
        if isinstance(self.made, pl.Expr):
            self.reads = frozenset(self.made.meta.root_names()) - {""}
        self.judge = judge(atom)
        names = columns(atom)
        only = next(iter(names)) if len(names) == 1 else ""
        plain = only != "raw" and compiler.types.get(only) in ("text", "int")
        self.single = only if plain else ""
        self._known: dict[Any, bool | None] = {}

    @property
    def known(self) -> int:
        """How many values it was asked of, and remembers."""
        return len(self._known)

    def of(self, value: Any) -> bool | None:
        """The verdict where the only column has this value."""
        if value in self._known:
            return self._known[value]
        truth = self.judge({self.single: value})
        if len(self._known) >= _MOST_VALUES:
            self._known.clear()
        self._known[value] = truth
        return truth


class _Batch:
    """The rows that are looked at."""

    def __init__(self, rows: pa.Table, compiler: Compiler, numbers: pa.Array | None) -> None:
        self.rows = rows
        self._numbers = numbers
        self.all = (1 << rows.num_rows) - 1
        self._compiler = compiler

    def evaluate(self, wanted: Sequence[Asked]) -> list[Bits]:
        """The bits of each atom; open where only single rows can tell."""
        exprs: list[pl.Expr] = []
        reads: set[str] = set()
        for number, one in enumerate(wanted):
            if isinstance(one.made, pl.Expr):
                exprs.append(one.made.alias(str(number)))
                reads |= one.reads
        found: dict[str, pl.Series] = {}
        if exprs:
            derived = self._compiler.derived.add(self.rows, frozenset(reads))
            frame = pl.DataFrame(derived.select(sorted(reads)))
            try:
                made = frame.select(exprs) if reads else frame
                found = {one.name: one for one in made.get_columns()}
            except pl.exceptions.PolarsError:
                pass  # every row is asked singly: slow, and right
        return [self._bits(one, found.get(str(at))) for at, one in enumerate(wanted)]

    def _bits(self, asked: Asked, series: pl.Series | None) -> Bits:
        if isinstance(asked.made, bool):
            return (self.all, 0) if asked.made else (0, self.all)
        if series is not None:
            if len(series) != self.rows.num_rows:
                series = series.extend_constant(series[0], self.rows.num_rows - 1)
            return self._set(series.to_arrow())
        if asked.made is None and asked.single:
            return self._distinct(asked)
        return _OPEN

    def _set(self, truth: pa.BooleanArray) -> Bits:
        known, values = truth.buffers()
        bits = _whole(values, truth.offset) & self.all
        there = self.all if known is None else _whole(known, truth.offset) & self.all
        return bits & there, ~bits & there

    def _distinct(self, asked: Asked) -> Bits:
        """An atom over one column, asked of its distinct values."""
        column = self.rows[asked.single].combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks)
        coded = column.dictionary_encode()
        told = [asked.of(value) for value in coded.dictionary.to_pylist()]
        truth = pa.array(told, pa.bool_()).take(coded.indices)
        missing = asked.of(None)
        if missing is not None:
            absent = column.is_null()
            truth = pc.if_else(absent, pa.scalar(missing, pa.bool_()), truth)
        return self._set(truth)

    def events(self, numbers: Sequence[int], names: Set[str]) -> list[dict[str, Any]]:
        """These rows as scalar events of some columns."""
        if not numbers:
            return []
        there = [name for name in self.rows.column_names if name in names]
        if not there:
            return [{} for _ in numbers]
        return events(self.rows.select(there).take(pa.array(numbers, pa.int64())))

    def places(self, numbers: Sequence[int]) -> Sequence[int]:
        """The rows of the whole batch that rows looked at are."""
        if self._numbers is None or not numbers:
            return numbers
        told: list[int] = self._numbers.take(pa.array(numbers, pa.int64())).to_pylist()
        return told


def _whole(buffer: pa.Buffer, offset: int) -> int:
    return int.from_bytes(memoryview(buffer), "little") >> offset


def _combined(node: Node, following: Callable[[], Bits], everything: int) -> Bits:
    """The bits of a tree, from those of its atoms in their order."""
    if isinstance(node, Atom):
        return following()
    if isinstance(node, Constant):
        return (everything, 0) if node.value else (0, everything)
    if isinstance(node, Not):
        true, false = _combined(node.part, following, everything)
        return false, true
    parts = [_combined(part, following, everything) for part in node.parts]
    if isinstance(node, And):
        true, false = everything, 0
        for one, other in parts:
            true, false = true & one, false | other
    else:
        true, false = 0, everything
        for one, other in parts:
            true, false = true | one, false & other
    return true, false


def _rows(bits: int) -> Iterator[int]:
    """The numbers of the bits that are set."""
    at = 0
    while bits:
        word = bits & 0xFFFFFFFFFFFFFFFF
        while word:
            low = word & -word
            yield at + low.bit_length() - 1
            word ^= low
        bits >>= 64
        at += 64
