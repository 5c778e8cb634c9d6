"""Samples in Parquet: the same as in CSV, whatever types its columns have."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.resources.sampled import read

from martello.adapters.usage.files import Files
from martello.core.errors import BadInput

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def _write(file: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), file)
    return file


def _columns(count: int) -> dict[str, Any]:
    at = np.arange(count, dtype=np.float64)
    return {
        "time": at,
        "namespace": ["shop" if n % 3 else "a" for n in range(count)],
        "pod": [f"p-{n % 5}" for n in range(count)],
        "container": ["c"] * count,
        "metric": ["cpu" if n % 2 else "memory" for n in range(count)],
        "value": at * 2,
    }


def test_rows_come_by_namespace(tmp_path: Path) -> None:
    columns = _columns(3000)
    source = Files([_write(tmp_path / "use.parquet", **columns)])
    found = read(source, 0, 1e9)
    assert found.namespaces == ["a", "shop"]
    assert source.counts.samples == 3000
    assert len(found.series()) == 20
    times, values = found.of("shop/p-1/c", "cpu")
    expected = [n for n in range(3000) if n % 3 and n % 5 == 1 and n % 2]
    assert times.tolist() == expected
    assert values.tolist() == [2 * n for n in expected]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Rome"])
def test_times_of_every_unit(tmp_path: Path, unit: str, zone: str | None) -> None:
    columns = _columns(4)
    moments = [datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC) for second in range(4)]
    columns["time"] = pa.array([m if zone else m.replace(tzinfo=None) for m in moments]).cast(
        pa.timestamp(unit, zone)
    )
    found = read(Files([_write(tmp_path / "use.parquet", **columns)]), 0, 1e11)
    assert sorted(t for one in found.chunks for t in one.times.tolist()) == [
        moment.timestamp() for moment in moments
    ]


def test_coded_columns_workloads_and_whole_numbers(tmp_path: Path) -> None:
    columns = _columns(10)
    columns["pod"] = pa.array(columns["pod"]).dictionary_encode()
    columns["metric"] = pa.array(columns["metric"]).dictionary_encode()
    columns["value"] = pa.array(range(10), pa.int32())
    columns["workload"] = ["deploy/web"] * 9 + [None]
    columns["series"] = ["one"] * 10
    columns["more"] = [b"x"] * 10
    found = read(Files([_write(tmp_path / "use.parquet", **columns)]), 0, 1e9)
    assert {one.series for one in found.chunks} == {"one"}
    assert {one.of.workload for one in found.chunks} == {"deploy/web", ""}
    assert sorted(v for one in found.chunks for v in one.values.tolist()) == list(range(10))


def test_rows_that_are_none_are_one_gap(tmp_path: Path) -> None:
    columns = _columns(10)
    columns["time"] = [None, *columns["time"][1:]]
    columns["value"] = [1.0, float("nan"), -1.0, float("inf"), None, *range(5, 10)]
    columns["metric"][5] = "gpu"
    columns["pod"] = [*columns["pod"][:6], None, *columns["pod"][7:]]
    source = Files([_write(tmp_path / "use.parquet", **columns)])
    found = read(source, 0, 8.5)
    assert sorted(t for one in found.chunks for t in one.times.tolist()) == [7.0, 8.0]
    (gap,) = found.gaps
    assert gap.why.startswith("7 rows are no samples: ")
    assert source.counts.dropped == {"no sample": 7, "outside": 1}


@pytest.mark.parametrize("column", ["time", "namespace", "value"])
def test_columns_that_are_missing_or_of_another_type(tmp_path: Path, column: str) -> None:
    columns = _columns(3)
    del columns[column]
    with pytest.raises(BadInput, match="holds no samples") as raised:
        read(Files([_write(tmp_path / "use.parquet", **columns)]), 0, 1e9)
    assert f"the column {column} is missing" in raised.value.why
    columns[column] = [["nested"]] * 3
    with pytest.raises(BadInput, match="cannot read"):
        read(Files([_write(tmp_path / "use.parquet", **columns)]), 0, 1e9)


def test_a_file_that_was_cut(tmp_path: Path) -> None:
    file = _write(tmp_path / "use.parquet", **_columns(1000))
    content = file.read_bytes()
    for end in (4, 100, len(content) // 2, len(content) - 1):
        file.write_bytes(content[:end])
        with pytest.raises(BadInput, match="cannot read"):
            read(Files([file]), 0, 1e9)
