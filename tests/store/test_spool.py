"""The intake log: durable before it is acknowledged, cut at a torn tail, bounded, freed."""

from __future__ import annotations

import os
import stat
import threading
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.core.errors import Unreachable
from martello.store import spool as spools
from martello.store.crc32c import crc32c
from martello.store.frames import frame_head, scan
from martello.store.spool import Full

SOURCE = "prod/audit/webhook"
Spool = partial(spools.Spool, start=lambda: 0)


def _bodies(spool: spools.Spool, source: str = SOURCE, first: int = 0) -> dict[int, bytes]:
    return {frame.position: frame.body for frame in spool.read(source, first, 1 << 30)}


def _log(directory: Path) -> Path:
    (path,) = directory.glob("*/*.log")
    return path


def test_the_checksum_is_castagnolis() -> None:
    """RFC 3720, B.4, and the check value of the catalogue of parametrised CRCs."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert crc32c(b"") == 0


@given(st.binary(max_size=2000), st.integers(0, 2000))
def test_the_checksum_goes_on_where_it_ended(data: bytes, at: int) -> None:
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (0x82F63B78 if register & 1 else 0)
    assert crc32c(data[at:], crc32c(data[:at])) == register ^ 0xFFFFFFFF


def test_the_checksum_of_a_long_text_is_that_of_its_parts() -> None:
    data = os.urandom(700_001)
    told = 0
    for start in range(0, len(data), 100_003):
        told = crc32c(data[start : start + 100_003], told)
    assert told == crc32c(data)


def test_positions_go_on_after_a_restart_and_after_all_was_freed(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        assert [spool.append(SOURCE, b"a"), spool.append(SOURCE, b"b")] == [0, 1]
        assert spool.append("other", b"c") == 0
    with Spool(tmp_path) as spool:
        assert spool.append(SOURCE, b"d") == 2
        assert _bodies(spool) == {0: b"a", 1: b"b", 2: b"d"}
        assert _bodies(spool, first=1) == {1: b"b", 2: b"d"}
        spool.free(SOURCE, 3)
        assert _bodies(spool) == {}
        assert spool.sources() == ("other", SOURCE)
    with Spool(tmp_path) as spool:
        assert spool.append(SOURCE, b"e") == 3
        assert _bodies(spool) == {3: b"e"}
        assert _bodies(spool, "other") == {0: b"c"}
        assert spool.end(SOURCE) == 4


def test_e2_what_is_received_is_for_its_owner_alone(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool") as spool:
        spool.append(SOURCE, b"a secret")
    for path in (tmp_path / "spool").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_a_spool_is_one_processs(tmp_path: Path) -> None:
    with Spool(tmp_path), pytest.raises(Unreachable, match="cannot open the spool"):
        Spool(tmp_path)
    Spool(tmp_path).close()


def test_a1_a_torn_tail_is_cut_wherever_it_tore(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        for i in range(3):
            spool.append(SOURCE, b"body %d" % i)
    path = _log(tmp_path)
    whole = path.read_bytes()
    ends = [start + size for _, start, size in scan(path)[0]]
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        kept = sum(1 for end in ends if end <= cut)
        with Spool(tmp_path) as spool:
            assert len(_bodies(spool)) == kept
            assert spool.gaps() == ()
            assert spool.append(SOURCE, b"next") == kept
            assert len(_bodies(spool)) == kept + 1


def test_a1_a_tail_of_zeros_or_noise_is_cut(tmp_path: Path) -> None:
    for noise in (bytes(4096), os.urandom(4096)):
        with Spool(tmp_path) as spool:
            before = _bodies(spool)
        if before:
            with _log(tmp_path).open("ab") as file:
                file.write(noise)
        with Spool(tmp_path) as spool:
            assert _bodies(spool) == before
            spool.append(SOURCE, b"x")


def test_damage_before_good_frames_is_a_gap_and_no_tail(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        for i in range(4):
            spool.append(SOURCE, b"body %d" % i)
    path = _log(tmp_path)
    data = bytearray(path.read_bytes())
    data[scan(path)[0][1][1]] ^= 1
    path.write_bytes(data)
    with Spool(tmp_path) as spool:
        assert sorted(_bodies(spool)) == [0, 2, 3]
        (gap,) = spool.gaps()
        assert "damaged" in gap.why
        assert spool.append(SOURCE, b"next") == 4


def test_a_body_cannot_pretend_to_be_a_frame(tmp_path: Path) -> None:
    """Not even where the frame around it is damaged: it does not know the file's mark."""
    with Spool(tmp_path) as spool:
        spool.append(SOURCE, b"x")
    path = _log(tmp_path)
    forged = frame_head(b"\0" * 8, 7, b"forged") + b"forged"
    with Spool(tmp_path) as spool:
        spool.append(SOURCE, forged)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with Spool(tmp_path) as spool:
        assert _bodies(spool) == {0: b"x"}


def test_a3_threads_share_a_sync_and_nobody_returns_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fdatasync

    def counted(handle: int) -> None:
        real(handle)
        synced.append(os.fstat(handle).st_size)

    monkeypatch.setattr(os, "fdatasync", counted)
    done: list[int] = []
    with Spool(tmp_path) as spool:

        def receive() -> None:
            for _ in range(10):
                done.append(spool.append(SOURCE, b"x" * 100))
                assert synced[-1] > 0

        threads = [threading.Thread(target=receive) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(done) == list(range(160))
        assert sorted(_bodies(spool)) == list(range(160))
    assert len(synced) < 120


def _fill(spool: spools.Spool) -> int:
    for kept in range(100):
        try:
            spool.append(SOURCE, b"x" * 100)
        except Full:
            return kept
    return 100


def test_a3_the_spool_is_bounded_and_has_room_again(tmp_path: Path) -> None:
    with Spool(tmp_path, limit=1000) as spool:
        kept = _fill(spool)
        assert 5 < kept < 10
        assert spool.size <= 1000
        assert len(_bodies(spool)) == kept
        spool.free(SOURCE, kept)
        assert spool.append(SOURCE, b"y") == kept


def test_a_failed_sync_is_never_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(handle: int) -> None:
        raise OSError(5, "Input/output error")

    with Spool(tmp_path) as spool:
        spool.append(SOURCE, b"a")
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", broken)
            with pytest.raises(Exception, match="cannot keep what arrives"):
                spool.append(SOURCE, b"b")
        with pytest.raises(Exception, match="cannot keep what arrives"):
            spool.append(SOURCE, b"c")
        assert _bodies(spool) == {0: b"a"}


def test_a_long_log_is_of_several_files_and_freed_by_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spools, "_FILE", 1000)
    with Spool(tmp_path) as spool:
        for i in range(40):
            spool.append(SOURCE, b"%d " % i * 50)
        files = len(list(tmp_path.glob("*/*.log")))
        assert files > 3
        spool.free(SOURCE, 20)
        assert len(list(tmp_path.glob("*/*.log"))) < files
        assert sorted(_bodies(spool, first=20)) == list(range(20, 40))
        some = spool.read(SOURCE, 25, 300)
        assert [frame.position for frame in some] == [25, 26]
    with Spool(tmp_path) as spool:
        assert sorted(_bodies(spool, first=20)) == list(range(20, 40))


def test_positions_never_begin_again(tmp_path: Path) -> None:
    with spools.Spool(tmp_path / "a") as spool:
        first = spool.append(SOURCE, b"x")
    with spools.Spool(tmp_path / "b") as spool:  # as if the directory were lost
        assert spool.append(SOURCE, b"x") > first
        spool.begin(SOURCE, first * 2)
        assert spool.append(SOURCE, b"y") == first * 2
        spool.begin(SOURCE, first)
        assert spool.append(SOURCE, b"z") == first * 2 + 1
    with spools.Spool(tmp_path / "b") as spool:
        assert spool.append(SOURCE, b"z") == first * 2 + 2
