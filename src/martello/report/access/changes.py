"""What a change grants and takes: on the screen, as JSON, as a comment of a pull request."""

from __future__ import annotations

from typing import IO, Final

import msgspec

from martello.report.access.json import write_plain
from martello.report.markdown import cell
from martello.report.model import Report, Screen
from martello.report.table import flow
from martello.report.text import clean, hanging, paint, plural, width

_ROWS: Final = 30  # of the screen, and of a comment
_FOUND: Final = 10  # findings on the screen


class Row(msgspec.Struct, frozen=True):
    """What some subjects gain or lose in some places by one rule."""

    gained: bool
    subjects: tuple[str, ...]
    scope: str
    rights: tuple[str, ...]
    binding: str
    role: str
    where: str
    open: bool = False  # verbs and kinds of tomorrow too


class Diff(msgspec.Struct, frozen=True):
    """All rows, and what the checks of the practice find in the new state only."""

    old: str
    new: str
    rows: tuple[Row, ...]
    more: bool = False
    report: Report | None = None
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def summary(diff: Diff) -> str:
    """One sentence."""
    if not diff.rows and (diff.notes or diff.missing):
        return f"no effective change is known from {diff.old} to {diff.new}: see the notes"
    if not diff.rows:
        same = "everybody may do what they could before"
        return f"no effective change from {diff.old} to {diff.new}: {same}"
    gained = {s for row in diff.rows if row.gained for s in row.subjects}
    lost = {s for row in diff.rows if not row.gained for s in row.subjects}
    words = []
    if gained:
        words.append(f"{plural(len(gained), 'subject')} gain{'s' * (len(gained) == 1)} rights")
    if lost:
        words.append(f"{plural(len(lost), 'subject')} lose{'s' * (len(lost) == 1)} rights")
    return f"from {diff.old} to {diff.new}: {', '.join(words)}"


def table(diff: Diff, screen: Screen, out: IO[str]) -> None:
    """Writes gains, then losses, then what the checks say of it."""
    lines = hanging(clean(summary(diff)), screen.width, 2)
    everything = diff.report is not None and diff.report.everything
    shown = diff.rows if everything else diff.rows[:_ROWS]
    for row in shown:
        lines += _row(row, screen)
    if len(shown) < len(diff.rows):
        lines.append(f"  and {len(diff.rows) - len(shown):,} more: --all")
    if diff.more:
        lines.append("  and more than can be told: narrow it by -n")
    lines += _end(diff, screen)
    out.writelines(f"{line}\n" for line in lines)


def _row(row: Row, screen: Screen) -> list[str]:
    word = paint("gains", "high", screen.colour) if row.gained else "loses"
    names = ", ".join(row.subjects[:4])
    names += f" and {len(row.subjects) - 4} more" if len(row.subjects) > 4 else ""
    where = f"in {row.scope}" if row.scope else "everywhere"
    head = flow([(f"{word}  {clean(names)}", ""), (clean(where), "")], screen, "  ")
    lines = (
        head if screen.colour else hanging(f"  {word}  {clean(names)}  {where}", screen.width, 9)
    )
    for right in row.rights[:6]:
        lines += hanging(f"         {clean(right)}", screen.width, 11)
    if len(row.rights) > 6:
        lines.append(f"         and {len(row.rights) - 6} more")
    if row.open:
        lines.append("         and what will be added to these wildcards")
    by = f"by {clean(row.binding)} → {clean(row.role)}"
    told = [f"{by}  {clean(row.where)}".rstrip()]
    if screen.width and 9 + width(told[0]) > screen.width:
        told = [by, f"  {clean(row.where)}"] if row.where else [by]
    for line in (one for part in told for one in hanging(f"         {part}", screen.width, 11)):
        text = line.lstrip()
        lines.append(line[: len(line) - len(text)] + paint(text, "dim", screen.colour))
    return lines


def _end(diff: Diff, screen: Screen) -> list[str]:
    lines: list[str] = []
    report = diff.report
    findings = report.scan.findings if report is not None else ()
    everything = report is not None and report.everything
    shown = findings if everything else findings[:_FOUND]
    for found in shown:
        check = report.checks.get(found.check) if report is not None else None
        name = check.name if check is not None else ""
        head = f"{found.severity:8}  {found.check}  {name}  {found.ref}"
        made = flow([(clean(head), ""), (clean(str(found.location)), "")], screen, "")
        made = [made[0], *(f"          {line}" for line in made[1:])]
        painted = paint(found.severity, found.severity, screen.colour)
        made[0] = made[0].replace(found.severity, painted, 1)
        lines += [*made, *hanging(f"          {clean(found.message)}", screen.width, 10)]
    if len(shown) < len(findings):
        lines.append(f"          and {plural(len(findings) - len(shown), 'finding')} more: --all")
    for entry in report.scan.unassessed if report is not None else ():
        lines += hanging(f"unassessed {clean(entry.reason)}", screen.width, 11)
    for note in diff.notes:
        lines += hanging(f"note: {clean(note)}", screen.width, 6)
    if report is not None:
        style = {0: "good", 3: "unassessed"}.get(report.exit, "high")
        reason = report.reason if report.exit or report.scan.findings else "no new finding"
        following = f"    next: {report.next}" if report.next else ""
        exit = paint(f"exit {report.exit}", style, screen.colour)
        lines.append(f"{exit}: {reason}{following}")
    return lines


def json(diff: Diff, screen: Screen, out: IO[str]) -> None:
    """Writes everything as JSON."""
    del screen
    report = diff.report
    findings = report.scan.findings if report is not None else ()
    unassessed = report.scan.unassessed if report is not None else ()
    body = {
        "old": diff.old,
        "new": diff.new,
        "summary": summary(diff),
        "changes": [msgspec.to_builtins(row) for row in diff.rows],
        "more": diff.more,
        "findings": [
            {
                "check": f.check,
                "severity": f.severity,
                "object": str(f.ref),
                "message": f.message,
                "where": str(f.location),
            }
            for f in findings
        ],
        "unassessed": [entry.reason for entry in unassessed],
        "notes": list(diff.notes),
        "missing": list(diff.missing),
        "exit": report.exit if report is not None else 0,
    }
    write_plain("diff", body, out)


def markdown(diff: Diff, screen: Screen, out: IO[str]) -> None:
    """Writes a comment for a pull request: the sentence, findings, and a folded table."""
    del screen
    out.write(f"**Access:** {cell(summary(diff))}\n")
    report = diff.report
    for found in report.scan.findings if report is not None else ():
        told = f"{found.check}: {found.message}"
        out.write(f"\n- **{found.severity}** {cell(told)} ({cell(str(found.location))})")
    if report is not None and report.scan.findings:
        out.write("\n")
    if not diff.rows:
        return
    out.write("\n<details><summary>what changes</summary>\n\n")
    out.write("| | who | where | rights | by | place |\n|---|---|---|---|---|---|\n")
    for row in diff.rows[:_ROWS]:
        cells = (
            "gains" if row.gained else "loses",
            ", ".join(row.subjects[:6]),
            row.scope or "everywhere",
            "; ".join(row.rights[:6]),
            f"{row.binding} → {row.role}",
            row.where,
        )
        out.write(f"| {' | '.join(map(cell, cells))} |\n")
    if len(diff.rows) > _ROWS:
        out.write(f"\n{plural(len(diff.rows) - _ROWS, 'row')} more: see the json report.\n")
    out.write("\n</details>\n")
