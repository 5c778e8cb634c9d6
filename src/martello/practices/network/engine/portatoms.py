"""Ports as bits: ports that all rules treat alike are one bit, so a set of connections is a mask.

Bit 0 stands for what has no ports (ICMP and the rest) where it surely passes, bit 1 where it
perhaps does: so a rule with ports, which says nothing of it (P11), needs no second mask.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from martello.core.reach import LAST_PORT, PROTOCOLS, Conn, Ports, conn
from martello.practices.network.engine.spans import Span, Spans

Mask = NDArray[np.uint64]  # the words of a set of bits
OTHER: Final = np.uint64(1)
PERHAPS_OTHER: Final = np.uint64(2)
_FIRST: Final = 2
_LINE: Final = {protocol: LAST_PORT * place for place, protocol in enumerate(PROTOCOLS)}


def spans_of(ports: Iterable[Ports]) -> tuple[Span, ...]:
    """A set of ports on the one line of all protocols. What is no port is left out."""
    return tuple(
        (_LINE[p.protocol] + max(p.first, 1) - 1, _LINE[p.protocol] + min(p.last, LAST_PORT) - 1)
        for p in ports
        if p.protocol in _LINE and p.first <= LAST_PORT and p.last >= 1 and p.first <= p.last
    )


class PortAtoms:
    """The bits of one state of the rules."""

    __slots__ = ("_conns", "_spans", "full", "words")

    def __init__(self, spans: Spans | None = None) -> None:
        self._spans = spans or Spans(0, LAST_PORT * len(PROTOCOLS) - 1)
        self.words = (_FIRST + self._spans.count + 63) // 64
        self.full = self._mask(range(_FIRST + self._spans.count))
        self._conns: dict[tuple[int, ...], Conn] = {}

    @property
    def count(self) -> int:
        """How many kinds of ports there are."""
        return self._spans.count

    def refined(
        self, sets: Iterable[Sequence[Span]]
    ) -> tuple[PortAtoms, tuple[tuple[int, int], ...]]:
        """Bits fine enough for more sets, and which *bit* was copied to which new one."""
        spans, splits = self._spans.refined(sets)
        if not splits:
            return self, ()
        return PortAtoms(spans), tuple((a + _FIRST, b + _FIRST) for a, b in splits)

    def _mask(self, bits: Iterable[int]) -> Mask:
        words = [0] * self.words
        for bit in bits:
            words[bit // 64] |= 1 << (bit % 64)
        return np.array(words, dtype=np.uint64)

    def mask(self, spans: Sequence[Span]) -> Mask:
        """The bits of a set of ports, without those of what has no ports."""
        return self._mask((self._spans.of(spans) + _FIRST).tolist())

    def conn(self, words: tuple[int, ...], other: bool) -> Conn:
        """The set that the bits of ports stand for, and whether it holds what has no ports."""
        key = (*words, int(other))
        found = self._conns.get(key)
        if found is None:
            found = self._conns[key] = conn(self._ranges(words), other=other)
        return found

    def _ranges(self, words: tuple[int, ...]) -> Iterable[Ports]:
        bits = sum(word << (64 * place) for place, word in enumerate(words)) >> _FIRST
        for first, last, atom in self._spans.intervals():
            if bits >> atom & 1:
                for protocol, begin in _LINE.items():
                    low, high = max(first, begin), min(last, begin + LAST_PORT - 1)
                    if low <= high:
                        yield Ports(protocol, low - begin + 1, high - begin + 1)

    def moved(self, row: Mask, splits: Sequence[tuple[int, int]]) -> Mask:
        """A row of masks [words, columns] of the coarser bits, in these bits."""
        fine = np.zeros((self.words, row.shape[1]), dtype=np.uint64)
        fine[: row.shape[0]] = row
        for old, new in splits:
            bit = (fine[old // 64] >> np.uint64(old % 64)) & OTHER
            fine[new // 64] |= bit << np.uint64(new % 64)
        return fine
