"""Where measured use comes from, by the flags: a Prometheus, files of samples, or the demo."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from martello.cli.prometheus import spoken
from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.usage import Chunk, Counts, Gap, Source

_UNITS: Final = {"m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_LONGEST: Final = 366 * 86_400.0
# what is used of all that could be asked for
METRICS: Final = (
    "cpu",
    "memory",
    "periods",
    "throttled",
    "kills",
    "restarts",
    "killed",
    "memory limit",
)


class Measured(NamedTuple):
    """A source, what it is called, and the time that is asked for."""

    source: Source
    name: str
    since: float
    until: float


def measured(
    flags: dict[str, Any],
    world: Cluster | None,
    pods: Sequence[str],
    progress: Callable[[Counts], None],
) -> Measured:
    """The source that the flags name. Raises BadInput where they name none or two."""
    length = seconds(flags["since"], "--since")
    files = tuple(flags["samples"])
    if not files and not flags["prometheus"] and "demo" in flags["files"]:
        files = ("demo",)
    if bool(files) == bool(flags["prometheus"]):
        raise BadInput(
            "measurements have two sources" if files else "nothing says what was used",
            "--prometheus and --samples exclude each other" if files else "",
            "--prometheus URL, --samples FILE (martello resources record makes one), or -f demo",
        )
    until = moment(flags["until"]) if flags["until"] else 0.0
    if files == ("demo",):
        from martello.demo.usage import END, DemoUsage

        until = until or END
        return Measured(DemoUsage(pods), "the demo's month", until - length, until)
    from martello.adapters.usage.owners import Owners

    owners = Owners(world) if world is not None else None
    if files:
        from martello.adapters.usage.files import Files

        if "demo" in files:
            raise BadInput("demo is no file", "", "--samples demo alone, or files")
        until = until or _last(Files(files))
        return Measured(Files(files, owners=owners), ", ".join(files), until - length, until)
    from martello.adapters.prometheus.source import Prometheus

    settings = spoken(flags)
    until = until or time.time()
    source = Prometheus(
        settings,
        metrics=METRICS,
        namespaces=tuple(flags["namespaces"]),
        pods=tuple(pods),
        owners=owners,
        progress=progress,
    )
    return Measured(source, settings.url, until - length, until)


def _last(source: Source) -> float:
    """The end of what files hold. Raises BadInput where they hold nothing."""
    last, why = 0.0, ""
    for one in source.chunks(0.0, 1e11):
        if isinstance(one, Gap):
            why = why or f"{one.what}: {one.why}"
        elif len(one.times):
            last = max(last, float(one.times[-1]))
    if not last:
        raise BadInput("the files hold no samples", why, "see docs/practices/resources-samples.md")
    return last + 1.0


def counted(source: Source, chunks: Iterator[Chunk | Gap], tell: Callable[[Counts], None]) -> Any:
    """The chunks, while progress is told."""
    for number, chunk in enumerate(chunks):
        if not number % 50:
            tell(source.counts)
        yield chunk


def seconds(text: str, flag: str) -> float:
    """The length of `30d`, `12h`, `2w`, `90m`. Raises BadInput."""
    found = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    length = int(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 3600.0 <= length <= _LONGEST:
        raise BadInput(
            f"{flag} {text} is no length of time", "an hour to a year", "such as 30d, 12h or 2w"
        )
    return length


def moment(text: str) -> float:
    """A time as RFC 3339 or seconds since 1970. Raises BadInput."""
    try:
        found = float(text)
    except ValueError:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            found = -1.0
        else:
            found = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    if not 86_400.0 <= found < 1e11:
        raise BadInput(f"--until {text} is no time", "", "such as 2026-11-01T00:00:00Z")
    return found
