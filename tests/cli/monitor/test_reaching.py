"""Alerts about who reaches far are graver by one level, with the reason in words."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.support.asked import ask
from tests.support.senders import event

from martello.adapters.manifests import read_texts
from martello.cli.access.opening import opened_reading
from martello.cli.monitor import reaching
from martello.cli.monitor.reaching import Reaching, World
from martello.cli.paths.opening import Known, inputs
from martello.core.errors import Unreachable
from martello.paths.facts import facts
from martello.paths.model import Weakness
from martello.practices.monitor.engine.rule import Rule
from martello.practices.monitor.own import load as own

WORLD = """
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Secret, metadata: {name: db, namespace: shop}}
---
{apiVersion: v1, kind: Secret, metadata: {name: key, namespace: bank}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: deployer, namespace: shop}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {
  selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {
  serviceAccountName: deployer, containers: [{name: main, image: "shop/web:1",
    ports: [{containerPort: 80}]}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {type: LoadBalancer,
  selector: {app: web}, ports: [{port: 80}]}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: idle, namespace: shop}, spec: {
  selector: {matchLabels: {app: idle}}, template: {metadata: {labels: {app: idle}}, spec: {
  automountServiceAccountToken: false, containers: [{name: main, image: "shop/idle:1",
  securityContext: {runAsNonRoot: true, allowPrivilegeEscalation: false,
    capabilities: {drop: [ALL]}}}]}}}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: read, namespace: shop},
  rules: [{apiGroups: [""], resources: [secrets], verbs: [get, list]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
  metadata: {name: read, namespace: shop},
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: read},
  subjects: [{kind: ServiceAccount, name: deployer, namespace: shop}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: half},
  rules: [{apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [bind],
    resourceNames: [cluster-admin]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: other},
  rules: [{apiGroups: [rbac.authorization.k8s.io], resources: [clusterrolebindings],
    verbs: [create]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: half},
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: half},
  subjects: [{kind: User, name: jo}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: other},
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: other},
  subjects: [{kind: Group, name: ops}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: boss},
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin},
  subjects: [{kind: User, name: boss}]}
"""
DEPLOYER = "system:serviceaccount:shop:deployer"
READS = "its account shop/deployer reads every secret of shop (1)"


def world(*weak: Weakness) -> World:
    """The world above, with weaknesses of its images."""
    opened = opened_reading(read_texts({"world.yaml": WORLD.encode()}, "world"))
    told, _ = inputs(opened.cluster, weak)
    return World(Known(opened, facts(opened.cluster, told), (), weak))


def acted(user: str, **more: Any) -> dict[str, Any]:
    """An audit event of somebody."""
    return {"kind": "audit", "actor_user": user, **more}


def ran(workload: str, **more: Any) -> dict[str, Any]:
    """A process of a pod."""
    return {"kind": "process", "k8s_ns": "shop", "pod_workload": workload, **more}


def test_an_account_that_reads_all_secrets_of_a_namespace() -> None:
    assert world().reasons(acted(DEPLOYER)) == (READS,)
    assert world().reasons(acted("jo", actor_as=DEPLOYER)) == (READS,)


def test_whoever_reaches_nothing_raises_nothing() -> None:
    known = world()
    for user in (
        "kim",
        "system:serviceaccount:shop:default",
        "system:node:one",
        "system:apiserver",
    ):
        assert known.reasons(acted(user, actor_groups=["devs"])) == ()
    assert known.reasons({"kind": "audit"}) == ()
    assert known.reasons({"kind": "process", "k8s_ns": "elsewhere", "pod_name": "x"}) == ()


def test_what_a_user_and_his_groups_have_together_counts() -> None:
    known = world()
    assert known.reasons(acted("jo")) == ()
    assert known.reasons(acted("kim", actor_groups=["ops"])) == ()
    (reason,) = known.reasons(acted("jo", actor_groups=["ops"]))
    assert reason.startswith("user jo reaches cluster-admin in ")
    reasons = known.reasons(acted("boss"))
    assert reasons[0].startswith("user boss reaches cluster-admin in 2 steps")
    assert reasons[1] == "user boss reads every secret of the cluster (2)"


def test_pods_that_the_internet_reaches_and_what_is_exploited() -> None:
    weak = Weakness("shop/web:1", "CVE-1", "libx 1.0 (known to be exploited, no fix)", "main")
    found = world(weak).reasons(ran("deploy/web"))
    assert READS in found
    assert any(one.startswith("the internet reaches shop/web: Service shop/web") for one in found)
    told = "its container main has CVE-1 in libx 1.0 (known to be exploited, no fix)"
    assert told in found
    unsure = Weakness("shop/web:1", "a weakness", "", "main", because="never scanned")
    assert told not in world(unsure).reasons(ran("deploy/web"))


def test_who_enters_a_pod_reaches_what_it_does() -> None:
    known = world()
    entered = {"k8s_ns": "shop", "k8s_resource": "pods", "pod_workload": "deploy/web"}
    assert READS in known.reasons(acted("kim", **entered, k8s_subresource="exec"))
    assert known.reasons(acted("kim", **entered, k8s_subresource="log")) == ()


@pytest.mark.parametrize(
    ("severity", "raised"),
    [("info", "low"), ("low", "medium"), ("high", "critical"), ("critical", "critical")],
)
def test_by_one_level_and_at_most_critical(severity: str, raised: str, tmp_path: Path) -> None:
    (tmp_path / "world.yaml").write_text(WORLD)
    found = reaching.reaching({"world": (str(tmp_path),), "context": None, "kubeconfig": None})
    assert found is not None
    rule = _rule(severity)
    assert found(rule, acted(DEPLOYER)) == (raised, (READS,))
    assert found(rule, acted("kim")) == (severity, ())


def _rule(severity: str) -> Rule:
    text = (
        f"{{id: TST-101, title: A, kind: audit, severity: {severity}, when: e.api_verb == 'get'}}"
    )
    (rule,) = own.load({"rules.yaml": text}).pack
    return rule


class _Beside:
    """The jobs of a watch, to who reads beside them."""

    def __init__(self) -> None:
        self.ending = threading.Event()
        self.troubles: list[str] = []
        self.jobs: list[Any] = []

    def troubled(self, name: str, what: str = "") -> None:
        """Notes it."""
        self.troubles.append(what)

    def thread(self, run: Any, name: str) -> None:
        """Keeps it for the test to run."""
        self.jobs.append(run)


def test_a_reading_that_fails_leaves_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Reaching({"context": "live"})
    assert found.live
    found._world = world()
    beside = _Beside()

    def refused(_: Any) -> Known:
        beside.ending.set()
        raise Unreachable("the cluster cannot be reached")

    monkeypatch.setattr(reaching, "known", refused)
    found.follow(beside)  # type: ignore[arg-type]
    beside.jobs[0]()
    assert beside.troubles == ["what subjects reach is not known: the cluster cannot be reached"]
    assert found(_rule("low"), acted(DEPLOYER)) == ("medium", (READS,))


def test_a_fault_of_ours_is_told_and_the_reading_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Reaching({"context": "live"})
    beside = _Beside()

    def wrong(_: Any) -> Known:
        beside.ending.set()
        raise TypeError("of what an attacker wrote")

    monkeypatch.setattr(reaching, "known", wrong)
    found.follow(beside)  # type: ignore[arg-type]
    beside.jobs[0]()
    assert beside.troubles == ["what subjects reach is not known: internal error: TypeError"]


def test_nothing_is_read_where_no_cluster_is_named() -> None:
    assert reaching.reaching({"world": (), "context": None, "kubeconfig": None}) is None


def test_a_replay_raises_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "world.yaml").write_text(WORLD)
    (tmp_path / "rules.yaml").write_text(
        "{id: TST-101, title: Secrets listed, kind: audit, severity: low,"
        ' when: \'e.api_verb == "list" && e.k8s_resource == "secrets"\', group: [actor_user]}'
    )
    lines = [json.dumps(event(10, user=DEPLOYER)), json.dumps(event(20, user="kim"))]
    (tmp_path / "audit.log").write_text("\n".join(lines))
    words = ("monitor", "replay", "audit.log", "--rules", "rules.yaml", "-o", "json")
    done = ask(*words, "-f", "world.yaml", cwd=tmp_path)
    alerts = {one["entity"]["actor_user"]: one for one in json.loads(done.out)["alerts"]}
    assert alerts[DEPLOYER]["severity"] == "medium"
    assert alerts[DEPLOYER]["raised"] == [READS]
    assert alerts["kim"]["severity"] == "low"
    plain = json.loads(ask(*words, cwd=tmp_path).out)["alerts"]
    assert {one["severity"] for one in plain} == {"low"}
