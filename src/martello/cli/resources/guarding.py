"""`resources quota --write`: guards from evidence, proved, then written or applied."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec

from martello.cli.outputs import write_each
from martello.cli.progress import Progress
from martello.cli.reports import Output
from martello.cli.resources.blasting import crown_of
from martello.cli.resources.bounding import spaces_of
from martello.cli.resources.kubelets import kubelets
from martello.cli.resources.opening import Opened, opened
from martello.core.cluster import Cluster
from martello.core.errors import Refused as RefusedError
from martello.core.usage import Gap
from martello.practices.resources.amounts import text
from martello.practices.resources.blast import caps
from martello.practices.resources.guards.model import (
    Evidence,
    Guards,
    Headroom,
    Proof,
    Refused,
    Size,
)
from martello.practices.resources.guards.prove import proved
from martello.practices.resources.guards.scoring import State
from martello.practices.resources.node.model import Use
from martello.practices.resources.node.pods import pods
from martello.practices.resources.node.settings import nodes
from martello.report.model import Screen
from martello.report.resources.guards import model as told

if TYPE_CHECKING:
    from martello.practices.resources.usage.demand import Demand

_DEPTH: Final = 3_000  # pods up to which attackers of whole namespaces are tried, too


def guard_command(outputs: Sequence[Output], flags: dict[str, Any]) -> int:
    """Writes what was made and proved; the exit code. Raises BadInput, Refused, and what reading
    raises.
    """
    if flags["apply"]:
        from martello.cli.access.applying import live_only

        live_only(flags)
    seen = opened(flags)
    found, proof, source, notes = made_of(seen, spaces_of(seen, flags), flags)
    shown = tell(seen, found, proof, source, notes)
    if proof.holds and flags["folder"]:
        from martello.cli.resources.guard_files import next_steps, write_guards

        written = write_guards(found, flags["folder"])
        steps = next_steps(found, flags["folder"])
        shown = msgspec.structs.replace(shown, written=written, next=steps)
    if flags["apply"]:
        from martello.cli.resources.guard_files import apply

        _clean(shown, flags)
        shown = msgspec.structs.replace(shown, applied=apply(seen, found, flags))
    code = ending(shown, flags)
    show(msgspec.structs.replace(shown, exit=code), outputs)
    return code


def show(shown: told.Told, outputs: Sequence[Output]) -> None:
    """To the screen, or to files."""

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        if format == "json":
            from martello.report.resources.guards import json

            json.write(shown, out)
        else:
            from martello.report.resources.guards import text as screens

            screens.write(shown, screen, out)

    write_each(outputs, write)


def ending(shown: told.Told, flags: dict[str, Any]) -> int:
    """1 where the proof does not hold, 3 where anything was assumed or could not be read."""
    if not shown.proof.holds:
        return 1
    return 3 if (shown.missing or shown.assumed) and not flags["allow_incomplete"] else 0


def _clean(shown: told.Told, flags: dict[str, Any]) -> None:
    """Raises Refused where there is any doubt about what is to be applied."""
    proof = shown.proof
    doubts = [
        (not proof.holds, "the proof does not hold: objects would be refused, or a blast wider"),
        (bool(shown.missing), "parts of the cluster could not be read"),
        (
            bool(shown.assumed) and not flags["allow_incomplete"],
            "defaults are a guess for what nobody measured: --prometheus URL, --samples FILE, or "
            "--allow-incomplete",
        ),
    ]
    for doubt, why in doubts:
        if doubt:
            raise RefusedError(
                "nothing is applied", why, "leave out --apply, and --write DIR to review it"
            )


def made_of(
    seen: Opened, spaces: Sequence[str], flags: dict[str, Any]
) -> tuple[Guards, Proof, str, tuple[str, ...]]:
    """Guards with their proof, where measurements come from, and what could not be had."""
    with Progress() as progress:
        progress("looking at nodes and pods")
        known = kubelets(flags["kubelets"], seen.reading, flags)
        sizes, source, notes = _sizes(seen, flags)
        progress("making guards, and proving them")
        cluster, state = state_of(seen, known.configurations, known.stats, known.use)
        evidence = Evidence(
            sizes=sizes,
            disk=dict(_disk(cluster, known.use)),
            pids=max((one.pids or 0 for one in known.use.values()), default=0) or None,
        )
        found, proof = proved(cluster, spaces, evidence, state)
    return found, proof, source, (*known.notes, *notes)


def state_of(
    seen: Opened, configurations: Any = None, stats: Any = None, use: dict[str, Use] | None = None
) -> tuple[Cluster, State]:
    """What blasts are asked of: containers, and whole namespaces where the world is not large."""
    from martello.cli.access.opening import world_of
    from martello.cli.resources.rights import may
    from martello.practices.access import access

    found = nodes(seen.cluster, configurations, stats)
    small = len(pods(seen.cluster)) <= _DEPTH
    if not small:
        return seen.cluster, State(found, use or {}, crown=crown_of)
    cluster = world_of(seen.reading)
    rights = may(cluster, access(cluster))
    return cluster, State(found, use or {}, rights, crown_of, levels=("container", "namespace"))


def _disk(world: Cluster, use: dict[str, Use]) -> Iterator[tuple[str, int]]:
    """The most disk that a pod of each workload was seen to take."""
    most: dict[str, int] = defaultdict(int)
    for pod in pods(world, use) if use else ():
        disk = pod.use.disk
        if disk is None and pod.parts and all(part.use.disk is not None for part in pod.parts):
            disk = sum(part.use.disk or 0 for part in pod.parts)
        if disk is not None:
            most[pod.owner] = max(most[pod.owner], disk)
    yield from most.items()


def _sizes(seen: Opened, flags: dict[str, Any]) -> tuple[dict[str, Size], str, tuple[str, ...]]:
    """What containers were measured to need, where anybody measured."""
    if not (flags["prometheus"] or flags["samples"] or "demo" in flags["files"]):
        return {}, "", ()
    gaps: list[Gap] = []
    found = demands(seen, flags, gaps)
    sizes = {_key(demand): size for demand in found if (size := _size(demand)) is not None}
    lost = tuple(f"{gap.what}: {gap.why}" for gap in gaps if gap.of is None)
    return sizes, flags["prometheus"] or ", ".join(flags["samples"]) or "the demo's month", lost


def demands(seen: Opened, flags: dict[str, Any], gaps: list[Gap]) -> Iterator[Demand]:
    """What each container was measured to ask for. Raises what measuring raises."""
    from martello.cli.resources.measuring import measured
    from martello.practices.resources.usage.gather import gather, window

    one = measured(flags, seen.cluster, (), lambda _: None)
    chunks = one.source.chunks(one.since, one.until)
    yield from gather(chunks, window(one.since, one.until), gaps=gaps)


def _key(demand: Demand) -> str:
    return f"{demand.key.namespace}/{demand.key.workload}/{demand.key.container}"


def _size(demand: Demand) -> Size | None:
    """As `resources advise` sizes it; None where it was measured for less than a day."""
    from martello.practices.resources.sizing.advise import advise

    sizes = advise(demand).sizes
    if sizes is None:
        return None
    cpu = None if sizes.cores is None else -int(-sizes.cores * 1000 // 1)
    memory = None if sizes.memory is None else -int(-sizes.memory // 1)
    return Size(cpu, memory)


def tell(seen: Opened, found: Guards, proof: Proof, source: str, notes: Sequence[str]) -> told.Told:
    """Guards and proof in the words of the report."""
    spaces: dict[str, list[told.Made]] = {}
    for one in found.objects:
        ref = one.ref
        rooms = [h for h in proof.headroom if (h.namespace, h.quota) == (ref.namespace, ref.name)]
        made = told.Made(f"{one.ref.kind} {one.ref.name}", tuple(_says(one.spec)), _rooms(rooms))
        spaces.setdefault(one.ref.namespace, []).append(made)
    for patch in found.patches:
        made = told.Made(f"patch of {patch.ref.kind} {patch.ref.name}", patch.says)
        spaces.setdefault(patch.ref.namespace, []).append(made)
    if found.fragments:
        spaces[""] = [told.Made(one.name, one.says) for one in found.fragments]
    return told.Told(
        spaces=tuple(told.Space(name, tuple(made)) for name, made in spaces.items()),
        classes=tuple(told.Made(one.ref.name, tuple(_of_class(one.raw))) for one in found.classes),
        proof=told.Proved(
            holds=proof.holds,
            pods=proof.pods,
            workloads=proof.workloads,
            at_most=proof.at_most,
            objects=proof.objects,
            refused=tuple(map(_kept, proof.refused)),
            unassessed=tuple(map(_kept, proof.unassessed)),
            already=tuple(map(_kept, proof.already)),
            scores=tuple(
                told.Scored(s.level, s.worst, s.mean, s.risen, s.why) for s in proof.scores
            ),
            moved=proof.moved,
            ended=tuple(told.Ended(one.owner, *by) for one in proof.kept for by in one.by),
        ),
        source=source,
        assumed=found.assumed,
        left=found.left,
        notes=tuple(notes),
        missing=seen.missing,
    )


def _says(spec: dict[str, Any]) -> Iterator[str]:
    """What a LimitRange gives, or whom a quota keeps out."""
    words = (("default", "limit"), ("defaultRequest", "request"), ("min", "at least"))
    for item in spec.get("limits", ()):
        for key, word in words:
            given = item.get(key)
            if given:
                yield f"{word} {', '.join(f'{name} {value}' for name, value in given.items())}"
    for scope in spec.get("scopeSelector", {}).get("matchExpressions", ()):
        none = spec["hard"] == {"pods": "0"}
        yield f"{'no pod' if none else 'pods'} of {', '.join(scope['values'])}"


def _of_class(raw: dict[str, Any]) -> Iterator[str]:
    yield f"value {raw['value']:,}"
    policy = raw.get("preemptionPolicy")
    yield "displaces nobody (Never)" if policy == "Never" else "displaces what is below it"
    yield "the default of all others" if raw.get("globalDefault") else "nobody's default"


def _rooms(found: Sequence[Headroom]) -> tuple[told.Room, ...]:
    return tuple(
        told.Room(
            one.key,
            _amount(one.key, one.now),
            _amount(one.key, one.most),
            _amount(one.key, one.hard),
            max(one.now, one.most) / one.hard if one.hard else 0.0,
        )
        for one in found
    )


def _amount(key: str, milli: int) -> str:
    if key.endswith(("memory", "storage")):
        return caps.size(-(-milli // 1000))
    return text(milli)


def _kept(one: Refused) -> told.Kept:
    return told.Kept(one.object, one.when, one.code, one.says)
