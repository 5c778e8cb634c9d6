"""NET-019: a promise about the network that does not hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.path import Path
from martello.core.resource import Resource
from martello.core.workload import workload_of
from martello.practices.network.addresses import name_of
from martello.practices.network.lint.together import Promises, reach_of_cluster
from martello.practices.network.model import Endpoint, Node, Place

if TYPE_CHECKING:
    from martello.practices.network.intents.judge import Breach

_PODS = """
            {apiVersion: v1, kind: Namespace, metadata: {name: dev}}
            ---
            {apiVersion: v1, kind: Namespace, metadata: {name: prod}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: dev, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: b, namespace: prod, labels: {app: b}},
              spec: {containers: []}}
"""


@check(
    "NET-019",
    severity="high",
    profile="opt-in",
    kinds=("cluster",),
    facts=("intents",),
    fix="Take the rule that opens it away, or narrow its peers; or correct the intent.",
    frameworks={"nsa-cisa": ["network-separation"], "owasp-k8s": ["K07"]},
    examples=(
        Example(
            True,
            _PODS
            + """
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy,
              metadata: {name: p, namespace: prod}, spec: {podSelector: {},
                ingress: [{from: [{podSelector: {}}]}]}}
            """,
        ),
        Example(
            True,
            _PODS
            + """
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy,
              metadata: {name: p, namespace: dev}, spec: {podSelector: {},
                policyTypes: [Egress]}}
            """,
        ),
        Example(
            False,
            _PODS,
            at="metadata.labels",
        ),
        Example(
            False,
            _PODS
            + """
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy,
              metadata: {name: p, namespace: prod}, spec: {podSelector: {},
                ingress: [{from: [{podSelector: {}}]}, {from: [{namespaceSelector: {}}]}]}}
            """,
            at="spec.ingress[1]",
        ),
    ),
)
def intent_broken(cluster: Cluster, *, facts: Mapping[str, Any]) -> Iterator[Hit]:
    """Promise about the network does not hold.

    The file of intents says what must never pass, who alone may reach something, and what must
    get through. Whatever the policies look like one by one, together they do something else.
    """
    from martello.practices.network.intents.judge import Undecided, judge, told

    promises = facts["intents"]
    assert isinstance(promises, Promises)
    reach = reach_of_cluster(cluster, promises.profile)
    alike: dict[tuple[object, ...], list[Breach]] = {}
    for outcome in judge(promises.intents, reach, promises.cluster):
        if isinstance(outcome, Undecided):
            for resource in cluster.resources[:1]:
                reason = f"{outcome.intent} ({outcome.intent.where}): {outcome.reason}"
                yield Hit(resource, (), reason, unassessed=True)
        elif cluster.resources:
            where, path = _where(outcome) or (cluster.resources[0], ())
            target = name_of(outcome.destination)
            key = (where.ref, path, outcome.intent.where, target, outcome.conn)
            alike.setdefault(key, []).append(outcome)
    for breaches in alike.values():
        intent = breaches[0].intent
        where, path = _where(breaches[0]) or (cluster.resources[0], ())
        element = f"{intent.where.file}:{intent.where.line}"
        why = (intent.why,) if intent.why else ()
        yield Hit(where, path, told(breaches), element, (f"promised at {element}", *why))


def _where(breach: Breach) -> tuple[Resource, Path] | None:
    """The rule that opens the pair (of a `must`: closes it), or one of its ends."""
    from martello.practices.network.intents.judge import opened_by

    step = opened_by(breach)
    if step is not None and step.policy is not None:
        return step.policy, step.path
    return _place(breach.destination) or _place(breach.source)


def _place(place: Place) -> tuple[Resource, Path] | None:
    """The object of a place, and where its labels stand: those are what policies look at."""
    if isinstance(place, Endpoint):
        workload = workload_of(place.resource)
        path = workload.metadata_path if workload is not None else ("metadata",)
        return place.resource, (*path, "labels")
    if isinstance(place, Node) and place.resource is not None:
        return place.resource, ("metadata", "name")
    return None
