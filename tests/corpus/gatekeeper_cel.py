"""Replays the suites of the Gatekeeper library whose templates hold CEL: the corpus' README."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from martello.catalogue.policy.admitted import request_for
from martello.catalogue.policy.model import Request, User
from martello.catalogue.policy.policies import evaluate
from martello.catalogue.policy.read import policies_from
from martello.catalogue.policy.world import World
from martello.core.resource import Nowhere, resource_of


def replay(path: Path) -> Iterator[tuple[str, bool, str]]:
    """Each case: its name, whether all assertions hold, and what was said instead."""
    for file in sorted(path.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            if line.strip():
                yield from _suite(json.loads(line))


def _suite(row: Mapping[str, Any]) -> Iterator[tuple[str, bool, str]]:
    world = World()
    policies = policies_from(
        [resource_of(row["template"], Nowhere()), resource_of(row["constraint"], Nowhere())]
    )
    for case in row["cases"]:
        request = _request(case["object"], world)
        rulings = evaluate(policies, request, world)
        messages = [r.message for r in rulings if r.action != "unassessed"]
        others = [r.message for r in rulings if r.action == "unassessed"]
        others += [u.reason for u in policies.unassessed]
        held = not others and all(_holds(a, messages) for a in case["violations"])
        said = f"expected {case['violations']}, found {messages} {others}"
        yield f"{row['group']}/{row['test']}/{case['name']}", held, said


def _holds(assertion: Mapping[str, Any], messages: list[str]) -> bool:
    pattern = assertion.get("message", "")
    count = sum(1 for m in messages if re.search(pattern, m))
    wanted = assertion.get("violations", "yes")
    if wanted == "yes":
        return count > 0
    return count == 0 if wanted == "no" else count == int(wanted)


def _request(raw: dict[str, Any], world: World) -> Request:
    """The request that an object, or an AdmissionReview, stands for. Gatekeeper's own runner knows
    no default namespace: an object lies where it says.
    """
    review: dict[str, Any] = raw["request"] if raw.get("kind") == "AdmissionReview" else {}
    old = review.get("oldObject")
    given = (review.get("object") or old or {}) if review else raw
    kind = review.get("kind") or {}
    group, version = kind.get("group", ""), kind.get("version", "v1")
    api = f"{group}/{version}" if group else version
    typed = {"apiVersion": api, "kind": kind.get("kind", "Pod"), **given}
    resource = resource_of(typed, Nowhere())
    operation = review.get("operation") or "CREATE"
    information = review.get("userInfo") or {}
    user = User(
        information.get("username", ""),
        information.get("uid", ""),
        tuple(information.get("groups", ())),
    )
    request = request_for(resource, world, operation=operation, old=old, user=user, as_written=True)
    namespace = request.namespace if request.is_namespace else resource.ref.namespace
    return msgspec.structs.replace(
        request,
        name=review.get("name") or request.name,
        namespace=review.get("namespace") or namespace,
        subresource=review.get("subResource") or "",
        object=review.get("object") if review else request.object,
    )
