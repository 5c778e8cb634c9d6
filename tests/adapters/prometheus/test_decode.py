"""Samples as arrays: equal to what json and float make of them, and errors for what is none."""

from __future__ import annotations

import json
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.adapters.prometheus import decode
from martello.core.errors import Unreachable
from martello.core.usage import Counts

URL = "http://prometheus.example"
TIMES = st.integers(0, 4 * 10**12).map(lambda ms: ms / 1000)
VALUES = st.floats(allow_nan=True, allow_infinity=True)


def _text(value: float) -> str:
    """As Go's strconv writes it, in one of its two forms."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


@given(st.lists(st.tuples(TIMES, VALUES), max_size=20), st.sampled_from([(",", ":"), (", ", ": ")]))
def test_it_reads_what_json_reads(pairs: list[tuple[float, float]], marks: tuple[str, str]) -> None:
    raw = json.dumps([[time, _text(value)] for time, value in pairs], separators=marks).encode()
    times, values = decode.samples(msgspec.Raw(raw), URL)
    expected = [(time, float(value)) for time, value in json.loads(raw)]
    assert times.tolist() == [time for time, _ in expected]
    assert np.array_equal(values, np.array([value for _, value in expected]), equal_nan=True)
    assert times.dtype == values.dtype == np.float64
    assert times.flags.c_contiguous
    assert values.flags.c_contiguous


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("[]", []),
        ("[[1,2]]", [(1, 2)]),
        ('[[1,"2"],[3,4]]', [(1, 2), (3, 4)]),
        ('[[1e3,"1e-3"]]', [(1000, 0.001)]),
        ('[ [ 1 , "2" ] ]', [(1, 2)]),
    ],
)
def test_other_ways_of_writing_it(raw: str, expected: list[tuple[float, float]]) -> None:
    times, values = decode.samples(msgspec.Raw(raw.encode()), URL)
    assert list(zip(times.tolist(), values.tolist(), strict=True)) == expected


@pytest.mark.parametrize(
    "raw",
    [
        "{}",
        "7",
        '"text"',
        "[1]",
        "[[1]]",
        '[[1,"2",3]]',
        '[[1,"2"],[3]]',
        '[[1,"two"]]',
        '[[1,""]]',
        '[["",""]]',
        "[[1,null]]",
        "[[1,true]]",
        '[[1,["2"]]]',
        '[[1,"0x10"]]',
        '[[1,"1_0"]]',
        '[[1,"2""3"]]',
        '[[1,"\\u0032\\u0000"]]',
    ],
)
def test_what_is_no_list_of_samples(raw: str) -> None:
    with pytest.raises(Unreachable, match="is no Prometheus API"):
        decode.samples(msgspec.Raw(raw.encode()), URL)


def test_tidy_keeps_a_window_in_order_once_each() -> None:
    counts = Counts()
    times = np.array([9.999, 10.0, 12.0, 11.0, 12.0, 13.0, 14.0, 20.0, 5.0])
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.nan, -1.0, 8.0, 9.0])
    kept = decode.tidy((times, values), 10.0, 20.0, counts)
    assert kept[0].tolist() == [10.0, 11.0, 12.0]
    assert kept[1].tolist() == [2.0, 4.0, 3.0]
    assert counts.dropped == {"outside": 2, "no number": 2, "out of order": 1, "twice": 1}


@given(st.lists(st.tuples(st.integers(0, 50), VALUES), max_size=30))
def test_tidy_accounts_for_every_sample(pairs: list[tuple[int, float]]) -> None:
    counts = Counts()
    times = np.array([float(time) for time, _ in pairs])
    values = np.array([value for _, value in pairs])
    kept, told = decode.tidy((times, values), 10.0, 40.0, counts)
    assert (np.diff(kept) > 0).all()
    assert np.isfinite(told).all()
    assert (told >= 0).all()
    lost = sum(count for why, count in counts.dropped.items() if why != "out of order")
    assert len(kept) + lost == len(pairs)


def test_an_answer_of_too_many_series_is_none() -> None:
    raw = b'{"result":[' + b",".join([b'{"metric":{}}'] * 250_001) + b"]}"
    with pytest.raises(Unreachable, match="is no Prometheus API") as raised:
        decode.matrix(msgspec.Raw(raw), URL)
    assert "250,000 series" in raised.value.why


def test_a_series_of_histograms_has_no_samples() -> None:
    raw = b'{"result":[{"metric":{"pod":"p"},"histograms":[[1,{"count":"1"}]]}]}'
    (one,) = decode.matrix(msgspec.Raw(raw), URL)
    assert len(decode.samples(one.values, URL)[0]) == 0


_GOOD = json.dumps(
    {
        "status": "success",
        "data": {
            "resultType": "matrix",
            "result": [
                {
                    "metric": {"namespace": "shop", "pod": "p", "container": "c"},
                    "values": [[1767225600.123, "1.5"], [1767225630.123, "NaN"], [2, "+Inf"]],
                }
            ],
        },
        "warnings": ["partial"],
    }
).encode()


@given(
    st.lists(
        st.tuples(st.integers(0, len(_GOOD)), st.integers(0, 8), st.binary(max_size=4)), max_size=4
    )
)
def test_bytes_that_were_changed_are_read_or_refused(
    changes: list[tuple[int, int, bytes]],
) -> None:
    body = _GOOD
    for at, gone, new in changes:
        body = body[:at] + new + body[at + gone :]
    refused = ""
    try:
        data, _ = decode.opened(body, URL)
        for one in decode.matrix(data, URL):
            times, values = decode.samples(one.values, URL)
            kept, told = decode.tidy((times, values), 0.0, 1e12, Counts())
            assert len(kept) == len(told)
    except Unreachable as error:
        refused = str(error)
    assert len(refused) < 500
