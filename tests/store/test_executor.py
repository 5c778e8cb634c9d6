"""One contract for every executor: results, failures, workers that die, consumers that stop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.executed import dies, marks, slow_first, square

from martello.core.errors import BadInput
from martello.store.executor import Done, Executor, Failed, Inline, Pool, open_executor


@pytest.fixture(params=["inline", "pool://2"])
def executor(request: pytest.FixtureRequest) -> Executor:
    return open_executor(request.param)


def test_x3_x4_results_and_failures_are_the_same_everywhere(executor: Executor) -> None:
    found = list(executor.map(square, range(8), label="squares", ordered=True))
    assert [one.at for one in found] == list(range(8))
    assert [one.result for one in found if isinstance(one, Done)] == [0, 1, 4, 16, 25, 36, 49]
    (failed,) = [one for one in found if isinstance(one, Failed)]
    assert (failed.item, failed.error) == (3, "ValueError: three is refused")
    assert list(executor.map(square, [], label="none")) == []


def test_x2_results_come_as_they_finish() -> None:
    found = [one.item for one in Pool(2).map(slow_first, range(6), label="x")]
    assert sorted(found) == list(range(6))
    assert found[-1] == 0
    ordered = [one.item for one in Pool(2).map(slow_first, range(6), label="x", ordered=True)]
    assert ordered == list(range(6))


def test_x2_a_consumer_that_stops_cancels_the_rest(tmp_path: Path) -> None:
    given: list[int] = []

    def items() -> Iterator[str]:
        for i in range(1000):
            given.append(i)
            yield str(tmp_path)

    found = Pool(2).map(marks, items(), label="x")
    assert isinstance(next(found), Done)
    begun = time.monotonic()
    found.close()  # type: ignore[attr-defined]
    assert time.monotonic() - begun < 2
    assert len(given) <= 6  # two for each worker, and those that went out since
    left = len(list(tmp_path.iterdir()))
    time.sleep(0.2)
    assert len(list(tmp_path.iterdir())) == left <= 6


def test_x3_a_dead_worker_costs_its_own_item_only(tmp_path: Path) -> None:
    names = ["a", "b", f"once:{tmp_path / 'mark'}", "c", "die", "d", "e"]
    found = list(Pool(2).map(dies, names, label="x", ordered=True))
    told = [one.result if isinstance(one, Done) else one.error for one in found]
    assert told[:2] + told[3:4] + told[5:] == ["A", "B", "C", "D", "E"]
    assert told[2].startswith("ONCE:")
    assert told[4] == "its worker died 3 times"


def test_executors_by_their_urls() -> None:
    assert isinstance(open_executor("inline"), Inline)
    assert open_executor("pool://3").workers == 3
    assert open_executor("pool").workers >= 1
    for url in ("", "ray://head:10001", "pool://0", "pool://x", "dask"):
        with pytest.raises(BadInput, match="cannot use the executor"):
            open_executor(url)
