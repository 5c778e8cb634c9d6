"""Texts of advisories, compressed with one dictionary that they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from martello.adapters.zstd import BOUNDED, zstd

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
        return zstd.train_dict(samples, _SIZE).dict_content
    except zstd.ZstdError:
        return b""


class Compressor:
    """Compresses with a dictionary, or without one where it is empty."""

    def __init__(self, dictionary: bytes) -> None:
        self._with = zstd.ZstdCompressor(level=_LEVEL, zstd_dict=_dictionary(dictionary))

    def __call__(self, content: bytes) -> bytes:
        return self._with.compress(content, zstd.ZstdCompressor.FLUSH_FRAME)


class Decompressor:
    """Gives back what a `Compressor` of the same dictionary made. Raises ValueError."""

    def __init__(self, dictionary: bytes) -> None:
        self._dictionary = _dictionary(dictionary)

    def __call__(self, content: bytes) -> bytes:
        try:
            size = zstd.get_frame_info(content).decompressed_size
            if size is None or size > _LARGEST:
                raise ValueError("a text of the advisory database is too large")
            inflate = zstd.ZstdDecompressor(self._dictionary, BOUNDED)
            plain = inflate.decompress(content, _LARGEST)
        except zstd.ZstdError as error:
            raise ValueError(f"a text of the advisory database is damaged: {error}") from None
        if not inflate.eof:
            raise ValueError("a text of the advisory database is damaged: it ends early")
        return plain


def _dictionary(content: bytes) -> zstd.ZstdDict | None:
    return zstd.ZstdDict(content) if content else None
