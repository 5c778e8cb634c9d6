"""What the API server would make of an object: changed to what, or why refused, in its own order.

The order: decode (400) · LimitRanger's defaults, PriorityClass, RuntimeClass (403) · object
validation (422) · LimitRanges (403) · ResourceQuotas (403). Deployments and their like are let in
whatever the quota says; the refusal meets their pods.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from martello.core.cluster import Cluster
from martello.core.path import Path
from martello.core.resource import Resource
from martello.core.workload import Workload
from martello.practices.resources.admission.charges import Charge
from martello.practices.resources.admission.limit_ranges import (
    Range,
    claim_complaints,
    complaints,
    orders,
    ranges,
)
from martello.practices.resources.admission.mutation import Change, Treated
from martello.practices.resources.admission.numbers import deadline
from martello.practices.resources.admission.pods import decode, pod_from
from martello.practices.resources.admission.quotas import Limited, Quota, Refusal, after
from martello.practices.resources.admission.validation import (
    Problem,
    level_problems,
    pod_problems,
    requirements,
)
from martello.practices.resources.amounts import Amounts, Malformed

Verdict = Literal["admitted", "refused", "unassessed"]


class Message(msgspec.Struct, frozen=True):
    """One reason in the server's words. `path` is where its cause lies in the object, `by` and
    `at` the object that refuses and where in it the rule stands.
    """

    text: str
    path: Path = ()
    by: Resource | None = None
    at: Path = ()


class Admission(msgspec.Struct, frozen=True, eq=False):
    """The answer to one object. `code` is the server's: 201, 400, 403, 404 or 422.

    Messages of one refusing object (`by`) belong together: where several LimitRanges or quotas
    refuse, the server tells those of one of them. `quotas` stand as they do afterwards. Of a
    workload, `fitting` of `wanted` pods are let in, and the rest is about one of its pods.
    """

    verdict: Verdict
    code: int = 201
    messages: tuple[Message, ...] = ()
    treated: Treated | None = None
    quotas: tuple[Quota, ...] = ()
    reason: str = ""
    wanted: int = 1
    fitting: int = 1
    notes: tuple[str, ...] = ()
    prefix: Path = ()  # where in the object the pod lies
    alternatives: tuple[Admission, ...] = ()  # the answers to each order of LimitRanges

    @property
    def pod(self) -> dict[str, Any] | None:
        """The pod as it would be stored; None where there is none."""
        return None if self.treated is None else self.treated.stored

    @property
    def changes(self) -> list[Change]:
        """What was filled in: where in the object, the value, and whose doing it is."""
        if self.treated is None:
            return []
        return [((*self.prefix, *path), value, by) for path, value, by in self.treated.changes()]


def admit(
    world: Cluster, resource: Resource, replicas: int = 1, *, limited: Sequence[Limited] = ()
) -> Admission:
    """What would become of an object in this world; of a workload `replicas` pods are made."""
    from martello.practices.resources.admission.server import Server

    return Server(world, limited=limited).admit(resource, replicas)


def pod_of(world: Cluster, workload: Workload) -> dict[str, Any]:
    """A pod of the workload with the server's defaults and those of LimitRanges, which are applied
    in the order of the world. Raises Malformed for what no server reads.
    """
    order = ranges(world, workload.namespace)
    return Treated(world, decode(pod_from(workload)), order).stored


def pods_outcomes(
    world: Cluster,
    namespace: str,
    raw: dict[str, Any],
    path: Path,
    quotas: Sequence[Quota],
    *,
    limited: Sequence[Limited] = (),
) -> list[Admission]:
    """What may become of a pod whose spec lies at `path` of its object: one answer for each order
    of the namespace's LimitRanges that makes a difference.
    """
    prefix = path[:-1]
    try:
        pod = decode(raw)
    except Malformed as error:
        return [refused(400, (Message(str(error), (*prefix, *error.path)),))]
    given = ranges(world, namespace)
    found: list[Admission] = []
    seen: set[Any] = set()
    for order in orders(given) if len(given) > 1 else (given,):
        one = placed(_in_order(Treated(world, pod, order), quotas, limited), prefix)
        if len(given) > 1:
            mark = (_mark(one), one.treated.annotation if one.treated is not None else "")
            if mark in seen:
                continue
            seen.add(mark)
        found.append(one)
    return found


def placed(one: Admission, prefix: Path) -> Admission:
    """The answer to a pod that lies somewhere in its object."""
    if not prefix:
        return one
    messages = tuple(
        msgspec.structs.replace(m, path=(*prefix, *(m.path or ("spec",)))) for m in one.messages
    )
    return msgspec.structs.replace(one, messages=messages, prefix=prefix)


def _mark(one: Admission) -> tuple[Any, ...]:
    """What makes two answers the same, but for notes on the pod."""
    amounts: tuple[Any, ...] = ()
    if one.verdict == "admitted" and one.treated is not None:
        amounts = tuple(
            (n.path, tuple(sorted(n.requests.items())), tuple(sorted(n.limits.items())))
            for n in one.treated.needs
        )
    return one.verdict, one.code, frozenset(m.text for m in one.messages), amounts


def _in_order(treated: Treated, quotas: Sequence[Quota], limited: Sequence[Limited]) -> Admission:
    refusal = _plugins(treated) or _validated(treated) or ranged(treated)
    if refusal is not None:
        return msgspec.structs.replace(refusal, treated=treated, quotas=tuple(quotas))
    return charged(treated.charge, quotas, treated, limited=limited)


def charged(
    charge: Charge,
    quotas: Sequence[Quota],
    treated: Treated | None = None,
    *,
    before: Charge | None = None,
    limited: Sequence[Limited] = (),
    kubernetes: int = 0,
) -> Admission:
    """The last step: what the quotas say to what an object takes."""
    if not quotas and not limited:
        return Admission("admitted", treated=treated)
    minor = treated.kubernetes if treated is not None else kubernetes
    left, refusals = after(quotas, charge, minor, before=before, limited=limited)
    if not refusals:
        return Admission("admitted", treated=treated, quotas=tuple(left))
    told = tuple(Message(one.text, (), one.by, _at(one)) for one in refusals)
    return Admission("refused", refusals[0].code, told, treated, tuple(quotas))


def _at(refusal: Refusal) -> Path:
    """Where in the quota the first key of a refusal stands."""
    if refusal.by is None or not refusal.keys:
        return ("spec", "hard")
    return ("spec", "hard", refusal.keys[0])


def refused(code: int, messages: Iterable[Message]) -> Admission:
    """A refusal."""
    return Admission("refused", code, tuple(messages))


def told(problems: Iterable[Problem]) -> tuple[Message, ...]:
    """Problems of object validation as messages."""
    return tuple(
        Message(str(one), (*one.path, one.key) if one.key else one.path) for one in problems
    )


def _plugins(treated: Treated) -> Admission | None:
    for resolved, key in (
        (treated.priority, "priorityClassName"),
        (treated.runtime, "runtimeClassName"),
    ):
        if resolved.refusal and not _late(resolved.refusal):
            message = Message(resolved.refusal, ("spec", key), resolved.by)
            return refused(403, (message,))
    return None


def _late(refusal: str) -> bool:
    """RuntimeClass objects to an overhead without a class only once the object is validated."""
    return refusal.endswith("without corresponding RuntimeClass defined Overhead")


def _validated(treated: Treated) -> Admission | None:
    minor = treated.kubernetes
    problems = [*deadline(treated.pod.spec, ("spec",)), *pod_problems(treated.needs, minor)]
    level = treated.level
    if level is not None:
        problems += level_problems(level, treated.needs, ("spec", "resources"), minor)
    if treated.overhead:
        problems += requirements({}, treated.overhead, ("spec", "overhead"), minor)
    return refused(422, told(problems)) if problems else None


def ranged(treated: Treated) -> Admission | None:
    """What LimitRanges refuse: the server stops at the first that does, and the order in which it
    validates is not that in which it filled in.
    """
    found = [
        Message(one.text, one.path, one.by, one.at)
        for group in treated.order
        for one in complaints(treated.needs, group, treated.kubernetes, treated.level)
    ]
    if found:
        return refused(403, found)
    if treated.runtime.refusal:
        return refused(403, (Message(treated.runtime.refusal, ("spec", "overhead")),))
    return None


def claim_refusal(requests: Amounts, order: Sequence[Range]) -> Admission | None:
    """What LimitRanges refuse of a claim with these requests; in any order, too."""
    found = [
        Message(one.text, one.path, one.by, one.at)
        for group in order
        for one in claim_complaints(requests, group)
    ]
    return refused(403, found) if found else None


def folded(found: Sequence[Admission], order: Sequence[Range]) -> Admission:
    """One answer of those to every order: unassessed where they differ in more than words."""
    first = found[0]
    kinds = {(one.verdict, one.code) for one in found}
    if len({_mark(one) for one in found}) == 1:
        return first
    named = ", ".join(
        f"{group[0].owner.ref.name} ({group[0].owner.locate()})" for group in order if group
    )
    if len(kinds) == 1 and first.verdict == "refused":
        note = f"the LimitRanges {named} are applied in any order: the reason told may differ"
        every = {(id(m.by), m.path, m.text): m for one in found for m in one.messages}
        notes = (*first.notes, note)
        return msgspec.structs.replace(
            first, messages=tuple(every.values()), notes=notes, alternatives=tuple(found)
        )
    told = "; or ".join(dict.fromkeys(map(_summary, found)))
    reason = f"the LimitRanges {named} contradict each other and are applied in any order: {told}"
    return msgspec.structs.replace(
        first, verdict="unassessed", reason=reason, alternatives=tuple(found)
    )


def _summary(one: Admission) -> str:
    if one.verdict == "refused":
        return f"refused ({one.code}): {one.messages[0].text}"
    filled = [
        f"{'.'.join(map(str, path[-2:]))} {value}"
        for path, value, by in one.changes
        if by is not None and path[-2] in ("limits", "requests")
    ]
    return f"admitted with {', '.join(dict.fromkeys(filled))}"
