"""What `monitor run` prints of its alerts to a person at a terminal."""

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

from tests.support.senders import event, rules

from martello.core.alert import Alert
from martello.report.model import Screen
from martello.report.monitor.alerts import write_one

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
