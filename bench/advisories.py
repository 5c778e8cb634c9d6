"""Look-ups in an advisory database of 600,000 statements, and builds, in milliseconds of one run.

The peer is the same question to the same rows in a table with a row id and a plain index.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from martello.core.vulnerability import Affected, Vulnerability
from martello.practices.images.advisories import osv
from martello.practices.images.advisories.build import Source, build
from martello.practices.images.advisories.db import open_database
from martello.practices.images.advisories.record import Item, Record, until

STATEMENTS = 600_000
PACKAGES = 40_000
LOOK_UPS = 400
ECOSYSTEMS = ("Debian:11", "Debian:12", "Debian:13", "Ubuntu:22.04", "Ubuntu:24.04", "npm")


def main() -> None:
    """Prints the figures."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "advisories.db"
        source = Path(directory) / "nothing"
        source.touch()
        begun = time.perf_counter()
        report = build([Source("osv:made", source, made)], out)
        took = time.perf_counter() - begun
        print(f"{report.statements} statements: {report.size / 1e6:.1f} MB, built in {took:.1f} s")
        keys = [(ECOSYSTEMS[n % len(ECOSYSTEMS)], name(n * 97)) for n in range(LOOK_UPS)]
        ours = min(look_up(out, keys) for _ in range(5))
        theirs = min(peer(out, keys) for _ in range(3))
        print(
            f"{LOOK_UPS} look-ups with opening: {ours:.1f} ms, with a plain index {theirs:.1f} ms"
        )
        corpus(Path(directory))


def made(_: Path) -> Iterator[Item]:
    """Records in the proportions of distributions: some packages have many."""
    each = STATEMENTS // len(ECOSYSTEMS)
    for number in range(each):
        id = f"CVE-{2010 + number % 15}-{number:05}"
        package = name(number * 7)
        rows = tuple(
            Affected(id, ecosystem, package, until(f"1.{number % 50}-{number % 7}"), status="fixed")
            for ecosystem in ECOSYSTEMS
        )
        yield Record(Vulnerability(id, summary=f"a flaw of {package}"), rows)


def name(number: int) -> str:
    """The name of a package."""
    return f"package-{number % PACKAGES}"


def look_up(path: Path, keys: list[tuple[str, str]]) -> float:
    """Milliseconds to open the file and ask for all."""
    begun = time.perf_counter()
    with open_database(path) as database:
        database.about(keys)
    return (time.perf_counter() - begun) * 1e3


def peer(path: Path, keys: list[tuple[str, str]]) -> float:
    """The same rows in a table as one would first think of it, without making `Affected`."""
    plain = path.with_name("plain.db")
    if not plain.exists():
        connection = sqlite3.connect(plain)
        connection.execute("ATTACH ? AS a", (str(path),))
        connection.execute("CREATE TABLE aff AS SELECT * FROM a.aff")
        connection.execute("CREATE INDEX i ON aff (ecosystem, name)")
        connection.commit()
        connection.close()
    begun = time.perf_counter()
    connection = sqlite3.connect(f"file:{plain}?mode=ro&immutable=1", uri=True)
    for key in keys:
        connection.execute("SELECT * FROM aff WHERE ecosystem = ? AND name = ?", key).fetchall()
    connection.close()
    return (time.perf_counter() - begun) * 1e3


def corpus(directory: Path) -> None:
    """The build of the real zips, where they are."""
    from tests.corpus.__main__ import DEFAULT

    files = sorted((DEFAULT / "advisories" / "osv").glob("*/all.zip"))
    if not files:
        return
    sources = [
        Source(feed, file, partial(osv.read, feed=feed))
        for file in files
        if (feed := f"osv:{file.parent.name}")
    ]
    begun = time.perf_counter()
    report = build(sources, directory / "corpus.db")
    took = time.perf_counter() - begun
    print(f"{report.records} real records: {report.size / 1e6:.1f} MB, built in {took:.1f} s")


if __name__ == "__main__":
    main()
