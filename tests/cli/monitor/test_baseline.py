"""`monitor baseline`: what the daemon learned is kept, shown, compared, budgeted, decided."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.asked import ask
from tests.support.command import Done
from tests.support.gate import free_port
from tests.support.monitoring import monitor
from tests.support.senders import post, rules

from martello.practices.monitor.baseline import Baselines
from martello.practices.monitor.baseline.known import WAITING
from martello.store import normals
from martello.store.state import open_state

MINUTE = 60_000_000_000


def started(at: int, exe: str = "/usr/bin/app", pod: str = "web-1", **more: Any) -> dict[str, Any]:
    """A process of deploy/web."""
    return {
        "kind": "process",
        "time": at,
        "proc_exe": exe,
        "k8s_ns": "shop",
        "pod_name": pod,
        "pod_workload": "deploy/web",
        "pod_template": "t1",
        "container_name": "web",
        **more,
    }


def told(place: Path, *words: str) -> Done:
    """The command, on the store of the daemon below a directory."""
    env = {
        "MARTELLO_STATE": f"sqlite:///{place}/martello/state.db",
        "MARTELLO_LAKE": (place / "martello" / "lake").as_uri(),
    }
    return ask("monitor", "baseline", *words, columns=0, env=env)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A daemon has learned from an hour of a workload, and has ended."""
    place = tmp_path_factory.mktemp("learned")
    now = time.time_ns()
    usual = [started(now - (60 - i) * MINUTE, pod=f"web-{i % 3}") for i in range(60)]
    odd = started(now - MINUTE // 2, "/usr/bin/nc")
    body = "\n".join(json.dumps(one) for one in (*usual, odd)).encode()
    port = free_port()
    with monitor(place, "--rules", str(rules(place)), "--silence", "0", port=port) as running:
        assert post(port, body, "/events") == 200
        assert running.wait(lambda one: one["rule"] == "MON-501") is not None
    return place


def test_it_shows_facts_with_their_figures(learned: Path) -> None:
    """B4: age, events, facts, state."""
    shown = told(learned, "show", "deploy/web", "-n", "shop")
    assert shown.code == 0, shown
    assert "shop/deploy/web/web, roll-out t1: 2 facts of 61 events, 1.0 h" in shown.out
    assert "/usr/bin/app  60 times by 3 replicas" in shown.out
    assert "/usr/bin/nc  once by 1 replica" in shown.out
    assert told(learned, "show").out.startswith("shop/deploy/web/web")


def test_what_is_not_known_is_told(learned: Path) -> None:
    wrong = told(learned, "show", "deploy/web", "-n", "other")
    assert wrong.code == 2
    assert "nothing is known of deploy/web in other" in wrong.err


def test_diff_tells_what_is_new(learned: Path) -> None:
    done = told(learned, "diff", "web", "-n", "shop", "--since", "10m")
    assert done.code == 0, done
    assert [line.split("  once")[0] for line in done.out.splitlines()] == [
        "new        program: /usr/bin/nc"
    ]


def test_budget_tells_the_threshold_and_holds_it(learned: Path) -> None:
    """B3: the smallest threshold whose back-test stays within the alerts of a day."""
    none = json.loads(told(learned, "budget", "0", "-o", "json").out)
    one = json.loads(told(learned, "budget", "1", "-o", "json").out)
    assert none["alerts"] == 0
    assert one["alerts"] <= 1
    assert none["threshold"] > one["threshold"]
    assert none["events"] == 61
    assert "monitor run --surprise" in told(learned, "budget", "0").out


def test_a_person_accepts_and_forgets_and_the_daemon_takes_it(learned: Path) -> None:
    url = f"sqlite:///{learned}/martello/state.db"
    with open_state(url) as state:
        (row,) = [one for one in normals.load(state) if one.value == "/usr/bin/nc"]
        normals.decide(state, [row], WAITING)
    assert told(learned, "diff", "web", "-n", "shop").code == 1
    done = told(learned, "accept", "deploy/web", "-n", "shop")
    assert done.out == "accepted: program /usr/bin/nc of shop/deploy/web/web\n"
    assert told(learned, "accept", "deploy/web", "-n", "shop").code == 1
    port = free_port()
    words = ("--rules", str(rules(learned)), "--silence", "0")
    with monitor(learned, *words, port=port) as running:  # loads; what it knew is not new
        body = json.dumps(started(time.time_ns(), "/usr/bin/nc")).encode()
        assert post(port, body, "/events") == 200
        assert running.wait(lambda one: one["rule"] == "MON-501", 2) is None
    assert "wait" not in told(learned, "show", "deploy/web", "-n", "shop").out
    assert told(learned, "forget", "deploy/web", "-n", "shop").code == 0
    with monitor(learned, *words, port=free_port()):
        time.sleep(0.5)
    assert told(learned, "show").out.startswith("nothing is known yet")


def test_what_was_kept_is_what_was_learned(tmp_path: Path) -> None:
    """Baselines.load after save knows each value as it was."""
    from threading import Lock

    from martello.cli.monitor.learned import Learned

    baselines = Baselines()
    baselines.observe([started(MINUTE * (1000 + i), pod=f"web-{i % 3}") for i in range(30)])
    with open_state(f"sqlite:///{tmp_path}/state.db") as state:
        Learned(state, baselines, Lock()).save()
        again = Baselines()
        Learned(state, again, Lock()).load()
    (before,), (after,) = baselines.normals(), again.normals()
    known = [(r.kind, r.value, r.times, r.first, r.last, r.state) for r in after.rows()]
    assert known == [(r.kind, r.value, r.times, r.first, r.last, r.state) for r in before.rows()]
    assert after.entity == before.entity
