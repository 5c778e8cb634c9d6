"""The mistakes that other generators make, one test each."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.support.network.objects import Object, cluster, namespace
from tests.support.network.taught import (
    BEGIN,
    endpoint_slice,
    flow,
    port,
    service,
    shop,
    shopping,
    workload,
)

from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.flow import Flow, Peer
from martello.practices.network.learn.learn import learn
from martello.practices.network.learn.model import (
    API_SERVER,
    CHURNING,
    METADATA,
    SINGLE,
    TENANT,
    UNANSWERED,
    UNDECLARED,
    Lesson,
    Options,
    Snapshot,
)
from martello.practices.network.model import Profile

WEB, WEB2, API, DB = "10.1.1.10", "10.1.2.10", "10.1.1.11", "10.1.2.12"
DNS = [{"protocol": "TCP", "port": 5353}, {"protocol": "UDP", "port": 5353}]


def taught(*flows: Flow, more: list[Object] | None = None, **options: Any) -> Lesson:
    """What the shop's own cluster learns of some flows."""
    return learn(flows, cluster([*shop(), *(more or [])]), Options(**options))


def rules(lesson: Lesson, name: str, space: str = "shop") -> list[Object]:
    """The rules of one learned policy; it must be there."""
    for policy in lesson.policies:
        meta, spec = policy["metadata"], policy["spec"]
        if (meta["namespace"], meta["name"]) == (space, f"learned-{name}"):
            return list(spec["ingress" if name.endswith("ingress") else "egress"])
    raise AssertionError([p["metadata"]["name"] for p in lesson.policies])


def subject(lesson: Lesson, name: str) -> Object:
    """The podSelector of one learned policy."""
    (found,) = (p for p in lesson.policies if p["metadata"]["name"] == f"learned-{name}")
    selector: Object = found["spec"]["podSelector"]
    return selector


def tcp(number: int) -> list[Object]:
    """The ports of a rule with one TCP port."""
    return [{"protocol": "TCP", "port": number}]


def app(name: str) -> Object:
    """A peer by its app label in the own namespace."""
    return {"podSelector": {"matchLabels": {"app": name}}}


def test_selectors_are_the_workloads_own_and_never_its_services() -> None:
    """Rule 2: the Service of web selects `exposed`, the Deployment `app`; versions change."""
    lesson = taught(flow(API, "10.1.2.10", 8080))
    assert subject(lesson, "web-ingress") == {"matchLabels": {"app": "web"}}
    assert "pod-template-hash" not in repr(lesson.policies)
    assert "app.kubernetes.io/version" not in repr(lesson.policies)


def test_a_selector_gets_labels_until_it_selects_no_other_workload() -> None:
    """A canary with the labels of web and one more, and a beta told by an absent label."""
    canary = workload(
        "shop", "canary", ["10.1.1.30"], labels={"app": "web", "track": "canary"}, nodes=("n1",)
    )
    lesson = taught(flow(API, WEB, 8080), more=canary)
    assert subject(lesson, "web-ingress") == {"matchLabels": {"app": "web", "exposed": "true"}}
    plain = workload("shop", "api2", ["10.1.1.31"], labels={"app": "api", "beta": "1"})
    lesson = taught(flow(WEB, API, 9000), more=plain)
    wanted = [{"key": "beta", "operator": "DoesNotExist"}]
    assert subject(lesson, "api-ingress") == {
        "matchLabels": {"app": "api"},
        "matchExpressions": wanted,
    }


def test_workloads_that_labels_do_not_tell_apart_are_named() -> None:
    """Then both get what either needs, and neither is left free."""
    twin = workload("shop", "twin", ["10.1.1.32"], labels={"app": "api"})
    lesson = taught(flow(WEB, API, 9000), more=twin)
    assert any("shop/api from shop/twin" in note for note in lesson.notes)
    (unseen,) = (u for u in lesson.unseen if u.workload == "shop/twin")
    assert unseen.isolated
    why = {(p.source, p.destination): p.why for p in lesson.proof.open_pairs}
    assert "do not tell" in why[("shop/web", "shop/twin")]


def test_a_version_that_alone_tells_two_workloads_apart_is_kept() -> None:
    """Two Deployments, one per version, as service meshes have them."""
    more = [
        *workload("shop", "rev1", ["10.1.1.33"], labels={"app": "rev", "version": "v1"}),
        *workload("shop", "rev2", ["10.1.1.34"], labels={"app": "rev", "version": "v2"}),
    ]
    lesson = taught(flow(WEB, "10.1.1.33", 80), more=more)
    assert subject(lesson, "rev1-ingress") == {"matchLabels": {"app": "rev", "version": "v1"}}


def test_host_network_is_the_node_as_source_and_as_destination() -> None:
    """Its pods are no peers: the addresses of their node are."""
    agent = workload(
        "ops", "agent", ["192.0.2.2"], kind="DaemonSet", nodes=("n2",), hostNetwork=True
    )
    lesson = taught(flow("192.0.2.2", WEB, 8080), flow(API, "192.0.2.2", 9100), more=agent)
    block = {"ipBlock": {"cidr": "192.0.2.2/32"}}
    assert rules(lesson, "web-ingress") == [{"from": [block], "ports": tcp(8080)}]
    assert {"to": [block], "ports": tcp(9100)} in rules(lesson, "api-egress")
    assert not any(p["metadata"]["name"].startswith("learned-agent") for p in lesson.policies)


@pytest.mark.parametrize("both", [True, False])
def test_a_reply_without_a_word_of_it_is_turned(both: bool) -> None:
    """`is_reply` null: the side that declares the port serves, or the lower port does."""
    turned = flow(DB, API, 41000, source_port=5432, reply=None)
    if not both:
        turned = flow("10.1.2.20", API, 41000, source_port=443, reply=None)
    lesson = taught(turned)
    if both:
        assert rules(lesson, "db-ingress") == [{"from": [app("api")], "ports": tcp(5432)}]
    else:
        assert rules(lesson, "prometheus-ingress", "ops")[0]["ports"] == tcp(443)
    assert rules(lesson, "api-ingress") == []


def test_a_reply_that_says_so_is_turned_and_a_riddle_is_unresolved() -> None:
    """Two ephemeral ports that nobody declares: nobody knows who began."""
    lesson = taught(flow(DB, API, 41000, source_port=7777, reply=True))
    assert rules(lesson, "db-ingress")[0]["ports"] == tcp(7777)
    lesson = taught(flow(DB, API, 41000, source_port=42000, reply=None))
    assert lesson.policies == ()
    assert [u.reason for u in lesson.unresolved] == ["which side began cannot be told"]


def test_dns_is_allowed_at_its_real_port_in_both_protocols() -> None:
    """The Service says 53, its pods listen at 5353; TCP was never seen."""
    lesson = taught(flow(WEB, "10.96.0.10", 53, "UDP"))
    (rule,) = rules(lesson, "web-egress")
    assert rule["ports"] == DNS
    assert rule["to"][0]["podSelector"] == {"matchLabels": {"app": "coredns"}}
    assert "53}" not in repr(lesson.policies).replace("5353}", "")


def test_the_pods_of_dns_admit_every_pod_where_their_namespace_is_learned() -> None:
    """One new workload must not be without DNS."""
    lesson = taught(flow(WEB, "10.96.0.10", 53, "UDP"), namespaces=("kube-system",))
    (rule,) = rules(lesson, "coredns-ingress", "kube-system")
    assert rule == {"from": [{"namespaceSelector": {}}], "ports": DNS}


@pytest.mark.parametrize("declared", [True, False])
def test_node_local_dns_is_its_link_local_address(declared: bool) -> None:
    """Found in the flags of the DaemonSet, or in the flows."""
    args = ["-localip", "169.254.20.10,10.96.0.10", "-conf", "/etc/Corefile"]
    cache = workload("kube-system", "node-local-dns", kind="DaemonSet", hostNetwork=True)
    cache[0]["spec"]["template"]["spec"]["containers"][0]["args"] = args
    seen = flow(WEB, "10.96.0.10", 53, "UDP") if declared else flow(WEB, "169.254.20.10", 53, "UDP")
    lesson = taught(seen, more=cache if declared else [])
    block = {"ipBlock": {"cidr": "169.254.20.10/32"}}
    both = [{"protocol": "TCP", "port": 53}, {"protocol": "UDP", "port": 53}]
    assert {"to": [block], "ports": both} in rules(lesson, "web-egress")


@pytest.mark.parametrize("slices", [True, False])
def test_a_service_port_becomes_the_target_port(slices: bool) -> None:
    """By name and number, by EndpointSlice or by the ports that pods declare."""
    more = [endpoint_slice("shop", "api", "p80-tcp", 9000, [API])] if slices else []
    lesson = taught(flow(WEB, "10.96.1.1", 80), flow(API, "10.96.1.2", 80), more=more)
    assert rules(lesson, "api-ingress") == [{"from": [app("web")], "ports": tcp(9000)}]
    assert rules(lesson, "web-ingress") == [{"from": [app("api")], "ports": tcp(8080)}]


@pytest.mark.parametrize("local", [True, False])
def test_a_node_port_leads_to_pods_that_see_the_client_or_the_node(local: bool) -> None:
    """The port of the node is nobody's: the pods' own port is. Pods on other nodes see the node."""
    front = service("shop", "front", "10.96.1.9", [(80, 8080, "TCP")], {"app": "web"})
    front["spec"]["ports"][0]["nodePort"] = 30080
    front["spec"]["externalTrafficPolicy"] = "Local" if local else "Cluster"
    lesson = taught(flow("198.51.100.9", "192.0.2.1", 30080), more=[front])
    (rule,) = rules(lesson, "web-ingress")
    assert rule["ports"] == tcp(8080)
    cidrs = [peer["ipBlock"]["cidr"] for peer in rule["from"]]
    assert sorted(cidrs) == [*([] if local else ["192.0.2.1/32"]), "198.51.100.9/32"]
    assert any("comes from outside" in one.reasons for one in lesson.review)


def test_scrapers_are_no_oddity_where_the_port_is_there_for_them() -> None:
    """Another namespace is odd, a metrics port is not."""
    more = workload("shop", "app", ["10.1.2.50"], ports=[port(9100, "metrics"), port(80)])
    lesson = taught(
        flow("10.1.2.20", "10.1.2.50", 9100, count=9),
        flow("10.1.2.20", "10.1.2.50", 80, count=9),
        more=more,
    )
    assert [r.port for r in lesson.review] == [80]


def test_dns_outside_the_cluster_is_allowed_over_tcp_too() -> None:
    """A resolver by its address: long answers come over TCP."""
    lesson = taught(flow(API, "203.0.113.53", 53, "UDP", count=2))
    both = [{"protocol": "TCP", "port": 53}, {"protocol": "UDP", "port": 53}]
    block = {"ipBlock": {"cidr": "203.0.113.53/32"}}
    assert {"to": [block], "ports": both} in rules(lesson, "api-egress")


def test_a_translated_destination_is_believed() -> None:
    """conntrack knows the backend that was taken."""
    lesson = taught(flow(WEB, "10.96.1.1", 80, translated=(DB, 5432)))
    assert rules(lesson, "db-ingress") == [{"from": [app("web")], "ports": tcp(5432)}]
    with pytest.raises(AssertionError):
        rules(lesson, "api-ingress")


def test_what_no_flow_speaks_of_is_listed_and_left_free() -> None:
    """CronJobs, workloads without replicas, and new ones."""
    lesson = taught(*shopping())
    assert {(u.workload, u.reason, u.isolated) for u in lesson.unseen} == {
        ("shop/asleep", "it has no replicas", False),
        ("shop/cache", "no flow speaks of it", False),
        ("shop/report", "a CronJob that no flow speaks of", False),
    }
    free = [p for p in lesson.policies if p["metadata"]["name"] == "learned-report-unseen"]
    assert free[0]["spec"]["egress"] == [{}]
    told = taught(*shopping(), isolate_unseen=True)
    assert all(u.isolated for u in told.unseen)
    assert rules(told, "report-ingress") == []
    assert [r["ports"] for r in rules(told, "report-egress")] == [DNS]


def test_a_cron_job_is_known_by_its_finished_pods() -> None:
    """Its pods are over, their address may be another's by now."""
    ran = workload(
        "shop",
        "nightly",
        ["10.1.1.40"],
        kind="CronJob",
        phase="Succeeded",
        start=0,
        end=100,
    )
    heir = workload("shop", "heir", ["10.1.1.40"], start=200)
    lesson = taught(flow("10.1.1.40", DB, 5432, at=50), more=ran + heir)
    assert rules(lesson, "db-ingress") == [{"from": [app("nightly")], "ports": tcp(5432)}]
    assert "job-name" not in repr(lesson.policies)
    later = taught(flow("10.1.1.40", DB, 5432, at=250), more=ran + heir)
    assert rules(later, "db-ingress") == [{"from": [app("heir")], "ports": tcp(5432)}]


def test_an_address_belongs_to_who_had_it_then() -> None:
    """Before the pod started nobody knows whose it was; an earlier state may."""
    heir = workload("shop", "heir", ["10.1.1.40"], start=200)
    lesson = taught(flow("10.1.1.40", DB, 5432, at=50), more=heir)
    assert lesson.policies == ()
    assert lesson.proof.unresolved == 1
    assert "had this address then" in lesson.unresolved[0].reason
    before = cluster([*shop(), *workload("shop", "elder", ["10.1.1.40"])])
    known = taught(
        flow("10.1.1.40", DB, 5432, at=50),
        more=[*heir, *workload("shop", "elder")],
        history=(Snapshot(BEGIN + 10, before),),
    )
    assert rules(known, "db-ingress") == [{"from": [app("elder")], "ports": tcp(5432)}]


def test_a_service_is_what_it_was_then() -> None:
    """Its cluster address belonged to another Service in an earlier state."""
    old = [o for o in shop() if o["metadata"]["name"] != "api" or o["kind"] != "Service"]
    old.append(service("shop", "older", "10.96.1.1", [(80, 5432, "TCP")], {"app": "db"}))
    history = (Snapshot(BEGIN + 1, cluster(old)), Snapshot(BEGIN + 100, cluster(shop())))
    lesson = taught(flow(WEB, "10.96.1.1", 80, at=50), history=history)
    assert rules(lesson, "db-ingress") == [{"from": [app("web")], "ports": tcp(5432)}]
    later = taught(flow(WEB, "10.96.1.1", 80, at=150), history=history)
    assert rules(later, "api-ingress") == [{"from": [app("web")], "ports": tcp(9000)}]


def test_an_attack_in_the_evidence_is_shown_before_it_is_law() -> None:
    """Metadata, API server, a single flow, another tenant, a port that nobody declares."""
    tenants = [namespace("shop", {"tenant": "a"}), namespace("evil", {"tenant": "b"})]
    more = [*tenants, *workload("evil", "bot", ["10.1.2.66"], nodes=("n2",))]
    lesson = taught(
        *shopping(),
        flow(WEB, "169.254.169.254", 80),
        flow(WEB, "10.96.0.1", 443, count=5),
        flow("10.1.2.66", DB, 5432, count=5),
        flow(WEB, API, 31337, verdict="unknown"),
        more=more,
    )
    shown = {(r.source, r.destination, r.port): set(r.reasons) for r in lesson.review}
    assert METADATA in shown[("shop/web", "169.254.169.254", 80)]
    assert API_SERVER in shown[("shop/web", "node/n1", 6443)]
    assert TENANT in shown[("evil/bot", "shop/db", 5432)]
    assert shown[("shop/web", "shop/api", 31337)] == {SINGLE, UNDECLARED, UNANSWERED}
    assert lesson.review[0].destination == "169.254.169.254"
    assert not any(r.withheld for r in lesson.review)
    held = taught(flow(WEB, "169.254.169.254", 80), flow(WEB, API, 9000), withhold=(METADATA,))
    assert "169.254" not in repr(held.policies)
    assert [r.withheld for r in held.review if METADATA in r.reasons] == [True]
    assert held.proof.withheld == 1


def test_icmp_is_counted_apart_and_dropped_flows_are_demand() -> None:
    """Neither becomes a rule."""
    lesson = taught(
        *shopping(),
        flow(WEB, DB, 0, "ICMP", count=7),
        flow(WEB, DB, 5432, verdict="dropped", count=4),
    )
    assert (lesson.proof.icmp, lesson.proof.dropped) == (7, 4)
    assert app("web") not in [p for r in rules(lesson, "db-ingress") for p in r["from"]]
    (asked,) = lesson.demand
    assert (asked.source, asked.destination, asked.count) == ("shop/web", "shop/db", 4)


def test_outside_addresses_are_covered_by_few_blocks_and_never_by_everything() -> None:
    """32 neighbours become one block; 40 strangers stay; nothing inside is taken in."""
    near = [flow(API, f"203.0.113.{n}", 443) for n in range(0, 64, 2)]
    joined = taught(*near)
    (rule, dns) = rules(joined, "api-egress")
    assert any("32 of 64 addresses" in note or "of 4 addresses" in note for note in joined.notes)
    assert rule["to"][0]["ipBlock"]["cidr"].startswith("203.0.113.0/")
    assert len(rule["to"]) <= 16
    assert dns["ports"] == DNS
    far = taught(*(flow(API, f"{n}.7.7.7", 443) for n in range(20, 60)))
    (rule, _) = rules(far, "api-egress")
    assert len(rule["to"]) == 40
    assert all(peer["ipBlock"]["cidr"].endswith("/32") for peer in rule["to"])
    assert any("may change" in r for one in far.review for r in one.reasons)
    assert "0.0.0.0/0" not in repr(far.policies)
    assert [(r.source, r.destination, r.count) for r in far.review] == [
        ("shop/api", "40 outside addresses", 40)
    ]
    named = taught(flow(API, "203.0.113.9", 443, count=3, names=("pay.example.com",)))
    assert [r.reasons for r in named.review] == [(CHURNING,)]


def test_the_internet_comes_in_only_where_it_is_asked_for() -> None:
    """And then not as the pods of the cluster."""
    seen = [flow("198.51.100.9", WEB, 8080)]
    (rule,) = rules(taught(*seen), "web-ingress")
    assert rule["from"] == [{"ipBlock": {"cidr": "198.51.100.9/32"}}]
    (rule,) = rules(taught(*seen, internet=("shop/web",)), "web-ingress")
    assert [p["ipBlock"]["cidr"] for p in rule["from"]] == ["0.0.0.0/0", "::/0"]
    assert "10.1.1.0/24" in rule["from"][0]["ipBlock"]["except"]


def test_unknown_pod_addresses_are_listed_and_never_learned() -> None:
    """They lie in a node's range, and no pod is known by them."""
    lesson = taught(flow(WEB, "10.1.2.99", 80, count=3, witness="flows:7"), *shopping())
    assert "10.1.2.99" not in repr(lesson.policies)
    (one,) = lesson.unresolved
    assert (one.destination, one.count, one.witness) == ("10.1.2.99", 3, "flows:7")
    gone = msgspec.structs.replace(
        flow("", API, 9000), source=Peer("pod", namespace="shop", pod="lost-1")
    )
    assert taught(gone).proof.unresolved == 1


def test_names_help_where_addresses_do_not() -> None:
    """Masked addresses, or a pod that is gone and its workload is not."""
    named = msgspec.structs.replace(
        flow("", API, 9000), source=Peer("pod", namespace="shop", workload="cache")
    )
    assert rules(taught(named), "api-ingress")[0]["from"] == [app("cache")]
    lying = msgspec.structs.replace(
        flow("", API, 9000), source=Peer("pod", namespace="shop", pod="web-5d8-0", ip=DB)
    )
    assert rules(taught(lying), "api-ingress")[0]["from"] == [app("db")]


def test_ipv6_is_learned_like_ipv4() -> None:
    """Pods of both families, an outside address of one."""
    more = workload("shop", "six", [["10.1.1.60", "fd00:1::60"]])
    more += workload("shop", "seven", [["10.1.1.61", "fd00:1::61"]], ports=[port(80)])
    lesson = taught(
        flow("fd00:1::60", "fd00:1::61", 80),
        flow("fd00:1::60", "2001:db8::9", 443),
        flow("fe80::1", "ff02::1", 5353, "UDP"),
        more=more,
    )
    assert rules(lesson, "seven-ingress") == [{"from": [app("six")], "ports": tcp(80)}]
    block = {"ipBlock": {"cidr": "2001:db8::9/128"}}
    assert {"to": [block], "ports": tcp(443)} in rules(lesson, "six-egress")


def test_own_node_probes_go_and_those_of_other_nodes_stay() -> None:
    """A pod with a probe runs on n1; n1 also speaks from its bridge. What its own node reaches at
    another port is no probe.
    """
    more = workload("shop", "sick", ["10.1.1.80"], ports=[port(81, "health"), port(82)])
    for one in more:
        if one["kind"] == "Pod":
            probe = {"httpGet": {"path": "/", "port": "health"}}
            one["spec"]["containers"][0]["livenessProbe"] = probe
    probes = [flow(ip, "10.1.1.80", 81, count=50) for ip in ("192.0.2.1", "10.1.1.1")]
    lesson = taught(*probes, flow("10.1.2.0", "10.1.1.80", 81), more=more)
    assert lesson.proof.own_node == 100
    (rule,) = rules(lesson, "sick-ingress")
    cidrs = {peer["ipBlock"]["cidr"] for peer in rule["from"]}
    assert cidrs == {"10.1.2.0/32", "192.0.2.2/32"}
    lesson = taught(flow("192.0.2.1", "10.1.1.80", 82), more=more)
    assert lesson.proof.own_node == 0
    (rule,) = rules(lesson, "sick-ingress")
    assert rule["from"] == [{"ipBlock": {"cidr": "192.0.2.1/32"}}]


def test_webhooks_are_open_to_the_control_plane_though_never_seen() -> None:
    """Their calls are rare, and their loss stops a cluster."""
    hook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "guard"},
        "webhooks": [
            {"clientConfig": {"service": {"namespace": "shop", "name": "api", "port": 80}}}
        ],
    }
    lesson = taught(flow(API, DB, 5432), more=[hook])
    block = {"ipBlock": {"cidr": "192.0.2.1/32"}}
    assert rules(lesson, "api-ingress") == [{"from": [block], "ports": tcp(9000)}]


def test_what_is_declared_and_not_seen_is_listed_and_learned_only_when_told() -> None:
    """A URL in env, a host by name, the target port of the Service."""
    lesson = taught(*shopping())
    assert [(d.workload, d.destination, d.port, d.included) for d in lesson.declared_not_seen] == [
        ("shop/report", "shop/db", 5432, False),
        ("shop/web", "shop/cache", 6379, False),
    ]
    assert app("cache") not in [p for r in rules(lesson, "web-egress") for p in r["to"]]
    assert "u:p@" not in repr(lesson)
    told = taught(*shopping(), include_declared=True)
    assert app("cache") in [p for r in rules(told, "web-egress") for p in r["to"]]
    assert app("report") in [p for r in rules(told, "db-ingress") for p in r["from"]]


def test_several_workloads_become_one_label_only_where_nobody_else_has_it() -> None:
    """Three backends share a tier; then a fourth pod has it too."""
    made: list[Object] = []
    for number in range(3):
        labels = {"app": f"b{number}", "tier": "back"}
        own = {"app": f"b{number}"}
        made += workload("shop", f"b{number}", [f"10.1.1.7{number}"], labels=labels, match=own)
    seen = [flow(f"10.1.1.7{number}", DB, 5432) for number in range(3)]
    (rule,) = rules(taught(*seen, more=made), "db-ingress")
    assert rule["from"] == [{"podSelector": {"matchLabels": {"tier": "back"}}}]
    made += workload("shop", "alien", ["10.1.1.79"], labels={"app": "alien", "tier": "back"})
    (rule,) = rules(taught(*seen, more=made), "db-ingress")
    assert rule["from"] == [app("b0"), app("b1"), app("b2")]
    (rule,) = rules(taught(*seen, more=made, by_namespace=True), "db-ingress")
    assert rule["from"] == [{"podSelector": {}}]


def test_policies_of_equal_evidence_are_equal_whatever_the_order() -> None:
    """Stable names and order keep diffs small."""
    flows = shopping()
    assert taught(*flows).policies == taught(*reversed(flows)).policies


def test_too_many_edges_end_with_advice() -> None:
    """Memory is bounded by distinct edges."""
    flows = [flow(f"198.51.100.{n}", WEB, 8080) for n in range(20)]
    with pytest.raises(BadInput, match="more than 10 distinct edges"):
        taught(*flows, most_edges=10)
    assert taught(*flows * 3, most_edges=20).proof.edges == 20


@pytest.mark.parametrize("matching", [True, False, None])
def test_the_proof_holds_whatever_blocks_mean_for_pods(matching: bool | None) -> None:
    """No ipBlock is relied on for pods."""
    profile = Profile(blocks_match_pods=matching)
    proof = taught(*shopping(), profile=profile).proof
    assert (proof.denied, proof.undecided, proof.replayed) == (0, 0, 624)
    assert proof.pairs_after < proof.pairs_before


def test_flows_elsewhere_are_counted_apart() -> None:
    """What no learned policy bears on is not claimed to be proved."""
    proof = taught(*shopping(), namespaces=("ops",)).proof
    assert (proof.flows, proof.replayed, proof.elsewhere, proof.edges) == (624, 9, 615, 1)


def test_an_empty_evidence_writes_nothing() -> None:
    """No flow, no policy: everything is listed."""
    lesson = learn((), cluster(shop()))
    assert lesson.policies == ()
    assert len(lesson.unseen) == 7
    assert learn((), Cluster(())).policies == ()
