"""Alerts in a file and on standard output: whole lines, whatever happens to the file."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

import pytest
from tests.support.sinks import alert, hostile

from martello.adapters.sinks import open_sink
from martello.core.sink import NotSent


def _keys(path: Path) -> list[str]:
    return [json.loads(line)["key"] for line in path.read_bytes().splitlines()]


def test_a_line_for_each_alert_of_a_file_that_others_cannot_read(tmp_path: Path) -> None:
    path = tmp_path / "alerts"
    sink = open_sink(path.as_uri())
    sink.check()
    for n in (1, 2):
        sink.send(alert(revision=n))
    assert _keys(path) == [alert(revision=1).key, alert(revision=2).key]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_rotated_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "alerts"
    sink = open_sink(path.as_uri())
    sink.send(alert("a"))
    path.rename(tmp_path / "alerts.1")
    sink.send(alert("b"))
    os.truncate(path, 0)  # copytruncate
    sink.send(alert("c"))
    assert _keys(tmp_path / "alerts.1") == [alert("a").key]
    assert _keys(path) == [alert("c").key]


def test_a_line_that_a_crash_left_unfinished_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "alerts"
    path.write_bytes(b'{"key":"torn')
    open_sink(path.as_uri()).send(alert())
    torn, whole = path.read_bytes().splitlines()
    assert torn == b'{"key":"torn'
    assert json.loads(whole)["key"] == alert().key


def test_hostile_texts_are_one_line_of_ascii(tmp_path: Path) -> None:
    for form in ("martello", "falco", "ocsf"):
        path = tmp_path / form
        open_sink(f"{path.as_uri()}?format={form}").send(hostile())
        content = path.read_bytes()
        assert content.count(b"\n") == 1
        assert all(0x20 <= byte < 0x7F for byte in content[:-1])
        assert json.loads(content)


def _writes(path: Path, name: str) -> None:
    sink = open_sink(path.as_uri())
    for n in range(1, 51):
        sink.send(alert(name, revision=n, says="x" * 5_000))


def test_several_writers_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "alerts"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_writes, args=(path, name)) for name in "ab"]
    for one in writers:
        one.start()
    for one in writers:
        one.join(30)
        assert one.exitcode == 0
    assert sorted(_keys(path)) == sorted(
        alert(n, revision=r).key for n in "ab" for r in range(1, 51)
    )


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    for path in (tmp_path / "none" / "alerts", tmp_path):
        sink = open_sink(path.as_uri())
        with pytest.raises(NotSent, match="cannot write"):
            sink.send(alert())
        with pytest.raises(NotSent, match="cannot write"):
            sink.check()
    with pytest.raises(NotSent, match="No space left") as caught:
        open_sink("file:///dev/full").send(alert())
    assert not caught.value.never


def test_a_pipe_is_a_file_too(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        open_sink(path.as_uri()).send(alert())
        assert json.loads(os.read(reading, 1 << 16))["key"] == alert().key
    finally:
        os.close(reading)


def test_standard_output_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    sink = open_sink("stdout:")
    sink.check()
    sink.send(hostile())
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out)["key"] == hostile().key
