"""What every cluster needs and no flow log is sure to hold: DNS by its real port and pods, all
endpoints of the API server, the webhooks that it calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from martello.core.cluster import Cluster
from martello.core.path import look_up
from martello.core.resource import Resource
from martello.core.workload import workload_of
from martello.practices.network.addresses import parse_address
from martello.practices.network.learn import services
from martello.practices.network.learn.atlas import Atlas, Number
from martello.practices.network.learn.model import NODE, OUTSIDE, WORKLOAD, Edge, Key, Party
from martello.practices.network.model import Endpoint

DNS_PORT: Final = 53
_DNS: Final = ("TCP", "UDP")
_DNS_LABELS: Final = (("k8s-app", "kube-dns"), ("k8s-app", "coredns"))
_DNS_SPACES: Final = frozenset(("kube-system", "openshift-dns"))
_CONTROL: Final = (
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/master",
    "node-role.kubernetes.io/controlplane",
)
_HOOKS: Final = (
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io",
    "MutatingWebhookConfiguration.admissionregistration.k8s.io",
)


class Infrastructure:
    """What was found of it. `dns` are places and ports, TCP and UDP alike."""

    def __init__(self, atlas: Atlas) -> None:
        self.atlas = atlas
        self.dns: set[tuple[Party, int]] = set(_dns_pods(atlas)) | set(_node_local(atlas))
        self.api = tuple(_api_server(atlas))
        self.control_plane = _control_plane(atlas, self.api)

    def learn_dns(self, edges: Iterable[Edge]) -> None:
        """Takes in DNS that flows show: what was asked as a Service of port 53, or at a link-local
        address of the node.
        """
        for edge in edges:
            local = edge.destination.kind == OUTSIDE and _link_local(edge.destination)
            if local and edge.port == DNS_PORT and edge.protocol in _DNS:
                self.dns.add((edge.destination, edge.port))

    def is_dns(self, edge: Edge) -> bool:
        """Whether an edge asks the cluster's DNS."""
        return edge.protocol in _DNS and (edge.destination, edge.port) in self.dns

    def is_api(self, edge: Edge) -> bool:
        """Whether an edge reaches the API server."""
        return edge.protocol == "TCP" and (edge.destination, edge.port) in self.api

    def widened(self, edges: Iterable[Edge]) -> Iterator[Edge]:
        """What follows from the edges: DNS in the other protocol and at its other pods, the other
        endpoints of the API server.
        """
        held = tuple(edges)
        known = {(e.source, e.destination, e.protocol, e.port) for e in held}
        for edge in held:
            if self.is_dns(edge):
                more = [(p, port, proto) for p, port in self.dns for proto in _DNS]
                why = "DNS is asked over TCP and UDP"
            elif edge.port == DNS_PORT and edge.protocol in _DNS:
                more = [(edge.destination, DNS_PORT, proto) for proto in _DNS]
                why = "DNS is asked over TCP and UDP"
            elif self.is_api(edge):
                more = [(p, port, "TCP") for p, port in self.api]
                why = "every API server may answer"
            else:
                continue
            for party, port, protocol in sorted(more):
                key = (edge.source, party, protocol, port)
                if key not in known and party != edge.source:
                    known.add(key)
                    yield Edge(*key, declared=why)

    def asks(self, keys: Iterable[Key]) -> Iterator[Edge]:
        """The DNS that workloads may ask, whether they were seen at it or not."""
        for key in keys:
            for form, shape in enumerate(self.atlas.shapes[key]):
                if shape[0].host_network or shape[0].resource.spec.get("dnsPolicy") == "None":
                    continue
                source = Party(WORKLOAD, key, form)
                for party, port in sorted(self.dns):
                    if party.workload != key:
                        for protocol in _DNS:
                            yield Edge(source, party, protocol, port, declared="cluster DNS")

    def hooks(self) -> Iterator[Edge]:
        """What the API server calls by itself: webhooks, aggregated APIs, conversions."""
        for name, space, service, port in called_services(self.atlas.cluster):
            found = self.atlas.cluster.get("Service", space, service)
            entry = services.port_of(found, "TCP", port) if found is not None else None
            if found is None or entry is None:
                continue
            for party, target in behind(found, entry, self.atlas):
                for node in self.control_plane:
                    if party.kind == WORKLOAD:
                        yield Edge(
                            node,
                            party,
                            "TCP",
                            target,
                            service=f"{space}/{service}",
                            declared=f"the API server calls it for {name}",
                        )


def behind(service: Resource, entry: dict[str, Any], atlas: Atlas) -> Iterator[tuple[Party, int]]:
    """The parties behind one port of a Service, now, with the port there."""
    held: dict[tuple[Party, int], None] = {}
    found = services.targets(service, entry, atlas.cluster, atlas.world.endpoints)
    for target in found:
        party = _place(target.endpoint, target.number, atlas)
        if party is not None:
            held[(party, target.port)] = None
    yield from held


def _place(endpoint: Endpoint | None, number: Number | None, atlas: Atlas) -> Party | None:
    if endpoint is None and number is not None:
        endpoint = atlas.holder(number, 0.0)
    if endpoint is not None:
        if not endpoint.host_network:
            return atlas.party_of(endpoint)
        held = atlas.nodes.get(endpoint.node)
        return Party(NODE, node=endpoint.node) if held and held.addresses else None
    if number is None or atlas.ever_pod(number):
        return None
    node = atlas.node_addresses.get(number)
    if node is not None:
        return Party(NODE, node=node)
    return Party(OUTSIDE, version=number[0], address=number[1])


def _dns_pods(atlas: Atlas) -> Iterator[tuple[Party, int]]:
    for service in atlas.cluster.of_kind("Service"):
        marked = any(service.labels.get(key) == value for key, value in _DNS_LABELS)
        if service.ref.namespace not in _DNS_SPACES and not marked:
            continue
        for protocol in _DNS:
            entry = services.port_of(service, protocol, DNS_PORT)
            if entry is not None:
                yield from behind(service, entry, atlas)


def _node_local(atlas: Atlas) -> Iterator[tuple[Party, int]]:
    """The addresses that a NodeLocal DNS cache is started with (`-localip a,b`)."""
    for daemon in atlas.cluster.of_kind("DaemonSet.apps"):
        workload = workload_of(daemon)
        for container in workload.containers if workload else ():
            words = [
                word
                for key in ("command", "args")
                for word in _listed(container.raw.get(key))
                if isinstance(word, str)
            ]
            for at, word in enumerate(words):
                name, equals, value = word.lstrip("-").partition("=")
                if name != "localip":
                    continue
                text = value if equals else "".join(words[at + 1 : at + 2])
                for one in text.split(","):
                    number = parse_address(one.strip())
                    if number is not None:
                        party = Party(OUTSIDE, version=number[0], address=number[1])
                        if _link_local(party):
                            yield party, DNS_PORT


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _link_local(party: Party) -> bool:
    return party.version == 4 and party.address >> 16 == 0xA9FE


def _api_server(atlas: Atlas) -> Iterator[tuple[Party, int]]:
    service = atlas.cluster.get("Service", "default", "kubernetes")
    if service is None:
        return
    entry = services.port_of(service, "TCP", 443)
    if entry is not None:
        yield from behind(service, entry, atlas)


def _control_plane(atlas: Atlas, api: Iterable[tuple[Party, int]]) -> tuple[Party, ...]:
    found = {party for party, _ in api}
    for name, node in atlas.nodes.items():
        if any(key in node.labels for key in _CONTROL):
            found.add(Party(NODE, node=name))
    return tuple(sorted(found))


def called_services(cluster: Cluster) -> Iterator[tuple[str, str, str, int]]:
    """(by what, namespace, Service, port) of everything that the API server calls."""
    for kind in _HOOKS:
        for config in cluster.of_kind(kind):
            for hook in services.mappings(config.raw.get("webhooks")):
                yield from _called(config, look_up(hook, ("clientConfig", "service")))
    for api in cluster.of_kind("APIService.apiregistration.k8s.io"):
        yield from _called(api, api.spec.get("service"))
    for crd in cluster.of_kind("CustomResourceDefinition.apiextensions.k8s.io"):
        path = ("spec", "conversion", "webhook", "clientConfig", "service")
        yield from _called(crd, look_up(crd.raw, path))


def _called(by: Resource, held: Any) -> Iterator[tuple[str, str, str, int]]:
    if not isinstance(held, dict):
        return
    space, name, port = held.get("namespace"), held.get("name"), held.get("port", 443)
    if isinstance(space, str) and isinstance(name, str) and isinstance(port, int):
        yield f"{by.ref.kind} {by.ref.name}", space, name, port
