"""The tree as a condition of DuckDB's SQL over the columns of events: for hunts with a rule, and as
a third reading beside `scalar.py` and `compile.py`.

SQL has Kleene's logic. An atom that it cannot say is NULL in the condition; the rows of which that
is not false are then a superset of those that the rule is true of.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from martello.core.event import COLUMNS
from martello.practices.monitor.engine.expressions import written
from martello.practices.monitor.engine.ir import (
    And,
    At,
    Atom,
    Call,
    Column,
    Constant,
    Key,
    Node,
    Not,
    Term,
    Value,
)
from martello.practices.monitor.engine.terms import lower

_LISTS: Final = {"texts": "text", "ints": "int", "bools": "bool"}
_COMPARE: Final = ("=", "!=", "<", "<=", ">", ">=")
_PATTERNS: Final = ("matches", "fullmatch", "glob", "like")
_UPPER: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FUNCTION: Final = {"contains": "contains", "startswith": "starts_with", "endswith": "ends_with"}
_FOLDED: Final = {"iequals": "=", "iglob": "glob", "ilike": "like"} | {
    f"i{name}": name for name in _FUNCTION
}
_LARGEST: Final = 1 << 63
_MISSING: Final = ("NULL::VARCHAR", "missing")
Typed = tuple[str, str]  # SQL and its type: text, int, bool; texts, ints, bools; missing


class Condition(msgspec.Struct, frozen=True):
    """A condition: with `exact` true of just the rows that the tree is true of, else of these and
    others.
    """

    sql: str
    exact: bool


def condition(node: Node, kind: str) -> Condition:
    """The condition over a table that has the columns of a kind."""
    said = _Said({name: one.type for name, one in COLUMNS.items() if kind in one.kinds})
    told = said.node(node)
    exact = not said.silent
    return Condition(f"({told}) IS TRUE" if exact else f"({told}) IS NOT FALSE", exact)


def literal(text: str) -> str:
    """A text as SQL writes it."""
    parts = ["'" + part.replace("'", "''") + "'" for part in text.split("\0")]
    return parts[0] if len(parts) == 1 else f"({' || chr(0) || '.join(parts)})"


class _Said:
    """Writes one condition; `silent` counts the atoms that it could not say."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self._types = types
        self.silent = 0

    def node(self, node: Node) -> str:
        if isinstance(node, Atom):
            told = self._atom(node)
            if told is None:
                self.silent += 1
            return told or "NULL::BOOLEAN"
        if isinstance(node, Constant):
            return "TRUE" if node.value else "FALSE"
        if isinstance(node, Not):
            return f"(NOT {self.node(node.part)})"
        both = isinstance(node, And)
        parts = [self.node(part) for part in node.parts]
        return f"({(' AND ' if both else ' OR ').join(parts)})" if parts else str(both).upper()

    def _atom(self, atom: Atom) -> str | None:
        term = self._term(atom.term)
        if term is None or not isinstance(atom.operand, tuple):
            return None if term is None else self._between(atom, term)
        sql, type_ = term
        there = f"coalesce(len({sql}), 0) > 0" if type_ in _LISTS else f"{sql} IS NOT NULL"
        if atom.op == "exists":
            return f"({there})"
        op, operands = atom.op, atom.operand
        sets = op in ("subset", "intersects")
        if type_ == "missing":
            return "NULL::BOOLEAN" if atom.null else "FALSE"
        if op in _FOLDED and type_ in ("text", "texts"):
            sql = _each(sql, type_, _lowered)
            op = _FOLDED[op]
            operands = tuple(lower(one) if isinstance(one, str) else one for one in operands)
        op = "in" if sets else op
        if type_ not in _LISTS:
            test = _tests(op, operands, atom.over, sql, type_)
        elif sets or atom.over in ("any", "all"):
            return self._list(atom, op, operands, (sql, type_), there)
        else:
            test = "FALSE"
        if test is None:
            return None
        return f"(CASE WHEN {there} THEN {test} ELSE {'NULL' if atom.null else 'FALSE'} END)"

    def _list(
        self, atom: Atom, op: str, operands: tuple[Value, ...], term: Typed, there: str
    ) -> str | None:
        sql, type_ = term
        sets = atom.op in ("subset", "intersects")
        every = atom.op == "subset" or (atom.op != "intersects" and atom.over == "all")
        test = _tests(op, operands, "one", "v", _LISTS[type_])
        if test is None:
            return None
        if every:
            truth = f"len(list_filter({sql}, lambda v: v IS NOT NULL AND NOT ({test}))) = 0"
        else:
            truth = f"len(list_filter({sql}, lambda v: v IS NOT NULL AND ({test}))) > 0"
        if sets:
            there = f"coalesce(list_count({sql}), 0) > 0"
        elif every and atom.null:
            there = f"{sql} IS NOT NULL"
        return f"(CASE WHEN {there} THEN {truth} ELSE {'NULL' if atom.null else 'FALSE'} END)"

    def _between(self, atom: Atom, term: Typed) -> str | None:
        assert not isinstance(atom.operand, tuple)
        other = self._term(atom.operand)
        if other is None or atom.op not in _COMPARE or atom.over == "oneof":
            return None
        missing = "NULL" if atom.null else "FALSE"
        if "missing" in (term[1], other[1]):
            return f"{missing}::BOOLEAN"
        if term[1] != other[1] or term[1] not in ("text", "int"):
            return None
        return f"coalesce({term[0]} {atom.op} {other[0]}, {missing})"

    def _term(self, term: Term) -> Typed | None:
        if isinstance(term, Column):
            type_ = self._types.get(term.name)
            if type_ is None:
                return _MISSING
            if type_ == "map":
                return None
            return (f"epoch_ns({term.name})", "int") if type_ == "time" else (term.name, type_)
        if isinstance(term, At):
            of = self._term(term.of)
            if of is None or of[1] not in _LISTS:
                return of and _MISSING
            place = term.index + 1 if term.index >= 0 else term.index
            return f"({of[0]})[{place}]", _LISTS[of[1]]
        if isinstance(term, Key):
            column = term.of.name if isinstance(term.of, Column) else ""
            return (
                (f"{column}[{literal(term.key)}]", "text")
                if self._types.get(column) == "map"
                else None
            )
        return self._call(term) if isinstance(term, Call) else None

    def _call(self, term: Call) -> Typed | None:
        found = [self._term(one) for one in term.of]
        of = [one for one in found if one is not None]
        if len(of) != len(found) or not of:
            return None
        sql, type_ = of[0]
        name = term.name
        if name in ("lower", "upper", "text") and type_ in ("text", "texts", "missing"):
            change = {"lower": _lowered, "upper": _raised}.get(name)
            return of[0] if change is None else (_each(sql, type_, change), type_)
        if name == "text" and type_ in ("int", "bool"):
            return f"CAST({sql} AS VARCHAR)", "text"
        if name == "length" and type_ == "text":
            return f"length({sql})", "int"
        if name == "length" and type_ in _LISTS and isinstance(term.of[0], Column):
            return f"coalesce(len({sql}), 0)", "int"
        if name == "basename" and type_ == "text":
            return f"split_part({sql}, '/', -1)", "text"
        if name == "first" and all(one[1] == type_ and type_ not in _LISTS for one in of):
            return f"coalesce({', '.join(one[0] for one in of)})", type_
        texts = all(one[1] == "text" for one in of)
        if name in ("concat", "join") and texts:
            by = f" || {literal(str(term.extra[0]))} || " if name == "join" else " || "
            return f"({by.join(one[0] for one in of)})", "text"
        if name == "words" and texts:
            parts = ", ".join(f"nullif({one[0]}, '')" for one in of)
            return f"nullif(concat_ws(' ', {parts}), '')", "text"
        return None


def _lowered(sql: str) -> str:
    return f"translate({sql}, '{_UPPER}', '{_UPPER.lower()}')"


def _raised(sql: str) -> str:
    return f"translate({sql}, '{_UPPER.lower()}', '{_UPPER}')"


def _each(sql: str, type_: str, change: Any) -> str:
    if type_ != "texts":
        return str(change(sql))
    return f"list_transform({sql}, lambda t: {change('t')})"


def _tests(op: str, operands: Sequence[Value], over: str, sql: str, type_: str) -> str | None:
    """Whether a value that is there stands in the relation to the operands as `over` says."""
    if not operands:
        return "FALSE"
    if op == "in" or (op == "=" and over in ("one", "any", "anyof") and len(operands) > 1):
        over, op = "one", "="
    made = [_test(op, operand, sql, type_) for operand in operands]
    told = [one for one in made if one is not None]
    if len(told) != len(made):
        return None
    if over == "oneof" and len(told) > 1:
        return f"({' + '.join(f'({one})::INT' for one in told)} = 1)"
    return f"({(' AND ' if over == 'allof' else ' OR ').join(told)})"


def _test(op: str, operand: Value, sql: str, type_: str) -> str | None:
    if type_ == "bool":
        if op not in ("=", "!="):
            return None
        return f"{sql} {op} {str(operand).upper()}" if isinstance(operand, bool) else "FALSE"
    if type_ == "int":
        return _number(op, operand, sql)
    if op in ("bcontains", "bstartswith"):
        try:
            operand = operand.decode() if isinstance(operand, bytes) else operand
        except UnicodeDecodeError:
            return None
        op = op[1:]
    if op in _PATTERNS:
        return _pattern(op, str(operand), sql)
    if op not in _COMPARE and op not in _FUNCTION:
        return None
    if not isinstance(operand, str):
        return "FALSE"
    try:
        operand.encode()
    except UnicodeEncodeError:
        return None
    told = literal(operand)
    return f"{sql} {op} {told}" if op in _COMPARE else f"{_FUNCTION[op]}({sql}, {told})"


def _pattern(op: str, pattern: str, sql: str) -> str | None:
    made = written(op, pattern, "re2")
    return None if made is None else f"regexp_matches({sql}, {literal(made)})"


def _number(op: str, operand: Value, sql: str) -> str | None:
    if op not in _COMPARE or not isinstance(operand, int | float) or isinstance(operand, bool):
        return "FALSE" if op in _COMPARE or op in _FUNCTION or op in _FOLDED else None
    if isinstance(operand, float):
        if not math.isfinite(operand):
            return None
        if operand.is_integer():
            operand = int(operand)
        elif op in ("=", "!="):
            return "FALSE" if op == "=" else "TRUE"
        else:
            operand = math.floor(operand) if op[0] == "<" else math.ceil(operand)
            op = op[0] + "="
    if -_LARGEST <= operand < _LARGEST:
        return f"{sql} {op} {operand}"
    below = operand < 0  # so is every value of 64 bits above it
    return str(op == "!=" or (op[0] == ">" if below else op[0] == "<")).upper()
