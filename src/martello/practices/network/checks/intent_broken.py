"""NET-019: a promise about the network that does not hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.path import Path
from martello.core.resource import Resource
from martello.core.workload import workload_of
from martello.practices.network.lint import Promises, reach_of_cluster
from martello.practices.network.model import Endpoint, Node, Place

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
    from martello.practices.network.intents import Undecided, judge, opened_by

    promises = facts["intents"]
    assert isinstance(promises, Promises)
    reach = reach_of_cluster(cluster, promises.profile)
    for outcome in judge(promises.intents, reach, promises.cluster):
        if isinstance(outcome, Undecided):
            for resource in cluster.resources[:1]:
                reason = f"{outcome.intent} ({outcome.intent.where}): {outcome.reason}"
                yield Hit(resource, (), reason, unassessed=True)
            continue
        step = opened_by(outcome)
        if step is not None and step.policy is not None:
            where, path = step.policy, step.path
        else:
            found = _place(outcome.destination) or _place(outcome.source)
            if found is None and not cluster.resources:
                continue
            where, path = found or (cluster.resources[0], ())
        promise = outcome.intent.where
        element = f"{promise.file}:{promise.line}"
        why = (outcome.intent.why,) if outcome.intent.why else ()
        yield Hit(where, path, str(outcome), element, (f"promised at {element}", *why))


def _place(place: Place) -> tuple[Resource, Path] | None:
    """The object of a place, and where its labels stand: those are what policies look at."""
    if isinstance(place, Endpoint):
        workload = workload_of(place.resource)
        path = workload.metadata_path if workload is not None else ("metadata",)
        return place.resource, (*path, "labels")
    if isinstance(place, Node) and place.resource is not None:
        return place.resource, ("metadata", "name")
    return None
