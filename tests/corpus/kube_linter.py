"""Replays the end-to-end tests of kube-linter whose checks have an equal here, through aliases.

Each asserted report is a case, met by a hit on an object of the same kind; each hit beyond them is
a case that fails. Parameters come from kube-linter's own definition of the check.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from martello.adapters.manifests import read_paths
from martello.catalogue.aliases import Names
from martello.catalogue.load import load
from martello.catalogue.run import Runner
from martello.core.check import Check

Case = tuple[str, bool, str]
# What kube-linter calls a parameter, and what the check here calls it.
PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "dnsconfig-options": {"Key": "option", "Value": "value"},
    "required-label": {"key": "keys", "value": "value"},
    "required-annotation": {"key": "keys", "value": "value"},
    "statefulset-volumeclaimtemplate-annotation": {"annotation": "keys"},
    "minimum-replicas": {"minReplicas": "minReplicas"},
    "hpa-minimum-replicas": {"minReplicas": "minReplicas"},
    "priority-class-name": {"acceptedPriorityClassNames": "accepted"},
}
ANY_VALUE = ("required-label", "required-annotation")  # where the definition names none
# Three checks of kube-linter are one here; the hit's path tells which of them is meant.
PROBES = {
    "liveness-port": "livenessProbe",
    "readiness-port": "readinessProbe",
    "startup-port": "startupProbe",
}


def replay(path: Path) -> Iterator[Case]:
    """One case for each report that kube-linter asserts, one for each hit too many."""
    checks = load()
    names = Names(checks)
    by_id = {check.id: check for check in checks}
    for line in (path / "kube-linter.jsonl").read_text(encoding="utf-8").splitlines():
        test = json.loads(line)
        equal = [sorted(names.of_peer("kube-linter", name)) for name in test["checks"]]
        if not all(equal):
            continue
        found: Counter[str] = Counter()
        for name, ids in zip(test["checks"], equal, strict=True):
            definition: Any = next((d for d in test["definitions"] if d["name"] == name), {})
            found += _kinds(name, [by_id[id] for id in ids], definition, test["manifest"])
        yield from _compare(test, found)


def _kinds(
    name: str, checks: list[Check], definition: Mapping[str, Any], manifest: str
) -> Counter[str]:
    """How many elements of objects of each kind the checks find."""
    reading = read_paths(["-"], stdin=BytesIO(manifest.encode()))
    params = {check.id: _params(check, definition) for check in checks}
    runner = Runner(reading.world(), reading, checks, params, {})
    seen: set[tuple[str, str, str, str, str]] = set()
    for check, _, hits in runner.verdicts():
        for hit in hits:
            ref = hit.resource.ref
            if not hit.unassessed and PROBES.get(name, "") in ("", *hit.path):
                seen.add((ref.kind, ref.namespace, ref.name, check.id, hit.element))
    return Counter(kind for kind, *_ in seen)


def _params(check: Check, definition: Mapping[str, Any]) -> dict[str, Any]:
    words = PARAMETERS.get(definition.get("template", ""), {})
    given = definition.get("params") or {}
    found: dict[str, Any] = {}
    if definition.get("template") in ANY_VALUE and "value" not in given:
        given = {**given, "value": ".*"}
    for theirs, ours in words.items():
        if theirs in given and ours in check.params:
            value = given[theirs]
            wrap = check.params[ours]["type"] == "array" and not isinstance(value, list)
            found[ours] = [value] if wrap else value
    return found


def _compare(test: Mapping[str, Any], found: Counter[str]) -> Iterator[Case]:
    left = Counter(found)
    wanted = sorted(test["expected"], key=lambda report: report.get("kind") is None)
    for report in wanted:
        kind = report.get("kind") or next(iter(left.elements()), "")
        name = f"{test['test']} {report.get('index', '')} {kind}"
        yield name, left[kind] > 0, f"not found: {report['message'][:160]}"
        left[kind] -= 1
    for kind in (+left).elements():
        yield f"{test['test']} {kind}", False, "found, and kube-linter is silent"
