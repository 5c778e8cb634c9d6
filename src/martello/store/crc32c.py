"""CRC-32C (Castagnoli; RFC 3720, appendix B.4) of long texts, in numpy: there is none in Python.

A CRC is linear: that of a text is the exclusive or of what each byte gives at its place. Rows of
256 bytes are looked up at once; the sums of rows are joined in pairs, each shifted by the length
of what follows it.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np

_POLYNOMIAL: Final = 0x82F63B78  # reflected
_ROW: Final = 256
_FULL: Final = 0xFFFFFFFF
_PLACES: Final = np.arange(_ROW, dtype=np.intp) * 256
_BLOCK: Final = 1 << 18  # bytes at once: what is between them stays in the cache


def crc32c(data: bytes | memoryview, crc: int = 0) -> int:
    """The checksum of bytes, or of bytes that follow those with the checksum `crc`."""
    register = crc ^ _FULL
    for start in range(0, len(data), _BLOCK):
        block = np.frombuffer(data[start : start + _BLOCK], np.uint8)
        register = _shifted(register, len(block)) ^ _sum(block)
    return register ^ _FULL


def _sum(block: Any) -> int:
    """What the bytes alone give, from an empty register. Zeros before them give nothing."""
    rows = -(-len(block) // _ROW)
    filled: Any = block
    if len(block) % _ROW:
        filled = np.zeros(rows * _ROW, np.uint8)
        filled[len(filled) - len(block) :] = block
    looked: Any = _places().take(filled.reshape(rows, _ROW) + _PLACES, mode="clip")
    sums: Any = np.bitwise_xor.reduce(looked, axis=1)
    shift = _ROW
    while len(sums) > 1:
        if len(sums) % 2:
            sums = np.concatenate((np.zeros(1, np.uint32), sums))
        sums = _through(sums[0::2], _shifts(shift)) ^ sums[1::2]
        shift *= 2
    return int(sums[0])


@cache
def _bytes() -> Any:
    """What each byte gives at the end of a text."""
    table: Any = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> 1) ^ np.where(table & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
    return table


@cache
def _places() -> Any:
    """The same for each place of a row: place * 256 + byte."""
    rows = [_bytes()]
    for _ in range(_ROW - 1):
        rows.append((rows[-1] >> 8) ^ _bytes()[rows[-1] & 0xFF])
    return np.concatenate(rows[::-1])


@cache
def _shifts(length: int) -> Any:
    """Four tables, one for each byte of a register, of what it is after so many zero bytes."""
    one = np.arange(256, dtype=np.uint32)
    tables: Any = np.stack([one << np.uint32(8 * i) for i in range(4)])
    if length % 2:
        for _ in range(length):
            tables = (tables >> 8) ^ _bytes()[tables & 0xFF]
        return tables
    half = length // 2
    return _through(_through(tables, _shifts(half)), _shifts(half))


def _through(registers: Any, tables: Any) -> Any:
    found = tables[0][registers & 0xFF]
    for i in range(1, 4):
        found = found ^ tables[i][(registers >> np.uint32(8 * i)) & 0xFF]
    return found


@cache
def _lists(length: int) -> list[list[int]]:
    found: list[list[int]] = _shifts(length).tolist()
    return found


def _shifted(register: int, length: int) -> int:
    """One register after so many zero bytes: by the powers of two in the length."""
    power = 1
    while length:
        if length & 1:
            a, b, c, d = _lists(power)
            register = (
                a[register & 0xFF]
                ^ b[register >> 8 & 0xFF]
                ^ c[register >> 16 & 0xFF]
                ^ d[register >> 24]
            )
        length >>= 1
        power *= 2
    return register
