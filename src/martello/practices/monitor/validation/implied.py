"""Which rules say the same, and which ones are true whenever another is.

Trees become alternatives of atoms; an alternative implies another where each atom of that one is
implied by an atom of this one. What grows over the bounds is not decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from martello.practices.monitor.engine.compare import Bad
from martello.practices.monitor.engine.ir import Atom, Column, Constant, Node, Not, Or, Term, Value
from martello.practices.monitor.engine.scalar import judge
from martello.practices.monitor.validation.filing import (
    PREFIX,
    VALUES,
    Alternative,
    Filed,
    Literal,
    lowered,
)

TERMS: Final = 4_096
_LITERALS: Final = 200  # of one alternative
_WORK: Final = 3_000_000  # comparisons of atoms in one call
_ORDER: Final = ("<", "<=", ">", ">=")


class TooMany(Exception):
    """There are more alternatives than are looked at."""


def alternatives(tree: Node) -> frozenset[Alternative]:
    """A tree as alternatives, without those that contradict themselves. Raises TooMany."""
    apart: dict[tuple[int, int], bool] = {}
    return frozenset(one for one in _spread(tree, True) if not contradicts(one, apart))


def _spread(node: Node, positive: bool) -> set[Alternative]:
    if isinstance(node, Constant):
        return {frozenset()} if node.value is positive else set()
    if isinstance(node, Atom):
        return {frozenset(((node, positive),))}
    if isinstance(node, Not):
        return _spread(node.part, not positive)
    parts = [_spread(part, positive) for part in node.parts]
    if isinstance(node, Or) is positive:
        found: set[Alternative] = set()
        for part in parts:
            found |= part
            if len(found) > TERMS:
                raise TooMany
        return found
    product: set[Alternative] = {frozenset()}
    for part in sorted(parts, key=len):
        if len(product) * len(part) > TERMS:
            raise TooMany
        product = {one | other for one in product for other in part}
        if any(len(one) > _LITERALS for one in product):
            raise TooMany
    return product


def contradicts(one: Alternative, known: dict[tuple[int, int], bool] | None = None) -> bool:
    """Whether the atoms of an alternative cannot hold together; `known` remembers pairs of atoms
    of one tree.
    """
    remembered = {} if known is None else known
    positive: dict[Term, list[Atom]] = {}
    for atom, wanted in one:
        if wanted:
            positive.setdefault(atom.term, []).append(atom)
    for atom, wanted in one:
        for other in positive.get(atom.term, ()):
            if other is atom and wanted:
                continue
            pair = (id(other), id(atom) if wanted else -id(atom))
            if pair not in remembered:
                remembered[pair] = (
                    _apart(other, atom) if wanted else implies((other, True), (atom, True))
                )
            if remembered[pair]:
                return True
    return False


def implies(one: Literal, other: Literal) -> bool:
    """Whether a literal's truth makes another's certain."""
    (left, yes), (right, wanted) = one, other
    if left == right:
        return yes is wanted
    if left.term != right.term:
        return False
    if yes and wanted:
        return _implies(left, right)
    if not yes and not wanted:
        # where the term is missing, `not` of one may be true, and of the other null
        return (left.null or not right.null) and _implies(right, left)
    return yes and not wanted and _apart(left, right)


def _implies(left: Atom, right: Atom) -> bool:
    if right.op == "exists":
        return left.over != "all"
    ones, others = _singles(left), _singles(right)
    if ones is None or others is None:
        return False
    every = left.over == "allof"
    needed = right.over == "allof"
    quantified = any if every else all
    wanted = all if needed else any
    quantifies = ("any", "all")
    if (left.over in quantifies or right.over in quantifies) and left.over != right.over:
        return False
    return quantified(wanted(_single(a, b) for b in others) for a in ones)


def _singles(atom: Atom) -> list[tuple[str, Value]] | None:
    """An atom as comparisons with one operand each; None where it is no such thing."""
    if not isinstance(atom.operand, tuple) or not 0 < len(atom.operand) <= VALUES:
        return None
    if atom.over in ("oneof",) or atom.op in ("subset", "intersects", "pmatch"):
        return None
    if atom.op == "in":
        return [("=", value) for value in atom.operand]
    if len(atom.operand) > 1 and atom.over not in ("anyof", "allof"):
        return [(atom.op, value) for value in atom.operand] if atom.op == "=" else None
    return [(atom.op, value) for value in atom.operand]


def _single(left: tuple[str, Value], right: tuple[str, Value]) -> bool:
    """Whether one comparison of a value with one operand makes another one certain."""
    (op, value), (other, wanted) = left, right
    if left == right:
        return True
    if op == "=":
        return _meets(other, wanted, value)
    if op in _ORDER and other in _ORDER:
        return _ordered(op, value, other, wanted)
    if not isinstance(value, str) or not isinstance(wanted, str):
        return False
    folded, loose = op.startswith("i"), other.startswith("i")
    if folded and not loose:
        return False
    if loose:
        value, wanted = lowered(value), lowered(wanted)
    plain, its = op.removeprefix("i"), other.removeprefix("i")
    if plain == "equals":
        return _meets(its if its != "equals" else "=", wanted, value)
    if plain not in PREFIX or its not in PREFIX:
        return False
    if its == "contains":
        return wanted in value
    if plain != its:
        return False
    return value.startswith(wanted) if its == "startswith" else value.endswith(wanted)


def _ordered(op: str, value: Value, other: str, wanted: Value) -> bool:
    if isinstance(value, str) or isinstance(wanted, str) or op[0] != other[0]:
        return False
    if isinstance(value, bytes) or isinstance(wanted, bytes):
        return False
    if value == wanted:
        return len(other) >= len(op)
    return value < wanted if op[0] == "<" else value > wanted


def _meets(op: str, wanted: Value, value: Value) -> bool:
    """Whether a value meets a comparison."""
    try:
        return judge(Atom(Column("x"), op, (wanted,)))({"x": value}) is True
    except (Bad, ValueError):
        return False


def _apart(left: Atom, right: Atom) -> bool:
    """Whether two atoms of one term cannot both be true: one has few values, all wrong."""
    if left.over in ("any", "all") or right.over in ("any", "all"):
        return False
    for one, other in ((left, right), (right, left)):
        ones, others = _singles(one), _singles(other)
        if ones is None or others is None or one.over == "allof" or other.over == "allof":
            continue
        if all(op == "=" for op, _ in ones) and not any(
            _meets(op, wanted, value) for _, value in ones for op, wanted in others
        ):
            return True
    return False


def _values(literal: Literal, most: int) -> Iterable[list[Literal]]:
    """A literal of several values as those of one value each, if there are not more than `most`
    that could be covered one by one by as many alternatives.
    """
    atom, yes = literal
    several = atom.op == "in" or atom.over == "anyof"
    if not yes or not several or not isinstance(atom.operand, tuple):
        return
    if 1 < len(atom.operand) <= VALUES and most > 1:
        op = "=" if atom.op == "in" else atom.op
        over = atom.over if atom.over in ("any", "all") else "one"
        yield [
            (msgspec.structs.replace(atom, op=op, over=over, operand=(value,)), True)
            for value in atom.operand
        ]


class Same(msgspec.Struct, frozen=True):
    """Two rules: every event of `one` is one of `other`; `equal`: and the reverse."""

    one: str
    other: str
    equal: bool = False


class Compared(msgspec.Struct, frozen=True):
    """What was found, and the rules whose trees were too large to tell."""

    pairs: tuple[Same, ...]
    undecided: tuple[str, ...]


def compare(trees: Iterable[tuple[str, frozenset[str], Node]]) -> Compared:
    """Rules by id, with what they are tried on (kinds) and their tree."""
    undecided: list[str] = []
    spread: list[tuple[str, frozenset[str], frozenset[Alternative]]] = []
    for id_, kinds, tree in trees:
        try:
            found = alternatives(tree)
        except TooMany:
            undecided.append(id_)
            continue
        if found:
            spread.append((id_, kinds, found))
    comparing = _Comparing(spread)
    return Compared(tuple(comparing.pairs()), (*undecided, *comparing.left))


class _Comparing:
    """Rules side by side: of what a rule may imply, which it does. Literals are numbers here."""

    def __init__(self, rules: Sequence[tuple[str, frozenset[str], frozenset[Alternative]]]) -> None:
        self.rules = rules
        numbers: dict[Literal, int] = {}
        self.found = [
            [frozenset(numbers.setdefault(each, len(numbers)) for each in one) for one in found]
            for _, _, found in rules
        ]
        self.literals = list(numbers)
        self.numbers = numbers
        self.known: dict[tuple[int, int], bool] = {}
        self.filed = Filed(self.found, self.literals)
        self.work = 0
        self.left: list[str] = []

    def pairs(self) -> Iterable[Same]:
        """Every pair once; of equal rules the later one is named first."""
        within: set[tuple[int, int]] = set()
        for index, found in enumerate(self.found):
            if self.work > _WORK:
                self.left.append(self.rules[index][0])
                continue
            for other in self.filed.near(min(found, key=len)):
                if index != other and self.covered(index, other):
                    within.add((index, other))
        for index, other in sorted(within):
            equal = (other, index) in within
            if not equal or index > other:
                yield Same(self.rules[index][0], self.rules[other][0], equal)

    def covered(self, index: int, other: int) -> bool:
        """Whether every alternative of a rule implies one of the other rule's."""
        self.work += 5
        if not self.rules[index][1] <= self.rules[other][1]:
            return False
        return all(self.within(one, self.found[other]) for one in self.found[index])

    def within(self, one: frozenset[int], theirs: Sequence[frozenset[int]]) -> bool:
        """Whether an alternative implies one of these, or each of its values one of them."""
        if any(self.stronger(one, each) for each in theirs):
            return True
        for number in one:
            for parts in _values(self.literals[number], most=len(theirs)):
                rest = one - {number}
                split = [rest | {self.number(part)} for part in parts]
                if all(any(self.stronger(each, other) for other in theirs) for each in split):
                    return True
        return False

    def number(self, literal: Literal) -> int:
        """The number of a literal; a new one gets the next."""
        if literal not in self.numbers:
            self.numbers[literal] = len(self.literals)
            self.literals.append(literal)
        return self.numbers[literal]

    def stronger(self, one: frozenset[int], other: frozenset[int]) -> bool:
        self.work += 1
        if other <= one:
            return True
        if self.work > _WORK:
            return False
        return all(needed in one or self.implied(one, needed) for needed in other)

    def implied(self, one: frozenset[int], needed: int) -> bool:
        """Whether one of some literals implies another one."""
        marks = self.filed.marks(needed)
        for given in one:
            self.work += 1
            if marks.isdisjoint(self.filed.asked(given)):
                continue
            pair = (given, needed)
            if pair not in self.known:
                self.known[pair] = implies(self.literals[given], self.literals[needed])
            if self.known[pair]:
                return True
        return False
