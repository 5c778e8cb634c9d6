"""What is not known is counted, and the exit code says so: it is not passed off as an answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.network.asked import ask

PODS = """
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}},
  spec: {containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.0.0.1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}},
  spec: {containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.0.0.2}}
"""
UNKNOWN = """---
{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: p, namespace: shop},
  spec: {endpointSelector: {matchLabels: {app: db}}, ingress: [{fromPlanets: [mars]}]}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "known").mkdir()
    (tmp_path / "unknown").mkdir()
    (tmp_path / "known" / "a.yaml").write_text(PODS)
    (tmp_path / "unknown" / "a.yaml").write_text(PODS + UNKNOWN)
    return tmp_path


@pytest.mark.parametrize("more", [[], ["--by", "workload"], ["--exposure"], ["--from", "shop/web"]])
def test_a_picture_with_doubts_ends_with_3(more: list[str], folder: Path) -> None:
    assert ask("matrix", "-f", "known", *more, cwd=folder).code == 0
    assert ask("matrix", "-f", "unknown", *more, cwd=folder).code == 3
    done = ask("matrix", "-f", "unknown", *more, "--allow-incomplete", cwd=folder)
    assert done.code == 0


def test_a_difference_with_doubts_ends_with_3(folder: Path) -> None:
    assert ask("diff", "known", "known", cwd=folder).code == 0
    done = ask("diff", "known", "unknown", cwd=folder)
    assert done.code == 3
    assert "exit 3" in done.out
    found = json.loads(ask("diff", "known", "unknown", "-o", "json", cwd=folder).out)
    assert found["exit"] == 3
    assert any("not known" in reason for reason in found["unassessed"])
    assert ask("diff", "known", "unknown", "--allow-incomplete", cwd=folder).code == 0


def test_a_changed_policy_that_is_not_understood_is_no_sameness(folder: Path) -> None:
    """Everything is unknown before and after: that is not "nothing changes"."""
    (folder / "other").mkdir()
    text = (PODS + UNKNOWN).replace("fromPlanets: [mars]", "fromPlanets: [venus]")
    (folder / "other" / "a.yaml").write_text(text)
    done = ask("diff", "unknown", "other", cwd=folder)
    assert done.code == 3
    assert "CiliumNetworkPolicy/p changes and is not understood" in " ".join(done.out.split())
    assert ask("diff", "unknown", "unknown", cwd=folder).code == 0


def test_what_could_not_be_read_is_not_called_empty(tmp_path: Path) -> None:
    """A file beyond the limits, or broken: the reason is the file's, not that there is nothing."""
    (tmp_path / "a.yaml").write_text("kind: [")
    done = ask("can", "shop/web", "shop/db", "-f", "a.yaml", cwd=tmp_path)
    assert done.code == 2
    assert "a.yaml" in done.err.splitlines()[1]
    assert "no Kubernetes objects" not in done.err
