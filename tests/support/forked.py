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
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.command import Done, surroundings

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
        self.directory = directory

    def run(self, *words: str, cwd: Path, env: Mapping[str, str] | None = None) -> Ended:
        """`martello WORDS`. A traceback or an exit code of 70 fails the test."""
        return self.exactly(*words, cwd=cwd, env={**os.environ, **(env or {})})

    def exactly(
        self, *words: str, cwd: Path, env: Mapping[str, str], stdin: Path = Path(os.devnull)
    ) -> Ended:
        """The same with these variables alone, but for TMPDIR."""
        temporary = self.directory / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        asked = {
            "words": words,
            "cwd": str(cwd),
            "env": {**env, "TMPDIR": str(temporary)},
            "in": str(stdin),
            "out": str(self.directory / "out"),
            "err": str(self.directory / "err"),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        code, cpu, memory = json.loads(self._process.stdout.readline())
        out = (self.directory / "out").read_text()
        err = (self.directory / "err").read_text()
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


_shared = ExitStack()
_running: list[Forking] = []  # at most one


def martello(
    *words: str,
    cwd: Path | None = None,
    kubeconfig: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: Path | None = None,
) -> Done:
    """As the one of tests.support.command, by a process that all tests of a worker share, and with
    a cache of compiled checks that they share too.
    """
    if not _running:
        place = _shared.enter_context(tempfile.TemporaryDirectory(prefix="martello-forked-"))
        _running.append(_shared.enter_context(forking(Path(place))))
    cache = {"XDG_CACHE_HOME": str(_running[0].directory / "cache")}
    ended = _running[0].exactly(
        *words,
        cwd=cwd or Path.cwd(),
        env={**cache, **surroundings(kubeconfig, env)},
        stdin=stdin or Path(os.devnull),
    )
    return Done(ended.code, ended.out, ended.err)


def end() -> None:
    """Ends the shared process, if there is one."""
    _running.clear()
    _shared.close()


def _imported() -> None:
    import martello.adapters.manifests.read
    import martello.catalogue.scan
    import martello.cli.commands.image
    import martello.cli.commands.scan
    import martello.cli.images.scanning
    import martello.cli.run
    import martello.practices.access
    import martello.practices.images.scan
    import martello.practices.network
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
    os.dup2(os.open(asked["in"], os.O_RDONLY), 0)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - nothing that the parent has read
    for number, name in ((1, asked["out"]), (2, asked["err"])):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    return run(cli, list(asked["words"]))


if __name__ == "__main__":
    _imported()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        print(json.dumps(_fork(json.loads(line))), file=answers, flush=True)
