"""Analyser, oracle and packets asked the same questions about one random cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from random import Random
from typing import Final, NamedTuple

from tests.support.network.asked import Asked
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

from martello.practices.network.engine.reach import reach
from martello.practices.network.firewall.pods import pod_rules
from martello.practices.network.firewall.render import render
from martello.practices.network.profiles import profile

HERE: Final = "node-1"  # the node of the pods, in the middle of the lab
LISTENING: Final = (*PORTS, 82)  # one port that no rule names
PLACES: Final[Mapping[str, Sequence[str]]] = {
    NODE: NODES[HERE],
    **{f"n{n}/p{p}": pod_addresses(n, p) for n in range(3) for p in range(3)},
    "second": NODES["node-2"],
    "outside": OUTSIDE,
}
PROTOCOLS: Final = ("TCP", "UDP", "SCTP")


class Question(NamedTuple):
    """A probe, and what it means to the models: the connection after translation."""

    probe: Probe
    source: str
    destination: str
    port: int


class Compared(NamedTuple):
    """What came of one cluster: how much was asked, what disagreed."""

    modelled: int
    probed: int
    passed: int
    wrong: list[str]


def compare(seed: int, built: Lab) -> Compared:
    """Every ordered pair of places, in both families, by address and by way of Services."""
    objects = random_cluster(seed, PACKETS)
    oracle = naive(objects)
    found = reach(cluster(objects), profile("martello"))
    analyser = Asked(found)
    random = Random(seed)
    redirects = list(_redirects(objects, oracle, random))
    built.nft(services(redirects) + render(pod_rules(found, HERE)))
    wrong, modelled = _models(analyser, oracle)
    questions = [q for q in (*_direct(random), *_by_service(redirects)) if _forwarded(q, oracle)]
    passed = built.probe([question.probe for question in questions])
    for question, said in _disagreeing(built, questions, passed, oracle):
        wrong.append(f"{question.probe}: packets {'pass' if said else 'are dropped'}")
    return Compared(modelled, len(questions), sum(passed), wrong)


def _models(analyser: Asked, oracle: Naive) -> tuple[list[str], int]:
    """Where analyser and oracle differ, on every port that matters, and how much was asked."""
    wrong, count = [], 0
    for source, target, family in _pairs():
        if source not in PLACES[NODE] or target not in PLACES[NODE]:
            for protocol in PROTOCOLS:
                for port in LISTENING:
                    count += 1
                    said = analyser.allowed(source, target, protocol, port, family)
                    expected = oracle.allowed(source, target, protocol, port, family)
                    if said is None or said is not expected:
                        wrong.append(
                            f"{source} → {target} {protocol} {port}: "
                            f"analyser {said}, oracle {expected}"
                        )
    return wrong, count


def _pairs() -> Iterator[tuple[str, str, int]]:
    """Every ordered pair of addresses of different places."""
    for place, addresses in PLACES.items():
        for other, targets in PLACES.items():
            if place != other and (("/" in place) or ("/" in other)):
                for source in addresses:
                    for target in targets:
                        if (":" in source) == (":" in target):
                            yield source, target, ip_address(source).version


def _direct(random: Random) -> Iterator[Question]:
    """Probes of every pair, each on a sample of the ports."""
    homes = {ip: place for place, ips in PLACES.items() for ip in ips}
    for source, target, _ in _pairs():
        for protocol, ports in (("TCP", 4), ("UDP", 3), ("SCTP", 1)):
            for port in random.sample(LISTENING, ports):
                probe = Probe(homes[source], source, protocol, target, port)
                yield Question(probe, source, target, port)


def _redirects(objects: Sequence[Object], oracle: Naive, random: Random) -> Iterator[Redirect]:
    """One backend for each port and family of each Service, chosen as a proxy would."""
    for service in (one for one in objects if one["kind"] == "Service"):
        spec, space = service["spec"], service["metadata"]["namespace"]
        for port in spec["ports"]:
            backends = [
                (pod, number)
                for pod in oracle.pods.values()
                if spec["selector"] and pod.namespace == space
                if selects({"matchLabels": spec["selector"]}, pod.labels)
                for number in _numbers(pod, port)
            ]
            for address in spec["clusterIPs"] if backends else ():
                pod, number = random.choice(backends)
                ip = pod.ips[ip_address(address).version]
                yield Redirect(port["protocol"], address, port["port"], ip, number)


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
                    yield Question(probe, source, one.backend, one.target)


def _forwarded(question: Question, oracle: Naive) -> bool:
    """A pod and its own node meet where nothing is forwarded: the filter leaves them alone, even
    where a cluster-wide policy denies the node.
    """
    if question.destination not in PLACES[NODE]:
        return True
    return _expected(question, oracle) is not False


def _expected(question: Question, oracle: Naive) -> bool | None:
    family = ip_address(question.source).version
    protocol = question.probe.protocol
    return oracle.allowed(question.source, question.destination, protocol, question.port, family)


def _disagreeing(
    built: Lab, questions: Sequence[Question], passed: Sequence[bool], oracle: Naive
) -> Iterator[tuple[Question, bool]]:
    """Probes that went otherwise than the oracle says. What was silent is tried once more: a busy
    machine must not look like a filter; what passed has passed.
    """
    odd = [
        (question, said)
        for question, said in zip(questions, passed, strict=True)
        if said is not _expected(question, oracle)
    ]
    silent = [question for question, said in odd if not said]
    again = dict(zip(silent, built.probe([one.probe for one in silent]), strict=True))
    for question, said in odd:
        if said or not again[question]:
            yield question, said
