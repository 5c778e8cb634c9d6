"""Nothing passes between clusters but what is exported: as a table for nodes, as a cluster-wide
policy, as NetworkPolicies, and for Cilium. One and the same list makes all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import collapse_addresses, ip_network
from typing import Any, Final

import msgspec

from martello.core.errors import BadInput
from martello.core.reach import ALL, Conn, Ports
from martello.practices.network.addresses import show_address
from martello.practices.network.firewall.pods import ADDRESS, ERRORS, IP
from martello.practices.network.firewall.render import Chain, Ruleset, Set
from martello.practices.network.fleets.fleet import Fleet, Opened

TABLE: Final = "martello_perimeter"
NAME: Final = "martello-perimeter"
_LABEL: Final = {"app.kubernetes.io/managed-by": "martello"}
_FORWARD: Final = "type filter hook forward priority filter - 4; policy accept"
_RULES: Final = 25  # of a direction of a ClusterNetworkPolicy, and peers of a rule
_TIER: Final = "policy.networking.k8s.io/v1alpha2"


class Border(msgspec.Struct, frozen=True):
    """What one cluster shares with each other one: ranges that are its own and the others', what it
    may use of them and what they may use of it.
    """

    cluster: str
    own: tuple[str, ...]
    pods: tuple[str, ...]
    far: dict[str, tuple[str, ...]]
    out: dict[str, tuple[Opened, ...]]  # by the other cluster
    into: dict[str, tuple[Opened, ...]]


def border(fleet: Fleet, cluster: str) -> Border:
    """The border of one cluster. Raises BadInput for an unknown cluster, one without ranges, and
    where ranges overlap: no rule about addresses can part such clusters.
    """
    if cluster not in fleet.members:
        raise BadInput(f"no cluster {cluster!r}", f"known: {', '.join(fleet.members)}")
    for one in fleet.overlaps:
        if cluster in (one.first, one.second):
            raise BadInput(str(one), "a rule about these addresses means both clusters")
    for name, member in fleet.members.items():
        if not member.ranges:
            raise BadInput(f"cluster {name} has no ranges", next="write its pods, services, nodes")
    exports = fleet.exports()
    others = [name for name in fleet.members if name != cluster]
    mine = fleet.members[cluster]
    return Border(
        cluster,
        _collapsed((*mine.pods, *mine.services, *mine.nodes)),
        _collapsed(mine.pods),
        {
            n: _collapsed((*m.pods, *m.services, *m.nodes))
            for n in others
            for m in [fleet.members[n]]
        },
        {n: tuple(e for e in exports if e.cluster == n and _meant(e, cluster)) for n in others},
        {n: tuple(e for e in exports if e.cluster == cluster and _meant(e, n)) for n in others},
    )


def perimeter_rules(border: Border) -> Ruleset:
    """A table for the nodes of a cluster: forwarded connections between its pods and every other
    cluster are dropped but for exports. The filter of pods still has its say.
    """
    sets: list[Set] = []
    chains: list[Chain] = []
    lines = ["ct state established,related accept", *ERRORS]
    for version in (4, 6):
        ip, kind = IP[version], ADDRESS[version]
        own = _of(border.pods, version)
        sets.append(Set(f"m_pods{version}", kind, dict.fromkeys(own, ""), interval=True))
        for n, name in enumerate(border.far):
            far = _of(border.far[name], version)
            if not far:
                continue
            sets.append(Set(f"m_far{version}_{n}", kind, dict.fromkeys(far, ""), interval=True))
            for way, exports, near, other in (
                ("out", border.out[name], f"saddr @m_pods{version}", f"daddr @m_far{version}_{n}"),
                ("in", border.into[name], f"daddr @m_pods{version}", f"saddr @m_far{version}_{n}"),
            ):
                chain = f"m_{way}{version}_{n}"
                made, rules = _exported(chain, version, exports)
                sets += made
                chains.append(Chain(chain, (*rules, "drop")))
                lines.append(f"{ip} {near} {ip} {other} jump {chain}")
    chains.append(Chain("m_forward", tuple(lines), _FORWARD))
    notes = (
        "connections of the nodes themselves are not filtered",
        "exported pods are known by their addresses: make the table anew when these change",
    )
    return Ruleset(tuple(chains), tuple(sets), notes, TABLE)


def cluster_policies(border: Border, priority: int = 1) -> list[dict[str, Any]]:
    """ClusterNetworkPolicies of tier Admin: exports pass on to what else there is, all other
    addresses of other clusters are denied. They govern what leaves; what comes in is governed where
    it leaves. Raises BadInput where there are more exports than fit the priorities.
    """
    rules = [
        {"action": "Pass", "to": [{"networks": list(part)}], **_protocols(ports)}
        for ports, found in _by_ports(_all(border.out)).items()
        for part in _parts(found, _RULES)
    ]
    far = _collapsed(one for ranges in border.far.values() for one in ranges)
    rules += [{"action": "Deny", "to": [{"networks": list(part)}]} for part in _parts(far, _RULES)]
    chunks = list(_parts(rules, _RULES))
    if priority + len(chunks) > 1001:
        raise BadInput(f"{len(chunks)} policies do not fit the priorities from {priority}")
    return [
        {
            "apiVersion": _TIER,
            "kind": "ClusterNetworkPolicy",
            "metadata": {"name": f"{NAME}-{n}", "labels": _LABEL},
            "spec": {
                "tier": "Admin",
                "priority": priority + n,
                "subject": {"namespaces": {}},
                "egress": list(chunk),
            },
        }
        for n, chunk in enumerate(chunks)
    ]


def network_policies(border: Border, namespaces: Sequence[str]) -> list[dict[str, Any]]:
    """The fallback where there is no other dialect: a NetworkPolicy a namespace that lets out to
    everything but other clusters, and to exports. Only for namespaces that no policy isolates on
    the way out: policies add up, so it would open what another one closes.
    """
    far = _collapsed(one for ranges in border.far.values() for one in ranges)
    everywhere = [
        {"ipBlock": {"cidr": cidr, **({"except": cut} if (cut := list(_of(far, version))) else {})}}
        for cidr, version in (("0.0.0.0/0", 4), ("::/0", 6))
    ]
    rules: list[dict[str, Any]] = [{"to": [*everywhere, {"namespaceSelector": {}}]}]
    for ports, found in _by_ports(_all(border.out)).items():
        rule: dict[str, Any] = {"to": [{"ipBlock": {"cidr": one}} for one in found]}
        if ports != ALL:
            rule["ports"] = [_np_port(span) for span in ports.ranges]
        rules.append(rule)
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": NAME, "namespace": space, "labels": _LABEL},
            "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": rules},
        }
        for space in namespaces
    ]


def cilium_policy(border: Border) -> dict[str, Any]:
    """The Cilium form: denials come before permissions there, so exports are cut out of them, and
    of exported addresses every port that is not exported is denied.
    """
    far = _collapsed(one for ranges in border.far.values() for one in ranges)
    groups = _by_ports(_all(border.out))
    exported = {ip_network(one) for found in groups.values() for one in found}
    denied: list[dict[str, Any]] = [{"toCIDRSet": [_cut(one, exported)]} for one in far]
    for ports, found in groups.items():
        left = ALL - ports
        if left.ranges:
            to_ports = [{"ports": [_cilium_port(span)]} for span in left.ranges]
            denied.append({"toCIDR": list(found), "toPorts": to_ports})
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumClusterwideNetworkPolicy",
        "metadata": {"name": NAME, "labels": _LABEL},
        "spec": {
            "endpointSelector": {},
            "enableDefaultDeny": {"egress": False, "ingress": False},
            "egressDeny": denied,
        },
    }


def _meant(export: Opened, cluster: str) -> bool:
    return not export.to or cluster in export.to


def _all(exports: dict[str, tuple[Opened, ...]]) -> list[Opened]:
    return [one for found in exports.values() for one in found]


def _exported(chain: str, version: int, exports: Iterable[Opened]) -> tuple[list[Set], list[str]]:
    """Sets of what passes in a chain, and the rules that ask them."""
    ip, kind = IP[version], ADDRESS[version]
    whole: dict[str, str] = {}
    single: dict[str, str] = {}
    spans: dict[str, str] = {}
    for one in exports:
        if one.version != version:
            continue
        address = show_address(version, one.address)
        if one.ports == ALL:
            whole[address] = ""
            continue
        for span in one.ports.ranges:
            into = single if span.first == span.last else spans
            ports = str(span.first) if span.first == span.last else f"{span.first}-{span.last}"
            into[f"{address} . {span.protocol.lower()} . {ports}"] = ""
    wide = f"{kind} . inet_proto . inet_service"
    asked = f"{ip} daddr . meta l4proto . th dport"
    wanted = (
        (Set(f"{chain}_all", kind, whole), f"{ip} daddr @{chain}_all return"),
        (Set(f"{chain}_port", wide, single), f"{asked} @{chain}_port return"),
        (Set(f"{chain}_span", wide, spans, interval=True), f"{asked} @{chain}_span return"),
    )
    kept = [(one, line) for one, line in wanted if one.elements]
    return [one for one, _ in kept], [line for _, line in kept]


def _by_ports(exports: Iterable[Opened]) -> dict[Conn, tuple[str, ...]]:
    found: dict[Conn, dict[str, None]] = {}
    for one in exports:
        bits = 32 if one.version == 4 else 128
        cidr = f"{show_address(one.version, one.address)}/{bits}"
        found.setdefault(one.ports, {})[cidr] = None
    return {ports: _collapsed(cidrs) for ports, cidrs in found.items()}


def _protocols(ports: Conn) -> dict[str, Any]:
    if ports == ALL:
        return {}
    written = []
    for span in ports.ranges:
        port = {"number": span.first}
        if span.first != span.last:
            port = {"range": {"start": span.first, "end": span.last}}  # type: ignore[dict-item]
        written.append({span.protocol.lower(): {"destinationPort": port}})
    return {"protocols": written}


def _np_port(span: Ports) -> dict[str, Any]:
    port: dict[str, Any] = {"protocol": span.protocol, "port": span.first}
    return port | ({"endPort": span.last} if span.last != span.first else {})


def _cilium_port(span: Ports) -> dict[str, Any]:
    port: dict[str, Any] = {"protocol": span.protocol, "port": str(span.first)}
    return port | ({"endPort": span.last} if span.last != span.first else {})


def _cut(cidr: str, exported: Iterable[Any]) -> dict[str, Any]:
    net = ip_network(cidr)
    inside = sorted(
        str(one) for one in exported if one.version == net.version and one.subnet_of(net)
    )
    return {"cidr": cidr, **({"except": inside} if inside else {})}


def _collapsed(ranges: Iterable[str]) -> tuple[str, ...]:
    nets = [ip_network(one, strict=False) for one in ranges]
    fours = collapse_addresses(net for net in nets if net.version == 4)
    sixes = collapse_addresses(net for net in nets if net.version == 6)
    return (*map(str, fours), *map(str, sixes))


def _of(ranges: Iterable[str], version: int) -> tuple[str, ...]:
    return tuple(one for one in ranges if ip_network(one).version == version)


def _parts(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]
