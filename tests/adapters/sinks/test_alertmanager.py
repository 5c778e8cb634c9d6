"""Alertmanager as Debian packages it: what it shows of our alerts, and for how long."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.sinks import SECOND, alert, free_port, hostile, listens, process, program, until

from martello.adapters.sinks import open_sink
from martello.adapters.sinks.alertmanager import HOLDS, REPEATS, Alertmanager, posted
from martello.adapters.sinks.http import Http

CONFIG = "route: {receiver: none}\nreceivers: [{name: none}]\n"


class Running:
    """A running Alertmanager."""

    def __init__(self, url: str) -> None:
        self.url = url

    def alerts(self, name: str, active: bool = True) -> list[dict[str, Any]]:
        """The alerts of a namespace that it has; only what fires, or what has ended too."""
        filter = urllib.parse.quote(f'namespace="{name}"')
        query = f"filter={filter}&active={str(active).lower()}"
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts?{query}", timeout=5) as answer:
            told = json.loads(answer.read())
            assert isinstance(told, list)
            return told


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    binary = program("prometheus-alertmanager", "prometheus-alertmanager")
    directory = tmp_path_factory.mktemp("alertmanager")
    (directory / "config.yml").write_text(CONFIG)
    port = free_port()
    command = [
        binary,
        f"--config.file={directory / 'config.yml'}",
        f"--storage.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with process(command, lambda: listens(port), directory / "log"):
        yield Running(f"http://127.0.0.1:{port}")


def _now(**given: Any) -> Any:
    now = time.time_ns()
    return alert(first=now - 10 * SECOND, last=now, **given)


def test_it_shows_what_was_posted_once_for_all_revisions(running: Running) -> None:
    sink = open_sink(f"alertmanager+{running.url}")
    sink.check()
    one = _now(name="once")
    for n in (1, 2, 3):
        sink.send(alert("once", revision=n, first=one.first, last=one.last))
    (told,) = running.alerts("once")
    assert told["labels"] == {
        "alertname": "MON-131",
        "alert_id": one.id,
        "severity": "high",
        "cluster": "prod",
        "namespace": "once",
        "workload": "deploy/web",
        "pod": "web-7f",
        "node": "n1",
    }
    assert told["annotations"]["repeats"] == "3"
    assert told["annotations"]["summary"] == "Shell in a container"
    assert told["status"]["state"] == "active"


def test_d3_it_forgets_what_nobody_repeats(running: Running) -> None:
    """It is what Alertmanager does, not what we remember of it: an alert ends at its endsAt."""
    shift = HOLDS - 3.0

    def late() -> float:  # as if it had been posted so long ago
        return time.time() - shift

    http = Http(lambda: running.url)
    sink = Alertmanager("am", http, clock=late)
    one = _now(name="forgotten")
    old = alert("forgotten", first=one.first - int(400 * SECOND), last=one.last)
    sink.send(old)
    assert len(running.alerts("forgotten")) == 1
    assert until(lambda: running.alerts("forgotten") == [])
    Alertmanager("am", http).repeat([old])
    assert until(lambda: len(running.alerts("forgotten")) == 1)
    assert HOLDS >= 3 * REPEATS


def test_d3_what_is_closed_ends_at_once(running: Running) -> None:
    sink = open_sink(f"alertmanager+{running.url}")
    one = _now(name="closed")
    sink.send(one)
    assert len(running.alerts("closed")) == 1
    sink.send(alert("closed", revision=2, first=one.first, last=one.last, state="closed"))
    assert until(lambda: running.alerts("closed") == [])


def test_it_takes_hostile_texts_and_odd_times(running: Running) -> None:
    sink = open_sink(f"alertmanager+{running.url}")
    sink.send(hostile())
    now = time.time_ns()
    for first in (0, now + 3_600 * SECOND, 2**62):
        for state in ("open", "closed"):
            sink.send(alert("odd", first=first, last=first, state=state))
    with urllib.request.urlopen(f"{running.url}/api/v2/alerts", timeout=5) as answer:
        told = json.loads(answer.read())
    (ours,) = [one for one in told if one["labels"]["alert_id"] == hostile().id]
    assert all(
        value.isprintable() for kind in ("labels", "annotations") for value in ours[kind].values()
    )


def test_labels_are_the_same_for_all_revisions() -> None:
    now = time.time_ns()
    first, last = (
        posted(alert(revision=n, says=f"said {n}", state=s), now)
        for n, s in ((1, "open"), (9, "acknowledged"))
    )
    assert first["labels"] == last["labels"]
    assert first["annotations"] != last["annotations"]
    assert first["startsAt"] <= first["endsAt"]
