"""Replays Kyverno's own CLI tests of policies in CEL: the format of the corpus' README."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from martello.catalogue.policy.admitted import request_for
from martello.catalogue.policy.answers import images_given
from martello.catalogue.policy.bindings import Scene
from martello.catalogue.policy.evaluate import ADMIT, UNASSESSED, Evaluation
from martello.catalogue.policy.model import Request, User
from martello.catalogue.policy.policies import results
from martello.catalogue.policy.read import PolicySet, policies_from
from martello.catalogue.policy.world import World
from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, Resource, resource_of

NOW = 1_780_000_000  # the clock of the replay, in 2026


def replay(path: Path) -> Iterator[tuple[str, bool, str]]:
    """Each case: its name, whether the verdict is the expected one, and what was said instead."""
    for file in sorted(path.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            if line.strip():
                yield from _policy(json.loads(line))


def _policy(row: Mapping[str, Any]) -> Iterator[tuple[str, bool, str]]:
    policies = policies_from([resource_of(row["policy"], Nowhere())])
    context = row.get("context") or {}
    values = row.get("variables") or {}
    spaces = [resource_of(n, Nowhere()) for n in values.get("namespaces", ())]
    others = [resource_of(o, Nowhere()) for o in context.get("resources", ())]
    images = images_given(context.get("images", ()))
    for case in row["cases"]:
        resource = resource_of(case["resource"], Nowhere())
        objects = [*spaces, *others]
        if row["engine"] == "ClusterPolicy":
            objects.insert(0, _bare_namespace(resource))
        world = World(Cluster(objects), {"image": images}, now=NOW)
        name = f"{row['family']}/{row['group']}/{resource.ref} {case['rule'] or ''}".strip()
        request = _request(resource, row, world)
        found, why = verdict(policies, request, world, case["rule"])
        yield name, found == case["expect"], f"expected {case['expect']}, found {found}: {why}"


def _bare_namespace(resource: Resource) -> Resource:
    """Off the cluster, Kyverno's rules see a Namespace of which only the name is known."""
    name = resource.ref.namespace or "default"
    raw = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    return resource_of(raw, Nowhere())


def _request(resource: Resource, row: Mapping[str, Any], world: World) -> Request:
    operation = "CREATE"
    for policy in (row.get("variables") or {}).get("policies", ()):
        for given in policy.get("resources", ()):
            if given["name"] == resource.ref.name:
                operation = given.get("values", {}).get("request.operation", operation)
    return request_for(
        resource,
        world,
        operation=operation,
        old=resource.raw if operation == "UPDATE" else None,  # as Kyverno's command line does
        user=_user(row.get("userinfo")),
        as_written=True,
    )


def _user(given: Any) -> User:
    if not given:
        return User()
    named = given.get("userInfo", given)
    return User(
        named.get("username", ""),
        named.get("uid", ""),
        tuple(named.get("groups", ())),
        roles=tuple(given.get("roles") or ()),
        cluster_roles=tuple(given.get("clusterRoles") or ()),
    )


def verdict(
    policies: PolicySet, request: Request, world: World, rule: str | None
) -> tuple[str, str]:
    """fail, pass, skip or unassessed, and the reasons."""
    if policies.unassessed:
        return "unassessed", policies.unassessed[0].reason
    found = "skip"
    reasons: list[str] = []
    for bound in policies.bound:
        named = bound.policy.rule.removeprefix("autogen-cronjob-").removeprefix("autogen-")
        if rule is not None and rule not in (named, bound.policy.rule):
            continue
        for _, result in results(policies, bound, Scene(request, world)):
            if not isinstance(result, Evaluation):
                return "unassessed", result.message
            if not result.applied:
                continue
            decisions = result.decisions
            bad = [d for d in decisions if d.outcome != ADMIT]
            reasons += [d.message for d in bad]
            if any(d.outcome == UNASSESSED for d in bad):
                return "unassessed", reasons[0]
            found = "fail" if bad or found == "fail" else "pass"
    return found, "; ".join(reasons)
