"""Texts of advisories, compressed with one dictionary that they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import zstandard

_SIZE: Final = 64 << 10
_LARGEST: Final = 4 << 20
_LEVEL: Final = 9


def trained(samples: Sequence[bytes]) -> bytes:
    """A dictionary for texts like these; empty where they are too few. Equal samples give an equal
    dictionary.
    """
    if len(samples) < 64 or sum(map(len, samples)) < 8 * _SIZE:
        return b""
    try:
        return zstandard.train_dictionary(_SIZE, list(samples), k=512, d=8).as_bytes()
    except zstandard.ZstdError:
        return b""


class Compressor:
    """Compresses with a dictionary, or without one where it is empty."""

    def __init__(self, dictionary: bytes) -> None:
        self._with = zstandard.ZstdCompressor(level=_LEVEL, dict_data=_dictionary(dictionary))

    def __call__(self, content: bytes) -> bytes:
        return self._with.compress(content)


class Decompressor:
    """Gives back what a `Compressor` of the same dictionary made. Raises ValueError."""

    def __init__(self, dictionary: bytes) -> None:
        self._with = zstandard.ZstdDecompressor(dict_data=_dictionary(dictionary))

    def __call__(self, content: bytes) -> bytes:
        try:
            size = zstandard.frame_content_size(content)
            if not 0 <= size <= _LARGEST:
                raise ValueError("a text of the advisory database is too large")
            return self._with.decompress(content)
        except zstandard.ZstdError as error:
            raise ValueError(f"a text of the advisory database is damaged: {error}") from None


def _dictionary(content: bytes) -> zstandard.ZstdCompressionDict | None:
    return zstandard.ZstdCompressionDict(content) if content else None
