"""What is told of events and rules: plain data, the same for the screen and for JSON."""

from __future__ import annotations

import msgspec

from martello.core.alert import Alert
from martello.core.event import Gap


class Unable(msgspec.Struct, frozen=True):
    """Rules that could not run for one reason. Those of events that were not given are not `asked`:
    they are told, and leave nothing incomplete.
    """

    why: str
    rules: tuple[str, ...]
    asked: bool = True


class Near(msgspec.Struct, frozen=True):
    """An event and what each part of a rule was of it, in the words of the tree. `says` is what the
    rule says of it where that is not what its alert says.
    """

    event: str
    time: int
    fired: bool
    parts: tuple[tuple[str, bool | None, str], ...]  # the comparison, its truth, the value
    says: str = ""


class Explained(msgspec.Struct, frozen=True):
    """A rule and the events that came nearest to it."""

    rule: str
    title: str
    state: str
    why: str
    hits: int
    near: tuple[Near, ...] = ()


class Lost(msgspec.Struct, frozen=True):
    """What sources say that they lost: how often, how long in all (ns), and how many events (0:
    not known).
    """

    gaps: int = 0
    span: int = 0
    events: int = 0


class Replayed(msgspec.Struct, frozen=True):
    """What rules say of a log. Times are ns UTC; `events` by kind."""

    events: dict[str, int]
    first: int
    last: int
    cluster: str
    sources: tuple[str, ...]
    rules: int
    alerts: tuple[Alert, ...] = ()
    gaps: tuple[Gap, ...] = ()
    gap_count: int = 0
    unable: tuple[Unable, ...] = ()
    explained: tuple[Explained, ...] = ()
    problems: tuple[str, ...] = ()
    exit: int = 0
    because: str = ""
    lost: Lost = Lost()
    silenced: int = 0  # hits that exceptions took away
