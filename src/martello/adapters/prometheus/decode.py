"""Answers of Prometheus' API as numpy arrays.

The text of one series, `[[1700000000.123,"0.25"],…]`, becomes one flat list of numbers by msgspec
once its brackets and quotes are away: 9 times as fast as json.loads and float() (bench/sizing.py).
NaN and infinities, which Prometheus writes as strings, take a slower way. One series is decoded at
a time: an answer takes its bytes and little more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
import numpy as np

from martello.adapters.prometheus.failure import malformed
from martello.adapters.registry.failure import words
from martello.core.usage import Counts

Array = np.ndarray[Any, np.dtype[np.float64]]
Pair = tuple[Array, Array]  # times, values
_MOST: Final = 250_000  # series in one answer


class Series(msgspec.Struct, frozen=True):
    """One series of a matrix: its labels, and its samples as they came."""

    metric: dict[str, str]
    values: msgspec.Raw = msgspec.Raw(b"[]")  # a series of native histograms has none


class _Matrix(msgspec.Struct):
    result: list[Series]
    resultType: str = ""


class _Answer(msgspec.Struct):
    status: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    warnings: list[Any] | None = None
    isPartial: bool = False  # VictoriaMetrics' word


_answer: Final = msgspec.json.Decoder(_Answer)
_matrix: Final = msgspec.json.Decoder(_Matrix)
_names: Final = msgspec.json.Decoder(list[str])
_labels: Final = msgspec.json.Decoder(list[dict[str, str]])
_flat: Final = msgspec.json.Decoder(list[float])
_pairs: Final = msgspec.json.Decoder(list[tuple[float, float]], strict=False)
_WRONG: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)


def opened(body: bytes, url: str) -> tuple[msgspec.Raw, tuple[str, ...]]:
    """The data of an answer, and what the server warns of, as it came. Raises Unreachable where it
    is none.
    """
    try:
        answer = _answer.decode(body)
    except _WRONG as error:
        raise malformed(url, words(str(error), 200)) from None
    if answer.status != "success":
        raise malformed(url, "it tells of no success")
    told = [one for one in (answer.warnings or [])[:5] if isinstance(one, str)]
    if answer.isPartial:
        told.append("the answer is partial: a part of its storage did not help")
    return answer.data, tuple(told)


def matrix(data: msgspec.Raw, url: str) -> list[Series]:
    """The series of a question with a range selector, values as they came. Raises Unreachable."""
    raw = bytes(data)
    if raw.count(b'"metric"') > _MOST:
        raise malformed(url, f"it holds more than {_MOST:,} series")
    try:
        found = _matrix.decode(raw)
    except _WRONG as error:
        raise malformed(url, words(str(error), 200)) from None
    if found.resultType not in ("matrix", ""):
        raise malformed(url, "another type of result than a matrix")
    return found.result


def names(data: msgspec.Raw, url: str) -> list[str]:
    """The values of a label."""
    try:
        return _names.decode(data)
    except _WRONG as error:
        raise malformed(url, words(str(error), 200)) from None


def labels(data: msgspec.Raw, url: str) -> Iterator[dict[str, str]]:
    """The labels of series."""
    try:
        yield from _labels.decode(data)
    except _WRONG as error:
        raise malformed(url, words(str(error), 200)) from None


def samples(values: msgspec.Raw, url: str) -> Pair:
    """Times and values of one series, as they came. Raises Unreachable for what is no list of
    pairs.
    """
    raw = bytes(values)
    text = raw.translate(None, b'[]"')
    try:
        flat = np.array(_flat.decode(b"[%b]" % text), dtype=np.float64)
        # of every pair two brackets and two quotes went away, and the two around all of them
        if len(raw) - len(text) == 2 * len(flat) + 2 and len(flat) % 2 == 0:
            return flat[::2].copy(), flat[1::2].copy()
    except _WRONG:
        pass
    try:
        found = _pairs.decode(raw.replace(b'"+Inf"', b'"Infinity"'))
    except _WRONG as error:
        raise malformed(url, words(str(error), 200)) from None
    both = np.array(found, dtype=np.float64).reshape(-1, 2)
    return both[:, 0].copy(), both[:, 1].copy()


def tidy(pair: Pair, begin: float, end: float, counts: Counts) -> Pair:
    """The samples within `begin` <= time < `end`, in order of time, one for each time, finite and
    not negative; what is not is counted.
    """
    times, values = pair
    with np.errstate(invalid="ignore"):
        within = (times >= begin) & (times < end)
        good = np.isfinite(values) & (values >= 0)
        edge = (times >= begin - 0.0015) & (times < begin)  # what a closed range brings besides
    counts.drop("outside", int((~within & ~edge).sum()))
    counts.drop("no number", int((within & ~good).sum()))
    kept = within & good
    if not kept.all():
        times, values = times[kept], values[kept]
    steps = np.diff(times)
    if (steps <= 0).any():
        counts.drop("out of order", int((steps < 0).sum()))
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
        first = np.concatenate(([True], np.diff(times) > 0))
        counts.drop("twice", int((~first).sum()))
        times, values = times[first], values[first]
    return times, values
