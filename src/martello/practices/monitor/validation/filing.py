"""An index of alternatives by their rarest atom: which ones could another alternative imply?

An atom of a text is filed under the first three letters of each operand: whatever implies it holds
these letters somewhere. What has no such mark is filed under its term.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from martello.practices.monitor.engine.ir import Atom, Term, Value

Literal = tuple[Atom, bool]
Alternative = frozenset[Literal]
Key = tuple[Term, Any] | None
PREFIX: Final = ("startswith", "endswith", "contains")
VALUES: Final = 500  # of one atom
_GRAM: Final = 3
_LETTERS: Final = 400  # of one operand
_NEGATIVE: Final = ("not",)  # marks that are no texts
_FINITE: Final = ("=", "in", "iequals")


def lowered(text: str) -> str:
    """A text with small ASCII letters."""
    return (
        text.lower() if text.isascii() else "".join(c.lower() if c.isascii() else c for c in text)
    )


def keys(literal: Literal) -> list[Key]:
    """Where an alternative is filed by one of its literals."""
    atom, yes = literal
    operands = atom.operand if isinstance(atom.operand, tuple) else ()
    if not yes:
        return [(atom.term, _NEGATIVE)]
    if not 0 < len(operands) <= VALUES or not _looked_up(atom):
        return [(atom.term, None)]
    return [(atom.term, _mark(atom.op, value)) for value in operands]


def _looked_up(atom: Atom) -> bool:
    return atom.op in _FINITE or atom.op.removeprefix("i") in PREFIX


def _mark(op: str, value: Value) -> Any:
    """The mark of an operand, for what implies it to be looked up by."""
    if not isinstance(value, str):
        return value
    text = lowered(value)
    if op in _FINITE:
        return (text,)
    return text[:_GRAM] if len(text) >= _GRAM else None


def asked(literal: Literal) -> Iterator[Key]:
    """Where the literals are filed that this one may imply."""
    atom, yes = literal
    yield (atom.term, None)
    yield (atom.term, _NEGATIVE)
    operands = atom.operand if isinstance(atom.operand, tuple) and yes else ()
    for value in operands if atom.over == "allof" else operands[:1]:
        yield from _held(atom, value)


def _held(atom: Atom, value: Value) -> Iterator[Key]:
    if not isinstance(value, str):
        yield (atom.term, value)
        return
    text = lowered(value)
    yield (atom.term, (text,))
    for at in range(min(len(text), _LETTERS) - _GRAM + 1):
        yield (atom.term, text[at : at + _GRAM])


class Filed:
    """Rules (by number) with their alternatives as sets of numbers of `literals`, under the keys of
    the rarest literal of each alternative.
    """

    __slots__ = ("_asked", "_literals", "_marks", "_places")

    def __init__(self, rules: Sequence[Iterable[frozenset[int]]], literals: Sequence[Literal]):
        self._literals = literals
        self._asked: dict[int, frozenset[Key]] = {}
        self._marks: dict[int, frozenset[Key]] = {}
        filed = [keys(literal) for literal in literals]
        common = Counter(
            key for found in rules for one in found for number in one for key in filed[number]
        )
        weights = [sum(common[key] for key in each) for each in filed]
        self._places: dict[Key, list[int]] = {}
        for index, found in enumerate(rules):
            wanted: set[Key] = set()
            for one in found:
                rarest = min(one, key=lambda number: (weights[number], number), default=None)
                wanted.update([None] if rarest is None else filed[rarest])
            for key in wanted:
                self._places.setdefault(key, []).append(index)

    def near(self, one: frozenset[int]) -> list[int]:
        """The rules of which an alternative might be implied by this one, in order."""
        found: set[int] = set(self._places.get(None, ()))
        for number in one:
            for key in self.asked(number):
                found.update(self._places.get(key, ()))
        return sorted(found)

    def asked(self, number: int) -> frozenset[Key]:
        """Where the literals are filed that a literal may imply."""
        found = self._asked.get(number)
        if found is None:
            found = self._asked[number] = frozenset(asked(self._literals[number]))
        return found

    def marks(self, number: int) -> frozenset[Key]:
        """Where a literal would be filed: what implies it asks for one of these."""
        found = self._marks.get(number)
        if found is None:
            found = self._marks[number] = frozenset(keys(self._literals[number]))
        return found
