"""What a change opens and closes: on the screen, as JSON, and as a comment of a pull request."""

from __future__ import annotations

from typing import IO, Final

import msgspec

from martello.report.markdown import cell
from martello.report.model import Report, Screen
from martello.report.paths.json import way, write_plain
from martello.report.paths.model import Evidence, Way
from martello.report.paths.text import exit_lines, way_lines
from martello.report.text import clean, hanging, paint, plural

_SHOWN: Final = 20


class Opens(msgspec.Struct, frozen=True):
    """A class of paths that only the new state has, and the changed facts that open it."""

    way: Way
    blame: tuple[Evidence, ...]


class Diff(msgspec.Struct, frozen=True):
    """What a change does to the paths."""

    old: str
    new: str
    opened: tuple[Opens, ...]
    closed: tuple[tuple[str, str], ...]  # foothold and goal
    report: Report
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def summary(diff: Diff) -> str:
    """One sentence."""
    words = []
    if diff.opened:
        words.append(f"opens {plural(len(diff.opened), 'new path')}")
    if diff.closed:
        words.append(f"closes {plural(len(diff.closed), 'path')}")
    told = " and ".join(words) or "opens and closes no path"
    return f"from {diff.old} to {diff.new}: {told}"


def text(diff: Diff, screen: Screen, out: IO[str]) -> None:
    """Writes the new paths with the lines to blame, then those that are closed."""
    lines = hanging(clean(summary(diff)), screen.width, 2)
    for one in diff.opened[:_SHOWN]:
        lines += way_lines(one.way, screen)
        for fact in one.blame:
            said = "  ".join(part for part in (fact.says, fact.where) if part)
            lines += hanging(f"  opened by {clean(said)}", screen.width, 12)
        lines.append("")
    if len(diff.opened) > _SHOWN:
        lines.append(f"and {len(diff.opened) - _SHOWN} more: -o json")
    for begin, goal in diff.closed[:_SHOWN]:
        word = paint("closed", "good", screen.colour)
        made = hanging(clean(f"closed    {begin} → {goal}"), screen.width, 10)
        lines += [made[0].replace("closed", word, 1), *made[1:]]
    if len(diff.closed) > _SHOWN:
        lines.append(f"and {len(diff.closed) - _SHOWN} more closed: -o json")
    for note in diff.notes:
        lines += hanging(f"note: {clean(note)}", screen.width, 6)
    for one_missing in diff.missing[:3]:
        lines += hanging(f"unread: {clean(one_missing)}", screen.width, 8)
    report = diff.report
    reason = "no new path" if not diff.opened and report.exit == 0 else report.reason
    lines += exit_lines(report, reason, screen)
    out.writelines(f"{line}\n" for line in lines)


def json(diff: Diff, screen: Screen, out: IO[str]) -> None:
    """Writes everything as JSON."""
    del screen
    body = {
        "old": diff.old,
        "new": diff.new,
        "summary": summary(diff),
        "opened": [
            {**way(one.way), "blame": [msgspec.to_builtins(fact) for fact in one.blame]}
            for one in diff.opened
        ],
        "closed": [{"begin": begin, "goal": goal} for begin, goal in diff.closed],
        "notes": list(diff.notes),
        "missing": list(diff.missing),
        "exit": diff.report.exit,
    }
    write_plain("diff", body, out)


def markdown(diff: Diff, screen: Screen, out: IO[str]) -> None:
    """Writes a comment for a pull request: what opens with its steps, what closes in a line."""
    del screen
    out.write(f"**Paths:** {cell(summary(diff))}\n")
    for one in diff.opened[:_SHOWN]:
        out.write(f"\n- **{one.way.severity}** {cell(f'{one.way.begin} → {one.way.goal}')}\n")
        for number, step in enumerate(one.way.steps, 1):
            told = step.says if step.sure else f"{step.says}: not assessed"
            places = ", ".join(fact.where for fact in step.shown if fact.where)
            out.write(f"  {number}. {cell(told + (f' ({places})' if places else ''))}\n")
        for fact in one.blame:
            out.write(f"\n  opened by {cell(f'{fact.says} {fact.where}'.strip())}\n")
    if len(diff.opened) > _SHOWN:
        out.write(f"\n{len(diff.opened) - _SHOWN} more: see the json report.\n")
    if diff.closed:
        told = "; ".join(f"{begin} → {goal}" for begin, goal in diff.closed[:_SHOWN])
        out.write(f"\nclosed: {cell(told)}\n")
