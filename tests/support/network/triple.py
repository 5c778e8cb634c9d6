"""Analyser, oracle and packets asked the same questions about one random cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from random import Random
from typing import Final, NamedTuple

from tests.support.network.analyser import Asked
from tests.support.network.lab import NODE, Lab, Probe, Redirect, services
from tests.support.network.naive import Naive, naive
from tests.support.network.objects import Object, cluster
from tests.support.network.random_cluster import (
    NODES,
    OUTSIDE,
    PACKETS,
    PORTS,
    pod_addresses,
    random_cluster,
)
from tests.support.network.raw import End, selects

from martello.core.cluster import Cluster
from martello.practices.network.engine.reach import Reach, reach
from martello.practices.network.firewall.pods import pod_rules
from martello.practices.network.firewall.render import render
from martello.practices.network.model import Endpoint
from martello.practices.network.outer.services import targets
from martello.practices.network.profiles import profile

HERE: Final = "node-1"  # the node of the pods, in the middle of the lab
LISTENING: Final = (*PORTS, 82)  # one port that no rule names
PLACES: Final[Mapping[str, Sequence[str]]] = {
    NODE: NODES[HERE],
    **{f"n{n}/p{p}": pod_addresses(n, p) for n in range(3) for p in range(3)},
    "second": NODES["node-2"],
    "outside": OUTSIDE,
}
Link = tuple[str, str, str, int]  # source, destination, protocol, port
PROTOCOLS: Final = ("TCP", "UDP", "SCTP")


class Question(NamedTuple):
    """A probe, and what it means to the models: the connection after translation."""

    probe: Probe
    link: Link


class Behind(NamedTuple):
    """One port of a Service, and what is behind it."""

    service: str
    protocol: str
    addresses: list[str]
    port: int
    pods: list[tuple[End, int]]


class Compared(NamedTuple):
    """What came of one cluster: how much was asked, what disagreed."""

    modelled: int
    probed: int
    passed: int
    wrong: list[str]


def compare(seed: int, built: Lab) -> Compared:
    """Every ordered pair of places, in both families, by address and by way of Services."""
    objects = random_cluster(seed, PACKETS)
    here = cluster(objects)
    oracle, found = naive(objects), reach(here, profile("martello"))
    random = Random(seed)
    behind = _behind(objects, oracle)
    redirects = list(_redirects(behind, random))
    built.nft(services(redirects) + render(pod_rules(found, HERE)))
    expected = {
        (source, target, protocol, port): oracle.allowed(source, target, protocol, port, family)
        for source, target, family in _pairs()
        for protocol in PROTOCOLS
        for port in LISTENING
    }
    wrong = [*_models(Asked(found), expected), *_services(found, here, behind)]
    asked = [*_direct(random), *_by_service(redirects)]
    questions = [one for one in asked if _forwarded(one, expected)]
    passed = built.probe([question.probe for question in questions])
    for question, said in _disagreeing(built, questions, passed, expected):
        wrong.append(f"{question.probe}: packets {'pass' if said else 'are dropped'}")
    return Compared(len(expected), len(questions), sum(passed), wrong)


def _models(analyser: Asked, expected: Mapping[Link, bool | None]) -> Iterator[str]:
    """Where analyser and oracle differ, or do not know."""
    for (source, target, protocol, port), says in expected.items():
        family = ip_address(source).version
        said = analyser.allowed(source, target, protocol, port, family)
        if said is None or said is not says:
            yield f"{source} → {target} {protocol} {port}: analyser {said}, oracle {says}"


def _services(found: Reach, here: Cluster, behind: Sequence[Behind]) -> Iterator[str]:
    """Where the analyser sees other backends of a Service than its selector says."""
    for service in here.of_kind("Service"):
        said = {
            (f"{one.place.namespace}/{one.place.pod}", one.protocol, one.port, one.number)
            for one in targets(found.world, here, service).targets
            if isinstance(one.place, Endpoint)
        }
        says = {
            (pod.key, one.protocol, one.port, number)
            for one in behind
            if one.service == f"{service.ref.namespace}/{service.ref.name}"
            for pod, number in one.pods
        }
        if said != says:
            yield f"{service.ref}: analyser {sorted(said)}, selector {sorted(says)}"


def _pairs() -> Iterator[tuple[str, str, int]]:
    """Every ordered pair of addresses of different places."""
    for place, addresses in PLACES.items():
        for other, theirs in PLACES.items():
            if place != other and (("/" in place) or ("/" in other)):
                for source in addresses:
                    for target in theirs:
                        if (":" in source) == (":" in target):
                            yield source, target, ip_address(source).version


def _direct(random: Random) -> Iterator[Question]:
    """Probes of every pair, each on a sample of the ports."""
    homes = {ip: place for place, ips in PLACES.items() for ip in ips}
    for source, target, _ in _pairs():
        for protocol, ports in (("TCP", 4), ("UDP", 3), ("SCTP", 1)):
            for port in random.sample(LISTENING, ports):
                probe = Probe(homes[source], source, protocol, target, port)
                yield Question(probe, (source, target, protocol, port))


def _behind(objects: Sequence[Object], oracle: Naive) -> list[Behind]:
    """The pods behind each port of each Service, with the number of the port at each."""
    return [
        Behind(
            f"{space}/{service['metadata']['name']}",
            port["protocol"],
            service["spec"]["clusterIPs"],
            port["port"],
            [
                (pod, number)
                for pod in oracle.pods.values()
                if service["spec"]["selector"] and pod.namespace == space
                if selects({"matchLabels": service["spec"]["selector"]}, pod.labels)
                for number in _numbers(pod, port)
            ],
        )
        for service in objects
        if service["kind"] == "Service"
        for space in [service["metadata"]["namespace"]]
        for port in service["spec"]["ports"]
    ]


def _redirects(behind: Sequence[Behind], random: Random) -> Iterator[Redirect]:
    """One backend for each port and family of each Service, chosen as a proxy would."""
    for one in behind:
        for address in one.addresses if one.pods else ():
            pod, number = random.choice(one.pods)
            ip = pod.ips[ip_address(address).version]
            yield Redirect(one.protocol, address, one.port, ip, number)


def _numbers(pod: End, port: Object) -> list[int]:
    target, protocol = port["targetPort"], port["protocol"]
    if isinstance(target, int):
        return [target]
    return [number for name, of, number in pod.ports if (name, of) == (target, protocol)]


def _by_service(redirects: Sequence[Redirect]) -> Iterator[Question]:
    """Probes of Service addresses, from every pod but the backend and from the node."""
    for one in redirects:
        for place, addresses in PLACES.items():
            for source in addresses if "/" in place or place == NODE else ():
                if source != one.backend and (":" in source) == (":" in one.address):
                    probe = Probe(place, source, one.protocol, one.address, one.port)
                    yield Question(probe, (source, one.backend, one.protocol, one.target))


def _forwarded(question: Question, expected: Mapping[Link, bool | None]) -> bool:
    """A pod and its own node meet where nothing is forwarded: the filter leaves them alone, even
    where a cluster-wide policy denies the node.
    """
    return question.link[1] not in PLACES[NODE] or expected[question.link] is not False


def _disagreeing(
    built: Lab,
    questions: Sequence[Question],
    passed: Sequence[bool],
    expected: Mapping[Link, bool | None],
) -> Iterator[tuple[Question, bool]]:
    """Probes that went otherwise than the oracle says. What was silent is tried once more: a busy
    machine must not look like a filter; what passed has passed.
    """
    odd = [
        (question, said)
        for question, said in zip(questions, passed, strict=True)
        if said is not expected[question.link]
    ]
    silent = [question for question, said in odd if not said]
    again = dict(zip(silent, built.probe([one.probe for one in silent]), strict=True))
    for question, said in odd:
        if said or not again[question]:
            yield question, said
