"""The pods that a workload makes: how many of them quotas let in, and why not the next one."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from martello.core.cluster import Cluster
from martello.core.workload import Workload
from martello.practices.resources.admission.charges import Charge, count_usage
from martello.practices.resources.admission.held import Held
from martello.practices.resources.admission.limit_ranges import ranges
from martello.practices.resources.admission.pipeline import (
    Admission,
    charged,
    folded,
    placed,
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
    space = workload.namespace
    wanted = meant(workload, world) if replicas is None else replicas
    if workload.resource.ref.group_kind == "Deployment.apps":
        between = Charge("replicasets.apps", count_usage("replicasets.apps"))
        one = charged(between, held, limited=limited, kubernetes=world.kubernetes)
        if one.verdict != "admitted":
            return msgspec.structs.replace(one, wanted=wanted, fitting=0)
        held = one.quotas or held
    raw = pod_from(workload)
    answers = pods_outcomes(world, space, raw, workload.path, held, limited=limited)
    found = folded(answers, ranges(world, space) if len(answers) > 1 else ())
    if found.verdict != "admitted" or found.treated is None:
        fitting = 0 if found.verdict == "refused" else wanted
        return msgspec.structs.replace(found, wanted=wanted, fitting=fitting)
    charge = found.treated.charge
    fitting = min([wanted, *_rooms(held, found.quotas)])
    alike = (Held(workload.resource, charge, fitting),)
    full = tuple(spent(quota, alike) for quota in held)
    if fitting == wanted:
        return msgspec.structs.replace(found, quotas=full, wanted=wanted, fitting=fitting)
    refused = placed(charged(charge, full, found.treated, limited=limited), found.prefix)
    return msgspec.structs.replace(refused, quotas=full, wanted=wanted, fitting=fitting)


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
