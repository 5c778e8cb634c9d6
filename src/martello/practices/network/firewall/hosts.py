"""What a node must let in, by its role: the API server, etcd, the kubelet, the plugin's own ports.

Ports as in Kubernetes' "Ports and Protocols" and the documentation of the network plugins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.flow import Flow
from martello.practices.network.addresses import parse_range, show_address
from martello.practices.network.model import Node, World

ROLES: Final = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
METADATA: Final = ("169.254.169.254", "fd00:ec2::254")
NODE_PORTS: Final = (30000, 32767)
ANYONE: Final = "anyone"
NODES: Final = "nodes"
CONTROL: Final = "control"
PODS: Final = "pods"
ADMIN: Final = "admin"
HEALTH: Final = "health"
SCRAPERS: Final = "scrapers"
_PORTS: Final[Mapping[str, tuple[tuple[str, int, int], ...]]] = {
    "calico": (("TCP", 179, 179), ("UDP", 4789, 4789), ("TCP", 5473, 5473), ("IPIP", 0, 0)),
    "cilium": (("UDP", 8472, 8472), ("TCP", 4240, 4240), ("UDP", 51871, 51871)),
    "flannel": (("UDP", 8472, 8472), ("UDP", 51820, 51821)),
    "antrea": (("UDP", 6081, 6081), ("TCP", 10349, 10351)),
    "ovn": (("UDP", 6081, 6081), ("TCP", 6641, 6644)),
    "kindnet": (),
    "aws-vpc": (),
    "martello": (),
}
_ANY_PLUGIN: Final = (
    ("UDP", 8472, 8472),
    ("UDP", 4789, 4789),
    ("UDP", 6081, 6081),
    ("TCP", 179, 179),
    ("UDP", 51820, 51871),
    ("TCP", 5473, 5473),
    ("TCP", 4240, 4240),
    ("IPIP", 0, 0),
)


class Opening(msgspec.Struct, frozen=True):
    """Something that is let in: ports of a protocol, from groups of sources, and why. Protocols
    without ports have 0. `before` says that the port is looked at before translation (NodePort);
    `sources` are CIDRs beside the groups.
    """

    name: str
    protocol: str
    first: int
    last: int
    groups: tuple[str, ...]
    why: str
    sources: tuple[str, ...] = ()
    before: bool = False


class Site(msgspec.Struct, frozen=True):
    """What the filter of a node is made from. Ranges are CIDRs. `failsafe` are TCP ports that are
    always open to everyone.
    """

    nodes: tuple[Node, ...]
    control: frozenset[str]
    pods: tuple[str, ...] = ()
    api_port: int = 6443
    api_pods: tuple[str, ...] | None = None  # pods seen using the API; None: any pod
    admin: tuple[str, ...] = ()
    health: tuple[str, ...] = ()
    scrapers: tuple[str, ...] = ()
    plugin: str = ""
    failsafe: tuple[int, ...] = (22,)
    published: tuple[Opening, ...] = ()
    extra: tuple[Opening, ...] = ()


def site(cluster: Cluster, world: World, **known: object) -> Site:
    """A site from a cluster's objects: nodes and roles, pod ranges, NodePorts with their sources,
    the port of the API server. `known` replaces fields by what the operator knows better.
    """
    control = {node.name for node in world.nodes if any(role in node.labels for role in ROLES)}
    found = Site(
        world.nodes,
        frozenset(control),
        _pod_ranges(world),
        _api_port(cluster),
        published=tuple(_published(cluster)),
    )
    return msgspec.structs.replace(found, **known)


def openings(site: Site, node: str) -> tuple[Opening, ...]:
    """What a node lets in, in order: fail-safe first. Raises BadInput for an unknown node, a range
    that is none, or a site without fail-safe ports.
    """
    _sound(site, node)
    found = [
        Opening("failsafe", "TCP", port, port, (ANYONE,), "never lock the operator out")
        for port in site.failsafe
    ]
    if node in site.control:
        found += [
            Opening("etcd", "TCP", 2379, 2380, (CONTROL,), "API servers and etcd peers"),
            Opening(
                "api",
                "TCP",
                site.api_port,
                site.api_port,
                (NODES, PODS, ADMIN, HEALTH) if site.api_pods is None else (NODES, ADMIN, HEALTH),
                "nodes, operators, health checks and pods that use the API",
                site.api_pods or (),
            ),
        ]
    found += [
        Opening("kubelet", "TCP", 10250, 10250, (CONTROL, SCRAPERS), "logs, exec and metrics"),
        Opening("proxy-metrics", "TCP", 10249, 10249, (HEALTH,), "metrics of kube-proxy"),
        Opening("proxy-health", "TCP", 10256, 10256, (HEALTH,), "health of kube-proxy"),
    ]
    for protocol, first, last in _PORTS.get(site.plugin, _ANY_PLUGIN):
        why = f"{site.plugin or 'network plugin'} between nodes"
        found.append(Opening("plugin", protocol, first, last, (NODES,), why))
    return (*found, *site.extra, *site.published)


def sources(site: Site, opening: Opening) -> tuple[str, ...] | None:
    """The CIDRs that an opening lets in, sorted; None where that is everyone."""
    if ANYONE in opening.groups:
        return None
    groups: dict[str, Iterable[str]] = {
        NODES: (a for node in site.nodes for a in _addresses(node)),
        CONTROL: (a for n in site.nodes if n.name in site.control for a in _addresses(n)),
        PODS: site.pods,
        ADMIN: site.admin,
        HEALTH: site.health,
        SCRAPERS: site.scrapers,
    }
    found = {one for group in opening.groups for one in groups[group]} | set(opening.sources)
    nets = sorted(
        (ip_network(one, strict=False) for one in found),
        key=lambda net: (net.version, int(net.network_address), net.prefixlen),
    )
    return tuple(map(str, nets))


def keeping(site: Site, session: str) -> Site:
    """A site whose fail-safe ports hold that of the operator's own session too (`SSH_CONNECTION`:
    client, port, server, port); the same where there is none.
    """
    words = session.split()
    port = int(words[3]) if len(words) == 4 and words[3].isdecimal() else 0
    if not 0 < port < 65536 or port in site.failsafe:
        return site
    return msgspec.structs.replace(site, failsafe=(*site.failsafe, port))


def would_cut(site: Site, node: str, flows: Sequence[Flow]) -> tuple[Flow, ...]:
    """Of the connections that are open now, those to this node that its filter would not let in
    again. Connections of unknown addresses are left out; replies are turned.
    """
    allowed = [(opening, sources(site, opening)) for opening in openings(site, node)]
    here = {
        show_address(version, at)
        for one in site.nodes
        if one.name == node
        for version, at in one.addresses
    }
    return tuple(
        flow
        for flow in flows
        if not flow.reply
        and "ICMP" not in flow.protocol.upper()
        and flow.destination.ip in here
        and flow.source.ip not in here
        and not any(_lets(flow, opening, ranges) for opening, ranges in allowed)
    )


def _lets(flow: Flow, opening: Opening, ranges: tuple[str, ...] | None) -> bool:
    if flow.protocol.upper() != opening.protocol:
        return False
    if opening.first and not opening.first <= flow.port <= opening.last:
        return False
    if ranges is None:
        return True
    try:
        source = ip_address(flow.source.ip)
    except ValueError:
        return False
    return any(source in ip_network(one) for one in ranges)


def _sound(site: Site, node: str) -> None:
    if all(node != one.name for one in site.nodes):
        known = ", ".join(sorted(one.name for one in site.nodes)[:5])
        raise BadInput(f"no node {node!r}", next=f"one of: {known}" if known else "")
    if not site.failsafe:
        raise BadInput("a filter without a fail-safe port", "it would lock the operator out")
    ranges = [*site.pods, *(site.api_pods or ()), *site.admin, *site.health, *site.scrapers]
    for opening in (*site.extra, *site.published):
        ranges += opening.sources
    for one in ranges:
        if parse_range(one) is None:
            raise BadInput(f"{one!r} is no range of addresses", next="write it as a CIDR")


def _addresses(node: Node) -> list[str]:
    return [show_address(version, at) for version, at in node.addresses]


def _pod_ranges(world: World) -> tuple[str, ...]:
    found = []
    for node in world.nodes:
        for version, first, last in node.pod_ranges:
            bits = (32 if version == 4 else 128) - (last - first + 1).bit_length() + 1
            found.append(f"{show_address(version, first)}/{bits}")
    return tuple(sorted(set(found)))


def _api_port(cluster: Cluster) -> int:
    found = cluster.get("Endpoints", "default", "kubernetes")
    subsets = found.raw.get("subsets") if found is not None else None
    for subset in subsets if isinstance(subsets, list) else ():
        for port in subset.get("ports") or () if isinstance(subset, dict) else ():
            number = port.get("port") if isinstance(port, dict) else None
            if isinstance(number, int) and 0 < number < 65536:
                return number
    return 6443


def _published(cluster: Cluster) -> Iterable[Opening]:
    for service in cluster.of_kind("Service"):
        spec = service.spec
        if spec.get("type") not in ("NodePort", "LoadBalancer"):
            continue
        written = spec.get("loadBalancerSourceRanges")
        ranges = (
            tuple(r for r in written if isinstance(r, str)) if isinstance(written, list) else ()
        )
        name = f"{service.ref.namespace}/{service.ref.name}"
        ports = spec.get("ports")
        for port in ports if isinstance(ports, list) else ():
            number = port.get("nodePort") if isinstance(port, dict) else None
            protocol = port.get("protocol") or "TCP" if isinstance(port, dict) else ""
            if (
                isinstance(number, int)
                and 0 < number < 65536
                and protocol in ("TCP", "UDP", "SCTP")
            ):
                groups = (NODES, PODS) if ranges else (ANYONE,)
                why = f"Service {name}"
                yield Opening(name, protocol, number, number, groups, why, ranges, before=True)
