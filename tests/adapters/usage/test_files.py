"""Samples in files: in any order, out by namespace; what is none is counted, or refused."""

from __future__ import annotations

import gzip
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.resources.sampled import read

from martello.adapters.usage import csv_file
from martello.adapters.usage.files import Files
from martello.adapters.usage.owners import Owners
from martello.core.errors import BadInput
from martello.core.usage import Chunk, Owned

HEAD = "time,namespace,pod,container,metric,value,workload,series\n"


def _file(tmp_path: Path, text: str | bytes, name: str = "use.csv") -> Path:
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_rows_in_any_order_come_by_namespace(tmp_path: Path) -> None:
    text = HEAD + (
        "30,shop,web-0,app,cpu,3.5,deploy/web,\n"
        "10,a,db-0,db,memory,7,,\n"
        "20,shop,web-0,app,cpu,2.5,deploy/web,\n"
        "1970-01-01T00:00:15Z,a,db-0,db,memory,8,,\n"
        "1970-01-01T00:00:40.5+00:00,shop,web-0,app,memory,1e6,deploy/web,\n"
        "\n"
        "20,shop,web-0,app,cpu,9,deploy/web,again\n"
    )
    source = Files([_file(tmp_path, text)])
    found = read(source, 0, 100)
    told = {
        key: (times.tolist(), values.tolist()) for key, (times, values) in found.series().items()
    }
    assert told == {
        ("a", "db-0", "db", "memory", ""): ([10.0, 15.0], [7.0, 8.0]),
        ("shop", "web-0", "app", "cpu", ""): ([20.0, 30.0], [2.5, 3.5]),
        ("shop", "web-0", "app", "cpu", "again"): ([20.0], [9.0]),
        ("shop", "web-0", "app", "memory", ""): ([40.5], [1e6]),
    }
    assert found.namespaces == ["a", "shop"]
    assert found.workloads["shop", "web-0"] == "deploy/web"
    assert source.counts.samples == 6
    assert source.counts.finished == ["a", "shop"]
    assert not found.gaps


def test_columns_in_any_order_and_more_of_them(tmp_path: Path) -> None:
    text = "\ufeffValue, METRIC,extra,pod,namespace,container,time\n5,pids,x,web-0,shop,app,10\n"
    found = read(Files([_file(tmp_path, text)]), 0, 100)
    assert found.of("shop/web-0/app", "pids")[1].tolist() == [5.0]


def test_a_window_and_several_files_also_packed(tmp_path: Path) -> None:
    one = _file(tmp_path, HEAD + "10,shop,p,c,cpu,1,,\n20,shop,p,c,cpu,2,,\n", "1.csv")
    packed = gzip.compress((HEAD + "15,shop,p,c,cpu,1.5,,\n30,a,p,c,cpu,3,,\n").encode())
    two = _file(tmp_path, packed, "2.csv.gz")
    source = Files([one, two])
    found = read(source, 10, 20)
    assert found.of("shop/p/c", "cpu")[0].tolist() == [10.0, 15.0]
    assert source.counts.dropped == {"outside": 2}
    assert source.counts.finished == ["shop"]


def test_owners_that_are_handed_in(tmp_path: Path) -> None:
    owners = Owners()
    owners.learn("shop", [{"pod": "p", "owner_kind": "StatefulSet", "owner_name": "db"}])
    text = HEAD + "10,shop,p,c,cpu,1,,\n11,shop,p,d,cpu,1,deploy/x,\n"
    found = read(Files([_file(tmp_path, text)], owners=owners), 0, 100)
    assert {one.of.container: one.of.workload for one in found.chunks} == {
        "c": "sts/db",
        "d": "deploy/x",
    }


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("x,shop,p,c,cpu,1,,", "'x' is no time"),
        ("-1,shop,p,c,cpu,1,,", "'-1' is no time"),
        ("1e300,shop,p,c,cpu,1,,", "'1e300' is no time"),
        ("nan,shop,p,c,cpu,1,,", "'nan' is no time"),
        ("5,shop,p,c,cpu,nan,,", "'nan' is no use of anything"),
        ("5,shop,p,c,cpu,inf,,", "'inf' is no use of anything"),
        ("5,shop,p,c,cpu,-2,,", "'-2' is no use of anything"),
        ("5,shop,p,c,cpu,100m,,", "'100m' is no number"),
        ("5,shop,p,c,gpu,1,,", "'gpu' is no metric"),
        ("5,,p,c,cpu,1,,", "it names no container"),
        (f"5,shop,{'p' * 600},c,cpu,1,,", "a name is longer than 512 characters"),
        ("5,shop,p\x1b[31m,c,cpu,1,,", "a name has signs that cannot be printed"),
        ("5,shop,p", "it has too few fields"),
        ("5,shop,p,c,cpu", "it has too few fields"),
        ("\0", "it has too few fields"),
        ("\udcff5".encode("utf-8", "surrogateescape").decode("latin-1"), "it has too few fields"),
    ],
)
def test_rows_that_are_none_are_one_gap(tmp_path: Path, row: str, why: str) -> None:
    good = "10,shop,p,c,cpu,1,,\n"
    file = _file(tmp_path, HEAD + good + row + "\n" + row + "\n" + good.replace("10", "11"))
    source = Files([file])
    found = read(source, 0, 100)
    assert found.of("shop/p/c", "cpu")[0].tolist() == [10.0, 11.0]
    (gap,) = found.gaps
    assert gap.what == str(file)
    assert gap.why == f"2 rows are no samples: line 3: {why}"
    assert source.counts.dropped == {"no sample": 2}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no head at all\n",
        b"time,namespace,pod,container,metric\n",
        b'time,namespace,pod,container,metric,value\n"' + b"x" * 200_000,
        b"\x1f\x8b\x08nothing",
        b"PAR1 and nothing",
        b"\xff" * 1000,
        b"PAR1" + b"\0" * 100 + b"PAR1",
        gzip.compress(HEAD.encode() * 100)[:-20],
    ],
    ids=range(9),
)
def test_what_is_no_file_of_samples(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(BadInput) as raised:
        read(Files([_file(tmp_path, text)]), 0, 100)
    assert str(tmp_path) in raised.value.what


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for place in (tmp_path / "none", tmp_path):
        with pytest.raises(BadInput, match="cannot read"):
            read(Files([place]), 0, 100)


def test_a_line_without_end_is_bounded(tmp_path: Path) -> None:
    file = _file(tmp_path, gzip.compress(HEAD.encode() + bytes(8 << 20)))
    source = Files([file])
    found = read(source, 0, 100)
    assert not found.chunks
    assert len(found.gaps) <= 1


ROWS = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.sampled_from(["a", "shop", "sho"]),
        st.sampled_from(["p-0", "p-1"]),
        st.sampled_from(["cpu", "memory"]),
        st.floats(0, 1e12),
    ),
    max_size=60,
)


@settings(max_examples=40)
@given(ROWS, st.integers(1, 20))
def test_every_sample_comes_back_once(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[int, str, str, str, float]],
    block: int,
) -> None:
    """However little is held at once: by namespace, and in order within a chunk."""
    file = tmp_path_factory.mktemp("rows") / "use.csv"
    lines = [f"{at},{space},{pod},c,{metric},{value!r},," for at, space, pod, metric, value in rows]
    file.write_text(HEAD + "\n".join(lines))
    found = read(Files([file], block=block), 0, 100)
    first: dict[tuple[str, ...], set[float]] = {}
    for at, space, pod, metric, value in rows:
        first.setdefault((space, pod, metric, str(float(at))), set()).add(value)
    came: dict[tuple[str, ...], list[float]] = {}
    for one in found.chunks:
        for time, value in zip(one.times.tolist(), one.values.tolist(), strict=True):
            key = (one.of.namespace, one.of.pod, one.metric, str(time))
            came.setdefault(key, []).append(value)
    assert came.keys() == first.keys()
    assert all(set(values) <= first[key] for key, values in came.items())
    if len(rows) <= block:
        assert all(len(values) == 1 for values in came.values())


def _chunk(at: float, value: float, pod: str = "p", metric: str = "memory") -> Chunk:
    of = Owned("shop", pod, 'the "app", of all', "deploy/web")
    return Chunk(of, metric, np.array([at]), np.array([value]))  # type: ignore[arg-type]


def test_snapshots_add_up_to_a_history(tmp_path: Path) -> None:
    file = tmp_path / "use.csv"
    for at in range(5):
        kept = csv_file.append(
            file, [_chunk(at * 60.0 + 0.123, at + 0.1), _chunk(at * 60.0, 1, "q")]
        )
        assert kept == 2
    found = read(Files([file]), 0, 1000)
    times, values = found.of('shop/p/the "app", of all', "memory")
    assert times.tolist() == [0.123, 60.123, 120.123, 180.123, 240.123]
    assert values.tolist() == [0.1, 1.1, 2.1, 3.1, 4.1]
    assert file.read_text().count("namespace") == 1
    assert found.workloads["shop", "q"] == "deploy/web"


def test_a_history_that_was_cut_short_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "use.csv"
    csv_file.append(file, [_chunk(10.0, 1)])
    with file.open("ab") as out:
        out.write(b"20.0,shop,p,c,mem")
    csv_file.append(file, [_chunk(30.0, 3)])
    found = read(Files([file]), 0, 100)
    assert [one.times.tolist() for one in found.chunks] == [[10.0, 30.0]]
    (gap,) = found.gaps
    assert gap.why.startswith("1 row is no samples: line 3: ")


def test_several_may_append_at_once(tmp_path: Path) -> None:
    file = tmp_path / "use.csv"

    def some(pod: str) -> None:
        for at in range(20):
            csv_file.append(file, [_chunk(float(at), 1, pod), _chunk(float(at), 2, pod, "cores")])

    threads = [threading.Thread(target=some, args=(f"p{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read(Files([file]), 0, 100)
    assert not found.gaps
    assert sum(len(one.times) for one in found.chunks) == 160


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot write"):
        csv_file.append(tmp_path / "none" / "use.csv", [_chunk(1.0, 1)])
    with pytest.raises(BadInput, match="cannot write"):
        csv_file.append(tmp_path, [_chunk(1.0, 1)])


def test_memory_is_bounded_by_a_block(tmp_path: Path) -> None:
    """What comes of a large file comes in pieces; the first needs no more than one of them."""
    file = tmp_path / "use.csv"
    with file.open("w") as out:
        out.write(HEAD)
        for at in range(5000):
            out.write(f"{at},shop,p-{at % 7},c,cpu,{at},,\n")
    found = read(Files([file], block=700), 0, 1e6)
    assert max(len(one.times) for one in found.chunks) <= 101
    series = found.series()
    assert len(series) == 7
    assert all((np.diff(times) > 0).all() for times, _ in series.values())
