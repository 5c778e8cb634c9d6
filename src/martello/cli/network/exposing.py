"""`network matrix --exposure`: ways in from outside, and what is open to pods not there yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, Any, Final

from martello.cli.network.opening import Opened
from martello.cli.network.showing import only
from martello.cli.outputs import write_each
from martello.cli.reports import Output
from martello.practices.network.decide.decide import Passing
from martello.practices.network.outer.exposure import Exposed, Exposure, exposure
from martello.practices.network.outer.internet import internet
from martello.report.model import Screen
from martello.report.network.exposed import Open, Opens

_CUT: Final = "the rules have too many peers to look at all: some newcomers are missing here"


def show_exposure(opened: Opened, outputs: Sequence[Output], flags: dict[str, Any]) -> bool:
    """Writes what strangers reach, and what newcomers would. Returns whether some of it is not
    known.
    """
    only(outputs, ("table", "json"), "the exposure")
    kept = frozenset(flags["namespaces"])
    found = exposure(opened.reach)
    notes = (*((_CUT,) if found.more else ()), *opened.notes)
    told = Opens(tuple(_outside(opened, kept)), tuple(_newcomers(found, kept)), notes)

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        from martello.report.network import exposed

        getattr(exposed, format)(told, screen, out)

    write_each(outputs, write)
    return found.more or any(row.verdict == "unknown" for row in (*told.outside, *told.newcomers))


def _outside(opened: Opened, kept: frozenset[str]) -> Iterator[Open]:
    for entry in internet(opened.reach, opened.cluster):
        if kept and entry.workload.partition("/")[0] not in kept:
            continue
        by = entry.resource.ref.local
        way = f"{entry.kind} {by}" + (f", through {entry.via}" if entry.via else "")
        if entry.internal:
            way += ", private network only"
        what = f"{entry.protocol} {entry.target}"
        where = str(entry.resource.locate(entry.path))
        yield Open(entry.workload, "in", entry.verdict, what, way, entry.reason, where)


def _newcomers(found: Exposure, kept: frozenset[str]) -> Iterator[Open]:
    for workload, direction in found.unprotected:
        if not kept or workload.partition("/")[0] in kept:
            who = "anyone: no policy isolates it"
            yield Open(workload, direction, "allowed", "all", who)
    for row in found.rows:
        if kept and row.workload.partition("/")[0] not in kept:
            continue
        if (row.workload, row.direction) not in found.unprotected:
            yield from _row(row)


def _row(row: Exposed) -> Iterator[Open]:
    who = str(row.witness)
    if row.passing:
        yield Open(row.workload, row.direction, "allowed", _words(row.passing), who)
    if row.maybe and row.maybe.conn.ranges:  # that nothing is said of ping is so for every port
        reason = "; ".join(row.because)
        yield Open(row.workload, row.direction, "unknown", _words(row.maybe), who, reason)
    if not row.passing and not row.maybe and row.admitted:
        why = "its own rules wait for them, another policy stops them"
        yield Open(row.workload, row.direction, "denied", _words(row.admitted), who, why)


def _words(passing: Passing) -> str:
    """What passes, ports that only the other end gives a number by their names."""
    words = [str(passing.conn)] if passing.conn else []
    words += [f"{p.protocol} port {p.name}".strip() for p in passing.shown]
    return " and ".join(words) or "any port by name"
