"""Other projects' tests replayed: how many of them must agree."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

pytestmark = pytest.mark.corpus


SHARES = {
    "audit2rbac": 1.0,
    "audit-benign": 1.0,
    "advisories": 1.0,
    "trivy-triples": 1.0,
    "psa": 1.0,
    "cel-spec": 1.0,
    "gatekeeper-cel": 1.0,
    "kyverno-cel": 0.98,
    "kube-linter": 0.95,
    "polaris": 0.9,
    "manifests": 1.0,
    "versions": 1.0,
    "np-guard": 0.98,
    "cnp-conformance": 1.0,
    "netpol-tables": 1.0,
    "rbac-tables": 1.0,
    "escalation": 1.0,
    "kubehound": 0.97,
    "falco-lang": 1.0,
    "tetragon": 1.0,
    "falco-audit": 1.0,
    "panther-k8s": 0.98,
}


@pytest.mark.parametrize(("name", "share"), SHARES.items())
def test_agreement(name: str, share: float, corpora: Path) -> None:
    path = corpora / name
    if not path.is_dir():
        pytest.skip(f"no corpus {name} in {corpora}")
    runner = import_module(f"tests.corpus.{name.replace('-', '_')}")
    cases = list(runner.replay(path))
    wrong = [f"{case}: {detail}" for case, passed, detail in cases if not passed]
    assert cases
    assert len(wrong) <= (1 - share) * len(cases), "\n".join(wrong[:20])
