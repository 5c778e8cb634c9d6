"""Several targets in one result, and the versions that are judged by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.forked import martello

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


def test_what_does_not_run_is_said_with_who_said_so(world: Path) -> None:
    (world / "martello.toml").write_text('skip = ["privileged-container"]\n')
    report = martello("scan", "one.yaml", "-o", "json", cwd=world).report
    assert "POD-001" not in {f["check"] for f in report["findings"]}
    (note,) = report["notes"]
    assert note == f"POD-001 did not run: skipped by {world / 'martello.toml'}"


def test_a_part_claims_less_than_the_whole(tmp_path: Path) -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: shop}\n"
    service += "spec: {selector: {app: web}, ports: [{port: 80}]}\n---\n"
    (tmp_path / "s.yaml").write_text(service + POD)
    words = ("scan", "s.yaml", "--check", "NET-015", "-o", "json")
    for more, severity in (((), "medium"), (("--partial",), "low")):
        (found,) = martello(*words, *more, cwd=tmp_path).report["findings"]
        assert found["severity"] == severity
    assert "these files" in found["message"]
