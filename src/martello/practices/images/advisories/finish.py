"""The end of a build: staged records become sorted rows, with alias groups and what is known of
exploitation.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence, Sized
from itertools import groupby
from pathlib import Path
from typing import Final, Protocol

import msgspec

from martello.core.errors import MartelloError
from martello.core.vulnerability import Feed, Vulnerability
from martello.practices.images.advisories import enrich, products
from martello.practices.images.advisories.aliases import Groups
from martello.practices.images.advisories.db import open_database
from martello.practices.images.advisories.rows import text
from martello.practices.images.advisories.text import Compressor, trained

_SAMPLES: Final = 2_000
_VULNERABILITY: Final = msgspec.json.Decoder(Vulnerability)


class More(msgspec.Struct):
    """What is known besides advisories, and which of its files could not be read."""

    exploited: dict[str, str] = {}
    epss: dict[str, float] = {}
    ends: dict[str, str] = {}
    products: dict[str, tuple[str, ...]] = {}
    errors: dict[str, str] = {}

    def count(self, kind: str) -> int:
        """How much the files of a kind say."""
        return len(self._table(kind))

    def _table(self, kind: str) -> Sized:
        if kind == "epss":
            return self.epss
        if kind == "products":
            return self.products
        return self.exploited if kind == "exploited" else self.ends


class ExtraFile(Protocol):
    """A file that says more of vulnerabilities."""

    @property
    def name(self) -> str:
        """The name of the feed."""
        ...

    @property
    def path(self) -> Path:
        """Where it lies."""
        ...

    @property
    def kind(self) -> str:
        """exploited, epss, products or ends."""
        ...

    @property
    def time(self) -> str:
        """When its source made it."""
        ...


def extras(
    files: Sequence[ExtraFile], now: str, previous: Path | None = None
) -> tuple[More, list[Feed]]:
    """Reads the files besides advisories; to dates of distributions the bundled ones are added. Of
    a file that is broken, what the previous database held stays.
    """
    more = More(ends=dict(enrich.ends()))
    feeds: list[Feed] = []
    for file in sorted(files, key=lambda file: (file.name, str(file.path))):
        time = file.time
        try:
            if file.kind == "exploited":
                more.exploited |= enrich.exploited(file.path)
                time = time or max(more.exploited.values(), default="")
            elif file.kind == "epss":
                scores, day = enrich.probabilities(file.path)
                more.epss |= scores
                time = time or day
            elif file.kind == "products":
                more.products |= products.repositories(file.path)
            else:
                more.ends |= enrich.ends(file.path)
        except MartelloError as error:
            more.errors[file.name] = error.why or error.what
            feeds += _carried(file, more, previous)
            continue
        if now and time > now:
            time = ""
        count = more.count(file.kind)
        feeds.append(Feed(file.name, "", time, count, sha256=checksum(file.path)))
    return more, feeds


def _carried(file: ExtraFile, more: More, previous: Path | None) -> list[Feed]:
    if previous is None:
        return []
    try:
        with open_database(previous) as database:
            days, scores = database.exploitation()
            known_products = database.repositories() if file.kind == "products" else {}
            known = [feed for feed in database.feeds if feed.name == file.name]
    except MartelloError:
        return []
    if known and file.kind == "exploited":
        more.exploited |= days
    elif known and file.kind == "epss":
        more.epss |= scores
    elif known and file.kind == "products":
        more.products |= known_products
    return known if file.kind != "ends" else []


def checksum(path: Path) -> str:
    """sha256 of a feed's file; of the names and digests of its files where it is a folder."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for part in sorted(path.rglob("*")):
        told = part.relative_to(path)
        hidden = any(name.startswith(".") for name in told.parts)
        if not hidden and part.is_file() and not part.is_symlink():
            digest.update(f"{told} {checksum(part)}\n".encode())
    return digest.hexdigest()


def finish(
    connection: sqlite3.Connection, feeds: Sequence[Feed], more: More
) -> tuple[int, int, int]:
    """Writes all tables of what was staged. Returns the numbers of records, statements and alias
    groups.
    """
    groups = _groups(connection)
    connection.execute("BEGIN")
    records = _vulnerabilities(connection, groups, more)
    connection.execute("DROP TABLE stage.vuln")
    statements = _affected(connection)
    members = groups.groups()
    connection.executemany(
        "INSERT INTO alias VALUES (?,?)",
        sorted((id, text(group)) for group in members for id in group),
    )
    connection.executemany(
        "INSERT INTO feed VALUES (?,?,?,?,?,?,?)",
        [
            (f.name, f.revision, f.time, f.count, f.skipped, f.sha256, text(f.ecosystems))
            for f in sorted(feeds, key=lambda feed: feed.name)
        ],
    )
    covered = sorted({ecosystem for feed in feeds for ecosystem in feed.ecosystems})
    connection.executemany("INSERT INTO ecosystem VALUES (?)", [(name,) for name in covered])
    connection.executemany(
        "INSERT INTO product VALUES (?,?)",
        [(name, text(cpes)) for name, cpes in sorted(more.products.items())],
    )
    connection.executemany("INSERT INTO eol VALUES (?,?)", sorted(more.ends.items()))
    connection.execute("COMMIT")
    connection.execute("DETACH stage")
    connection.execute("VACUUM")
    return records, statements, len(members)


def _groups(connection: sqlite3.Connection) -> Groups:
    groups = Groups()
    for (body,) in connection.execute("SELECT body FROM stage.vuln ORDER BY id, feed, body"):
        about = _VULNERABILITY.decode(body)
        if about.aliases:
            groups.join(about.id, about.aliases)
    return groups


def _affected(connection: sqlite3.Connection) -> int:
    """Sorted, without repetitions; `n` tells several statements of a record on a package apart."""
    connection.execute(
        "INSERT INTO aff SELECT ecosystem, name, id,"
        " row_number() OVER (PARTITION BY ecosystem, name, id"
        " ORDER BY feed, ranges, status, severity, versions, more) - 1,"
        " status, severity, feed, ranges, versions, more"
        " FROM (SELECT DISTINCT ecosystem, name, id, status, severity, feed, ranges, versions, more"
        " FROM stage.aff) ORDER BY ecosystem, name, id"
    )
    return int(connection.execute("SELECT count(*) FROM aff").fetchone()[0])


def _vulnerabilities(connection: sqlite3.Connection, groups: Groups, more: More) -> int:
    days: dict[str, str] = {}
    for id, day in sorted(more.exploited.items()):
        days.setdefault(groups.root(id), day)
    scores: dict[str, float] = {}
    for id, score in more.epss.items():
        root = groups.root(id)
        scores[root] = max(score, scores.get(root, -1.0))
    count = int(connection.execute("SELECT count(*) FROM stage.vuln").fetchone()[0])
    step = max(1, count // _SAMPLES)
    dictionary = trained([_text(v) for n, v in enumerate(_merged(connection)) if n % step == 0])
    connection.execute("INSERT INTO dictionary VALUES (1, ?)", (dictionary,))
    compress = Compressor(dictionary)
    rows = (_row(v, days, scores, groups.root, compress) for v in _merged(connection))
    written = connection.executemany("INSERT INTO vuln VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", rows)
    return written.rowcount


def _row(
    about: Vulnerability,
    days: dict[str, str],
    scores: dict[str, float],
    root: Callable[[str], str],
    compress: Compressor,
) -> tuple[object, ...]:
    key = root(about.id)
    return (
        about.id,
        text(about.aliases),
        about.severity,
        text(about.severities),
        text(about.vectors),
        about.published,
        about.modified,
        about.withdrawn,
        about.feed,
        days.get(key, ""),
        scores.get(key, -1.0),
        compress(_text(about)),
    )


def _text(about: Vulnerability) -> bytes:
    return msgspec.json.encode((about.summary, about.details, about.references))


def _merged(connection: sqlite3.Connection) -> Iterator[Vulnerability]:
    """One for each id: feeds add to each other, gatherers of other feeds (OSV) first."""
    rows = connection.execute("SELECT id, body FROM stage.vuln ORDER BY id, feed DESC, body")
    for _, same in groupby(rows, key=lambda row: row[0]):
        merged: Vulnerability | None = None
        for _, body in same:
            found = _VULNERABILITY.decode(body)
            merged = found if merged is None else _joined(merged, found)
        if merged is not None:
            yield merged


def _joined(one: Vulnerability, other: Vulnerability) -> Vulnerability:
    if bool(one.withdrawn) != bool(other.withdrawn):
        # what one feed has withdrawn and another has not, stands
        return other if one.withdrawn else one
    return msgspec.structs.replace(
        one,
        aliases=tuple(sorted({*one.aliases, *other.aliases})),
        summary=one.summary or other.summary,
        details=max(one.details, other.details, key=lambda text: (len(text), text)),
        severity=one.severity or other.severity,
        severities=one.severities or other.severities,
        vectors=one.vectors or other.vectors,
        published=min(filter(None, (one.published, other.published)), default=""),
        modified=max(one.modified, other.modified),
        references=one.references or other.references,
    )
