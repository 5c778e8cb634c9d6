"""What is printed of alerts to a person: by `monitor run` on a terminal, by `alerts explain`."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

from tests.support.asked import ask
from tests.support.senders import event, rules

from martello.adapters.batch import table
from martello.core.alert import Alert
from martello.practices.monitor import packs
from martello.practices.monitor.pipeline import Pipeline
from martello.report.model import Screen
from martello.report.monitor.alerts import write_one
from martello.store.outbox import Outbox
from martello.store.state import open_state

WIDE = 160
ALERT = Alert(
    "7f3a81c09d112233",
    "TST-1",
    "h",
    "critical",
    "A title",
    "anna\x1b[2J read it",
    {"actor_user": "anna"},
    1_796_000_000_000_000_000,
    1_796_000_000_000_000_000,
    12,
    raised=("its account shop/web reaches cluster-admin",),
)


class Terminal:
    """The daemon whose standard output is a terminal."""

    def __init__(self, place: Path, *words: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, WIDE, 0, 0))
        plain = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "FORCE_COLOR")}
        env = {**plain, "XDG_STATE_HOME": str(place), "HOME": str(place), "NO_COLOR": "1"}
        command = [sys.executable, "-m", "martello.cli.main", "monitor", "run", *words]
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, env=env
        )
        os.close(theirs)
        os.set_blocking(self._ours, False)
        self.told = ""

    def until(self, pattern: str, seconds: float = 20) -> str:
        """The line that is waited for. Raises AssertionError where it does not come."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                self.told += os.read(self._ours, 65536).decode()
            except (BlockingIOError, OSError):
                time.sleep(0.05)
            for line in self.told.splitlines():
                if re.search(pattern, line):
                    return line
        raise AssertionError(f"no {pattern} in {self.told!r}")

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()
            os.close(self._ours)


def test_a_terminal_is_told_in_lines_for_people(tmp_path: Path) -> None:
    """Whole where it is new, then that it happened again; nothing is JSON."""
    log = tmp_path / "audit.log"
    log.write_text(json.dumps(event(10, "anna")) + "\n")
    follow = ("--follow", f"audit:{log}", "--from-start", "--no-baselines")
    running = Terminal(tmp_path, "--rules", str(rules(tmp_path)), *follow)
    try:
        first = running.until("TST-101")
        assert re.match(r"[0-9a-f]{12}  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  \w+ +TST-\d+  ", first)
        with log.open("a") as more:
            more.write(json.dumps(event(20, "anna")) + "\n")
        again = running.until("again")
        assert re.search(r"TST-\d+  again, 2 times$", again)
        assert again[:12] == first[:12]
    finally:
        running.end()
    assert "{" not in running.told


def told(alert: Alert, *, again: bool = False) -> list[str]:
    out = io.StringIO()
    write_one(alert, Screen(), out, again=again)
    return out.getvalue().splitlines()


def test_why_it_is_graver_is_said_once() -> None:
    """What an attacker wrote does not reach the terminal as a control character."""
    head = "7f3a81c09d11  2026-11-30 00:53:20  critical  TST-1  "
    assert told(ALERT) == [
        head + r"anna\x1b[2J read it  (12 times)",
        "              graver: its account shop/web reaches cluster-admin",
    ]
    assert told(ALERT, again=True) == [head + "again, 12 times"]


def test_what_each_event_says_is_told_where_it_differs(tmp_path: Path) -> None:
    """One alert of two pods of a workload that use more than is usual names both."""
    beyond = {
        "kind": "k8s_event",
        "action": "event",
        "source": "martello",
        "cluster": "prod",
        "ev_reason": "UsageBeyondUsual",
        "k8s_ns": "shop",
        "pod_workload": "deploy/web",
        "container_name": "app",
        "log_text": "processor time: 2 cores over 15 minutes, at most 1 in the 9 days before",
    }
    now = time.time_ns()
    events = [{**beyond, "id": f"u{n}", "time": now + n, "pod_name": f"web-{n}"} for n in (0, 1)]
    (one,) = Pipeline(packs.named(()).pack).feed(table("k8s_event", events))
    url = f"sqlite:///{tmp_path / 's.db'}"
    with open_state(url) as state:
        Outbox(state).put([one], [])
    done = ask("monitor", "alerts", "explain", one.id, env={"MARTELLO_STATE": url, "COLUMNS": "0"})
    assert done.code == 0, done
    assert "and 1 event alike" in done.out
    says = "container app of deploy/web: processor time: 2 cores"
    assert done.out.count(f"  pod shop/web-0, {says}") == 1
    assert done.out.count(f"    also  pod shop/web-1, {says}") == 1
