"""Samples in a Parquet file, row group by row group. It needs the extra `monitor`. The columns are
those of `columns`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from martello.adapters.usage import columns
from martello.adapters.usage.columns import NoSample
from martello.adapters.usage.spill import Array, Key, Spill
from martello.core.errors import BadInput
from martello.core.usage import Counts, Gap

_ROWS: Final = 65_536
_NAMES: Final = tuple(name for name in columns.ALL if name not in ("time", "value"))


def read(file: Path, since: float, until: float, spill: Spill, counts: Counts) -> Iterator[Gap]:
    """Puts the samples of a window aside. Rows that are none become one Gap. Raises BadInput for
    what is no Parquet of samples.
    """
    wrong, first = 0, ""
    try:
        with pq.ParquetFile(file) as opened:
            have = [name for name in columns.ALL if name in opened.schema_arrow.names]
            columns.require(have, str(file))
            for batch in opened.iter_batches(batch_size=_ROWS, columns=have):
                counts.bytes += batch.nbytes
                bad, why = _add(batch, since, until, spill, counts)
                wrong += bad
                first = first or why
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        why = str(error).partition("\n")[0][:200]
        raise BadInput(f"cannot read {file}", why, "name a Parquet file of samples") from None
    if wrong:
        counts.drop("no sample", wrong)
        why = f"{wrong:,} {'row is' if wrong == 1 else 'rows are'} no samples: {first}"
        yield Gap(str(file), why)


def _add(batch: Any, since: float, until: float, spill: Spill, counts: Counts) -> tuple[int, str]:
    """Puts the rows of a batch aside; how many are no samples, and why the first one is none."""
    which, keys, why = _keys(batch)
    times = _times(batch.column("time"))
    values = _floats(batch.column("value"))
    with np.errstate(invalid="ignore"):
        good = (which >= 0) & np.isfinite(times) & np.isfinite(values) & (values >= 0)
        within = (times >= since) & (times < until)
    counts.drop("outside", int((good & ~within).sum()))
    kept = good & within
    if kept.any():
        spill.add(keys, which[kept], times[kept], values[kept])
    return int((~good).sum()), why or "its time or value is no number"


def _keys(batch: Any) -> tuple[Array, list[Key], str]:
    """For each row which of the keys it is of, or -1; the keys; why the first -1."""
    texts = {name: _texts(batch.column(name)) for name in _NAMES if name in batch.schema.names}
    code, top = np.zeros(batch.num_rows, dtype=np.int64), 1
    for column in texts.values():
        coded = column.dictionary_encode()
        top *= max(1, len(coded.dictionary))
        code = code * len(coded.dictionary) + coded.indices.to_numpy(zero_copy_only=False)
        if top > 1 << 30:  # the product of the next one might not fit
            some, code = np.unique(code, return_inverse=True)
            top = len(some)
    _, rows, which = np.unique(code, return_index=True, return_inverse=True)
    keys: list[Key] = []
    places = np.full(len(rows), -1, dtype=np.int64)
    why = ""
    for at, row in enumerate(rows.tolist()):
        try:
            names = [texts[name][row].as_py() if name in texts else "" for name in _NAMES]
            keys.append(columns.key(*names))
        except NoSample as error:
            why = why or str(error)
            continue
        places[at] = len(keys) - 1
    return places[which], keys, why


def _texts(column: Any) -> Any:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return pc.fill_null(column.cast(pa.string()), "")


def _times(column: Any) -> Array:
    if pa.types.is_timestamp(column.type):
        per = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[column.type.unit]
        missing = column.is_null().to_numpy(zero_copy_only=False)
        whole = pc.fill_null(column.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
        found: Array = np.where(missing, np.nan, whole / per)
        return found
    return _floats(column)


def _floats(column: Any) -> Array:
    found: Array = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return found
