"""K2: what is old goes by tiers: what was received, then the columns, then alerts; holds stay.

Retiring is a decision in the catalogue, which the next checkpoint signs; files go after that, a day
later, when nobody reads them any more (A5: files that were never committed, too).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, and_, delete, exists, not_, or_, select, update

from martello.store.files import Files
from martello.store.lake import EVENTS, RAW
from martello.store.monitor_tables import alert, delivery, hold, segment
from martello.store.state import State, now
from martello.store.upsert import replaced

_DAY: Final = 86_400_000_000  # microseconds
GRACE: Final = 86_400.0  # seconds
ALWAYS: Final = 253_402_300_799_999_999  # the end of a hold without one


class Tiers(msgspec.Struct, frozen=True):
    """How many days each tier is kept."""

    raw: int = 14
    columns: int = 90
    alerts: int = 365

    @property
    def longest(self) -> int:
        """Gaps are kept as long as anything that they qualify."""
        return max(self.raw, self.columns, self.alerts)


class Retired(msgspec.Struct, frozen=True):
    """What was retired: segments' columns, segments' raw, alerts."""

    columns: int
    raw: int
    alerts: int


class Swept(msgspec.Struct, frozen=True):
    """Files that were deleted: retired or superseded ones, and ones that nobody ever committed."""

    files: int
    orphans: int


class Hold(msgspec.Struct, frozen=True):
    """A legal hold: nothing of a cluster (empty: any) and time is retired. Microseconds."""

    run: str
    cluster: str
    first_at: int
    last_at: int
    reason: str


def retire(
    state: State, tiers: Tiers, of: Mapping[str, Tiers] | None = None, dry: bool = False
) -> Retired:
    """Retires what is older than its tier; `of` has other tiers for some clusters. With `dry`
    nothing is changed.
    """
    others = dict(of or {})
    columns = raw = 0
    with state.writing() as connection:
        at = now(connection)
        rest = segment.c.cluster.not_in(sorted(others))
        for cluster, kept in [(None, tiers), *sorted(others.items())]:
            which = rest if cluster is None else segment.c.cluster == cluster
            columns += _retire_columns(connection, at, kept, which)
            raw += _retire_raw(connection, at, kept.raw, which)
        alerts = _forget_alerts(connection, at - tiers.alerts * _DAY)
        if dry:
            connection.rollback()
    return Retired(columns, raw, alerts)


def keep(state: State, held: Hold) -> None:
    """Puts a hold, or changes it."""
    with state.writing() as connection:
        row = {**msgspec.to_builtins(held), "made_at": now(connection)}
        connection.execute(replaced(connection, hold, row))


def let_go(state: State, run: str) -> bool:
    """Ends a hold, and tells whether there was one."""
    with state.writing() as connection:
        return bool(connection.execute(delete(hold).where(hold.c.run == run)).rowcount)


def holds(state: State) -> tuple[Hold, ...]:
    """The holds."""
    with state.reading() as connection:
        rows = connection.execute(select(hold).order_by(hold.c.run)).all()
    return tuple(Hold(r.run, r.cluster, r.first_at, r.last_at, r.reason) for r in rows)


def sweep(state: State, files: Files, sealed: bool = True, grace: float = GRACE) -> Swept:
    """Deletes files that ended more than `grace` seconds ago; where the lake is `sealed`, only
    those whose end a checkpoint has signed. Then orphans of the same age.
    """
    gone = 0
    with state.reading() as connection:
        limit = now(connection) - int(grace * 1_000_000)
    for tier in ("columns", "raw"):
        for id, path in _ended(state, tier, limit, sealed):
            gone += files.delete(path)
            with state.writing() as connection:
                size = {f"{tier}_size": -1}
                connection.execute(update(segment).where(segment.c.id == id).values(**size))
    return Swept(gone, sum(files.delete(path) for path in orphans(state, files, grace)))


def orphans(state: State, files: Files, grace: float = GRACE) -> tuple[str, ...]:
    """Files of the lake that the catalogue does not know, older than so many seconds."""
    query = select(segment.c.columns_file, segment.c.raw_file)
    found = [one for tier in (EVENTS, RAW) for one in files.under(tier)]
    with state.reading() as connection:  # after the files: what is committed meanwhile is known
        known = {path for row in connection.execute(query) for path in row}
    old = time.time() - grace
    return tuple(path for path, _, written in found if path not in known and written <= old)


def _retire_columns(connection: Connection, at: int, tiers: Tiers, which: Any) -> int:
    other = segment.c.kind.not_in(("gap", "alert"))
    old = or_(
        and_(other, segment.c.last_at < at - tiers.columns * _DAY),
        and_(segment.c.kind == "alert", segment.c.last_at < at - tiers.alerts * _DAY),
        and_(segment.c.kind == "gap", segment.c.last_at < at - tiers.longest * _DAY),
    )
    live = (segment.c.columns_ended_at == 0, which, old, not_(_held()))
    ids = list(connection.execute(select(segment.c.id).where(*live)).scalars())
    for start in range(0, len(ids), 500):
        some = segment.c.id.in_(ids[start : start + 500])
        ended = {"columns_ended_at": at, "ended_why": "retired"}
        connection.execute(update(segment).where(some).values(**ended))
        raw = (some, segment.c.raw_file != "", segment.c.raw_ended_at == 0)
        connection.execute(update(segment).where(*raw).values(raw_ended_at=at))
    return len(ids)


def _retire_raw(connection: Connection, at: int, days: int, which: Any) -> int:
    old = segment.c.last_at < at - days * _DAY
    live = (segment.c.raw_file != "", segment.c.raw_ended_at == 0, which, old, not_(_held()))
    # not the moment at which columns end: that is how a checkpoint tells the two apart
    change = update(segment).where(*live).values(raw_ended_at=at - 1)
    return connection.execute(change).rowcount


def _held() -> Any:
    return exists().where(
        or_(hold.c.cluster == "", hold.c.cluster == segment.c.cluster),
        hold.c.first_at <= segment.c.last_at,
        hold.c.last_at >= segment.c.first_at,
    )


def _forget_alerts(connection: Connection, before: int) -> int:
    held = exists().where(
        or_(hold.c.cluster == "", hold.c.cluster == alert.c.cluster),
        hold.c.first_at <= alert.c.last_at,
        hold.c.last_at >= alert.c.first_at,
    )
    waiting = exists().where(
        delivery.c.alert == alert.c.id, delivery.c.state.in_(("open", "leased"))
    )
    old = select(alert.c.id).where(alert.c.last_at < before, not_(held), not_(waiting))
    ids = list(connection.execute(old).scalars())
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        connection.execute(delete(delivery).where(delivery.c.alert.in_(some)))
        connection.execute(delete(alert).where(alert.c.id.in_(some)))
    return len(ids)


def _ended(state: State, tier: str, limit: int, sealed: bool) -> list[tuple[str, str]]:
    ended, told = segment.c[f"{tier}_ended_at"], segment.c[f"{tier}_ended_n"]
    path, size = segment.c[f"{tier}_file"], segment.c[f"{tier}_size"]
    where = [ended > 0, ended <= limit, size >= 0, path != ""]
    if sealed:
        where.append(told > 0)
    with state.reading() as connection:
        rows = connection.execute(select(segment.c.id, path).where(*where)).all()
    return [(row[0], row[1]) for row in rows]
