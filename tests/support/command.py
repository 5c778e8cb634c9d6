"""The command line as a user runs it: a process of its own, its exit code and what it wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

# What a terminal or its user says about colour and width: a test says it itself.
SCREEN = ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE")
# What the user's own scans of images left behind is none of a test's business.
NOWHERE = {"XDG_STATE_HOME": "/dev/null/nowhere", "MARTELLO_STATE": ""}
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

    @property
    def missed(self) -> list[dict[str, Any]]:
        """What was asked for and got no verdict, by the same report."""
        return [entry for entry in self.report["unassessed"] if entry["asked"]]


def surroundings(kubeconfig: Path | None, env: Mapping[str, str] | None) -> dict[str, str]:
    """The variables of a command: nothing of the user's screen, cluster and state."""
    plain = {name: value for name, value in os.environ.items() if name not in SCREEN}
    made = {**plain, "PYTHONPATH": str(SRC), "MARTELLO_DEBUG": "0", **NOWHERE, **(env or {})}
    made.pop("KUBECONFIG", None)
    if kubeconfig is not None:
        made["KUBECONFIG"] = str(kubeconfig)
    return made


def martello(
    *words: str,
    cwd: Path | None = None,
    kubeconfig: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: Path | None = None,
) -> Done:
    """Runs `martello WORDS`. A traceback fails the test, whatever the exit code."""
    with (stdin or Path(os.devnull)).open("rb") as given:
        done = subprocess.run(
            [sys.executable, "-m", "martello.cli.main", *words],
            cwd=cwd,
            env=surroundings(kubeconfig, env),
            stdin=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode != 70, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)
