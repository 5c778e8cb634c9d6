"""`martello store`: what a user sees of status, verify, compact and retain."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytest
from tests.support.command import Done, martello
from tests.support.lake import Store, audit_event, audit_events

from martello.cli.errors import run
from martello.cli.main import cli
from martello.core.alert import Alert
from martello.store.outbox import Outbox
from martello.store.seal import WitnessFile, seal, tell
from martello.store.sealkeys import open_key


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user's state directory with three segments, two checkpoints and a witness."""
    place = tmp_path / "martello"
    place.mkdir()
    with Store(place) as store:
        key = open_key(place / "seal.pem")
        for i in range(3):
            store.write(audit_events(20, start=20 * i))
            seal(store.state, store.files, key)
        tell(store.state, store.files, WitnessFile(tmp_path / "witness"))
        one = Alert("a", "MON-1", "h", "high", "t", "s", {}, 1, 2)
        Outbox(store.state).put([one], ["slack"])
    return tmp_path


def _store(home: Path, *words: str) -> Done:
    """The command in this process: the first test and the last run it as a user does."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(home))
        for name in ("MARTELLO_STATE", "MARTELLO_LAKE"):
            patch.delenv(name, raising=False)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(cli, ["store", *words])
    assert code != 70, err.getvalue()
    return Done(code, out.getvalue(), err.getvalue())


def test_status_tells_what_there_is(home: Path) -> None:
    done = martello("store", "status", env={"XDG_STATE_HOME": str(home)})
    assert done.code == 0
    assert "3 segments, 60 events" in done.out
    assert "3 small: martello store compact" in done.out
    assert "checkpoint 3" in done.out
    assert "1 witness" in done.out
    assert "prod/audit/webhook, 60 events" in done.out
    assert "slack, 1 waiting" in done.out
    told = _store(home, "status", "-o", "json").report
    assert (told["segments"], told["rows"], told["missing"], told["orphans"]) == (3, 60, 0, 0)
    file = next((home / "martello" / "lake" / "events").rglob("*.parquet"))
    file.unlink()
    done = _store(home, "status")
    assert done.code == 3
    assert "1 file missing" in done.out


def test_status_of_nothing(tmp_path: Path) -> None:
    done = _store(tmp_path, "status")
    assert done.code == 0
    assert "0 segments, 0 events" in done.out
    assert "none yet" in done.out
    done = martello("store", "status", "--lake", "s3://bucket/x")
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 3


def test_verify_says_whole_or_what_is_wrong(home: Path) -> None:
    witness = ("--witness", str(home / "witness"))
    done = _store(home, "verify", *witness)
    assert done.code == 0
    assert "3 checkpoints, 3 segments, 60 events: 0 problems" in done.out
    file = next((home / "martello" / "lake" / "raw").rglob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-3])
    done = _store(home, "verify", *witness)
    assert done.code == 1
    assert done.out.startswith("truncated    segment ")
    assert file.name[:32] in done.out
    (problem,) = _store(home, "verify", "-o", "json").report["problems"]
    assert (problem["what"], problem["segment"]) == ("truncated", file.name[:32])


def test_verify_needs_a_key_and_something_sealed(home: Path, tmp_path: Path) -> None:
    (home / "martello" / "state.db").unlink()  # verify does not need it
    assert _store(home, "verify").code == 0
    for path in (home / "martello" / "lake" / "seals").iterdir():
        path.unlink()
    done = _store(home, "verify")
    assert done.code == 3
    assert "nothing was ever sealed" in done.err
    assert _store(home, "verify", "--witness", str(home / "witness")).code == 1
    assert _store(home, "verify", "--witness", str(home / "nowhere")).code == 2
    done = _store(home, "verify", "--key", str(home / "nowhere.pub"))
    assert done.code == 2
    assert "nowhere.pub" in done.err


def test_a_proof_is_printed_and_checked_elsewhere(home: Path, tmp_path: Path) -> None:
    event = str(audit_event(33)["id"])
    done = _store(home, "verify", "--proof", event)
    assert done.code == 0
    file = tmp_path / "proof.json"
    file.write_text(done.out)
    key = home / "martello" / "seal.pub"
    elsewhere = {"XDG_STATE_HOME": str(tmp_path / "elsewhere")}
    words = ("store", "verify", "--check", str(file), "--key", str(key))
    done = martello(*words, env=elsewhere)
    assert done.code == 0
    assert done.out.startswith(f"event {event} was sealed in checkpoint 2")
    told = json.loads(file.read_text())
    file.write_text(json.dumps({**told, "row": told["row"][:-2] + "00"}))
    done = martello(*words, env=elsewhere)
    assert done.code == 1
    assert "does not hold" in done.err
    assert _store(home, "verify", "--proof", "nobody").code == 2


def test_compact_joins_and_leaves_all_verified(home: Path) -> None:
    done = _store(home, "compact")
    assert (done.code, done.out) == (0, "3 segments became 1, 60 events\n")
    assert _store(home, "compact").out == "0 segments became 0, 0 events\n"
    assert _store(home, "verify", "--witness", str(home / "witness")).code == 0


def test_retain_says_first_and_holds_hold(home: Path) -> None:
    # the events are of a day in the past, whatever the day is
    words = ("retain", "--raw", "1", "--columns", "1")
    assert (
        "would retire 3 segments, raw of 0 segments, 0 alerts"
        in _store(home, *words, "--dry-run").out
    )
    done = _store(home, "retain", "--hold", "case-1", "--since", "2026-01-01")
    assert done.code == 2
    hold = ("retain", "--hold", "case-1", "--since", "2026-01-01", "--reason", "a court")
    assert _store(home, *hold).code == 0
    assert "case-1: a court" in _store(home, "status").out
    assert "retired 0 segments" in _store(home, *words).out
    assert _store(home, "retain", "--release", "case-1").code == 0
    assert _store(home, "retain", "--release", "case-1").code == 2
    assert "retired 3 segments" in _store(home, *words).out
    done = _store(home, "verify")
    assert done.code == 0
    assert "3 segments retired by a signed deletion" in done.out
    for wrong in (("--raw", "0"), ("--hold", "x", "--reason", "y", "--since", "tomorrow")):
        assert _store(home, "retain", *wrong).code == 2
