"""rpm databases (E3): real ones made by rpm, and the older formats by hand, read again by rpm."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from tests.support import rpms
from tests.support.evidence import Stored

from martello.core.package import Package
from martello.practices.images.evidence import rpm_bdb, rpm_ndb
from martello.practices.images.evidence.model import Parsed
from martello.practices.images.evidence.readers import IMAGE_READERS, choice
from martello.practices.images.evidence.rpm_header import read_header, split_source

FORM = "%{name} %|epoch?{%{epoch}:}|%{version}-%{release} %{arch} %{sourcerpm} %{license}"
PLACES = ("var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rpm")
    rpms.install(folder, rpms.packages())
    return folder


def parsed(path: str, content: bytes) -> Parsed:
    (reader,) = choice(IMAGE_READERS).wanting(path)
    return reader.read(path, Stored(content))


def as_rpm_says(package: Package, source: str) -> str:
    shown = f"{package.name} {package.version} {package.arch} {source} {package.licences[0]}"
    return shown.replace(" 7~", " 0:7~")  # rpm shows an epoch of 0 where it is written


def test_e3_sqlite_as_rpm_itself_reads_it(database: Path) -> None:
    content = (database / "rpmdb.sqlite").read_bytes()
    for place in PLACES:
        found = parsed(f"{place}/rpmdb.sqlite", content)
        assert not found.unread
        source = "tiny-1.2-3.el9.src.rpm"
        shown = sorted(as_rpm_says(package, source) for package in found.packages)
        assert shown == rpms.query(database, FORM)
    tiny = next(package for package in found.packages if package.name == "tiny")
    assert (tiny.version, tiny.source, tiny.source_version) == (
        "4:1.2-3.el9",
        "tiny",
        "4:1.2-3.el9",
    )
    assert tiny.module == "tiny:5"
    other = next(package for package in found.packages if package.name == "other-tools")
    assert (other.version, other.source_version) == ("7~rc1^git-0", "1.2-3.el9")
    claims = {claim.package: claim.paths for claim in found.claims}
    assert claims["tiny"] == ("usr/lib/node_modules/tiny/package.json",)
    assert claims["other-tools"] == ("usr/bin/tiny",)


def test_e3_ndb(database: Path) -> None:
    some = rpms.headers(database)
    found = parsed("usr/lib/sysimage/rpm/Packages.db", rpms.ndb(some))
    expected = parsed("var/lib/rpm/rpmdb.sqlite", (database / "rpmdb.sqlite").read_bytes())
    assert found == expected
    assert len(found.packages) == 3


@pytest.mark.parametrize(("page", "order"), [(512, "<"), (4096, "<"), (1024, ">")])
def test_e3_bdb(database: Path, page: int, order: str) -> None:
    content = rpms.bdb(rpms.headers(database), page, order)
    found = parsed("var/lib/rpm/Packages", content)
    expected = parsed("var/lib/rpm/rpmdb.sqlite", (database / "rpmdb.sqlite").read_bytes())
    assert found == expected


def test_e3_the_bdb_of_the_tests_is_one_for_rpm_too(database: Path, tmp_path: Path) -> None:
    (tmp_path / "Packages").write_bytes(rpms.bdb(rpms.headers(database)))
    assert rpms.query(tmp_path, FORM, "bdb_ro") == rpms.query(database, FORM)


def test_e3_bdb_by_berkeley_db_itself(database: Path, tmp_path: Path) -> None:
    program = next(filter(None, map(shutil.which, ("db5.3_load", "db_load"))), None)
    if program is None:
        pytest.skip("no db5.3_load: apt-get install db5.3-util")
    some = rpms.headers(database) * 40
    lines = ["VERSION=3", "format=bytevalue", "type=hash", "db_pagesize=4096", "HEADER=END"]
    for number, header in enumerate(some, 1):
        lines += [f" {struct.pack('<I', number).hex()}", f" {header.hex()}"]
    lines += [f" {bytes(4).hex()}", f" {struct.pack('<I', len(some)).hex()}", "DATA=END", ""]
    text = "\n".join(lines).encode()
    subprocess.run([program, "Packages"], input=text, cwd=tmp_path, check=True)
    found = parsed("var/lib/rpm/Packages", (tmp_path / "Packages").read_bytes())
    assert not found.unread
    names = sorted(package.name for package in found.packages)
    assert names == ["other-tools"] * 40 + ["tiny"] * 40 + ["tiny-many"] * 40


def test_an_empty_database_has_no_package(tmp_path: Path) -> None:
    rpms.install(tmp_path, rpms.packages()[:1])
    name = rpms.query(tmp_path, "%{name}")[0]
    subprocess.run(["rpm", "--dbpath", tmp_path, "-e", "--justdb", name], check=True)
    assert parsed("var/lib/rpm/rpmdb.sqlite", (tmp_path / "rpmdb.sqlite").read_bytes()) == Parsed()
    assert parsed("var/lib/rpm/Packages.db", b"") == Parsed()
    assert parsed("var/lib/rpm/Packages.db", rpms.ndb([])) == Parsed()


def test_a_log_with_changes_is_told_an_empty_one_is_not(database: Path) -> None:
    assert parsed("var/lib/rpm/rpmdb.sqlite-wal", b"") == Parsed()
    found = parsed("var/lib/rpm/rpmdb.sqlite-wal", b"\x37\x7f\x06\x82" + bytes(4128))
    assert [one.what for one in found.unread] == ["rpm database log"]


def test_damage_is_told_and_the_rest_counts(database: Path) -> None:
    some = rpms.headers(database)
    broken = [some[0], some[1][: len(some[1]) // 2], b"\xff" * 40, some[2]]
    for path, content in (
        ("var/lib/rpm/Packages.db", rpms.ndb(broken)),
        ("var/lib/rpm/Packages", rpms.bdb(broken)),
    ):
        found = parsed(path, content)
        assert len(found.packages) == 2
        assert [one.why for one in found.unread] == ["a header is cut off or damaged"] * 2
    cut = (database / "rpmdb.sqlite").read_bytes()[:9000]
    assert [one.what for one in parsed("var/lib/rpm/rpmdb.sqlite", cut).unread] == ["rpm database"]
    other = parsed("var/lib/rpm/Packages", b"something else, of more than sixteen bytes")
    assert "neither SQLite" in other.unread[0].why


@pytest.mark.parametrize("kind", ["rpmdb.sqlite", "Packages.db", "Packages"])
def test_hostile_databases_end_in_words(database: Path, kind: str) -> None:
    some = rpms.headers(database)
    content = {
        "rpmdb.sqlite": (database / "rpmdb.sqlite").read_bytes(),
        "Packages.db": rpms.ndb(some),
        "Packages": rpms.bdb(some),
    }[kind]
    chance = random.Random(kind)
    for _ in range(150):
        data = bytearray(content)
        for _ in range(chance.choice((1, 4, 64))):
            data[chance.randrange(min(len(data), 12288))] = chance.randrange(256)
        if chance.random() < 0.3:
            del data[chance.randrange(len(data)) :]
        parsed(f"var/lib/rpm/{kind}", bytes(data))  # never raises


def test_pages_that_refer_to_each_other_are_refused(database: Path) -> None:
    data = bytearray(rpms.bdb(rpms.headers(database)))
    for page in range(2, len(data) // 512):
        struct.pack_into("<I", data, page * 512 + 16, page)  # each its own next
    list_of = parsed("var/lib/rpm/Packages", bytes(data))
    assert list_of.unread
    with pytest.raises(ValueError, match="no hash"):
        list(rpm_bdb.headers(Stored(b"x" * 600).spooled(600)))
    with pytest.raises(ValueError, match="cut off"):
        list(rpm_ndb.headers(Stored(b"RpmP" + bytes(12) + b"\xff" * 16).spooled(600)))


def test_the_list_of_distroless_images() -> None:
    line = "openssl\t3.3.0-1.azl3\t1700000000\t1690000000\tExample\t(none)\t100\tx86_64\t0\t"
    epoch = line.replace("\t0\t", "\t1\t").replace("openssl", "openssl-libs")
    file = "openssl-3.3.0-1.azl3.src.rpm"
    text = f"{line}{file}\n{epoch}{file}\nbroken\n"
    found = parsed("var/lib/rpmmanifest/container-manifest-2", text.encode())
    number = "3.3.0-1.azl3"
    assert found.packages == (
        Package("rpm", "openssl", number, "", "openssl", number, "x86_64"),
        Package("rpm", "openssl-libs", f"1:{number}", "", "openssl", f"1:{number}", "x86_64"),
    )
    assert found.unread[0].where.endswith(":3")


def test_headers_of_keys_are_no_packages() -> None:
    def header(name: str) -> bytes:
        values = [(1000, name), (1001, "1"), (1002, "2")]
        data = b"".join(text.encode() + b"\0" for _, text in values)
        index, at = b"", 0
        for tag, text in values:
            index += struct.pack(">IIII", tag, 6, at, 1)
            at += len(text) + 1
        return struct.pack(">II", len(values), len(data)) + index + data

    found = read_header(header("tiny"))
    assert found is not None
    assert (found.package.name, found.package.version) == ("tiny", "1-2")
    assert read_header(header("gpg-pubkey")) is None
    with pytest.raises(ValueError, match="no package"):
        read_header(header(""))
    with pytest.raises(ValueError, match="cut off"):
        read_header(b"1234")


def test_the_file_of_a_source_package() -> None:
    assert split_source("a-b-1.0-2.nosrc.rpm") == ("a-b", "1.0-2")
    assert split_source("(none)") == ("", "")
