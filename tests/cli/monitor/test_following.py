"""What a sensor tells is kept soon, whether more follows or not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.command import martello

pytest.importorskip("pyarrow")

from martello.adapters.sensors.pods import Pods
from martello.cli.monitor import following
from martello.cli.monitor.live_pods import live_pods
from martello.core.errors import BadInput


class Keeps:
    """The part of the daemon that a sensor needs: its jobs, and what keeps."""

    def __init__(self) -> None:
        self.jobs = self.keeper = self
        self.ending = threading.Event()
        self.bodies: list[bytes] = []
        self.threads: list[threading.Thread] = []

    def keep(self, source: str, body: bytes) -> int:
        self.bodies.append(body)
        return len(self.bodies)

    def thread(self, run: Callable[[], None], name: str, stop: Any = None) -> None:
        self.threads.append(threading.Thread(target=run, name=name, daemon=True))
        self.threads[-1].start()

    def run(self, job: Callable[[], None], name: str, every: float) -> None:
        def again() -> None:
            while not self.ending.wait(every):
                job()

        self.thread(again, name)


def test_the_last_event_does_not_wait_for_another() -> None:
    silent = threading.Event()

    def events() -> Iterator[dict[str, Any]]:
        yield {"id": "one"}
        silent.wait(30)
        yield {"id": "two"}

    watch: Any = Keeps()
    following.sensor(watch, events(), "sensor", lambda: None)
    try:
        deadline = time.monotonic() + 10
        while not watch.bodies and time.monotonic() < deadline:
            time.sleep(0.02)
        assert watch.bodies == [b'{"id":"one"}']
    finally:
        silent.set()
        watch.ending.set()
        for one in watch.threads:
            one.join(10)
    assert watch.bodies == [b'{"id":"one"}', b'{"id":"two"}']


def test_a_fault_of_ours_in_a_sensor_is_told() -> None:
    watch: Any = Keeps()
    told: list[tuple[str, ...]] = []
    watch.troubled = lambda name, what="": told.append((name, what))
    watch.missed = lambda source, size, why, what: told.append((source, why, what))

    def events() -> Iterator[dict[str, Any]]:
        yield {"id": "one"}
        raise TypeError("of what an attacker wrote")

    following.sensor(watch, events(), "sensor", lambda: None)
    watch.threads[-1].join(10)
    watch.ending.set()
    why = "internal error: TypeError"
    assert told == [("sensor", f"sensor: {why}"), ("sensor", why, "died")]
    assert len(watch.bodies) == 1


def test_without_one_rule_or_room_for_its_key_it_does_not_begin(tmp_path: Path) -> None:
    (tmp_path / "rule.yaml").write_text("id: no\ntitle: x\nwhen: 'true'\n")
    words = ("monitor", "run", "--listen", "127.0.0.1:0", "--plain")
    env = {"XDG_STATE_HOME": str(tmp_path / "state")}
    done = martello(*words, "--rules", "rule.yaml", cwd=tmp_path, env=env)
    assert done.code == 2
    assert "there are no rules" in done.err
    assert "rule.yaml:1:1" in done.err
    done = martello(*words, cwd=tmp_path, env={"XDG_STATE_HOME": str(tmp_path / "rule.yaml")})
    assert done.code == 4
    assert "cannot keep" in done.err


@pytest.mark.parametrize("told", ["[" * 100_000, "{", "\udcff"])
def test_pods_that_cannot_be_read_are_said(told: str, tmp_path: Path) -> None:
    (tmp_path / "pods.json").write_text(told, encoding="utf-8", errors="surrogateescape")
    flags = {"pods": str(tmp_path / "pods.json"), "context": "", "kubeconfig": ""}
    with pytest.raises(BadInput, match=r"cannot read .*pods\.json"):
        live_pods(flags, Pods())
