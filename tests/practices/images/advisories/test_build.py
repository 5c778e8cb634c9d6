"""The database: built the same from the same, complete where it can be, read by many (D1, D4)."""

from __future__ import annotations

import gzip
import json
import sqlite3
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from martello.core.errors import BadInput, Stale
from martello.practices.images.advisories.build import Report, Source, build
from martello.practices.images.advisories.db import Database, open_database
from martello.practices.images.advisories.record import Skipped
from martello.practices.images.advisories.rows import MAJOR
from martello.practices.images.advisories.sources import find

NOW = "2026-09-01T00:00:00Z"


def record(id: str, name: str = "a", ecosystem: str = "PyPI", **more: Any) -> dict[str, Any]:
    events = [{"introduced": "0"}, {"fixed": "2.0"}]
    ranges = [{"type": "ECOSYSTEM", "events": events}]
    affected = [{"package": {"ecosystem": ecosystem, "name": name}, "ranges": ranges}]
    modified = "2026-01-01T00:00:00Z"
    return {"id": id, "modified": modified, "affected": affected, "details": f"on {id}"} | more


def feed(folder: Path, ecosystem: str, *records: dict[str, Any] | bytes) -> Path:
    path = folder / ecosystem / "all.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, one in enumerate(records):
            content = one if isinstance(one, bytes) else json.dumps(one).encode()
            archive.writestr(f"{number}.json", content)
    return path


def built(folder: Path, out: Path, previous: Path | None = None) -> Report:
    found = find(folder)
    return build(found.sources, out, NOW, extras=found.extras, previous=previous)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "feeds"
    feed(
        made,
        "PyPI",
        record("PYSEC-1", aliases=["CVE-2024-0001"]),
        record("GHSA-1", aliases=["CVE-2024-0001"], database_specific={"severity": "HIGH"}),
        record("PYSEC-2", "b", withdrawn="2026-01-02T00:00:00Z"),
        b"broken",
    )
    feed(made, "npm", record("GHSA-2", "a", "npm"))
    return made


def test_look_ups(folder: Path, tmp_path: Path) -> None:
    report = built(folder, tmp_path / "a.db")
    assert (report.records, report.statements, report.groups) == (4, 4, 1)
    with open_database(report.path) as database:
        assert database.digest == report.digest
        assert database.covers("PyPI")
        assert not database.covers("Maven")
        assert database.ecosystems() == ("PyPI", "npm")
        found = database.about([("PyPI", "a"), ("npm", "a"), ("PyPI", "nothing")])
        assert {key: [a.id for a in said] for key, said in found.items()} == {
            ("PyPI", "a"): ["GHSA-1", "PYSEC-1"],
            ("npm", "a"): ["GHSA-2"],
        }
        assert database.group("PYSEC-1") == ("CVE-2024-0001", "GHSA-1", "PYSEC-1")
        assert database.group("GHSA-2") == ("GHSA-2",)
        records = database.vulnerabilities(["GHSA-1", "PYSEC-2", "CVE-2024-0001"])
        assert set(records) == {"GHSA-1", "PYSEC-2"}
        assert records["GHSA-1"].severity == "high"
        assert records["GHSA-1"].details == "on GHSA-1"
        assert records["PYSEC-2"].withdrawn
        assert database.about([("PyPI", "b")])["PyPI", "b"][0].status == "not-affected"
        assert [feed.name for feed in database.feeds] == ["osv:PyPI", "osv:npm"]
        assert database.built == "2026-01-01T00:00:00Z"
        assert database.end_of_life("Debian:10") == "2024-06-30"
        assert database.check() == ""


def test_broken_records_are_counted_and_named(folder: Path, tmp_path: Path) -> None:
    report = built(folder, tmp_path / "a.db")
    python = next(feed for feed in report.feeds if feed.name == "osv:PyPI")
    assert (python.taken, python.skipped) == (3, 1)
    assert python.troubles[0].examples == ("3.json",)
    assert report.complete


def test_equal_input_gives_equal_bytes(folder: Path, tmp_path: Path) -> None:
    first = built(folder, tmp_path / "a.db")
    later = tmp_path / "elsewhere" / "feeds"
    later.parent.mkdir()
    folder.rename(later)
    found = find(later)
    second = build(tuple(reversed(found.sources)), tmp_path / "b.db", NOW, extras=found.extras)
    assert first.digest == second.digest
    assert (tmp_path / "a.db").read_bytes() == (tmp_path / "b.db").read_bytes()
    feed(later, "npm", record("GHSA-2", "a", "npm", details="another"))
    assert built(later, tmp_path / "c.db").digest != first.digest


def test_a_broken_feed_keeps_its_last_revision(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.db"
    first = built(folder, out)
    (folder / "PyPI" / "all.zip").write_bytes(b"<html>too many requests</html>")
    second = built(folder, out, previous=out)
    assert not second.complete
    python = next(feed for feed in second.feeds if feed.name == "osv:PyPI")
    assert python.kept
    assert "zip" in python.error
    assert second.digest == first.digest


def test_a_broken_feed_without_a_past_is_missing(folder: Path, tmp_path: Path) -> None:
    (folder / "PyPI" / "all.zip").write_bytes(b"PK")
    report = built(folder, tmp_path / "a.db", previous=tmp_path / "none.db")
    with open_database(report.path) as database:
        assert not database.covers("PyPI")
        assert database.covers("npm")


def test_a_feed_that_breaks_halfway_leaves_nothing_of_itself(folder: Path, tmp_path: Path) -> None:
    source = next(source for source in find(folder).sources if source.name == "osv:PyPI")

    def halfway(path: Path) -> Any:
        yield next(iter(source.read(path)))
        raise BadInput("cut", "the line broke")

    report = build([Source("osv:PyPI", source.path, halfway)], tmp_path / "a.db", NOW)
    assert (report.records, report.statements) == (0, 0)
    assert report.feeds[0].error == "the line broke"


def test_a_failed_build_leaves_the_old_file(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.db"
    digest = built(folder, out).digest

    def failing(_: Path) -> Any:
        yield Skipped("one", "broken")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build([Source("osv:PyPI", folder, failing)], out, NOW)
    with open_database(out) as database:
        assert database.digest == digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.db", "feeds"]


def test_a_feed_of_the_future_has_no_time(folder: Path, tmp_path: Path) -> None:
    feed(folder, "npm", record("GHSA-2", "a", "npm", modified="2999-01-01T00:00:00Z"))
    with open_database(built(folder, tmp_path / "a.db").path) as database:
        assert {feed.name: feed.time for feed in database.feeds}["osv:npm"] == ""


def test_exploitation_reaches_all_names(folder: Path, tmp_path: Path) -> None:
    known = {"vulnerabilities": [{"cveID": "CVE-2024-0001", "dateAdded": "2024-05-05"}]}
    (folder / "known_exploited_vulnerabilities.json").write_text(json.dumps(known))
    scores = b"#model_version:v1,score_date:2024-06-01T00:00:00+0000\ncve,epss,percentile\n"
    (folder / "epss_scores-current.csv.gz").write_bytes(
        gzip.compress(scores + b"CVE-2024-0001,0.9,0.99\nCVE-1,x,y\n")
    )
    report = built(folder, tmp_path / "a.db")
    with open_database(report.path) as database:
        records = database.vulnerabilities(["GHSA-1", "PYSEC-1", "GHSA-2"])
        assert {id: (v.exploited, v.epss) for id, v in records.items()} == {
            "GHSA-1": ("2024-05-05", 0.9),
            "PYSEC-1": ("2024-05-05", 0.9),
            "GHSA-2": ("", -1.0),
        }
        times = {feed.name: feed.time for feed in database.feeds}
        assert (times["cisa-kev"], times["epss"][:10]) == ("2024-05-05", "2024-06-01")


def test_broken_knowledge_of_exploitation_keeps_the_old(folder: Path, tmp_path: Path) -> None:
    known = {"vulnerabilities": [{"cveID": "CVE-2024-0001", "dateAdded": "2024-05-05"}]}
    place = folder / "known_exploited_vulnerabilities.json"
    place.write_text(json.dumps(known))
    out = built(folder, tmp_path / "a.db").path
    place.write_text("<html>")
    report = built(folder, out, previous=out)
    assert not report.complete
    assert next(feed for feed in report.feeds if feed.name == "cisa-kev").kept
    with open_database(out) as database:
        assert database.vulnerabilities(["PYSEC-1"])["PYSEC-1"].exploited == "2024-05-05"
        assert "cisa-kev" in {feed.name for feed in database.feeds}


@pytest.mark.parametrize(
    "column", ['ranges = \'[["X","+0"]]\'', "ranges = '['", "versions = '{}'", "more = x'00'"]
)
def test_damaged_rows_are_told(folder: Path, tmp_path: Path, column: str) -> None:
    path = changed(built(folder, tmp_path / "a.db").path, f"UPDATE aff SET {column}")
    with open_database(path) as database, pytest.raises(BadInput, match="cannot read"):
        database.about([("PyPI", "a")])


def test_damaged_texts_are_told(folder: Path, tmp_path: Path) -> None:
    for text in ("x'00'", "NULL", "'text'"):
        path = changed(built(folder, tmp_path / "a.db").path, f"UPDATE vuln SET text = {text}")
        with open_database(path) as database, pytest.raises(BadInput, match="cannot read"):
            database.vulnerabilities(["GHSA-1"])


def test_several_statements_of_one_record_stay(tmp_path: Path) -> None:
    affected = record("GO-1", "m", "Go")["affected"]
    other = [{"package": affected[0]["package"], "versions": ["9.0.0"]}]
    feed(tmp_path / "feeds", "Go", record("GO-1", affected=affected + other + other))
    with open_database(built(tmp_path / "feeds", tmp_path / "a.db").path) as database:
        assert [a.versions for a in database.about([("Go", "m")])["Go", "m"]] == [("9.0.0",), ()]


def changed(path: Path, pragma: str) -> Path:
    connection = sqlite3.connect(path)
    connection.execute(pragma)
    connection.commit()
    connection.close()
    return path


def test_a_newer_schema_is_refused_with_a_way_out(folder: Path, tmp_path: Path) -> None:
    path = changed(built(folder, tmp_path / "a.db").path, f"PRAGMA user_version={MAJOR + 1}")
    with pytest.raises(BadInput) as caught:
        open_database(path)
    assert caught.value.next == "update martello"


def test_no_database(tmp_path: Path) -> None:
    with pytest.raises(Stale, match="no advisory database"):
        open_database(tmp_path / "none.db")
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    (tmp_path / "text.db").write_text("no database at all, but long enough to be read as one" * 20)
    (tmp_path / "empty.db").write_bytes(b"")
    for name in ("other.db", "text.db", "empty.db"):
        with pytest.raises(BadInput):
            open_database(tmp_path / name)


def test_damage_is_told(folder: Path, tmp_path: Path) -> None:
    path = built(folder, tmp_path / "a.db").path
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(BadInput):
        open_database(path)


def test_many_readers_and_a_new_file_beneath_them(folder: Path, tmp_path: Path) -> None:
    out = built(folder, tmp_path / "a.db").path
    with open_database(out) as shared, ThreadPoolExecutor(8) as pool:
        feed(folder, "PyPI", record("PYSEC-9"))
        assert built(folder, out).records == 2

        def look(number: int) -> list[str]:
            if number % 2:
                return _ids(shared)
            with open_database(out) as own:
                return _ids(own)

        answers = list(pool.map(look, range(200)))
    assert answers[1::2] == [["GHSA-1", "PYSEC-1"]] * 100
    assert answers[::2] == [["PYSEC-9"]] * 100


def _ids(database: Database) -> list[str]:
    return [affected.id for affected in database.about([("PyPI", "a")])["PyPI", "a"]]


def test_one_query_a_package_and_no_scan(folder: Path, tmp_path: Path) -> None:
    """Counted work: a look-up searches the key of the table, once for each package."""
    out = built(folder, tmp_path / "a.db").path
    with open_database(out) as database:
        queries: list[str] = []
        database._connection.set_trace_callback(queries.append)
        database.about([("PyPI", "a"), ("PyPI", "x"), ("npm", "a")])
        assert len(queries) == 3
        database._connection.set_trace_callback(None)
        plan = database._connection.execute(f"EXPLAIN QUERY PLAN {queries[0]}").fetchall()
        assert all("SEARCH aff USING PRIMARY KEY" in row[3] for row in plan)
