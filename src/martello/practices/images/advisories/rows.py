"""The tables of the advisory database, and how records lie in them.

Plain rows, readable with the sqlite3 shell. A range is `["E","+0","-1.2.3"]`: its type (E, S), then
its events: `+` introduced, `-` fixed, `=` last affected, `<` limit.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec

from martello.core.vulnerability import Affected, Events

MAJOR: Final = 1  # a reader refuses a newer one
APPLICATION: Final = 0x4D41524C  # "MARL"
PAGE: Final = 4096
TABLES: Final = """
CREATE TABLE feed (name TEXT PRIMARY KEY, revision TEXT, time TEXT, count INTEGER, skipped INTEGER,
  sha256 TEXT, ecosystems TEXT) WITHOUT ROWID;
CREATE TABLE ecosystem (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE aff (ecosystem TEXT, name TEXT, id TEXT, n INTEGER, status TEXT, severity TEXT,
  feed TEXT, ranges TEXT, versions TEXT, more TEXT,
  PRIMARY KEY (ecosystem, name, id, n)) WITHOUT ROWID;
CREATE TABLE vuln (id TEXT PRIMARY KEY, aliases TEXT, severity TEXT, severities TEXT, vectors TEXT,
  published TEXT, modified TEXT, withdrawn TEXT, feed TEXT, exploited TEXT, epss REAL, text BLOB)
  WITHOUT ROWID;
CREATE TABLE alias (id TEXT PRIMARY KEY, named TEXT) WITHOUT ROWID;
CREATE TABLE eol (ecosystem TEXT PRIMARY KEY, day TEXT) WITHOUT ROWID;
CREATE TABLE product (repository TEXT PRIMARY KEY, cpes TEXT) WITHOUT ROWID;
CREATE TABLE dictionary (id INTEGER PRIMARY KEY, content BLOB);
"""
_TYPES: Final = {"ECOSYSTEM": "E", "SEMVER": "S"}
_LONG_TYPES: Final = {short: long for long, short in _TYPES.items()}
_SIGNS: Final = {"introduced": "+", "fixed": "-", "last_affected": "=", "limit": "<"}
_KINDS: Final = {sign: kind for kind, sign in _SIGNS.items()}


class More(msgspec.Struct, frozen=True, omit_defaults=True):
    """What few records say."""

    arches: tuple[str, ...] = ()
    module: str = ""
    cpes: tuple[str, ...] = ()
    note: str = ""
    released: str = ""


_NO_MORE: Final = More()
_MORE: Final = msgspec.json.Decoder(More)
_RANGES: Final = msgspec.json.Decoder(tuple[tuple[str, ...], ...])
_TEXTS: Final = msgspec.json.Decoder(tuple[str, ...])
_PAIRS: Final = msgspec.json.Decoder(tuple[tuple[str, str], ...])


def text(value: Any) -> str:
    """A value as compact JSON; nothing where it is empty."""
    return msgspec.json.encode(value).decode() if value else ""


def texts(column: str) -> tuple[str, ...]:
    """The texts of a column."""
    return _TEXTS.decode(column) if column else ()


def pairs(column: str) -> tuple[tuple[str, str], ...]:
    """The pairs of a column."""
    return _PAIRS.decode(column) if column else ()


def row_of(affected: Affected) -> tuple[str, ...]:
    """The columns of a statement after (ecosystem, name, id)."""
    more = More(affected.arches, affected.module, affected.cpes, affected.note, affected.released)
    return (
        affected.status,
        affected.severity,
        affected.feed,
        _ranges_text(affected.ranges),
        text(affected.versions),
        "" if more == _NO_MORE else msgspec.json.encode(more).decode(),
    )


def affected_of(ecosystem: str, name: str, row: tuple[str, ...]) -> Affected:
    """The statement of a row (id, status, severity, feed, ranges, versions, more)."""
    id, status, severity, feed, ranges, versions, rest = row
    held = _ranges_of(ranges) if ranges else ()
    listed = _TEXTS.decode(versions) if versions else ()
    if not rest:
        return Affected(id, ecosystem, name, held, listed, status, severity, feed)
    more = _MORE.decode(rest)
    said = (more.arches, more.module, more.cpes, more.note, more.released)
    return Affected(id, ecosystem, name, held, listed, status, severity, feed, *said)


def _ranges_text(ranges: tuple[Events, ...]) -> str:
    return text(
        [
            [_TYPES[events.type], *(_SIGNS[kind] + version for kind, version in events.events)]
            for events in ranges
        ]
    )


@lru_cache(maxsize=8192)
def _ranges_of(column: str) -> tuple[Events, ...]:
    return tuple(
        Events(_LONG_TYPES[events[0]], tuple((_KINDS[event[0]], event[1:]) for event in events[1:]))
        for events in _RANGES.decode(column)
    )
