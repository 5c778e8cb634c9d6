"""The day out of the lake: counts by hour, alerts, people, gaps."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import IO, Any, Final

from martello.cli.access.windows import nanoseconds
from martello.cli.outputs import write_each
from martello.cli.progress import Progress
from martello.cli.reports import parse_outputs
from martello.cli.store.places import places
from martello.core.alert import Alert
from martello.core.errors import BadInput
from martello.practices.monitor.alerts.attribute import is_machine
from martello.practices.monitor.engine.rule import SEVERITIES
from martello.practices.monitor.trends import Key, Trend, trends
from martello.report.model import Screen
from martello.report.monitor.daily import Daily, Group, Line
from martello.report.text import plural
from martello.store import segments
from martello.store.coverage import Missing
from martello.store.files import open_files
from martello.store.hunt import known_gaps, run
from martello.store.lake import Lake
from martello.store.outbox import Outbox
from martello.store.state import State, open_state

FORMATS: Final = ("markdown", "html", "json")
_HOUR: Final = 3_600_000_000
_DAY: Final = 24 * _HOUR
_LONGEST: Final = 92 * _DAY  # of a window
_ROWS: Final = 90_000  # of one answer of the lake, which gives 100,000 at most
_DAYS_BEFORE: Final = 7
_TOLD: Final = 12
_MOST_GAPS: Final = 20
_REASON: Final = 200  # characters of why there is a gap
_NOTHING: Final = "what happened: nothing was ever kept here (martello monitor run keeps)"
_KINDS: Final = ("audit", "process", "network", "file", "priv", "kernel", "log", "k8s_event")
_REQUEST: Final = "concat(api_verb, ' ', k8s_resource)"
_WORKLOAD: Final = "concat(k8s_ns, '/', pod_workload)"
_READ: Final = "k8s_resource = 'secrets' AND api_verb IN ('get', 'list', 'watch')"
_ERRORS: Final = r"regexp_matches(log_text, '(?i)\b(error|fatal|panic|exception)\b')"
_TO: Final = "concat(coalesce(net_dst_name, net_dst_ip), ':', net_dst_port)"
_DIRECTORY: Final = "regexp_extract(file_path, '^(.*)/', 1)"
# What is counted by the hour: the words for it, its view, whom, what, and which rows.
_COUNTED: Final = (
    ("denied requests", "audit", "actor_user", _REQUEST, "api_code IN (401, 403)"),
    ("failing requests", "audit", "actor_user", _REQUEST, "api_code >= 500"),
    ("requests", "audit", "actor_user", _REQUEST, "k8s_resource IS NOT NULL"),
    ("secrets read", "audit", "actor_user", "''", _READ),
    ("programs started", "process", _WORKLOAD, "proc_exe", "action = 'exec'"),
    ("connections", "network", _WORKLOAD, _TO, "true"),
    ("files written", "file", _WORKLOAD, _DIRECTORY, "true"),
    ("privileged calls", "priv", _WORKLOAD, "action", "true"),
    ("lines with errors", "log", _WORKLOAD, "''", _ERRORS),
    ("kernel messages", "kernel", "coalesce(pod_workload, node)", "action", "true"),
    (
        "warnings of Kubernetes",
        "k8s_event",
        "concat(k8s_ns, '/', k8s_obj_name)",
        "ev_reason",
        "ev_type = 'Warning'",
    ),
)
_PEOPLE: Final = (
    "SELECT actor_user, concat(api_verb, ' ', k8s_resource, CASE WHEN k8s_subresource IS NULL THEN "
    "'' ELSE '/' || k8s_subresource END, CASE WHEN k8s_ns IS NULL THEN '' ELSE ' in ' || k8s_ns "
    "END) AS what, count(*) AS n FROM audit WHERE api_verb IN ('create', 'update', 'patch', "
    "'delete', 'deletecollection') AND k8s_resource IS NOT NULL AND api_code < 400 "
    "GROUP BY ALL ORDER BY n DESC, actor_user, what LIMIT 200"
)
Hours = dict[Key, list[int]]


def report_command(flags: dict[str, Any]) -> int:
    """Reads, tells; 3 where something of the window is not known."""
    until = _until(flags["until"])
    length = nanoseconds(flags["since"]) // 1000
    if not 0 < length <= min(_LONGEST, until):
        days = _LONGEST // _DAY
        raise BadInput("the report has no such window", f"from 1 m to {days} days", "such as 24h")
    since = until - length
    where = places(flags["state"], flags["lake"])
    lake = Lake(open_files(where.lake))
    with open_state(where.state) as state, Progress() as progress:
        told = daily(state, lake, since, until, flags["clusters"], progress)

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        from martello.report.monitor import daily as report

        getattr(report, f"write_{format}")(told, out)

    write_each(parse_outputs(flags["outputs"] or ("markdown",), FORMATS), write)
    return 3 if told.gaps else 0


def _until(text: str) -> int:
    if not text:
        return time.time_ns() // 1000
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise BadInput(f"--until {text} is no time", "", "such as 2026-11-29T06:00Z") from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return int(found.timestamp() * 1_000_000)


def daily(
    state: State,
    lake: Lake,
    since: int,
    until: int,
    clusters: Sequence[str] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> Daily:
    """The report of a window (microseconds)."""
    since -= since % _HOUR
    hours = max(1, -(-(until - since) // _HOUR))
    notes: list[str] = []
    counted = _counts(state, lake, since, until, clusters, hours, notes, progress)
    usual = _usual(state, lake, since, until, clusters, hours, progress)
    progress("looking for what changed")
    found = trends(counted, usual)
    alerts = [
        one
        for one in Outbox(state).alerts(since)
        if since * 1000 <= one.last
        and one.first < until * 1000
        and (not clusters or one.cluster in clusters)
    ]
    totals = _totals(state, lake, since, until, clusters, hours, progress)
    gaps = known_gaps(state, lake, since, until, clusters, reasons=True)
    by_hour = [sum(each) for each in zip(*totals.values(), strict=True)] if totals else [0] * hours
    return Daily(
        since,
        until,
        tuple(clusters),
        {kind: sum(each) for kind, each in totals.items() if sum(each)},
        tuple(by_hour),
        tuple(_line(one, since) for one in _apart(found)[:_TOLD]),
        _groups(alerts),
        _people(state, lake, since, until, clusters),
        gaps.says,
        (() if gaps.begun is not None else (_NOTHING,)) + _missing(gaps.gaps),
        tuple(notes),
    )


def _counts(
    state: State,
    lake: Lake,
    since: int,
    until: int,
    clusters: Sequence[str],
    hours: int,
    notes: list[str],
    progress: Callable[[str], None],
) -> Hours:
    """Series by hour (of the window, or of the day where the window is longer than `hours`). What
    everybody of a kind does together is a series, too. Of very many the most frequent are counted.
    """
    found: Hours = {}
    most = _ROWS // hours
    for word, view, whom, what, rows in _COUNTED:
        if not segments.find(state, (view,), clusters, since, until):
            continue
        progress(f"counting {word}")
        for part in dict.fromkeys((what, "''")):
            sql = (
                f"WITH each AS (SELECT coalesce({whom}, '') AS whom, "  # noqa: S608
                f"coalesce({part}, '') AS what, "
                f"CAST((epoch_us(time) - {since}) // {_HOUR} % {hours} AS BIGINT) AS hour, "
                f"count(*) AS n FROM {view} WHERE {rows} GROUP BY ALL), "
                "most AS (SELECT whom, what, count(*) OVER () AS keys FROM each "
                f"GROUP BY whom, what ORDER BY sum(n) DESC, whom, what LIMIT {most}) "
                "SELECT each.whom, each.what, hour, n, keys FROM each JOIN most "
                "ON each.whom = most.whom AND each.what = most.what"
            )
            told = run(state, lake, sql, since, until, clusters).table.to_pylist()
            for row in told:
                key = Key(word, str(row["whom"]).strip("/"), str(row["what"]))
                found.setdefault(key, [0] * hours)[row["hour"] % hours] += row["n"]
            if told and told[0]["keys"] > most:
                of = f"{told[0]['keys']:,} series of {word}"
                notes.append(f"of {of} the {most:,} most frequent were looked at for changes")
    return found


def _usual(
    state: State,
    lake: Lake,
    since: int,
    until: int,
    clusters: Sequence[str],
    hours: int,
    progress: Callable[[str], None],
) -> dict[Key, list[float]]:
    """What each hour is on the days before, where at least two of them are kept."""
    if until - since > _DAY:
        return {}
    earlier = since - _DAYS_BEFORE * _DAY
    by_hour = _totals(state, lake, earlier, since, clusters, _DAYS_BEFORE * 24, progress)
    kept = sum(
        any(sum(each[at * 24 : at * 24 + 24]) for each in by_hour.values())
        for at in range(_DAYS_BEFORE)
    )
    if kept < 2:
        return {}
    whole = _counts(state, lake, earlier, since, clusters, 24, [], progress)
    return {key: [n / kept for n in each[:hours]] for key, each in whole.items()}


def _totals(
    state: State,
    lake: Lake,
    since: int,
    until: int,
    clusters: Sequence[str],
    hours: int,
    progress: Callable[[str], None],
) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for kind in _KINDS:
        if not segments.find(state, (kind,), clusters, since, until):
            continue
        progress(f"counting {kind} events")
        sql = (
            f"SELECT CAST((epoch_us(time) - {since}) // {_HOUR} AS BIGINT) AS hour, "  # noqa: S608
            f"count(*) AS n FROM {kind} GROUP BY ALL"
        )
        for row in run(state, lake, sql, since, until, clusters).table.to_pylist():
            if row["hour"] is not None and 0 <= row["hour"] < hours:
                found.setdefault(kind, [0] * hours)[row["hour"]] += row["n"]
    return found


def _apart(found: Sequence[Trend]) -> list[Trend]:
    """Of a series and its parts that tell the same the one with most evidence."""
    kept: list[Trend] = []
    for one in found:
        same = (
            other
            for other in kept
            if other.key.whom == one.key.whom and abs(other.at - one.at) <= 1 and other.up == one.up
        )
        if next(same, None) is None:
            kept.append(one)
    return kept


def _line(one: Trend, since: int) -> Line:
    when = _clock(since + one.at * _HOUR)
    whom = f" of {one.key.whom}" if one.key.whom else ""
    what = f" ({one.key.what})" if one.key.what else ""
    said = f"{one.key.kind.capitalize()}{whom}{what}"
    if one.new:
        said += f" began at {when}: {one.after:,.1f} an hour"
    elif one.after == 0:
        said += f" ended at {when}"
    else:
        word = "rose" if one.up else "fell"
        times = one.times if one.up else 1 / one.times
        said += f" {word} {times:.1f} times from {when}"
    detail = (
        f"{one.before:,.1f} an hour before, {one.after:,.1f} after; "
        f"{min(one.bits, 9_999):,.0f} bits of evidence"
    )
    return Line(said, detail, one.counts, one.at, one.up)


def _groups(alerts: Sequence[Alert]) -> tuple[Group, ...]:
    rules: dict[str, list[Alert]] = {}
    for one in alerts:
        rules.setdefault(one.rule, []).append(one)
    found = []
    for rule, each in rules.items():
        worst = max(each, key=lambda one: SEVERITIES.index(one.severity))
        whom = Counter(_whom(one) for one in each)
        found.append(
            Group(
                worst.severity,
                rule,
                worst.title,
                len(each),
                sum(one.repeats for one in each),
                tuple(name for name, _ in whom.most_common(5)),
            )
        )
    found.sort(key=lambda one: (-SEVERITIES.index(one.severity), -one.alerts, one.rule))
    return tuple(found)


def _whom(alert: Alert) -> str:
    entity: Mapping[str, str] = alert.entity
    object = entity.get("pod_workload") or entity.get("k8s_name", "")
    parts = [entity.get("k8s_ns", ""), object, entity.get("container_name", "")]
    return "/".join(filter(None, parts)) or entity.get("actor_user") or alert.cluster or "-"


def _missing(gaps: Sequence[Missing]) -> tuple[str, ...]:
    """Gaps in words; those of one source and reason are one line."""
    found: dict[tuple[str, ...], list[Missing]] = {}
    for gap in gaps:
        found.setdefault((gap.cluster, gap.source, gap.why, gap.reason), []).append(gap)
    told = []
    for (cluster, source, why, reason), each in list(found.items())[:_MOST_GAPS]:
        events = sum(one.events for one in each)
        parts = (
            f"{len(each):,} gaps" if len(each) > 1 else "",
            plural(events, "event") if events else "",
            _during(min(one.first for one in each), max(one.last for one in each)),
        )
        what = f"{why}: {reason[:_REASON]}" if reason else why
        told.append(f"{cluster} {source}: {what} ({', '.join(filter(None, parts))})")
    if len(found) > _MOST_GAPS:
        told.append(f"and {len(found) - _MOST_GAPS:,} more (martello monitor hunt, table gaps)")
    return tuple(told)


def _during(first: int, last: int) -> str:
    begun, ended = _clock(first), _clock(last)
    return begun if begun == ended else f"{begun} to {ended}"


def _people(
    state: State, lake: Lake, since: int, until: int, clusters: Sequence[str]
) -> tuple[tuple[int, str, str], ...]:
    rows = run(state, lake, _PEOPLE, since, until, clusters).table.to_pylist()
    found = [
        (row["n"], row["actor_user"], row["what"])
        for row in rows
        if row["actor_user"] and not is_machine(row["actor_user"])
    ]
    found.sort(key=lambda one: (one[1].startswith("system:"), -one[0]))  # people first
    return tuple(found[:15])


def _clock(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).strftime("%H:%M")
