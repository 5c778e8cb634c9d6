"""The demo: an honest fault for each practice on one screen, and the same shop repaired."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.apiserver import ApiServer
from tests.support.command import SRC, Done, martello

from martello.adapters.manifests import read_texts
from martello.catalogue.load import load
from martello.core.finding import PRACTICES
from martello.core.resource import Resource
from martello.core.workload import workload_of
from martello.demo import texts

# Every finding of the faulty cluster, with the text its place points at. A new check of the default
# profile that finds more here is either right, and the demo gets a cleaner manifest, or wrong.
TOLD = {
    ("IMG-005", "data/StatefulSet/db"): "image: docker.io/library/postgres:latest",
    ("IMG-006", "data/StatefulSet/db"): "image: docker.io/library/postgres:latest",
    ("NET-001", "Namespace/shop"): "name: shop",
    ("NET-009", "data/NetworkPolicy/db"): "from:",
    ("NET-025", "shop/Deployment/web"): "labels: {app: web}",
    ("MON-002", "Policy"): "level: RequestResponse",
    ("RES-001", "shop/Deployment/web"): "resources:",
    ("ACC-001", "ClusterRoleBinding/log-agent"): "roleRef:",
    ("ACC-008", "shop/RoleBinding/deployer"): "roleRef:",
    ("ACC-029", "kube-system/DaemonSet/log-agent"): "serviceAccountName: log-agent",
    ("ACC-029", "shop/Deployment/web"): "serviceAccountName: deployer",
    ("POD-004", "kube-system/DaemonSet/log-agent"): "hostNetwork: true",
    ("POD-008", "ci/Deployment/runner"): "path: /var/run/docker.sock",
    ("POD-045", "Namespace/ci"): "metadata:",
}


NO_SCAN = "no image was scanned here before: martello image scan"


def report(*words: str, cwd: Path | None = None) -> dict[str, Any]:
    """The JSON report of a scan."""
    return martello("scan", *words, "-o", "json", cwd=cwd).report


def named(finding: dict[str, Any]) -> str:
    """The object of a finding, as the screen names it."""
    about = finding["object"]
    return "/".join(part for part in (about["namespace"], about["kind"], about["name"]) if part)


def resources(fixed: bool) -> tuple[Resource, ...]:
    """The objects of one of the two clusters."""
    return read_texts(texts(fixed), "demo").resources


def demo(*words: str, columns: int = 100) -> Done:
    """The demo's screen."""
    done = martello("demo", *words, env={"COLUMNS": str(columns)})
    assert done.code == 0, done.err
    return done


def test_every_finding_is_meant_and_points_at_its_text() -> None:
    found = {}
    for finding in report("demo")["findings"]:
        place = finding["location"]
        text = texts()[place["file"]].decode().splitlines()[place["line"] - 1]
        found[finding["check"], named(finding)] = text[place["column"] - 1 :].removeprefix("- ")
    assert found == TOLD


def test_tokens_follow_from_the_bindings_that_give_them_their_rights() -> None:
    causes = {
        (f["check"], named(f)): (f["because"]["check"], named(f["because"]))
        for f in report("demo")["findings"]
        if "because" in f
    }
    assert causes == {
        ("ACC-029", "kube-system/DaemonSet/log-agent"): (
            "ACC-001",
            "ClusterRoleBinding/log-agent",
        ),
        ("ACC-029", "shop/Deployment/web"): ("ACC-008", "shop/RoleBinding/deployer"),
    }
    shown = martello("scan", "demo", "--all").out.splitlines()
    heads = [line for line in shown if re.match(r"(critical|high|medium|low) ", line)]
    assert len(heads) == len(TOLD) - len(causes)
    assert sum("also the cause of ACC-029" in line for line in shown) == 2


def test_each_practice_finds_something() -> None:
    practice = {check.id: check.practice for check in load()}
    assert {practice[check] for check, _ in TOLD} == set(PRACTICES)


def test_nothing_is_unassessed_but_images_that_nobody_scanned() -> None:
    assert {entry["reason"] for entry in report("demo")["unassessed"]} == {NO_SCAN}


def test_the_repaired_cluster_has_no_finding(tmp_path: Path) -> None:
    martello("demo", "--fixed", "--write", str(tmp_path / "shop"))
    clean = report("shop", cwd=tmp_path)
    assert clean["findings"] == []
    assert {entry["reason"] for entry in clean["unassessed"]} == {NO_SCAN}
    assert clean["summary"]["exit"] == 0


def test_both_clusters_run_the_same_twelve_workloads_in_four_namespaces() -> None:
    faulty, fixed = (
        {r.ref.local for r in resources(repaired) if workload_of(r)} for repaired in (False, True)
    )
    assert faulty == fixed
    assert len(faulty) == 12
    assert {name.partition("/")[0] for name in faulty} == {"shop", "ci", "data", "kube-system"}


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_the_screen_is_one_page_that_cuts_nothing(columns: int) -> None:
    lines = demo(columns=columns).out.splitlines()
    assert len(lines) <= 40 or columns < 100
    assert max(map(len, lines)) <= columns
    text = " ".join(" ".join(lines).split())
    for check in load():
        if any(check.id in line for line in lines):
            assert " ".join(check.fix.split()) in text


def test_the_screen_tells_each_practice_and_where_and_how_to_fix() -> None:
    lines = demo().out.splitlines()
    assert sum(1 for line in lines if re.match(r"[A-Z][a-z ]+: \d+ finding", line)) == 5
    assert sum(1 for line in lines if "fix: " in line) == 5
    assert sum(1 for line in lines if re.search(r"shop/[a-z-]+\.yaml:\d+:\d+$", line)) == 5


def test_the_repaired_screen_finds_nothing() -> None:
    lines = demo("--fixed").out.splitlines()
    assert sum(1 for line in lines if "nothing found by " in line) == 5
    assert any("0 findings" in line for line in lines)
    assert not any("found by 0 checks" in line for line in lines)


def test_what_is_written_is_judged_alike(tmp_path: Path) -> None:
    written = demo("--write", str(tmp_path / "shop"))
    assert written.out == ""
    assert "next: martello scan" in written.err
    key = [(f["check"], named(f), f["location"]) for f in report("demo")["findings"]]
    same = report("shop", cwd=tmp_path)["findings"]
    assert [(f["check"], named(f), f["location"]) for f in same] == key


@pytest.mark.parametrize("there", ["directory", "file"])
def test_nothing_is_overwritten(tmp_path: Path, there: str) -> None:
    target = tmp_path / "shop"
    kept = target / "mine.yaml" if there == "directory" else target
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("mine")
    done = martello("demo", "--write", str(target))
    assert done.code == 2
    assert "nothing is overwritten" in done.err
    assert kept.read_text() == "mine"
    assert [p.name for p in target.iterdir()] == ["mine.yaml"] if target.is_dir() else True


def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = martello("demo", "--write", str(tmp_path / "file" / "shop"))
    assert done.code == 2
    assert done.err.startswith("cannot write to ")


def test_the_next_commands_run(tmp_path: Path) -> None:
    lines = demo().out.splitlines()
    steps = [line.split("  ")[1] for line in lines[lines.index("Next:") + 1 :]]
    assert len(steps) == 5
    (tmp_path / "DIR").mkdir()
    (tmp_path / "DIR" / "pod.yaml").write_text(json.dumps({"apiVersion": "v1", "kind": "List"}))
    for step in steps:
        program, *words = shlex.split(step)
        assert program == "martello"
        nowhere = tmp_path / "no-cluster"  # the last step needs a cluster, and says so
        done = martello(*words, cwd=tmp_path, kubeconfig=nowhere)
        expected = {"explain": (0,), "demo": (0,), "scan": (0, 1, 3)}[words[0]]
        assert done.code in (expected if words[-1] != "cluster" else (2, 4)), step
    assert (tmp_path / "shop" / "shop.yaml").is_file()


def test_called_by_its_path_it_says_how_to_activate(tmp_path: Path) -> None:
    """As `make run` calls it: out of a virtual environment that is not on the PATH."""
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "activate").write_text("")
    script = programs / "martello"
    script.write_text(f"#!{sys.executable}\nfrom martello.cli.main import main\nmain()\n")
    script.chmod(0o755)
    paths = {"PYTHONPATH": str(SRC), "PATH": os.defpath}
    done = subprocess.run(
        [".venv/bin/martello", "demo"],
        cwd=tmp_path,
        env={**os.environ, **paths},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert lines[lines.index("Next:") + 1].split("  ")[1] == ". .venv/bin/activate"


def test_no_configuration_of_the_directory_counts(tmp_path: Path) -> None:
    (tmp_path / "martello.toml").write_text('skip = ["POD-008"]\n')
    assert "POD-008" in martello("demo", cwd=tmp_path).out


@pytest.mark.parametrize("fixed", [False, True])
def test_names_of_files_and_sizes_fit_the_wheel(fixed: bool) -> None:
    files = texts(fixed)
    assert set(files) == set(texts(not fixed))
    assert sum(map(len, files.values())) < 200 * 1024
    for text in files.values():
        assert all(yaml.safe_load_all(text.decode()))


@pytest.mark.apiserver
@pytest.mark.parametrize("fixed", [False, True])
def test_a_real_api_server_takes_the_cluster(apiserver: ApiServer, fixed: bool) -> None:
    """Everything but the audit policy, which the API server reads as a file."""
    bodies = [
        (r, {**r.raw, "metadata": {**r.metadata, "namespace": "default"}})
        for r in resources(fixed)
        if r.ref.group_kind != "Policy.audit.k8s.io"
    ]
    refused = []
    for resource, body in bodies:
        if not resource.ref.namespace:
            body = resource.raw
        try:
            apiserver.request("POST", f"{apiserver.collection(body)}?dryRun=All", body)
        except AssertionError as refusal:
            refused.append(f"{resource.ref}: {refusal}")
    assert len(bodies) > 30
    assert refused == []
