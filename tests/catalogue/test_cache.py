"""The cache gives the same checks, follows their files, and lies in a safe place only."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec
import pytest
from tests.support.objects import judged

from martello.catalogue.cache import cached
from martello.catalogue.load import packaged, read
from martello.core.check import Check

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c, image: x}]}\n"
SOURCES = tuple(packaged())[:12]


def plain(check: Check) -> object:
    rule = {k: v for k, v in (check.rule or {}).items() if k != "programs"}
    return msgspec.to_builtins(msgspec.structs.replace(check, rule=rule, function=None))


def test_checks_from_the_cache_are_the_checks(tmp_path: Path) -> None:
    environ = {"XDG_CACHE_HOME": str(tmp_path)}
    first, second = cached(SOURCES, environ), cached(SOURCES, environ)
    assert (
        [plain(c) for c in first] == [plain(c) for c in second] == [plain(read(s)) for s in SOURCES]
    )
    assert all("programs" in c.rule for c in second if c.rule is not None)
    assert judged(POD, *first) == judged(POD, *second)
    (file,) = (tmp_path / "martello").glob("*")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_changed_file_makes_a_new_cache(tmp_path: Path) -> None:
    environ = {"XDG_CACHE_HOME": str(tmp_path)}
    cached(SOURCES, environ)
    before = set((tmp_path / "martello").iterdir())
    changed = msgspec.structs.replace(SOURCES[0], mark="other")
    cached((changed, *SOURCES[1:]), environ)
    after = set((tmp_path / "martello").iterdir())
    assert before < after
    for number in range(6):
        changed = msgspec.structs.replace(SOURCES[0], mark=str(number))
        cached((changed, *SOURCES[1:]), environ)
    assert len(set((tmp_path / "martello").iterdir())) == 4


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_directory_that_others_may_enter_is_not_used(tmp_path: Path, mode: int) -> None:
    directory = tmp_path / "martello"
    directory.mkdir()
    directory.chmod(mode)
    assert len(cached(SOURCES, {"XDG_CACHE_HOME": str(tmp_path)})) == len(SOURCES)
    assert list(directory.iterdir()) == []


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (tmp_path / "martello").symlink_to(elsewhere)
    cached(SOURCES, {"XDG_CACHE_HOME": str(tmp_path)})
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"\x00", b"\x91\x01", bytes(range(155, 255))])
def test_a_broken_cache_is_made_anew(tmp_path: Path, content: bytes) -> None:
    environ = {"XDG_CACHE_HOME": str(tmp_path)}
    cached(SOURCES, environ)
    (file,) = (tmp_path / "martello").glob("*")
    file.write_bytes(content)
    assert len(cached(SOURCES, environ)) == len(SOURCES)
    assert file.read_bytes() != content


def test_a_cache_of_which_a_bit_turned_is_made_anew(tmp_path: Path) -> None:
    # its code would still be loaded, and run
    environ = {"XDG_CACHE_HOME": str(tmp_path)}
    cached(SOURCES, environ)
    (file,) = (tmp_path / "martello").glob("*")
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"POD-", b"POX-"))
    assert [c.id for c in cached(SOURCES, environ)] == [read(s).id for s in SOURCES]
    assert file.read_bytes() == whole


@pytest.mark.parametrize("kind", ["directory", "pipe", "link"])
def test_what_is_no_file_is_no_cache(tmp_path: Path, kind: str) -> None:
    environ = {"XDG_CACHE_HOME": str(tmp_path)}
    cached(SOURCES, environ)
    (file,) = (tmp_path / "martello").glob("*")
    kept = file.rename(tmp_path / "kept")
    if kind == "directory":
        file.mkdir()
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to(kept)
    assert len(cached(SOURCES, environ)) == len(SOURCES)


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"XDG_CACHE_HOME": "/proc/nowhere"}])
def test_without_a_place_everything_is_read(environ: dict[str, str]) -> None:
    assert len(cached(SOURCES, environ)) == len(SOURCES)
