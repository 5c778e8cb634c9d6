"""`martello monitor run` as a process of its own, and the alerts that it prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Alert = Mapping[str, Any]


class Monitor:
    """The running daemon. `alerts` grows as it tells."""

    def __init__(self, process: subprocess.Popen[str], port: int, state: Path) -> None:
        self.process = process
        self.port = port
        self.state = state
        self.alerts: list[tuple[float, Alert]] = []  # when it was told (monotonic), and what
        self.errors: list[str] = []
        self._grown = threading.Condition()
        self._readers = []
        for stream, into in ((process.stdout, self._told), (process.stderr, self._said)):
            reader = threading.Thread(target=self._read, args=(stream, into), daemon=True)
            reader.start()
            self._readers.append(reader)

    @property
    def url(self) -> str:
        """The door."""
        return f"http://127.0.0.1:{self.port}"

    def wait(self, wanted: Callable[[Alert], bool], seconds: float = 10.0) -> Alert | None:
        """The first alert that is wanted, as soon as it is told; None where it never comes."""
        deadline = time.monotonic() + seconds
        looked = 0
        with self._grown:
            while True:
                for _, alert in self.alerts[looked:]:
                    if wanted(alert):
                        return alert
                looked = len(self.alerts)
                left = deadline - time.monotonic()
                if left <= 0 or not self._grown.wait(left):
                    return None

    def told(self, alert: Alert) -> float:
        """When an alert was told, as a wall clock tells (seconds since 1970)."""
        at = next(at for at, one in self.alerts if one is alert)
        return at + time.time() - time.monotonic()

    def of(self, rule: str) -> list[Alert]:
        """What a rule has told so far."""
        return [alert for _, alert in self.alerts if alert["rule"] == rule]

    def _read(self, stream: Any, into: Callable[[str], None]) -> None:
        with stream:
            for line in stream:
                into(line)

    def ended(self) -> None:
        """Reads what was left to read once the process has ended."""
        for reader in self._readers:
            reader.join(10)

    def _told(self, line: str) -> None:
        with self._grown:
            self.alerts.append((time.monotonic(), json.loads(line)))
            self._grown.notify_all()

    def _said(self, line: str) -> None:
        with self._grown:
            self.errors.append(line)
            self._grown.notify_all()

    def listening(self, seconds: float = 30.0) -> None:
        """Waits until the door is open."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if any(line.startswith("listening on") for line in self.errors):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"it does not listen: {''.join(self.errors)}")


@contextmanager
def monitor(
    place: Path, *words: str, port: int, host: str = "127.0.0.1", deaf: bool = False
) -> Iterator[Monitor]:
    """Runs the daemon with its state below a directory, and ends it by its process id. On another
    address than loopback the words must name its certificate. `deaf`: nothing can be printed.
    """
    env = {**os.environ, "XDG_STATE_HOME": str(place), "HOME": str(place)}
    command = [sys.executable, "-m", "martello.cli.main", "monitor", "run"]
    command += ["--listen", f"{host}:{port}", *words]
    if host == "127.0.0.1":
        command.append("--plain")
    if deaf:
        command = ["sh", "-c", 'exec "$@" >/dev/full', "sh", *command]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    )
    running = Monitor(process, port, place)
    try:
        running.listening()
        yield running
    finally:
        process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        running.ended()
