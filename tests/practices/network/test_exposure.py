"""What workloads are open to beyond the pods that are there, and the openings to the internet."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.support.network import objects as o

from martello.core.reach import ALL
from martello.practices.network.decide.witness import ANYONE
from martello.practices.network.engine.reach import Reach, reach
from martello.practices.network.model import Profile
from martello.practices.network.outer.exposure import Exposed, exposure, show_passing
from martello.practices.network.outer.internet import ALLOWED, DENIED, UNKNOWN, internet
from martello.practices.network.profiles import profile

PROFILE = Profile("test", blocks_match_pods=False)
HTTP = {"containerPort": 8080, "name": "http"}
API = "networking.k8s.io/v1"
ADMIN = "policy.networking.k8s.io/v1alpha1"


def _shop(*policies: o.Object, labels: dict[str, str] | None = None) -> Reach:
    objects = [
        o.namespace("shop", {"env": "prod"}),
        o.pod("shop", "web", labels or {"app": "web"}, ["10.1.0.1"], [HTTP]),
        o.pod("shop", "api", {"app": "api"}, ["10.1.0.2"], []),
        *policies,
    ]
    return reach(o.cluster(objects), PROFILE)


def _policy(spec: dict[str, Any], name: str = "one") -> o.Object:
    spec = {"podSelector": {"matchLabels": {"app": "web"}}, **spec}
    return o.policy(API, "NetworkPolicy", name, spec, "shop")


def _admin(name: str, priority: int, **rules: Any) -> o.Object:
    subject = {"namespaces": {"matchLabels": {"env": "prod"}}}
    spec = {"priority": priority, "subject": subject, **rules}
    return o.policy(ADMIN, "AdminNetworkPolicy", name, spec)


def _rows(found: Reach, direction: str = "in", written: bool = False) -> dict[str, str]:
    return {
        str(row.witness): show_passing(row.passing)
        for row in exposure(found, written=written).rows
        if row.workload == "shop/web" and row.direction == direction
    }


def test_what_no_policy_governs_is_unprotected_and_open_to_anyone() -> None:
    found = exposure(_shop(_policy({"ingress": []})))
    assert ("shop/web", "in") not in found.unprotected
    assert set(found.unprotected) == {("shop/web", "out"), ("shop/api", "in"), ("shop/api", "out")}
    assert _rows(_shop(_policy({"ingress": []})), "out") == {str(ANYONE): "all"}
    assert _rows(_shop(_policy({"ingress": []}))) == {}


def test_rules_wait_for_pods_that_are_not_there() -> None:
    rules = [
        {"from": [{"namespaceSelector": {}}], "ports": [{"port": 8080}]},
        {
            "from": [{"namespaceSelector": {"matchLabels": {"team": "red"}}}],
            "ports": [{"port": 9090}],
        },
        {"from": [{"podSelector": {"matchLabels": {"app": "new"}}}]},
    ]
    assert _rows(_shop(_policy({"ingress": rules}))) == {
        "any pod of any namespace": "TCP 8080",
        "all pods of namespaces with team=red": "TCP 8080,9090",
        "pods with app=new of namespace shop": "all",
    }


def test_pods_that_are_named_by_value_and_there_are_what_a_rule_means() -> None:
    there = {"from": [{"podSelector": {"matchLabels": {"app": "api"}}}]}
    assert _rows(_shop(_policy({"ingress": [there]}))) == {}
    anywhere = {"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "api"}}}]}
    assert _rows(_shop(_policy({"ingress": [anywhere]}))) == {
        "pods with app=api of any namespace": "all"
    }


def test_a_witness_has_what_its_selector_implies_unless_selectors_are_taken_as_written() -> None:
    def rule(values: list[str], port: int) -> dict[str, Any]:
        role = {"key": "role", "operator": "NotIn", "values": values}
        peer = {"podSelector": {"matchExpressions": [role]}}
        return {"from": [peer], "ports": [{"port": port}]}

    found = _shop(_policy({"ingress": [rule(["x", "y"], 9090), rule(["w", "x", "y"], 8080)]}))
    assert _rows(found) == {
        "pods with role not in (x,y) of namespace shop": "TCP 9090",
        "pods with role not in (w,x,y) of namespace shop": "TCP 8080,9090",
    }
    assert _rows(found, written=True)["pods with role not in (w,x,y) of namespace shop"] == (
        "TCP 8080"
    )


def test_ports_that_only_pods_to_come_could_name_stay_names() -> None:
    rule = {"to": [{"namespaceSelector": {}}], "ports": [{"port": "http"}, {"port": 53}]}
    spec = {"policyTypes": ["Egress"], "egress": [rule]}
    assert _rows(_shop(_policy(spec)), "out") == {"any pod of any namespace": "TCP 53 TCP http"}
    inwards = {"ingress": [{"ports": [{"port": "http"}, {"port": "dns"}]}]}
    assert _rows(_shop(_policy(inwards))) == {"any pod of any namespace": "TCP 8080"}


def test_an_admin_policy_makes_an_exception_to_anyone() -> None:
    deny = {"action": "Deny", "to": [{"namespaces": {"matchLabels": {"house": "green"}}}]}
    allow = {"action": "Allow", "to": [{"namespaces": {}}]}
    assert _rows(_shop(_admin("one", 5, egress=[deny, allow])), "out") == {
        "any pod of any namespace": "all",
        "all pods of namespaces with house=green": "none",
    }


def test_equal_priorities_leave_a_doubt() -> None:
    everyone: list[dict[str, Any]] = [{"namespaces": {}}]
    one = _admin("one", 5, ingress=[{"action": "Deny", "from": everyone}])
    two = _admin("two", 5, ingress=[{"action": "Allow", "from": everyone}])
    (row,) = _of(_shop(one, two), "in")
    assert not row.passing
    assert row.maybe.conn == ALL


def _of(found: Reach, direction: str) -> list[Exposed]:
    rows = exposure(found).rows
    return [r for r in rows if (r.workload, r.direction) == ("shop/web", direction)]


def test_a_policy_that_is_not_understood_leaves_a_doubt_with_its_reason() -> None:
    strange = o.policy("cilium.io/v9", "StrangeNetworkPolicy", "odd", {}, "shop")
    (row,) = _of(_shop(strange), "in")
    assert not row.passing
    assert row.maybe.conn == ALL
    assert "StrangeNetworkPolicy" in row.because[0]


def test_policies_over_the_pods_to_come_count_too() -> None:
    rule = {"from": [{"podSelector": {"matchLabels": {"app": "new"}}}]}
    silent = o.policy(
        API, "NetworkPolicy", "silent", {"podSelector": {}, "policyTypes": ["Egress"]}, "shop"
    )
    (row,) = _of(_shop(_policy({"ingress": [rule]}), silent), "in")
    assert str(row.witness) == "pods with app=new of namespace shop"
    assert row.admitted.conn == ALL
    assert not row.passing


def test_pods_on_the_network_of_their_node_are_not_told_of() -> None:
    pod = o.pod("shop", "agent", {}, ["192.0.2.1"], [], "n1")
    pod["spec"]["hostNetwork"] = True
    found = exposure(reach(o.cluster([pod]), PROFILE))
    assert (found.rows, found.unprotected) == ((), ())


@pytest.mark.parametrize("match", [True, None, False])
def test_a_block_takes_in_pods_to_come_by_the_profile_and_its_ranges(match: bool | None) -> None:
    rule = {"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}
    found = _shop(_policy({"ingress": [rule]}))
    profile = Profile("test", match, pod_ranges=("10.1.0.0/16",))
    rows = exposure(_Other(found, profile)).rows
    row = next((r for r in rows if (r.workload, r.direction) == ("shop/web", "in")), None)
    if match is False:
        assert row is None
    elif match:
        assert row is not None
        assert row.passing.conn == ALL
    else:
        assert row is not None
        assert (bool(row.passing), row.maybe.conn) == (False, ALL)


class _Other:
    """The same places and policies under another profile."""

    def __init__(self, found: Reach, profile: Profile) -> None:
        self.world, self.policies, self.profile = found.world, found.policies, profile


def _service(kind: str, **spec: Any) -> o.Object:
    ports = [{"port": 80, "targetPort": "http", "nodePort": 30080}]
    spec = {"type": kind, "selector": {"app": "web"}, "ports": ports, **spec}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": spec,
    }


def _entries(*more: o.Object) -> list[tuple[str, str, str]]:
    objects = [
        o.namespace("shop", {}),
        o.pod("shop", "web", {"app": "web"}, ["10.1.0.1"], [HTTP]),
        *more,
    ]
    cluster = o.cluster(objects)
    found = internet(reach(cluster, PROFILE), cluster)
    return [(e.kind, f"{e.workload} {e.protocol} {e.target}", e.verdict) for e in found]


_WEB = "shop/web TCP 8080"


def test_a_load_balancer_and_its_node_port_open_a_pod() -> None:
    assert _entries(_service("LoadBalancer")) == [
        ("load-balancer", _WEB, ALLOWED),
        ("node-port", _WEB, ALLOWED),
    ]
    assert _entries(_service("ClusterIP")) == []


def test_policies_of_the_pod_close_an_opening() -> None:
    closed = _policy({"ingress": []})
    assert _entries(_service("NodePort"), closed) == [("node-port", _WEB, DENIED)]


def test_a_hidden_client_makes_rules_on_addresses_unknown() -> None:
    block = _policy({"ingress": [{"from": [{"ipBlock": {"cidr": "8.8.0.0/16"}}]}]})
    assert _entries(_service("NodePort"), block) == [("node-port", _WEB, UNKNOWN)]
    local = _service("NodePort", externalTrafficPolicy="Local")
    assert _entries(local, block) == [("node-port", _WEB, ALLOWED)]


def test_only_addresses_that_get_in_are_told() -> None:
    block = _policy({"ingress": [{"from": [{"ipBlock": {"cidr": "8.8.0.0/16"}}]}]})
    ranges = ["8.0.0.0/8"]
    service = _service(
        "LoadBalancer", externalTrafficPolicy="Local", loadBalancerSourceRanges=ranges
    )
    objects = [
        o.namespace("shop", {}),
        o.pod("shop", "web", {"app": "web"}, ["10.1.0.1"], [HTTP]),
        block,
        service,
    ]
    cluster = o.cluster(objects)
    entry = internet(reach(cluster, PROFILE), cluster)[0]
    (source,) = entry.sources
    assert (source.first, source.last) == ((8 << 24) + (8 << 16), (8 << 24) + (8 << 16) + 65535)


def _ingress() -> o.Object:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    spec = {"rules": [{"http": {"paths": [{"path": "/", "backend": backend}]}}]}
    return o.policy(API, "Ingress", "web", spec, "shop")


def test_an_ingress_controller_that_is_not_here_may_be_what_a_rule_takes_in() -> None:
    service = _service("ClusterIP")
    assert _entries(service, _ingress()) == [("ingress", _WEB, ALLOWED)]
    chosen = {"namespaceSelector": {"matchLabels": {"name": "ingress"}}}
    waiting = _policy({"ingress": [{"from": [chosen]}]})
    assert _entries(service, _ingress(), waiting) == [("ingress", _WEB, UNKNOWN)]
    blocked = _policy({"ingress": [{"from": [{"ipBlock": {"cidr": "8.8.8.8/32"}}]}]})
    assert _entries(service, _ingress(), blocked) == [("ingress", _WEB, DENIED)]


def test_the_pods_of_a_controller_that_is_here_are_asked() -> None:
    controller = o.pod(
        "ingress",
        "nginx",
        {"app.kubernetes.io/name": "ingress-nginx", "app.kubernetes.io/component": "controller"},
        ["10.1.0.9"],
        [],
    )
    objects = [controller, o.namespace("ingress", {"name": "ingress"}), _service("ClusterIP")]
    chosen = {"namespaceSelector": {"matchLabels": {"name": "ingress"}}}
    rule = {"ingress": [{"from": [chosen]}]}
    assert _entries(*objects, _ingress(), _policy(rule)) == [("ingress", _WEB, ALLOWED)]
    other: dict[str, Any] = {"ingress": [{"from": [{"podSelector": {}}]}]}
    assert _entries(*objects, _ingress(), _policy(other)) == [("ingress", _WEB, DENIED)]


def test_a_budget_bounds_the_selectors_that_are_asked() -> None:
    rule = {"from": [{"podSelector": {"matchLabels": {"app": f"new-{n}"}}} for n in range(300)]}
    found = _shop(_policy({"ingress": [rule]}))
    assert not exposure(found).more
    assert len(_of(found, "in")) == 300
    few = exposure(found, budget=3_000)
    assert few.more
    assert sum(row.workload == "shop/web" for row in few.rows) < 20


def test_a_row_is_a_plain_value() -> None:
    rows = exposure(_shop()).rows
    assert all(msgspec.structs.asdict(row)["workload"].startswith("shop/") for row in rows)


def test_every_namespace_has_a_label_with_its_name() -> None:
    named = {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "Exists"}]}
    deny = _admin("deny", 1, ingress=[{"action": "Deny", "from": [{"namespaces": named}]}])
    assert _rows(_shop(deny)) == {}
    allow = _policy({"ingress": [{"from": [{"namespaceSelector": named}]}]})
    assert _rows(_shop(allow)) == {str(ANYONE): "all"}


def test_pods_that_a_plugin_leaves_alone_are_unprotected() -> None:
    closed = _policy({"ingress": []})
    found = _shop(closed)
    assert found.cluster is not None
    assert ("shop/web", "in") not in exposure(found).unprotected
    alone = exposure(reach(found.cluster, profile("aws-vpc")))
    assert ("shop/web", "in") in alone.unprotected
    assert str(ANYONE) in {str(row.witness) for row in alone.rows if row.workload == "shop/web"}
