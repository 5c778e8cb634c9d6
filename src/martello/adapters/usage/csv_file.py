"""Samples in a CSV file: read in any order, and appended to, so that snapshots add up to a history.
The columns are those of `columns`.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import gzip
import io
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from martello.adapters.usage import columns
from martello.adapters.usage.columns import NoSample
from martello.adapters.usage.spill import Key, Spill
from martello.core.errors import BadInput
from martello.core.usage import Chunk, Counts, Gap

_LINE: Final = 1 << 16  # characters of a line
_ROWS: Final = 100_000  # that are handed on at once


def read(file: Path, since: float, until: float, spill: Spill, counts: Counts) -> Iterator[Gap]:
    """Puts the samples of a window aside. Rows that are none become one Gap, with the first one's
    line. Raises BadInput for what is no CSV of samples.
    """
    try:
        with _opened(file) as opened:
            yield from _read(opened, str(file), since, until, spill, counts)
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"cannot read {file}", why, "name a file of samples") from None


def append(file: Path, chunks: Iterable[Chunk]) -> int:
    """Adds samples at the end of a file, all of them or none, and makes it where there is none; how
    many they were. Several may do so at once. Raises BadInput where it cannot be written.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    count = 0
    for chunk in chunks:
        of = chunk.of
        names = (of.namespace, of.pod, of.container, chunk.metric)
        for at, value in zip(chunk.times.tolist(), chunk.values.tolist(), strict=True):
            rows.writerow((f"{at:.3f}", *names, repr(value), of.workload, chunk.series))
            count += 1
    try:
        with open(os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644), "rb+") as out:
            fcntl.flock(out, fcntl.LOCK_EX)
            size = out.seek(0, os.SEEK_END)
            head = "" if size else ",".join(columns.ALL) + "\n"
            if size:
                out.seek(-1, os.SEEK_END)
                head = "" if out.read(1) == b"\n" else "\n"  # whoever wrote last was cut short
            content = (head + text.getvalue()).encode()
            try:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            except OSError:
                out.truncate(size)
                raise
    except OSError as error:
        raise BadInput(f"cannot write {file}", error.strerror or str(error)) from None
    return count


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[io.TextIOWrapper]:
    with file.open("rb") as opened:
        packed = opened.peek(2)[:2] == b"\x1f\x8b"
        whole = gzip.GzipFile(fileobj=opened) if packed else opened
        with io.TextIOWrapper(whole, "utf-8-sig", errors="replace", newline="") as text:
            yield text


def _lines(opened: io.TextIOWrapper, counts: Counts) -> Iterator[str]:
    """Lines of bounded length: one that is longer comes in pieces, which are no rows."""
    while line := opened.readline(_LINE):
        counts.bytes += len(line)
        yield line


def _read(
    opened: io.TextIOWrapper,
    file: str,
    since: float,
    until: float,
    spill: Spill,
    counts: Counts,
) -> Iterator[Gap]:
    rows = csv.reader(_lines(opened, counts))
    try:
        head = [name.strip().lower() for name in next(rows, [])]
        columns.require(head, file)
        places = [head.index(name) if name in head else -1 for name in columns.ALL]
        wrong = 0
        first = ""
        batch = _Batch(spill)
        for row in rows:
            if not row:
                continue
            try:
                time, *names, value = _fields(row, places)
                at = columns.moment(time)
                found = columns.number(value)
                which = batch.which(tuple(names))
            except NoSample as error:
                wrong += 1
                first = first or f"line {rows.line_num}: {error}"
                continue
            if since <= at < until:
                batch.add(which, at, found)
            else:
                counts.drop("outside")
        batch.flush()
    except csv.Error as error:
        where = f"{file}:{rows.line_num}"
        raise BadInput(f"cannot read {where}", f"it is no CSV: {error}") from None
    if wrong:
        counts.drop("no sample", wrong)
        yield Gap(file, f"{wrong:,} {'row is' if wrong == 1 else 'rows are'} no samples: {first}")


def _fields(row: list[str], places: list[int]) -> tuple[str, ...]:
    """time, names…, value."""
    if len(row) <= max(places[: len(columns.NEEDED)]):
        raise NoSample("it has too few fields")
    time, namespace, pod, container, metric, value, workload, series = (
        row[place] if 0 <= place < len(row) else "" for place in places
    )
    return time, namespace, pod, container, metric, workload, series, value


class _Batch:
    """Rows on their way."""

    def __init__(self, spill: Spill) -> None:
        self._spill = spill
        self._known: dict[tuple[str, ...], int] = {}
        self._keys: list[Key] = []
        self._which: list[int] = []
        self._times: list[float] = []
        self._values: list[float] = []

    def which(self, names: tuple[str, ...]) -> int:
        found = self._known.get(names)
        if found is None:
            key = columns.key(*names)
            found = self._known[names] = len(self._keys)
            self._keys.append(key)
        return found

    def add(self, which: int, time: float, value: float) -> None:
        self._which.append(which)
        self._times.append(time)
        self._values.append(value)
        if len(self._times) >= _ROWS:
            self.flush()

    def flush(self) -> None:
        """Hands them on; what is known of names is forgotten, so that they cannot grow."""
        if self._times:
            which = np.array(self._which, dtype=np.int64)
            self._spill.add(self._keys, which, np.array(self._times), np.array(self._values))
        self._known, self._keys = {}, []
        self._which, self._times, self._values = [], [], []
