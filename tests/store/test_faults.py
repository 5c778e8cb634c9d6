"""kill -9 at random points, and full disks: no acknowledged event and no alert is lost, and what
comes twice carries the same key. ROUNDS sets how often the writer is killed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from tests.support import killed_writer
from tests.support.lake import NAME, Store, audit_events

from martello.adapters import batch
from martello.core.errors import MartelloError
from martello.store import hunt
from martello.store.compact import compact
from martello.store.files import LocalFiles
from martello.store.intake import Intake
from martello.store.lake import Lake
from martello.store.outbox import Outbox
from martello.store.seal import WitnessFile, seal, tell
from martello.store.sealkeys import make_key
from martello.store.segments import counts
from martello.store.spool import Full, Spool
from martello.store.state import open_state
from martello.store.verify import verify

ROUNDS = int(os.environ.get("ROUNDS", "8"))
ROOT = Path(__file__).parents[2]


def _writer(directory: Path, start: int, seed: int, kill: int) -> tuple[int, int]:
    """Runs the writer; its exit code, and the last event that it acknowledged (-1: none)."""
    program = [sys.executable, killed_writer.__file__, str(directory)]
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    done = subprocess.run(
        [*program, str(start), str(seed), str(kill)], env=env, capture_output=True, timeout=60
    )
    assert done.returncode in (-9, 0), done.stderr.decode()
    acks = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith(b"ack ")]
    return done.returncode, max(acks, default=-1)


def test_a_writer_that_is_killed_at_random_points_loses_nothing(tmp_path: Path) -> None:
    random = Random(ROUNDS)
    acknowledged = -1
    key = make_key(tmp_path / "seal.pem")
    witness = WitnessFile(tmp_path / "witness")
    for number in range(ROUNDS):
        kill = random.randrange(1, 600)
        # whoever sent what was not acknowledged, sends it again
        code, last = _writer(tmp_path, acknowledged + 1, number, kill)
        assert code == -9
        acknowledged = max(acknowledged, last)
    assert acknowledged > 10 * ROUNDS
    code, _ = _writer(tmp_path, 0, 0, 0)
    assert code == 0
    with open_state(f"sqlite:///{tmp_path / 'state.db'}") as state:
        lake = Lake(LocalFiles(tmp_path / "lake"))
        assert verify(lake.files, [key.public], witness.read()).problems == ()
        seal(state, lake.files, key)
        tell(state, lake.files, witness)
        assert verify(lake.files, [key.public], witness.read()).problems == ()
        compact(state, lake, "test")  # marks what was sent twice
        seal(state, lake.files, key)
        assert verify(lake.files, [key.public]).problems == ()
        shown = hunt.run(state, lake, "SELECT id FROM audit", limits=hunt.Limits(rows=10**7))
        ids = shown.table["id"].to_pylist()
        assert len(ids) == len(set(ids)), "an event is shown twice"
        expected = {killed_writer.event(n)["id"] for n in range(acknowledged + 1)}
        assert not expected - set(ids), "an acknowledged event is lost"
        alerts = {one.id for one in Outbox(state).alerts(most=10**6)}
        wanted = {one.key for n in range(acknowledged + 1) if (one := killed_writer.alert(n))}
        assert not {key.rpartition("-")[0] for key in wanted} - alerts, "an alert is lost"
        sent = (tmp_path / "sink").read_text().split()
        assert not wanted - set(sent), "an alert was never delivered"
        assert {key.rpartition("-")[0] for key in sent} <= alerts
        standing = Outbox(state).standing()[killed_writer.SINK]
        assert (standing.waiting, standing.dead) == (0, 0)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB."""
    if os.geteuid() != 0:
        pytest.skip("no disk of 8 MB: mounting one needs root")
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"no disk of 8 MB: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _fill(place: Path, leave: int = 0) -> Path:
    """A file that takes what is left of a disk."""
    filler = place / "filler"
    told = os.statvfs(place)
    with filler.open("wb") as file:
        try:
            for _ in range((told.f_bavail * told.f_frsize - leave) // 4096):
                file.write(bytes(4096))
                file.flush()
        except OSError:
            pass
    return filler


def test_a_full_disk_sheds_and_loses_nothing_that_was_acknowledged(small: Path) -> None:
    def decode(frames: object) -> dict[str, object]:
        numbers = killed_writer.numbers(frames)  # type: ignore[arg-type]
        events = [killed_writer.event(n) for n in numbers]
        return {"audit": batch.table("audit", events)}

    with (
        open_state(f"sqlite:///{small / 'state.db'}") as state,
        Spool(small / "spool") as spool,
    ):
        lake = Lake(LocalFiles(small / "lake"))
        intake = Intake(state, lake, spool, killed_writer.NAME, "me")
        spool.append(killed_writer.NAME.key, b"0")
        filler = _fill(small, leave=20_000)
        kept = [0]
        refused: list[str] = []
        for n in range(1, 60):
            try:
                spool.append(killed_writer.NAME.key, b"%d" % n + b" " * 1_000)
                kept.append(n)
            except Full as full:
                refused.append(full.why)
        assert 5 < len(kept) < 40
        assert len(refused) > 5
        assert set(refused) == {"the disk is full"}
        with pytest.raises(MartelloError) as caught:
            intake.flush(decode)
        assert caught.value.why == "the disk is full"
        assert counts(state) == (0, 0)
        filler.unlink()
        spool.append(killed_writer.NAME.key, b"99")
        assert intake.flush(decode)
        shown = hunt.run(state, lake, "SELECT id FROM audit").table["id"].to_pylist()
        assert sorted(shown) == sorted(killed_writer.event(n)["id"] for n in (*kept, 99))
        assert not list((small / "lake").rglob("*.part"))


def test_compaction_on_a_full_disk_leaves_all_as_it_was(small: Path) -> None:
    with Store(small, NAME) as store:
        for i in range(4):
            store.write(audit_events(200, start=200 * i))
        filler = _fill(small)
        with pytest.raises(MartelloError) as caught:
            compact(store.state, store.lake, "me")
        assert caught.value.why == "the disk is full"
        assert counts(store.state) == (4, 800)
        filler.unlink()
        assert compact(store.state, store.lake, "me").after == 1
        assert counts(store.state) == (1, 800)
