"""The daemon in its running place: logs are followed, gaps told, figures exposed, history warm."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.asked import ask
from tests.support.command import martello
from tests.support.gate import free_port
from tests.support.monitoring import Monitor, monitor
from tests.support.senders import body, event, got, post, rules

QUIET = ("--no-baselines", "--silence", "0")
SEQUENCE = """
id: TST-103
title: Secrets listed, then a shell
severity: critical
when:
  - {name: listed, kind: audit, when: e.api_verb == "list" && e.k8s_resource == "secrets"}
  - {name: shell, kind: alert, when: e.proc_name == "bash"}
correlate: {type: sequence, by: [cluster], within: 10m}
"""


def lines(*numbers: int, user: str = "") -> bytes:
    """Lines of an audit log."""
    return b"".join(json.dumps(event(n, user)).encode() + b"\n" for n in numbers)


def append(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def until(true: Callable[[], bool], seconds: float = 15) -> bool:
    """Whether it becomes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.1)
    return true()


def of_user(user: str) -> Callable[[Any], bool]:
    """Alerts of a user."""
    return lambda one: bool(one["entity"].get("actor_user") == user)


def hunt(place: Path, query: str) -> list[Any]:
    """Rows of the lake."""
    env = {
        "MARTELLO_STATE": f"sqlite:///{place}/martello/state.db",
        "MARTELLO_LAKE": (place / "martello" / "lake").as_uri(),
    }
    done = ask("monitor", "hunt", query, "--since", "3650d", "-o", "json", env=env)
    found = json.loads(done.out)
    assert isinstance(found, list)
    return found


def metric(running: Monitor, name: str) -> float:
    """One figure; 0 where it is not there."""
    _, text = got(running.port, "/metrics")
    for line in text.splitlines():
        if line.startswith(f"martello_monitor_{name} "):
            return float(line.rpartition(" ")[2])
    return 0.0


def test_logs_are_followed_over_a_restart(tmp_path: Path) -> None:
    """A2: what was written while nobody ran is read, rotated or not; nothing is read twice."""
    log = tmp_path / "audit.log"
    log.write_bytes(lines(*range(1, 10)))
    follow = ("--rules", str(rules(tmp_path)), "--follow", f"audit:{log}", *QUIET)
    with monitor(tmp_path, *follow, "--from-start", port=free_port()) as running:
        append(log, lines(10))
        assert running.wait(of_user("user-10")) is not None
    append(log, lines(20, 21))
    log.rename(tmp_path / "audit-2026-08-01.log")
    log.write_bytes(lines(30)[:-5])
    with monitor(tmp_path, *follow, port=free_port()) as running:
        assert running.wait(of_user("user-20")) is not None
        assert running.wait(of_user("user-30"), 1) is None, "its line is not finished"
        append(log, lines(30)[-5:])
        assert running.wait(of_user("user-30")) is not None
        assert running.process.poll() is None
    counts = hunt(tmp_path, "SELECT count(*) AS n, count(DISTINCT api_id) AS ids FROM audit")
    assert counts == [{"n": 13, "ids": 13}]


def test_other_logs_are_followed(tmp_path: Path) -> None:
    """Falco's alerts, and the logs of pods, whose path names them."""
    pod = tmp_path / "pods" / "shop_web_11111111-2222-3333-4444-555555555555" / "app"
    pod.mkdir(parents=True)
    falco = tmp_path / "falco.log"
    follow = ("--follow", f"falco:{falco}", "--follow", f"cri:{tmp_path / 'pods'}")
    words = ("--rules", str(rules(tmp_path)), *follow, "--flush", "0.5", *QUIET)
    with monitor(tmp_path, *words, port=free_port()) as running:
        time.sleep(0.5)
        told = {"rule": "Shell", "output": "x", "priority": "Notice", "output_fields": {}}
        append(falco, json.dumps({**told, "time": "2026-08-01T12:00:00Z"}).encode() + b"\n")
        append(pod / "0.log", b"2026-08-01T12:00:00.000000000Z stdout P one \n")
        append(pod / "0.log", b"2026-08-01T12:00:00.000000000Z stdout F line\n")
        assert until(lambda: metric(running, 'events_total{kind="alert",source="falco"}') == 1)
        assert until(lambda: metric(running, 'events_total{kind="log",source="cri"}') == 1)
    rows = hunt(tmp_path, "SELECT k8s_ns, pod_name, container_name, log_text FROM log")
    assert rows == [
        {"k8s_ns": "shop", "pod_name": "web", "container_name": "app", "log_text": "one line"}
    ]


def test_it_tells_figures_and_that_it_is_ready(tmp_path: Path) -> None:
    with monitor(tmp_path, "--rules", str(rules(tmp_path)), *QUIET, port=free_port()) as running:
        assert got(running.port, "/readyz") == (200, "ok\n")
        assert post(running.port, body(range(20))) == 200
        assert post(running.port, b"not json") == 200, "it is kept; who reads it tells"
        assert until(lambda: metric(running, 'events_total{kind="audit",source="audit"}') == 20)
        assert until(lambda: metric(running, 'events_total{kind="gap",source="audit"}') == 1)
        assert until(lambda: metric(running, 'alerts_total{severity="high"}') == 2)
        assert metric(running, "spool_bytes") > 5_000
        assert metric(running, "trouble") == 0
        _, text = got(running.port, "/metrics")
        for name in ("lag_seconds", "dropped_groups_total", "evicted_total", "baselines_entities"):
            assert f"# TYPE martello_monitor_{name} " in text


def test_silence_and_absence_are_gaps(tmp_path: Path) -> None:
    words = ("--rules", str(rules(tmp_path)), "--no-baselines", "--silence", "1", "--flush", "0.5")
    with monitor(tmp_path, *words, port=free_port()) as running:
        assert post(running.port, body(range(1))) == 200
        assert until(lambda: metric(running, 'gaps_total{source="audit"}') >= 1)
    alive = tmp_path / "martello" / "spool" / "alive"
    before = time.time() - 300
    os.utime(alive, (before, before))
    with monitor(tmp_path, *words, port=free_port()):
        time.sleep(2)
    found = hunt(tmp_path, "SELECT action, source FROM gaps ORDER BY action")
    assert {"action": "silent", "source": "audit"} in found
    assert {"action": "died", "source": "audit"} in found


def test_a_correlation_goes_on_after_a_restart(tmp_path: Path) -> None:
    """C4: its first part was told by an earlier run, from the lake it is known."""
    place = tmp_path / "rules"
    place.mkdir()
    (place / "sequence.yaml").write_text(SEQUENCE, encoding="utf-8")
    words = ("--rules", str(place), "--flush", "0.5", *QUIET)
    with monitor(tmp_path, *words, port=free_port()) as running:
        assert post(running.port, body(range(1))) == 200
        time.sleep(1.5)
    with monitor(tmp_path, *words, port=free_port()) as running:
        assert until(lambda: any("resumed after 1 events" in one for one in running.errors))
        told = {"rule": "Shell", "output": "x", "priority": "Notice"}
        time_ = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
        alert = {**told, "output_fields": {"proc.name": "bash"}, "time": time_}
        assert post(running.port, json.dumps(alert).encode(), "/falco") == 200
        time.sleep(0.5)
    assert [one["severity"] for one in running.of("TST-103")] == ["critical"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--follow", "what:/x"), "cannot follow what:/x"),
        (("--follow", "cri:/nowhere/at/all"), "it is no directory"),
        (("--follow", "audit:/tmp"), "it is a directory"),
        (("--follow", "audit:/a", "--follow", "audit:/a"), "followed twice"),
        ((), "no source was named"),
    ],
)
def test_what_cannot_be_followed_is_told(tmp_path: Path, words: Any, said: str) -> None:
    env = {"XDG_STATE_HOME": str(tmp_path), "MARTELLO_STATE": "", "HOME": str(tmp_path)}
    done = martello("monitor", "run", "--rules", str(rules(tmp_path)), *words, env=env)
    assert done.code == 2
    assert said in done.err
