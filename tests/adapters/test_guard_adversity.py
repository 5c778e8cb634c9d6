"""Commit-confirm where things go wrong: no room, no time, a dead guard, a foreign table."""

from __future__ import annotations

import os
import resource
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.support.network.room import inside, missing, room

from martello.adapters import guard, nft
from martello.adapters.guarded import CONFIRMED, PENDING, ROLLING, State, alive
from martello.adapters.nft import Tool
from martello.core.errors import MartelloError, Refused, Unreachable

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


def _table(number: int, table: str = "martello") -> str:
    return (
        f"add table inet {table}\ndelete table inet {table}\n"
        f"table inet {table} {{\n\tset m_{number} {{\n\t\ttype ipv4_addr\n\t}}\n}}\n"
    )


@pytest.fixture
def tool(tmp_path: Path) -> Iterator[Tool]:
    with room() as name:
        yield inside(name)
        for file in (tmp_path / "state").glob("pending-*"):
            file.unlink()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_f10_an_answer_that_comes_too_late_takes_back_only_its_own_change(
    tool: Tool, state: Path
) -> None:
    """The guard was quicker than the look at what must answer: what was confirmed before stays."""
    guard.apply(_table(1), 30.0, state=state, tool=tool)
    guard.confirm(state=state)
    before = nft.listed(tool=tool)
    with socket.socket() as silent:  # a full backlog: nothing answers, nothing refuses
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        with (
            socket.create_connection(silent.getsockname()),
            pytest.raises(Refused, match="did not answer"),
        ):
            guard.apply(_table(2), 0.3, state=state, tool=tool, reach=[silent.getsockname()])
    assert nft.listed(tool=tool) == before


def test_f10_a_dead_guard_of_another_table_is_not_forgotten(tool: Tool, state: Path) -> None:
    first = guard.apply(_table(1, "martello_host"), 60.0, state=state, tool=tool,
                        table="martello_host")  # fmt: skip
    os.kill(first.guard, signal.SIGKILL)
    while alive(first.guard, first.since):  # it dies when the kernel comes to it
        time.sleep(0.01)
    with pytest.raises(Refused, match="martello_host"):
        guard.apply(_table(2), 60.0, state=state, tool=tool)
    assert nft.listed(tool=tool) == ""
    guard.rollback(state=state)
    assert nft.listed("martello_host", tool) == ""


def test_f10_a_change_from_before_a_restart_is_not_confirmed(tool: Tool, state: Path) -> None:
    change = guard.apply(_table(1), 60.0, state=state, tool=tool)
    os.kill(change.guard, signal.SIGKILL)
    State(state).write(PENDING, msgspec.structs.replace(change, boot="another"))
    with pytest.raises(Refused, match="started anew"):
        guard.confirm(state=state)
    with pytest.raises(Refused, match="nothing to roll back"):
        guard.rollback(state=state)


def test_f10_what_cannot_be_put_back_is_not_replaced(
    tool: Tool, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's table that nft lists but does not read: nobody could go back to it."""
    nft.load(_table(1), tool)
    listed = nft.listed(tool=tool)
    monkeypatch.setattr(nft, "listed", lambda *_: listed.replace("ipv4_addr", "0x0 [invalid]"))
    with pytest.raises(Refused, match="could not be put back"):
        guard.apply(_table(2), 60.0, state=state, tool=tool)
    monkeypatch.undo()
    assert nft.listed(tool=tool) == listed


def test_f10_a_full_disk_changes_nothing(
    tool: Tool, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "1" * 2000)
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, old[1]))
    try:
        with pytest.raises(MartelloError, match="cannot be kept"):
            guard.apply(_table(1), 60.0, state=state, tool=tool)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, ignored)
    assert nft.listed(tool=tool) == ""
    assert State(state).pending() is None


def test_f10_what_may_have_been_loaded_is_left_to_the_guard(
    tool: Tool, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An nft that was killed may have changed the rules before it died."""
    load = nft.load

    def dies(text: str, tool: Tool) -> None:
        load(text, tool)
        raise Unreachable("nft was killed")

    monkeypatch.setattr(nft, "load", dies)
    with pytest.raises(Unreachable):
        guard.apply(_table(1), 0.5, state=state, tool=tool)
    monkeypatch.undo()
    assert "m_1" in nft.listed(tool=tool)
    end = time.monotonic() + 5
    while nft.listed(tool=tool) and time.monotonic() < end:
        time.sleep(0.05)
    assert nft.listed(tool=tool) == ""


def test_a_program_that_was_killed_did_not_refuse(tmp_path: Path) -> None:
    fake = tmp_path / "nft"
    fake.write_text("#!/bin/sh\nkill -9 $$\n")
    fake.chmod(0o755)
    tool = Tool((str(fake),))
    with pytest.raises(Unreachable, match="killed"):
        nft.load("", tool)


def test_f10_a_restorer_that_was_overtaken_leaves_the_new_rules(tool: Tool, state: Path) -> None:
    """One who rolls back, and is slow, does not put old rules over a change made since."""
    first = guard.apply(_table(1), 60.0, state=state, tool=tool)
    os.kill(first.guard, signal.SIGKILL)
    held = State(state)
    assert held.move(first.token, PENDING, ROLLING)  # and there it stopped for a while
    guard.apply(_table(2), 60.0, state=state, tool=tool)
    guard.confirm(state=state)
    guard._restore(held, first, 1)
    assert "m_2" in nft.listed(tool=tool)


def test_f10_nothing_is_confirmed_while_it_is_made(tool: Tool, state: Path) -> None:
    guard.apply(_table(1), 60.0, state=state, tool=tool)
    with State(state).locked(), pytest.raises(Refused, match="another operator"):
        guard.confirm(state=state)
    guard.confirm(state=state)
    assert [c.table for c in State(state).changes(CONFIRMED)] == ["martello"]


def test_f10_a_stopped_operator_does_not_hold_up_the_guard(
    tool: Tool, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "_PATIENCE", 0.3)
    guard.apply(_table(1), 60.0, state=state, tool=tool)
    with State(state).locked():
        guard.rollback(state=state)
    assert nft.listed(tool=tool) == ""


def test_f10_a_failed_change_takes_an_undecided_one_with_it(
    tool: Tool, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was never agreed to does not become the rule because the next one fails."""
    first = guard.apply(_table(1), 60.0, state=state, tool=tool)
    os.kill(first.guard, signal.SIGKILL)
    monkeypatch.setattr("sys.executable", "/bin/false")
    monkeypatch.setattr(guard, "_READY", 0.5)
    with pytest.raises(Refused, match="guard process did not start"):
        guard.apply(_table(2), 60.0, state=state, tool=tool)
    assert nft.listed(tool=tool) == ""


def test_f10_a_change_that_was_never_loaded_is_not_confirmed(tool: Tool, state: Path) -> None:
    """Whoever made it died before its guard was there."""
    change = guard.apply(_table(1), 60.0, state=state, tool=tool)
    os.kill(change.guard, signal.SIGKILL)
    State(state).write(PENDING, msgspec.structs.replace(change, guard=0, since=0))
    with pytest.raises(Refused, match="never loaded"):
        guard.confirm(state=state)
