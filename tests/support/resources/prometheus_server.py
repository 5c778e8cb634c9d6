"""A real Prometheus (Debian's) on loopback that holds series made here, in a directory of its own.

    with prometheus_server.running(series) as server:       # or several flags of prometheus
        source = Prometheus(settings(server.url))

`series` are `tests.support.resources.series.Truth`; their times may lie anywhere in the past.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import httpx
from tests.support.ports import free_port
from tests.support.registry import need, or_skip
from tests.support.resources.series import Truth, openmetrics

_READY_SECONDS: Final = 30.0
PACKAGE: Final = "prometheus"


class Server:
    """A running Prometheus: its address, its process, its log."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.log = directory / "prometheus.log"
        self.process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """Ends it as no program can prevent."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def skip_without() -> None:
    """Skips the test with a line where Prometheus is not installed."""
    or_skip("prometheus", PACKAGE)
    or_skip("promtool", PACKAGE)


def blocks(series: Iterable[Truth], directory: Path) -> Path:
    """Storage that holds these series, made by promtool."""
    text = directory / "series.om"
    with text.open("w", encoding="utf-8") as out:
        out.writelines(openmetrics(series))
    data = directory / "data"
    done = subprocess.run(
        [
            need("promtool", PACKAGE),
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            "--max-block-duration=720h",
            "--quiet",
            str(text),
            str(data),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        env=_environment(),
    )
    text.unlink()
    if done.returncode:
        raise AssertionError(f"promtool: {done.stdout[-500:]} {done.stderr[-500:]}")
    return data


@contextlib.contextmanager
def running(series: Iterable[Truth], *flags: str) -> Iterator[Server]:
    """Starts a Prometheus that holds these series and scrapes nothing, waits until it answers, and
    ends it by process id. Raises Missing without the programs.
    """
    with tempfile.TemporaryDirectory(prefix="martello-prometheus-") as name:
        data = blocks(series, Path(name))
        with serving(data, *flags) as server:
            yield server


@contextlib.contextmanager
def serving(data: Path, *flags: str, port: int = 0) -> Iterator[Server]:
    """The same, over storage that is there; at a port that is free, or the given one."""
    program = need("prometheus", PACKAGE)
    with tempfile.TemporaryDirectory(prefix="martello-prometheus-") as name:
        directory = Path(name)
        server = Server(directory, port or free_port())
        (directory / "prometheus.yml").write_text("global: {}\n")
        with server.log.open("wb") as out:
            server.process = subprocess.Popen(
                [
                    program,
                    f"--config.file={directory / 'prometheus.yml'}",
                    f"--storage.tsdb.path={data}",
                    "--storage.tsdb.retention.time=100y",
                    f"--web.listen-address=127.0.0.1:{server.port}",
                    *flags,
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=directory,
                env=_environment(),
            )
        try:
            _wait(server)
            yield server
        finally:
            server.process.terminate()
            try:
                server.process.wait(10)
            except subprocess.TimeoutExpired:
                server.process.kill()
                server.process.wait()


def _wait(server: Server) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    with httpx.Client(trust_env=False, timeout=5) as client:
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if client.get(f"{server.url}/-/ready").status_code == 200:
                    return
            if server.process.poll() is not None:
                break
            time.sleep(0.05)
    raise AssertionError(f"prometheus does not answer: {server.log.read_text()[-1000:]}")


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "GOMAXPROCS": "2"}
