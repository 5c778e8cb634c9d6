"""Learning from flows: what is read, what is proposed, its proof, and where it is written."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from martello.cli.network.opening import Opened, opened
from martello.cli.outputs import write_each
from martello.cli.reports import Output
from martello.core.errors import BadInput
from martello.practices.network.learn import model
from martello.practices.network.learn.model import Lesson, Options
from martello.report.model import Screen
from martello.report.network import lesson as told
from martello.report.network.lesson import Learned, Listed
from martello.report.text import clean, plural

if TYPE_CHECKING:
    from martello.adapters.flows.read import FlowReading

WITHHELD: Final[Mapping[str, str]] = {
    "metadata": model.METADATA,
    "api-server": model.API_SERVER,
    "single": model.SINGLE,
    "tenant": model.TENANT,
    "foreign": model.FOREIGN,
    "undeclared": model.UNDECLARED,
    "unanswered": model.UNANSWERED,
}
_LONGEST: Final = 200  # letters of a file's name, before its digest and ending
_SHARE: Final = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*%")


def learn_command(outputs: Sequence[Output], flags: dict[str, Any]) -> int:
    """Runs `network learn`; the exit code. Raises Refused where a flow that was seen would be
    denied.
    """
    from martello.adapters.flows.read import read_flows

    stdin = sys.stdin.buffer if "-" in flags["flows"] else None
    flows = read_flows(
        flags["flows"], reader=flags["reader"], stdin=stdin, max_bad=share(flags["max_bad"])
    )
    world = opened(flags)
    if flags["shadow"] or flags["drift"]:
        from martello.cli.network.watching import watch

        return watch(world, flows, outputs, flags)
    return _learn(world, flows, outputs, flags)


def _learn(
    world: Opened, flows: FlowReading, outputs: Sequence[Output], flags: dict[str, Any]
) -> int:
    from martello.practices.network.learn.learn import learn

    options = Options(
        namespaces=tuple(flags["namespaces"]),
        profile=world.profile,
        dialect=flags["dialect"],
        include_declared=flags["include_declared"],
        isolate_unseen=flags["isolate_unseen"],
        internet=tuple(flags["internet"]),
        withhold=tuple(WITHHELD[word] for word in flags["withhold"]),
    )
    found = learn(flows, world.cluster, options)
    for bad in flows.first_bad:
        click.echo(clean(f"not read: {bad}"), err=True)
    shown = learned(found, flows, flags)

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        if format in ("sarif", "junit"):
            raise BadInput(f"a lesson is not written as {format}", "", "text, json or yaml")
        getattr(told, format)(shown, screen, out)

    written: tuple[str, ...] = ()
    if flags["folder"]:
        written = write_policies(found.policies, flags["folder"])
        shown = learned(found, flows, flags, written)
    write_each(outputs, write)
    incomplete = world.missing and not flags["allow_incomplete"]
    if not found.policies:
        why = "no flow speaks of a workload here; try -n NAMESPACE" if flows.flows else "no flows"
        click.echo(f"no policy: {why}", err=True)
        return 3
    return 3 if incomplete else 0


def share(word: str) -> float:
    """`1%` or `0.01` as a number. Raises BadInput."""
    match = _SHARE.fullmatch(word.strip())
    try:
        value = float(match[1]) / 100 if match else float(word)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise BadInput(f"no share: {word}", "--max-bad is a share of the lines", "--max-bad 1%")
    return value


def learned(
    found: Lesson, flows: FlowReading, flags: Mapping[str, Any], written: Sequence[str] = ()
) -> Learned:
    """The lesson in words."""
    return Learned(
        policies=found.policies,
        proof=proof_line(found),
        review=tuple(
            Listed(
                f"{r.source} → {r.destination} {r.protocol} {r.port}",
                f"{', '.join(r.reasons)}; {plural(r.count, 'flow')}"
                + (" (withheld)" if r.withheld else ""),
                next(iter(r.witnesses), ""),
            )
            for r in found.review
        ),
        unresolved=tuple(
            Listed(
                f"{u.source} → {u.destination} {u.protocol} {u.port}",
                f"{u.reason}; {plural(u.count, 'flow')}",
                u.witness,
            )
            for u in found.unresolved
        ),
        demand=tuple(
            Listed(f"{d.source} → {d.destination} {d.protocol} {d.port}", plural(d.count, "flow"))
            for d in found.demand
        ),
        declared=tuple(
            Listed(
                f"{d.workload} → {d.destination} {d.protocol} {d.port}",
                "declared, not seen" + ("; allowed" if d.included else "; not allowed"),
                d.where,
            )
            for d in found.declared_not_seen
        ),
        unseen=tuple(
            Listed(
                f"{u.kind} {u.workload}", u.reason + ("; isolated" if u.isolated else "; left open")
            )
            for u in found.unseen
        ),
        open=tuple(
            Listed(f"{p.source} → {p.destination} {p.ports}", p.why or "no flow used it")
            for p in found.proof.open_pairs
        ),
        notes=(*found.notes, *_reading_notes(flows)),
        written=tuple(written),
        dry=_next(found, flags),
    )


def _next(found: Lesson, flags: Mapping[str, Any]) -> str:
    if not found.policies:
        return ""
    if not flags["folder"]:
        return "nothing is written: --write DIR"
    return f"next: learn --shadow {flags['folder']} with other flows, then kubectl apply"


def _reading_notes(flows: FlowReading) -> Iterable[str]:
    if flows.bad:
        yield f"{flows.bad:,} of {flows.lines:,} lines could not be read"
    for reason, count in flows.skipped.items():
        yield f"{plural(count, 'line')} left out: {reason}"


def proof_line(found: Lesson) -> str:
    """What the replay showed, in one line."""
    proof = found.proof
    allowed = proof.replayed - proof.denied
    words = [f"{allowed:,} flows allowed, {proof.denied:,} denied"]
    if proof.unresolved:
        words[0] += f", {proof.unresolved:,} unresolved (listed)"
    if proof.undecided:
        words[0] += f", {proof.undecided:,} undecided"
    opened_by = f", {len(proof.open_pairs):,} of them never seen" if proof.open_pairs else ""
    if opened_by and any(p.why for p in proof.open_pairs):
        why = next(p.why for p in proof.open_pairs if p.why)
        opened_by += f" ({why})"
    words.append(f"open pairs {proof.pairs_before:,} → {proof.pairs_after:,}{opened_by}")
    held = proof.held_out
    if held is not None and held.later_edges:
        missed = plural(held.missed_flows, "flow")
        words.append(f"trained on the first 80 % of time, it misses {missed} of the rest")
    if found.unseen:
        names = [f"{u.kind} {u.workload}" for u in found.unseen]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        words.append(f"not seen at all: {', '.join(names[:3])}{more}")
    return " · ".join(words)


def write_policies(policies: Sequence[Mapping[str, Any]], folder: str) -> tuple[str, ...]:
    """Writes a file for each policy, whole or not at all; the files. Raises BadInput, before
    anything is written where a link, a pipe or a directory has the name of one.
    """
    from martello.adapters.whole import whole

    place = Path(folder)
    files = [place / name for name in _file_names(policies)]
    try:
        place.mkdir(parents=True, exist_ok=True)
        for file in files:
            if os.path.lexists(file) and not stat.S_ISREG(file.lstat().st_mode):
                raise BadInput(
                    f"{file} is no plain file",
                    "what is written there would end up elsewhere",
                    "remove it, or name another directory",
                )
        for file, policy in zip(files, policies, strict=True):
            with whole(file) as out:
                out.write(told.document(policy).encode())
    except OSError as error:
        why = error.strerror or str(error)
        raise BadInput(f"cannot write to {folder}", why, "name another directory") from error
    return tuple(map(str, files))


def _file_names(policies: Sequence[Mapping[str, Any]]) -> list[str]:
    """A name for each policy, of letters that no file system minds; where two would be alike, or
    one is too long, with a digest of what it stands for.
    """
    parts = [
        tuple(str((policy.get("metadata") or {}).get(key) or "") for key in ("namespace", "name"))
        for policy in policies
    ]
    plain = [re.sub(r"[^A-Za-z0-9._-]", "_", "-".join(filter(None, part))) for part in parts]
    known = Counter(name.lower() for name in plain)
    return [
        f"{name}.yaml"
        if known[name.lower()] == 1 and len(name) <= _LONGEST
        else f"{name[:_LONGEST]}-{sha256(repr(part).encode()).hexdigest()[:12]}.yaml"
        for name, part in zip(plain, parts, strict=True)
    ]
