"""Reads the advisory database: one file, read-only, shared by any number of workers."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec

from martello.core.closing import Closing
from martello.core.errors import BadInput, Stale
from martello.core.vulnerability import Affected, Feed, Vulnerability
from martello.practices.images.advisories.rows import (
    APPLICATION,
    MAJOR,
    affected_of,
    pairs,
    texts,
)
from martello.practices.images.advisories.severity import level_of

Key = tuple[str, str]  # ecosystem with its release, normalised name
UPDATE: Final = "martello db update"
_TEXT: Final = msgspec.json.Decoder(tuple[str, str, tuple[str, ...]])
_ABOUT: Final = (
    "SELECT id, status, severity, feed, ranges, versions, more FROM aff"
    " WHERE ecosystem = ? AND name = ?"
)
_ROWS: Final = (
    "SELECT ecosystem, name, id, status, severity, feed, ranges, versions, more FROM aff"
    " WHERE feed = ?"
)
_NAMING: Final = (
    "SELECT ecosystem, name, id, status, severity, feed, ranges, versions, more FROM aff"
    " WHERE id IN (SELECT value FROM json_each(?))"
)
_VULNERABILITY: Final = (
    "SELECT id, aliases, severity, severities, vectors, published, modified, withdrawn, feed,"
    " exploited, epss, text FROM vuln"
)


def open_database(path: str | Path) -> Database:
    """Opens a database. Raises Stale where there is none, BadInput where the file is another one
    or of a newer schema.
    """
    place = Path(path)
    if not place.is_file():
        raise Stale(f"no advisory database at {place}", "it was not built yet", UPDATE)
    address = f"file:{quote(str(place.absolute()))}?mode=ro&immutable=1"
    connection: sqlite3.Connection | None = None
    try:
        # serialised by SQLite itself, so that threads may share it
        connection = sqlite3.connect(address, uri=True, check_same_thread=False)
        # the file may come from elsewhere: nothing in its schema is run
        connection.execute("PRAGMA trusted_schema=OFF")
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        major = connection.execute("PRAGMA user_version").fetchone()[0]
        if application != APPLICATION:
            raise BadInput(f"{place} is no advisory database", "it is another file", UPDATE)
        if major != MAJOR:
            why = f"it is of schema {major}, and this version reads schema {MAJOR}"
            newer = "update martello" if major > MAJOR else UPDATE
            raise BadInput(f"cannot read {place}", why, newer)
        return Database(place, connection)
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise BadInput(f"{place} is no advisory database", str(error), UPDATE) from None
    except BadInput:
        if connection is not None:
            connection.close()
        raise


class Database(Closing):
    """An open advisory database. Damage found while reading raises BadInput."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._ecosystems = frozenset(name for (name,) in self._all("SELECT name FROM ecosystem"))

    @cached_property
    def digest(self) -> str:
        """`sha256:…` of the file, computed once when first asked for."""
        with self.path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"

    @cached_property
    def feeds(self) -> tuple[Feed, ...]:
        """The feeds that the records came from, by name."""
        rows = self._all(
            "SELECT name, revision, time, count, skipped, sha256, ecosystems FROM feed"
            " ORDER BY name"
        )
        return tuple(_feed(row) for row in rows)

    @property
    def built(self) -> str:
        """The time of the newest feed: no other clock is in the file."""
        return max((feed.time for feed in self.feeds), default="")

    def covers(self, ecosystem: str) -> bool:
        """Whether a feed speaks of this ecosystem and release at all."""
        return ecosystem in self._ecosystems

    def ecosystems(self) -> tuple[str, ...]:
        """All ecosystems, with their releases."""
        return tuple(sorted(self._ecosystems))

    def about(self, pairs: Iterable[Key]) -> dict[Key, tuple[Affected, ...]]:
        """All that the records say of these packages; without those that none speaks of."""
        found: dict[Key, tuple[Affected, ...]] = {}
        for key in pairs:
            rows = self._all(_ABOUT, key)
            if rows:
                found[key] = self._statements(key, rows)
        return found

    def _statements(self, key: Key, rows: list[Any]) -> tuple[Affected, ...]:
        try:
            return tuple(affected_of(*key, row) for row in rows)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            why = f"what it says of {key[1]} is damaged ({error})"
            raise BadInput(f"cannot read {self.path}", why, UPDATE) from None

    def artefacts(self, names: Iterable[str]) -> frozenset[str]:
        """Those of these names that are an artefact of any Maven group that records speak of."""
        rows = self._all("SELECT DISTINCT name FROM aff WHERE ecosystem = 'Maven'")
        known = {str(name).rpartition(":")[2] for (name,) in rows}
        return frozenset(known.intersection(names))

    def naming(self, ids: Iterable[str]) -> tuple[Affected, ...]:
        """What some records say of all packages. It reads every row: for explanations only."""
        rows = self._all(_NAMING, (msgspec.json.encode(sorted(set(ids))).decode(),))
        return tuple(affected_of(row[0], row[1], row[2:]) for row in rows)

    def vulnerabilities(self, ids: Iterable[str]) -> dict[str, Vulnerability]:
        """The records of these ids, as far as there are any. Where a record has no word of its own
        for its severity, it is that of its vector.
        """
        found: dict[str, Vulnerability] = {}
        for id in ids:
            for row in self._all(f"{_VULNERABILITY} WHERE id = ?", (id,)):
                found[id] = self._vulnerability(row)
        return found

    def group(self, id: str) -> tuple[str, ...]:
        """All names of one vulnerability, sorted, itself among them."""
        rows = self._all("SELECT named FROM alias WHERE id = ?", (id,))
        return texts(rows[0][0]) if rows else (id,)

    def end_of_life(self, ecosystem: str) -> str:
        """The ISO day on which a distribution's support ends; empty: not known."""
        rows = self._all("SELECT day FROM eol WHERE ecosystem = ?", (ecosystem,))
        return str(rows[0][0]) if rows else ""

    def products(self, repository: str) -> tuple[str, ...]:
        """The CPEs of one of Red Hat's repositories; none where it is not known."""
        rows = self._all("SELECT cpes FROM product WHERE repository = ?", (repository,))
        return texts(rows[0][0]) if rows else ()

    def repositories(self) -> dict[str, tuple[str, ...]]:
        """All repositories that are known, with their CPEs."""
        return {name: texts(cpes) for name, cpes in self._all("SELECT * FROM product")}

    def rows_of(self, feed: str) -> Iterator[tuple[str, ...]]:
        """All rows of a feed, as they lie there: for a build that must do without that feed."""
        yield from self._connection.execute(_ROWS, (feed,))

    def records_of(self, feed: str) -> Iterator[Vulnerability]:
        """All records that a feed brought or speaks of."""
        where = "WHERE feed = ?1 OR id IN (SELECT id FROM aff WHERE feed = ?1)"
        for row in self._connection.execute(f"{_VULNERABILITY} {where} ORDER BY id", (feed,)):
            yield self._vulnerability(row, scored=False)

    def exploitation(self) -> tuple[dict[str, str], dict[str, float]]:
        """All that the file says of exploitation: days and probabilities, by id."""
        rows = self._all("SELECT id, exploited, epss FROM vuln WHERE exploited <> '' OR epss >= 0")
        days = {id: day for id, day, _ in rows if day}
        return days, {id: score for id, _, score in rows if score >= 0}

    def check(self) -> str:
        """What is wrong with the file by SQLite's own check; empty: nothing."""
        rows = self._all("PRAGMA quick_check(1)")
        return "" if rows == [("ok",)] else str(rows[0][0])

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def _all(self, query: str, values: tuple[str, ...] = ()) -> list[Any]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise BadInput(f"cannot read {self.path}", str(error), UPDATE) from None

    @cached_property
    def _decompress(self) -> Callable[[bytes], bytes]:
        # the library is loaded only where a text is read
        from martello.practices.images.advisories.text import Decompressor

        rows = self._connection.execute("SELECT content FROM dictionary").fetchone()
        return Decompressor(rows[0] if rows else b"")

    def _vulnerability(self, row: tuple[Any, ...], *, scored: bool = True) -> Vulnerability:
        (id, aliases, severity, severities, vectors, published, modified, withdrawn, feed,
         exploited, epss, content) = row  # fmt: skip
        try:
            summary, details, references = _TEXT.decode(self._decompress(content))
            found = pairs(vectors)
            word = level_of(severity, found) if scored else severity
            return Vulnerability(
                id=id,
                aliases=texts(aliases),
                summary=summary,
                details=details,
                severity=word,
                severities=pairs(severities),
                vectors=found,
                published=published,
                modified=modified,
                withdrawn=withdrawn,
                references=references,
                feed=feed,
                exploited=exploited,
                epss=epss,
            )
        except (ValueError, TypeError, msgspec.MsgspecError) as error:
            raise BadInput(f"cannot read {self.path}", str(error), UPDATE) from None


def _feed(row: Any) -> Feed:
    name, revision, time, count, skipped, sha256, ecosystems = row
    return Feed(name, revision, time, count, skipped, sha256, texts(ecosystems))
