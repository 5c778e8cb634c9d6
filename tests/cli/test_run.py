"""Several targets in one result, and the versions that are judged by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.command import martello

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: NAME, namespace: shop}
spec: {containers: [{name: c, image: "x:1", securityContext: {privileged: true}}]}
"""
WAIVER = """\
---
apiVersion: martello.dev/v1alpha1
kind: Waiver
metadata: {name: NAME}
spec: {checks: [POD-001], reason: r, owner: o, until: "UNTIL", match: {names: [NAME]}}
"""


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Two targets, of which each holds a Pod that the other one has not, and waivers."""
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(POD.replace("NAME", name))
        saved = martello("scan", f"{name}.yaml", "--save-bundle", f"{name}.bundle", cwd=tmp_path)
        assert saved.code == 1
    late = WAIVER.replace("NAME", "late").replace("UNTIL", "2020-01-01")
    names = ("one", "gone")
    waivers = [WAIVER.replace("NAME", n).replace("UNTIL", "2090-01-01") for n in names]
    (tmp_path / "w.yaml").write_text("".join([late, *waivers]))
    (tmp_path / "martello.toml").write_text("[waivers]\nmax-days = 36500\n")
    return tmp_path


def test_waivers_are_told_once_for_all_targets(world: Path) -> None:
    words = ("scan", "one.yaml", "bundle:two.bundle", "--waivers", "w.yaml", "-o", "json")
    report = martello(*words, cwd=world).report
    found = [(f["check"], f["object"]["name"], f["outcome"]) for f in report["findings"]]
    assert found.count(("POD-090", "late", "fail")) == 1
    assert ("POD-001", "one", "waived") in found
    assert ("POD-001", "two", "fail") in found
    (note,) = report["notes"]
    assert note.startswith("waiver gone ")


def test_equal_findings_of_two_targets_both_count(world: Path) -> None:
    words = ("scan", "bundle:one.bundle", "bundle:one.bundle", "--check", "POD-001", "-o", "json")
    assert martello(*words, cwd=world).report["summary"]["severities"] == {"critical": 2}


def test_a_report_names_the_version_that_was_judged_by(world: Path) -> None:
    words = ("scan", "one.yaml", "--framework", "pss-baseline", "-o", "json")
    named = martello(*words, "--kubernetes", "1.24", cwd=world).report["controls"]
    assert {control["framework"] for control in named} == {"pss-baseline@1.24"}
    done = martello(*words[:3], "pss-baseline@1.20", "--kubernetes", "1.24", cwd=world)
    assert done.code == 2
    assert "1.20, and Kubernetes at 1.24" in done.err


def test_waivers_may_be_json_too(world: Path) -> None:
    spec = {"checks": ["POD-001"], "reason": "r", "owner": "o", "until": "2090-01-01"}
    head = {"apiVersion": "martello.dev/v1alpha1", "kind": "Waiver", "metadata": {"name": "w"}}
    (world / "w.json").write_text(json.dumps({**head, "spec": spec}))
    words = ("scan", "one.yaml", "--check", "POD-001", "--waivers", "w.json", "-o", "json")
    assert martello(*words, cwd=world).report["summary"]["waived"] == 1
    (world / "w.json").write_text('{"name": "kubescape?"}')
    assert martello(*words, cwd=world).err.startswith("cannot use w.json")


def test_a_directory_without_checks_is_no_policy(world: Path) -> None:
    (world / "empty").mkdir()
    done = martello("scan", "one.yaml", "--policies", "empty", cwd=world)
    assert (done.code, done.err.splitlines()[0]) == (2, "no check files in empty")


@pytest.mark.parametrize(
    ("chosen", "status"),
    [
        (("--skip", "POD-001"), "unassessed"),
        (("--check", "POD-002"), "unassessed"),
        (("--check", "POD-001"), "fail"),
    ],
)
def test_a_control_passes_only_if_each_of_its_checks_ran(
    world: Path, chosen: tuple[str, str], status: str
) -> None:
    words = ("scan", "one.yaml", "--framework", "pss-baseline", "-o", "json")
    controls = martello(*words, *chosen, cwd=world).report["controls"]
    said = {control["control"]: control["status"] for control in controls}
    assert said["privileged"] == status
    if chosen[0] == "--check":
        assert "pass" not in said.values()
