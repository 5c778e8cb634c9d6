"""The command line in a fresh process each time, without starting Python anew: one process has
everything imported and forks for each command. Its peak memory, its seconds of CPU and what it left
in TMPDIR are told; whoever takes too much of any is ended by the kernel.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

_SECONDS = 30  # of CPU; hours of wall time may be lost to neighbours
_WALL = 240
_FILE = 2 << 30  # bytes: the largest file that a command may write


class Ended(NamedTuple):
    """How a command ended. Seconds of CPU; MiB at its peak, Python and imports included."""

    code: int  # negative where a signal ended it
    out: str
    err: str
    cpu: float
    memory: float
    left: tuple[str, ...]  # in TMPDIR

    @property
    def report(self) -> dict[str, Any]:
        """What `-o json` wrote."""
        report = json.loads(self.out)
        assert isinstance(report, dict)
        return report

    @property
    def unassessed(self) -> str:
        """All that it could not assess, as text."""
        return json.dumps(self.report["unassessed"])


class Forking:
    """Runs commands one after the other in a directory of its own."""

    def __init__(self, process: subprocess.Popen[str], directory: Path) -> None:
        self._process = process
        self._directory = directory

    def run(self, *words: str, cwd: Path, env: Mapping[str, str] | None = None) -> Ended:
        """`martello WORDS`. A traceback or an exit code of 70 fails the test."""
        temporary = self._directory / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        asked = {
            "words": words,
            "cwd": str(cwd),
            "env": {**(env or {}), "TMPDIR": str(temporary)},
            "out": str(self._directory / "out"),
            "err": str(self._directory / "err"),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        code, cpu, memory = json.loads(self._process.stdout.readline())
        out = (self._directory / "out").read_text()
        err = (self._directory / "err").read_text()
        assert "Traceback" not in err, err
        assert code != 70, err
        return Ended(code, out, err, cpu, memory, tuple(os.listdir(temporary)))


@contextmanager
def forking(directory: Path) -> Iterator[Forking]:
    """The process that forks, ended at the end."""
    command = [sys.executable, "-m", "tests.support.forked"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Forking(process, directory)
        assert process.stdin
        process.stdin.close()


def _imported() -> None:
    import martello.cli.commands.image
    import martello.cli.images.scanning
    import martello.practices.images.scan
    import martello.report.images.model
    import martello.store.facts  # noqa: F401


def _fork(asked: Mapping[str, Any]) -> tuple[int, float, float]:
    """Exit code, seconds of CPU, MiB."""
    pid = os.fork()
    if not pid:
        code = 70
        try:
            code = _child(asked)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    until = time.monotonic() + _WALL
    ended, status, used = os.wait4(pid, os.WNOHANG)
    while not ended:
        if time.monotonic() > until:
            os.kill(pid, 9)
        time.sleep(0.005)
        ended, status, used = os.wait4(pid, os.WNOHANG)
    cpu = used.ru_utime + used.ru_stime
    return os.waitstatus_to_exitcode(status), cpu, used.ru_maxrss / 1024


def _child(asked: Mapping[str, Any]) -> int:
    from martello.cli.errors import run
    from martello.cli.main import cli

    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE, _FILE))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number, name in ((1, asked["out"]), (2, asked["err"])):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.chdir(asked["cwd"])
    os.environ.update(asked["env"])
    return run(cli, list(asked["words"]))


if __name__ == "__main__":
    _imported()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        print(json.dumps(_fork(json.loads(line))), file=answers, flush=True)
