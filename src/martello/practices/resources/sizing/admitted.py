"""Whether the API server would take advised sizes: each workload is rolled out with them, by the
engine of admission, against LimitRanges and quotas as they are.

A roll-out holds where the pods all fit in place of those of today; and, where a new pod comes
before an old one goes, where the first new one fits beside all old ones, and the last old one
beside all new ones (between the two the sum moves evenly). Advice of one namespace shares its
quotas: what asks for less goes first, and what does not fit yet is tried again once others have
made room.

Then each workload grows to its autoscaler's maximum, the others as they are after the advice. What
quotas let in fewer of than with today's sizes is refused; what they cut off sooner or later with
today's sizes, too, is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.sizing import Advice, Key
from martello.core.workload import Workload, workload_of
from martello.practices.resources.admission.held import pods_of, there
from martello.practices.resources.admission.pipeline import Admission
from martello.practices.resources.admission.quotas import Quota, quotas, spent
from martello.practices.resources.admission.workloads import made
from martello.practices.resources.amounts import Malformed
from martello.practices.resources.guards.most import overlaps, scaled
from martello.practices.resources.replicas import wanted
from martello.practices.resources.sizing.patch import resized

_GUARDS: Final = ("LimitRange", "ResourceQuota")
_ROUNDS: Final = 8  # in which others may make room
_REMEDY: Final = {
    "max": "raise it, or spread the load over more pods",
    "min": "lower it, or ask for that much",
    "maxLimitRequestRatio": "raise it, or bring request and limit together",
}
_GROW: Final = "raise it, or lower maxReplicas"
_QUOTA: Final = "raise it, or free room"
_BESIDE: Final = "raise it, or let the roll-out remove a pod first (maxUnavailable: 1)"


class _Answer(msgspec.Struct, frozen=True):
    """One roll-out: why it is refused, or why that is not known, and the quotas after it."""

    quotas: tuple[Quota, ...]
    refused: str = ""
    doubt: str = ""
    careful: str = ""  # refused at the autoscaler's maximum, with today's sizes no later


def admitted(world: Cluster, advised: Sequence[Advice]) -> list[Advice]:
    """The same advice, with a caution where the server would refuse it, or where nobody knows."""
    ready = sorted(
        (one for one in advised if one.sizes is not None and one.today is not None),
        key=lambda one: one.key,
    )
    answers: dict[tuple[str, str], _Answer] = {}
    for space, some in groupby(ready, key=lambda one: one.key.namespace):
        groups = {name: list(g) for name, g in groupby(some, key=lambda one: one.key.workload)}
        for name, answer in _of_namespace(world, space, groups):
            answers[space, name] = answer
    return [_told(one, answers.get(_workload(one.key))) for one in advised]


def _workload(key: Key) -> tuple[str, str]:
    return key.namespace, key.workload


def _told(one: Advice, answer: _Answer | None) -> Advice:
    if one.sizes is None or answer is None:
        return one
    words = answer.refused or answer.careful
    if answer.doubt and not answer.refused:
        words = f"whether the sizes are admitted is not known: {answer.doubt}"
    if not words:
        return one
    return msgspec.structs.replace(
        one, refused=answer.refused, doubt=answer.doubt, cautions=(words, *one.cautions)
    )


def _of_namespace(
    world: Cluster, space: str, groups: dict[str, list[Advice]]
) -> Iterator[tuple[str, _Answer]]:
    unread = next((kind for kind in _GUARDS if kind in world.unlisted), "")
    try:
        held = quotas(world, space)
        why = f"{unread}s could not be read: {world.unlisted[unread]}" if unread else ""
    except Malformed as error:
        held, why = (), str(error)
    if why:
        yield from ((name, _Answer((), doubt=why)) for name in groups)
        return
    left = dict(groups)
    for _ in range(_ROUNDS):
        settled = dict(_settled(world, left, held))
        found = {name: _grown(world, left[name], answer) for name, answer in settled.items()}
        late = [name for name in found if found[name].refused and not settled[name].refused]
        if not late:
            break
        for name in late:  # its sizes stay as they are: others are tried again beside that
            del left[name]
            yield name, found[name]
    yield from ((name, found[name]) for name in left)


def _settled(
    world: Cluster, groups: dict[str, list[Advice]], held: tuple[Quota, ...]
) -> Iterator[tuple[str, _Answer]]:
    """The roll-outs of a namespace, each beside those before it; all with the quotas that are left
    by the last.
    """
    done: dict[str, _Answer] = {}
    pending = sorted(groups, key=lambda name: (_grows(groups[name]), name))
    for _ in range(_ROUNDS):
        refused: dict[str, _Answer] = {}
        for name in pending:
            answer = _answer(world, groups[name], held)
            held = answer.quotas
            (refused if answer.refused else done)[name] = answer
        if len(refused) in (0, len(pending)):
            break
        pending = list(refused)
    for name, answer in {**done, **refused}.items():
        yield name, msgspec.structs.replace(answer, quotas=held)


def _grows(group: Iterable[Advice]) -> bool:
    return any(
        (one.sizes.cores or 0) > (one.now.cores or 0)
        or (one.sizes.memory or 0) > (one.now.memory or 0)
        for one in group
        if one.sizes is not None
    )


def _answer(world: Cluster, group: Sequence[Advice], held: tuple[Quota, ...]) -> _Answer:
    states = _states(world, group)
    if isinstance(states, str):
        return _Answer(held, doubt=states)
    try:
        return _rolled(world, states, held)
    except Malformed as error:
        return _Answer(held, doubt=str(error))


def _states(world: Cluster, group: Sequence[Advice]) -> tuple[Workload, Workload] | str:
    """The workload as it is and as it would be; or why it is not known."""
    today = group[0].today
    assert today is not None  # those without are left out above
    ref = today.ref
    resource = world.get(ref.group_kind, ref.namespace, ref.name)
    old = world.workload(resource) if resource is not None else None
    if resource is None or old is None:
        return "the workload is not among the objects"
    new = workload_of(resized(resource, old.path, group))
    return "it makes no pods" if new is None else (old, new)


def _grown(world: Cluster, group: Sequence[Advice], answer: _Answer) -> _Answer:
    """The same answer, or what its autoscaler's maximum changes in it. `answer.quotas` are those
    after all advice of the namespace.
    """
    states = _states(world, group)
    if answer.refused or answer.doubt or isinstance(states, str):
        return answer
    old, new = states
    count, scaler = scaled(new, world)
    if scaler is None or not wanted(new, world):
        return answer
    try:
        free = tuple(spent(quota, pods_of(new, world), -1) for quota in answer.quotas)
        then, today = (made(world, one, free, count) for one in (new, old))
    except Malformed as error:
        return msgspec.structs.replace(answer, doubt=str(error))
    if then.verdict != "refused":
        return answer
    says = (
        f"{_named(then)} would let in {then.fitting} of the {count} pods that {scaler.ref.kind} "
        f"{scaler.ref.name} may ask for (with today's sizes {today.fitting}): {_words(then)}: "
        f"{_GROW}"
    )
    worse = then.fitting < today.fitting
    return msgspec.structs.replace(answer, **{"refused" if worse else "careful": says})


def _rolled(world: Cluster, states: tuple[Workload, Workload], held: tuple[Quota, ...]) -> _Answer:
    """A workload that becomes another: the old state, the new one."""
    old, new = states
    resource = old.resource
    count = wanted(new, world)
    if not count:  # nothing is charged, but the next pod would be looked at
        one = made(world, new, (), 1)
        return _Answer(held, _refusal(one, world, old, ()), _doubt(one))
    before = there(world, resource)
    free = tuple(spent(quota, before, -1) for quota in held)
    found = made(world, new, free, count)
    if found.verdict != "admitted":
        return _Answer(held, _refusal(found, world, old, free), _doubt(found))
    last = [msgspec.structs.replace(one, count=1) for one in before if one.charge.kind == "pods"]
    if last and overlaps(new, count):
        ending = tuple(spent(quota, last[:1], 1) for quota in free)
        for room, pods in ((held, 1), (ending, count)):
            one = made(world, new, room, pods)
            if one.verdict == "refused":
                says = f"{_named(one)} leaves no room to roll it out: {_words(one)}: {_BESIDE}"
                return _Answer(held, says)
    return _Answer(found.quotas or free)


def _doubt(one: Admission) -> str:
    return one.reason if one.verdict == "unassessed" else ""


def _refusal(one: Admission, world: Cluster, old: Workload, room: Sequence[Quota]) -> str:
    """Who refuses it, in the server's words, what to do, and whether today's sizes fare better."""
    if one.verdict != "refused":
        return ""
    message = one.messages[0]
    pods = f"{one.wanted - one.fitting} of {one.wanted} pods" if one.fitting else "it"
    do = _QUOTA
    if message.by is None:
        do = "change what is set beside it"
    elif message.by.ref.kind == "LimitRange":
        do = _REMEDY.get(str(message.at[-1]) if message.at else "", "change it")
    today = made(world, old, room, one.wanted)
    alike = today.verdict == "refused" and today.messages[0].by is message.by
    also = " (so it does today's sizes)" if alike else ""
    return f"{_named(one)} would refuse {pods}{also}: {_words(one)}: {do}"


def _named(one: Admission) -> str:
    by = one.messages[0].by
    return f"{by.ref.kind} {by.ref.namespace}/{by.ref.name}" if by else "the API server"


def _words(one: Admission) -> str:
    more = len({message.text for message in one.messages}) - 1
    return one.messages[0].text + (f" (and {more} reasons more)" if more > 0 else "")
