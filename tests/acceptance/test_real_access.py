"""Access on a whole cluster: what its controllers fill in is what we compute from files."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

from tests.support.real_cluster import real_cluster

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.practices.access.grants import grants

Object = dict[str, Any]
Rights = frozenset[tuple[frozenset[str], ...]]
FIELDS = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")


def _role(name: str, labels: Object, **body: object) -> Object:
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
    return {**kind, "metadata": {"name": name, "labels": labels}, **body}


def _gathers(*selectors: Object) -> Object:
    return {"clusterRoleSelectors": list(selectors)}


def _rule(resource: str, *verbs: str) -> Object:
    return {"apiGroups": [""], "resources": [resource], "verbs": list(verbs)}


# Nested, in a circle, by several selectors, by expressions, of nothing, and into a role of old.
OURS = (
    _role("leaf-a", {"into": "a"}, rules=[_rule("pods", "get"), _rule("pods/log", "get")]),
    _role("leaf-b", {"into": "b", "tier": "x"}, rules=[_rule("secrets", "list")]),
    _role("leaf-edit", {"rbac.authorization.k8s.io/aggregate-to-edit": "true"},
          rules=[_rule("widgets", "patch")]),
    _role("top", {}, aggregationRule=_gathers({"matchLabels": {"into": "a"}},
          {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["x", "y"]}]})),
    _role("middle", {"into": "outer"}, aggregationRule=_gathers({"matchLabels": {"into": "b"}})),
    _role("outer", {"into": "b"}, aggregationRule=_gathers({"matchLabels": {"into": "outer"}})),
    _role("nothing", {}, aggregationRule=_gathers({"matchLabels": {"into": "nowhere"}})),
)  # fmt: skip


def _rights(rules: list[Object]) -> Rights:
    return frozenset(tuple(frozenset(rule.get(f) or ()) for f in FIELDS) for rule in rules)


def test_aggregated_roles_are_what_the_controller_fills_in(tmp_path: Path) -> None:
    with real_cluster(tmp_path / "c", nodes=1, name="mar", net="10.223") as cluster:
        cluster.apply(*OURS)
        held: list[Object] = []
        for _ in range(30):  # until nothing changes any more
            before, held = (
                held,
                json.loads(cluster.kubectl("get", "clusterroles", "-o", "json"))["items"],
            )
            if before == held:
                break
            time.sleep(2)
    written = copy.deepcopy(held)
    for one in written:
        if one.get("aggregationRule"):
            one["rules"] = None
    computed = grants(Cluster([resource_of(one, Nowhere()) for one in written])).roles
    aggregated = [one for one in held if one.get("aggregationRule")]
    assert {"admin", "edit", "view", "top", "middle", "outer", "nothing"} <= {
        one["metadata"]["name"] for one in aggregated
    }
    for one in aggregated:
        name = one["metadata"]["name"]
        ours = computed[("ClusterRole", "", name)].rules
        found = frozenset(
            (
                frozenset(r.verbs),
                frozenset(r.groups),
                frozenset(r.resources),
                frozenset(r.names),
                frozenset(r.urls),
            )
            for r in ours
        )
        assert found == _rights(one.get("rules") or []), name
