"""The blast radius on the screen: a table of workloads and resources, then the worst in full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Final

from martello.core.finding import SEVERITIES, rank
from martello.report.model import Screen
from martello.report.network.svg import cut
from martello.report.resources.blast.model import Beside, Line, Row, Shared, Told
from martello.report.text import clean, followed, hanging, pad, paint, plural, width

SHORT: Final = {
    "cpu": "cpu",
    "memory": "mem",
    "pids": "pids",
    "disk": "disk",
    "inodes": "inode",
    "placement": "place",
    "objects": "objs",
    "api": "api",
}
_ELSEWHERE: Final = "name a directory with workloads, demo, or a cluster (-f)"
_ROWS: Final = 20
_NAME: Final = 44
_GUARD: Final = 30
_NARROW: Final = 24  # the least columns of what comes of it
_STYLE: Final = {"critical": "critical", "high": "high", "medium": "medium", "low": "low"}


def write(told: Told, screen: Screen, out: IO[str]) -> None:
    """Writes what all share, the table where several workloads are asked about, the worst of them,
    and what stays open.
    """
    lines: list[str] = []
    if told.shared is not None:
        lines += [*_shared(told.shared, screen), ""]
    if not told.single and told.rows:
        lines += [*_table(told, screen), ""]
    shown = told.rows if told.single else told.rows[:1]
    for row in shown:
        if row.beside is None or row.beside.severity:
            lines += [*_row(row, screen), ""]
    out.writelines(f"{line}\n" for line in (*lines, *_end(told, screen)))


def _shared(shared: Shared, screen: Screen) -> Iterator[str]:
    """What nearly all can do, said once."""
    head = f"{shared.who}, {shared.resource}: no guard; {clean(shared.says)}"
    for line in hanging(head, screen.width, 2):
        yield paint(line, "bold", screen.colour)
    yield from hanging(f"  one fix: {clean(shared.fix)}", screen.width, 4)


def _table(told: Told, screen: Screen) -> Iterator[str]:
    kept, aside = kept_rows(told), beside_what(told)
    if aside and not kept:
        yield f"nobody is hurt{aside}"
        return
    rows = kept[:_ROWS]
    columns = columns_of(told)
    names = [cut(clean(row.attacker), _NAME) for row in rows]
    wide = max((width(name) for name in names), default=8)
    heads = "".join(f"{SHORT[column]:>6}" for column in columns)
    tail = f"   worst{aside}"
    yield paint(f"score  {pad('workload', wide)}{heads}{tail}", "dim", screen.colour)
    for name, row in zip(names, rows, strict=True):
        cells = {line.resource: line for line in row.lines}
        marks = "".join(_mark(cells.get(column), row, screen) for column in columns)
        verdict = _verdict(row, wide, len(columns), screen)
        yield f"{seen(row).score:>5.1f}  {pad(name, wide)}{marks}   {verdict}"
    if len(kept) > _ROWS:
        yield f"       and {plural(len(kept) - _ROWS, 'workload')} more: -o json"
    if others := left_out(told):
        yield f"       {others}"
    yield from hanging(
        "number: so many are hurt · 0: bounded · -: no guard, nobody hurt · ?: unknown",
        screen.width,
        2,
    )


def kept_rows(told: Told) -> list[Row]:
    """The rows that say more than what is told once for nearly all."""
    return [row for row in told.rows if row.beside is None or row.beside.severity]


def left_out(told: Told) -> str:
    """The other rows in one line; empty where there are none."""
    count = len(told.rows) - len(kept_rows(told))
    return f"{plural(count, 'other')}: nobody is hurt{beside_what(told)}" if count else ""


def beside_what(told: Told) -> str:
    """What the rows leave aside, in words; empty where nothing is told once."""
    return f", {told.shared.resource} aside" if told.shared is not None else ""


def columns_of(told: Told) -> list[str]:
    """The resources of the table."""
    once = told.shared.resource if told.shared is not None else ""
    lines = told.rows[0].lines if told.rows else ()
    return [one.resource for one in lines if one.resource in SHORT and one.resource != once]


def seen(row: Row) -> Row | Beside:
    """What a row says beside what is told once."""
    return row if row.beside is None else row.beside


def _verdict(row: Row, wide: int, columns: int, screen: Screen) -> str:
    """The severity, and what is worst where there is room for it."""
    whole, room = verdict(row), screen.width - 10 - wide - 6 * columns
    return whole if not screen.width or width(whole) <= room else seen(row).severity


def verdict(row: Row) -> str:
    """The severity and what is worst."""
    said = seen(row)
    return f"{said.severity}: {clean(said.worst)}" if said.severity else "nobody is hurt"


def _mark(line: Line | None, row: Row, screen: Screen) -> str:
    """A cell of the table: how many are hurt, or what is known otherwise."""
    text, style = mark(line), "dim"
    if line is not None and line.hurt:
        style = _STYLE.get(row.severity, "medium")
    elif line is not None and line.exact == "unassessed":
        style = "unassessed"
    return " " * (6 - len(text)) + paint(text, style, screen.colour)


def mark(line: Line | None) -> str:
    """How many are hurt by a resource, in at most five characters."""
    if line is None:
        return ""
    if line.hurt:
        count = len(line.hurt)
        return f"{count}" if count < 10_000 else f"{count // 1000}k"
    if line.guard:
        return "0"
    return "?" if line.exact == "unassessed" else "-"


def _row(row: Row, screen: Screen) -> Iterator[str]:
    name = clean(row.attacker)
    about, score = f"{name}  {clean(row.about)}", f"score {row.score:.1f}"
    where = f"({clean(row.where)})" if row.where else ""
    whole = f"{about}    {score}"
    beside = f"{whole}  {where}".rstrip()
    if not screen.width or width(beside) <= screen.width:
        lines = [beside]
    elif width(whole) <= screen.width:
        lines = [whole, *hanging(f"  {where}", screen.width, 2)]
    else:
        below = f"  {score}  {where}".rstrip()
        lines = [*hanging(about, screen.width, 2), *hanging(below, screen.width, 2)]
    head = paint(name, "bold", screen.colour)
    yield from (lines[0].replace(name, head, 1), *lines[1:])
    if row.worst:
        worst = f"  worst: {clean(row.worst)}"
        yield from (
            paint(line, _STYLE.get(row.severity, "medium"), screen.colour)
            for line in hanging(worst, screen.width, 9)
        )
    wide = max((len(line.guard) for line in row.lines if len(line.guard) <= _GUARD), default=8)
    for line in row.lines:
        yield from _line(line, max(wide, 8), screen)
    if row.advice is not None:
        yield from hanging(advice(row), screen.width, 2)


def _line(line: Line, wide: int, screen: Screen) -> Iterator[str]:
    if line.resource == "unenforced":
        yield from hanging(f"  {clean(line.says)}", screen.width, 4)
        return
    guard = clean(line.guard) if line.guard else "no guard"
    doubt = "? " if line.exact == "unassessed" else ""
    says = f"{doubt}{clean(line.says)}"
    if screen.width and 15 + wide > screen.width - _NARROW:  # no room for a column of it
        yield from hanging(f"  {pad(line.resource, 9)}  {guard}", screen.width, 13)
        yield from hanging(f"{'':13}{says}", screen.width, 13)
        return
    first = f"  {pad(line.resource, 9)}  {pad(guard, wide)}  "
    yield from hanging(f"{first}{says}", screen.width, 15 + wide)


def advice(row: Row) -> str:
    """What would stop it, in a line."""
    found = row.advice
    assert found is not None
    word = "cheapest guards" if found.cheapest else "guards"
    said = ", ".join(clean(guard) for guard in found.guards)
    return f"{word}: {said}; score {found.before:.1f} → {found.after:.1f}"


def _end(told: Told, screen: Screen) -> Iterator[str]:
    for note in told.notes:
        yield from hanging(f"note: {clean(note)}", screen.width, 6)
    for one in told.missing[:3]:
        yield from hanging(f"unread: {clean(one)}", screen.width, 8)
    if told.nothing:
        yield from hanging(f"nothing to judge: {clean(told.nothing)}", screen.width, 2)
        yield from hanging(f"next: {_ELSEWHERE}", screen.width, 2)
        yield f"exit {told.exit}"
        return
    hurting = sum(1 for row in told.rows if row.severity)
    words = f"{plural(len(told.rows), 'workload')}, {plural(told.pods, 'pod')}, "
    words += f"attacker {told.level}: "
    words += f"{hurting:,} can hurt others" if hurting else "nobody can hurt another"
    yield from hanging(f"{words}{_alone(told)}", screen.width, 2)
    guards = any(row.advice is not None for row in told.rows)
    next = "--write DIR makes the guards, proved" if guards else ""
    yield from followed(f"exit {told.exit}{_why(told)}", next, screen.width)


def _alone(told: Told) -> str:
    """How many hurt others by nothing but what is told once; the table leaves them out."""
    if told.shared is None:
        return ""
    rows = [row for row in told.rows if row.severity and row.beside and not row.beside.severity]
    return f", {len(rows):,} of them by {told.shared.resource} alone" if rows else ""


def _why(told: Told) -> str:
    """What decided the exit code."""
    if told.exit == 3:
        count = plural(told.unassessed, "answer")
        parts = [f"{count} not known (?: --kubelet FILE)"] if told.unassessed else []
        parts += ["something was not read"] if told.missing else []
        return f": {', '.join(parts)}, or --allow-incomplete"
    if told.exit != 1:
        return ""
    failing = SEVERITIES[: rank(told.fail_on) + 1] if told.fail_on in SEVERITIES else ()
    counts = [(sum(1 for row in told.rows if row.severity == each), each) for each in failing]
    said = ", ".join(f"{count} {each}" for count, each in counts if count)
    if said:
        return f": {said} (fail-on {told.fail_on})"
    return f": a score above {told.target:g}" if told.target is not None else ""
