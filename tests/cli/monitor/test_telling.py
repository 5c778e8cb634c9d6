"""The daemon tells its sinks: routes of settings, sinks that are down, alerts of people."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from tests.support.asked import ask
from tests.support.command import martello
from tests.support.gate import free_port
from tests.support.monitoring import monitor
from tests.support.senders import body, post, rules
from tests.support.sinks import Answer, receiver, until

from martello.cli.monitor.telling import Telling
from martello.core.errors import BadInput
from martello.store.outbox import Outbox
from martello.store.state import open_state

QUIET = ("--no-baselines", "--silence", "0")


def test_alerts_reach_their_sinks_past_one_that_is_down_and_a_kill(tmp_path: Path) -> None:
    """D1, D2, D4 with the whole daemon: killed while a sink is down, nothing is lost."""
    file = tmp_path / "alerts.ndjson"
    down = free_port()
    with receiver() as server:
        server.answer = lambda _: Answer(503)
        words = ["--rules", str(rules(tmp_path)), *QUIET, "--flush", "0.5"]
        for sink in (
            file.as_uri(),
            f"webhook+{server.url}/hook",
            f"alertmanager+http://127.0.0.1:{down}",
        ):
            words += ["--sink", sink]
        port = free_port()
        with monitor(tmp_path, *words, port=port) as running:
            assert running.wait(lambda one: one["rule"] == "MON-906")
            assert post(port, body(range(100))) == 200
            assert until(lambda: len(_keys(file, "TST-101")) == 10, 20)
            assert {one["rule"] for one in _lines(file)} == {"TST-101", "MON-906"}
            os.kill(running.process.pid, signal.SIGKILL)
            running.process.wait(10)
        server.answer = lambda _: Answer()
        with monitor(tmp_path, *words, port=free_port()):

            def told() -> set[str]:
                return {
                    got.headers["idempotency-key"]
                    for got in server.posts
                    if got.json["rule"] == "TST-101"
                }

            keys = _keys(file, "TST-101")
            assert until(lambda: keys <= told(), 150)
            assert until(lambda: _open(tmp_path) == {f"alertmanager+http://127.0.0.1:{down}"})


def _open(place: Path) -> set[str]:
    """The sinks that are told of as silent: the webhook's alert of the first run is closed."""
    with open_state(f"sqlite:///{place / 'martello' / 'state.db'}") as state:
        found = [one for one in Outbox(state).alerts(closed=False) if one.rule == "MON-906"]
    assert len({one.entity["sink"] for one in found}) == len(found)
    return {one.entity["sink"] for one in found}


def _lines(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []


def _keys(file: Path, rule: str) -> set[str]:
    return {one["key"] for one in _lines(file) if one["rule"] == rule}


def test_routes_of_settings_name_their_sinks() -> None:
    routes = [
        {"sinks": ["stdout:", "file:///tmp/x"], "severity": "critical"},
        {"sinks": ["syslog://127.0.0.1"], "repeat": 5},
    ]
    told = Telling(["file:///tmp/x"], routes)
    assert list(told.sinks) == ["file:///tmp/x", "stdout:", "syslog://127.0.0.1"]
    assert told.printed
    assert told.route.sinks == tuple(told.sinks)
    assert Telling([]).sinks == {}
    with pytest.raises(BadInput, match=r"\[\[monitor.route\]\] 2"):
        Telling([], [routes[0], {"sinks": []}])
    with pytest.raises(BadInput, match="no such sink"):
        Telling([], [{"sinks": ["nowhere"]}])


def test_a_sink_that_cannot_be_is_a_mistake_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "martello.toml").write_text('[monitor]\nsinks = ["slack:env:NOT_SET"]\n')
    done = martello("monitor", "run", "--listen", ":0", "--plain", cwd=tmp_path)
    assert done.code == 2
    assert "NOT_SET" in done.err
    for text, why in (
        ("[monitor]\nsink = []\n", "unknown setting 'sink'"),
        ("[monitor]\nsinks = 7\n", "takes a list of words"),
        ("[monitor.route]\nsinks = []\n", "two brackets"),
        ("monitor = 7\n", "is no table"),
    ):
        (tmp_path / "martello.toml").write_text(text)
        done = ask("config", "show", cwd=tmp_path)
        assert done.code == 2
        assert why in done.err
