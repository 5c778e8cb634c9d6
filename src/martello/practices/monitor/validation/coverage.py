"""Which techniques of MITRE ATT&CK the rules see on what is connected, and what more would show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from martello.practices.monitor.engine.rule import Pack
from martello.practices.monitor.sources import FEEDS, Feed, feeds
from martello.practices.monitor.validation.check import FIRES, judge


class Coverage(msgspec.Struct, frozen=True, eq=False):
    """Technique → source → rules that can fire there; `further`: of each source that is not
    connected the techniques that no connected one shows; `blind`: those that nothing would show.
    """

    techniques: Mapping[str, Mapping[str, tuple[str, ...]]]
    further: Mapping[str, tuple[str, ...]]
    blind: tuple[str, ...] = ()


def coverage(pack: Pack, sources: Iterable[str | Feed]) -> Coverage:
    """The techniques of a pack by connected source. Raises BadInput for an unknown source."""
    connected = feeds(sources)
    table = _seen(pack, connected)
    named = sorted({technique for rule in pack for technique in rule.attack})
    have = {feed.name for feed in connected}
    further: dict[str, tuple[str, ...]] = {}
    shown = set(table)
    for feed in FEEDS.values():
        if feed.name in have or feed.general:
            continue
        more = sorted(set(_seen(pack, (*connected, feed))) - set(table))
        shown.update(more)
        if more:
            further[feed.name] = tuple(more)
    return Coverage(table, further, tuple(one for one in named if one not in shown))


def _seen(pack: Pack, connected: Iterable[Feed]) -> dict[str, dict[str, tuple[str, ...]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for verdict in judge(pack, connected, pairs=False).verdicts:
        if verdict.state != FIRES or not verdict.rule.enabled:
            continue
        for technique in verdict.rule.attack:
            by_source = found.setdefault(technique, {})
            for name in verdict.on:
                by_source.setdefault(name, []).append(verdict.rule.id)
    return {
        technique: {name: tuple(rules) for name, rules in sorted(by_source.items())}
        for technique, by_source in sorted(found.items())
    }
