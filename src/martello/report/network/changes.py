"""What a change opens and closes: on the screen, as JSON, and as a comment of a pull request."""

from __future__ import annotations

from typing import IO, Final

import msgspec

from martello.core.finding import Finding
from martello.report.model import Report, Screen
from martello.report.network.json import write_plain
from martello.report.text import clean, hanging, pad, paint, plural

_STYLE: Final = {
    "opens": "high",
    "changes": "medium",
    "closes": "good",
    "unsure": "unassessed",
    "new": "dim",
    "gone": "dim",
}
_NAMES: Final = 6  # sources of one row on the screen
_ROWS: Final = 60  # of a comment


class Changed(msgspec.Struct, frozen=True):
    """Several sources for which one destination opens (closes, changes) alike. `by` is the rule."""

    kind: str  # opens, closes, changes, unsure, new, gone
    sources: tuple[str, ...]
    destination: str
    was: str
    now: str
    by: str = ""


class Changes(msgspec.Struct, frozen=True):
    """All of them, the workloads that only one side has, and the promises judged."""

    old: str
    new: str
    rows: tuple[Changed, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    more: bool = False
    report: Report | None = None
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    standing: frozenset[str] = frozenset()  # breaches of promises that the old state has as well


def table(changes: Changes, screen: Screen, out: IO[str]) -> None:
    """Writes what changes, worst first, then the promises and the exit."""
    lines = hanging(clean(summary(changes)), screen.width, 2)
    for row in changes.rows:
        lines += _row(row, screen)
    lines += _end(changes, screen)
    out.writelines(f"{line}\n" for line in lines)


def summary(changes: Changes) -> str:
    """One sentence: how many pairs open, close and change."""
    counts = dict.fromkeys(_STYLE, 0)
    for row in changes.rows:
        counts[row.kind] += len(row.sources)
    if not changes.rows:
        return f"nothing changes from {changes.old} to {changes.new}: the same pairs pass"
    words = [
        f"{plural(counts[kind], 'pair')} {verb if counts[kind] != 1 else one}"
        for kind, verb, one in (
            ("opens", "open", "opens"),
            ("closes", "close", "closes"),
            ("changes", "change ports", "changes ports"),
            ("unsure", "become unsure", "becomes unsure"),
        )
        if counts[kind]
    ]
    if counts["new"] or counts["gone"]:
        words.append(f"{counts['new'] + counts['gone']:,} of new or removed workloads")
    more = " (and more)" if changes.more else ""
    return f"from {changes.old} to {changes.new}: {', '.join(words)}{more}"


def _row(row: Changed, screen: Screen) -> list[str]:
    names = ", ".join(row.sources[:_NAMES])
    rest = len(row.sources) - _NAMES
    names += f" and {rest} more" if rest > 0 else ""
    text = f"{names} → {row.destination}  {_what(row)}"
    head = pad(row.kind, 8)
    lines = hanging(f"  {head} {clean(text)}", screen.width, 11)
    lines[0] = lines[0].replace(row.kind, paint(row.kind, _STYLE[row.kind], screen.colour), 1)
    if row.by:
        lines += hanging(f"           by {clean(row.by)}", screen.width, 14)
    return lines


def _what(row: Changed) -> str:
    if row.kind in ("opens", "new") and row.was == "none":
        return row.now
    if row.kind in ("closes", "gone") and row.now == "none":
        return row.was
    return f"{row.was} → {row.now}"


def _end(changes: Changes, screen: Screen) -> list[str]:
    lines: list[str] = []
    for word, names in (("new", changes.added), ("gone", changes.removed)):
        if names:
            told = f"{word} workloads: {', '.join(names[:12])}"
            told += f" and {len(names) - 12} more" if len(names) > 12 else ""
            lines += hanging(clean(told), screen.width, 2)
    report = changes.report
    for found in report.scan.findings if report is not None else ():
        head = paint("broken", "high", screen.colour)
        text = hanging(f"broken   {clean(found.message)}{_since(found, changes)}", screen.width, 9)
        text[0] = text[0].replace("broken", head, 1)
        lines += [*text, f"         {clean(str(found.location))}"]
    for entry in report.scan.unassessed if report is not None else ():
        lines += hanging(f"unassessed {clean(entry.reason)}", screen.width, 11)
    for note in changes.notes:
        lines += hanging(f"note: {clean(note)}", screen.width, 6)
    if report is not None:
        mark = {0: "good", 3: "unassessed"}.get(report.exit, "high")
        following = f"    next: {report.next}" if report.next else ""
        reason = "no promise is broken" if report.exit == 0 and report.checks else report.reason
        if report.exit == 0 and not report.checks:
            reason = "no promises were given (--intents)"
        lines.append(f"{paint(f'exit {report.exit}', mark, screen.colour)}: {reason}{following}")
    return lines


def _since(found: Finding, changes: Changes) -> str:
    return " (before the change as well)" if found.message in changes.standing else ""


def json(changes: Changes, screen: Screen, out: IO[str]) -> None:
    """Writes everything as JSON."""
    del screen
    report = changes.report
    findings = report.scan.findings if report is not None else ()
    unassessed = report.scan.unassessed if report is not None else ()
    body = {
        "old": changes.old,
        "new": changes.new,
        "summary": summary(changes),
        "changes": [
            {
                "kind": row.kind,
                "sources": list(row.sources),
                "destination": row.destination,
                "was": row.was,
                "now": row.now,
                "by": row.by,
            }
            for row in changes.rows
        ],
        "added": list(changes.added),
        "removed": list(changes.removed),
        "more": changes.more,
        "broken": [
            {
                "message": f.message,
                "where": str(f.location),
                "evidence": list(f.evidence),
                "before": f.message in changes.standing,
            }
            for f in findings
        ],
        "unassessed": [u.reason for u in unassessed],
        "notes": list(changes.notes),
        "missing": list(changes.missing),
        "exit": report.exit if report is not None else 0,
    }
    write_plain("diff", body, out)


def markdown(changes: Changes, screen: Screen, out: IO[str]) -> None:
    """Writes a comment for a pull request: the sentence, broken promises, and a folded table."""
    del screen
    out.write(f"**Network:** {_md(summary(changes))}\n")
    report = changes.report
    for found in report.scan.findings if report is not None else ():
        told = f"{found.message}{_since(found, changes)} ({found.location})"
        out.write(f"\n- **broken promise**: {_md(told)}")
    for entry in report.scan.unassessed if report is not None else ():
        out.write(f"\n- **unassessed**: {_md(entry.reason)}")
    if report is not None and (report.scan.findings or report.scan.unassessed):
        out.write("\n")
    if not changes.rows:
        return
    out.write("\n<details><summary>what changes</summary>\n\n| | from | to | was | now | by |\n")
    out.write("|---|---|---|---|---|---|\n")
    for row in changes.rows[:_ROWS]:
        names = ", ".join(row.sources[:_NAMES])
        names += f" and {len(row.sources) - _NAMES} more" if len(row.sources) > _NAMES else ""
        cells = (row.kind, names, row.destination, row.was, row.now, row.by)
        out.write(f"| {' | '.join(map(_md, cells))} |\n")
    if len(changes.rows) > _ROWS:
        out.write(f"\n{plural(len(changes.rows) - _ROWS, 'row')} more: see the json report.\n")
    out.write("\n</details>\n")


def _md(text: str) -> str:
    return clean(text).translate({ord(sign): f"&#{ord(sign)};" for sign in "\\`*_[]<>|@#&"})
