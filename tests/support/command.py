"""The command line as a user runs it: a process of its own, its exit code and what it wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

SRC = Path(__file__).parents[2] / "src"


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """What `-o json` wrote."""
        report = json.loads(self.out)
        assert isinstance(report, dict)
        return report


def martello(*words: str, cwd: Path | None = None, kubeconfig: Path | None = None) -> Done:
    """Runs `martello WORDS`. A traceback fails the test, whatever the exit code."""
    environment = {**os.environ, "PYTHONPATH": str(SRC), "MARTELLO_DEBUG": "0"}
    environment.pop("KUBECONFIG", None)
    if kubeconfig is not None:
        environment["KUBECONFIG"] = str(kubeconfig)
    done = subprocess.run(
        [sys.executable, "-m", "martello.cli.main", *words],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode != 70, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)
