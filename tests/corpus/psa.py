"""Replays the fixtures of Pod Security Admission: each pod at each version, the exact check id."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from martello.catalogue.compile import Rule, compile_rule
from martello.catalogue.frameworks import violated
from martello.catalogue.judge import judge
from martello.catalogue.load import load
from martello.catalogue.parameters import values
from martello.catalogue.subject import Subject
from martello.core.check import Check
from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of

Case = tuple[str, bool, str]


def replay(path: Path) -> Iterator[Case]:
    """One case for each line and version. A pod must be accepted, or refused by the check named."""
    standards = [c for c in load() if "pss" in c.frameworks and c.rule is not None]
    rules: dict[int, list[Rule]] = {}
    for line in (path / "psa.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        for version in row["versions"]:
            if version not in rules:
                rules[version] = _rules(standards, version)
            found, doubts = violations(row["pod"], rules[version], row["level"], version)
            name = f"{row['level']} 1.{version} {row['expect']} {row['file']}"
            if row["expect"] == "pass":
                yield name, not found and not doubts, f"refused by {found}, unassessed {doubts}"
            else:
                detail = f"wanted {row['fires']}, found {found}, unassessed {doubts}"
                yield name, row["fires"] in found, detail


def _rules(checks: list[Check], version: int) -> list[Rule]:
    made = (compile_rule(c, version, values(c.id, c.params, {})) for c in checks)
    return [rule for rule in made if rule is not None]


def violations(
    pod: dict[str, Any], rules: list[Rule], level: str, version: int
) -> tuple[tuple[str, ...], list[str]]:
    """The upstream checks that a pod violates, and what could not be assessed."""
    resource = resource_of(pod, Nowhere())
    cluster = Cluster([resource], kubernetes=version)
    subject = Subject(resource, cluster.workload(resource), cluster)
    found: list[tuple[str, str]] = []
    doubts: list[str] = []
    for rule in rules:
        for hit in judge(rule, subject) or ():
            pss = rule.check.frameworks["pss"]
            if hit.unassessed:
                doubts.append(f"{rule.check.id} {hit.message}")
            else:
                found.append((pss["level"], pss["check"]))
    return violated(level, version, found), doubts
