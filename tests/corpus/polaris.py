"""Replays the fixtures of Polaris' checks: a file must pass or fail the check that equals it here.

Mutated files are left out: they are about fixes, and these are text edits of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from martello.adapters.manifests import read_paths
from martello.catalogue.aliases import Names
from martello.catalogue.load import load
from martello.catalogue.run import Runner
from martello.core.check import Check

Case = tuple[str, bool, str]


def replay(path: Path) -> Iterator[Case]:
    """One case for each file of a check that has an equal here."""
    checks = load()
    names = Names(checks)
    by_id = {check.id: check for check in checks}
    for line in (path / "polaris.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        equal = [by_id[id] for id in sorted(names.of_peer("polaris", row["check"]))]
        if not equal or row["kind"] == "mutated":
            continue
        found = _found(equal, row["yaml"])
        passed = bool(found) is (row["kind"] == "failure")
        detail = f"{', '.join(c.id for c in equal)} found {found}"
        yield f"{row['check']} {row['file']}", passed, detail


def _found(checks: list[Check], text: str) -> list[str]:
    reading = read_paths(["-"], stdin=BytesIO(text.encode()))
    runner = Runner(reading.world(), reading, checks, {}, {})
    return [
        f"{hit.resource.ref} {hit.message}"
        for _, _, hits in runner.verdicts()
        for hit in hits
        if not hit.unassessed
    ]
