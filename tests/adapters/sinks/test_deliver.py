"""The worker of a sink over a real outbox: nothing is lost; one that is down holds nobody up."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import update
from tests.support.sinks import Answer, alert, receiver, until

from martello.adapters.sinks import open_sink
from martello.adapters.sinks.deliver import UNWELL, Worker, deliver
from martello.core.alert import Alert
from martello.core.errors import Unreachable
from martello.core.sink import NotSent, Sink
from martello.store import handled
from martello.store.monitor_tables import delivery
from martello.store.outbox import Outbox
from martello.store.state import State, open_state

ROOT = Path(__file__).parents[3]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with open_state(f"sqlite:///{tmp_path / 'state.db'}") as opened:
        yield opened


@pytest.fixture
def outbox(state: State) -> Outbox:
    return Outbox(state, random.Random(1))


class Memory:
    """A sink in this process; `says` decides about each alert."""

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self.got: list[Alert] = []
        self.says: Callable[[Alert], None] = lambda _: None
        self.checks: Callable[[], None] = lambda: None

    def send(self, one: Alert) -> None:
        """Takes it, or raises what it says."""
        self.says(one)
        self.got.append(one)

    def check(self) -> None:
        """Whether it is there."""
        self.checks()


def _no(why: str = "503", **given: object) -> Callable[..., None]:
    def says(*_: object) -> None:
        raise NotSent(why, **given)  # type: ignore[arg-type]

    return says


class Clock:
    """A clock that goes when it is told to, and takes the outbox with it."""

    def __init__(self, state: State) -> None:
        self.at = 1_000.0
        self._state = state

    def __call__(self) -> float:
        return self.at

    def go(self, seconds: float) -> None:
        """So much time passes."""
        self.at += seconds
        micros = int(seconds * 1_000_000)
        change = update(delivery).values(
            next_at=delivery.c.next_at - micros, put_at=delivery.c.put_at - micros
        )
        with self._state.writing() as connection:
            connection.execute(change)


def _worker(outbox: Outbox, sink: Sink, clock: Clock, heard: list[str] | None = None) -> Worker:
    def hears(sink: Sink, why: str) -> None:
        if heard is not None:
            heard.append(why)

    return Worker(outbox, sink, threading.Event(), hears=hears, clock=clock)


def test_d1_a_sink_that_is_down_for_an_hour_loses_nothing(outbox: Outbox, state: State) -> None:
    clock, sink = Clock(state), Memory()
    heard = list[str]()
    worker = _worker(outbox, sink, clock, heard)
    sink.says = _no("connection refused")
    put: list[Alert] = []
    for step in range(30):
        put += [alert(f"{step}-{n}") for n in range(2)]
        outbox.put(put[-2:], [sink.name])
        while worker.turn():
            pass
        clock.go(120)
    assert sink.got == []
    assert outbox.standing()[sink.name].waiting == 60
    sink.says = lambda _: None
    for _ in range(4):
        while worker.turn():
            pass
        clock.go(300)
    assert Counter(one.key for one in sink.got) == Counter(one.key for one in put)
    assert outbox.standing()[sink.name].dead == 0
    assert heard == ["connection refused", ""]


def test_d1_one_that_is_down_or_hangs_holds_nobody_up(outbox: Outbox) -> None:
    ending, hang = threading.Event(), threading.Event()
    down, slow, good = Memory("down"), Memory("slow"), Memory("good")
    down.says = _no()

    def hangs(_: Alert) -> None:
        hang.wait(60)

    slow.says = hangs
    threads = [
        threading.Thread(target=deliver, args=(outbox, sink, ending)) for sink in (down, slow, good)
    ]
    for one in threads:
        one.start()
    try:
        outbox.put([alert(f"n{i}") for i in range(25)], ["down", "slow", "good"])
        assert until(lambda: len(good.got) == 25, 30)
        assert slow.got == down.got == []
    finally:
        ending.set()
        hang.set()
        for one in threads:
            one.join(10)
            assert not one.is_alive()


def test_d1_retry_after_is_obeyed(outbox: Outbox, state: State) -> None:
    clock, sink = Clock(state), Memory()
    worker = _worker(outbox, sink, clock)
    outbox.put([alert()], [sink.name])
    sink.says = _no("429", retry_after=600.0)
    worker.turn()
    sink.says = lambda _: None
    clock.go(590)
    assert not worker.turn()
    clock.go(11)
    assert worker.turn()
    assert [one.key for one in sink.got] == [alert().key]


def test_what_never_succeeds_is_a_dead_letter_at_once_and_the_rest_goes_on(
    outbox: Outbox, state: State
) -> None:
    sink = Memory()

    def says(one: Alert) -> None:
        if one.entity["k8s_ns"] == "bad":
            raise NotSent("400 bad payload", never=True)

    sink.says = says
    outbox.put([alert("bad"), alert("good")], [sink.name])
    _worker(outbox, sink, Clock(state)).turn()
    assert [one.entity["k8s_ns"] for one in sink.got] == ["good"]
    assert [one.error for one in outbox.dead()] == ["400 bad payload"]
    sink.says = lambda _: None
    assert outbox.retry() == 1
    _worker(outbox, sink, Clock(state)).turn()
    assert len(sink.got) == 2


def test_an_alert_that_a_sink_chokes_on_does_not_starve_the_others(
    outbox: Outbox, state: State
) -> None:
    clock, sink = Clock(state), Memory()

    def says(one: Alert) -> None:
        if one.entity["k8s_ns"].startswith("poison"):
            raise NotSent("500")

    sink.says = says
    names = [f"poison{i}" for i in range(3)] + [f"good{i}" for i in range(12)]
    outbox.put([alert(name) for name in names], [sink.name])
    worker = _worker(outbox, sink, clock)
    for _ in range(12):
        while worker.turn():
            pass
        clock.go(60)
    assert sorted(one.entity["k8s_ns"] for one in sink.got) == sorted(names[3:])
    assert outbox.standing()[sink.name].waiting == 3


def test_a_mistake_in_a_sink_ends_no_thread(outbox: Outbox, state: State) -> None:
    sink = Memory()

    def says(one: Alert) -> None:
        raise ZeroDivisionError(one.says)

    def checks() -> None:
        raise ZeroDivisionError

    sink.says, sink.checks = says, checks
    heard: list[str] = []
    worker = _worker(outbox, sink, Clock(state), heard)
    outbox.put([alert()], [sink.name])
    worker.look()
    worker.turn()
    assert heard == ["ZeroDivisionError"]
    assert outbox.standing()[sink.name].waiting == 1


def test_what_was_overtaken_is_not_sent_late(outbox: Outbox, state: State) -> None:
    """Else Alertmanager would raise again what is closed."""
    clock, sink = Clock(state), Memory()
    worker = _worker(outbox, sink, clock)
    outbox.put([alert()], [sink.name])
    sink.says = _no()
    worker.turn()
    sink.says = lambda _: None
    handled.mark(state, [alert().id], "closed")
    worker.turn()
    clock.go(10)
    while worker.turn():
        pass
    assert [(one.revision, one.state) for one in sink.got] == [(2, "closed")]
    assert outbox.standing()[sink.name].waiting == 0


class Forgets(Memory):
    """A sink that must be told again."""

    repeats = 60.0

    def __init__(self) -> None:
        super().__init__("forgets")
        self.again: list[list[str]] = []

    def repeat(self, alerts: tuple[Alert, ...]) -> None:
        """Takes what is open."""
        self.says(alerts[0])
        self.again.append(sorted(f"{one.entity['k8s_ns']}-{one.revision}" for one in alerts))


def test_d3_what_is_open_is_repeated_until_it_is_closed(outbox: Outbox, state: State) -> None:
    clock, sink = Clock(state), Forgets()
    now = time.time_ns()
    made = [msgspec.structs.replace(alert(name), last=now) for name in "abc"]
    worker = _worker(outbox, sink, clock)
    outbox.put(made[:2], [sink.name])
    outbox.put(made[2:], ["another"])
    while worker.turn():
        pass
    assert sink.again == []
    clock.go(61)
    worker.turn()
    worker.turn()
    assert sink.again == [["a-1", "b-1"]]
    handled.mark(state, [made[0].id], "acknowledged")
    handled.mark(state, [made[1].id], "closed")
    while worker.turn():
        pass
    clock.go(61)
    worker.turn()
    assert sink.again[1:] == [["a-2"]]
    sink.says = _no()
    clock.go(61)
    worker.turn()  # it is down: that is no reason to fail
    old = msgspec.structs.replace(made[0], repeats=9, revision=9, last=now - 2 * 86_400 * 10**9)
    outbox.put([old], [])
    sink.says = lambda _: None
    clock.go(61)
    worker.turn()
    assert sink.again[2:] == []  # nothing happened for a day: it may be forgotten


def test_d4_a_sink_that_fails_at_start_is_told_and_so_is_that_it_answers(
    outbox: Outbox, state: State
) -> None:
    clock, sink = Clock(state), Memory()
    heard: list[str] = []
    worker = _worker(outbox, sink, clock, heard)
    sink.checks = _no("404 no_service")
    worker.look()
    assert heard == ["404 no_service"]
    fine: list[str] = []
    _worker(outbox, Memory("fine"), clock, fine).look()
    assert fine == [""]
    outbox.put([alert("a")], [sink.name])
    worker.turn()
    assert heard == ["404 no_service", ""]
    sink.says = _no("500")
    for n in range(20):
        outbox.put([alert(f"b{n}")], [sink.name])
        worker.turn()
        clock.go(UNWELL / 10)
    assert heard == ["404 no_service", "", "500"]  # once, and not for a moment's trouble


def test_deliveries_reach_a_server_through_the_thread(outbox: Outbox) -> None:
    with receiver() as server:
        ending = threading.Event()
        sink = open_sink(f"webhook+{server.url}/hook")
        down = {"left": 3}

        def answer(got: object) -> Answer:
            if down["left"]:
                down["left"] -= 1
                return Answer(503, Retry_After="0")
            return Answer()

        server.answer = answer
        thread = threading.Thread(target=deliver, args=(outbox, sink, ending))
        thread.start()
        try:
            outbox.put([alert(f"n{i}") for i in range(12)], [sink.name])
            assert until(lambda: outbox.standing()[sink.name].done == 12, 20)
        finally:
            ending.set()
            thread.join(10)
        keys = {got.headers["idempotency-key"] for got in server.posts}
        assert keys == {alert(f"n{i}").key for i in range(12)}


KILLED = """
import sys, threading, time
from martello.adapters.sinks import open_sink
from martello.adapters.sinks.deliver import Worker
from martello.store.outbox import Outbox
from martello.store.state import open_state
import martello.adapters.sinks.deliver as deliver
deliver.LEASE = 31.0
with open_state(sys.argv[1]) as state:
    print("ready", flush=True)
    worker = Worker(Outbox(state), open_sink(sys.argv[2]), threading.Event())
    while True:
        if not worker.turn():
            time.sleep(0.01)
"""


def test_d2_killed_in_the_middle_of_deliveries_nothing_is_lost(
    state: State, outbox: Outbox, tmp_path: Path
) -> None:
    """Each process is killed -9 after some lines; what it had claimed comes again, the same."""
    path = tmp_path / "alerts"
    put = [alert(f"n{i}") for i in range(60)]
    outbox.put(put, [path.as_uri()])
    chance = random.Random(7)
    clock = Clock(state)
    url = f"sqlite:///{tmp_path / 'state.db'}"
    kills = 0
    while outbox.standing()[path.as_uri()].waiting:
        assert kills < 40
        command = [sys.executable, "-c", KILLED, url, path.as_uri()]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}
        ) as running:
            assert running.stdout is not None
            running.stdout.readline()
            before = path.read_bytes().count(b"\n") if path.exists() else 0
            more = chance.randrange(1, 25)
            wanted = before + more

            def enough(wanted: int = wanted) -> bool:
                lines = path.read_bytes().count(b"\n") if path.exists() else 0
                return lines >= wanted or not outbox.standing()[path.as_uri()].waiting

            until(enough)
            os.kill(running.pid, signal.SIGKILL)
        kills += 1
        clock.go(32)
    told = Counter[str]()
    for line in path.read_bytes().splitlines():
        try:
            told[json.loads(line)["key"]] += 1
        except ValueError:
            continue  # what the killed one was writing
    assert set(told) == {one.key for one in put}
    assert kills > 2
    assert sum(told.values()) - len(told) <= kills  # at most the one in its hands, each time


def test_a_sink_is_served_though_nobody_can_be_told_of_it(outbox: Outbox) -> None:
    """The store is locked while a sink does not answer."""
    sink, asked = Memory(), []

    def away() -> None:
        raise NotSent("away")

    def hears(_: Sink, why: str) -> None:
        asked.append(why)
        raise Unreachable("the store does not answer", "locked", "")

    sink.checks = away
    ending = threading.Event()
    thread = threading.Thread(target=deliver, args=(outbox, sink, ending, hears))
    thread.start()
    try:
        outbox.put([alert()], [sink.name])
        until(lambda: bool(sink.got), 15)
        assert asked[0] == "away"
    finally:
        ending.set()
        thread.join(10)
