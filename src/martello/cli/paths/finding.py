"""`paths find` and `paths cut`: the classes of paths, and the cheapest edits that end them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import IO, Any

import msgspec

from martello.cli.access.writing import write_documents
from martello.cli.errors import nearest
from martello.cli.outputs import write_each
from martello.cli.paths import places
from martello.cli.paths.alerted import alerted
from martello.cli.paths.findings import finding, reported
from martello.cli.paths.opening import Known, inputs, known
from martello.cli.paths.telling import remedy, way
from martello.cli.paths.weighing import USED, weigh
from martello.cli.progress import Progress
from martello.cli.reports import Output
from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.paths import Options, cut, find
from martello.paths.change import applied, verified
from martello.paths.facts import Facts
from martello.paths.find import footholds_of
from martello.paths.model import Cut, Inputs, PathClass, Proposition
from martello.report.model import Screen
from martello.report.paths.model import Told

PLAIN = ("sarif", "junit", "markdown", "github")  # formats of findings, whatever they are of


def find_command(outputs: Sequence[Output], flags: dict[str, Any]) -> int:
    """Writes the classes of paths; the exit code. Raises BadInput, and what reading raises."""
    told, classes, world = look(flags)
    write(told, classes, world, outputs, "find")
    return told.report.exit


def cut_command(outputs: Sequence[Output], flags: dict[str, Any]) -> int:
    """Writes the cheapest cut, and with --write its objects; the exit code."""
    told, classes, world = look(flags)
    if flags["folder"] and told.remedy is not None:
        made = write_documents(told.objects, f"{flags['folder']}/apply")
        gone = write_documents(told.removed, f"{flags['folder']}/delete")
        told = msgspec.structs.replace(told, written=(*made, *gone), folder=flags["folder"])
    write(told, classes, world, outputs, "cut")
    return told.report.exit


def look(flags: dict[str, Any]) -> tuple[Told, tuple[PathClass, ...], Known]:
    """The paths of the world that the flags name, with their cut, proved on the edited cluster."""
    world = known(flags)
    begun = places.footholds(flags["footholds"], world.facts)
    asked = places.goals(flags["goals"], world.facts, world.own)
    weighed = weigh(world, flags["events"], alerted(flags["state"]))
    limit = 0 if flags["everything"] else 20
    options = Options(
        system=flags["system"],
        limit=limit,
        weights=weighed.weights,
        seen=weighed.used,
        keep=_kept(world.facts, flags["keep"]),
        own=places.own(flags["goals"], world.own),
    )
    with Progress() as progress:
        progress("looking for paths")
        starts = begun or footholds_of(world.facts, options)
        classes = find(world.facts, footholds=starts, goals=asked, options=options)
        progress("looking for the cheapest cut")
        ending = _cut(world, starts, asked, options) if classes else None
    command = f"martello paths cut{_again(flags)} --write fixes/" if not flags["folder"] else ""
    report = reported(world.opened, map(finding, classes), flags, command)
    objects, removed = _edited(world, ending)
    told = Told(
        ways=tuple(way(one) for one in classes),
        remedy=remedy(ending, world.facts, classes, weighed.weights)
        if ending is not None
        else None,
        footholds=len(starts),
        goals=tuple(places.words(goal) for goal in places.asked_goals(asked, options.own)),
        report=report,
        limited=bool(limit) and len(classes) >= limit,
        everything=flags["everything"],
        notes=(
            *world.notes,
            *(weighed.notes if classes or flags["events"] else ()),
            *_taken(ending, weighed.weights),
        ),
        missing=world.opened.missing,
        objects=objects,
        removed=removed,
    )
    return told, classes, world


def _taken(ending: Cut | None, weights: Mapping[str, int]) -> tuple[str, ...]:
    """What to do where the cheapest cut takes away what somebody uses."""
    if ending is None or all(weights.get(one.id, 0) < USED for one in ending.edits):
        return ()
    return ("the cut takes what is used: martello access trim --paths keeps that and no more",)


def _again(flags: dict[str, Any]) -> str:
    """The flags that ask the same of the same world."""
    words = [("-f", word) for word in flags["files"]]
    words += [("--from", word) for word in flags["footholds"]]
    words += [("--to", word) for word in flags["goals"]]
    words += [(f"--{name}", flags[name]) for name in ("context", "kubeconfig") if flags[name]]
    return "".join(f" {flag} {shlex.quote(word)}" for flag, word in words)


def _kept(facts: Facts, keep: Sequence[str]) -> tuple[str, ...]:
    """What --keep names: objects, or ids of edits. Raises BadInput for what is not there: a word
    that is misspelled would keep nothing.
    """
    if keep:
        known = {str(one.ref.local) for one in facts.cluster.resources}
        ids = {edit.id for fact in facts.program.facts.values() for edit in fact.edits}
        for word in keep:
            if word not in known and word not in ids:
                why = f"the nearest is {nearest(word, sorted(known))}"
                raise BadInput(f"not here: {word}", why, "such as --keep shop/RoleBinding/ci")
    return tuple(keep)


def _cut(
    world: Known,
    starts: tuple[Proposition, ...],
    asked: tuple[Proposition, ...] | None,
    options: Options,
) -> Cut:
    """The cut, tried on the edited cluster, of which every practice is asked anew."""

    def anew(cluster: Cluster) -> Inputs:
        wanted = world.facts.inputs.starving is not None
        return inputs(cluster, world.weak, world.own, starve=wanted)[0]

    made = cut(world.facts, footholds=starts, goals=asked, options=options)
    return verified(
        world.facts, made, starts, places.asked_goals(asked, options.own), anew, options.own
    )


def _edited(
    world: Known, ending: Cut | None
) -> tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]]:
    """The objects as the cut leaves them, and those that it removes."""
    if ending is None or not ending.edits:
        return (), ()
    after = applied(world.facts.cluster, ending.edits)
    objects: list[dict[str, Any]] = []
    removed: list[dict[str, Any]] = []
    for ref in dict.fromkeys(change.ref for edit in ending.edits for change in edit.changes):
        found = after.get(ref.group_kind, ref.namespace, ref.name)
        if found is not None:
            objects.append(dict(found.raw))
            continue
        metadata = {"name": ref.name} | ({"namespace": ref.namespace} if ref.namespace else {})
        removed.append({"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata})
    return tuple(objects), tuple(removed)


def write(
    told: Told,
    classes: Sequence[PathClass],
    world: Known,
    outputs: Sequence[Output],
    what: str,
) -> None:
    """Writes every output in its format."""

    def one(format: str, screen: Screen, out: IO[str]) -> None:
        if format in PLAIN:
            import_module(f"martello.report.{format}").write(told.report, out)
        elif format == "text" or format == "json":
            getattr(import_module(f"martello.report.paths.{format}"), what)(told, screen, out)
        else:
            from martello.cli.paths.picturing import picture

            picture(format, told, world, out)

    write_each(outputs, one)
