"""Atoms of the tree as Polars expressions over the columns of a batch, each with just the meaning
that `scalar.py` gives it.

What has no such expression (a pointer into `raw`, a rare function) gives None, and `detect.py` asks
the scalar reading, of distinct values or of the few rows where it still matters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import polars as pl

from martello.practices.monitor.engine.derived import Derived
from martello.practices.monitor.engine.expressions import rust
from martello.practices.monitor.engine.ir import At, Atom, Call, Column, Key, Term, Value
from martello.practices.monitor.engine.terms import lower

_SETS: Final = ("subset", "intersects")
_ORDER: Final = ("<", "<=", ">", ">=")
_FOLDED: Final = {
    "iequals": "=",
    "icontains": "contains",
    "istartswith": "startswith",
    "iendswith": "endswith",
    "iglob": "glob",
    "ilike": "like",
}
_LARGEST: Final = 1 << 63
_LISTS: Final = {"texts": "text", "ints": "int", "bools": "bool"}


class Vector:
    """A term over a batch: its expression and type (text, int, bool, or texts, ints, bools)."""

    __slots__ = ("expr", "type")

    def __init__(self, expr: pl.Expr, type_: str) -> None:
        self.expr = expr
        self.type = type_


class Compiler:
    """Makes expressions over columns of the given types; `derived` are the columns, made from
    others before, that they read.
    """

    def __init__(self, types: Mapping[str, str]) -> None:
        self.types = types
        self.derived = Derived()

    def atom(self, atom: Atom) -> pl.Expr | bool | None:
        """The atom's truth, null where it is null; a constant; None where it has no expression."""
        if not isinstance(atom.operand, tuple):
            return self._between(atom)
        op, operands = atom.op, atom.operand
        term = self.term(atom.term)
        folded = op in _FOLDED and term is not None and term.type in ("text", "texts")
        if folded:
            term = self.term(Call("lower", (atom.term,)))
        if term is None:
            return None
        if op == "exists":
            is_list = term.type in _LISTS
            return (
                (term.expr.list.len() > 0).fill_null(False) if is_list else term.expr.is_not_null()
            )
        if folded:
            op = _FOLDED[op]
            operands = tuple(lower(one) if isinstance(one, str) else one for one in operands)
        if term.type == "missing":
            return self._missing(atom)
        if term.type in _LISTS and (atom.over in ("any", "all") or op in _SETS):
            return self._list(atom, op, operands, term)
        if term.type in _LISTS or not operands:
            return self._false(atom, term)
        made = self._tests("in" if op in _SETS else op, operands, atom.over, term.expr, term.type)
        if made is None or isinstance(made, bool):
            return made if made is None else self._false(atom, term)
        return made if atom.null else made.fill_null(False)

    def _missing(self, atom: Atom) -> pl.Expr | bool:
        return pl.lit(None, pl.Boolean) if atom.null else False

    def _false(self, atom: Atom, term: Vector) -> pl.Expr | bool:
        """False where the term is there: no operand is of its type."""
        if not atom.null:
            return False
        there = term.expr.list.len() > 0 if term.type in _LISTS else term.expr.is_not_null()
        return pl.when(there).then(pl.lit(False))

    def _list(
        self, atom: Atom, op: str, operands: tuple[Value, ...], term: Vector
    ) -> pl.Expr | bool | None:
        every = op == "subset" or (op != "intersects" and atom.over == "all")
        kept = term.expr.list.drop_nulls() if op in _SETS else term.expr
        op = "in" if op in _SETS else op
        element = pl.element()
        made = self._tests(op, operands, "one", element, _LISTS[term.type]) if operands else False
        if made is None:
            return None
        if isinstance(made, bool):
            made = pl.when(element.is_not_null()).then(pl.lit(made))
        if every:
            truth = kept.list.eval(made.fill_null(True)).list.all()
        else:
            truth = kept.list.eval(made.fill_null(False)).list.any()
        if atom.over == "all" and atom.null and atom.op not in _SETS:
            return truth
        there = kept.list.len() > 0
        return pl.when(there).then(truth) if atom.null else (there & truth).fill_null(False)

    def _tests(
        self, op: str, operands: tuple[Value, ...], over: str, value: pl.Expr, type_: str
    ) -> pl.Expr | bool | None:
        """Whether a value stands in the relation to the operands as `over` says; null of null."""
        if op == "in" or (op == "=" and over in ("one", "any", "anyof") and len(operands) > 1):
            return _among(operands, value, type_)
        made = [_test(op, operand, value, type_) for operand in operands]
        if any(one is None for one in made) or (over == "oneof" and len(made) > 1):
            return None
        every = over == "allof"
        if (not every and any(one is True for one in made)) or all(one is True for one in made):
            return None  # true where it is there: rare enough
        if every and any(one is False for one in made):
            return False
        found = [one for one in made if isinstance(one, pl.Expr)]
        if not found:
            return False
        truth = found[0]
        for one in found[1:]:
            truth = truth & one if every else truth | one
        return truth

    def _between(self, atom: Atom) -> pl.Expr | bool | None:
        assert not isinstance(atom.operand, tuple)
        term, other = self.term(atom.term), self.term(atom.operand)
        if term is None or other is None:
            return None
        if atom.op == "exists":
            return None
        if "missing" in (term.type, other.type):
            return self._missing(atom)
        if term.type != other.type or term.type not in ("text", "int") or atom.over == "oneof":
            return None
        compare = _COMPARE.get(atom.op)
        if compare is None:
            return None
        made = compare(term.expr, other.expr)
        return made if atom.null else made.fill_null(False)

    def term(self, term: Term) -> Vector | None:
        """The term over a batch; None where it has no expression."""
        if isinstance(term, Column):
            return self._column(term.name)
        if isinstance(term, At):
            of = self.term(term.of)
            if of is None or of.type not in _LISTS:
                return None if of is None else _MISSING
            return Vector(of.expr.list.get(term.index, null_on_oob=True), _LISTS[of.type])
        if isinstance(term, Key):
            return self._key(term)
        if isinstance(term, Call):
            return self._call(term)
        return None

    def _column(self, name: str) -> Vector | None:
        type_ = self.types.get(name)
        if type_ is None:
            return _MISSING
        if type_ == "map":
            return None
        if type_ == "time":
            return Vector(pl.col(name).cast(pl.Int64), "int")
        return Vector(pl.col(name), type_)

    def _key(self, term: Key) -> Vector | None:
        if not isinstance(term.of, Column) or self.types.get(term.of.name) != "map":
            return None
        return Vector(pl.col(self.derived.key(term.of.name, term.key)), "text")

    def _call(self, term: Call) -> Vector | None:
        if term.name in ("lower", "upper"):
            return self._cased(term.name, term.of[0])
        if term.name not in ("length", "text", "first", "join", "concat", "words"):
            return None
        found = [self.term(one) for one in term.of]
        of = [one for one in found if one is not None]
        if len(of) != len(found) or not of:
            return None
        one = of[0]
        if term.name == "first":
            same = one.type not in _LISTS and all(v.type == one.type for v in of)
            return Vector(pl.coalesce([v.expr for v in of]), one.type) if same else None
        if term.name in ("join", "concat", "words"):
            by = {"join": str(term.extra[0]) if term.extra else "", "concat": "", "words": " "}
            return _joined(of, by[term.name], term.name == "words")
        if term.name == "length":
            return _length(one, isinstance(term.of[0], Column))
        if one.type in ("text", "texts", "missing"):
            return one
        return Vector(one.expr.cast(pl.String), "text") if one.type in ("int", "bool") else None

    def _cased(self, how: str, of: Term) -> Vector | None:
        """ASCII letters small or capital, made of whole columns."""
        if isinstance(of, At):
            inner = self._cased(how, of.of)
            if inner is None or inner.type not in _LISTS:
                return None
            return Vector(inner.expr.list.get(of.index, null_on_oob=True), _LISTS[inner.type])
        if isinstance(of, Key):
            if self._key(of) is None or not isinstance(of.of, Column):
                return None
            return Vector(
                pl.col(self.derived.cased(how, self.derived.key(of.of.name, of.key))), "text"
            )
        if isinstance(of, Call) and of.name in ("lower", "upper"):
            return self._cased(how, of.of[0])
        if not isinstance(of, Column):
            return None
        type_ = self.types.get(of.name)
        if type_ is None or type_ in ("int", "bool", "time"):
            return _MISSING
        if type_ not in ("text", "texts"):
            return None
        return Vector(pl.col(self.derived.cased(how, of.name)), type_)


_MISSING: Final = Vector(pl.lit(None, pl.String), "missing")


def _joined(of: Sequence[Vector], by: str, filled: bool) -> Vector | None:
    """Texts joined; missing where one is, or (`filled`: without those that are empty) all are."""
    if any(one.type != "text" for one in of):
        return None
    if not filled:
        return Vector(pl.concat_str([one.expr for one in of], separator=by), "text")
    parts = [pl.when(one.expr != "").then(one.expr) for one in of]
    whole = pl.concat_str(parts, separator=by, ignore_nulls=True)
    return Vector(pl.when(whole != "").then(whole), "text")


def _length(of: Vector, counted: bool) -> Vector | None:
    """`counted`: a list that is missing has no elements; else nothing is known of it."""
    if of.type == "text":
        return Vector(of.expr.str.len_chars().cast(pl.Int64), "int")
    if of.type in _LISTS:
        size = of.expr.list.len().cast(pl.Int64)
        return Vector(size.fill_null(0) if counted else size, "int")
    return None


_COMPARE: Final[Mapping[str, Callable[[pl.Expr, Any], pl.Expr]]] = {
    "=": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


def _among(operands: Sequence[Value], value: pl.Expr, type_: str) -> pl.Expr | bool | None:
    """Whether the value is one of the operands of its type."""
    found: list[Any]
    if type_ == "text":
        found = [one for one in operands if isinstance(one, str)]
    elif type_ == "bool":
        found = [one for one in operands if isinstance(one, bool)]
    else:
        found = [_whole(one) for one in operands if _number(one)]
        found = [one for one in found if one is not None]
    if not found or any(isinstance(one, str) and not _clean(one) for one in found):
        return False if not found else None
    return value == found[0] if len(found) == 1 else value.is_in(found)


def _test(op: str, operand: Value, value: pl.Expr, type_: str) -> pl.Expr | bool | None:
    """The relation of a value to one operand."""
    if type_ == "bool":
        if op not in ("=", "!="):
            return None
        return _COMPARE[op](value, operand) if isinstance(operand, bool) else False
    if type_ == "int":
        return _int_test(op, operand, value)
    if op in ("bcontains", "bstartswith"):
        try:
            operand = operand.decode() if isinstance(operand, bytes) else operand
        except UnicodeDecodeError:
            return None
        op = op[1:]
    if not isinstance(operand, str):
        return None if op in _PATTERNS else False
    if not _clean(operand):
        return None
    if op in _COMPARE:
        return _COMPARE[op](value, operand)
    if op == "contains":
        return value.str.contains(operand, literal=True)
    if op == "startswith":
        return value.str.starts_with(operand)
    if op == "endswith":
        return value.str.ends_with(operand)
    if op in _PATTERNS:
        pattern = rust(op, operand)
        return None if pattern is None else value.str.contains(pattern)
    return None


_PATTERNS: Final = ("matches", "fullmatch", "glob", "like", "cidr", "pmatch")


def _int_test(op: str, operand: Value, value: pl.Expr) -> pl.Expr | bool | None:
    if op in _PATTERNS:
        return None
    if op not in _COMPARE or not _number(operand):
        return False
    whole = _whole(operand)
    if whole is not None:
        return _COMPARE[op](value, whole)
    if not isinstance(operand, float) or not math.isfinite(operand) or abs(operand) >= _LARGEST:
        return None
    if op in _ORDER:  # a fraction: between two whole numbers
        return value <= math.floor(operand) if op[0] == "<" else value >= math.ceil(operand)
    return False if op == "=" else None


def _number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: Any) -> int | None:
    """The number as a 64-bit whole one, if it is one."""
    if isinstance(value, float):
        if not value.is_integer():
            return None
        value = int(value)
    return value if -_LARGEST <= value < _LARGEST else None


def _clean(text: str) -> bool:
    """Whether a text can stand in UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
