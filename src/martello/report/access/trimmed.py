"""What is granted and never used, on the screen, as JSON and as the objects themselves."""

from __future__ import annotations

from typing import IO, Any, Final

import msgspec

from martello.report.access.json import write_plain
from martello.report.model import Screen
from martello.report.table import flow
from martello.report.text import clean, followed, hanging, paint, plural

_STYLE: Final = {"unbind": "high", "narrow": "medium", "split": "medium", "grant": "low"}
_ROWS: Final = 20
_RIGHTS: Final = 4
_IN: Final = " " * 8


class Change(msgspec.Struct, frozen=True):
    """One edit: a binding goes, a role is narrowed, or a part of a shared role is split off."""

    kind: str
    binding: str
    where: str
    subjects: tuple[str, ...]
    because: str
    closed: tuple[str, ...]
    closed_count: int
    used: int
    level: str
    days: float
    doubts: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    severity: str = ""  # of what is closed; empty where something is granted


class Paths(msgspec.Struct, frozen=True):
    """Classes of attack paths before the edits and after them, and what is closed, in words."""

    before: int
    after: int
    closed: tuple[str, ...] = ()


class Kept(msgspec.Struct, frozen=True):
    """What stays though it was not seen used, and why."""

    binding: str
    subject: str
    why: str
    rights: tuple[str, ...] = ()


class Trimmed(msgspec.Struct, frozen=True):
    """All edits, their objects, and the proof."""

    changes: tuple[Change, ...]
    kept: tuple[Kept, ...]
    objects: tuple[dict[str, Any], ...]
    removed: tuple[dict[str, Any], ...]
    replayed: int
    denied: int
    events: int
    first: str
    last: str
    closed: int
    refused: tuple[str, ...] = ()
    disagreements: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    folder: str = ""
    applied: tuple[str, ...] = ()
    paths: Paths | None = None
    exit: int = 0
    reason: str = ""


def text(told: Trimmed, screen: Screen, out: IO[str]) -> None:
    """Writes the edits, what is kept and why, and the proof as the last line but one."""
    lines: list[str] = []
    for change in told.changes[:_ROWS]:
        lines += _change(change, screen)
    if len(told.changes) > _ROWS:
        lines.append(f"and {plural(len(told.changes) - _ROWS, 'edit')} more: -o json")
    if not told.changes:
        lines.append("nothing is granted that was not used, as far as the log can tell")
    lines += _kept(told, screen)
    for word, entries in (("refused", told.refused), ("doubt", told.disagreements)):
        for entry in entries[:3]:
            lines += hanging(f"{word:7} {clean(entry)}", screen.width, 8)
        if len(entries) > 3:
            lines.append(f"{_IN}and {len(entries) - 3:,} more: -o json")
    for note in told.notes:
        lines += hanging(f"note    {clean(note)}", screen.width, 8)
    for one in told.missing[:3]:
        lines += hanging(f"unread  {clean(one)}", screen.width, 8)
    lines += _paths(told.paths, screen) if told.paths is not None else []
    lines += hanging(clean(proof(told)), screen.width, 2)
    style = {0: "good", 3: "unassessed"}.get(told.exit, "high")
    head, _, command = clean(following(told)).partition("    next: ")
    end = followed(f"exit {told.exit}: {head}", command, screen.width)
    end[0] = end[0].replace(
        f"exit {told.exit}", paint(f"exit {told.exit}", style, screen.colour), 1
    )
    lines += end
    out.writelines(f"{line}\n" for line in lines)


def proof(told: Trimmed) -> str:
    """What was replayed, and what is closed."""
    window = f"{told.first} to {told.last}" if told.first != told.last else told.first
    words = [
        f"proof: {plural(told.replayed, 'different request')} replayed, {told.denied} denied",
        f"{plural(told.closed, 'right')} closed by {plural(len(told.changes), 'edit')}",
        f"{plural(told.events, 'event')} of {window}",
    ]
    return " · ".join(words)


def following(told: Trimmed) -> str:
    """What came of it, and the next command."""
    done = _done(told)
    return f"{told.reason}; {done}" if told.reason else done


def _done(told: Trimmed) -> str:
    if told.applied:
        return f"{plural(len(told.applied), 'change')} made in the cluster"
    if told.folder:
        steps = []
        if told.objects:
            steps.append(f"kubectl apply -f {told.folder}/apply")
        if told.removed:
            steps.append(f"kubectl delete -f {told.folder}/delete")
        done = f"{plural(len(told.written), 'file')} written"
        return f"{done}    next: {' && '.join(steps)}" if steps else f"{done}"
    return "nothing is written    next: --write DIR" if told.changes else "nothing to do"


def _paths(paths: Paths, screen: Screen) -> list[str]:
    """The count of classes, and what is closed."""
    count = (
        f"{plural(paths.before, 'class', 'classes')} of attack paths before, {paths.after} after"
    )
    lines = hanging(f"paths   {count}", screen.width, 8)
    for one in paths.closed[:_RIGHTS]:
        lines += hanging(f"{_IN}closed: {clean(one)}", screen.width, 16)
    if len(paths.closed) > _RIGHTS:
        lines.append(f"{_IN}and {len(paths.closed) - _RIGHTS:,} more: -o json")
    return lines


def _change(change: Change, screen: Screen) -> list[str]:
    word = paint(f"{change.kind:6}", _STYLE.get(change.kind, "bold"), screen.colour)
    head = [(f"{word}  {clean(change.binding)}", ""), (clean(change.where), "dim")]
    lines = flow(head, screen, "")
    if len(lines) > 1:
        lines = [lines[0], *(_IN + line for line in lines[1:])]
    subjects = ", ".join(change.subjects[:3])
    subjects += f" and {len(change.subjects) - 3} more" if len(change.subjects) > 3 else ""
    if subjects:
        lines += hanging(f"{_IN}for     {clean(subjects)}", screen.width, 16)
    lines += hanging(f"{_IN}because {clean(change.because)}", screen.width, 16)
    for at, right in enumerate(change.closed[:_RIGHTS]):
        head_of = "closes  " if not at else " " * 8
        lines += hanging(f"{_IN}{head_of}{clean(right)}", screen.width, 18)
    if len(change.closed) > _RIGHTS:
        lines.append(f"{_IN}        and {len(change.closed) - _RIGHTS} more")
    if change.used:
        lines.append(f"{_IN}keeps   what {plural(change.used, 'request')} used")
    sure = f"{change.severity}, with " if change.severity else ""
    sure += f"{change.level} confidence: {_days(change.days)}"
    sure += "".join(f"; {doubt}" for doubt in change.doubts)
    return [*lines, *hanging(f"{_IN}{clean(sure)}", screen.width, 10)]


def _days(days: float) -> str:
    """How long the log is, in words."""
    if days < 1:
        return "less than a day of the log"
    return "1 day" if days == 1 else f"{days:g} days"


def _kept(told: Trimmed, screen: Screen) -> list[str]:
    """What stays, together where the reason is one."""
    by_why: dict[str, list[Kept]] = {}
    for one in told.kept:
        by_why.setdefault(one.why, []).append(one)
    lines: list[str] = []
    for why, members in list(by_why.items())[:6]:
        names = list(dict.fromkeys(one.binding for one in members))
        more = f" and {len(names) - 2} more" if len(names) > 2 else ""
        said = f"kept    {', '.join(names[:2])}{more}: {why}"
        lines += hanging(clean(said), screen.width, 8)
    if len(by_why) > 6:
        lines.append(f"{_IN}and {plural(len(by_why) - 6, 'reason')} more: -o json")
    return lines


def json(told: Trimmed, screen: Screen, out: IO[str]) -> None:
    """Writes everything as JSON."""
    del screen
    body = msgspec.to_builtins(told)
    body.pop("folder")
    write_plain("trim", {"proof": proof(told), **body}, out)


def yaml(told: Trimmed, screen: Screen, out: IO[str]) -> None:
    """Writes the objects that are new or changed, for kubectl apply."""
    del screen
    import yaml as writer

    for one in told.objects:
        text = writer.safe_dump(one, sort_keys=False, allow_unicode=False, width=100)
        out.write(f"---\n{text}")
