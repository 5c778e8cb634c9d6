"""Admissions and bounds on the screen: one word first, then why, by whom, and what is left."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Final

from martello.report.model import Screen
from martello.report.resources.model import Answer, Answers, Bound, Bounds, Filled, Reason, Space
from martello.report.table import flow
from martello.report.text import clean, hanging, paint, plural

_STYLE: Final = {"admitted": "good", "refused": "high", "unassessed": "unassessed"}
_REASONS: Final = 8  # of one object
_FILLED: Final = 12


def write_answers(told: Answers, screen: Screen, out: IO[str]) -> None:
    """Writes what becomes of each object, and how many are let in."""
    lines: list[str] = []
    for one in told.answers:
        lines += _answer(one, screen)
    for note in dict.fromkeys(note for one in told.answers for note in one.notes):
        lines += hanging(clean(f"note: {note}"), screen.width, 6)
    lines += _missing(told.missing, screen)
    counts = [
        f"{sum(1 for one in told.answers if one.verdict == verdict)} {verdict}"
        for verdict in _STYLE
        if any(one.verdict == verdict for one in told.answers)
    ]
    if len(told.answers) > 1:
        lines.append(f"{plural(len(told.answers), 'object')}: {', '.join(counts)}")
    _put(lines, out)


def _answer(one: Answer, screen: Screen) -> list[str]:
    head = [(one.verdict, _STYLE[one.verdict]), (clean(one.object), "bold")]
    head += [(clean(one.where), "dim")] if one.where else []
    if one.wanted is not None and one.verdict != "unassessed":
        pods = f"{one.fitting:,} of {plural(one.wanted, 'pod')}"
        head.append((pods, "" if one.fitting == one.wanted else "high"))
    if one.qos:
        head.append((one.qos, ""))
    lines = _flow(head, screen, "", 2)
    if one.verdict == "refused":
        lines += hanging(f"  {one.code} by {one.step}: {clean(one.says)}", screen.width, 6)
        for reason in one.reasons[:_REASONS]:
            lines += _reason(reason, screen)
        lines += _more(len(one.reasons) - _REASONS, "reason")
    if one.unassessed:
        lines += hanging(f"  {clean(one.unassessed)}", screen.width, 4)
    if one.verdict == "admitted" or one.step not in ("decoding", ""):
        lines += _filled(one.filled, screen)
    for share in one.shares:
        told = f"  {share.quota}: {share.key} {share.before} → {share.after} of {share.hard}"
        lines += hanging(clean(told), screen.width, 4)
    for name in one.later:
        lines += hanging(clean(f"  may still be changed by {name}"), screen.width, 4)
    return lines


def _reason(reason: Reason, screen: Screen) -> list[str]:
    parts = []
    if reason.guard:
        parts += [(clean(reason.guard), ""), (clean(reason.guard_where), "dim")]
    if reason.path:
        parts += [(clean(reason.path), ""), (clean(reason.where), "dim")]
    return _flow(parts, screen, "    ", 6)


def _filled(given: Iterable[Filled], screen: Screen) -> list[str]:
    """What objects of the cluster fill in; the server's own defaults are in the JSON."""
    listed = [one for one in given if one.by]
    lines: list[str] = []
    for one in listed[:_FILLED]:
        by = [(clean(one.by), ""), (clean(one.by_where), "dim")]
        lines += _flow(
            [("set", ""), (f"{clean(one.path)}: {clean(one.value)}", ""), *by], screen, "  ", 6
        )
    return lines + _more(len(listed) - _FILLED, "value")


def write_bounds(told: Bounds, screen: Screen, out: IO[str]) -> None:
    """Writes what is bounded in each namespace, and what escapes it."""
    lines: list[str] = []
    for space in told.spaces:
        lines += _space(space, screen)
    lines += _missing(told.missing, screen)
    if not told.spaces:
        lines += [
            "nothing to judge: no namespaces here but those of the control plane",
            "next: name a directory with manifests, demo, or a cluster (-f), or one of them (-n)",
        ]
        _put([line for one in lines for line in hanging(one, screen.width, 2)], out)
        return
    where = f" in {plural(len(told.spaces), 'namespace')}"
    next = "    next: --write DIR makes guards that close them, proved"
    lines.append(f"{plural(told.holes, 'hole')}{where}{next}" if told.holes else f"no holes{where}")
    lines += [f"written: {clean(file)}" for file in told.written]
    _put(lines, out)


def _space(space: Space, screen: Screen) -> list[str]:
    lines = [paint(clean(space.namespace), "bold", screen.colour)]
    if space.unassessed:
        lines += hanging(clean(f"  unassessed: {space.unassessed}"), screen.width, 4)
    said = [bound for bound in space.bounds if not bound.open]
    wide = max((len(bound.resource) for bound in said), default=8)
    for bound in said:
        lines += _bound(bound, wide, screen)
    nothing = [escape for bound in space.bounds if bound.open for escape in bound.escapes]
    if nothing:
        asked = [told.removeprefix("requests of ") for told in nothing]
        both = [name for name in asked if f"use of {name}" in nothing]
        hidden = {told for name in both for told in (f"requests of {name}", f"use of {name}")}
        nothing = [*both, *(told for told in nothing if told not in hidden)]
        word = paint("no bound", "high", screen.colour)
        told = hanging(
            clean(f"  {'no bound':<{wide}}  {', '.join(nothing)}"), screen.width, wide + 4
        )
        lines += [told[0].replace("no bound", word, 1), *told[1:]]
    for spent in space.spent:
        lines += hanging(clean(f"  nearly spent: {spent}"), screen.width, 4)
    for note in space.notes:
        lines += hanging(clean(f"  {note}"), screen.width, 4)
    return lines


def _bound(bound: Bound, wide: int, screen: Screen) -> list[str]:
    used = f"{bound.used} of " if bound.used else "at most "
    value = f"{used}{bound.value}" if bound.value else "no bound"
    parts = [
        (f"{clean(bound.resource):<{wide}}", ""),
        (clean(value), "" if bound.value else "high"),
    ]
    for name, where in bound.guards:
        parts += [(clean(name), ""), (clean(where), "dim")]
    lines = _flow(parts, screen, "  ", wide + 4)
    for escape in bound.escapes:
        lines += hanging(clean(f"  {'':<{wide}}  {escape}"), screen.width, wide + 6)
    return lines


def _flow(parts: list[tuple[str, str]], screen: Screen, indent: str, hang: int) -> list[str]:
    """Parts side by side; those that do not fit go below, further in."""
    shown = [(text, style) for text, style in parts if text.strip()]
    made: list[str] = []
    for line in flow(shown, screen, indent):
        told = line if not made else " " * (hang - len(indent)) + line
        made += hanging(told, screen.width, hang) if "\x1b" not in told else [told]
    return made


def _missing(missing: Iterable[str], screen: Screen) -> list[str]:
    lines: list[str] = []
    for told in missing:
        lines += hanging(clean(f"not read: {told}"), screen.width, 2)
    return lines


def _more(count: int, word: str) -> list[str]:
    return [f"    and {plural(count, word)} more: -o json"] if count > 0 else []


def _put(lines: Iterable[str], out: IO[str]) -> None:
    out.write("".join(f"{line}\n" for line in lines))
