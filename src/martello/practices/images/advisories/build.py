"""Builds the advisory database: one file, made anew, the same for the same input (D1).

A feed that cannot be read, and a record of one, is skipped, counted and named; the other feeds
stay, and of the broken one what the previous database held (D4).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from martello.adapters.whole import whole
from martello.core.errors import MartelloError
from martello.core.vulnerability import Feed, Vulnerability
from martello.practices.images.advisories import finish
from martello.practices.images.advisories.db import open_database
from martello.practices.images.advisories.record import Item, Skipped
from martello.practices.images.advisories.rows import APPLICATION, MAJOR, PAGE, TABLES, row_of

_STAGE: Final = """
CREATE TABLE stage.aff (ecosystem, name, id, status, severity, feed, ranges, versions, more);
CREATE TABLE stage.vuln (id, feed, body, PRIMARY KEY (id, feed, body)) WITHOUT ROWID;
"""
_EXAMPLES: Final = 5


class Source(msgspec.Struct, frozen=True):
    """One feed to read: a name, where it lies, and the reader of its kind."""

    name: str
    path: Path
    read: Callable[[Path], Iterator[Item]]
    revision: str = ""
    time: str = ""  # RFC 3339; empty: that of its newest record
    ecosystems: tuple[str, ...] = ()  # what it covers, besides what its records name


class Extra(msgspec.Struct, frozen=True):
    """A file that says more of vulnerabilities: `kind` is exploited, epss, products or ends."""

    name: str
    path: Path
    kind: str
    time: str = ""


class Trouble(msgspec.Struct, frozen=True):
    """Why records, or parts of records, were not taken: how many, and some of them by name."""

    why: str
    count: int
    examples: tuple[str, ...] = ()


class FeedReport(msgspec.Struct, frozen=True):
    """What became of one feed."""

    name: str
    taken: int = 0
    skipped: int = 0
    troubles: tuple[Trouble, ...] = ()
    error: str = ""  # why the feed as a whole was not read
    kept: bool = False  # what the previous database held of it stays


class Report(msgspec.Struct, frozen=True):
    """What was built."""

    path: Path
    digest: str
    size: int
    feeds: tuple[FeedReport, ...]
    records: int
    statements: int
    groups: int

    @property
    def complete(self) -> bool:
        """Whether every feed was read."""
        return not any(feed.error for feed in self.feeds)


def build(
    sources: Sequence[Source],
    out: Path,
    now: str = "",
    *,
    extras: Sequence[Extra] = (),
    previous: Path | None = None,
) -> Report:
    """Reads the feeds and writes the database to `out`, whole or not at all. A feed whose time
    lies after `now` counts as one of unknown time. Raises OSError where `out` cannot be written.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".martello-", dir=out.parent) as directory:
        file = Path(directory) / "advisories.db"
        connection = _created(file)
        try:
            reports, feeds = _read_all(connection, sources, now, previous)
            more, said = finish.extras(extras, now, previous)
            counts = finish.finish(connection, [*feeds, *said], more)
        finally:
            connection.close()
        reports += [
            FeedReport(
                e.name,
                more.count(e.kind),
                error=more.errors.get(e.name, ""),
                kept=e.name in more.errors and any(feed.name == e.name for feed in said),
            )
            for e in extras
        ]
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        size = file.stat().st_size
        with file.open("rb") as made, whole(out) as place:
            shutil.copyfileobj(made, place, 1 << 20)
            place.flush()
            os.fsync(place.fileno())
    reports.sort(key=lambda report: report.name)
    return Report(out, f"sha256:{digest}", size, tuple(reports), *counts)


def _created(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None)
    for pragma in (f"page_size={PAGE}", "journal_mode=OFF", "synchronous=OFF",
                   f"application_id={APPLICATION}", f"user_version={MAJOR}"):  # fmt: skip
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("ATTACH '' AS stage")
    connection.executescript(TABLES + _STAGE)
    return connection


def _read_all(
    connection: sqlite3.Connection, sources: Sequence[Source], now: str, previous: Path | None
) -> tuple[list[FeedReport], list[Feed]]:
    reports: list[FeedReport] = []
    feeds: list[Feed] = []
    for source in sorted(sources, key=lambda source: (source.name, str(source.path))):
        connection.execute("BEGIN")
        try:
            report, feed = _read(connection, source, now)
            connection.execute("COMMIT")
        except (MartelloError, OSError) as error:
            _undo(connection, source.name)
            why = error.why or error.what if isinstance(error, MartelloError) else str(error)
            old = _carried(connection, source.name, previous)
            reports.append(FeedReport(source.name, old.count if old else 0, error=why,
                                      kept=old is not None))  # fmt: skip
            feeds += [old] if old else []
            continue
        reports.append(report)
        feeds.append(feed)
    return reports, feeds


def _undo(connection: sqlite3.Connection, name: str) -> None:
    # the journal is off, so what was read of the feed is deleted by its name
    connection.execute("DELETE FROM stage.aff WHERE feed = ?", (name,))
    connection.execute("DELETE FROM stage.vuln WHERE feed = ?", (name,))
    connection.execute("COMMIT")


def _read(connection: sqlite3.Connection, source: Source, now: str) -> tuple[FeedReport, Feed]:
    taken = skipped = 0
    newest = ""
    whys: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}
    ecosystems = set(source.ecosystems)
    for item in source.read(source.path):
        if isinstance(item, Skipped):
            skipped += item.whole
            whys[item.why] += 1
            named = examples.setdefault(item.why, [])
            if len(named) < _EXAMPLES and item.where not in named:
                named.append(item.where)
            continue
        taken += 1
        about = msgspec.structs.replace(item.vulnerability, feed=source.name)
        if newest < about.modified and (not now or about.modified <= now):
            newest = about.modified
        ecosystems |= {affected.ecosystem for affected in item.affected}
        _stage_vulnerability(connection, about)
        connection.executemany(
            "INSERT INTO stage.aff VALUES (?,?,?,?,?,?,?,?,?)",
            [
                (a.ecosystem, a.name, a.id, *row_of(msgspec.structs.replace(a, feed=source.name)))
                for a in item.affected
            ],
        )
    troubles = tuple(Trouble(why, n, tuple(examples[why])) for why, n in sorted(whys.items()))
    time = source.time if source.time and (not now or source.time <= now) else newest
    feed = Feed(
        source.name,
        source.revision,
        time,
        taken,
        skipped,
        finish.checksum(source.path),
        tuple(sorted(ecosystems)),
    )
    return FeedReport(source.name, taken, skipped, troubles), feed


def _stage_vulnerability(connection: sqlite3.Connection, about: Vulnerability) -> None:
    body = msgspec.json.encode(about)
    connection.execute(
        "INSERT OR IGNORE INTO stage.vuln VALUES (?,?,?)", (about.id, about.feed, body)
    )


def _carried(connection: sqlite3.Connection, name: str, previous: Path | None) -> Feed | None:
    """Stages what the previous database holds of a feed; None where it holds nothing."""
    if previous is None:
        return None
    try:
        with open_database(previous) as database:
            feed = next((feed for feed in database.feeds if feed.name == name), None)
            if feed is None:
                return None
            connection.execute("BEGIN")
            for ecosystem, package, *columns in database.rows_of(name):
                connection.execute(
                    "INSERT INTO stage.aff VALUES (?,?,?,?,?,?,?,?,?)",
                    (ecosystem, package, *columns),
                )
            for about in database.records_of(name):
                _stage_vulnerability(connection, msgspec.structs.replace(about, feed=name))
            connection.execute("COMMIT")
            return feed
    except MartelloError:
        return None
