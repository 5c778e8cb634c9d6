"""Samples in a CSV file: read in any order, and appended to, so that snapshots add up to a history.
The columns are those of `columns`.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import gzip
import io
import itertools
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from martello.adapters.usage import columns
from martello.adapters.usage.columns import NoSample
from martello.adapters.usage.spill import Array, Key, Spill
from martello.core.errors import BadInput
from martello.core.usage import Chunk, Counts, Gap

_LINE: Final = 1 << 16  # characters of a line
_ROWS: Final = 500  # that are looked at together: few, so that they are forgotten young
_HELD: Final = 200  # times as many that are handed on at once
_ORDER: Final = (
    "time",
    "value",
    "namespace",
    "pod",
    "container",
    "metric",
    "workload",
    "series",
)


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


def fit(file: Path) -> None:
    """Raises BadInput where samples cannot be added to a file: it is none of `append`'s making, or
    there is no room for it. Nothing is made or changed.
    """
    what = f"cannot add samples to {file}"
    try:
        if not file.exists():
            if not file.parent.is_dir():
                raise BadInput(what, f"there is no directory {file.parent}", "make it first")
            return
        if not file.is_file():
            raise BadInput(what, "it is no plain file", "name a new file")
        with file.open("rb") as opened:
            head = opened.readline(_LINE)
    except (OSError, ValueError) as error:
        raise BadInput(what, getattr(error, "strerror", None) or str(error)) from None
    if head and head.decode(errors="replace").strip() != ",".join(columns.ALL):
        why = "it holds something else: its first line is not " + ",".join(columns.ALL)
        raise BadInput(what, why, "name a new file; advise reads several by --samples")


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
        places = [head.index(name) if name in head else -1 for name in _ORDER]
        table = _Table(places, since, until, spill, counts)
        line = rows.line_num
        while batch := list(itertools.islice(rows, _ROWS)):
            table.take(line + 1, batch)
            line = rows.line_num
        table.flush()
    except csv.Error as error:
        where = f"{file}:{rows.line_num}"
        raise BadInput(f"cannot read {where}", f"it is no CSV: {error}") from None
    if table.wrong:
        counts.drop("no sample", table.wrong)
        many = "row is" if table.wrong == 1 else "rows are"
        yield Gap(file, f"{table.wrong:,} {many} no samples: {table.first}")


class _Known(dict[tuple[str, ...], int]):
    """Which of `keys` the names of a row mean; new ones are added. Raises NoSample."""

    def __init__(self) -> None:
        self.keys_: list[Key] = []

    def __missing__(self, names: tuple[str, ...]) -> int:
        key = columns.key(*names)
        found = self[names] = len(self.keys_)
        self.keys_.append(key)
        return found


class _Table:
    """Rows on their way: many at once, or one by one where not all of them are samples."""

    def __init__(
        self, places: list[int], since: float, until: float, spill: Spill, counts: Counts
    ) -> None:
        self.wrong = 0
        self.first = ""
        self._places = places
        self._since, self._until = since, until
        self._spill, self._counts = spill, counts
        self._known = _Known()
        self._held: list[tuple[Array, Array, Array]] = []

    def take(self, line: int, rows: list[list[str]]) -> None:
        """Puts the samples of some rows aside; the first one is of a line."""
        try:
            times, values, which = self._together(rows)
        except (ValueError, IndexError):
            times, values, which = self._one_by_one(line, rows)
        within = (times >= self._since) & (times < self._until)
        self._counts.drop("outside", int((~within).sum()))
        self._held.append((times[within], values[within], which[within]))
        if len(self._held) >= _HELD:
            self.flush()

    def flush(self) -> None:
        """Hands them on; what is known of names is forgotten, so that they cannot grow."""
        if self._held:
            times, values, which = map(np.concatenate, zip(*self._held, strict=True))
            self._spill.add(self._known.keys_, which, times, values)
        self._known, self._held = _Known(), []

    def _together(self, rows: list[list[str]]) -> tuple[Array, Array, Array]:
        """Times, values and which series. Raises ValueError or IndexError where one row is no
        sample, or is written in another way.
        """
        fields = list(zip(*rows, strict=True))
        time, value, *names = (
            fields[place] if place >= 0 else itertools.repeat("") for place in self._places
        )
        count = len(rows)
        times = np.fromiter(map(float, time), np.float64, count)
        values = np.fromiter(map(float, value), np.float64, count)
        if not ((times >= 0) & (times < columns.LATEST) & (values >= 0) & (values < np.inf)).all():
            raise NoSample("not all of them are samples")
        known = map(self._known.__getitem__, zip(*names, strict=False))
        return times, values, np.fromiter(known, np.int64, count)

    def _one_by_one(self, line: int, rows: list[list[str]]) -> tuple[Array, Array, Array]:
        found: list[tuple[float, float, int]] = []
        for number, row in enumerate(rows, line):
            if not row:
                continue
            try:
                if len(row) <= max(self._places[: len(columns.NEEDED)]):
                    raise NoSample("it has too few fields")
                time, value, *names = (
                    row[place] if 0 <= place < len(row) else "" for place in self._places
                )
                at, much = columns.moment(time), columns.number(value)
                found.append((at, much, self._known[tuple(names)]))
            except NoSample as error:
                self.wrong += 1
                self.first = self.first or f"line {number}: {error}"
        whole = np.array(found, dtype=np.float64).reshape(-1, 3)
        return whole[:, 0], whole[:, 1], whole[:, 2].astype(np.int64)
