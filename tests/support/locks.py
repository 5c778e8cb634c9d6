"""Lock files of tests: texts by path, read as a scan of a directory reads them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import BinaryIO

from martello.core.package import Package
from martello.practices.images.evidence.locks import READERS, settle
from martello.practices.images.evidence.model import Parsed, Reader, TooLarge


class Bytes:
    """A body in memory, to be read once, as one of an archive is."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._read = False

    @property
    def size(self) -> int:
        return len(self._data)

    def head(self, count: int) -> bytes:
        return self._data[: min(count, 4096)]

    def whole(self, largest: int) -> bytes:
        if len(self._data) > largest:
            raise TooLarge
        assert not self._read, "it was read before"
        self._read = True
        return self._data

    def spooled(self, largest: int) -> BinaryIO:
        return io.BytesIO(self.whole(largest))


def wants(reader: Reader, path: str) -> bool:
    """Whether a reader wants a file of this path."""
    named = path.rpartition("/")[2] in reader.names
    below = path.startswith(reader.under) if reader.under else False
    if not (named or below or (reader.suffixes and path.endswith(reader.suffixes))):
        return False
    return reader.accepts is None or reader.accepts(path)


def parsed(path: str, text: str | bytes) -> Parsed:
    """What the one reader of a file makes of it, alone. Raises what the reader raises."""
    data = text if isinstance(text, bytes) else text.encode()
    (reader,) = [reader for reader in READERS if wants(reader, path)]
    return reader.read(path, Bytes(data))


def together(files: Mapping[str, str]) -> dict[str, Parsed]:
    """Files that some reader wants, each by its reader, then joined."""
    wanted = {path for path in files if any(wants(reader, path) for reader in READERS)}
    return settle({path: parsed(path, files[path]) for path in files if path in wanted})


def told(packages: tuple[Package, ...]) -> list[str]:
    """Packages as `name version`, with ` dev` where they are for development."""
    return [f"{one.name} {one.version}{' dev' if one.dev else ''}" for one in packages]
