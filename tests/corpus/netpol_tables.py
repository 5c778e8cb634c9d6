"""Replays tables of network policies: single matchers, packets, the order of tiers, and the truth
tables of Kubernetes' own e2e tests with their steps.

A matcher is asked through a cluster of one policy and one pair: what it matches passes, or is
denied, and nothing else can be the reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from tests.support.network.analyser import Asked, corpus_pod, difference
from tests.support.network.naive import Naive, naive
from tests.support.network.objects import Object, cluster, namespace, node, pod, policy

from martello.practices.network.dialects.read import read
from martello.practices.network.engine.reach import Reach, reach
from martello.practices.network.model import Profile

Case = tuple[str, bool, str]
Row = dict[str, Any]
Question = tuple[list[Object], str, str, bool]  # objects, source, destination, match means allowed
V1: Final = "networking.k8s.io/v1"
OLDER: Final = "policy.networking.k8s.io/v1alpha1"
NEWER: Final = "policy.networking.k8s.io/v1alpha2"
ANYONE: Final[Object] = {"namespaces": {}}
HERE: Final = ("10.200.0.2", "fd00:200::2")
THERE: Final = ("10.200.0.1", "fd00:200::1")
CLIENT: Final = pod("client-space", "client", {"client": "client"}, THERE, [])


def replay(path: Path) -> Iterator[Case]:
    """Every line of the four files, by the oracle and by the analyser."""
    for row in _rows(path, "matchers"):
        yield from _matcher(row)
    for row in _rows(path, "packets"):
        yield from _packets(row, row["policies"])
    for row in _rows(path, "pipeline"):
        tiers = [*_tier("Admin", row["admin_verdict"]), *_tier("Baseline", row["baseline_verdict"])]
        yield from _packets(row, [*row["policies"], *tiers])
    yield from _truth_tables(_rows(path, "truthtables"))


def _rows(path: Path, name: str) -> Iterator[Row]:
    for line in (path / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _matcher(row: Row) -> Iterator[Case]:
    objects, source, destination, allows = MATCHERS[row["kind"]](row)
    protocol, port = row.get("protocol") or "TCP", row.get("port") or 80
    want = row["match"] is allows
    read_here = cluster(objects)
    refused = bool(read(read_here, _profile(row)).faults)
    ways: dict[str, Asked | Naive] = {
        "oracle": naive(objects),
        "analyser": Asked(reach(read_here, _profile(row))),
    }
    for way, asked in ways.items():
        found = asked.allowed(source, destination, protocol, port)
        right = found is want
        if "invalid_by_api" in row and way == "analyser":  # it says so, and guesses nothing else
            right = refused and found in (want, None)
        yield f"{row['kind']} {row['name']} {way}", right, f"said {found}"


def _profile(row: Row) -> Profile:
    names = tuple((name, tuple(ips)) for name, ips in (row.get("resolved") or {}).items())
    return Profile("tables", blocks_match_pods=True, names=names)


def _objects(row: Row, policies: list[Object]) -> list[Object]:
    spaces = [namespace(one["name"], one["labels"] or {}) for one in row["namespaces"]]
    nodes = [node(one["name"], [one["ip"]], one["labels"] or {}) for one in row.get("nodes") or ()]
    kept = {
        (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]): one
        for one in map(_named, policies)
    }  # the API keeps one object of a name: the last
    return [*nodes, *spaces, *map(corpus_pod, row["pods"]), *kept.values()]


def _named(one: Object) -> Object:
    """The baseline of v1alpha1 as the API knows it: the tables were made without a server, which
    takes it under the name `default` alone.
    """
    if one["kind"] != "BaselineAdminNetworkPolicy":
        return one
    return {**one, "metadata": {**one["metadata"], "name": "default"}}


def _packets(row: Row, policies: list[Object]) -> Iterator[Case]:
    objects = _objects(row, policies)
    oracle = naive(objects, names=row.get("resolved"))
    asked = Asked(reach(cluster(objects), _profile(row)))
    for probe in row["probes"]:
        source, target, port = probe["from"], probe["to"], probe["port"]
        case = f"{row['name']}: {source} → {target} {probe['protocol']} {port}"
        if port is None:
            found = asked.everything(source, target)
            other = oracle.allowed(source, target, "TCP", 80)
        else:
            found = asked.allowed(source, target, probe["protocol"], port)
            other = oracle.allowed(source, target, probe["protocol"], port)
        yield f"{case} oracle", other is probe["allowed"], f"said {other}"
        yield f"{case} analyser", found is probe["allowed"], f"said {found}"


def _tier(tier: str, verdict: str) -> list[Object]:
    """A tier that says one thing of everything inside the cluster; nothing for Next."""
    if verdict == "Next":
        return []
    rule = {"action": verdict}
    spec = {
        "tier": tier,
        "priority": 10,
        "subject": ANYONE,
        "ingress": [{**rule, "from": [ANYONE]}],
        "egress": [{**rule, "to": [ANYONE]}],
    }
    return [policy(NEWER, "ClusterNetworkPolicy", tier.lower(), spec)]


def _truth_tables(rows: Iterator[Row]) -> Iterator[Case]:
    name, before, held = "", list[Object](), None
    for row in rows:
        objects = _objects(row, row["policies"])
        fresh = reach(cluster(objects), _profile(row))
        held = _stepped(held, before, objects) if row["name"] == name and row["step"] else fresh
        name, before = row["name"], objects
        ways: dict[str, Asked | Naive] = {"oracle": naive(objects), "afresh": Asked(fresh)}
        if held is not fresh:
            ways["increment"] = Asked(held)
        for way, asked in ways.items():
            for table in row["tables"]:
                yield _table(f"{name} {row['step']} {way}", table, row, asked)


def _stepped(held: Reach | None, before: list[Object], objects: list[Object]) -> Reach:
    assert held is not None
    changed, removed = difference(before, objects)
    return held.apply(changed, removed)


def _table(name: str, table: Row, row: Row, asked: Asked | Naive) -> Case:
    pods = [f"{one['ns']}/{one['name']}" for one in row["pods"]]
    protocol, port = table["protocol"], table["port"]
    denied = {(source, target) for source, target in table["denied"]}
    wrong = [
        f"{source} → {target} said {found}"
        for source in pods
        for target in pods
        if source != target
        and (found := asked.allowed(source, target, protocol, port))
        is not ((source, target) not in denied)
    ]
    return f"{name} {protocol} {port}", not wrong, "; ".join(wrong[:5])


def _selector(row: Row) -> Question:
    """The selector chooses whom a policy isolates."""
    spec = {"podSelector": row["selector"], "policyTypes": ["Ingress"]}
    server = pod("here", "server", row["labels"] or {}, HERE, [])
    return [server, CLIENT, _network(spec)], _name(CLIENT), _name(server), False


def _peer(row: Row) -> Question:
    """The peer chooses who comes in."""
    client = corpus_pod(row["pod"])
    spaces = [namespace(one["name"], one["labels"] or {}) for one in row["namespaces"]]
    server = pod(row["policy_namespace"], "the-server", {}, HERE, [])
    spec = {"policyTypes": ["Ingress"], "ingress": [{"from": [row["peer"]]}]}
    one = _network(spec, row["policy_namespace"])
    return [*spaces, server, client, one], _name(client), _name(server), True


def _block(row: Row) -> Question:
    """The block chooses which address comes in."""
    server = pod("here", "server", {}, HERE, [])
    spec = {"policyTypes": ["Ingress"], "ingress": [{"from": [{"ipBlock": row["ipBlock"]}]}]}
    return [server, _network(spec)], row["ip"], _name(server), True


def _network_ports(row: Row) -> Question:
    """The ports are all that comes in."""
    spec = {"policyTypes": ["Ingress"], "ingress": [{"ports": row["ports"]}]}
    server = _server(row)
    return [server, CLIENT, _network(spec)], _name(CLIENT), _name(server), True


def _admin_ports(row: Row) -> Question:
    """The ports are denied, the rest is free."""
    rule = {"action": "Deny", "from": [ANYONE], "ports": row["ports"]}
    spec = {"priority": 10, "subject": ANYONE, "ingress": [rule]}
    server = _server(row)
    one = policy(OLDER, "AdminNetworkPolicy", "one", spec)
    return [server, CLIENT, one], _name(CLIENT), _name(server), False


def _cluster_protocols(row: Row) -> Question:
    """The protocols are denied, the rest is free."""
    rule = {"action": "Deny", "from": [ANYONE], "protocols": row["protocols"]}
    spec = {"tier": "Admin", "priority": 10, "subject": ANYONE, "ingress": [rule]}
    server = _server(row)
    one = policy(NEWER, "ClusterNetworkPolicy", "one", spec)
    return [server, CLIENT, one], _name(CLIENT), _name(server), False


def _subject(row: Row) -> Question:
    """The subject is denied everything that comes from pods."""
    server = corpus_pod(row["pod"])
    spaces = [namespace(one["name"], one["labels"] or {}) for one in row["namespaces"]]
    rule = {"action": "Deny", "from": [ANYONE]}
    spec = {"priority": 10, "subject": row["subject"], "ingress": [rule]}
    one = policy(OLDER, "AdminNetworkPolicy", "one", spec)
    return [*spaces, server, CLIENT, one], _name(CLIENT), _name(server), False


def _server(row: Row) -> Object:
    return pod("here", "server", {}, HERE, row["pod_ports"] or [])


def _network(spec: Object, space: str = "here") -> Object:
    return policy(V1, "NetworkPolicy", "one", {"podSelector": {}, **spec}, space)


def _name(one: Object) -> str:
    return f"{one['metadata']['namespace']}/{one['metadata']['name']}"


MATCHERS: Final[dict[str, Callable[[Row], Question]]] = {
    "selector": _selector,
    "np-peer": _peer,
    "np-ipblock": _block,
    "np-ports": _network_ports,
    "anp-ports": _admin_ports,
    "anp-subject": _subject,
    "cnp-protocols": _cluster_protocols,
}
