"""The pods that a workload makes: how many of them quotas let in, and why not the next one."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.core.workload import Workload
from martello.practices.resources.admission.charges import Charge, claim_requests, count_usage
from martello.practices.resources.admission.held import Held, charge_of, claims_of
from martello.practices.resources.admission.limit_ranges import ranges
from martello.practices.resources.admission.pipeline import (
    Admission,
    charged,
    claim_refusal,
    folded,
    pods_outcomes,
)
from martello.practices.resources.admission.pods import pod_from
from martello.practices.resources.admission.quotas import Limited, Quota, remaining, spent
from martello.practices.resources.replicas import wanted as meant


def made(
    world: Cluster,
    workload: Workload,
    held: Sequence[Quota],
    replicas: int | None = None,
    *,
    limited: Sequence[Limited] = (),
) -> Admission:
    """What becomes of the pods of a workload, `replicas` of them or as many as it says itself. The
    answer is refused where one of them is; its quotas stand as they do when all that fit are in.
    Raises Malformed.
    """
    wanted = meant(workload, world) if replicas is None else replicas
    if workload.resource.ref.group_kind == "Deployment.apps":
        between = Charge("replicasets.apps", count_usage("replicasets.apps"))
        one = charged(between, held, limited=limited, kubernetes=world.kubernetes)
        if one.verdict != "admitted":
            return msgspec.structs.replace(one, wanted=wanted, fitting=0)
        held = one.quotas or held
    claims = list(claims_of(workload, world))
    found = _one(world, workload, claims, held, limited)
    if found.verdict != "admitted" or found.treated is None:
        fitting = 0 if found.verdict == "refused" else wanted
        return msgspec.structs.replace(found, wanted=wanted, fitting=fitting)
    fitting = min([wanted, *_rooms(held, found.quotas)])
    alike = [Held(claim, charge_of(claim, world), fitting) for claim in claims]
    alike.append(Held(workload.resource, found.treated.charge, fitting))
    full = tuple(spent(quota, alike) for quota in held)
    if fitting < wanted:
        found = _one(world, workload, claims, full, limited)
    return msgspec.structs.replace(found, quotas=full, wanted=wanted, fitting=fitting)


def _one(
    world: Cluster,
    workload: Workload,
    claims: Sequence[Resource],
    held: Sequence[Quota],
    limited: Sequence[Limited],
) -> Admission:
    """What becomes of one pod: its claims come first, and without them it is not made."""
    space = workload.namespace
    for claim in claims:
        refusal = claim_refusal(claim_requests(claim.spec), ranges(world, space))
        if refusal is not None:
            return refusal
        charge = charge_of(claim, world)
        one = charged(charge, held, limited=limited, kubernetes=world.kubernetes)
        if one.verdict != "admitted":
            return one
        held = one.quotas or held
    raw = pod_from(workload)
    answers = pods_outcomes(world, space, raw, workload.path, held, limited=limited)
    return folded(answers, ranges(world, space) if len(answers) > 1 else ())


def _rooms(before: Sequence[Quota], after: Sequence[Quota]) -> list[int]:
    """How many objects fit into each key of each quota, when one more of them takes it from the
    first state to the second: all are alike, so that each takes the same.
    """
    return [
        left // (new.used[key] - old.used.get(key, 0))
        for old, new in zip(before, after, strict=True)
        for key, left in remaining(old).items()
        if new.used.get(key, 0) > old.used.get(key, 0)
    ]
