"""The public rules: all load, in no more than twice the time that pySigma takes to parse them."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sigma.rule import SigmaRule

from martello.practices.monitor.sigma.read import load
from martello.practices.monitor.validation.check import judge

CORPUS = Path(os.environ.get("MARTELLO_CORPORA") or "../shared/corpora") / "sigma"
SLACK = 1.5  # other work on the machine

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus in {CORPUS}"),
]


def texts(under: str) -> dict[str, str]:
    with gzip.open(CORPUS / "rules.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return {row["path"]: row["yaml"] for row in rows if row["path"].startswith(under)}


def spent(work: Callable[[], object]) -> float:
    best = 1e9
    for _ in range(3):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return best


def test_loading_takes_at_most_twice_pysigmas_own_parse() -> None:
    rules = texts("rules/")
    ours = spent(lambda: load(rules))
    theirs = spent(lambda: [SigmaRule.from_yaml(text) for text in rules.values()])
    assert ours <= 2 * SLACK * theirs


def test_every_rule_loads_or_says_why_not() -> None:
    loaded = load(texts("rules/"))
    assert len(loaded.pack) == len(texts("rules/"))
    assert not loaded.errors
    for rule in loaded.pack:
        assert rule.kinds or rule.unassessed


def test_j1_the_five_dead_kubernetes_rules_and_no_other() -> None:
    found = judge(load(texts("rules/application/kubernetes/")).pack, ["audit"])
    assert len(found.verdicts) == 16
    dead = {one.rule.title: one.notes[0].means for one in found.verdicts if one.state == "never"}
    assert dead == {
        "Container With A hostPath Mount Created": "requestObject.spec.volumes[].hostPath",
        "Privileged Container Deployed": (
            "requestObject.spec.containers[].securityContext.capabilities"
        ),
        "RBAC Permission Enumeration Attempt": "objectRef.apiGroup",
        "Potential Sidecar Injection Into Running Deployment": "objectRef.apiGroup",
        "Kubernetes Potential Enumeration Activity": (
            "annotations.authorization.k8s.io/decision: allow"
        ),
    }
    values = [note for one in found.verdicts for note in one.notes if note.code == "value"]
    assert sum("'replace' of verb" in note.text for note in values) == 4


def test_s11_the_corrections_let_all_sixteen_fire() -> None:
    rules = load(texts("rules/application/kubernetes/"), correct=True)
    found = judge(rules.pack, ["audit"])
    assert {one.state for one in found.verdicts} == {"fires"}
