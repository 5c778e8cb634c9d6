"""The store beside what it stands on: seals, segments beside plain Parquet files, hunts beside
plain DuckDB over the same list of files, and the intake log under load.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from martello.adapters import batch
from martello.store import canonical, hunt, merkle, segments
from martello.store.crc32c import crc32c
from martello.store.files import LocalFiles
from martello.store.lake import Lake, with_own
from martello.store.segments import Name
from martello.store.spool import Spool
from martello.store.state import open_state

_ROWS = 50_000
_FILES = 20
_PER_FILE = 250_000
_NOON = 1_785_585_600_000_000_000
_QUERIES = {
    "by user": "SELECT actor_user, count(*) n FROM {} GROUP BY ALL ORDER BY n DESC, 1 LIMIT 9",
    "secrets listed": "SELECT cluster, actor_user, count(*) n FROM {} "
    "WHERE k8s_resource = 'secrets' AND action = 'list' GROUP BY ALL ORDER BY n DESC, 2 LIMIT 3",
    "distinct": "SELECT k8s_ns, count(DISTINCT k8s_name) n FROM {} GROUP BY ALL ORDER BY ALL",
}


def main() -> int:
    """Prints the tables; 1 where a figure misses its limit."""
    table = sample(_ROWS)
    missed = _seals(table)
    with tempfile.TemporaryDirectory() as place:
        missed += _segments(table, Path(place))
        missed += _hunts(table, Path(place))
        missed += _intake(Path(place))
    print()
    return 1 if missed else 0


def sample(count: int) -> pa.Table:
    """Audit events of 1.28 KB as they were received, 24 columns filled."""
    random = Random(3)
    return batch.table("audit", [_event(random, i) for i in range(count)])


def _event(random: Random, i: int) -> dict[str, Any]:
    ns = f"team-{random.randrange(40)}"
    name = f"obj-{random.randrange(5_000)}"
    return {
        "id": f"{random.getrandbits(128):032x}",
        "kind": "audit",
        "action": random.choice(["get", "get", "get", "list", "create"]),
        "source": "webhook",
        "cluster": "prod-eu",
        "node": "cp1",
        "time": _NOON + i * 1_000_000,
        "seen": _NOON + i * 1_000_000 + 100_000_000,
        "k8s_ns": ns,
        "k8s_resource": random.choice(["pods", "secrets", "configmaps", "leases"]),
        "k8s_name": name,
        "actor_user": f"system:serviceaccount:{ns}:runner",
        "actor_groups": ["system:serviceaccounts", "system:authenticated"],
        "actor_ips": [f"10.0.0.{random.randrange(255)}"],
        "actor_agent": "kubectl/v1.31.0 (linux/amd64)",
        "api_id": f"{random.getrandbits(128):032x}",
        "api_stage": "ResponseComplete",
        "api_level": "Metadata",
        "api_verb": "get",
        "api_uri": f"/api/v1/namespaces/{ns}/pods/{name}",
        "api_code": 200,
        "api_decision": "allow",
        "api_grant": "RBAC: allowed by RoleBinding x/y of Role z to ServiceAccount",
        "api_annotations": {"authorization.k8s.io/decision": "allow"},
        "raw": f"{random.getrandbits(5_000):01280x}",
    }


def _cpu(task: Callable[[], object], times: int = 3) -> float:
    """Seconds of CPU, the least of some runs."""
    found = []
    for _ in range(times):
        begun = time.process_time()
        task()
        found.append(time.process_time() - begun)
    return min(found)


def _seals(table: pa.Table) -> int:
    def columns() -> object:
        return canonical.column_leaves(table).root

    def raw() -> object:
        return merkle.root(canonical.raw_leaves(table["raw"]))

    one, other = _ROWS / _cpu(columns), _ROWS / _cpu(raw)
    both = 1 / (1 / one + 1 / other)
    print("seals, events/s and core")
    print(f"  columns {one:10,.0f}   raw {other:10,.0f}   both {both:10,.0f}")
    data = bytes(range(256)) * 4096
    print(f"  CRC-32C {1 / _cpu(lambda: crc32c(data)):10,.0f} MiB/s")
    return int(min(one, other) < 200_000)


def _segments(table: pa.Table, place: Path) -> int:
    lake = Lake(LocalFiles(place / "write"))
    own = [
        pa.array(["0" * 32] * _ROWS),
        pa.array(range(_ROWS), pa.int64()),
        pa.array([False] * _ROWS),
    ]
    columns = with_own(table, own)
    raw = pa.table({"o_seg": own[0], "o_pos": own[1], "raw": table["raw"]})

    def plain() -> None:
        for part in (columns, raw):
            pq.write_table(part, place / "plain.parquet", compression="zstd")

    ours = _cpu(lambda: lake.write("audit", table, "prod-eu/audit/x", 0, _ROWS))
    theirs = _cpu(plain)
    print("segments, columns and raw, sealed, hashed and synced")
    print(f"  martello {_ROWS / ours:10,.0f} events/s   plain Parquet {_ROWS / theirs:10,.0f}")
    print(f"  ratio {ours / theirs:.2f}")
    return 0


def _hunts(table: pa.Table, place: Path) -> int:
    lake = Lake(LocalFiles(place / "lake"))
    name = Name("prod-eu", "audit", "bench")
    with open_state(f"sqlite:///{place / 'state.db'}") as state:
        mine = segments.own(state, name, "bench", 3600)
        begun = time.monotonic()
        for i in range(_FILES):
            first = i * _PER_FILE
            rows = _spread(table, first)
            written = lake.write("audit", rows, name.key, first, first + _PER_FILE)
            kept = segments.commit(state, mine, first + _PER_FILE, written)
            assert kept is not None
            mine = kept
        took = time.monotonic() - begun
        found = segments.find(state)
        paths = [lake.files.local(one.columns_file) for one in found]
        per_event = sum(one.columns_size for one in found) / (_FILES * _PER_FILE)
        count = f"{_FILES * _PER_FILE:,} events in {len(found)} files"
        print(f"hunts over {count} ({took:.0f} s to write)")
        print(f"  {per_event:.0f} B an event of columns")
        worst = 0.0
        for label, sql in _QUERIES.items():
            ours = _wall(partial(hunt.run, state, lake, sql.format("audit")))
            theirs = _wall(partial(_plain, sql, paths))
            worst = max(worst, ours / theirs)
            beside = f"DuckDB {theirs:6.3f} s   {ours / theirs:.2f}"
            print(f"  {label:<16} martello {ours:6.3f} s   {beside}")
    return int(worst > 1.25)


def _plain(sql: str, paths: list[str]) -> object:
    with duckdb.connect() as connection:
        return connection.sql(sql.format(f"read_parquet({paths})")).to_arrow_table()


def _spread(table: pa.Table, first: int) -> pa.Table:
    """So many events that none is another's copy: ids and times of their own; no raw."""
    whole = pa.concat_tables([table] * (_PER_FILE // _ROWS)).combine_chunks()
    numbers = np.arange(first, first + _PER_FILE)
    ids = pa.array([f"{n:032x}" for n in numbers.tolist()])
    times = pa.array(_NOON + numbers * 1_000_000).cast(pa.timestamp("ns"))
    names = whole.column_names
    whole = whole.set_column(names.index("id"), "id", ids)
    whole = whole.set_column(names.index("time"), "time", times)
    return whole.set_column(names.index("raw"), "raw", pa.nulls(_PER_FILE, pa.string()))


def _wall(task: Callable[[], object], times: int = 5) -> float:
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        task()
        found.append(time.perf_counter() - begun)
    return min(found)


def _intake(place: Path) -> int:
    """Three API servers at their limit: 30 batches of 400 events a second."""
    body = b"x" * (400 * 1_280)
    waits: list[float] = []
    with Spool(place / "spool") as spool:

        def server(which: int) -> None:
            for i in range(90):
                due = begun + (i * 3 + which) / 30
                time.sleep(max(0.0, due - time.perf_counter()))
                at = time.perf_counter()
                spool.append(f"prod/audit/{which}", body)
                waits.append(time.perf_counter() - at)

        begun, cpu = time.perf_counter(), time.process_time()
        servers = [threading.Thread(target=server, args=(which,)) for which in range(3)]
        for one in servers:
            one.start()
        for one in servers:
            one.join()
        took, used = time.perf_counter() - begun, time.process_time() - cpu
    waits.sort()
    middle, late = waits[len(waits) // 2] * 1000, waits[int(len(waits) * 0.99)] * 1000
    print("intake, 30 batches of 400 events (512 kB) a second")
    print(
        f"  {len(waits) * 400 / took:,.0f} events/s, p50 {middle:.1f} ms, p99 {late:.1f} ms", end=""
    )
    print(f", {used / took:.0%} of a core")
    return int(late > 50)


if __name__ == "__main__":
    main()
