"""Files that are whole or absent, and places that must not be replaced."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from martello.adapters.whole import whole


def test_what_was_there_stays_where_writing_fails(tmp_path: Path) -> None:
    file = tmp_path / "report"
    file.write_bytes(b"old")

    def fail() -> None:
        with whole(file) as out:
            out.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert file.read_bytes() == b"old"
    with whole(file) as out:
        out.write(b"new")
    assert file.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [file]


def test_a_private_file_is_the_users_alone(tmp_path: Path) -> None:
    with whole(tmp_path / "bundle", private=True):
        pass
    assert (tmp_path / "bundle").stat().st_mode & 0o777 == 0o600


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to("real")
    with whole(tmp_path / "latest") as out:
        out.write(b"new")
    assert (tmp_path / "latest").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    # nor is /dev/null, for which root has the right to
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    with whole(pipe) as out:
        out.write(b"report")
    reader.join()
    assert read == [b"report"]
    assert pipe.is_fifo()
