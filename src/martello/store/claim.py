"""Work that several claim: leases by the database's clock, epochs that fence, five attempts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, and_, bindparam, case, func, or_, select, update

from martello.store.state import State, now
from martello.store.tables import work
from martello.store.upsert import added

ATTEMPTS: Final = 5
_SECOND: Final = 1_000_000
_BATCH: Final = 500


class Claim(msgspec.Struct, frozen=True):
    """One item that is mine until a moment of the database's clock. `epoch` proves it."""

    job: str
    item: str
    epoch: int
    attempts: int
    until: int


class Dead(msgspec.Struct, frozen=True):
    """An item that nobody could do, and what was said last."""

    item: str
    error: str


class Progress(msgspec.Struct, frozen=True):
    """How far a job is. What is dead is unassessed, never forgotten."""

    open: int = 0
    leased: int = 0
    done: int = 0
    dead: tuple[Dead, ...] = ()


def enqueue(state: State, job: str, items: Iterable[str]) -> int:
    """Adds items to a job, and returns how many were new: an item is one piece of work for ever."""
    new = 0
    unique = list(dict.fromkeys(items))
    with state.writing() as connection:
        for start in range(0, len(unique), _BATCH):
            rows = [_row(job, item) for item in unique[start : start + _BATCH]]
            insert = added(connection, work, rows).returning(work.c.item)
            new += len(connection.execute(insert).all())
    return new


def reopen(state: State, job: str, items: Iterable[str]) -> int:
    """Makes items that are done or dead to be done anew, and returns how many were; others are as
    they were.
    """
    unique, again = list(dict.fromkeys(items)), 0
    with state.writing() as connection:
        for start in range(0, len(unique), _BATCH):
            some = work.c.item.in_(unique[start : start + _BATCH])
            ended = work.c.state.in_(("done", "dead"))
            values: dict[str, Any] = {"state": "open", "attempts": 0, "until": 0}
            change = update(work).where(work.c.job == job, some, ended).values(**values)
            again += connection.execute(change).rowcount
    return again


def claim(state: State, job: str, n: int, seconds: float, holder: str) -> tuple[Claim, ...]:
    """Up to n items for so many seconds: open ones, and those whose lease has run out. What has
    been tried five times is dead.
    """
    with state.writing() as connection:
        at = now(connection)
        _bury(connection, job, at)
        free = or_(work.c.state == "open", and_(work.c.state == "leased", work.c.until <= at))
        chosen = (
            select(work.c.item)
            .where(work.c.job == job, free)
            .order_by(work.c.state.desc(), work.c.until, work.c.item)
            .limit(n)
            .with_for_update(skip_locked=True)
        )
        taken = (
            update(work)
            .where(work.c.job == job, work.c.item.in_(chosen.scalar_subquery()))
            .values(
                state="leased",
                holder=holder,
                epoch=work.c.epoch + 1,
                until=at + int(seconds * _SECOND),
                attempts=work.c.attempts + 1,
            )
            .returning(work.c.item, work.c.epoch, work.c.attempts, work.c.until)
        )
        rows = connection.execute(taken).all()
    found = (Claim(job, row.item, row.epoch, row.attempts, row.until) for row in rows)
    return tuple(sorted(found, key=lambda one: one.item))


def heartbeat(state: State, claims: Sequence[Claim], seconds: float) -> tuple[Claim, ...]:
    """Lengthens leases, and returns the claims that are still mine: another may have taken some.
    Call it at a third of the lease.
    """
    kept: list[Claim] = []
    with state.writing() as connection:
        until = now(connection) + int(seconds * _SECOND)
        for one in claims:
            if connection.execute(_mine(one).values(until=until)).rowcount:
                kept.append(msgspec.structs.replace(one, until=until))
    return tuple(kept)


def finish(state: State, done: Sequence[tuple[Claim, str]]) -> tuple[bool, ...]:
    """Writes results, and tells for each whether it counts: one with an old epoch does not."""
    with state.writing() as connection:
        return tuple(finish_in(connection, one, result) for one, result in done)


def finish_in(connection: Connection, one: Claim, result: str = "") -> bool:
    """The same inside a transaction that also keeps what was found."""
    values = {"state": "done", "result": result, "error": "", "until": 0}
    return bool(connection.execute(_mine(one).values(**values)).rowcount)


def fail(state: State, one: Claim, error: str) -> bool:
    """Gives an item back with what went wrong; after five attempts it is dead."""
    again = case((work.c.attempts >= ATTEMPTS, "dead"), else_="open")
    values: dict[str, Any] = {"state": again, "error": error[:2000], "until": 0}
    with state.writing() as connection:
        return bool(connection.execute(_mine(one).values(**values)).rowcount)


def release(state: State, claims: Sequence[Claim]) -> None:
    """Gives items back that were not begun: that is no attempt."""
    with state.writing() as connection:
        for one in claims:
            values: dict[str, Any] = {"state": "open", "until": 0, "attempts": work.c.attempts - 1}
            connection.execute(_mine(one).values(**values))


def abandon(state: State, job: str, holder: str) -> int:
    """Ends the leases of a holder that is known to be dead, and returns how many it had: that was
    an attempt of each.
    """
    with state.writing() as connection:
        mine = (work.c.job == job) & (work.c.holder == holder) & (work.c.state == "leased")
        return connection.execute(update(work).where(mine).values(until=0)).rowcount


def exists(state: State, job: str) -> bool:
    """Whether anything was ever to be done under this name."""
    with state.reading() as connection:
        query = select(work.c.item).where(work.c.job == job).limit(1)
        return connection.execute(query).first() is not None


def progress(state: State, job: str) -> Progress:
    """How far a job is. An item whose last lease ran out unnoticed is buried first."""
    with state.writing() as connection:
        _bury(connection, job, now(connection))
        grouped = select(work.c.state, func.count()).where(work.c.job == job).group_by(work.c.state)
        counts = {row[0]: row[1] for row in connection.execute(grouped)}
        dead = select(work.c.item, work.c.error).where(work.c.job == job, work.c.state == "dead")
        rows = connection.execute(dead.order_by(work.c.item)).all()
    found = tuple(Dead(row.item, row.error) for row in rows)
    return Progress(counts.get("open", 0), counts.get("leased", 0), counts.get("done", 0), found)


def results(state: State, job: str) -> dict[str, str]:
    """The results of a job, by item."""
    query = select(work.c.item, work.c.result).where(work.c.job == job, work.c.state == "done")
    with state.reading() as connection:
        return {row.item: row.result for row in connection.execute(query)}


def _row(job: str, item: str) -> dict[str, Any]:
    return {
        "job": job,
        "item": item,
        "state": "open",
        "holder": "",
        "epoch": 0,
        "until": 0,
        "attempts": 0,
        "error": "",
        "result": "",
    }


def _mine(one: Claim) -> Any:
    return update(work).where(
        work.c.job == one.job,
        work.c.item == one.item,
        work.c.epoch == one.epoch,
        work.c.state == "leased",
    )


def _bury(connection: Connection, job: str, at: int) -> None:
    ended = "the lease ran out five times: whoever took it, died or was too slow"
    told = case((work.c.error == "", bindparam("ended", ended)), else_=work.c.error)
    connection.execute(
        update(work)
        .where(
            work.c.job == job,
            work.c.state == "leased",
            work.c.until <= at,
            work.c.attempts >= ATTEMPTS,
        )
        .values(state="dead", error=told)
    )
