"""Facts of layers, kept under the layer's diff-id and the analyzer's version."""

from __future__ import annotations

import sys
from typing import Any, Final, Generic, TypeVar

import msgspec
from sqlalchemy import Select, select

from martello.core.errors import MartelloError
from martello.store.state import State, now
from martello.store.tables import facts as facts_table
from martello.store.tables import layer
from martello.store.upsert import replaced

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

T = TypeVar("T")
_LARGEST: Final = 256 << 20  # bytes of JSON; what is larger is read again from the layer
_LEVEL: Final = 3


class LayerFactStore(Generic[T]):
    """What was found in layers, as values of a msgspec type. A value that cannot be read any more
    is as good as none: the layer is read again. So it is when the database itself fails: no scan
    ends for that, and `trouble` says why nothing is kept any more.
    """

    def __init__(self, state: State, type: type[T]) -> None:
        self._state = state
        self._type = type
        self.trouble: MartelloError | None = None

    def diff_id(self, blob: str) -> str | None:
        """The diff-id of a blob that we have read ourselves: an image's own word does not count."""
        query = select(layer.c.diff_id).where(layer.c.blob == blob)
        found = self._asked(query)
        return None if found is None else str(found)

    def get(self, diff_id: str, version: str) -> T | None:
        """What an analyzer of this version found in a layer."""
        query = select(facts_table.c.content).where(
            facts_table.c.diff_id == diff_id, facts_table.c.version == version
        )
        content = self._asked(query)
        return None if content is None else unpacked(content, self._type)

    def put(self, blob: str, diff_id: str, version: str, facts: T) -> None:
        """Keeps facts, and that this blob has this diff-id. To do it twice changes nothing."""
        if self.trouble is not None:
            return
        content = packed(facts)
        try:
            with self._state.writing() as connection:
                at = now(connection)
                connection.execute(replaced(connection, layer, {"blob": blob, "diff_id": diff_id}))
                row = {"diff_id": diff_id, "version": version, "content": content, "made_at": at}
                connection.execute(replaced(connection, facts_table, row))
        except MartelloError as error:
            self.trouble = error

    def _asked(self, query: Select[Any]) -> Any:
        if self.trouble is not None:
            return None
        try:
            with self._state.reading() as connection:
                return connection.execute(query).scalar()
        except MartelloError as error:
            self.trouble = error
            return None


def packed(value: Any) -> bytes:
    """A value of a msgspec type as compressed JSON."""
    return zstd.compress(msgspec.json.encode(value), _LEVEL)


def unpacked(content: object, type: type[T]) -> T | None:
    """The value again; None for what is none of this type, or too large to be held."""
    if not isinstance(content, bytes):
        return None  # SQLite keeps in a column what anybody puts there
    try:
        if (zstd.get_frame_info(content).decompressed_size or 0) > _LARGEST:
            return None
        inflate = zstd.ZstdDecompressor()
        plain = inflate.decompress(content, _LARGEST)
        return msgspec.json.decode(plain, type=type) if inflate.eof else None
    except (zstd.ZstdError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
