"""Paths on the screen: what leads where, each step with its evidence, and the cheapest cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Final

from martello.report.model import Report, Screen
from martello.report.paths.model import Edit, Evidence, Remedy, Step, Told, Way
from martello.report.text import clean, followed, hanging, paint, plural, width

_SHOWN: Final = 6  # classes with their steps; more are one line each
_FOOTHOLDS: Final = 4
_EDITS: Final = 6


def find(told: Told, screen: Screen, out: IO[str]) -> None:
    """Writes the classes, worst first, the cheapest cut, and the exit."""
    lines: list[str] = []
    for number, way in enumerate(told.ways):
        whole = told.everything or number < _SHOWN
        lines += way_lines(way, screen, steps=whole)
        lines += [""] if whole else []
    if not told.ways:
        ends = " or ".join(filter(None, (", ".join(told.goals[:-1]), told.goals[-1])))
        lines += hanging(
            clean(f"no path from {plural(told.footholds, 'foothold')} to {ends}"), screen.width, 2
        )
    if len(told.ways) > _SHOWN and not told.everything:
        lines.append(f"the steps of {len(told.ways) - _SHOWN} more: --all")
    if told.limited:
        lines.append("there may be more classes of paths: --all")
    if told.remedy is not None and told.ways:
        lines += [""] if lines[-1] else []
        lines += [*_summary(told.remedy, screen), ""]
    _put(lines + end_lines(told, screen), out)


def way_lines(way: Way, screen: Screen, steps: bool = True, word: str = "") -> list[str]:
    """One class: severity, from where to where, how many, and the steps of the cheapest path."""
    word = word or way.severity
    counts = f"{plural(len(way.footholds), 'foothold')}, {plural(len(way.steps), 'step')}"
    lines = _beside(f"{word:8}  {clean(f'{way.begin} → {way.goal}')}", counts, screen, 10)
    lines[0] = lines[0].replace(word, paint(word, way.severity, screen.colour), 1)
    if len(way.footholds) > 1:
        named = clean(_alike(way.footholds))
        lines += hanging(f"          any of {named}", screen.width, 17)
    if steps:
        for number, step in enumerate(way.steps, 1):
            lines += _step(number, step, screen)
        for why in way.why:
            lines += hanging(f"  {clean(why)}", screen.width, 4)
    return lines


def _alike(footholds: Sequence[str]) -> str:
    """The first few names; what all of them are is said once: `pods of a, b and 2 more`."""
    kind = footholds[0].rpartition(" ")[0]
    shown = list(footholds[:_FOOTHOLDS])
    if kind and all(one.rpartition(" ")[0] == kind for one in footholds):
        shown[1:] = [one.rpartition(" ")[2] for one in shown[1:]]
    more = len(footholds) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _beside(head: str, more: str, screen: Screen, indent: int) -> list[str]:
    """A line with more beside it where there is room, else below it."""
    whole = f"{head}  {more}"
    if not more or not screen.width or width(whole) <= screen.width:
        return [whole.rstrip()]
    return [
        *hanging(head, screen.width, indent),
        *hanging(" " * indent + more, screen.width, indent + 2),
    ]


def _step(number: int, step: Step, screen: Screen) -> list[str]:
    """The step; one piece of evidence beside it where there is room, else below; the place last."""
    mark = " " if step.sure else "?"
    head = f" {number:>2}{mark} {clean(step.says)}"
    parts = [_evidence(one) for one in step.shown]
    if not parts:
        return hanging(head, screen.width, 5)
    if len(parts) == 1 and (not screen.width or width(f"{head}  {parts[0]}") <= screen.width):
        return [f"{head}  {parts[0]}"]
    lines = hanging(head, screen.width, 5)
    for part in parts:
        lines += hanging(f"       {part}", screen.width, 9)
    return lines


def _evidence(one: Evidence) -> str:
    said = one.says if one.sure else f"not assessed: {one.because or one.says}"
    return clean("  ".join(part for part in (said, one.where) if part))


def _summary(remedy: Remedy, screen: Screen) -> list[str]:
    """The cheapest cut, an edit a line, and what else would do."""
    if not remedy.edits:
        return hanging(
            "no edit ends these paths: what they stand on cannot be taken away", screen.width, 2
        )
    head = "cheapest cut" if remedy.optimal else "best cut found"
    proved = {True: ", proved", False: ", not enough by itself", None: ""}[remedy.verified]
    lines = [f"{head}{proved}, cost {remedy.cost}:"]
    for edit in remedy.edits[:_EDITS]:
        lines += _beside(f"  {clean(edit.says)}", clean(edit.where), screen, 6)
    if len(remedy.edits) > _EDITS:
        lines.append(f"  and {len(remedy.edits) - _EDITS} more: martello paths cut")
    for edit in remedy.also[:2]:
        told = f"or, cost {edit.cost}: {edit.says}"
        lines += _beside(clean(told), clean(edit.where), screen, 6)
    return lines


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
        lines += _written(told, screen)
    _put(lines + end_lines(told, screen), out)


def _written(told: Told, screen: Screen) -> list[str]:
    steps = []
    if told.objects:
        steps.append(f"kubectl apply -f {told.folder}/apply")
    if told.removed:
        steps.append(f"kubectl delete -f {told.folder}/delete")
    done = f"{plural(len(told.written), 'file')} written"
    return followed(done, clean(" && ".join(steps)), screen.width)


def _edit(word: str, edit: Edit, screen: Screen) -> list[str]:
    cost = f"cost {edit.cost}" + (f": {edit.why}" if edit.why else "")
    beside = "  ".join(filter(None, (edit.where, cost)))
    lines = _beside(f"{word:8}{clean(edit.says)}", clean(beside), screen, 8)
    lines[0] = lines[0].replace(word, paint(word, "bold", screen.colour), 1)
    return lines


def proof(told: Told, remedy: Remedy) -> str:
    """What the cut closes, and how that is known."""
    classes = plural(len(told.ways), "class", "classes")
    if not remedy.edits:
        return f"no edit ends any of {classes} of paths"
    left = "nothing but what is open" if remedy.open else "no path"
    how = "the cheapest" if remedy.optimal else f"at most {remedy.gap} dearer than the cheapest"
    tried = {
        True: f"proved on the edited cluster: {left} is left",
        False: "on the edited cluster a path is left",
        None: "not tried on the edited cluster",
    }[remedy.verified]
    return f"{tried} · cost {remedy.cost}, {how}"


def end_lines(told: Told, screen: Screen) -> list[str]:
    """Notes, what could not be read, and the exit with the next command."""
    lines: list[str] = []
    for note in told.notes:
        lines += hanging(f"note: {clean(note)}", screen.width, 6)
    for one in told.missing[:3]:
        lines += hanging(f"unread: {clean(one)}", screen.width, 8)
    return [*lines, *exit_lines(told.report, told.report.reason, screen)]


def exit_lines(report: Report, reason: str, screen: Screen) -> list[str]:
    """The exit with its reason, and the next command."""
    style = {0: "good", 3: "unassessed"}.get(report.exit, "high")
    word = f"exit {report.exit}"
    first, *more = followed(clean(f"{word}: {reason}"), clean(report.next), screen.width)
    return [first.replace(word, paint(word, style, screen.colour), 1), *more]


def _put(lines: list[str], out: IO[str]) -> None:
    out.writelines(f"{line}\n" for line in lines)
