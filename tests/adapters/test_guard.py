"""Changes that nobody confirms are taken back, whatever becomes of those who made them."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.network.room import inside, missing, room

from martello.adapters import guard, nft
from martello.adapters.guarded import CONFIRMED, PENDING, State, alive
from martello.adapters.nft import Tool
from martello.core.errors import Refused

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


def _table(number: int) -> str:
    return (
        "add table inet martello\ndelete table inet martello\n"
        f"table inet martello {{\n\tset m_{number} {{\n\t\ttype ipv4_addr\n\t}}\n}}\n"
    )


@pytest.fixture
def tool(tmp_path: Path) -> Iterator[Tool]:
    with room() as name:
        yield inside(name)
        # a guard that still waits ends when its file is gone
        for file in (tmp_path / "state").glob("pending-*"):
            file.unlink()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def _until(tool: Tool, text: str, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if nft.listed(tool=tool) == text:
            return True
        time.sleep(0.05)
    return False


def test_f10_what_is_confirmed_stays(tool: Tool, state: Path) -> None:
    change = guard.apply(_table(1), 1.0, state=state, tool=tool)
    assert alive(change.guard, change.since)
    guard.confirm(state=state)
    time.sleep(1.4)
    assert "m_1" in nft.listed(tool=tool)
    assert not alive(change.guard, change.since)
    with pytest.raises(Refused, match="no change waits"):
        guard.confirm(state=state)
    guard.rollback(state=state)
    assert nft.listed(tool=tool) == ""


def test_f10_what_is_not_confirmed_goes_back(tool: Tool, state: Path) -> None:
    nft.load(_table(1), tool)
    before = nft.listed(tool=tool)
    guard.apply(_table(2), 1.0, state=state, tool=tool)
    assert "m_2" in nft.listed(tool=tool)
    assert _until(tool, before)
    with pytest.raises(Refused):
        guard.confirm(state=state)


def test_f10_the_death_of_the_caller_changes_nothing(tool: Tool, state: Path) -> None:
    nft.load(_table(1), tool)
    before = nft.listed(tool=tool)
    program = (
        "import sys, time\nfrom pathlib import Path\n"
        "from martello.adapters import guard\nfrom martello.adapters.nft import Tool\n"
        "state, *enter = sys.argv[1:]\n"
        "guard.apply(sys.stdin.read(), 1.5, state=Path(state), tool=Tool(tuple(enter)))\n"
        "print('applied', flush=True)\ntime.sleep(60)\n"
    )
    caller = subprocess.Popen(
        [sys.executable, "-c", program, str(state), *tool.enter],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert caller.stdin is not None
    assert caller.stdout is not None
    caller.stdin.write(_table(2))
    caller.stdin.close()
    assert caller.stdout.readline() == "applied\n"
    os.killpg(caller.pid, signal.SIGKILL)
    caller.wait()
    caller.stdout.close()
    assert "m_2" in nft.listed(tool=tool)
    assert _until(tool, before)


def test_f10_two_operators(tool: Tool, state: Path) -> None:
    guard.apply(_table(1), 30.0, state=state, tool=tool)
    with pytest.raises(Refused, match="another change waits"):
        guard.apply(_table(2), 30.0, state=state, tool=tool)
    assert "m_1" in nft.listed(tool=tool)
    with State(state).locked(), pytest.raises(Refused, match="another operator"):
        guard.apply(_table(2), 30.0, state=state, tool=tool)
    guard.rollback(state=state)
    assert nft.listed(tool=tool) == ""


def test_f10_a_dead_guard_leaves_its_state_to_the_next(tool: Tool, state: Path) -> None:
    nft.load(_table(1), tool)
    before = nft.listed(tool=tool)
    first = guard.apply(_table(2), 60.0, state=state, tool=tool)
    os.kill(first.guard, signal.SIGKILL)
    second = guard.apply(_table(3), 60.0, state=state, tool=tool)
    assert second.before == before
    guard.rollback(state=state)
    assert nft.listed(tool=tool) == before


def test_f10_a_refused_change_leaves_no_trace(tool: Tool, state: Path) -> None:
    with pytest.raises(Refused):
        guard.apply("add rule inet no such thing", 5.0, state=state, tool=tool)
    assert State(state).pending() is None


def test_f10_an_address_that_went_silent_takes_the_change_back(tool: Tool, state: Path) -> None:
    with pytest.raises(Refused, match="did not answer"):
        guard.apply(_table(1), 30.0, state=state, tool=tool, reach=[("127.0.0.1", 9)])
    assert nft.listed(tool=tool) == ""


def test_f10_confirmation_needs_a_new_connection(
    tool: Tool, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 1000 192.0.2.2 22")
    guard.apply(_table(1), 30.0, state=state, tool=tool)
    with pytest.raises(Refused, match="connection that made the change"):
        guard.confirm(state=state)
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 1001 192.0.2.2 22")
    guard.confirm(state=state)
    assert [c.table for c in State(state).changes(CONFIRMED)] == ["martello"]


def test_f10_a_directory_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(Refused, match="no directory of ours"):
        State(tmp_path / "link")
    (tmp_path / "open").mkdir(0o755)
    with pytest.raises(Refused, match="not ours alone"):
        State(tmp_path / "open")


def test_a_refused_directory_closes_nobody_elses_file(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(0o755)
    with pytest.raises(Refused) as refused:
        State(tmp_path / "open")
    with (tmp_path / "next").open("wb") as others:  # has the number that the directory had
        del refused
        gc.collect()
        assert os.fstat(others.fileno()).st_ino


def test_f10_links_and_rubbish_in_the_directory_are_not_followed(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    victim = tmp_path / "victim"
    victim.write_text("{}")
    (state.path / f"pending-{'0' * 16}.json").symlink_to(victim)
    (state.path / f"pending-{'1' * 16}.json").write_text("[")
    (state.path / "pending-x.json").write_text("{}")
    assert state.changes(PENDING) == []
    (state.path / "lock").symlink_to(victim)
    with pytest.raises(Refused), state.locked():
        pass
    assert victim.read_text() == "{}"


def test_f10_of_many_operators_at_once_one_changes(tool: Tool, state: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from martello.adapters import guard\nfrom martello.adapters.nft import Tool\n"
        "from martello.core.errors import Refused\n"
        "state, *enter = sys.argv[1:]\n"
        "try:\n"
        "    guard.apply(sys.stdin.read(), 30.0, state=Path(state), tool=Tool(tuple(enter)))\n"
        "except Refused as refused:\n"
        "    sys.exit(str(refused))\n"
    )
    argv = [sys.executable, "-c", program, str(state), *tool.enter]
    crowd = [
        subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [one.communicate(_table(n))[1] for n, one in enumerate(crowd, 1)]
    done = [n for n, one in enumerate(crowd, 1) if one.returncode == 0]
    assert len(done) == 1
    assert all("another" in text for n, text in enumerate(said, 1) if n not in done)
    assert f"m_{done[0]}" in nft.listed(tool=tool)
    guard.rollback(state=state)
    assert nft.listed(tool=tool) == ""


@pytest.mark.parametrize("late", [-0.15, -0.05, 0.0, 0.05, 0.15])
def test_f10_confirmation_at_the_last_moment_is_kept_or_refused(
    tool: Tool, state: Path, late: float
) -> None:
    """Whoever is first decides: never is a change confirmed and taken back."""
    guard.apply(_table(1), 1.0, state=state, tool=tool)
    time.sleep(1.0 + late)
    try:
        guard.confirm(state=state)
        kept = True
    except Refused:
        kept = False
    time.sleep(0.5)
    assert ("m_1" in nft.listed(tool=tool)) == kept
