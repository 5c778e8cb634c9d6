"""Samples in any order, by namespace: what a file holds as it comes is put aside in temporary
files, one for each namespace, and read back series by series. Memory is bounded by one block.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import numpy as np

from martello.adapters.usage.owners import Owners
from martello.core.errors import BadInput
from martello.core.usage import Chunk, Counts, Metric, Owned

BLOCK: Final = 1_000_000  # samples of one namespace that are sorted at once
_HELD: Final = 500_000  # samples that wait for being written
_MOST: Final = 1_000_000  # series
_ROW: Final = np.dtype([("code", "<i4"), ("time", "<f8"), ("value", "<f8")])
Array = np.ndarray[Any, np.dtype[Any]]


class Key(msgspec.Struct, frozen=True, order=True):
    """One series of a file."""

    namespace: str
    pod: str
    container: str
    metric: Metric
    series: str = ""
    workload: str = ""


class Spill:
    """Takes samples, then gives them back in the order of a Source. A context: its temporary files
    go with it.
    """

    def __init__(self, *, block: int = BLOCK) -> None:
        self._block = block
        self._folder = tempfile.TemporaryDirectory(prefix="martello-samples-")
        self._codes: dict[str, dict[Key, int]] = {}  # namespace → series → its number there
        self._held: dict[str, list[Array]] = {}
        self._waiting = 0
        self._series = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    @property
    def namespaces(self) -> list[str]:
        """Those that samples came of, sorted."""
        return sorted(self._codes)

    def add(self, keys: Sequence[Key], which: Array, times: Array, values: Array) -> None:
        """Samples: `which` of `keys` each is of, its time (seconds) and value. Raises BadInput for
        more series than can be held, or where there is no room for temporary files.
        """
        used, which = np.unique(which, return_inverse=True)
        kept = [keys[at] for at in used.tolist()]
        numbers = np.array([self._number(key) for key in kept], dtype=np.int32)
        for namespace in dict.fromkeys(key.namespace for key in kept):
            own = np.array([key.namespace == namespace for key in kept])[which]
            rows = np.empty(int(own.sum()), dtype=_ROW)
            rows["code"] = numbers[which[own]]
            rows["time"] = times[own]
            rows["value"] = values[own]
            self._held.setdefault(namespace, []).append(rows)
        self._waiting += len(times)
        if self._waiting >= _HELD:
            self._write()

    def chunks(self, owners: Owners | None, counts: Counts) -> Iterator[Chunk]:
        """Everything, namespace by namespace; within a block in order of time, one sample for each
        time of a series.
        """
        self._write()
        counts.total = len(self._codes)
        for namespace in self.namespaces:
            counts.namespace = namespace
            keys = list(self._codes[namespace])
            with self._file(namespace).open("rb") as opened:
                while len(rows := np.fromfile(opened, dtype=_ROW, count=self._block)):
                    yield from _chunks(keys, rows, owners, counts)
            counts.finished.append(namespace)
        counts.namespace = ""

    def _number(self, key: Key) -> int:
        codes = self._codes.setdefault(key.namespace, {})
        found = codes.get(key)
        if found is None:
            found = codes[key] = len(codes)
            self._series += 1
            if self._series > _MOST:
                raise BadInput(
                    "there are too many series in the samples",
                    f"more than {_MOST:,} containers and metrics are named",
                    "give the files of one cluster, or some namespaces only",
                )
        return found

    def _file(self, namespace: str) -> Path:
        return Path(self._folder.name) / str(list(self._codes).index(namespace))

    def _write(self) -> None:
        try:
            for namespace, parts in self._held.items():
                with self._file(namespace).open("ab") as out:
                    for rows in parts:
                        out.write(rows.tobytes())
        except OSError as error:
            raise BadInput(
                "cannot sort the samples",
                f"{self._folder.name}: {error.strerror or error}",
                "make room there, or name another TMPDIR",
            ) from None
        self._held.clear()
        self._waiting = 0


def _chunks(
    keys: Sequence[Key], rows: Array, owners: Owners | None, counts: Counts
) -> Iterator[Chunk]:
    order = np.lexsort((rows["time"], rows["code"]))
    codes, times, values = rows["code"][order], rows["time"][order], rows["value"][order]
    new = np.concatenate(([True], (np.diff(codes) != 0) | (np.diff(times) > 0)))
    counts.drop("twice", int((~new).sum()))
    codes, times, values = codes[new], times[new], values[new]
    starts = np.flatnonzero(np.concatenate(([True], np.diff(codes) != 0)))
    for begin, end in zip(starts, [*starts[1:], len(codes)], strict=True):
        key = keys[codes[begin]]
        whose = key.workload or (owners.of(key.namespace, key.pod) if owners else "")
        of = Owned(key.namespace, key.pod, key.container, whose)
        counts.samples += int(end - begin)
        yield Chunk(of, key.metric, times[begin:end], values[begin:end], series=key.series)
