"""Replays the conformance probes of ClusterNetworkPolicy: each state of the cluster afresh, and as
an increment from the state before it, by the analyser and by the oracle.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.support.network.analyser import Asked, corpus_pod, difference
from tests.support.network.naive import Naive, naive
from tests.support.network.objects import Object, cluster, namespace, node

from martello.practices.network.engine.reach import Reach, reach
from martello.practices.network.model import Profile

Case = tuple[str, bool, str]
PROFILE: Final = Profile("conformance", blocks_match_pods=True)


def replay(path: Path) -> Iterator[Case]:
    """A case for each probe, three times: by the oracle, afresh, and after the step before."""
    topology = json.loads((path / "topology.json").read_text(encoding="utf-8"))
    fixed = [node(n["name"], [n["ip"]], n["labels"] or {}) for n in topology["nodes"]]
    fixed += [corpus_pod(pod) for pod in topology["pods"]]
    test, before, held = "", list[Object](), None
    for line in (path / "cases.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        spaces = [namespace(name, labels or {}) for name, labels in row["namespace_labels"].items()]
        state = [*fixed, *spaces, *row["policies"]]
        fresh = reach(cluster(state), PROFILE)
        ways: dict[str, Asked | Naive] = {"oracle": naive(state), "afresh": Asked(fresh)}
        held = _stepped(held, before, state) if row["test"] == test else fresh
        if held is not fresh:
            ways["increment"] = Asked(held)
        test, before = row["test"], state
        for way, asked in ways.items():
            for probe in row["probes"]:
                yield _judged(f"{test} {row['step']} {way}", probe, asked)


def _stepped(held: Reach | None, before: list[Object], state: list[Object]) -> Reach:
    assert held is not None
    changed, removed = difference(before, state)
    return held.apply(changed, removed)


def _judged(name: str, probe: dict[str, Any], asked: Asked | Naive) -> Case:
    source = f"{probe['from_ns']}/{probe['from_pod']}"
    target = f"{probe['to_ns']}/{probe['to_pod']}"
    protocol, port = probe["protocol"], probe["port"]
    found = asked.allowed(source, target, protocol, port)
    case = f"{name}: {source} → {target} {protocol} {port}"
    return case, found is probe["allowed"], f"said {found}"
