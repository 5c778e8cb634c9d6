"""The daemon is killed, its disk is full: what it said yes to is kept, and told once by its id.

ROUNDS sets how often it is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.support.gate import free_port
from tests.support.monitoring import Monitor, monitor
from tests.support.senders import body, got, post, rules

from martello.store import hunt
from martello.store.files import open_files
from martello.store.lake import Lake
from martello.store.outbox import Outbox
from martello.store.state import open_state

ROUNDS = int(os.environ.get("ROUNDS", "3"))
QUIET = ("--no-baselines", "--silence", "0")


def shown(place: Path, query: str = "SELECT api_id FROM audit") -> list[str]:
    """A column of the lake of a daemon that has ended."""
    with open_state(f"sqlite:///{place / 'martello' / 'state.db'}") as state:
        lake = Lake(open_files((place / "martello" / "lake").as_uri()))
        limits = hunt.Limits(rows=10**7)
        return [
            str(one) for one in hunt.run(state, lake, query, limits=limits).table[0].to_pylist()
        ]


def alerts(place: Path) -> dict[str, int]:
    """The alerts of the outbox by user, with how many events each stands on."""
    with open_state(f"sqlite:///{place / 'martello' / 'state.db'}") as state:
        found = Outbox(state).alerts(most=10**6)
    assert len({one.id for one in found}) == len(found)
    return {one.entity["actor_user"]: one.repeats for one in found}


class Sender:
    """Posts bodies of twenty events one after another, until it is told to end."""

    def __init__(self, port: int, first: int) -> None:
        self.next = first
        self.kept: list[int] = []  # first numbers of the bodies that got 200
        self._port = port
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._end.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._end.is_set():
            first, self.next = self.next, self.next + 20
            if post(self._port, body(range(first, first + 20))) == 200:
                self.kept.append(first)


def test_what_was_acknowledged_survives_kills(tmp_path: Path) -> None:
    """Fault: kill -9 at random points while a sender posts."""
    random = Random(5)
    kept: list[int] = []
    first = 0
    words = ("--rules", str(rules(tmp_path)), "--flush", "0.5", *QUIET)
    for _ in range(ROUNDS):
        port = free_port()
        with monitor(tmp_path, *words, port=port) as running:
            sender = Sender(port, first)
            time.sleep(0.3 + random.random() * 1.2)
            os.kill(running.process.pid, signal.SIGKILL)
            running.process.wait(10)
            sender.end()
        first = sender.next
        kept += sender.kept
    with monitor(tmp_path, *words, port=free_port()):
        time.sleep(1)
    assert len(kept) > 5 * ROUNDS
    there = shown(tmp_path)
    assert len(there) == len(set(there)), "an event is shown twice"
    wanted = {f"00000000-0000-4000-8000-{n + i:012d}" for n in kept for i in range(20)}
    assert not wanted - set(there), "an acknowledged event is lost"
    told = alerts(tmp_path)
    users = {f"user-{n}" for one in kept for n in range(one, one + 20) if n % 10 == 0}
    assert not users - set(told), "an alert is lost"
    assert set(told.values()) == {1}, "an event was counted twice"


def test_alerts_that_cannot_be_printed_hold_nothing_up(tmp_path: Path) -> None:
    """Its output is full, or nobody reads it any more."""
    words = ("--rules", str(rules(tmp_path)), "--flush", "0.5", *QUIET)
    with monitor(tmp_path, *words, port=free_port(), deaf=True) as running:
        for first in (0, 20):
            assert post(running.port, body(range(first, first + 20))) == 200
        time.sleep(3)
        assert got(running.port, "/readyz")[0] == 200
    assert len(shown(tmp_path)) == 40
    told = alerts(tmp_path)
    assert set(told) == {f"user-{number}" for number in (0, 10, 20, 30)}
    assert set(told.values()) == {1}, "an event was counted twice"


def test_an_alert_goes_on_after_a_kill(tmp_path: Path) -> None:
    """C4: the same alert, and its count."""
    words = ("--rules", str(rules(tmp_path)), "--flush", "0.5", *QUIET)
    seen: list[tuple[str, int]] = []

    def last(running: Monitor) -> tuple[str, int]:
        alert = running.wait(lambda one: one["repeats"] == len(seen) + 1, 20)
        assert alert is not None, running.of("TST-101")
        return str(alert["id"]), int(alert["repeats"])

    for number in range(3):
        port = free_port()
        with monitor(tmp_path, *words, port=port) as running:
            content = body(range(10 * number, 10 * number + 10)).replace(
                f'user-{10 * number}"'.encode(), b'mallory"'
            )
            assert post(port, content) == 200
            seen.append(last(running))
            if number == 1:
                time.sleep(1.5)  # into the lake
            os.kill(running.process.pid, signal.SIGKILL)
            running.process.wait(10)
    assert [count for _, count in seen] == [1, 2, 3]
    assert len({id for id, _ in seen}) == 1


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB."""
    if os.geteuid() != 0:
        pytest.skip("no disk of 8 MB: mounting one needs root")
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no disk of 8 MB: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _is_of(user: str, one: Mapping[str, Any]) -> bool:
    return bool(one["entity"]["actor_user"] == user)


def test_a_full_disk_is_told_and_detection_goes_on(small: Path, tmp_path: Path) -> None:
    """Fault: no room. 429, /readyz says so, rules still alert; with room again all is well."""
    port = free_port()
    words = ("--rules", str(rules(tmp_path)), "--flush", "3600", *QUIET)
    with monitor(small, *words, port=port) as running:
        assert post(port, body(range(20))) == 200
        filler = small / "filler"
        told = os.statvfs(small)
        filler.write_bytes(bytes(max(0, told.f_bavail * told.f_frsize - 60_000)))
        answers: list[int] = []
        number = 20
        while len(answers) < 60 and answers.count(429) < 5:
            content = body(range(number, number + 20))
            answers.append(post(port, content))
            number += 20
        assert 429 in answers, answers
        assert set(answers) <= {200, 429}
        refused = number - 20  # the last body was refused, and judged all the same
        wanted = {f"user-{n}" for n in range(refused, number) if n % 10 == 0}
        for user in wanted:
            told_of = partial(_is_of, user)
            assert running.wait(told_of) is not None, user
        status, why = got(port, "/readyz")
        assert status == 503
        assert "full" in why
        filler.unlink()
        assert post(port, content) == 200, "with room it is kept"
        deadline = time.monotonic() + 15
        while got(port, "/readyz")[0] != 200 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert got(port, "/readyz") == (200, "ok\n")
        time.sleep(1.5)  # the gap is written
    there = set(shown(small))
    kept = [20 * i for i, answer in enumerate([200, *answers]) if answer == 200]
    assert {f"00000000-0000-4000-8000-{n + i:012d}" for n in kept for i in range(20)} <= there
    told_alerts = alerts(small)
    assert {told_alerts[user] for user in wanted} == {1}, "sent twice, judged once"
    gaps = shown(small, "SELECT source || ' ' || action FROM gaps")
    assert "audit refused" in gaps


def test_reads_by_the_cluster_go_first_where_room_is_scarce(tmp_path: Path) -> None:
    """Section 12: from four fifths of the room on, with a gap; what people do is kept."""
    port = free_port()
    words = ("--rules", str(rules(tmp_path)), "--flush", "3600", "--spool-limit", "1", *QUIET)
    with monitor(tmp_path, *words, port=port) as running:
        number = 0
        while len(body(range(number, number + 40))) * number / 40 < 900_000:
            assert post(port, body(range(number, number + 40))) == 200
            number += 40
        content = body(range(number, number + 40)).replace(b'"user-', b'"system:node:n-')
        assert post(port, content) == 200
        assert running.process.poll() is None
        deadline = time.monotonic() + 15
        while 'kind="gap"' not in got(port, "/metrics")[1] and time.monotonic() < deadline:
            time.sleep(0.2)
    nodes = shown(tmp_path, "SELECT action FROM audit WHERE actor_user LIKE 'system:node:%'")
    assert nodes == ["list"] * 4, "only those of secrets"
    assert len(shown(tmp_path)) == number + 4
    assert "audit shed" in shown(tmp_path, "SELECT source || ' ' || action FROM gaps")
