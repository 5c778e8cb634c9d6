"""Evidence of use: paths that are used are worse, and grants cost what their use says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.access.audit_lines import line
from tests.support.asked import ask
from tests.support.paths.world import RBAC, bound, made, pod, rule

DAY = 24
AGENT = ("account", "ops", "agent")


def _world(here: Path, rules: list[str], *more: dict[str, Any]) -> None:
    objects = [
        made("Namespace", "ops"),
        made("ServiceAccount", "agent", "ops"),
        made("Node", "worker"),
        pod("agent", {"serviceAccountName": "agent"}, "ops"),
        made("Secret", "db", "ops", type="Opaque"),
        *bound("agent", [rule(one) for one in rules], AGENT, "ops"),
        *more,
    ]
    (here / "ops").mkdir(exist_ok=True)
    (here / "ops" / "all.yaml").write_text(yaml.safe_dump_all(objects))


def _log(here: Path, *lines: str) -> None:
    others = (
        line(900, "ops/other", "get", "configmaps", namespace="ops", name="c"),
        line(901, "ops/other", "update", "configmaps", namespace="ops", name="c"),
    )
    (here / "audit.log").write_text("".join((*lines, *others)))


def _told(here: Path, *words: str, verb: str = "cut") -> dict[str, Any]:
    flags = ("-f", "ops", "--events", "audit.log", "--to", "node", *words, "-o", "json")
    found: dict[str, Any] = json.loads(ask("paths", verb, *flags, cwd=here).out)
    return found


def _costs(told: dict[str, Any]) -> dict[str, tuple[int, str]]:
    every = (*told["cut"]["edits"], *told["cut"]["also"])
    return {one["says"]: (one["cost"], one["why"]) for one in every}


UNBIND = "remove RoleBinding ops/agent"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    _world(tmp_path, ["create pods"])
    return tmp_path


def test_a_path_that_is_used_is_worse(here: Path) -> None:
    _log(here, line(1, "ops/agent", "create", "pods", namespace="ops", hour=9 * DAY))
    (way,) = _told(here, "--from", "pods:ops/agent", verb="find")["paths"]
    assert way["severity"] == "critical"
    (why,) = way["why"]
    assert why.startswith("one level higher: seen in use, last 2026-11-10: may create pods in ops")


@pytest.mark.parametrize(
    "other",
    [
        line(1, "ops/other", "create", "pods", namespace="ops"),
        line(1, "ops/agent", "create", "pods", namespace="shop"),
        line(1, "ops/agent", "get", "pods", namespace="ops", name="x"),
        line(1, "ops/agent", "create", "configmaps", namespace="ops"),
    ],
)
def test_what_others_did_or_did_elsewhere_is_no_evidence(here: Path, other: str) -> None:
    _log(here, other)
    (way,) = _told(here, "--from", "pods:ops/agent", verb="find")["paths"]
    assert way["severity"] == "high"
    assert not [why for why in way["why"] if "in use" in why]


def test_rights_that_serve_together_count_together(here: Path) -> None:
    both = [rule("impersonate users"), rule("impersonate groups")]
    _world(here, ["get configmaps"], *bound("wide", both, AGENT))
    start = ("--from", "pods:ops/agent", "--to", "cluster-admin")
    impersonated = json.loads(line(1, "ops/agent", "get", "pods", namespace="ops", name="x"))
    impersonated["impersonatedUser"] = {"username": "joe", "groups": ["system:masters"]}
    _log(here, json.dumps(impersonated) + "\n")
    ways = {way["goal"]: way for way in _told(here, *start, verb="find")["paths"]}
    assert ways["cluster-admin"]["severity"] == "critical"
    impersonated["impersonatedUser"] = {"username": "joe"}
    _log(here, json.dumps(impersonated) + "\n")
    ways = {way["goal"]: way for way in _told(here, *start, verb="find")["paths"]}
    assert ways["cluster-admin"]["severity"] == "high"


def test_an_unused_grant_costs_one(here: Path) -> None:
    _log(here, line(1, "ops/agent", "get", "pods", namespace="ops", name="x", code=403))
    assert _costs(_told(here))[UNBIND] == (1, "never used")


def test_the_only_way_of_a_use_costs_thirty(here: Path) -> None:
    _log(here, line(1, "ops/agent", "create", "pods", namespace="ops"))
    assert _costs(_told(here)).get(UNBIND, (30,))[0] == 30


def test_a_use_that_has_another_way_costs_ten(here: Path) -> None:
    wide = bound("wide", [rule("create pods")], AGENT, "ops")
    wide[0]["metadata"]["name"] = wide[1]["roleRef"]["name"] = "wide"
    _world(here, ["create pods"], *wide)
    _log(here, line(1, "ops/agent", "create", "pods", namespace="ops"))
    told = _told(here, "--keep", "Namespace/ops", "--keep", "ops/Pod/agent")
    costs = {one["says"]: (one["cost"], one["why"]) for one in told["cut"]["edits"]}
    assert costs == {UNBIND: (10, "used"), "remove RoleBinding ops/wide": (10, "used")}


def test_a_token_that_is_used_is_not_taken_away_for_little(here: Path) -> None:
    """The requests of an account came with a token that some pod of it mounts."""
    mount = "mount no token in ops/Pod/agent"
    keep = ("--keep", "ops/RoleBinding/agent")
    _log(here, line(1, "ops/agent", "get", "pods", namespace="ops", name="x", code=403))
    assert _costs(_told(here, *keep))[mount] == (3, "")
    _log(here, line(1, "ops/agent", "create", "pods", namespace="ops"))
    told = _told(here, *keep, "--keep", "Namespace/ops")
    assert _costs(told)[mount] == (30, "the only way")
    _world(here, ["create pods"], pod("second", {"serviceAccountName": "agent"}, "ops"))
    told = _told(here, *keep, "--keep", "Namespace/ops")
    assert _costs(told)[mount] == (10, "used")


def test_what_no_log_shows_costs_three(here: Path) -> None:
    rules = [f"bind clusterroles.{RBAC}", f"escalate roles.{RBAC}"]
    _world(here, ["get configmaps"], *bound("wide", [rule(rules[0])], AGENT))
    maker = bound("maker", [rule(f"create clusterrolebindings.{RBAC}")], AGENT)
    admin = made(
        "ClusterRole",
        "cluster-admin",
        "",
        f"{RBAC}/v1",
        rules=[{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    )
    _world(here, ["get configmaps"], *bound("wide", [rule(rules[0])], AGENT), *maker, admin)
    _log(here, line(1, "ops/agent", "get", "configmaps", namespace="ops", name="c"))
    told = _told(here, "--to", "cluster-admin")
    costs = _costs(told)
    assert costs["remove ClusterRoleBinding maker"] == (1, "never used")
    kept = _told(here, "--to", "cluster-admin", "--keep", "ClusterRoleBinding/maker")
    assert _costs(kept)["remove ClusterRoleBinding wide"] == (
        3,
        "whether it is used cannot be seen",
    )


def test_a_log_without_reads_says_nothing_of_reads(here: Path) -> None:
    _world(here, ["list secrets"])
    (here / "audit.log").write_text(
        line(1, "ops/other", "update", "configmaps", namespace="ops", name="c")
    )
    flags = ("-f", "ops", "--events", "audit.log", "--to", "secrets:ops", "-o", "json")
    told = json.loads(ask("paths", "cut", *flags, cwd=here).out)
    assert _costs(told)[UNBIND][0] == 3


def test_an_audit_policy_among_the_objects_says_what_is_not_logged(here: Path) -> None:
    secrets = {"level": "None", "resources": [{"group": "", "resources": ["secrets"]}]}
    rules = [secrets, {"level": "Metadata"}]
    policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules}
    _world(here, ["list secrets"])
    _log(here)
    flags = ("-f", "ops", "--events", "audit.log", "--to", "secrets:ops", "-o", "json")
    told = json.loads(ask("paths", "cut", *flags, cwd=here).out)
    assert _costs(told)[UNBIND] == (1, "never used")
    _world(here, ["list secrets"], policy)
    told = json.loads(ask("paths", "cut", *flags, cwd=here).out)
    assert _costs(told)[UNBIND] == (3, "whether it is used cannot be seen")


def test_without_events_nothing_is_said_of_use(here: Path) -> None:
    told = json.loads(ask("paths", "cut", "-f", "ops", "--to", "node", "-o", "json", cwd=here).out)
    assert {why for _, why in _costs(told).values()} == {""}
    assert not [why for way in told["paths"] for why in way["why"] if "in use" in why]
