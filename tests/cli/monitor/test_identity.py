"""The key and the name of an installation: made whole, once, and never taken by half."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from martello.cli.monitor.identity import holder, key
from martello.cli.store.places import Places
from martello.core.errors import Unreachable


def at(place: Path) -> Places:
    spool = place / "spool"
    spool.mkdir(exist_ok=True)
    return Places(state="", lake="", spool=spool, key=place / "seal.key")


def test_a_key_is_made_once_and_is_nobody_else_s(tmp_path: Path) -> None:
    made = key(at(tmp_path))
    assert len(made) == 32
    assert key(at(tmp_path)) == made
    (file,) = tmp_path.glob("*.key")
    assert file.stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob(".*"))


def test_a_key_that_was_not_written_is_made_anew(tmp_path: Path) -> None:
    """It ended, or the disk was full, between the file and what is in it."""
    (tmp_path / "redaction.key").touch()
    made = key(at(tmp_path))
    assert len(made) == 32
    assert key(at(tmp_path)) == made


def test_half_a_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "redaction.key").write_bytes(b"1234")
    with pytest.raises(Unreachable, match="cannot use"):
        key(at(tmp_path))


def test_two_that_begin_at_once_have_the_same_key(tmp_path: Path) -> None:
    where, begin = at(tmp_path), threading.Barrier(8)
    found: set[bytes] = set()

    def one() -> None:
        begin.wait()
        found.add(key(where))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1


def test_a_name_is_kept(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "holder").touch()
    name = holder(at(tmp_path))
    assert len(name) > 13
    assert holder(at(tmp_path)) == name
