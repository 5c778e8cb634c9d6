"""Random clusters as raw objects: every kind of policy, selector, port and peer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from tests.support.network.objects import Object, namespace, node, pod, policy

NODES: Final = {
    "node-1": ("192.0.2.1", "2001:db8:2::1"),
    "node-2": ("192.0.2.2", "2001:db8:2::2"),
}
OUTSIDE: Final = ("203.0.113.5", "198.51.100.7", "2001:db8:113::5", "2001:db8:198::7")
PORTS: Final = (80, 81, 443, 8080, 8081, 9090)
NAMES: Final = {"tcp-web": ("TCP", 80), "tcp-alt": ("TCP", 8080), "dns": ("UDP", 81)}
PODS: Final = {4: "10.77.0.0/16", 6: "fd77::/48"}
LABELS: Final = {"app": ("a", "b", "c"), "tier": ("x", "y"), "canary": ("", "1")}
SPACES: Final = {"team": ("red", "blue"), "env": ("dev", "prod")}
_VERSION: Final = "policy.networking.k8s.io"


@dataclass(frozen=True)
class Shape:
    """What a random cluster may hold. What only doubt can answer is off in DECIDED."""

    namespaces: tuple[int, int] = (2, 4)
    pods: tuple[int, int] = (3, 4)
    policies: tuple[int, int] = (1, 7)  # NetworkPolicies
    cluster_policies: tuple[int, int] = (0, 4)  # ClusterNetworkPolicies
    admin_policies: tuple[int, int] = (0, 3)  # AdminNetworkPolicies, and the one baseline
    mixed: bool = True  # both versions of the cluster-wide API side by side
    equal_priorities: bool = True
    blocks: bool = True  # ipBlock and networks
    node_peers: bool = True
    domains: bool = True
    host_network: bool = True
    ended: bool = True  # pods that have run to their end
    missing_namespaces: bool = True
    unknown_addresses: bool = True
    single_family: bool = True  # pods with one address
    sctp: bool = True
    services: bool = False


ANY: Final = Shape()
DECIDED: Final = replace(
    ANY,
    mixed=False,
    equal_priorities=False,
    domains=False,
    missing_namespaces=False,
    unknown_addresses=False,
)
PACKETS: Final = replace(
    DECIDED,
    namespaces=(3, 3),
    pods=(3, 3),
    host_network=False,
    ended=False,
    single_family=False,
    services=True,
)


def random_cluster(seed: int, shape: Shape = ANY) -> list[Object]:
    """The objects of a cluster; a seed gives the same one always."""
    return Making(Random(seed), shape).cluster()


def pod_addresses(namespace: int, pod: int) -> tuple[str, str]:
    """The addresses of the n-th pod of the n-th namespace `n0/p0`, the same in every cluster."""
    return f"10.77.{namespace}.{10 + pod}", f"fd77::{namespace + 1}:{10 + pod:x}"


class Making:
    """One cluster in the making."""

    def __init__(self, random: Random, shape: Shape) -> None:
        self.random = random
        self.shape = shape
        self.spaces = [f"n{n}" for n in range(random.randint(*shape.namespaces))]

    def cluster(self) -> list[Object]:
        """All of it."""
        pods = [
            self.pod(n, p)
            for n in range(len(self.spaces))
            for p in range(self.random.randint(*self.shape.pods))
        ]
        spaces = [
            namespace(name, self.labels(SPACES))
            for name in self.spaces
            if not (self.shape.missing_namespaces and self.maybe(0.15))
        ]
        nodes = [node(name, ips, {"zone": name[-1]}) for name, ips in NODES.items()]
        return [*nodes, *spaces, *pods, *self.policies(), *self.services()]

    def policies(self) -> list[Object]:
        """The policies of all dialects."""
        both = self.shape.mixed and self.maybe(0.2)
        newer = self.maybe(0.6)
        made = [
            self.network_policy(f"np{n}") for n in range(self.random.randint(*self.shape.policies))
        ]
        if newer or both:
            ranks = self.priorities(self.random.randint(*self.shape.cluster_policies))
            made += [self.cluster_policy(f"cnp{n}", rank) for n, rank in enumerate(ranks)]
        if both or not newer:
            ranks = self.priorities(self.random.randint(*self.shape.admin_policies))
            made += [self.admin_policy(f"anp{n}", rank) for n, rank in enumerate(ranks)]
            if ranks and self.maybe(0.6):
                made.append(self.admin_policy("default", None))
        return made

    def services(self) -> list[Object]:
        """Services of some pods: by number and by name, in both families."""
        if not self.shape.services:
            return []
        made = []
        for n in range(self.random.randint(1, 3)):
            target = self.random.choice((80, 8080, 443, "tcp-web"))
            ports = [{"name": "t", "protocol": "TCP", "port": 1000 + n, "targetPort": target}]
            ports.append({"name": "u", "protocol": "UDP", "port": 1000 + n, "targetPort": 81})
            made.append(
                {
                    "apiVersion": "v1",
                    "kind": "Service",
                    "metadata": {"name": f"s{n}", "namespace": self.random.choice(self.spaces)},
                    "spec": {
                        "clusterIP": f"10.96.0.{10 + n}",
                        "clusterIPs": [f"10.96.0.{10 + n}", f"fd96::{10 + n:x}"],
                        "ipFamilyPolicy": "RequireDualStack",
                        "selector": self.labels(LABELS),
                        "ports": ports,
                    },
                }
            )
        return made

    def maybe(self, share: float) -> bool:
        """True that often."""
        return self.random.random() < share

    def some(self, low: int, high: int) -> range:
        """A random number of times."""
        return range(self.random.randint(low, high))

    def labels(self, of: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
        """Some labels of a vocabulary."""
        return {key: self.random.choice(values) for key, values in of.items() if self.maybe(0.7)}

    def pod(self, at: int, number: int) -> Object:
        """One pod: its addresses follow from its place; half of its ports have names."""
        host = self.shape.host_network and self.maybe(0.08)
        where = self.random.choice(tuple(NODES)) if self.shape.host_network else "node-1"
        ips: Sequence[str] = NODES[where] if host else pod_addresses(at, number)
        if self.shape.single_family and not host and self.maybe(0.1):
            ips = (self.random.choice(ips),)
        if self.shape.unknown_addresses and self.maybe(0.08):
            ips = ()
        ports = [
            {"name": name, "containerPort": port, "protocol": protocol}
            for name, (protocol, port) in NAMES.items()
            if self.maybe(0.6)
        ]
        if self.maybe(0.2):  # the same name for another port: names are per pod
            ports = [{"name": "tcp-web", "containerPort": 443, "protocol": "TCP"}]
        made = pod(self.spaces[at], f"p{number}", self.labels(LABELS), ips, ports, where)
        if ports and self.maybe(0.15):  # a sidecar declares the last of them
            made["spec"]["containers"][0]["ports"] = ports[:-1]
            sidecar = {"name": "side", "restartPolicy": "Always", "ports": ports[-1:]}
            made["spec"]["initContainers"] = [sidecar]
        if host:
            made["spec"]["hostNetwork"] = True
        if self.shape.ended and self.maybe(0.05):
            made["status"]["phase"] = self.random.choice(("Succeeded", "Failed"))
        return made

    def selector(self, of: Mapping[str, tuple[str, ...]]) -> Object:
        """A label selector: empty, by labels, or by every operator."""
        if self.maybe(0.2):
            return {}
        made: Object = {}
        if self.maybe(0.6):
            key = self.random.choice(tuple(of))
            made["matchLabels"] = {key: self.random.choice(of[key])}
        if not made or self.maybe(0.3):
            key = self.random.choice(tuple(of))
            operator = self.random.choice(("In", "NotIn", "Exists", "DoesNotExist"))
            one: Object = {"key": key, "operator": operator}
            if operator in ("In", "NotIn"):
                one["values"] = self.random.sample(of[key], self.random.randint(1, 2))
            made["matchExpressions"] = [one]
        return made

    def spaces_selector(self) -> Object:
        """A selector of namespaces, now and then by name."""
        if self.maybe(0.25):
            name = self.random.choice(self.spaces)
            return {"matchLabels": {"kubernetes.io/metadata.name": name}}
        return self.selector(SPACES)

    def block(self) -> tuple[str, list[str]]:
        """A block of addresses, and blocks strictly inside it."""
        if self.maybe(0.5):
            return self.random.choice(
                (
                    ("10.77.0.0/16", ["10.77.1.0/24"]),
                    ("10.77.1.0/24", ["10.77.1.10/32", "10.77.1.12/31"]),
                    (f"10.77.{self.random.randint(0, 2)}.{self.random.randint(10, 12)}/32", []),
                    ("10.77.2.99/22", []),
                    ("0.0.0.0/0", ["10.0.0.0/8"]),
                    ("0.0.0.0/0", ["203.0.113.0/24", "10.77.2.0/25"]),
                    ("203.0.113.0/24", ["203.0.113.5/32"]),
                    ("198.51.100.0/24", []),
                    ("192.0.2.0/30", ["192.0.2.2/32"]),
                    ("128.0.0.0/1", []),
                )
            )
        return self.random.choice(
            (
                ("fd77::/48", ["fd77::1:0/112"]),
                ("fd77::2:0/112", ["fd77::2:a/128", "fd77::2:c/127"]),
                (f"fd77::{self.random.randint(1, 3)}:b/128", []),
                ("::/0", ["fd00::/8"]),
                ("::/0", ["2001:db8:113::/64"]),
                ("2001:db8:113::/64", ["2001:db8:113::5/128"]),
                ("2001:db8::/32", ["2001:db8:2::/48"]),
                ("8000::/1", []),
            )
        )

    def network_peer(self) -> Object:
        """A peer of a NetworkPolicy."""
        if self.shape.blocks and self.maybe(0.3):
            cidr, inner = self.block()
            one: Object = {"cidr": cidr}
            if inner and self.maybe(0.7):
                one["except"] = inner
            return {"ipBlock": one}
        made: Object = {}
        if self.maybe(0.6):
            made["podSelector"] = self.selector(LABELS)
        if not made or self.maybe(0.5):
            made["namespaceSelector"] = self.spaces_selector()
        return made

    def protocol(self) -> str:
        """TCP more often than the others."""
        return self.random.choice(("TCP", "TCP", "UDP", *(["SCTP"] if self.shape.sctp else [])))

    def span(self) -> tuple[int, int]:
        """The ends of a range of ports."""
        first, last = sorted(self.random.sample(PORTS, 2))
        return first, last

    def network_port(self) -> Object:
        """A port of a NetworkPolicy: by number, range, name, or protocol alone."""
        kind = self.random.randint(0, 5)
        if kind == 0:
            name = self.random.choice(tuple(NAMES))
            return {"port": name, "protocol": NAMES[name][0]}
        made: Object = {} if self.maybe(0.2) else {"protocol": self.protocol()}
        if kind == 1:
            made["port"], made["endPort"] = self.span()
        elif kind > 2 or not made:
            made["port"] = self.random.choice(PORTS)
        return made

    def network_policy(self, name: str) -> Object:
        """A NetworkPolicy: isolation by types, by rules, or by default."""
        spec: Object = {"podSelector": self.selector(LABELS)}
        if self.maybe(0.75):
            spec["policyTypes"] = self.random.choice(
                (["Ingress"], ["Egress"], ["Ingress", "Egress"])
            )
        for way, peers in (("ingress", "from"), ("egress", "to")):
            if self.maybe(0.7):
                spec[way] = [self.network_rule(peers) for _ in self.some(0, 3)]
        return policy(
            "networking.k8s.io/v1", "NetworkPolicy", name, spec, self.random.choice(self.spaces)
        )

    def network_rule(self, peers: str) -> Object:
        """One rule; empty is everything."""
        made: Object = {}
        if self.maybe(0.85):
            made[peers] = [self.network_peer() for _ in self.some(1, 3)]
        if self.maybe(0.6):
            made["ports"] = [self.network_port() for _ in self.some(1, 3)]
        return made

    def pods_peer(self) -> Object:
        """Namespaces, or pods of namespaces: a subject or a peer of the cluster-wide policies."""
        if self.maybe(0.5):
            return {"namespaces": self.spaces_selector()}
        pods = {"namespaceSelector": self.spaces_selector(), "podSelector": self.selector(LABELS)}
        return {"pods": pods}

    def cluster_peer(self, way: str, action: str) -> Object:
        """A peer of a cluster-wide policy; egress knows more kinds of them."""
        if way == "egress":
            if self.shape.blocks and self.maybe(0.2):
                return {"networks": [self.block()[0] for _ in self.some(1, 2)]}
            if self.shape.node_peers and self.maybe(0.1):
                return {"nodes": self.selector({"zone": ("1", "2")})}
            if self.shape.domains and action in ("Accept", "Allow") and self.maybe(0.1):
                return {"domainNames": ["example.com"]}
        return self.pods_peer()

    def cluster_rules(self, way: str, actions: Sequence[str], ports: Any) -> list[Object]:
        """Rules in order."""
        made = []
        for _ in self.some(0, 3):
            action = self.random.choice(actions)
            peers = [self.cluster_peer(way, action) for _ in self.some(1, 2)]
            rule: Object = {"action": action, "to" if way == "egress" else "from": peers}
            if self.maybe(0.5):
                key, one = ports
                inside = all({"namespaces", "pods"} & set(peer) for peer in peers)
                rule[key] = [one(inside) for _ in self.some(1, 2)]
            made.append(rule)
        return made

    def cluster_policy(self, name: str, priority: int) -> Object:
        """A ClusterNetworkPolicy v1alpha2."""
        spec: Object = {
            "tier": self.random.choice(("Admin", "Admin", "Baseline")),
            "priority": priority,
            "subject": self.pods_peer(),
        }
        ports = ("protocols", self.cluster_port)
        for way in ("ingress", "egress"):
            spec[way] = self.cluster_rules(way, ("Accept", "Deny", "Pass"), ports)
        return policy(f"{_VERSION}/v1alpha2", "ClusterNetworkPolicy", name, spec)

    def cluster_port(self, names: bool) -> Object:
        """A port of v1alpha2; names are refused beside peers that are no pods."""
        if names and self.maybe(0.3):
            return {"destinationNamedPort": self.random.choice(tuple(NAMES))}
        wanted: Object = {"number": self.random.choice(PORTS)}
        if self.maybe(0.3):
            first, last = self.span()
            wanted = {"range": {"start": first, "end": last}}
        return {self.protocol().lower(): {"destinationPort": wanted}}

    def admin_policy(self, name: str, priority: int | None) -> Object:
        """An AdminNetworkPolicy v1alpha1; without a priority the BaselineAdminNetworkPolicy."""
        spec: Object = {"subject": self.pods_peer()}
        actions: tuple[str, ...] = ("Allow", "Deny")
        kind = "BaselineAdminNetworkPolicy"
        if priority is not None:
            spec["priority"], actions, kind = priority, (*actions, "Pass"), "AdminNetworkPolicy"
        for way in ("ingress", "egress"):
            spec[way] = self.cluster_rules(way, actions, ("ports", self.admin_port))
        return policy(f"{_VERSION}/v1alpha1", kind, name, spec)

    def admin_port(self, names: bool) -> Object:
        """A port of v1alpha1, likewise."""
        if names and self.maybe(0.3):
            return {"namedPort": self.random.choice(tuple(NAMES))}
        if self.maybe(0.3):
            first, last = self.span()
            return {"portRange": {"protocol": self.protocol(), "start": first, "end": last}}
        return {"portNumber": {"protocol": self.protocol(), "port": self.random.choice(PORTS)}}

    def priorities(self, count: int) -> list[int]:
        """Ranks, all different where equal ones are not wanted."""
        if self.shape.equal_priorities:
            return [self.random.randint(0, 3) for _ in range(count)]
        return self.random.sample(range(100), count)
