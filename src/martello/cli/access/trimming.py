"""What is granted and never used: the engine's edits with their proof, as report and as files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from importlib.resources import files as parts_of
from typing import IO, TYPE_CHECKING, Any

import msgspec

from martello.cli.access.applying import apply, live_only
from martello.cli.access.closing import paths_closed
from martello.cli.access.opening import Opened, opened
from martello.cli.access.telling import place, single_words
from martello.cli.access.windows import day, nanoseconds
from martello.cli.access.writing import write_documents
from martello.cli.outputs import write_each
from martello.cli.progress import Progress
from martello.cli.reports import Output
from martello.core.audit_policy import AuditPolicy, read_policy
from martello.core.errors import BadInput
from martello.core.event import AuditEvent
from martello.core.finding import SEVERITIES, rank
from martello.core.resource import Ref, Resource
from martello.practices.access.uses import Observed
from martello.report.access.trimmed import Change, Kept, Trimmed
from martello.report.model import Screen

if TYPE_CHECKING:
    from martello.practices.access.trim import Trim
    from martello.practices.access.uses import Use

_POLICY = "Policy.audit.k8s.io"


def trim_command(outputs: Sequence[Output], flags: dict[str, Any]) -> int:
    """Writes what may go, and with --write the objects; the exit code. Raises what reading raises,
    Stale where the events are too few, Refused where the proof fails.
    """
    from martello.practices.access.trim import Options, trim

    if flags["apply"]:
        live_only(flags)
    world = opened(flags)
    policy, notes = _policy(world, flags["audit_policy"])
    log = read_log(flags["events"])
    observed, gaps = log.observed, log.gaps
    only = frozenset(world.access.principal(who).username for who in flags["subjects"])
    options = Options(
        policy=policy,
        widen=frozenset(w for words in flags["widen"] for w in words.split(",") if w),
        refused=flags["refused"],
        only=only,
        since=nanoseconds(flags["since"]),
        gaps=log.gap_count,
    )
    found = trim(observed, world.cluster, options)
    written: tuple[str, ...] = ()
    if flags["folder"]:
        written = _write(world, found, flags["folder"])
    applied = apply(world, found, log.gap_count, flags) if flags["apply"] else ()
    told = _told(world, found, observed, (*notes, *gaps), written, flags)
    incomplete = bool(world.missing or gaps) and not flags["allow_incomplete"]
    told = msgspec.structs.replace(
        told,
        applied=applied,
        paths=paths_closed(world, found.after) if flags["paths"] else None,
        **_exit(told, flags["fail_on"] or _fail_on(flags), incomplete, bool(applied)),
    )

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        getattr(import_module("martello.report.access.trimmed"), format)(told, screen, out)

    write_each(outputs, write)
    return told.exit


def _fail_on(flags: dict[str, Any]) -> str:
    """What fails where nobody says it: edits that are asked for do not."""
    return "never" if flags["folder"] or flags["apply"] else "high"


def _exit(told: Trimmed, fail_on: str, incomplete: bool, applied: bool) -> dict[str, Any]:
    """The exit code and its reason; edits that are made are none to be made."""
    limit = -1 if fail_on == "never" else rank(fail_on)
    severities = [c.severity for c in told.changes if c.severity and not applied]
    failing = [severity for severity in severities if rank(severity) <= limit]
    if failing:
        counts = ", ".join(f"{failing.count(s)} {s}" for s in SEVERITIES if s in failing)
        return {"exit": 1, "reason": f"unused: {counts} (fail-on {fail_on})"}
    if incomplete:
        return {"exit": 3, "reason": "incomplete: not everything could be read"}
    return {"exit": 0, "reason": ""}


class Log(msgspec.Struct, frozen=True):
    """What some audit logs tell, and what of them could not be read: the first parts in words."""

    observed: Observed
    gaps: tuple[str, ...]
    gap_count: int


def read_events(paths: Sequence[str]) -> tuple[Observed, tuple[str, ...]]:
    """What some audit logs tell, and what of them could not be read. Raises BadInput."""
    log = read_log(paths)
    return log.observed, log.gaps


def read_log(paths: Sequence[str]) -> Log:
    """The same, with the number of parts that could not be read. Raises BadInput."""
    from martello.adapters.audit.files import read_audit
    from martello.practices.access.uses import observe

    stdin = sys.stdin.buffer if "-" in paths else None
    demo = str(parts_of("martello.demo") / "audit.log")
    paths = [demo if path == "demo" and not os.path.lexists(path) else path for path in paths]
    with Progress() as progress:
        reading = read_audit(paths, stdin=stdin)
        observed = observe(_counted(reading, progress))
    gaps = tuple(f"{gap.where} at byte {gap.offset}: {gap.why}" for gap in reading.gaps[:3])
    more = reading.gap_count - len(gaps)
    told = (*gaps, f"{more:,} more gaps in the events") if more > 0 else gaps
    return Log(observed, told, reading.gap_count)


def _counted(events: Iterable[AuditEvent], progress: Progress) -> Iterator[AuditEvent]:
    for number, event in enumerate(events):
        if not number % 10_000:
            progress(f"reading events: {number:,}")
        yield event


def _policy(world: Opened, file: str) -> tuple[AuditPolicy | None, tuple[str, ...]]:
    """The audit policy: the file that is named, else the one among the objects."""
    if file:
        from martello.adapters.manifests import read_paths

        found: list[Resource] = list(read_paths([file]).resources)
        if len(found) != 1:
            raise BadInput(f"{file} is no audit policy", f"it holds {len(found)} objects", "")
        return read_policy(found[0].raw), ()
    for resource in world.cluster.of_kind(_POLICY):
        note = f"what is not logged is told by the audit policy {resource.locate()}"
        return read_policy(resource.raw), (note,)
    return None, ("without --audit-policy it is inferred from the log what it leaves out",)


def _told(
    world: Opened,
    found: Trim,
    observed: Observed,
    notes: Sequence[str],
    written: tuple[str, ...],
    flags: dict[str, Any],
) -> Trimmed:
    only = {world.access.principal(who).username: who for who in flags["subjects"]}
    heard = {use.principal.username for use in observed.uses}
    silent = [f"the log has no request of {who}" for name, who in only.items() if name not in heard]

    def meant(use: Use) -> bool:
        return not only or use.principal.username in only

    stays: dict[tuple[str, str, str], list[str]] = {}
    for stay in found.stays:
        key = (_named(stay.binding), stay.subject, stay.why)
        stays.setdefault(key, []).extend(single_words(stay.rights))
    return Trimmed(
        changes=tuple(_change(world, edit) for edit in found.edits),
        kept=tuple(Kept(b, s, why, tuple(rights)) for (b, s, why), rights in stays.items()),
        objects=tuple(dict(one.raw) for one in found.objects),
        removed=tuple(_reference(ref) for ref in found.removed),
        replayed=found.proof.replayed,
        denied=len(found.proof.denied),
        events=observed.events,
        first=day(found.first),
        last=day(found.last),
        closed=sum(edit.closed_count for edit in found.edits),
        refused=tuple(_use(use) for use in found.refused if meant(use)),
        disagreements=tuple(
            f"{_use(d.use)}: {d.ours}" + (f" (it says: {d.said})" if d.said else "")
            for d in found.disagreements
            if meant(d.use)
        ),
        notes=(*notes, *silent),
        missing=world.missing,
        written=written,
        folder=flags["folder"],
    )


def _change(world: Opened, edit: Any) -> Change:
    from martello.practices.access.worth import severity

    resource = _resource(world, edit.binding) if edit.binding is not None else None
    return Change(
        kind=edit.kind,
        binding=_named(edit.binding) if edit.binding is not None else "",
        where=place(resource) if resource is not None else "",
        subjects=tuple(edit.subjects),
        because=edit.because,
        closed=single_words(edit.closed),
        closed_count=edit.closed_count,
        used=edit.used,
        level=edit.confidence.level,
        severity=severity(edit, resource),
        days=round(edit.confidence.days, 1),
        doubts=edit.confidence.because,
        changed=tuple(_named(one.ref) for one in edit.changed),
        removed=tuple(_named(ref) for ref in edit.removed),
    )


def _resource(world: Opened, ref: Ref) -> Resource | None:
    return world.cluster.get(ref.group_kind, ref.namespace, ref.name)


def _named(ref: Ref) -> str:
    name = f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name
    return f"{ref.kind} {name}"


def _use(use: Use) -> str:
    from martello.cli.access.telling import who_words

    asked = use.request
    what = asked.path or f"{asked.resource}{asked.subresource and '/' + asked.subresource}"
    names = f"/{use.names[0]}" if len(use.names) == 1 and use.names[0] else ""
    where = f" in {asked.namespace}" if asked.namespace else ""
    times = "once" if use.count == 1 else f"{use.count:,} times"
    return f"{who_words(use.principal)} {asked.verb} {what}{names}{where}, {times}"


def _reference(ref: Ref) -> dict[str, Any]:
    metadata = {"name": ref.name}
    if ref.namespace:
        metadata["namespace"] = ref.namespace
    return {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata}


def _write(world: Opened, found: Trim, folder: str) -> tuple[str, ...]:
    """`apply/` holds what is new or changed, `delete/` what goes afterwards."""
    made = write_documents([one.raw for one in found.objects], f"{folder}/apply")
    gone: list[dict[str, Any]] = []
    for ref in found.removed:
        gone.append(_reference(ref))
    return (*made, *write_documents(gone, f"{folder}/delete"))
