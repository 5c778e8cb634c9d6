"""Which exit code a scan ends with, and the words for it."""

from __future__ import annotations

from typing import Final

from martello.core.finding import SEVERITIES, Scan, rank
from martello.report.model import open_findings

FAIL_ON: Final = (*SEVERITIES, "never")


def verdict(scan: Scan, fail_on: str, allow_incomplete: bool) -> tuple[int, str]:
    """Exit code and reason. Findings (1) beat incomplete (3); nothing to judge is incomplete."""
    limit = -1 if fail_on == "never" else rank(fail_on)
    failing = [f.severity for f in open_findings(scan) if rank(f.severity) <= limit]
    if failing:
        counts = ", ".join(f"{failing.count(s)} {s}" for s in SEVERITIES if s in failing)
        return 1, f"{counts} (fail-on {fail_on})"
    missing = sum(1 for u in scan.unassessed if u.asked)
    if missing and not allow_incomplete:
        things = "thing" if missing == 1 else "things"
        return 3, f"incomplete: {missing} {things} could not be assessed (--allow-incomplete)"
    if not scan.objects and not allow_incomplete:
        return 3, "nothing to judge: no Kubernetes objects were found"
    return 0, "fail-on never" if fail_on == "never" else f"nothing at or above {fail_on}"
