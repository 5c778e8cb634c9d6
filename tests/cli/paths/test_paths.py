"""`paths`, `paths cut` and `paths diff` on the demo: what is told, what is written, how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from tests.support.access.audit_lines import month
from tests.support.asked import ask

from martello.demo import texts

ADMIN = "pods of kube-system/log-agent → cluster-admin"


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


def test_paths_alone_finds_the_way_to_cluster_admin_step_by_step() -> None:
    done = ask("paths", "-f", "demo")
    lines = done.out.splitlines()
    assert lines[0] == f"high      {ADMIN}  1 foothold, 4 steps"
    assert "ClusterRole cluster-admin" in done.out
    assert "shop/kube-system.yaml:13:5" in done.out
    assert "cheapest cut, proved, cost 9:\n  remove ClusterRoleBinding log-agent" in done.out
    assert lines[-1].startswith("exit 1: 2 high (fail-on high)")
    assert done.code == 1
    assert all(len(line) <= 80 for line in lines)


def test_what_nobody_assessed_is_a_step_with_a_question_mark() -> None:
    done = ask("paths", "--from", "internet", "-f", "demo")
    assert "  2? code runs in shop/web by a weakness of its image" in done.out.splitlines()
    assert "not assessed: whether registry.example.com/shop/web:2.4.1 can be" in done.out
    assert done.out.startswith("medium    internet → secrets of a namespace")
    assert done.code == 0


def test_the_repaired_cluster_has_no_path(states: Path) -> None:
    done = ask("paths", "-f", "new", cwd=states)
    assert done.out.startswith("no path from ")
    assert done.code == 0


def test_ends_are_chosen() -> None:
    one = ask(
        "paths", "--to", "secret:data/db", "--from", "pods:kube-system/log-agent", "-f", "demo"
    )
    assert one.out.startswith("high      pods of kube-system/log-agent → secret data/db")
    other = ask("paths", "--to", "secret:data/db", "--from", "sa:shop/deployer", "-f", "demo")
    assert other.out.startswith("no path from 1 foothold to secret data/db")


def test_the_control_plane_is_left_out_unless_it_is_asked_for() -> None:
    few = json.loads(ask("paths", "-f", "demo", "-o", "json").out)
    many = json.loads(ask("paths", "--system", "-f", "demo", "-o", "json").out)
    named = {name for way in few["paths"] for name in way["footholds"]}
    assert not any("system:" in name for name in named)
    assert any("kube-controller-manager" in n for way in many["paths"] for n in way["footholds"])


def test_a_cut_is_proved_and_written_and_closes_what_it_says(states: Path) -> None:
    done = ask("paths", "cut", "-f", "old", "--write", "fixes", cwd=states)
    assert "proved on the edited cluster: no path is left" in done.out
    gone = [yaml.safe_load(p.read_text()) for p in (states / "fixes" / "delete").glob("*.yaml")]
    refs = {(one["kind"], one["metadata"]["name"]) for one in gone}
    assert refs == {("ClusterRoleBinding", "log-agent"), ("RoleBinding", "deployer")}
    assert "ci/Deployment/runner: no longer mounts /run/docker.sock of the node" in done.out
    for file in (states / "old").rglob("*.yaml"):
        kept = [
            one
            for one in yaml.safe_load_all(file.read_text())
            if one and (one["kind"], (one.get("metadata") or {}).get("name")) not in refs
        ]
        for one in kept:
            if one["kind"] == "Deployment" and one["metadata"]["name"] == "runner":
                one["spec"]["template"]["spec"]["containers"][0].pop("volumeMounts")
        file.write_text(yaml.safe_dump_all(kept))
    assert ask("paths", "-f", "old", cwd=states).out.startswith("no path from ")


def test_what_is_used_or_kept_is_not_cut(states: Path) -> None:
    used = ask("paths", "cut", "-f", "old", "--events", "audit.log", cwd=states)
    assert "cost 30: the only way" in used.out  # neither its grant nor its token is spare
    assert "note: the cut takes what is used: martello access trim" in used.out
    kept = ask("paths", "cut", "-f", "old", "--keep", "shop/RoleBinding/deployer", cwd=states)
    assert "remove RoleBinding shop/deployer" not in kept.out


def test_what_holds_of_every_pod_is_told_in_data_only() -> None:
    words = ("paths", "--from", "pods:ci/runner", "-f", "demo")
    assert "kernel" not in ask(*words).out
    steps = json.loads(ask(*words, "-o", "json").out)["paths"][0]["steps"]
    plain = [one["says"] for step in steps for one in step["evidence"] if one["plain"]]
    assert plain == ["no user namespace of its own", "the node's own kernel"]


def test_the_next_command_asks_of_the_same_cluster(states: Path) -> None:
    (states / "old").rename(states / "my shop")
    done = ask("paths", "--to", "node", "-f", "my shop", cwd=states)
    follow = "next: martello paths cut -f 'my shop' --to node --write fixes/"
    assert follow in " ".join(done.out.split())


def test_a_change_is_told_by_the_paths_that_it_opens(states: Path) -> None:
    done = ask("paths", "diff", "new", "old", "-o", "sarif=p.sarif", "-o", "text", cwd=states)
    assert done.out.startswith("from new to old: opens 4 new paths\n")
    assert "opened by ClusterRoleBinding log-agent grants" in " ".join(done.out.split())
    assert done.code == 1
    results = json.loads((states / "p.sarif").read_text())["runs"][0]["results"]
    first = results[0]["locations"][0]["physicalLocation"]
    assert first["artifactLocation"]["uri"] == "old/shop/kube-system.yaml"
    assert first["region"]["startLine"] == 13
    assert {one["ruleId"] for one in results} == {"ACC-900", "ACC-902"}
    back = ask("paths", "diff", "old", "new", cwd=states)
    assert back.out.startswith("from old to new: closes 4 paths\n")
    assert f"closed    {ADMIN}" in back.out
    assert back.code == 0


def test_nothing_changes_from_a_state_to_itself() -> None:
    done = ask("paths", "diff", "demo", "demo")
    assert done.out.startswith("from demo to demo: opens and closes no path\n")
    assert done.out.splitlines()[-1] == "exit 0: no new path"


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("--from nowhere -f demo", "nowhere is no place of a path"),
        ("--from sa:shop/deplyer -f demo", "not here: account shop/deplyer"),
        ("--to node:worker-9 -f demo", "not here: node worker-9"),
        ("cut --keep shop/RoleBinding/deplyer -f demo", "not here: shop/RoleBinding/deplyer"),
        ("find -o pdf -f demo", "no such report format: pdf"),
        ("fnd", "no such command: fnd"),
        ("diff demo", "missing argument 'NEW'"),
    ],
)
def test_errors_say_what_and_what_next(words: str, what: str) -> None:
    done = ask("paths", *words.split())
    assert done.code == 2
    assert done.err.splitlines()[0] == what
    assert done.err.splitlines()[-1].startswith("next: ")


def test_a_scan_tells_paths_where_it_is_asked_for_them() -> None:
    done = ask("scan", "demo", "--check", "ACC-900", "--check", "ACC-902", "-o", "json")
    found = {(f["check"], f["severity"]) for f in json.loads(done.out)["findings"]}
    assert found == {
        *(("ACC-900", level) for level in ("high", "medium")),
        *(("ACC-902", level) for level in ("high", "medium")),
    }
    assert done.code == 1
    plain = json.loads(ask("scan", "demo", "-o", "json").out)
    assert not [f for f in plain["findings"] if f["check"].startswith("ACC-90")]


LEGACY = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: agent, namespace: ops}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: agent}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: agent, namespace: ops}]
---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: ops}
spec:
  serviceAccountName: agent
  containers:
  - name: agent
    image: example.com/agent:1
    volumeMounts:
    - {name: VOLUME, mountPath: /var/run/secrets/kubernetes.io/serviceaccount}
  volumes: [{name: VOLUME, secret: {secretName: VOLUME}}]
"""


@pytest.mark.parametrize(("volume", "code"), [("agent-token-x7k2p", 1), ("settings", 0)])
def test_the_token_that_servers_before_1_21_mount_as_a_secret_counts(
    volume: str, code: int, tmp_path: Path
) -> None:
    (tmp_path / "pod.yaml").write_text(LEGACY.replace("VOLUME", volume))
    done = ask("paths", "--from", "pods:ops/agent", "-f", "pod.yaml", cwd=tmp_path)
    assert done.code == code, done.out


BINDER = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: root, namespace: ops}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: root}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: root, namespace: ops}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: binder, namespace: ops}
rules:
- {apiGroups: [rbac.authorization.k8s.io], resources: [rolebindings], verbs: [create]}
- {apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [bind]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: binder, namespace: ops}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: binder}
subjects: [{kind: User, name: joe}]
"""


def test_a_grant_of_several_rights_is_one_step_and_the_account_is_named(tmp_path: Path) -> None:
    (tmp_path / "rbac.yaml").write_text(BINDER)
    done = ask("paths", "--from", "user:joe", "-f", "rbac.yaml", "-o", "json", cwd=tmp_path)
    says = [step["says"] for step in json.loads(done.out)["paths"][0]["steps"]]
    assert says == [
        "RoleBinding ops/binder grants User joe Role binder",
        "may bind any cluster role in ops",
        "so has account ops/root",
        "ClusterRoleBinding root grants ServiceAccount ops/root ClusterRole cluster-admin",
        "may do everything in the cluster",
    ]


def test_pods_of_files_that_name_no_namespace_are_told_by_their_name(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: "
        "[{name: web, image: 'example.com/web:1', securityContext: {privileged: true}}]}\n"
    )
    done = ask("paths", "--from", "pods:web", "-f", "pod.yaml", cwd=tmp_path)
    assert done.out.startswith("high      pods of web → node  1 foothold, 2 steps\n")
    assert "privileged container of web mounts" in done.out
