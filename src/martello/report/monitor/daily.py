"""The report of a day: what grew, what alerted, who did what, what is not known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import IO, Any, Final

import msgspec

from martello.report.network.html import page
from martello.report.text import clean, encoded, plural

_BARS: Final = "▁▂▃▄▅▆▇█"
_STYLE: Final = (
    "<style>.trend{display:grid;grid-template-columns:minmax(14rem,1fr) 22rem;gap:.4rem 1.2rem;"
    "align-items:center;padding:.6rem 1rem}.trend svg{width:100%;height:4.2rem}"
    ".trend p{margin:0;overflow-wrap:anywhere}.trend small{display:block}"
    "table.plain td{padding:.25rem .8rem .25rem 0;text-align:left;vertical-align:top}"
    "table.plain td:first-child{font-variant-numeric:tabular-nums;text-align:right}"
    "@media(max-width:44rem){.trend{grid-template-columns:1fr}}</style>\n"
)


class Line(msgspec.Struct, frozen=True):
    """A trend in words: the gravest first. `counts` by hour; `at` is the hour where it changed."""

    says: str
    detail: str
    counts: tuple[int, ...]
    at: int
    up: bool


class Group(msgspec.Struct, frozen=True):
    """The alerts of one rule."""

    severity: str
    rule: str
    title: str
    alerts: int
    events: int
    whom: tuple[str, ...]


class Daily(msgspec.Struct, frozen=True):
    """What is told of a window. Times are microseconds UTC; `events` by kind; `people` are lines
    (how often, who, what); `hours` is events by hour.
    """

    since: int
    until: int
    clusters: tuple[str, ...]
    events: dict[str, int]
    hours: tuple[int, ...]
    trends: tuple[Line, ...]
    alerts: tuple[Group, ...]
    people: tuple[tuple[int, str, str], ...]
    coverage: str
    gaps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def write_markdown(told: Daily, out: IO[str]) -> None:
    """The report as markdown."""
    for line in _markdown(told):
        out.write(f"{line}\n")


def _markdown(told: Daily) -> Iterator[str]:
    yield f"# {_mark(_title(told))}"
    yield ""
    yield f"{_mark(_summary(told))}  "
    yield f"`{sparkline(told.hours)}` events by hour, {_mark(_coverage(told))}"
    yield ""
    yield "## What changed"
    yield ""
    if not told.trends:
        yield "Nothing that chance does not explain."
    for number, one in enumerate(told.trends, 1):
        yield f"{number}. **{_mark(one.says)}** `{sparkline(one.counts)}`  "
        yield f"   {_mark(one.detail)}"
    yield ""
    yield "## Alerts"
    yield ""
    if not told.alerts:
        yield "None."
    else:
        yield "| severity | rule | alerts | events | whom |"
        yield "|---|---|---:|---:|---|"
    for group in told.alerts:
        whom = ", ".join(_mark(one) for one in group.whom)
        name = _mark(
            group.title if group.rule.endswith(group.title) else f"{group.rule} {group.title}"
        )
        yield f"| {group.severity} | {name} | {group.alerts:,} | {group.events:,} | {whom} |"
    yield ""
    if told.people:
        yield "## Who changed what"
        yield ""
        yield "| times | who | what |"
        yield "|---:|---|---|"
        for count, who, what in told.people:
            yield f"| {count:,} | {_mark(who)} | {_mark(what)} |"
        yield ""
    for heading, lines in (("Not known", told.gaps), ("Notes", told.notes)):
        if lines:
            yield f"## {heading}"
            yield ""
            for text in lines:
                yield f"- {_mark(text)}"
            yield ""


def write_html(told: Daily, out: IO[str]) -> None:
    """The report as one page with pictures, without script."""
    page(_title(told), _html(told), out)


def _html(told: Daily) -> Iterator[str]:
    yield _STYLE
    grave = any(one.severity in ("critical", "high") for one in told.alerts)
    kind = " fail" if grave else " incomplete" if told.gaps else ""
    yield f'<p class="verdict{kind}">{_text(_summary(told))}</p>\n'
    yield f"<p class=counts>{_text(_coverage(told))}</p>\n"
    yield _bars(told.hours, told.since, -1)
    yield "<h2>What changed</h2>\n"
    if not told.trends:
        yield "<p>Nothing that chance does not explain.</p>\n"
    for one in told.trends:
        level = "high" if one.up else "low"
        yield (
            f'<section class="cause trend {level}"><p><strong>{_text(one.says)}</strong>'
            f"<small>{_text(one.detail)}</small></p>{_bars(one.counts, told.since, one.at)}"
            "</section>\n"
        )
    yield "<h2>Alerts</h2>\n"
    if not told.alerts:
        yield "<p>None.</p>\n"
    for group in told.alerts:
        level = f'<span class="severity {group.severity}">{group.severity}</span>'
        counts = f"{plural(group.alerts, 'alert')} of {plural(group.events, 'event')}"
        whom = _text(", ".join(group.whom))
        yield (
            f'<section class="cause {group.severity}" style="padding:.5rem 1rem">{level} '
            f"<strong>{_text(group.title)}</strong> <small>{_text(group.rule)}</small>"
            f"<small class=where>{counts}: {whom}</small></section>\n"
        )
    if told.people:
        rows = "".join(
            f"<tr><td>{count:,}<td>{_text(who)}<td>{_text(what)}\n"
            for count, who, what in told.people
        )
        yield f"<h2>Who changed what</h2>\n<table class=plain>{rows}</table>\n"
    for heading, lines in (("Not known", told.gaps), ("Notes", told.notes)):
        if lines:
            items = "".join(f"<li>{_text(text)}\n" for text in lines)
            yield f"<h2>{heading}</h2>\n<ul>{items}</ul>\n"


def write_json(told: Daily, out: IO[str]) -> None:
    """The report as one object."""
    body: dict[str, Any] = {"schema": "martello-daily/v1", **msgspec.to_builtins(told)}
    out.write(encoded(body, indent=True) + "\n")


def sparkline(counts: Sequence[int]) -> str:
    """A line of bars, one an hour."""
    most = max(counts, default=0)
    if not most:
        return _BARS[0] * len(counts)
    return "".join(_BARS[min(7, count * 7 // most)] for count in counts)


def _bars(counts: Sequence[int], since: int, at: int) -> str:
    """The hours as bars, those after a change in another colour."""
    most = max(counts, default=0) or 1
    wide = 100 / max(1, len(counts))
    bars = []
    for hour, count in enumerate(counts):
        height = 34 * count / most
        colour = "var(--high)" if 0 <= at <= hour else "var(--accent)"
        begun = datetime.fromtimestamp(since / 1e6 + 3600 * hour, UTC).strftime("%H:%M")
        bars.append(
            f'<rect x="{hour * wide:.2f}" y="{36 - height:.2f}" width="{wide * 0.82:.2f}" '
            f'height="{height:.2f}" fill="{colour}"><title>{begun}: {count:,}</title></rect>'
        )
    label = f"{sum(counts):,} events in {len(counts)} hours, at most {most:,} an hour"
    return (
        f'<svg viewBox="0 0 100 36" preserveAspectRatio="none" role="img" aria-label="{label}" '
        f'style="width:100%;height:4.2rem">{"".join(bars)}</svg>'
    )


def _title(told: Daily) -> str:
    whom = ", ".join(told.clusters) or "every cluster"
    return f"{whom}, {_moment(told.since)} to {_moment(told.until)} UTC"


def _moment(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).strftime("%Y-%m-%d %H:%M")


def _summary(told: Daily) -> str:
    alerts = sum(one.alerts for one in told.alerts)
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in told.events.items())
    graver = [
        f"{count:,} {severity}"
        for severity in ("critical", "high")
        if (count := sum(one.alerts for one in told.alerts if one.severity == severity))
    ]
    heads = [f"{plural(alerts, 'alert')}{', ' * bool(graver)}{', '.join(graver)}"]
    events = plural(sum(told.events.values()), "event")
    heads.append(f"{events} ({kinds})" if kinds else events)
    heads.append(told.trends[0].says if told.trends else "nothing changed beyond chance")
    return "; ".join(heads)


def _coverage(told: Daily) -> str:
    return told.coverage


def _mark(text: str) -> str:
    """A text that is no markup."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>|#" else c for c in clean(text))


def _text(text: str) -> str:
    return escape(clean(text))
