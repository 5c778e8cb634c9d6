"""`martello db`: built from a folder, fetched from a mirror, handed on through a registry."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support import shop
from tests.support.command import Done
from tests.support.forked import martello
from tests.support.images import write_layout
from tests.support.mirror import Mirror, mirror
from tests.support.registry import Missing, running

from martello.practices.images.advisories.rows import MAJOR


def run(place: Path, *words: str, **env: str) -> Done:
    """A `db` command whose database lies in that directory."""
    own = {
        "MARTELLO_DATABASE": str(place / "advisories.db"),
        "MARTELLO_STATE": f"sqlite:///{place / 'state.db'}",
        "HOME": str(place / "home"),
        **env,
    }
    return martello("db", *words, cwd=place, env=own)


def test_build_says_what_became_of_each_feed(tmp_path: Path) -> None:
    shop.feeds(tmp_path / "feeds")
    (tmp_path / "feeds" / "notes.txt").write_text("mine")
    done = run(tmp_path, "build", "feeds")
    assert done.code == 0
    lines = done.out.splitlines()
    assert "read      osv:Debian: 3" in lines
    assert "read      cisa-kev: 1" in lines
    assert lines[-1].startswith("sha256:")
    assert "not read: notes.txt" in done.err
    again = run(tmp_path, "build", "feeds", "--db", "other.db")
    assert again.out.splitlines()[-1] == lines[-1]


def test_a_broken_feed_keeps_what_was_known(tmp_path: Path) -> None:
    shop.feeds(tmp_path / "feeds")
    assert run(tmp_path, "build", "feeds").code == 0
    (tmp_path / "feeds" / "PyPI" / "all.zip").write_bytes(b"PK\x03\x04 half")
    done = run(tmp_path, "build", "feeds")
    assert done.code == 3
    assert "failed    osv:PyPI" in done.out
    assert "what the last database held of it stays" in done.out
    assert "PyPI" in run(tmp_path, "status", "-o", "json").report["ecosystems"]


def test_nothing_to_build_is_told(tmp_path: Path) -> None:
    (tmp_path / "feeds").mkdir()
    for folder in ("feeds", "nothing"):
        done = run(tmp_path, "build", folder)
        assert (done.code, done.out) == (2, "")
    assert not (tmp_path / "advisories.db").exists()
    shop.feeds(tmp_path / "feeds")
    assert run(tmp_path, "build", "feeds", "--db", "feeds/PyPI/all.zip/x.db").code == 2


def test_status_says_how_old_and_what_differs(tmp_path: Path) -> None:
    done = run(tmp_path, "status")
    assert done.code == 3
    assert done.err.splitlines()[-1].startswith("next: martello db update")
    shop.database(tmp_path)
    done = run(tmp_path, "status", "--verify")
    assert done.code == 0
    assert "osv:Debian" in done.out
    assert "2 h old" in done.out
    (tmp_path / "old").mkdir()
    shop.database(tmp_path / "old", datetime.now(UTC) - timedelta(days=5))
    old = str(tmp_path / "old" / "advisories.db")
    done = run(tmp_path, "status", "--db", old)
    assert done.code == 3
    assert "because older than three days, or of unknown age: " in done.err
    different = run(tmp_path, "status", "--against", old).out.splitlines()
    assert any(line.startswith("+ osv:PyPI") for line in different)
    assert any(line.startswith("- osv:PyPI") and "5 days old" in line for line in different)


def test_a_damaged_or_foreign_file_is_told(tmp_path: Path) -> None:
    shop.database(tmp_path)
    database = tmp_path / "advisories.db"
    content = bytearray(database.read_bytes())
    content[5000:9000] = b"\xff" * 4000
    (tmp_path / "bad.db").write_bytes(content)
    (tmp_path / "text.db").write_text("no database")
    with sqlite3.connect(tmp_path / "newer.db") as newer, sqlite3.connect(database) as known:
        known.backup(newer)
        newer.execute(f"PRAGMA user_version = {MAJOR + 1}")
    for name, said in (("bad.db", ""), ("text.db", "no advisory database"), ("newer.db", "schema")):
        done = run(tmp_path, "status", "--verify", "--db", name)
        assert done.code in (2, 3), name
        assert said in done.err


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Mirror]:
    """A mirror of the feeds of the shop."""
    with mirror(shop.feeds(tmp_path / "there")) as found:
        yield found


def update(place: Path, served: Mirror, *words: str) -> Done:
    """An update from the mirror."""
    return run(place, "update", "--base", served.url, *words)


def test_update_fetches_what_is_named_and_says_its_size(tmp_path: Path, served: Mirror) -> None:
    served.instead["debian/tracker.json"] = 404
    served.instead["epss_scores-current.csv.gz"] = 404
    done = update(tmp_path, served, "PyPI", "npm", "--dry-run")
    assert done.out.splitlines()[0] == f"PyPI/all.zip  {served.url}/PyPI/all.zip"
    assert served.answered == []
    done = update(tmp_path, served, "PyPI", "npm")
    assert done.code == 3  # the mirror has no EPSS
    lines = done.out.splitlines()
    size = (served.folder / "PyPI" / "all.zip").stat().st_size
    assert f"new       PyPI/all.zip  {size} B" in lines
    (missing,) = [line for line in lines if line.startswith("missing ")]
    assert missing.startswith("missing   epss_scores-current.csv.gz  cannot read")
    known = run(tmp_path, "status", "-o", "json").report
    assert known["ecosystems"] == ["PyPI", "npm"]
    assert {feed["name"] for feed in known["feeds"]} >= {"osv:PyPI", "osv:npm", "cisa-kev"}


def complete(served: Mirror) -> None:
    """Lays over the mirror what it lacks."""
    import gzip

    text = "#model_version:v2025,score_date:2031-01-01T00:00:00+0000\ncve,epss,percentile\n"
    text += f"{shop.CVE},0.5,0.9\n"
    served.instead["epss_scores-current.csv.gz"] = gzip.compress(text.encode())


def contents(place: Path) -> list[tuple[str, int, str]]:
    """What the database holds of each feed; not when that was last checked."""
    feeds = run(place, "status", "-o", "json").report["feeds"]
    return [(feed["name"], feed["count"], feed["sha256"]) for feed in feeds]


def test_a_second_update_fetches_nothing_and_builds_the_same(
    tmp_path: Path, served: Mirror
) -> None:
    complete(served)
    assert update(tmp_path, served, "PyPI").code == 0
    first = contents(tmp_path)
    served.answered.clear()
    done = update(tmp_path, served)  # what the database knows already
    assert done.code == 0
    assert {status for _, status in served.answered} == {304}
    assert {path for path, _ in served.answered} == {
        "PyPI/all.zip",
        "epss_scores-current.csv.gz",
        "known_exploited_vulnerabilities.json",
    }
    assert contents(tmp_path) == first


@pytest.mark.parametrize("broken", [b"<html>sorry</html>", b"", 403, 404])
def test_a_broken_feed_keeps_the_last_good_one(
    tmp_path: Path, served: Mirror, broken: bytes | int
) -> None:
    complete(served)
    assert update(tmp_path, served, "PyPI", "npm").code == 0
    served.instead["PyPI/all.zip"] = broken
    done = update(tmp_path, served)
    assert done.code == 3
    assert "kept      PyPI/all.zip" in done.out
    assert run(tmp_path, "status", "-o", "json").report["ecosystems"] == ["PyPI", "npm"]


def test_update_for_an_image(tmp_path: Path, served: Mirror) -> None:
    complete(served)
    served.instead["debian/tracker.json"] = 404
    write_layout(tmp_path / "build", {"1": shop.shop()})
    update(tmp_path, served, "--for", "build")
    assert ("PyPI/all.zip", 200) in served.answered
    assert ("npm/all.zip", 200) not in served.answered
    assert any(path.startswith("debian/") for path, _ in served.answered)


def test_nothing_says_what_is_needed(tmp_path: Path, served: Mirror) -> None:
    done = update(tmp_path, served)
    assert (done.code, served.answered) == (2, [])
    done = update(tmp_path, served, "Nothing:1", "PyPI", "--dry-run")
    assert "no feed is known for Nothing:1" in done.err


def test_a_mirror_that_is_away(tmp_path: Path, served: Mirror) -> None:
    complete(served)
    assert update(tmp_path, served, "PyPI").code == 0
    before = contents(tmp_path)
    for path in ("PyPI/all.zip", "known_exploited_vulnerabilities.json"):
        served.instead[path] = 403
    assert update(tmp_path, served).code == 3
    assert contents(tmp_path) == before


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    """A real registry; its host."""
    try:
        with running() as real:
            yield real.url
    except Missing as missing:
        pytest.skip(str(missing))


def there(tmp_path: Path, *parts: str) -> Path:
    """Another machine: a directory with nothing in it."""
    place = tmp_path.joinpath(*parts)
    place.mkdir(parents=True)
    return place


def test_push_and_pull(tmp_path: Path, registry: str) -> None:
    shop.database(tmp_path)
    reference = f"{registry}/security/advisories:1"
    done = run(tmp_path, "push", reference)
    assert (done.code, done.err) == (0, "")
    assert run(tmp_path, "push", reference).out.rstrip().endswith("there already")
    other = there(tmp_path, "other")
    pulled = run(other, "pull", reference)
    assert (pulled.code, pulled.err) == (0, "")
    assert (other / "advisories.db").read_bytes() == (tmp_path / "advisories.db").read_bytes()
    again = run(other, "pull", reference)
    assert again.out.startswith("unchanged  ")
    assert {p.name for p in other.iterdir()} == {"advisories.db"}


def test_a_key_vouches_for_the_database(tmp_path: Path, registry: str) -> None:
    shop.database(tmp_path)
    for name in ("ours", "theirs"):
        done = martello("image", "key", str(tmp_path / name), cwd=tmp_path)
        assert done.code == 0, done
    reference = f"{registry}/security/signed:1"
    run(tmp_path, "push", reference)
    other = there(tmp_path, "other")
    ours, theirs = (str(tmp_path / f"{name}.pub") for name in ("ours", "theirs"))
    done = run(other, "pull", reference, "--key", ours)
    assert (done.code, done.out) == (1, "")
    assert not (other / "advisories.db").exists()
    assert run(tmp_path, "push", reference, "--key", str(tmp_path / "ours.pem")).code == 0
    assert run(other, "pull", reference, "--key", theirs).code == 1
    done = run(other, "pull", reference, "--key", ours)
    assert done.code == 0
    assert "signed by" in done.out


def test_an_image_is_no_database(tmp_path: Path, registry: str) -> None:
    from tests.support.registry import skopeo

    shop.database(tmp_path)
    before = (tmp_path / "advisories.db").read_bytes()
    write_layout(tmp_path / "build", {"1": shop.shop()})
    reference = f"{registry}/shop/api:1"
    try:
        skopeo(
            "copy",
            "--dest-tls-verify=false",
            f"oci:{tmp_path / 'build'}:1",
            f"docker://{reference}",
        )
    except Missing as missing:
        pytest.skip(str(missing))
    done = run(tmp_path, "pull", reference)
    assert done.code == 2
    assert (tmp_path / "advisories.db").read_bytes() == before
    assert run(tmp_path, "pull", f"{registry}/none/none:1").code == 4
    assert run(there(tmp_path, "empty"), "push", reference).code == 3
    assert run(tmp_path, "push", f"{registry}/a/b@sha256:{'0' * 64}").code == 2


def test_a_layer_that_lies_changes_nothing(tmp_path: Path, registry: str) -> None:
    """The registry's own files are changed below it, as an intruder could."""
    from martello.adapters.registry.client import connect
    from martello.adapters.registry.settings import Settings
    from martello.core.artifact import OCI_MANIFEST, digest_of
    from martello.practices.images.advisories.ship import pack

    shop.database(tmp_path)
    before = (tmp_path / "advisories.db").read_bytes()
    (tmp_path / "x").mkdir()
    shop.database(tmp_path / "x", datetime.now(UTC) - timedelta(days=1))
    parcel = pack(tmp_path / "x" / "advisories.db", tmp_path / "layer")
    config = parcel.config.replace(b'"schema":%d' % MAJOR, b'"schema":%d' % (MAJOR + 1))
    lie = parcel.config.replace(b'"digest":"sha256:', b'"digest":"sha256:0', 1)
    for changed, code in ((config, 2), (lie, 1)):
        with connect(f"{registry}/security/lies:1", Settings()) as place:
            place.upload_bytes(changed)
            place.upload_bytes((tmp_path / "layer").read_bytes())
            manifest = json.loads(parcel.manifest)
            manifest["config"]["digest"] = digest_of(changed)
            manifest["config"]["size"] = len(changed)
            place.put(json.dumps(manifest).encode(), OCI_MANIFEST, tag="1")
        done = run(tmp_path, "pull", f"{registry}/security/lies:1")
        assert done.code == code, done
        assert (tmp_path / "advisories.db").read_bytes() == before
    shutil.rmtree(tmp_path / "x")
