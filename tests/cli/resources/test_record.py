"""`resources record`: snapshots of a server that answers metrics.k8s.io become a file of samples
that `advise` reads; what cannot be had is told, and nothing is half written.
"""

from __future__ import annotations

import csv
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.asked import ask
from tests.support.command import SRC, Done
from tests.support.http import Answer, Recorder, serve

from martello.adapters.usage import columns

BEGIN = 1_795_000_000
PODS = ("web-5d9c5b6f4-x2x4q", "web-5d9c5b6f4-x2x5q")


def _now(at: float, *pods: str) -> Answer:
    written = datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
    items = [
        {
            "metadata": {"name": pod, "namespace": "shop"},
            "timestamp": written,
            "containers": [{"name": "app", "usage": {"cpu": "250m", "memory": "64Mi"}}],
        }
        for pod in pods or PODS
    ]
    return 200, {"kind": "PodMetricsList", "metadata": {}, "items": items}


def _kubeconfig(place: Path, server: Recorder) -> Path:
    file = place / "kubeconfig"
    file.write_text(
        f"""
apiVersion: v1
kind: Config
current-context: here
clusters: [{{name: here, cluster: {{server: "{server.url}"}}}}]
users: [{{name: me, user: {{}}}}]
contexts: [{{name: here, context: {{cluster: here, user: me}}}}]
"""
    )
    return file


def _record(place: Path, server: Recorder, *words: str) -> Done:
    config = str(_kubeconfig(place, server))
    return ask("resources", "record", "use.csv", *words, "--kubeconfig", config, cwd=place)


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def test_one_snapshot_by_default_and_one_more_each_time(tmp_path: Path) -> None:
    times = itertools.count(BEGIN, 60)
    with serve(lambda path: _now(next(times))) as server:
        first = _record(tmp_path, server)
        second = _record(tmp_path, server, "--context", "here")
    assert (first.code, first.err) == (0, "")
    assert first.out.splitlines() == [
        "use.csv: 4 samples of 2 containers added by 1 snapshot",
        "next, with a day of samples or more, better two weeks:",
        "  martello resources advise --samples use.csv -f cluster",
    ]
    assert second.out.splitlines()[-1].endswith("-f cluster:here")
    rows = _rows(tmp_path / "use.csv")
    assert [float(row["time"]) - BEGIN for row in rows] == [0.0] * 4 + [60.0] * 4
    assert {(row["pod"], row["metric"], row["value"]) for row in rows} == {
        (pod, metric, value)
        for pod in PODS
        for metric, value in (("cores", "0.25"), ("memory", "67108864.0"))
    }
    done = ask("resources", "advise", "--samples", "use.csv", cwd=tmp_path, columns=0)
    assert "shop/deploy/web app  not enough data" in done.out
    assert "8 samples" in done.out


def test_two_days_of_snapshots_are_enough_for_advice(tmp_path: Path) -> None:
    with serve(lambda path: _now(BEGIN)) as server:
        _record(tmp_path, server)
    head, *rows = (tmp_path / "use.csv").read_text().splitlines(keepends=True)
    later = (
        row.replace(str(BEGIN), str(BEGIN + at)) for at in range(0, 2 * 86_400, 60) for row in rows
    )
    (tmp_path / "use.csv").write_text(head + "".join(later))
    done = ask("resources", "advise", "--samples", "use.csv", cwd=tmp_path, columns=0)
    assert done.code == 0, done.out
    assert "advice      cpu 260m" in done.out
    assert "confidence  low" in done.out


def test_it_goes_on_for_a_time_and_writes_no_sample_twice(tmp_path: Path) -> None:
    times = iter((BEGIN, BEGIN, BEGIN + 15))
    with serve(lambda path: _now(next(times))) as server:
        done = _record(tmp_path, server, "--every", "1s", "--for", "2s")
    assert done.code == 0
    assert len(server.asked) == 3
    assert "8 samples of 2 containers added by 3 snapshots" in done.out
    assert done.err == ""
    assert len(_rows(tmp_path / "use.csv")) == 8


def test_a_snapshot_that_is_missed_is_told_and_it_goes_on(tmp_path: Path) -> None:
    answers = iter((_now(BEGIN), (404, {"message": "gone"}), _now(BEGIN + 60)))
    words = ("--every", "1s", "--for", "2s")
    with serve(lambda path: next(answers)) as server:
        done = _record(tmp_path, server, *words)
    assert done.code == 3
    assert done.err.startswith("missed: cannot read what containers use: http://127.0.0.1:")
    assert "missed: 1 snapshot;" in done.out
    assert done.out.splitlines()[-1] == "exit 3: some of it was missed (--allow-incomplete)"
    assert len(_rows(tmp_path / "use.csv")) == 8


def test_what_is_no_use_and_refused_namespaces_are_told(tmp_path: Path) -> None:
    def answer(path: str) -> Answer:
        if "/secret/" in path:
            return 403, {"message": 'User "me" cannot list resource "pods"'}
        return _now(BEGIN)

    with serve(answer) as server:
        done = _record(tmp_path, server, "-n", "shop", "-n", "secret")
        allowed = _record(tmp_path, server, "-n", "secret", "-n", "shop", "--allow-incomplete")
    assert (done.code, allowed.code) == (3, 0)
    assert "in namespace secret was refused (403): me holds no rule for it" in done.out
    with serve(lambda path: (200, {"items": []})) as server:
        empty = _record(tmp_path, server)
    assert empty.code == 3
    assert "exit 3: metrics-server knows no container yet" in empty.out


@pytest.mark.parametrize(
    ("status", "why", "next"),
    [
        (404, "does not serve metrics.k8s.io (404)", "next: install metrics-server"),
        (503, "does not serve metrics.k8s.io (503)", "next: install metrics-server"),
        (403, "me holds no rule for it", "next: ask for the right to list pods of metrics.k8s.io"),
        (401, "is expired or unknown there", "next: sign in again"),
    ],
)
def test_without_metrics_server_or_the_right_it_is_said_in_three_lines(
    tmp_path: Path, status: int, why: str, next: str
) -> None:
    told = {"message": 'pods.metrics.k8s.io is forbidden: User "me" cannot list resource "pods"'}
    with serve(lambda path: (status, told)) as server:
        done = _record(tmp_path, server, "--every", "60s")
    assert (done.code, done.out) == (4, "")
    what, because, then = done.err.splitlines()
    assert what.startswith("cannot read what containers use") or status == 401
    assert why in because
    assert then.startswith(next)
    assert not (tmp_path / "use.csv").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("web.yaml",), "it holds something else"),
        ((".",), "it is no plain file"),
        (("pipe",), "it is no plain file"),
        (("none/use.csv",), "there is no directory none"),
        (("no\x1b[31m/use.csv",), "there is no directory no\\x1b"),
        (("use.csv", "--every", "often"), "--every often is no length of time"),
        (("use.csv", "--every", "0s"), "--every 0s is no length of time"),
        (("use.csv", "--for", "9999w"), "--for 9999w is no length of time"),
        (("use.csv", "--every", "2h", "--for", "1h"), "--every 2h is longer than --for 1h"),
        (("use.csv", "--for", "30s"), "--every 60s is longer than --for 30s"),
        (("use.csv", "--kubeconfig", "none"), "there is no such file"),
    ],
    ids=range(11),
)
def test_what_is_wrong_is_said_before_anything_is_asked(
    tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    (tmp_path / "web.yaml").write_text("kind: Pod\n")
    os.mkfifo(tmp_path / "pipe")
    done = ask("resources", "record", *words, cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert "\x1b" not in done.err
    assert (tmp_path / "web.yaml").read_text() == "kind: Pod\n"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["pipe", "web.yaml"]


@contextmanager
def _running(place: Path, server: Recorder, *words: str) -> Iterator[subprocess.Popen[str]]:
    config = str(_kubeconfig(place, server))
    line = [sys.executable, "-m", "martello.cli.main", "resources", "record", "use.csv"]
    environment: dict[str, Any] = {**os.environ, "PYTHONPATH": str(SRC)}
    with subprocess.Popen(
        [*line, "--kubeconfig", config, *words],
        cwd=place,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _until(seen: Any) -> None:
    for _ in range(400):
        if seen():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come")


@pytest.mark.parametrize(
    ("number", "when"), [(signal.SIGTERM, "it waits"), (signal.SIGINT, "the server is slow")]
)
def test_signals_end_it_with_whole_rows(tmp_path: Path, number: signal.Signals, when: str) -> None:
    times = itertools.count(BEGIN, 60)
    every = "1h" if when == "it waits" else "1s"

    def answer(path: str) -> Answer:
        at = next(times)
        if at > BEGIN:
            time.sleep(1.0)
        return _now(at)

    with (
        serve(answer) as server,
        _running(tmp_path, server, "--every", every) as process,
    ):
        file = tmp_path / "use.csv"
        if when == "it waits":
            _until(lambda: file.exists() and len(_rows(file)) == 4)
        else:
            _until(lambda: len(server.asked) == 2)
        process.send_signal(number)
        out, err = process.communicate(timeout=4)
    assert process.returncode == 0, err
    assert err == ""
    assert out.startswith("use.csv: 4 samples of 2 containers added by 1 snapshot\n")
    text = file.read_text()
    assert text.startswith(",".join(columns.ALL) + "\n")
    assert text.endswith("\n")
    assert len(_rows(file)) == 4


def test_a_signal_before_the_first_snapshot_leaves_nothing(tmp_path: Path) -> None:
    def answer(path: str) -> Answer:
        time.sleep(1.0)
        return _now(BEGIN)

    with serve(answer) as server, _running(tmp_path, server) as process:
        _until(lambda: server.asked)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=4)
    assert (process.returncode, out) == (130, "")
    assert err.strip() == "interrupted: the result is incomplete"
    assert not (tmp_path / "use.csv").exists()
