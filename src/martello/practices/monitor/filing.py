"""An index of alternatives by their rarest atom: which ones could another alternative imply?

An atom of a text is filed under the first three letters of each operand: whatever implies it holds
these letters somewhere. What has no such mark is filed under its term.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from martello.practices.monitor.ir import Atom, Term, Value

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


def asked(one: Alternative) -> Iterator[Key]:
    """Where the alternatives are filed that this one may imply."""
    yield None
    for atom, yes in one:
        yield (atom.term, None)
        yield (atom.term, _NEGATIVE)
        operands = atom.operand if isinstance(atom.operand, tuple) and yes else ()
        every = atom.over == "allof"
        for value in operands if every else operands[:1]:
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
    """Rules (their alternatives, by number) under the keys of their rarest literals."""

    __slots__ = ("_places",)

    def __init__(self, rules: Sequence[Iterable[Alternative]]) -> None:
        common = Counter(
            key for found in rules for one in found for each in one for key in keys(each)
        )
        self._places: dict[Key, list[int]] = {}
        for index, found in enumerate(rules):
            for key in {key for one in found for key in _rarest(one, common)}:
                self._places.setdefault(key, []).append(index)

    def near(self, one: Alternative) -> list[int]:
        """The rules of which an alternative might be implied by this one, in order."""
        found: set[int] = set()
        for key in set(asked(one)):
            found.update(self._places.get(key, ()))
        return sorted(found)


def _rarest(one: Alternative, common: Counter[Key]) -> list[Key]:
    """The keys of the literal that fewest others share; None: there is no literal."""
    if not one:
        return [None]
    return min(map(keys, one), key=lambda each: (sum(common[key] for key in each), repr(each)))
