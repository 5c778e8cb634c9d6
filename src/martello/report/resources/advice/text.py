"""Advice on the screen: what is set, what should be, why, what it would have done, what to mind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Final

from martello.core.sizing import Advice, Backtest, Sizes, Tried, bytes_text, cores_text
from martello.report.model import Screen
from martello.report.resources.advice.model import Told, name
from martello.report.text import clean, hanging, paint, plural

_MOST: Final = 10  # containers on the screen, unless all are asked for
_GIB: Final = 2.0**30
_COLUMN: Final = 14


def write(told: Told, screen: Screen, out: IO[str]) -> None:
    """Writes the advice, the largest changes first, then what nothing can be said about."""
    lines: list[str] = []
    advised = told.advised
    most = len(advised) if told.everything else _MOST
    for one in advised[:most]:
        lines += _advice(one, screen)
    if len(advised) > most:
        lines.append(f"and {len(advised) - most:,} containers more: --all")
    for one in told.unassessed[: None if told.everything else _MOST]:
        word = paint("unassessed", "unassessed", screen.colour)
        lines += hanging(f"{word}  {clean(name(one))}  {clean(one.unassessed)}", screen.width, 12)
    more = len(told.unassessed) - _MOST
    if more > 0 and not told.everything:
        lines.append(f"and {more:,} unassessed more: --all")
    for label, group in labelled(told):
        for line in group[:_MOST]:
            lines += hanging(f"{label}: {clean(line)}", screen.width, len(label) + 2)
        if len(group) > _MOST:
            lines.append(f"{label}: and {len(group) - _MOST:,} more, -o json")
    lines += hanging(" · ".join(summary(told)), screen.width, 2)
    if told.exit:
        lines += hanging(f"exit {told.exit}: {clean(told.reason)}", screen.width, 2)
    out.writelines(f"{line}\n" for line in lines)


def summary(told: Told) -> Iterator[str]:
    """What all of it comes to, in words."""
    advised = told.advised
    yield f"{plural(len(told.advices), 'container')}, {len(told.unassessed)} unassessed"
    cores, memory = told.freed()
    changes = (("cpu", cores, cores_text(abs(cores))), ("memory", memory, rough(abs(memory))))
    words = [
        f"{what} {text} {'less' if amount > 0 else 'more'}"
        for what, amount, text in changes
        if text not in ("0m", "0Mi")
    ]
    if words:
        yield f"requests in sum: {', '.join(words)}"
    if any(one.backtest for one in advised):
        kills = ", ".join(
            f"{who} {told.kills(key):,}"
            for key, who in (("today", "today"), ("vpa", "VPA's rule"), ("krr", "KRR's rule"))
            if any(one.backtest and one.backtest.of(key) for one in advised)
        )
        yield f"kills in the backtests: advice {told.kills('advice'):,}, {kills}"
    yield f"{told.samples:,} samples of {told.days:.0f} d from {clean(told.source)}"
    if told.written:
        yield f"{plural(len(told.written), 'file')} written to {clean(told.folder)}"
    elif advised:
        yield "nothing is written" + ("" if told.folder else ": --write DIR")


def labelled(told: Told) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What was not written, not had, not read, and what there is to note, each with its word."""
    return (
        ("not written", told.left),
        ("no samples", told.lost),
        ("unread", told.missing),
        ("note", told.notes),
    )


def _advice(one: Advice, screen: Screen) -> list[str]:
    sizes = one.sizes or Sizes()
    head = paint(clean(name(one)), "bold", screen.colour)
    lines = [head]
    lines += _row("now", _sizes(one.now), screen)
    lines += _row("advice", paint(_sizes(sizes), "bold", screen.colour), screen)
    lines += _row("why", "; ".join(one.reasons), screen)
    if one.backtest is not None:
        lines += _row("backtest", backtest(one.backtest), screen)
        lines += _row("", peers(one.backtest), screen)
    for at, caution in enumerate(one.cautions):
        lines += _row("" if at else "careful", caution, screen)
    because = f": {'; '.join(one.because)}" if one.because else ""
    replicas = plural(one.replicas, "replica")
    surety = f"{one.level}{because}  ({one.days:.0f} d measured, {replicas})"
    lines += _row("confidence", surety, screen)
    return lines


def _row(label: str, text: str, screen: Screen) -> list[str]:
    coloured = screen.colour and "\x1b" in text
    shown = text if coloured else clean(text)
    return hanging(f"  {label:<{_COLUMN - 2}}{shown}", screen.width, _COLUMN) if shown else []


def _sizes(sizes: Sizes) -> str:
    cpu = f"{cores_text(sizes.cores)} / {cores_text(sizes.cores_limit)}"
    return f"cpu {cpu}, memory {bytes_text(sizes.memory)} / {bytes_text(sizes.memory_limit)}"


def backtest(test: Backtest) -> str:
    """What the advice would have done, and what today's sizes did."""
    mine, now = test.of("advice"), test.of("today")
    if mine is None:
        return ""
    days = f"{test.learned:.0f} d learned, {test.tried:.0f} d tried: "
    tried = mine.tried
    before = None
    if now is not None:
        limited = now.sizes.memory_limit is not None
        before = f"{now.tried.kills:,}" if limited else "no limit"
    parts = [_against(plural(tried.kills, "kill"), before)]
    if tried.above is not None:
        above = now.tried.above if now else None
        words = f"{_share(tried.above)} of minutes above the cpu request"
        parts.append(_against(words, None if above is None else _share(above)))
    if now is not None and now.tried.throttled:
        parts.append(
            f"held back {_share(tried.throttled or 0)} (now {_share(now.tried.throttled)})"
        )
    parts.append(waste(test, now.tried if now else None, tried))
    return days + ", ".join(part for part in parts if part)


def waste(test: Backtest, now: Tried | None, mine: Tried) -> str:
    """What all pods ask for and do not use, on average, beside today's."""
    before = _unused(test, now) if now is not None else ""
    text = _unused(test, mine)
    return f"unused {text}" + (f" (now {before})" if before else "") if text else ""


def _unused(test: Backtest, tried: Tried) -> str:
    hours = max(test.tried * 24, 1.0)
    if tried.gib_hours is None or tried.core_hours is None:
        return ""
    return f"{rough(tried.gib_hours / hours * _GIB)} and {cores_text(tried.core_hours / hours)}"


def rough(memory: float) -> str:
    """Bytes in words that are read at a glance: 96Mi, 3.4Gi."""
    gib = memory / _GIB
    return bytes_text(memory) if gib < 1 else f"{gib:.1f}Gi" if gib < 10 else f"{gib:,.0f}Gi"


def peers(test: Backtest) -> str:
    """What two known rules would have done."""
    parts = []
    for who, called in (("vpa", "VPA's rule"), ("krr", "KRR's rule")):
        one = test.of(who)
        if one is not None and one.sizes.memory is not None:
            parts.append(
                f"{called} {bytes_text(one.sizes.memory)}: {plural(one.tried.kills, 'kill')}"
            )
    mine = test.of("advice")
    if mine is None or not parts:
        return ""
    return f"learned {bytes_text(mine.sizes.memory)}; on the same days {', '.join(parts)}"


def _against(text: str, now: str | None) -> str:
    return f"{text} (now {now})" if now is not None else text


def _share(value: float) -> str:
    if 0 < value < 0.001:
        return "< 0.1 %"
    return f"{value * 100:.1f} %" if 0 < value < 0.0995 else f"{value * 100:.0f} %"
