"""Exit codes, as a table."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.support.reports import LIMITS, finding

from martello.cli.exits import verdict
from martello.core.finding import Finding, Scan, Unassessed, Waived

CRITICAL = finding()
MEDIUM = finding("db", LIMITS)
WAIVED = finding(waived=Waived("sre", "why", "2026-12-31", "w.yaml"))
KNOWN = finding(known=True)
BROKEN = Unassessed("broken")
NO_FLOWS = Unassessed("no flows", asked=False)


def scan(*findings: Finding, unassessed: tuple[Unassessed, ...] = (), objects: int = 3) -> Scan:
    return Scan("deploy", findings, (), unassessed, objects=objects)


@pytest.mark.parametrize(
    ("result", "fail_on", "allow", "code"),
    [
        (scan(), "high", False, 0),
        (scan(CRITICAL), "high", False, 1),
        (scan(CRITICAL), "never", False, 0),
        (scan(MEDIUM), "high", False, 0),
        (scan(MEDIUM), "medium", False, 1),
        (scan(MEDIUM), "low", False, 1),
        (scan(WAIVED), "low", False, 0),
        (scan(KNOWN), "low", False, 0),
        (scan(unassessed=(BROKEN,)), "high", False, 3),
        (scan(unassessed=(BROKEN,)), "high", True, 0),
        (scan(unassessed=(NO_FLOWS,)), "high", False, 0),
        (scan(CRITICAL, unassessed=(BROKEN,)), "high", False, 1),
        (scan(CRITICAL, unassessed=(BROKEN,)), "never", False, 3),
        (scan(objects=0), "high", False, 3),
        (scan(objects=0), "high", True, 0),
    ],
)
def test_codes(result: Scan, fail_on: str, allow: bool, code: int) -> None:
    assert verdict(result, fail_on, allow)[0] == code


def test_words() -> None:
    assert (
        verdict(scan(CRITICAL, MEDIUM), "medium", False)[1]
        == "1 critical, 1 medium (fail-on medium)"
    )
    assert "1 thing could not be assessed" in verdict(scan(unassessed=(BROKEN,)), "high", False)[1]
    assert "nothing to judge" in verdict(scan(objects=0), "high", False)[1]


def test_a_closed_stdout_is_no_error() -> None:
    line = [sys.executable, "-m", "martello.cli.main", "completion", "bash"]
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *line], stderr=subprocess.PIPE, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
