"""The columns of a file of samples, CSV or Parquet: one row, one sample.

    time       seconds since 1970 (fractions allowed), or RFC 3339; in Parquet also a timestamp
    namespace  of the pod
    pod        its name
    container  its name
    metric     one of core.usage.METRICS: cpu (seconds, a counter), cores, memory (bytes), …
    value      a number: not negative, in the unit of its metric
    workload   optional: whose pod it is, as deploy/web
    series     optional: tells apart what counts from 0 again in the same container

The order of columns and rows is free; further columns are ignored. In CSV the first row names them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from martello.adapters.usage.spill import Key
from martello.core.errors import BadInput
from martello.core.usage import METRICS, Metric

NEEDED: Final = ("time", "namespace", "pod", "container", "metric", "value")
FURTHER: Final = ("workload", "series")
ALL: Final = (*NEEDED, *FURTHER)
_KNOWN: Final[Mapping[str, Metric]] = {metric: metric for metric in METRICS}
LATEST: Final = 1e11  # seconds since 1970
_LONGEST: Final = 512  # characters of a name


class NoSample(ValueError):
    """A row is none; the message says why."""


def require(names: Iterable[str], file: str) -> None:
    """Raises BadInput where a needed column is missing."""
    missing = [name for name in NEEDED if name not in set(names)]
    if missing:
        raise BadInput(
            f"{file} holds no samples",
            f"the column {missing[0]} is missing" + (" (and others)" if missing[1:] else ""),
            f"name the columns {', '.join(NEEDED)}",
        )


def key(
    namespace: str, pod: str, container: str, metric: str, workload: str = "", series: str = ""
) -> Key:
    """Which series a row is of. Raises NoSample."""
    known = _KNOWN.get(metric)
    if known is None:
        raise NoSample(f"{metric[:40]!r} is no metric")
    if not namespace or not pod or not container:
        raise NoSample("it names no container")
    if max(map(len, (namespace, pod, container, workload, series))) > _LONGEST:
        raise NoSample(f"a name is longer than {_LONGEST} characters")
    if not f"{namespace}{pod}{container}{workload}{series}".isprintable():
        raise NoSample("a name has signs that cannot be printed")
    return Key(namespace, pod, container, known, series, workload)


def moment(text: str) -> float:
    """Seconds since 1970 of a time as it is written. Raises NoSample."""
    try:
        found = float(text)
    except ValueError:
        try:
            at = datetime.fromisoformat(text.strip())
        except ValueError:
            raise NoSample(f"{text[:40]!r} is no time") from None
        found = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    if not 0 <= found < LATEST:
        raise NoSample(f"{text[:40]!r} is no time")
    return found


def number(text: str) -> float:
    """A value as it is written. Raises NoSample."""
    try:
        found = float(text)
    except ValueError:
        raise NoSample(f"{text[:40]!r} is no number") from None
    if not math.isfinite(found) or found < 0:
        raise NoSample(f"{text[:40]!r} is no use of anything")
    return found
