"""Whether a tree is true of one event, and why: the tree becomes Python functions once.

This is the reading that `compile.py` must equal over columns; it serves explanations, tests and
small batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from martello.practices.monitor.engine.compare import Bad, Test, among, pair_of, test
from martello.practices.monitor.engine.ir import (
    And,
    Atom,
    Column,
    Constant,
    Node,
    Not,
    Or,
    Term,
    atoms,
)
from martello.practices.monitor.engine.rule import Hit, Rule
from martello.practices.monitor.engine.terms import Event, Get, getter

Truth: TypeAlias = bool | None
Judge: TypeAlias = Callable[[Event], Truth]

MOST_DEPTH: Final = 200  # of a tree; a deeper one is refused
_KEPT: Final = 4096
_judges: dict[int, tuple[Node, Judge]] = {}


class TooDeep(ValueError):
    """A tree that is nested deeper than any engine follows."""


class Told(msgspec.Struct, frozen=True):
    """One atom of a tree and what it was of an event: its truth, and the values of both sides."""

    atom: Atom
    truth: Truth
    value: Any = None
    operand: Any = None


def holds(node: Node, event: Event) -> Truth:
    """Whether the tree is true of the event; None where that hangs on something missing."""
    return judge(node)(event)


def judge(node: Node) -> Judge:
    """The function that decides a tree. Raises Bad (an operand), TooDeep."""
    kept = _judges.get(id(node))
    if kept is not None and kept[0] is node:
        return kept[1]
    made = _node(node, 0)
    if len(_judges) >= _KEPT:
        _judges.clear()
    _judges[id(node)] = (node, made)
    return made


def explain(node: Node, event: Event) -> tuple[Told, ...]:
    """Every atom of the tree, in its order: what it was, and of which values."""
    told = []
    for atom in atoms(node):
        operand = None if isinstance(atom.operand, tuple) else getter(atom.operand)(event)
        told.append(Told(atom, _atom(atom)(event), getter(atom.term)(event), operand))
    return tuple(told)


def _node(node: Node, depth: int) -> Judge:
    if depth > MOST_DEPTH:
        raise TooDeep(f"a condition nested deeper than {MOST_DEPTH}")
    if isinstance(node, Atom):
        return _atom(node)
    if isinstance(node, Constant):
        value = node.value
        return lambda event: value
    if isinstance(node, Not):
        return _opposite(_node(node.part, depth + 1))
    parts = tuple(_node(part, depth + 1) for part in node.parts)
    return _conjunction(parts) if isinstance(node, And) else _disjunction(parts)


def _opposite(part: Judge) -> Judge:
    def opposite(event: Event) -> Truth:
        truth = part(event)
        return None if truth is None else not truth

    return opposite


def _conjunction(parts: Sequence[Judge]) -> Judge:
    def conjunction(event: Event) -> Truth:
        unknown = False
        for part in parts:
            truth = part(event)
            if truth is False:
                return False
            if truth is None:
                unknown = True
        return None if unknown else True

    return conjunction


def _disjunction(parts: Sequence[Judge]) -> Judge:
    def disjunction(event: Event) -> Truth:
        unknown = False
        for part in parts:
            truth = part(event)
            if truth:
                return True
            if truth is None:
                unknown = True
        return None if unknown else False

    return disjunction


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, list | tuple) and not value)


def _atom(atom: Atom) -> Judge:
    get, missed = getter(atom.term), None if atom.null else False
    if atom.op == "exists":
        return lambda event: not _missing(get(event))
    if not isinstance(atom.operand, tuple):
        return _between(atom, get, getter(atom.operand), missed)
    if atom.op in ("subset", "intersects"):
        return _sets(atom, get, missed)
    if atom.over in ("any", "all"):
        return _elements(atom, get, missed)
    decide = _constants(atom)

    def judged(event: Event) -> Truth:
        value = get(event)
        return decide(value) if value is not None and value != [] else missed

    return judged


def _constants(atom: Atom) -> Test:
    """The test of one value against constants."""
    op, operands = atom.op, atom.operand
    assert isinstance(operands, tuple)
    if op in ("in", "pmatch") or (op == "cidr" and atom.over == "one"):
        return among(op, operands)
    if op == "=" and atom.over in ("one", "any", "anyof") and len(operands) > 1:
        return among("in", operands)
    return _over(atom.over, [test(op, operand) for operand in operands])


def _over(over: str, tests: Sequence[Test]) -> Test:
    if not tests:
        return lambda value: False
    if len(tests) == 1:
        return tests[0]
    if over == "oneof":
        return lambda value: sum(1 for one in tests if one(value)) == 1
    if over == "allof":
        return lambda value: all(one(value) for one in tests)
    return lambda value: any(one(value) for one in tests)


def _listed(value: Any) -> Sequence[Any]:
    """The elements of a list that are there; of another value itself."""
    if isinstance(value, list | tuple):
        return [one for one in value if one is not None]
    return (value,)


def _elements(atom: Atom, get: Get, missed: Truth) -> Judge:
    decide, every = _constants(msgspec.structs.replace(atom, over="one")), atom.over == "all"

    def judged(event: Event) -> Truth:
        value = get(event)
        if _missing(value):
            return True if every and atom.null and value is not None else missed
        found = map(decide, _listed(value))
        return all(found) if every else any(found)

    return judged


def _sets(atom: Atom, get: Get, missed: Truth) -> Judge:
    assert isinstance(atom.operand, tuple)
    inside, every = among("in", atom.operand), atom.op == "subset"

    def judged(event: Event) -> Truth:
        value = get(event)
        if _missing(value):
            return missed
        elements = _listed(value)
        if not elements:
            return missed
        found = map(inside, elements)
        return all(found) if every else any(found)

    return judged


def _between(atom: Atom, get: Get, other: Get, missed: Truth) -> Judge:
    """A comparison with another term of the same event."""
    op, over = atom.op, atom.over
    if op in ("in", "subset", "intersects"):

        def contained(event: Event) -> Truth:
            value, right = get(event), other(event)
            if _missing(value) or _missing(right):
                return missed
            found = map(among("in", tuple(_listed(right))), _listed(value))
            return any(found) if op == "intersects" else all(found)

        return contained
    pair = pair_of(op)

    def judged(event: Event) -> Truth:
        value, right = get(event), other(event)
        if _missing(value) or _missing(right):
            return missed
        if over in ("any", "all"):
            found = [pair(one, right) for one in _listed(value)]
            return all(found) if over == "all" else any(found)
        met = [pair(value, one) for one in _listed(right)] if over != "one" else []
        if over == "oneof":
            return met.count(True) == 1
        if over in ("anyof", "allof"):
            return bool(met) and (all(met) if over == "allof" else any(met))
        return pair(value, right)

    return judged


class Sieve:
    """The rules of one kind of events, ready to be tried: of all rules only those are asked whose
    anchors (columns that must have one of a few values) fit the event.
    """

    __slots__ = ("_always", "_anchored", "_chosen")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._anchored: list[tuple[Mapping[str, frozenset[str]], Judge, Rule]] = []
        self._chosen: dict[tuple[Any, ...], tuple[tuple[Judge, Rule], ...]] = {}
        for rule in rules:
            needed = {name: values for name in ANCHORS if (values := anchor(rule.tree, name))}
            self._anchored.append((needed, judge(rule.tree), rule))

    def hits(self, event: Event) -> list[Rule]:
        """The rules that are true of the event, in their order."""
        key = tuple([_text(event.get(name)) for name in ANCHORS])
        chosen = self._chosen.get(key)
        if chosen is None:
            here = dict(zip(ANCHORS, key, strict=True))
            chosen = tuple(
                (decide, rule)
                for needed, decide, rule in self._anchored
                if all(here[name] in values for name, values in needed.items())
            )
            if len(self._chosen) >= _KEPT:
                self._chosen.clear()
            self._chosen[key] = chosen
        return [rule for decide, rule in chosen if decide(event)]


def _text(value: Any) -> str | None:
    return value if value.__class__ is str else None


# Columns whose value alone rules most rules out.
ANCHORS: Final = ("api_verb", "k8s_resource", "k8s_subresource", "api_stage", "sys_call")


def anchor(node: Node, name: str) -> frozenset[str] | None:
    """The values of which a column must have one where the tree is true; None: not decided."""
    if isinstance(node, Atom):
        operands = node.operand
        if node.term != Column(name) or not isinstance(operands, tuple):
            return None
        if node.op == "in" or (node.op == "=" and len(operands) == 1):
            texts = frozenset(one for one in operands if isinstance(one, str))
            return texts if len(texts) == len(set(operands)) else None
        return None
    if isinstance(node, And):
        found = [one for part in node.parts if (one := anchor(part, name)) is not None]
        return frozenset.intersection(*found) if found else None
    if isinstance(node, Or):
        each = [anchor(part, name) for part in node.parts]
        sets = [one for one in each if one is not None]
        return frozenset().union(*sets) if sets and len(sets) == len(each) else None
    return None


def hit(rule: Rule, event: Event) -> Hit | None:
    """The hit of a rule with the atoms that were true; None where it is not true."""
    if not holds(rule.tree, event):
        return None
    told = explain(rule.tree, event)
    return Hit(rule.id, event, tuple(number for number, one in enumerate(told) if one.truth))


__all__ = ["Bad", "Sieve", "Term", "Told", "TooDeep", "anchor", "explain", "hit", "holds", "judge"]
