"""Merkle trees as RFC 6962, 2.1 has them: leaf = SHA-256(0 ‖ bytes), node = SHA-256(1 ‖ left ‖
right), and a tree that grows without its old leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

_EMPTY: Final = hashlib.sha256(b"").digest()
Peak = tuple[int, bytes]  # of a whole tree of 2^level leaves: level, root


def leaf(content: bytes) -> bytes:
    """The hash of one leaf."""
    return hashlib.sha256(b"\0" + content).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over the hashes of leaves, in their order."""
    level = list(leaves)
    if not level:
        return _EMPTY
    while len(level) > 1:
        level = _above(level)
    return level[0]


def proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes beside the way from a leaf up to the root."""
    level, path = list(leaves), []
    while len(level) > 1:
        beside = index ^ 1
        if beside < len(level):
            path.append(level[beside])
        level = _above(level)
        index //= 2
    return path


def proved(hashed: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """The root that follows from a leaf, its place among `count`, and what lies beside its way up;
    None where that many hashes do not fit.
    """
    if not 0 <= index < count:
        return None
    left = list(path)
    while count > 1:
        if index ^ 1 < count:
            if not left:
                return None
            beside = left.pop(0)
            pair = beside + hashed if index % 2 else hashed + beside
            hashed = hashlib.sha256(b"\1" + pair).digest()
        index //= 2
        count = (count + 1) // 2
    return None if left else hashed


def grown(peaks: Sequence[Peak], leaves: Sequence[bytes]) -> list[Peak]:
    """The peaks of a tree after more leaves."""
    found = list(peaks)
    for one in leaves:
        level, hashed = 0, one
        while found and found[-1][0] == level:
            hashed = hashlib.sha256(b"\1" + found.pop()[1] + hashed).digest()
            level += 1
        found.append((level, hashed))
    return found


def root_of(peaks: Sequence[Peak]) -> bytes:
    """The root of a tree from its peaks, the highest first."""
    if not peaks:
        return _EMPTY
    hashed = peaks[-1][1]
    for _, left in reversed(peaks[:-1]):
        hashed = hashlib.sha256(b"\1" + left + hashed).digest()
    return hashed


def _above(level: list[bytes]) -> list[bytes]:
    sha = hashlib.sha256
    pairs = zip(level[::2], level[1::2], strict=False)
    above = [sha(b"\1" + left + right).digest() for left, right in pairs]
    if len(level) % 2:
        above.append(level[-1])
    return above
