"""The blast radius as drawings: workloads by resources, and each node as stacked bars.

Every cell says its number and every bar its words; colour only helps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Final

from martello.report.network.svg import cut, drawing, element, words
from martello.report.resources.blast.model import Bar, Line, Row, Stand, Told
from martello.report.resources.blast.text import (
    SHORT,
    beside_what,
    columns_of,
    kept_rows,
    left_out,
    mark,
    seen,
    verdict,
)

MOST: Final = 60  # rows of the map
NODES: Final = 12
_LETTER: Final = 7.7
_LABEL: Final = 34
_CELL: Final = (56.0, 26.0)
_WIDE: Final = 420.0
_BAR: Final = 20.0
_SCORE: Final = 60.0  # a score of 100
_VERDICT: Final = 56
_GRAVE: Final = ("critical", "high")
_ORDER: Final = 8  # names of those who go down
STYLE: Final = """
.net .none { fill: none; } .net .asked { fill: var(--accent); fill-opacity: .75; }
.net .used { fill: var(--ink); } .net .take { fill: var(--open); fill-opacity: .85; }
.net .free { fill: var(--line); } .net .on { fill: var(--sheet); font-weight: 600; }
.net .ring { fill: none; stroke: var(--doubt); stroke-width: 1.6; stroke-dasharray: 3 2; }
.net .ring.bold { stroke: var(--sheet); }
.net .warm { fill: var(--part); } .net .calm { fill: var(--line); }
"""


def write(told: Told, out: IO[str]) -> None:
    """Writes both drawings as one file."""
    parts, height, width = [], 16.0, 320.0
    for body, wide, high in (_once(told), _map(told), _stands(told)):
        parts.append(element("g", body, transform=f"translate(0 {height:.1f})"))
        height, width = height + high + 24, max(width, wide)
    body = f"<style>{STYLE}</style>" + "".join(parts)
    out.write(drawing(body, width, height, title(told), style=True) + "\n")


def title(told: Told) -> str:
    """What the picture is of."""
    return f"Whom workloads can hurt, attacker: {told.level}"


def map_svg(told: Told) -> str:
    """Workloads by resources."""
    body, width, height = _map(told)
    return drawing(body, width, height, title(told))


def stand_svg(stand: Stand) -> str:
    """One node."""
    body, width, height = _stand(stand)
    return drawing(body, width, height, f"Node {stand.node}")


def _once(told: Told) -> tuple[str, float, float]:
    """What nearly all share, and its fix."""
    once = told.shared
    if once is None:
        return "", 0.0, -24.0
    head = f"{once.who[:1].upper()}{once.who[1:]}, {once.resource}: no guard; {once.says}"
    fix = f"one fix: {once.fix}"
    parts = [
        element("text", words(head), class_="title", x=16, y=22),
        element("text", words(fix), x=16, y=42),
    ]
    return "".join(parts), 32 + 8.6 * max(len(head), len(fix)), 48.0


def _map(told: Told) -> tuple[str, float, float]:
    """The worst first; beside what nearly all share, where that is told once."""
    kept = kept_rows(told)
    rows, columns, aside = kept[:MOST], columns_of(told), beside_what(told)
    if aside and not rows:
        return element("text", f"Nobody is hurt{aside}", class_="title", x=16, y=22), 480.0, 30.0
    left = 24 + _LETTER * max((len(cut(r.attacker, _LABEL)) for r in rows), default=8)
    wide, high = _CELL
    top = 56.0
    head = f"How many others each workload hurts, by resource{aside}"
    parts = [element("text", words(head), class_="title", x=16, y=22)]
    for index, column in enumerate(columns):
        x = left + wide * (index + 0.5)
        parts.append(element("text", words(SHORT[column]), class_="soft middle", x=x, y=top - 8))
    side = left + wide * len(columns) + 12
    parts.append(element("text", "score, and what is worst", class_="soft", x=side, y=top - 8))
    for place, row in enumerate(rows):
        y = top + high * place
        parts.append(element("text", _named(row), class_="end", x=left - 8, y=y + 17))
        cells = {line.resource: line for line in row.lines}
        for index, column in enumerate(columns):
            parts.append(_cell(cells.get(column), row, left + wide * index, y))
        parts += _scored(row, side, y)
    y = top + high * len(rows)
    more = f"and {len(kept) - MOST:,} workloads more: -o json" if len(kept) > MOST else ""
    for line in filter(None, (more, left_out(told))):
        parts.append(element("text", words(line), class_="soft", x=16, y=y + 18))
        y += 22
    legend = "number: so many are hurt · 0: bounded · -: no guard, nobody hurt"
    parts.append(element("text", words(legend), class_="soft", x=16, y=y + 20))
    dashed = "dashed: decided by a setting that nobody told"
    parts.append(element("text", words(dashed), class_="soft", x=16, y=y + 38))
    said = max((len(cut(verdict(row), _VERDICT)) for row in rows), default=0)
    width = max(side + _SCORE + 60 + _LETTER * said, 480.0)
    return "".join(parts), width, y + 48


def _scored(row: Row, x: float, y: float) -> Iterator[str]:
    """The score as a figure and as a bar, and in words what it comes from."""
    said = seen(row)
    yield element("rect", class_="free", x=x, y=y + 8, width=_SCORE, height=10, rx=3)
    if said.score:
        kind = "open" if said.severity in _GRAVE else "warm"
        full = max(_SCORE * said.score / 100, 2.0)
        yield element("rect", class_=kind, x=x, y=y + 8, width=full, height=10, rx=3)
    yield element("text", f"{said.score:.1f}", class_="end", x=x + _SCORE + 44, y=y + 17)
    whole = verdict(row)
    short = cut(whole, _VERDICT)
    full_ = element("title", words(whole)) if short != whole else ""
    yield element("text", f"{full_}{words(short)}", x=x + _SCORE + 56, y=y + 17)


def _named(row: Row) -> str:
    short = cut(row.attacker, _LABEL)
    full = element("title", words(row.attacker)) if short != row.attacker else ""
    return f"{full}{words(short)}"


def _cell(line: Line | None, row: Row, x: float, y: float) -> str:
    if line is None:
        return ""
    wide, high = _CELL
    grave = seen(row).severity in _GRAVE
    kind = ("open" if grave else "warm") if line.hurt else "calm" if not line.guard else "none"
    box = element("rect", class_=kind, x=x + 2, y=y + 2, width=wide - 4, height=high - 4, rx=3)
    ring = ""
    if line.exact == "unassessed":
        kind = "ring bold" if line.hurt else "ring"
        ring = element("rect", class_=kind, x=x + 4, y=y + 4, width=wide - 8, height=high - 8)
    text = element(
        "text",
        words(mark(line)),
        class_="on middle" if line.hurt else "middle soft",
        x=x + wide / 2,
        y=y + 17,
    )
    guard = line.guard or "no guard"
    told = element("title", words(f"{row.attacker}, {line.resource}: {guard}; {line.says}"))
    return element("g", told + box + ring + text)


def _stands(told: Told) -> tuple[str, float, float]:
    parts, y, width = [], 0.0, 0.0
    for stand in told.nodes[:NODES]:
        body, wide, high = _stand(stand)
        parts.append(element("g", body, transform=f"translate(0 {y:.1f})"))
        y, width = y + high + 16, max(width, wide)
    return "".join(parts), width, y


def _stand(stand: Stand) -> tuple[str, float, float]:
    head = f"{cut(stand.node, 40)}: {stand.pods:,} pods; the worst is {cut(stand.attacker, 40)}"
    parts = [element("text", words(head), class_="title", x=16, y=20)]
    y = 38.0
    for bar in stand.bars:
        parts += list(_bar(bar, y))
        y += _BAR + 26
    legend = "blue: asked for · red: what it can take beside · dark line: in use · grey: free"
    parts.append(element("text", words(legend), class_="soft", x=16, y=y + 10))
    y += 32
    for place, hurt in enumerate(stand.order[:_ORDER], 1):
        amount = f", {hurt.amount}" if hurt.amount else ""
        effect = "cannot fork" if hurt.effect == "no fork" else hurt.effect
        text = f"{place}. {cut(hurt.name, 48)} {effect}{amount}"
        parts.append(element("text", words(text), x=32, y=y))
        y += 18
    if len(stand.order) > _ORDER:
        more = f"and {len(stand.order) - _ORDER:,} more go down"
        parts.append(element("text", words(more), class_="soft", x=32, y=y))
        y += 18
    if not stand.order:
        parts.append(element("text", "nobody goes down", class_="soft", x=32, y=y))
        y += 18
    return "".join(parts), max(96 + _WIDE + 40, 32 + 8.2 * len(head)), y + 4


def _bar(bar: Bar, y: float) -> Iterator[str]:
    """What is asked for from the left; from its end what the attacker can take, to the edge where
    nothing bounds it.
    """
    left, total = 96.0, max(bar.total, 1)
    yield element("text", words(bar.name), class_="end", x=left - 8, y=y + 15)
    yield element("rect", class_="free", x=left, y=y, width=_WIDE, height=_BAR)
    asked = _WIDE * min(bar.asked, total) / total
    free = _WIDE - asked
    take = free if bar.take is None else min(free, _WIDE * bar.take / total)
    if asked:
        yield element("rect", class_="asked", x=left, y=y, width=asked, height=_BAR)
    if take:
        yield element("rect", class_="take", x=left + asked, y=y, width=take, height=_BAR)
    if bar.used is not None:
        x = left + _WIDE * min(bar.used, total) / total
        yield element("rect", class_="used", x=x - 1, y=y - 3, width=2, height=_BAR + 6)
    parts = [f"{amount(bar.asked, bar.unit)} asked for"] if bar.asked else []
    if bar.used is not None:
        parts.append(f"{amount(bar.used, bar.unit)} in use")
    parts.append(
        "it can take all" if bar.take is None else f"it takes {amount(bar.take, bar.unit)}"
    )
    text = f"{', '.join(parts)}, of {amount(bar.total, bar.unit)}"
    yield element("text", words(text), class_="label", x=left, y=y + _BAR + 14)


def amount(count: int, unit: str) -> str:
    """A figure with its unit."""
    if unit != "bytes":
        return f"{count:,}{unit}"
    size, name = float(count), ""
    for larger in ("Ki", "Mi", "Gi", "Ti"):
        if size < 1024:
            break
        size, name = size / 1024, larger
    return f"{size:,.0f}{name}" if size >= 10 or not name else f"{size:,.1f}{name}"
