"""`access diff` and `access trim`: what a change grants, what nobody used, and its proof."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from tests.support.access.audit_lines import line, month
from tests.support.asked import ask

from martello.adapters.bundle import save
from martello.core.reading import Reading
from martello.core.resource import Nowhere, resource_of
from martello.demo import texts


@pytest.fixture
def states(tmp_path: Path) -> Path:
    """The demo as it is (`old/shop`) and repaired (`new/shop`), and a month of its audit log."""
    for name, fixed in (("old", False), ("new", True)):
        for file, text in texts(fixed).items():
            place = tmp_path / name / file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text)
    (tmp_path / "audit.log").write_text(month())
    return tmp_path


def test_a_repair_only_takes_rights(states: Path) -> None:
    done = ask("access", "diff", "old", "new", cwd=states)
    assert done.out.startswith("from old to new: 2 subjects lose rights\n")
    assert "gains" not in done.out
    assert done.out.splitlines()[-1] == "exit 0: no new finding"
    assert done.code == 0


def test_the_way_back_gains_and_brings_findings(states: Path) -> None:
    done = ask("access", "diff", "new", "old", cwd=states)
    assert done.code == 1
    assert "gains  ServiceAccount kube-system/log-agent  everywhere" in done.out
    assert "every verb on everything" in done.out
    assert "and what will be added to these wildcards" in done.out
    assert "ACC-001" in done.out
    assert "POD-" not in done.out
    assert all(len(line) <= 80 for line in done.out.splitlines())
    assert ask("access", "diff", "new", "old", "--fail-on", "never", cwd=states).code == 0


def test_other_words_for_the_same_rights_are_no_change(states: Path) -> None:
    file = states / "new" / "shop" / "shop.yaml"
    text = (states / "old" / "shop" / "shop.yaml").read_text()
    assert "verbs: [get, list, watch]" in text
    file.write_text(text.replace("verbs: [get, list, watch]", "verbs: [watch, get, list, get]"))
    done = ask("access", "diff", "old/shop/shop.yaml", "new/shop/shop.yaml", cwd=states)
    assert done.out.startswith("no effective change")
    assert done.code == 0


def test_revisions_are_compared(states: Path) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *who, *words], cwd=states, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("add", "new")
    git("commit", "-qm", "x")
    done = ask("access", "diff", "git:main:new", "old", "-o", "json", cwd=states)
    told = json.loads(done.out)
    assert [row["scope"] for row in told["changes"]] == ["", "shop"]
    assert told["exit"] == done.code == 1


def test_the_difference_goes_to_the_forge(states: Path) -> None:
    outputs = ["-o", "sarif=a.sarif", "-o", "junit=a.xml", "-o", "markdown=a.md"]
    assert ask("access", "diff", "new", "old", *outputs, cwd=states).code == 1
    run = json.loads((states / "a.sarif").read_text())["runs"][0]
    rules = {result["ruleId"] for result in run["results"]}
    assert "ACC-001" in rules
    assert all(rule.startswith("ACC-") for rule in rules)
    assert ElementTree.parse(states / "a.xml").getroot().tag == "testsuites"
    assert (states / "a.md").read_text().startswith("**Access:** from new to old")
    assert "&&#" not in (states / "a.md").read_text()


def test_many_findings_are_cut_on_the_screen_with_places(states: Path) -> None:
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    role = {"kind": "Role", "metadata": {"name": "ops", "namespace": "shop"}, "rules": rules}
    bound = {
        "kind": "RoleBinding",
        "metadata": {"name": "ops", "namespace": "shop"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "ops"},
        "subjects": [{"kind": "User", "name": "[a](b)@c"}],
    }
    objects = [{"apiVersion": "rbac.authorization.k8s.io/v1", **one} for one in (role, bound)]
    (states / "new" / "ops.yaml").write_text(yaml.safe_dump_all(objects))
    done = ask("access", "diff", "demo", "new", "-o", "text", "-o", "markdown=a.md", cwd=states)
    assert "findings more: --all" in done.out
    assert "ACC-012  binds-or-escalates  shop/RoleBinding/ops  new/ops.yaml:" in done.out
    assert "&" not in (states / "a.md").read_text()
    assert "[a](b)" not in (states / "a.md").read_text()


def test_trim_proposes_what_is_enough_and_proves_it(states: Path) -> None:
    words = ["access", "trim", "--events", "audit.log", "--since", "30d", "-f", "old"]
    done = ask(*words, cwd=states)
    told = " ".join(done.out.split())
    assert done.code == 1, done
    assert done.out.splitlines()[-1].startswith("exit 1: unused: 2 high (fail-on high)")
    assert ask(*words, "--fail-on", "never", cwd=states).code == 0
    assert ask(*words, "--fail-on", "critical", cwd=states).code == 0
    assert "narrow RoleBinding shop/deployer" in told
    assert "closes get, watch deployments of apps" in told
    assert "split ClusterRoleBinding log-agent" in told
    assert "refused shop/deployer delete pods/web-1 in shop, once" in told
    assert "0 denied" in told
    assert all(len(line) <= 80 for line in done.out.splitlines())


def test_what_trim_writes_allows_just_what_was_used(states: Path) -> None:
    words = ["access", "trim", "--events", "audit.log", "-f", "old", "--write", "out"]
    assert ask(*words, cwd=states).code == 0
    files = sorted(str(p.relative_to(states / "out")) for p in (states / "out").rglob("*.yaml"))
    assert "apply/role-shop-deployer.yaml" in files
    assert "delete/clusterrolebinding-log-agent.yaml" in files
    role = yaml.safe_load((states / "out" / "apply" / "role-shop-deployer.yaml").read_text())
    assert role["rules"] == [
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]}
    ]
    kept = ["access", "can", "list", "deployments", "-n", "shop", "--as", "shop/deployer"]
    assert ask(*kept, "-f", "old", "-f", "out/apply", cwd=states).code == 0


def test_a_window_that_the_log_does_not_fill_is_stale(states: Path) -> None:
    words = ["access", "trim", "--events", "audit.log", "--since", "60d", "-f", "old"]
    done = ask(*words, "--write", "out", cwd=states)
    assert done.code == 3
    assert done.err.splitlines()[0] == "the events cover less than the window asked for"
    assert not (states / "out").exists()


def test_half_a_line_is_a_gap_and_the_rest_is_read(states: Path) -> None:
    log = states / "audit.log"
    log.write_text(log.read_text() + line(9_999, "shop/deployer", "get", "pods")[:80])
    words = ["access", "trim", "--events", "audit.log", "-f", "old"]
    done = ask(*words, cwd=states)
    told = " ".join(done.out.split())
    assert done.code == 1
    assert "audit.log at byte" in told
    assert "medium confidence: 30.8 days; 1 part of the log could not be read" in told
    words += ["--fail-on", "never"]
    assert ask(*words, cwd=states).code == 3
    assert ask(*words, "--allow-incomplete", cwd=states).code == 0


def test_trim_tells_which_paths_it_closes(states: Path) -> None:
    words = ["access", "trim", "--events", "audit.log", "-f", "old", "--paths", "-o", "json"]
    told = json.loads(ask(*words, cwd=states).out)
    assert told["paths"]["before"] > told["paths"]["after"]
    assert "internet to secrets of a namespace" in told["paths"]["closed"]


def test_why_tells_how_often_it_was_used(states: Path) -> None:
    words = ["access", "why", "--as", "shop/deployer", "-n", "shop", "--events", "audit.log"]
    used = ask(*words, "list", "deployments", "-f", "old", cwd=states)
    assert "used 124 times in 31 days, last 2026-12-01 (audit)" in " ".join(used.out.split())
    never = ask(*words, "get", "secrets/db", "-f", "old", cwd=states)
    assert "never used in 31 days (audit)" in " ".join(never.out.split())


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("trim --events nowhere.log -f demo", "cannot read nowhere.log"),
        ("trim --events audit.log --since soon -f demo", "--since soon is no length of time"),
        ("trim --events audit.log --widen all -f demo", "cannot widen that"),
        ("trim -f demo", "missing option '--events'"),
        ("diff demo", "missing argument 'NEW'"),
        ("diff demo nowhere", "cannot read nowhere"),
    ],
)
def test_errors_say_what_and_what_next(states: Path, words: str, what: str) -> None:
    done = ask("access", *words.split(), cwd=states)
    assert done.code == 2
    assert done.err.splitlines()[0] == what
    assert done.err.splitlines()[-1].startswith("next: ")


def test_what_is_not_known_of_a_change_is_no_silence(tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n")
    binding = (
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: b}, "
        "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, "
        "subjects: [{kind: User, name: jo}]}\n"
    )
    new.write_text(f"{old.read_text()}---\n{binding}")
    done = ask("access", "diff", "old.yaml", "new.yaml", cwd=tmp_path)
    told = " ".join(done.out.split())
    assert told.startswith("no effective change is known from old.yaml to new.yaml: see the notes")
    assert "note: new: RoleBinding/b: its namespace is not written" in told
    done = ask("access", "diff", "new.yaml", "new.yaml", cwd=tmp_path)
    assert "note:" not in done.out


OLDER = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "system:kube-scheduler", labels: {kubernetes.io/bootstrapping: rbac-defaults}}
rules:
- {apiGroups: [""], resources: [endpoints], verbs: [create]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: "system:kube-scheduler", labels: {kubernetes.io/bootstrapping: rbac-defaults}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:kube-scheduler"}
subjects:
- {kind: User, name: "system:kube-scheduler"}
- {kind: User, name: mallory}
"""


def test_what_only_another_release_grants_its_own_parts_is_a_note(states: Path) -> None:
    """Files are joined by the roles of a recent release; a bundle has its own."""
    objects = tuple(resource_of(raw, Nowhere(), "old") for raw in yaml.safe_load_all(OLDER))
    reading = Reading("old", objects, kubernetes=20, cluster="old")
    save(reading, states / "old.bundle", taken="2026-11-29T08:00:00Z")
    done = ask("access", "diff", "new", "bundle:old.bundle", cwd=states)
    told = " ".join(done.out.split())
    assert "gains User mallory everywhere create endpoints" in told
    assert "User system:kube-scheduler" not in told
    assert "of the control plane differ by release: not shown" in told


def test_trim_is_tried_on_the_log_of_the_demo() -> None:
    done = ask("access", "trim", "--events", "demo", "-f", "demo")
    assert (done.code, "narrow  RoleBinding shop/deployer" in done.out) == (0, True)
    assert "low confidence: less than a day of the log" in done.out
    assert "they span 58 minutes, and 30.0 days are asked for" in (
        ask("access", "trim", "--events", "demo", "-f", "demo", "--since", "30d").err
    )


def test_trim_of_one_tells_of_nobody_else() -> None:
    done = ask("access", "trim", "--events", "demo", "-f", "demo", "--as", "nobody/there")
    assert "the log has no request of nobody/there" in done.out
    assert "shop/deployer" not in done.out
    assert "alice" not in done.out
