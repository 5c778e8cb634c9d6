"""What is open beyond the pods that are there: to strangers, and to pods still to come."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any

import msgspec

from martello.report.model import Screen
from martello.report.network.json import write_plain
from martello.report.text import clean, hanging, pad, paint

_STYLE = {"allowed": "high", "denied": "good", "unknown": "unassessed"}
_WORD = {"allowed": "open", "denied": "shut", "unknown": "unknown"}


class Open(msgspec.Struct, frozen=True):
    """One workload, a direction, what is open there, and to whom or by which way."""

    workload: str
    direction: str  # in or out
    verdict: str
    what: str
    who: str
    reason: str = ""
    where: str = ""


class Opens(msgspec.Struct, frozen=True):
    """All of it: from outside, and to pods that are not there yet."""

    outside: tuple[Open, ...]
    newcomers: tuple[Open, ...]
    notes: tuple[str, ...] = ()


def table(opens: Opens, screen: Screen, out: IO[str]) -> None:
    """Writes both lists."""
    lines = [paint("what strangers reach", "bold", screen.colour)]
    lines += _list(opens.outside, screen) or ["  nothing leads in from outside"]
    title = "open to pods that are not there yet"
    lines += ["", paint(title, "bold", screen.colour)]
    lines += _list(opens.newcomers, screen) or ["  nothing"]
    for note in opens.notes:
        lines += hanging(f"note: {clean(note)}", screen.width, 6)
    out.writelines(f"{line}\n" for line in lines)


def _list(entries: Iterable[Open], screen: Screen) -> list[str]:
    """A line for each thing that is open; workloads that are open alike together."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for entry in sorted(entries, key=lambda e: (e.direction, e.workload)):
        side = "by" if entry.where else "to" if entry.direction == "out" else "from"
        told = f"{entry.what} {side} {entry.who}"
        told += f": {entry.reason}" if entry.reason else ""
        told += f" ({entry.where})" if entry.where else ""
        key = (entry.direction, entry.verdict, told)
        alike.setdefault(key, []).append(entry.workload)
    lines: list[str] = []
    for (direction, verdict, told), names in alike.items():
        word = _WORD[verdict]
        text = clean(f"{', '.join(names)}  {told}")
        made = hanging(f"  {pad(direction, 3)}  {pad(word, 7)}  {text}", screen.width, 16)
        made[0] = made[0].replace(word, paint(word, _STYLE[verdict], screen.colour), 1)
        lines += made
    return lines


def json(opens: Opens, screen: Screen, out: IO[str]) -> None:
    """Writes both lists as JSON."""
    del screen
    body = {
        "outside": [_plain(entry) for entry in opens.outside],
        "newcomers": [_plain(entry) for entry in opens.newcomers],
        "notes": list(opens.notes),
    }
    write_plain("exposure", body, out)


def _plain(entry: Open) -> dict[str, Any]:
    return {
        "workload": entry.workload,
        "direction": entry.direction,
        "verdict": entry.verdict,
        "what": entry.what,
        "who": entry.who,
        "reason": entry.reason,
        "where": entry.where,
    }
