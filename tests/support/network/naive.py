"""Who may talk to whom, the plain way: one pair and one port at a time, read from raw objects.

An oracle for tests. It knows nothing of the engine: the semantics are those of the Kubernetes
documentation of NetworkPolicy, of ClusterNetworkPolicy v1alpha2 and of AdminNetworkPolicy and
BaselineAdminNetworkPolicy v1alpha1. Every question has three answers: True, False, and None for
what the objects do not tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_address
from itertools import groupby
from typing import Final

from tests.support.network.raw import (
    Answer,
    End,
    Raw,
    directions,
    ended,
    every,
    inside,
    labels_of,
    namespace_of,
    node_ips,
    pod_of,
    same,
    selects,
    some,
)

NAME: Final = "kubernetes.io/metadata.name"
PORTED: Final = ("TCP", "UDP", "SCTP")
NEXT: Final = "Next"  # no rule of a tier has an opinion
ACTIONS: Final = {"Allow": "Accept"}
CLUSTER: Final = "ClusterNetworkPolicy"
TIERS: Final = {"AdminNetworkPolicy": "Admin", "BaselineAdminNetworkPolicy": "Baseline"}


class Naive:
    """The objects of a cluster, asked pair by pair."""

    def __init__(
        self,
        objects: Iterable[Raw],
        blocks_match_pods: Answer = True,
        names: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.blocks_match_pods = blocks_match_pods
        self.names = names or {}
        listed = list(objects)
        self.namespaces = {
            o["metadata"]["name"]: {NAME: o["metadata"]["name"], **labels_of(o)}
            for o in listed
            if o["kind"] == "Namespace"
        }
        self.nodes = {o["metadata"]["name"]: o for o in listed if o["kind"] == "Node"}
        pods = [pod_of(o, self.nodes) for o in listed if o["kind"] == "Pod" and not ended(o)]
        self.pods = {pod.key: pod for pod in pods}
        self.policies = [o for o in listed if o["kind"] == "NetworkPolicy"]
        wide = sorted((o for o in listed if o["kind"] in (CLUSTER, *TIERS)), key=rank)
        self.tiers = {
            tier: [[o for o in wide if tier_of(o) == (tier, api)] for api in (True, False)]
            for tier in ("Admin", "Baseline")
        }
        self._ends: dict[str, End] = {}

    def allowed(
        self, source: str, destination: str, protocol: str, port: int, family: int = 0
    ) -> Answer:
        """Whether a connection passes; ends are `namespace/pod` or an address. Family 0: the
        families that both ends have must agree.
        """
        from_, to = self.end(source), self.end(destination)
        shared = sorted(set(from_.ips or (4, 6)) & set(to.ips or (4, 6)))
        answers = {
            self._pair(from_, to, protocol, port, one) for one in ([family] if family else shared)
        }
        return answers.pop() if len(answers) == 1 else None

    def end(self, text: str) -> End:
        """What a name or an address stands for."""
        if text not in self._ends:
            self._ends[text] = self.pods.get(text) or self._at(text)
        return self._ends[text]

    def _at(self, text: str) -> End:
        version = ip_address(text).version
        for pod in self.pods.values():
            if pod.kind == "pod" and same(pod.ips.get(version), text):
                return pod
        for name, node in self.nodes.items():
            if any(same(ip, text) for ip in node_ips(node)):
                return End(f"node/{name}", "node", {version: text}, name)
        return End(text, "address", {version: text})

    def _pair(self, source: End, to: End, protocol: str, port: int, family: int) -> Answer:
        if source.key == to.key:
            return True
        out = self._side(source, to, to, "egress", protocol, port, family)
        return every((out, self._side(to, source, to, "ingress", protocol, port, family)))

    def _side(
        self, pod: End, other: End, to: End, way: str, protocol: str, port: int, family: int
    ) -> Answer:
        """What the policies of one end say: Admin, then NetworkPolicy, then Baseline."""
        if pod.kind != "pod":
            return True

        def hits(rule: Raw, namespace: str | None) -> Answer:
            peers = rule.get("from" if way == "ingress" else "to")
            if namespace is not None:
                who = (
                    every(())
                    if not peers
                    else some(self._network_peer(p, namespace, other, family) for p in peers)
                )
                return every((who, self._network_ports(rule.get("ports"), to, protocol, port)))
            who = some(self._cluster_peer(p, other, family) for p in peers or ())
            return every((who, cluster_ports(rule, to, protocol, port)))

        ends: set[Answer] = set()
        for admin in self._tier("Admin", pod, way, hits):
            if admin in ("Accept", "Deny"):
                ends.add(admin == "Accept")
                continue
            verdict = self._network(pod, other, way, hits)
            if verdict != NEXT:
                ends.add(verdict if isinstance(verdict, bool) else None)
                continue
            ends.update(one != "Deny" for one in self._tier("Baseline", pod, way, hits))
        return ends.pop() if len(ends) == 1 else None

    def _network(
        self, pod: End, other: End, way: str, hits: Callable[[Raw, str | None], Answer]
    ) -> Answer | str:
        """The union of the rules of the policies that isolate the pod; Next where none does."""
        mine = [
            p
            for p in self.policies
            if namespace_of(p) == pod.namespace
            and selects(p["spec"].get("podSelector"), pod.labels)
            and way in directions(p["spec"])
        ]
        if not mine:
            return NEXT
        if other.kind in ("node", "host") and other.node and other.node == pod.node:
            return True  # a pod and its own node always reach each other
        return some(hits(r, namespace_of(p)) for p in mine for r in p["spec"].get(way) or ())

    def _tier(
        self, tier: str, pod: End, way: str, hits: Callable[[Raw, str | None], Answer]
    ) -> set[str]:
        """The possible outcomes of a tier. What has no order among itself (equal priority, the
        two API versions) may each be the one that decides.
        """
        families = []
        for mine in self.tiers[tier]:
            outcome = {NEXT}
            for _, equals in groupby(mine, key=rank):
                outcome.discard(NEXT)
                outcome |= either([self._opinions(p, pod, way, hits) for p in equals])
                if NEXT not in outcome:
                    break
            families.append(outcome)
        return either(families)

    def _opinions(
        self, policy: Raw, pod: End, way: str, hits: Callable[[Raw, str | None], Answer]
    ) -> set[str]:
        """What one policy may decide: its first rule that surely matches ends the list."""
        spec = policy["spec"]
        subject = self._pods_peer(spec["subject"], pod)
        found: set[str] = set() if subject else {NEXT}
        for rule in (spec.get(way) or ()) if subject is not False else ():
            action = ACTIONS.get(rule["action"], rule["action"])
            hit = hits(rule, None)
            if not understood(rule, way):  # fail closed
                action, hit = "Deny", action != "Accept"
            if hit is not False:
                found.add(action)
            if hit:
                return found
        return found | {NEXT}

    def _pods_peer(self, peer: Raw, end: End) -> Answer:
        if end.kind != "pod":
            return False
        if "namespaces" in peer:
            return self._namespace(peer["namespaces"], end.namespace)
        both = peer.get("pods") or {}
        return every(
            (
                self._namespace(both.get("namespaceSelector"), end.namespace),
                selects(both.get("podSelector"), end.labels),
            )
        )

    def _namespace(self, selector: Raw | None, name: str) -> Answer:
        known = name in self.namespaces
        return selects(selector, self.namespaces.get(name, {NAME: name}), known)

    def _network_peer(self, peer: Raw, namespace: str, end: End, family: int) -> Answer:
        if peer.get("ipBlock"):
            block = peer["ipBlock"]
            takes = self.blocks_match_pods if end.kind == "pod" else True
            return self._block(block["cidr"], block.get("except") or (), end, family, takes)
        if end.kind != "pod" or not ({"podSelector", "namespaceSelector"} & set(peer)):
            return False
        spaces = peer.get("namespaceSelector")
        where = (
            end.namespace == namespace if spaces is None else self._namespace(spaces, end.namespace)
        )
        return every((where, selects(peer.get("podSelector"), end.labels)))

    def _block(
        self, cidr: str, excepts: Sequence[str], end: End, family: int, takes: Answer
    ) -> Answer:
        if takes is False or (end.ips and family not in end.ips):
            return False
        if not end.ips:
            return None
        return every((takes, inside(end.ips[family], cidr, excepts)))

    def _cluster_peer(self, peer: Raw, end: End, family: int) -> Answer:
        if "namespaces" in peer or "pods" in peer:
            return self._pods_peer(peer, end)
        if "networks" in peer:
            return some(self._block(c, (), end, family, True) for c in peer["networks"])
        if "nodes" in peer:
            if end.kind not in ("node", "host"):
                return False
            node = self.nodes.get(end.node)
            return selects(peer["nodes"], labels_of(node) if node else {}, node is not None)
        if "domainNames" in peer:
            if end.kind != "address":
                return False
            return some(self._domain(name, end, family) for name in peer["domainNames"])
        return False

    def _domain(self, wanted: str, end: End, family: int) -> Answer:
        def holds(name: str) -> bool:
            return any(same(ip, end.ips.get(family, "")) for ip in self.names[name])

        if wanted.startswith("*."):
            return any(holds(n) for n in self.names if n.endswith(wanted[1:])) or None
        return holds(wanted) if wanted in self.names else None

    def _network_ports(
        self, ports: Sequence[Raw] | None, to: End, protocol: str, port: int
    ) -> Answer:
        if not ports:
            return True
        if protocol not in PORTED:
            return None
        answers = []
        for one in ports:
            first = one.get("port")
            if one.get("protocol", "TCP") != protocol:
                answers.append(False)
            elif isinstance(first, str):
                answers.append(named(to, first, port, protocol))
            else:
                answers.append(first is None or first <= port <= one.get("endPort", first))
        return any(answers)


def naive(
    objects: Iterable[Raw],
    blocks_match_pods: Answer = True,
    names: Mapping[str, Sequence[str]] | None = None,
) -> Naive:
    """The oracle of some raw objects; `names` is what DNS names resolve to."""
    return Naive(objects, blocks_match_pods, names)


def cluster_ports(rule: Raw, to: End, protocol: str, port: int) -> Answer:
    """`protocols` of v1alpha2, `ports` of v1alpha1; absent, they hold for everything."""
    wanted = rule.get("protocols", rule.get("ports"))
    if not wanted:
        return True
    if protocol not in PORTED:
        return None
    return any(cluster_port(one, to, protocol, port) for one in wanted)


def cluster_port(one: Raw, to: End, protocol: str, port: int) -> bool:
    """One element of them."""
    name = one.get("destinationNamedPort", one.get("namedPort"))
    if name is not None:
        return named(to, name, port, protocol)
    if (number := one.get("portNumber")) is not None:
        return bool(number.get("protocol", "TCP") == protocol and number["port"] == port)
    if (span := one.get("portRange")) is not None:
        return bool(
            span.get("protocol", "TCP") == protocol and span["start"] <= port <= span["end"]
        )
    mine = one.get(protocol.lower())
    if mine is None:
        return False
    wanted = (mine or {}).get("destinationPort")
    if wanted is None:
        return True
    if "number" in wanted:
        return bool(wanted["number"] == port)
    return bool(wanted["range"]["start"] <= port <= wanted["range"]["end"])


def named(to: End, name: str, port: int, protocol: str) -> bool:
    """A port by its name on the destination pod; outside of pods no port has a name."""
    return to.kind == "pod" and (name, protocol, port) in to.ports


def understood(rule: Raw, way: str) -> bool:
    """Whether every peer and port of a rule is of a known kind; a rule without peers is not."""
    known = {"namespaces", "pods"}
    if way == "egress":
        known |= {"networks", "nodes", "domainNames"}
    peers = rule.get("from" if way == "ingress" else "to") or ()
    forms = {"tcp", "udp", "sctp", "destinationNamedPort", "portNumber", "portRange", "namedPort"}
    ports = rule.get("protocols") or rule.get("ports") or ()
    return bool(peers) and all(known & set(p) for p in peers) and all(forms & set(p) for p in ports)


def either(opinions: Sequence[set[str]]) -> set[str]:
    """The outcomes of deciders without order: any that has an opinion;
    Next where all of them may have none.
    """
    found = {one for outcome in opinions for one in outcome if one != NEXT}
    return found | ({NEXT} if all(NEXT in outcome for outcome in opinions) else set())


def tier_of(policy: Raw) -> tuple[str, bool]:
    """The tier, and whether it is of the newer API."""
    return policy["spec"].get("tier") or TIERS[policy["kind"]], policy["kind"] == CLUSTER


def rank(policy: Raw) -> int:
    """Lower is earlier; the one baseline policy of v1alpha1 has none."""
    return int(policy["spec"].get("priority") or 0)
