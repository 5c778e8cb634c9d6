"""Logs are followed through every way of rotating them: each line once, whatever happens."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from random import Random

import pytest

from martello.adapters.intake import tail
from martello.adapters.intake.mark import Mark, all_of, all_written, mark_of, written
from martello.adapters.intake.tail import Lost, Piece, Tail, Tails, whole_records


class Reader:
    """Polls a tail; remembers lines, losses and the marks that were kept."""

    def __init__(self, path: Path, *, from_start: bool = True) -> None:
        self.path = path
        self.lines: list[bytes] = []
        self.lost: list[Lost] = []
        self.marks: dict[tuple[int, int], Mark] = {}
        self.tail = Tail(str(path), from_start=from_start)

    def poll(self) -> list[bytes]:
        """The lines since the last time."""
        new: list[bytes] = []
        for one in self.tail.poll():
            if isinstance(one, Piece):
                new += one.body.splitlines()
                mark = mark_of(written(one.mark))
                self.marks.pop(mark.key, None)
                self.marks[mark.key] = mark
            else:
                self.lost.append(one)
        self.lines += new
        return new

    def restart(self) -> None:
        """Another process goes on with the marks that were kept."""
        self.tail.close()
        self.tail = Tail(str(self.path), all_of(all_written(self.marks.values())))


def append(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.log"
    path.write_bytes(b"one\ntwo\n")
    return path


def test_it_begins_at_the_end_or_at_the_begin(log: Path) -> None:
    late, early = Reader(log, from_start=False), Reader(log)
    assert late.poll() == []
    assert early.poll() == [b"one", b"two"]
    append(log, b"three\n")
    assert late.poll() == early.poll() == [b"three"]


def test_an_unfinished_line_waits(log: Path) -> None:
    reader = Reader(log)
    append(log, b"thr")
    assert reader.poll() == [b"one", b"two"]
    append(log, b"ee")
    assert reader.poll() == []
    append(log, b"\n")
    assert reader.poll() == [b"three"]


def test_a_log_that_is_not_there_yet(tmp_path: Path) -> None:
    reader = Reader(tmp_path / "later.log", from_start=False)
    assert reader.poll() == []
    append(tmp_path / "later.log", b"first\n")
    assert reader.poll() == [b"first"]


def test_rename_loses_nothing(log: Path) -> None:
    reader = Reader(log)
    reader.poll()
    append(log, b"three\nfour")  # its last line is never ended
    log.rename(log.with_name("audit.log.1"))
    assert reader.poll() == [b"three"]
    log.write_bytes(b"five\n")
    assert reader.poll() == [b"four"]
    assert reader.poll() == [b"five"]
    assert not reader.lost


def test_copytruncate_reads_the_rest_of_the_copy(log: Path) -> None:
    reader = Reader(log)
    reader.poll()
    append(log, b"three\n")
    (log.parent / "audit.log.1").write_bytes(log.read_bytes())
    os.truncate(log, 0)
    append(log, b"4\n")
    assert sorted(reader.poll()) == [b"4", b"three"]
    assert not reader.lost


def test_truncation_without_a_copy_is_told(log: Path) -> None:
    reader = Reader(log)
    reader.poll()
    os.truncate(log, 0)
    append(log, b"another, longer than before\n")
    assert reader.poll() == [b"another, longer than before"]
    assert "truncated" in reader.lost[0].why


def test_it_goes_on_after_a_restart(log: Path) -> None:
    reader = Reader(log)
    reader.poll()
    append(log, b"three\n")
    reader.restart()
    assert reader.poll() == [b"three"]
    assert not reader.lost


def test_a_log_rotated_while_nobody_looked(log: Path) -> None:
    """Renamed, one more in between, compressed: all is read, in order."""
    reader = Reader(log)
    reader.poll()
    append(log, b"three\n")
    for number, text in enumerate((b"four\n", b"five\n")):
        old = log.with_name(f"audit.log.{2 - number}")
        log.rename(old)
        os.utime(old, (1_000_000 + number, 1_000_000 + number))
        log.write_bytes(text)
    first = log.with_name("audit.log.2")
    packed = log.with_name("audit.log.2.gz")
    packed.write_bytes(gzip.compress(first.read_bytes()))
    os.utime(packed, (1_000_000, 1_000_000))
    first.unlink()
    reader.restart()
    assert reader.poll() == [b"three", b"four", b"five"]
    assert not reader.lost


def test_a_log_that_is_gone_is_told(log: Path) -> None:
    """A2: its inode may be another file's now."""
    reader = Reader(log)
    reader.poll()
    log.unlink()
    log.write_bytes(b"something else, and longer than it was\n")
    reader.restart()
    assert reader.poll() == [b"something else, and longer than it was"]
    assert "rotated away" in reader.lost[0].why


def test_long_lines(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "PIECE", 64)
    monkeypatch.setattr(tail, "LONGEST", 1024)
    reader = Reader(log)
    append(log, b"x" * 900 + b"\n" + b"y" * 3000 + b"\nthree\n")
    assert reader.poll() == [b"one", b"two", b"x" * 900, b"three"]
    assert [one.why for one in reader.lost] == ["a line is longer than 0 MiB"]


def test_records_of_one_event_stay_together() -> None:
    text = b"type=SYSCALL msg=audit(1.0:1): a\ntype=EOE msg=audit(1.0:1): \ntype=SYSCALL x\n"
    assert text[: whole_records(text)].endswith(b"type=EOE msg=audit(1.0:1): \n")
    assert whole_records(b"type=SYSCALL x\n") == 0


def test_a_directory_of_logs(tmp_path: Path) -> None:
    place = tmp_path / "shop_web_0"
    place.mkdir()
    (place / "0.log").write_bytes(b"old\n")
    logs = Tails(str(tmp_path))
    assert list(logs.poll()) == []
    append(place / "0.log", b"new\n")
    (place / "1.log").write_bytes(b"whole\n")
    told = [one for one in logs.poll() if isinstance(one, Piece)]
    assert sorted(one.body for one in told) == [b"new\n", b"whole\n"]
    assert {Path(one.mark.path).name for one in told} == {"0.log", "1.log"}
    logs.close()


@pytest.mark.parametrize("seed", range(30))
def test_any_history_gives_each_line_once(tmp_path: Path, seed: int) -> None:
    """Property: writes, renames, compressions and restarts in any order."""
    random = Random(seed)
    path = tmp_path / "app.log"
    path.write_bytes(b"line 0\n")
    reader = Reader(path)
    reader.poll()
    number, rotations = 1, 0
    for _ in range(60):
        step = random.randrange(6)
        if step < 3:
            count = random.randrange(1, 40)
            append(path, b"".join(b"line %d\n" % n for n in range(number, number + count)))
            number += count
        elif step == 3:
            reader.poll()
        elif step == 4 and reader.marks:
            reader.restart()
        elif step == 5 and path.stat().st_size:
            rotations += 1
            old = path.with_name(f"app.log.{rotations}")
            path.rename(old)
            os.utime(old, (rotations, rotations))
            path.write_bytes(b"")
            if random.random() < 0.3:
                packed = old.with_name(old.name + ".gz")
                packed.write_bytes(gzip.compress(old.read_bytes()))
                os.utime(packed, (rotations, rotations))
                old.unlink()
    reader.poll()
    reader.poll()
    assert reader.lines == [b"line %d" % n for n in range(number)]
    assert not reader.lost
