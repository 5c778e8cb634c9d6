"""The headers of an rpm database in SQLite, the format since rpm 4.16.

The file is not trusted: it is opened read-only, as it is, with no view or trigger of its schema
believed and with a bound on the steps that a query may take.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from typing import IO, Final
from urllib.parse import quote

MAGIC: Final = b"SQLite format 3\0"
_LARGEST_HEADER: Final = 64 << 20
_STEPS: Final = 1 << 16
_MOST_STEPS: Final = 4096  # times 65,536 instructions: some 20 million packages


def headers(file: IO[bytes]) -> Iterator[bytes]:
    """The headers of a database file. Raises ValueError where it is damaged."""
    with tempfile.NamedTemporaryFile(prefix="martello-", suffix=".sqlite") as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
        copy.flush()
        place = f"file:{quote(copy.name)}?mode=ro&immutable=1"
        try:
            with closing(sqlite3.connect(place, uri=True)) as database:
                yield from _rows(database)
        except sqlite3.Error as error:
            raise ValueError(f"SQLite says: {error}") from error


def _rows(database: sqlite3.Connection) -> Iterator[bytes]:
    left = _MOST_STEPS

    def count() -> int:
        nonlocal left
        left -= 1
        return left < 0

    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_HEADER)
    database.set_progress_handler(count, _STEPS)
    database.execute("PRAGMA trusted_schema = OFF")
    database.execute("PRAGMA cell_size_check = ON")
    kind = database.execute("SELECT type FROM sqlite_master WHERE name = 'Packages'").fetchone()
    if kind != ("table",):
        raise ValueError("it has no table of packages")
    for (blob,) in database.execute("SELECT blob FROM Packages"):
        if not isinstance(blob, bytes):
            raise ValueError("a header in it is no bytes")
        yield blob
