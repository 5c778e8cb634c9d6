"""Who-can answers in bulk beside the authorizer read literally, on one large cluster."""

from __future__ import annotations

import random
import resource
import sys
import time
from collections.abc import Iterable
from typing import Any

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.practices.access.answers import Access
from martello.practices.access.bulk import Bulk
from martello.practices.access.cover import singles
from martello.practices.access.model import Principal, Request

SUBJECTS, NAMESPACES, BINDINGS, ROLES = 10_000, 500, 30_000, 2_000
LIMIT = 4.0  # seconds of CPU for compiling and all answers
MEMORY = 600  # MiB
ONE = 50e-6  # seconds of CPU for one answer
LEAST = 200  # times faster than the literal reading
GROUP = "rbac.authorization.k8s.io"
_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
_KINDS = 450


def main() -> int:
    """Prints seconds, memory and the ratio; 1 where one of the limits is missed."""
    cluster = Cluster(resource_of(each, Nowhere()) for each in _world(random.Random(1)))
    begun = time.process_time()
    ours = Access(cluster)
    compiled = time.process_time() - begun
    questions = _questions(ours)
    begun = time.process_time()
    bulk = Bulk(ours.index)
    pairs = sum(len(found) for _, found in bulk.all(questions))
    answered = time.process_time() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    one = _one(ours, questions)
    literal = _literal(ours, questions)
    ratio = literal * len(questions) / answered
    print(f"  {SUBJECTS} subjects, {NAMESPACES} namespaces, {BINDINGS} bindings, {ROLES} roles")
    print(f"    compiled                 {compiled:8.2f} s CPU")
    print(f"    {len(questions)} who-can answers    {answered:8.2f} s CPU   {pairs:,} pairs")
    print(f"    memory                   {memory:8.0f} MiB")
    print(f"    one answer               {one * 1e6:8.1f} us CPU")
    print(f"    literal reading          {literal:8.3f} s CPU a who-can   {ratio:,.0f} x")
    kept = compiled + answered <= LIMIT and memory <= MEMORY and one <= ONE and ratio >= LEAST
    said = f"{LIMIT} s, {MEMORY} MiB, {ONE * 1e6:.0f} us, {LEAST} x"
    print(f"    within {said}: {'kept' if kept else 'missed'}\n")
    return int(not kept)


def _questions(ours: Access) -> list[Request]:
    """Everything that some rule names."""
    found = dict.fromkeys(
        (verb, group, resource)
        for role in ours.grants.roles.values()
        for verb, group, resource, _, _ in singles(role.rules)
    )
    return [Request(verb, group, resource) for verb, group, resource in found]


def _one(ours: Access, questions: list[Request]) -> float:
    """Seconds for one `can`, over people and questions that differ each time."""
    pick = random.Random(2)
    groups = ("system:authenticated", "team-1", "team-2")
    asked = [
        (
            Principal(f"user-{pick.randrange(SUBJECTS)}", groups),
            Request(q.verb, q.group, q.resource, namespace=f"ns-{pick.randrange(NAMESPACES)}"),
        )
        for q in pick.choices(questions, k=20_000)
    ]
    begun = time.process_time()
    for who, request in asked:
        ours.can(who, request)
    return (time.process_time() - begun) / len(asked)


def _literal(ours: Access, questions: list[Request]) -> float:
    """Seconds for one who-can as it is read: every binding, its subjects where a rule of its role
    allows the request.
    """
    picked = random.Random(3).sample(questions, 8)
    begun = time.process_time()
    for request in picked:
        found: set[tuple[Any, str]] = set()
        for binding in ours.grants.bindings:
            if any(rule.allows(request) for rule in binding.rules):
                scope = binding.resource.ref.namespace
                found.update((subject, scope) for subject in binding.subjects)
    return (time.process_time() - begun) / len(picked)


def _world(pick: random.Random) -> Iterable[dict[str, Any]]:
    for number in range(ROLES):
        yield _object("ClusterRole", f"role-{number}", rules=[_rule(pick) for _ in range(5)])
    for number in range(BINDINGS):
        wide = pick.random() < 0.02
        subjects = [_subject(pick) for _ in range(pick.choice((1, 1, 1, 2)))]
        reference = {
            "apiGroup": GROUP,
            "kind": "ClusterRole",
            "name": f"role-{pick.randrange(ROLES)}",
        }
        kind = "ClusterRoleBinding" if wide else "RoleBinding"
        space = "" if wide else f"ns-{pick.randrange(NAMESPACES)}"
        yield _object(kind, f"b-{number}", space, subjects=subjects, roleRef=reference)


def _rule(pick: random.Random) -> dict[str, Any]:
    kinds = pick.sample(range(_KINDS), 3)
    return {
        "verbs": pick.sample(_VERBS, pick.randint(1, 4)),
        "apiGroups": ["apps"],
        "resources": [f"kind{number}" for number in kinds],
    }


def _subject(pick: random.Random) -> dict[str, Any]:
    if pick.random() < 0.05:
        return {"kind": "Group", "apiGroup": GROUP, "name": f"team-{pick.randrange(500)}"}
    return {"kind": "User", "apiGroup": GROUP, "name": f"user-{pick.randrange(SUBJECTS)}"}


def _object(kind: str, name: str, namespace: str = "", **rest: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata, **rest}


if __name__ == "__main__":
    sys.exit(main())
