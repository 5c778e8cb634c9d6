"""What a daemon tells of itself, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.cli.monitor.watch import Watch


def exposition(watch: Watch) -> str:
    """The metrics, in the text format."""
    return "\n".join(_lines(watch)) + "\n"


def _lines(watch: Watch) -> Iterator[str]:
    pipeline = watch.judge.pipeline
    events = {
        f'kind="{kind}",source="{source}"': n for (kind, source), n in _now(watch.judge.events)
    }
    yield from _family("events_total", "counter", "Events that were judged.", events)
    severities = {f'severity="{name}"': count for name, count in _now(watch.judge.alerts)}
    yield from _family("alerts_total", "counter", "Alerts that began.", severities)
    gaps = {f'source="{name}"': count for name, count in _now(watch.keeper.missing.counts)}
    yield from _family("gaps_total", "counter", "Parts of a source that nobody has seen.", gaps)
    silenced = {f'rule="{_text(name)}"': count for name, count in _now(pipeline.silenced)}
    yield from _family("silenced_total", "counter", "Hits that an exception took away.", silenced)
    baselines = pipeline.baselines
    for name, kind, meaning, value in (
        ("lag_seconds", "gauge", "From arrival to judgement, of the last body.", watch.judge.lag),
        ("spool_bytes", "gauge", "Kept, and not in the lake.", watch.keeper.spool.size),
        ("own_events_total", "counter", "Of requests of its own: not judged.", pipeline.own),
        ("dropped_groups_total", "counter", "Open alerts let go for room.", pipeline.dropped),
        ("evicted_total", "counter", "Groups of correlations let go for room.", pipeline.evicted),
        (
            "baselines_entities",
            "gauge",
            "Workloads, accounts and users that are known.",
            0 if baselines is None else len(baselines),
        ),
        ("trouble", "gauge", "1 where /readyz says no.", int(bool(watch.jobs.trouble))),
    ):
        yield from _family(name, kind, meaning, {"": value})
    heard = {f'source="{_text(key)}"': at / 1e9 for key, at in _now(watch.keeper.heard)}
    yield from _family("heard_timestamp_seconds", "gauge", "When a source last told.", heard)


def _now(counts: dict[Any, Any]) -> list[tuple[Any, Any]]:
    """What stands there now: other threads go on counting."""
    return list(counts.copy().items())


def _family(name: str, kind: str, meaning: str, values: Mapping[str, float]) -> Iterator[str]:
    yield f"# HELP martello_monitor_{name} {meaning}"
    yield f"# TYPE martello_monitor_{name} {kind}"
    for labels, value in sorted(values.items()):
        told = f"{{{labels}}}" if labels else ""
        yield f"martello_monitor_{name}{told} {value:.6f}".rstrip("0").rstrip(".")


def _text(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
