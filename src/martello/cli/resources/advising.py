"""`resources advise`: measured use, a namespace at a time, to advice, patches and a report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec

from martello.cli.errors import nearest
from martello.cli.outputs import write_each
from martello.cli.progress import Progress
from martello.cli.reports import Output
from martello.cli.resources.measuring import Measured, measured, seconds
from martello.cli.resources.opening import Opened, opened
from martello.core.errors import BadInput, MartelloError
from martello.core.usage import Counts, Gap
from martello.report.model import Screen
from martello.report.text import plural

if TYPE_CHECKING:
    from martello.core.sizing import Advice, Key, Today
    from martello.practices.resources.usage.demand import Demand
    from martello.report.resources.advice.model import Told

_ALWAYS: Final = ("deploy/", "sts/", "ds/")  # workloads whose pods are there all the time


def advise_command(words: Sequence[str], outputs: Sequence[Output], flags: dict[str, Any]) -> int:
    """Writes what was found; the exit code. Raises BadInput, and what reading raises."""
    from martello.cli.resources.patching import write_patches

    world = _world(flags)
    told, broken = _told(words, world, flags)
    if flags["folder"]:
        written = write_patches(told.advised, world.cluster if world else None, flags["folder"])
        told = msgspec.structs.replace(
            told, written=written, left=told.refused, folder=flags["folder"]
        )

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        module = import_module(f"martello.report.resources.advice.{format}")
        if format == "text":
            module.write(told, screen, out)
        else:
            module.write(told, out)

    write_each(outputs, write)
    if broken is not None:
        raise broken
    return told.exit


def _world(flags: dict[str, Any]) -> Opened | None:
    """The objects; None where only files of samples are named."""
    if flags["samples"] and not (flags["files"] or flags["context"] or flags["kubeconfig"]):
        return None
    return opened(flags)


def _told(
    words: Sequence[str], world: Opened | None, flags: dict[str, Any]
) -> tuple[Told, MartelloError | None]:
    """The advice, and the error that ended it early where some of it was had."""
    from martello.practices.resources.sizing.admitted import admitted
    from martello.practices.resources.sizing.advise import advise
    from martello.practices.resources.sizing.cautions import with_targets
    from martello.practices.resources.sizing.today import today
    from martello.report.resources.advice.model import Told

    known: dict[Key, Today] = today(world.cluster) if world else {}
    asked = _Asked(words, flags["namespaces"])
    horizon = seconds(flags["horizon"], "--horizon")
    found: list[Advice] = []
    gaps: list[Gap] = []
    broken: MartelloError | None = None
    with Progress() as progress:
        seen = measured(
            flags, world.cluster if world else None, asked.pods, lambda c: _say(progress, c)
        )
        demands = _demands(seen, gaps, asked, lambda c: _say(progress, c))
        try:
            for group in demands:
                made = [advise(demand, known.get(demand.key), horizon) for demand in group]
                found += with_targets(made)
        except MartelloError as error:
            if not found:
                raise
            broken = error
    if world is not None:
        found = admitted(world.cluster, found)
    had = {one.key for one in found}
    found += _silent(known, had, asked, gaps)
    if not found:
        raise BadInput(
            f"no samples of {', '.join(words) or 'any container'} in {seen.name}",
            "; ".join([f"{gap.what}: {gap.why}" for gap in gaps[:2]] + _nearest(words, known)),
            "name another time with --since and --until, or check the workload's name",
        )
    told = Told(
        advices=tuple(sorted(found, key=lambda one: one.key)),
        source=seen.name,
        days=(seen.until - seen.since) / 86_400,
        samples=seen.source.counts.samples,
        lost=tuple(_gap(gap) for gap in gaps if gap.of is None),
        missing=(*(world.missing if world else ()), *asked.unmet(found)),
        notes=tuple(_notes(world, seen, broken)),
        everything=flags["everything"],
    )
    return msgspec.structs.replace(told, **_exit(told, flags, broken)), broken


def _nearest(words: Sequence[str], known: Mapping[Key, Today]) -> list[str]:
    """The workload among the objects that the first word is most like."""
    names = {key.workload for key in known}
    return [f"the nearest is {nearest(words[0], sorted(names))}"] if words and names else []


def _say(progress: Progress, counts: Counts) -> None:
    where = f" in {counts.namespace}" if counts.namespace else ""
    progress(
        f"{counts.samples:,} samples read{where}; namespaces", len(counts.finished), counts.total
    )


def _demands(
    seen: Measured, gaps: list[Gap], asked: _Asked, tell: Callable[[Counts], None]
) -> Iterator[list[Demand]]:
    """What the containers of each workload asked for; those that are whole, before an error."""
    from martello.cli.resources.measuring import counted
    from martello.practices.resources.usage.gather import gather, window

    done = seen.source.counts.finished
    chunks = counted(seen.source, seen.source.chunks(seen.since, seen.until), tell)
    group: list[Demand] = []
    try:
        for demand in gather(
            chunks, window(seen.since, seen.until), gaps=gaps, finished=lambda name: name in done
        ):
            if not asked.for_(demand.key):
                continue
            if group and _workload(group[0]) != _workload(demand):
                yield group
                group = []
            group.append(demand)
    except MartelloError:
        if group:
            yield group
        raise
    if group:
        yield group


def _workload(demand: Demand) -> tuple[str, str]:
    return demand.key.namespace, demand.key.workload


class _Asked:
    """Which containers are asked about: `web`, `deploy/web`, `shop/deploy/web`, or all."""

    def __init__(self, words: Sequence[str], namespaces: Sequence[str]) -> None:
        self.namespaces = frozenset(namespaces)
        self.words = [tuple(word.split("/")) for word in words]
        for word, parts in zip(words, self.words, strict=True):
            if len(parts) > 3 or not all(parts):
                raise BadInput(f"{word} is no workload", "", "web, deploy/web or shop/deploy/web")

    @property
    def pods(self) -> tuple[str, ...]:
        """How the names of their pods begin; empty: any."""
        return tuple(parts[-1] for parts in self.words)

    def for_(self, key: Key) -> bool:
        """Whether a container is asked about."""
        if self.namespaces and key.namespace not in self.namespaces:
            return False
        return not self.words or any(_meant(key, parts) for parts in self.words)

    def unmet(self, found: Sequence[Advice]) -> Iterator[str]:
        """What was asked about and is not there, neither measured nor among the objects."""
        for parts in self.words:
            if not any(_meant(one.key, parts) for one in found):
                yield f"{'/'.join(parts)}: no samples of it, and no such workload"
        for name in sorted(self.namespaces - {one.key.namespace for one in found}):
            yield f"namespace {name}: no samples of it, and no workloads"


def _meant(key: Key, parts: tuple[str, ...]) -> bool:
    whole = (key.namespace, *key.workload.split("/"))
    return whole[-len(parts) :] == parts


def _silent(
    known: Mapping[Key, Today], had: set[Key], asked: _Asked, gaps: Sequence[Gap]
) -> Iterator[Advice]:
    """Containers among the objects that nothing was measured of."""
    from martello.core.sizing import Advice

    queries = {(gap.of.namespace, gap.of.container): gap.what for gap in gaps if gap.of}
    for key, now in sorted(known.items()):
        if key in had or not asked.for_(key) or now.replicas == 0:
            continue
        if asked.words or key.workload.startswith(_ALWAYS):
            query = queries.get((key.namespace, key.container), "")
            why = f"no data: {query or 'there are no samples of it'}"
            yield Advice(key=key, now=now.sizes, today=now, unassessed=why)


def _gap(gap: Gap) -> str:
    where = f" ({gap.namespace})" if gap.namespace else ""
    return f"{gap.what}{where}: {gap.why}"


def _notes(world: Opened | None, seen: Measured, broken: MartelloError | None) -> Iterator[str]:
    if world is None:
        yield "without -f or --context nobody says what is set today"
    if broken is not None:
        yield f"it ended early: {broken.what}"
    for why, count in sorted(seen.source.counts.dropped.items()):
        yield f"{count:,} samples left out: {why}"


def _exit(told: Told, flags: Mapping[str, Any], broken: MartelloError | None) -> dict[str, Any]:
    if broken is not None:
        return {"exit": broken.exit_code, "reason": broken.what}
    if told.refused:
        refused = f"the sizes of {plural(len(told.refused), 'workload')}"
        return {"exit": 1, "reason": f"{refused} would be refused"}
    blank, doubts = len(told.unassessed), sum(bool(one.doubt) for one in told.advices)
    if flags["allow_incomplete"] or not (blank or doubts or told.missing):
        return {"exit": 0, "reason": ""}
    words = "objects unread"
    if blank or doubts:
        what = "unassessed" if blank else "with sizes of which nobody knows whether they fit guards"
        words = f"{blank or doubts} of {len(told.advices)} containers {what}"
    return {"exit": 3, "reason": f"{words} (--allow-incomplete)"}
