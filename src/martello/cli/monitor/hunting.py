"""Queries and rules over what is kept."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import IO, Any, Final, cast

import pyarrow as pa  # type: ignore[import-untyped]

from martello.adapters.batch import typed
from martello.cli.access.windows import nanoseconds
from martello.cli.monitor.replaying import only
from martello.cli.outputs import write_each
from martello.cli.reports import parse_outputs
from martello.cli.store.places import places
from martello.core.alert import Alert
from martello.core.errors import BadInput
from martello.practices.monitor import packs
from martello.practices.monitor.engine.ir import columns
from martello.practices.monitor.engine.rule import Pack, Rule
from martello.practices.monitor.pipeline import Pipeline
from martello.report.model import Screen
from martello.report.text import clean, encoded, hanging, pad, plural, width
from martello.store.coverage import Coverage
from martello.store.files import open_files
from martello.store.history import History
from martello.store.hunt import Answer, known_gaps, run
from martello.store.lake import Lake
from martello.store.state import State, open_state

FORMATS: Final = ("table", "json", "jsonl", "csv", "parquet")
_DAY: Final = 86_400_000_000
_BATCH: Final = 50_000
_WIDEST: Final = 60  # columns of one value on a screen


def hunt_command(sql: str, flags: dict[str, Any]) -> int:
    """Asks, and tells; 3 where something of the window is not known."""
    if bool(sql) == bool(flags["rule_names"]):
        raise BadInput(
            "nothing to hunt for",
            "it takes a query or --rule, and not both",
            "martello monitor hunt --help",
        )
    where = places(flags["state"], flags["lake"])
    with open_state(where.state) as state:
        lake = Lake(open_files(where.lake))
        if sql:
            return _query(state, lake, sql, flags)
        return _rules(state, lake, flags)


def _window(flags: dict[str, Any]) -> tuple[int, int]:
    until = time.time_ns() // 1000
    return until - nanoseconds(flags["since"]) // 1000, until


def _query(state: State, lake: Lake, sql: str, flags: dict[str, Any]) -> int:
    since, until = _window(flags)
    found = run(state, lake, sql, since, until, flags["clusters"], verify=flags["verify"])

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        if format == "table":
            for line in table_lines(found.table, screen):
                out.write(f"{line}\n")
            for line in _told(found):
                out.write(f"{line}\n")
        elif format in ("json", "jsonl"):
            rows = _listed(found.table)
            texts = [encoded(_plain(row)) for row in rows]
            body = "[\n" + ",\n".join(texts) + "\n]\n" if format == "json" else "\n".join(texts)
            out.write(body + ("\n" if format == "jsonl" and texts else ""))
        elif format == "csv":
            import csv

            writer = csv.writer(out)
            writer.writerow(found.table.column_names)
            for row in _listed(found.table):
                writer.writerow(["" if v is None else clean(str(v)) for v in row.values()])

    outputs = parse_outputs(flags["outputs"] or ("table",), FORMATS)
    for one in outputs:
        if one.format == "parquet":
            _parquet(found.table, one.file)
    write_each([one for one in outputs if one.format != "parquet"], write)
    return 0 if found.complete else 3


def _parquet(table: pa.Table, file: str) -> None:
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    if not file:
        raise BadInput("parquet goes to a file", "", "-o parquet=FILE")
    try:
        pq.write_table(table, file)
    except OSError as error:
        raise BadInput(f"cannot write {file}", error.strerror or str(error)) from None


def table_lines(table: pa.Table, screen: Screen) -> Iterator[str]:
    """A table for the screen: a column as wide as its values, long ones cut."""
    names = [clean(name) for name in table.column_names]
    rows = [[_cell(value) for value in row.values()] for row in _listed(table)]
    if not rows:
        yield "no rows"
        return
    sizes = [
        min(_WIDEST, max(width(name), *(width(row[at]) for row in rows)))
        for at, name in enumerate(names)
    ]
    for row in (names, *rows):
        cells = [pad(cell, size) for cell, size in zip(row, sizes, strict=True)]
        yield "  ".join(cells).rstrip()


def _listed(table: pa.Table) -> list[dict[str, Any]]:
    """The rows of a table. Python knows neither nanoseconds nor years beyond 9999: times that it
    cannot hold are told as text, with all their digits.
    """
    try:
        return cast(list[dict[str, Any]], table.to_pylist())
    except (ValueError, OverflowError):
        fields = [field.with_type(_as_text(field.type)) for field in table.schema]
        return cast(list[dict[str, Any]], table.cast(pa.schema(fields)).to_pylist())


def _as_text(kind: pa.DataType) -> pa.DataType:
    """The type with every time in it a text."""
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_time(kind):
        return pa.string()
    if pa.types.is_map(kind):
        return pa.map_(_as_text(kind.key_type), _as_text(kind.item_type))
    if pa.types.is_list(kind):
        return pa.list_(_as_text(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_as_text(field.type)) for field in kind])
    return kind


def _cell(value: Any) -> str:
    text = "-" if value is None else clean(str(value))
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        k: v if isinstance(v, str | int | float | bool | list) or v is None else str(v)
        for k, v in row.items()
    }


def _told(found: Answer) -> Iterator[str]:
    pruned = found.known - found.read
    note = " (the rest pruned by time and kind)" if pruned else ""
    yield f"{found.read:,} of {plural(found.known, 'segment')} read{note}, " + (
        f"{found.events:,} events, {found.seconds:.1f} s"
    )
    for name in found.unassessed:
        yield f"unassessed: {clean(name)} is missing or altered (martello store verify)"
    yield found.coverage.says + ("" if found.complete else ": exit 3")


def _rules(state: State, lake: Lake, flags: dict[str, Any]) -> int:
    loaded = packs.named(flags["rules"])
    chosen = only(loaded.pack, flags["rule_names"])
    pack = Pack(_with_parts(loaded.pack, chosen))
    since, until = _window(flags)
    kinds = list(dict.fromkeys(kind for rule in pack for kind in rule.kinds))
    raw = any("raw" in columns(rule.tree) for rule in pack)
    history = History(state, lake, kinds, since, until, flags["clusters"], raw=raw)
    pipeline = Pipeline(pack)
    alerts: dict[str, Alert] = {}
    for rows in history:
        told = typed(rows["kind"][0].as_py(), rows)
        for first in range(0, told.num_rows, _BATCH):
            alerts.update((one.id, one) for one in pipeline.feed(told.slice(first, _BATCH)))
    alerts.update((one.id, one) for one in pipeline.end())
    found = sorted(alerts.values(), key=lambda one: one.first)
    covered = known_gaps(state, lake, since, until, flags["clusters"])
    days = _days(pipeline, since, until)

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        if format == "table":
            for line in _rule_lines(pack, chosen, found, days, screen):
                out.write(f"{line}\n")
            for line in _read(history, covered):
                out.write(f"{line}\n")
            return
        import msgspec

        texts = [encoded(msgspec.to_builtins(one)) for one in found]
        whole = "[\n" + ",\n".join(texts) + "\n]\n"
        out.write(whole if format == "json" else "".join(f"{one}\n" for one in texts))

    write_each(parse_outputs(flags["outputs"] or ("table",), ("table", "json", "jsonl")), write)
    return 3 if not covered.complete or history.unread or history.bare else 0


def _read(history: History, covered: Coverage) -> Iterator[str]:
    yield f"{plural(len(history.known), 'segment')}, {history.events:,} events"
    for name in history.unread[:10]:
        yield f"unassessed: {clean(name)} is missing or damaged (martello store verify)"
    if history.bare:
        count = plural(history.bare, "segment")
        yield f"unassessed: what {count} were read from is no longer kept, and the rule asks for it"
    yield covered.says + ("" if covered.complete else ": exit 3")


def _with_parts(pack: Pack, names: list[str]) -> list[Rule]:
    """Rules, and those that they are made of."""
    found: dict[str, Rule] = {}
    stack = list(names)
    while stack:
        name = stack.pop()
        rule = pack.rules.get(name)
        if rule is not None and name not in found:
            found[name] = rule
            stack.extend(rule.correlate.of if rule.correlate is not None else ())
    return list(found.values())


def _days(pipeline: Pipeline, since: int, until: int) -> float:
    """The days of the window that something is kept of; at least one."""
    first = max(since, pipeline.first // 1000) if pipeline.first else since
    last = min(until, pipeline.last // 1000) if pipeline.last else until
    return max(1.0, (last - first) / _DAY)


def _rule_lines(
    pack: Pack,
    chosen: list[str],
    alerts: list[Alert],
    days: float,
    screen: Screen,
) -> Iterator[str]:
    for name in chosen:
        rule = pack.rules[name]
        mine = [one for one in alerts if one.rule == name]
        hits = sum(one.repeats for one in mine)
        text = f"{rule.id}  {rule.title}: {plural(len(mine), 'alert')} of {hits:,} events, "
        yield clean(text) + f"{len(mine) / days:.1f} a day"
        whom = Counter(_whom(one) for one in mine)
        for who, count in whom.most_common(10):
            yield from hanging(f"  {count:>6,}  {clean(who)}", screen.width, 10)
        if len(whom) > 10:
            yield f"          and {len(whom) - 10:,} others"


def _whom(alert: Alert) -> str:
    parts = [alert.entity.get(n, "") for n in ("k8s_ns", "pod_workload", "container_name")]
    place = "/".join(part for part in parts if part)
    return place or alert.entity.get("actor_user", "") or alert.cluster or "-"
