"""Paths on the screen: what leads where, each step with its evidence, and the cheapest cut."""

from __future__ import annotations

from typing import IO, Final

from martello.report.model import Screen
from martello.report.paths.model import Edit, Evidence, Remedy, Step, Told, Way
from martello.report.text import clean, hanging, paint, plural, width

_SHOWN: Final = 6  # classes with their steps; more are one line each
_FOOTHOLDS: Final = 4
_COLUMN: Final = 38  # where the evidence stands on a wide screen


def find(told: Told, screen: Screen, out: IO[str]) -> None:
    """Writes the classes, worst first, the cheapest cut, and the exit."""
    lines: list[str] = []
    for number, way in enumerate(told.ways):
        whole = told.everything or number < _SHOWN
        lines += way_lines(way, screen, steps=whole)
    if not told.ways:
        ends = " or ".join(told.goals)
        lines += hanging(
            clean(f"no path from {plural(told.footholds, 'foothold')} to {ends}"), screen.width, 2
        )
    if len(told.ways) > _SHOWN and not told.everything:
        lines.append(f"the steps of {len(told.ways) - _SHOWN} more: --all")
    if told.limited:
        lines.append("there may be more classes of paths: --all")
    if told.remedy is not None and told.ways:
        lines += _summary(told.remedy, screen)
    _put(lines + end_lines(told, screen), out)


def way_lines(way: Way, screen: Screen, steps: bool = True, word: str = "") -> list[str]:
    """One class: severity, from where to where, how many, and the steps of the cheapest path."""
    word = word or way.severity
    count = plural(len(way.footholds), "foothold")
    head = f"{word:8}  {way.begin} → {way.goal}   {count}, {plural(len(way.steps), 'step')}"
    lines = hanging(clean(head), screen.width, 10)
    style = way.severity
    lines[0] = lines[0].replace(word, paint(word, style, screen.colour), 1)
    if len(way.footholds) > 1:
        more = len(way.footholds) - _FOOTHOLDS
        named = ", ".join(way.footholds[:_FOOTHOLDS]) + (f" and {more} more" if more > 0 else "")
        lines += hanging(f"          any of {clean(named)}", screen.width, 12)
    if steps:
        for number, step in enumerate(way.steps, 1):
            lines += _step(number, step, screen)
        for why in way.why:
            lines += hanging(f"  {clean(why)}", screen.width, 4)
    return lines


def _step(number: int, step: Step, screen: Screen) -> list[str]:
    """The step; its evidence beside it where there is room, else below, with the place last."""
    mark = " " if step.sure else "?"
    head = f" {number:>2}{mark}{clean(step.says)}"
    parts = [_evidence(one) for one in step.evidence]
    if not parts:
        return hanging(head, screen.width, 4)
    if not screen.width or screen.width >= 120:
        column = max(_COLUMN, width(head) + 2)
        first, *more = parts
        lines = [f"{head}{' ' * (column - width(head))}{first}"]
        lines += [f"{' ' * column}{part}" for part in more]
        return lines
    lines = hanging(head, screen.width, 4)
    for part in parts:
        lines += hanging(f"      {part}", screen.width, 8)
    return lines


def _evidence(one: Evidence) -> str:
    said = one.says if one.sure else f"not assessed: {one.because or one.says}"
    return clean("  ".join(part for part in (said, one.where) if part))


def _summary(remedy: Remedy, screen: Screen) -> list[str]:
    """The cheapest cut in a sentence, with what else would do."""
    if not remedy.edits:
        return hanging("no edit ends these paths: what they stand on cannot be taken away", 0, 2)
    head = "cheapest cut" if remedy.optimal else "best cut found"
    proved = {True: ", proved", False: ", not enough by itself", None: ""}[remedy.verified]
    edits = "; ".join(edit.says for edit in remedy.edits[:4])
    if len(remedy.edits) > 4:
        edits += f" and {len(remedy.edits) - 4} more"
    text = f"{head}{proved}: {edits} (cost {remedy.cost})."
    if remedy.also:
        others = "; ".join(f"{edit.says} (cost {edit.cost})" for edit in remedy.also[:2])
        text += f"   also: {others}"
    return hanging(clean(text), screen.width, 2)


def cut(told: Told, screen: Screen, out: IO[str]) -> None:
    """Writes the edits with their cost, the proof, and what stays open."""
    lines: list[str] = []
    remedy = told.remedy
    if not told.ways or remedy is None:
        lines.append("there is no path to cut")
    else:
        for edit in remedy.edits:
            lines += _edit("cut", edit, screen)
        for edit in remedy.also[:3]:
            lines += _edit("or", edit, screen)
        for one in remedy.open[:5]:
            word = paint("open", "high", screen.colour)
            made = hanging(f"open    {clean(one)}", screen.width, 8)
            lines += [made[0].replace("open", word, 1), *made[1:]]
        lines += hanging(clean(proof(told, remedy)), screen.width, 2)
    if told.folder and remedy is not None and remedy.edits:
        lines += hanging(clean(_written(told)), screen.width, 2)
    _put(lines + end_lines(told, screen), out)


def _written(told: Told) -> str:
    steps = []
    if told.objects:
        steps.append(f"kubectl apply -f {told.folder}/apply")
    if told.removed:
        steps.append(f"kubectl delete -f {told.folder}/delete")
    return f"{plural(len(told.written), 'file')} written    next: {' && '.join(steps)}"


def _edit(word: str, edit: Edit, screen: Screen) -> list[str]:
    head = f"{word:8}{edit.says}"
    lines = hanging(clean(head), screen.width, 10)
    lines[0] = lines[0].replace(word, paint(word, "bold", screen.colour), 1)
    cost = f"cost {edit.cost}" + (f": {edit.why}" if edit.why else "")
    where = f"  {edit.where}" if edit.where else ""
    return [*lines, *hanging(f"        {clean(cost + where)}", screen.width, 10)]


def proof(told: Told, remedy: Remedy) -> str:
    """What the cut closes, and how that is known."""
    classes = plural(len(told.ways), "class", "classes")
    if not remedy.edits:
        return f"no edit ends any of {classes} of paths"
    how = "the cheapest" if remedy.optimal else f"at most {remedy.gap} dearer than the cheapest"
    tried = {
        True: "proved on the edited cluster: none of them is left",
        False: "on the edited cluster a path is left",
        None: "not tried on the edited cluster",
    }[remedy.verified]
    return f"{tried} · {classes} of paths · cost {remedy.cost}, {how}"


def end_lines(told: Told, screen: Screen) -> list[str]:
    """Notes, what could not be read, and the exit with the next command."""
    lines: list[str] = []
    for note in told.notes:
        lines += hanging(f"note: {clean(note)}", screen.width, 6)
    for one in told.missing[:3]:
        lines += hanging(f"unread: {clean(one)}", screen.width, 8)
    report = told.report
    style = {0: "good", 3: "unassessed"}.get(report.exit, "high")
    following = f"    next: {report.next}" if report.next else ""
    exit = paint(f"exit {report.exit}", style, screen.colour)
    made = hanging(clean(f"exit {report.exit}: {report.reason}{following}"), screen.width, 2)
    made[0] = made[0].replace(f"exit {report.exit}", exit, 1)
    return [*lines, *made]


def _put(lines: list[str], out: IO[str]) -> None:
    out.writelines(f"{line}\n" for line in lines)
