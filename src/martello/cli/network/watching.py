"""Flows against policies: what a proposal would drop (shadow), and how policies and flows part
(drift).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
import msgspec

from martello.cli.judging import config_of, judged
from martello.cli.network.opening import Opened
from martello.cli.outputs import write_each
from martello.cli.reports import Output, screen
from martello.cli.run import report_of
from martello.core.errors import BadInput
from martello.core.resource import Ref
from martello.practices.network.learn.model import Options
from martello.practices.network.lint.together import Noted
from martello.report.model import Report, Screen
from martello.report.network.lesson import Listed
from martello.report.network.listed import Lists
from martello.report.text import clean, hanging, plural

if TYPE_CHECKING:
    from martello.adapters.flows.read import FlowReading
    from martello.practices.network.learn.drift import Drift

_DAY = 86_400


def watch(
    world: Opened, flows: FlowReading, outputs: Sequence[Output], flags: dict[str, Any]
) -> int:
    """Runs `learn --shadow` or `learn --drift`; the exit code: 1 where something would be dropped,
    or is."""
    options = Options(namespaces=tuple(flags["namespaces"]), profile=world.profile)
    if flags["shadow"]:
        return _shadow(world, flows, outputs, flags, options)
    return _drift(world, flows, outputs, flags, options)


def _shadow(
    world: Opened,
    flows: FlowReading,
    outputs: Sequence[Output],
    flags: dict[str, Any],
    options: Options,
) -> int:
    """Tells each edge as it is dropped first, while flows come; then the counts."""
    from martello.practices.network.learn.shadow import Drop, shadow

    follow = any(o.format == "text" and not o.file for o in outputs)
    columns = screen(sys.stdout).width
    found: dict[tuple[str, str, str, int], Drop] = {}
    for drop in shadow(flows, world.cluster, _policies(flags["shadow"]), options):
        key = (drop.source, drop.destination, drop.protocol, drop.port)
        if follow and key not in found:
            click.echo("\n".join(hanging(_told(drop), columns, 12)))
        found[key] = drop
    entries = tuple(
        Listed(
            f"{d.source} → {d.destination} {d.protocol} {d.port}",
            f"{d.verdict}: {d.why}; {plural(d.times, 'flow')}",
            d.witness,
        )
        for d in found.values()
    )
    dropped = sum(1 for d in found.values() if d.verdict == "denied")
    total = sum(d.times for d in found.values())
    summary = f"{plural(flows.flows, 'flow')} read, {total:,} of them would be dropped"
    summary += f" ({plural(dropped, 'edge')}); nothing is enforced"
    lists = Lists((("would be dropped", () if follow else entries),), summary)
    _write(lists, "shadow", entries, outputs)
    return 1 if dropped else 3 if found else 0


def _told(drop: Any) -> str:
    word = "would drop" if drop.verdict == "denied" else "may drop  "
    where = f" ({drop.witness})" if drop.witness else ""
    ends = f"{drop.source} → {drop.destination} {drop.protocol} {drop.port}"
    return clean(f"{word}  {ends}  {drop.why}{where}")


def _policies(folder: str) -> list[dict[str, Any]]:
    from martello.adapters.manifests import read_paths

    if not Path(folder).exists():
        raise BadInput(f"cannot read {folder}", "there is no such directory", "check --shadow")
    reading = read_paths([folder])
    for entry in reading.unassessed:
        raise BadInput(f"cannot read {entry.location}", entry.reason, "mend it")
    found = [r.raw for r in reading.resources if r.ref.kind.endswith("NetworkPolicy")]
    if not found:
        raise BadInput(f"no policies in {folder}", "no object there is one", "check --shadow")
    return found


def _drift(
    world: Opened,
    flows: FlowReading,
    outputs: Sequence[Output],
    flags: dict[str, Any],
    options: Options,
) -> int:
    from martello.practices.network.learn.drift import drift

    now = time.time()
    found = drift(flows, world.cluster, now - flags["days"] * _DAY, options)
    unused = tuple(
        Listed(f"{u.source} → {u.destination} {u.ports}", "allowed, never used")
        for u in found.unused
    )
    demand = tuple(
        Listed(
            f"{d.source} → {d.destination} {d.protocol} {d.port}",
            (d.why or "policies allow it: something else drops it")
            + f"; {plural(d.count, 'flow')}",
            next(iter(d.witnesses), ""),
        )
        for d in found.demand
    )
    old = f" ({found.older:,} older: --days counts more)" if found.older else ""
    summary = f"{plural(found.flows, 'flow')} of the last {flags['days']} days{old}: "
    summary += f"{plural(len(unused), 'pair')} allowed and unused, {len(demand):,} tried and denied"
    if not found.flows:
        summary = f"no flow of the last {flags['days']} days{old}: nothing can be said"
        unused = ()
    lists = Lists((("tried and denied", demand), ("allowed and unused", unused)), summary)
    report = None
    if any(o.format in ("sarif", "junit") for o in outputs):
        counted = found if found.flows else msgspec.structs.replace(found, rules=())
        report = _report(world, counted, flags)
    _write(lists, "drift", (*demand, *unused), outputs, report)
    return 1 if found.demand else 0 if found.flows else 3


def _report(world: Opened, found: Drift, flags: dict[str, Any]) -> Report:
    config = config_of({})
    facts = {"flows": tuple(_notes(found, flags["days"], world))}
    scan, checks = judged([world.reading], config, ["NET-022", "NET-023"], {}, facts)
    return report_of(scan, checks, config)


def _notes(found: Drift, days: int, world: Opened) -> Iterable[Noted]:
    for rule in found.rules:
        message = f"nobody was seen to use this rule in {plural(days, 'day')}"
        yield Noted("NET-022", rule.policy.ref, message, rule.path)
    for demand in found.demand:
        ends = f"{demand.source} tries {demand.destination} {demand.protocol} {demand.port}"
        ref = _ref(world, demand.destination) or _ref(world, demand.source)
        why = demand.why or "policies allow it, something else drops it"
        nobody = Ref("", "v1", "Cluster", "", "")
        yield Noted("NET-023", ref or nobody, f"{ends}: {why}")


def _ref(world: Opened, name: str) -> Ref | None:
    found = (e for e in world.reach.world.endpoints if e.name == name)
    endpoint = next(found, None)
    return world.cluster.root(endpoint.resource).ref if endpoint is not None else None


def _write(
    lists: Lists,
    kind: str,
    entries: Sequence[Listed],
    outputs: Sequence[Output],
    report: Report | None = None,
) -> None:
    for output in outputs:
        if output.format == "yaml" or (report is None and output.format in ("sarif", "junit")):
            raise BadInput(f"--{kind} is not written as {output.format}", "", "text or json")

    def write(format: str, shown_on: Screen, out: IO[str]) -> None:
        if format in ("sarif", "junit"):
            import_module(f"martello.report.{format}").write(report, out)
        elif format == "json":
            from martello.report.network.json import write_plain

            listed = [{"what": e.what, "why": e.why, "where": e.where} for e in entries]
            write_plain(kind, {"entries": listed, "summary": lists.summary}, out)
        else:
            from martello.report.network import listed as told

            told.text(lists, shown_on, out)

    write_each(outputs, write)
