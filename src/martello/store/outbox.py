"""Alerts and their deliveries: the row first, then the sink, until it said yes or a day has passed.

D1 each sink has rows of its own, so one that is down holds nobody up. D2 the idempotency key of a
delivery is alert id and revision: what is sent twice carries the same. A delivery that is claimed
and never answered is sent again when its lease has run out.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, and_, func, or_, select, update

from martello.core.alert import ACKNOWLEDGED, CLOSED, OPEN, SEVERITIES, Alert
from martello.store.monitor_tables import alert, delivery
from martello.store.state import State, now
from martello.store.upsert import added, replaced

DEAD_AFTER: Final = 86_400.0  # seconds from its first row to the dead letter
_SECOND: Final = 1_000_000
_BASE: Final = 1.0  # seconds: the first pause
_LONGEST: Final = 900.0
_STATES: Final = (OPEN, ACKNOWLEDGED, CLOSED)
_MOST_TOLD: Final = 6 * 3_600.0  # a Retry-After beyond this is not believed


class Delivery(msgspec.Struct, frozen=True):
    """One alert for one sink, as it was at its revision. `epoch` proves the claim."""

    sink: str
    alert: Alert
    attempts: int
    epoch: int
    put_at: int
    error: str = ""

    @property
    def key(self) -> str:
        """The idempotency key."""
        return self.alert.key


class Standing(msgspec.Struct, frozen=True):
    """How a sink stands. `oldest_at` is when the oldest that waits was put; 0: none waits."""

    waiting: int
    done: int
    dead: int
    oldest_at: int


class Outbox:
    """The outbox of a store. `chance` makes the jitter of pauses."""

    def __init__(self, state: State, chance: random.Random | None = None) -> None:
        self._state = state
        self._chance = chance or random.SystemRandom()

    def put(self, alerts: Iterable[Alert], sinks: Sequence[str]) -> int:
        """Keeps alerts and what is to be delivered, durably; returns how many were new or changed.
        One that is known as it is changes nothing.
        """
        with self._state.writing() as connection:
            return sum(self.put_in(connection, one, sinks) for one in alerts)

    def put_in(self, connection: Connection, one: Alert, sinks: Sequence[str]) -> bool:
        """The same for one alert inside a transaction that keeps more: a committed segment."""
        query = select(alert.c.content).where(alert.c.id == one.id).with_for_update()
        content = connection.execute(query).scalar()
        if content is not None:
            told = merged(_parsed(content), one)
            if told is None:
                return False
            one = told
        at = now(connection)
        connection.execute(replaced(connection, alert, _alert_row(one, at)))
        rows = [_delivery_row(one, sink, at) for sink in dict.fromkeys(sinks)]
        if rows:
            connection.execute(added(connection, delivery, rows))
        return True

    def again(self, id: str, sinks: Sequence[str]) -> None:
        """Lets sinks know of an alert as it is now; one that was told of it already is not told."""
        with self._state.writing() as connection:
            query = select(alert.c.content).where(alert.c.id == id).with_for_update()
            content = connection.execute(query).scalar()
            if content is not None and sinks:
                one, at = _parsed(content), now(connection)
                rows = [_delivery_row(one, sink, at) for sink in dict.fromkeys(sinks)]
                connection.execute(added(connection, delivery, rows))

    def claim(self, sink: str, n: int, seconds: float, holder: str) -> tuple[Delivery, ...]:
        """Up to n deliveries of a sink whose time has come, for so long: those first that wait
        longest for it, so that one that always fails keeps no other waiting.
        """
        with self._state.writing() as connection:
            at = now(connection)
            _bury(connection, sink, at)
            due = and_(delivery.c.state.in_(("open", "leased")), delivery.c.next_at <= at)
            chosen = (
                select(delivery.c.alert, delivery.c.revision)
                .where(delivery.c.sink == sink, due)
                .order_by(
                    delivery.c.next_at, delivery.c.put_at, delivery.c.alert, delivery.c.revision
                )
                .limit(n)
                .with_for_update(skip_locked=True)
            )
            found: list[Delivery] = []
            for key in connection.execute(chosen).all():
                change = (
                    update(delivery)
                    .where(_is(sink, key.alert, key.revision))
                    .values(
                        state="leased",
                        holder=holder,
                        epoch=delivery.c.epoch + 1,
                        attempts=delivery.c.attempts + 1,
                        next_at=at + int(seconds * _SECOND),
                    )
                    .returning(delivery)
                )
                found.append(_delivery(connection.execute(change).one()))
        return tuple(found)

    def done(self, one: Delivery) -> bool:
        """The sink has said yes. False where the lease had run out, and another has taken it."""
        with self._state.writing() as connection:
            values = {"state": "done", "error": "", "done_at": now(connection)}
            change = update(delivery).where(_mine(one)).values(**values)
            return bool(connection.execute(change).rowcount)

    def failed(self, one: Delivery, error: str, retry_after: float | None = None) -> bool:
        """The sink said no, or nothing: again after a pause that doubles, or after what the sink
        asked for (seconds). A day after it was put it is dead.
        """
        wait = self.pause(one.attempts)
        if retry_after is not None and retry_after >= 0:
            wait = max(min(retry_after, _MOST_TOLD), _BASE)
        with self._state.writing() as connection:
            at = now(connection)
            values = {"state": "open", "error": error[:2000], "next_at": at + int(wait * _SECOND)}
            change = update(delivery).where(_mine(one)).values(**values)
            kept = bool(connection.execute(change).rowcount)
            _bury(connection, one.sink, at)
        return kept

    def refused(self, one: Delivery, error: str) -> bool:
        """The sink will never take it: a dead letter at once."""
        with self._state.writing() as connection:
            values = {"state": "dead", "error": error[:2000]}
            change = update(delivery).where(_mine(one)).values(**values)
            return bool(connection.execute(change).rowcount)

    def abandon(self, served: Iterable[str]) -> int:
        """Makes dead letters of what has waited for a day for sinks that nobody serves any more;
        how many.
        """
        with self._state.writing() as connection:
            at = now(connection)
            change = update(delivery).where(
                delivery.c.sink.not_in(list(served)),
                delivery.c.state.in_(("open", "leased")),
                delivery.c.next_at <= at,
                delivery.c.put_at <= at - int(DEAD_AFTER * _SECOND),
            )
            told = {"state": "dead", "error": "nobody serves this sink any more"}
            return connection.execute(change.values(**told)).rowcount

    def pause(self, attempts: int) -> float:
        """Seconds before the next attempt: twice as long each time, between half and all of it."""
        longest = min(_BASE * 2.0 ** min(attempts, 20), _LONGEST)
        return longest * (0.5 + self._chance.random() / 2)

    def overtaken(self, one: Delivery) -> bool:
        """Whether the sink has taken what the alert became later: sending this would undo it."""
        query = select(delivery.c.alert).where(
            delivery.c.sink == one.sink,
            delivery.c.alert == one.alert.id,
            delivery.c.revision > one.alert.revision,
            delivery.c.state == "done",
        )
        with self._state.reading() as connection:
            return connection.execute(query.limit(1)).first() is not None

    def taken(self, sink: str, since: int, most: int = 5_000) -> tuple[Alert, ...]:
        """The alerts that a sink has taken, that are not closed, and whose last event was at or
        after a moment (microseconds): as they are now, the newest first.
        """
        got = select(delivery.c.alert).where(delivery.c.sink == sink, delivery.c.state == "done")
        query = select(alert.c.content).where(
            alert.c.id.in_(got), alert.c.state != CLOSED, alert.c.last_at >= since
        )
        query = query.order_by(alert.c.last_at.desc(), alert.c.id).limit(most)
        with self._state.reading() as connection:
            return tuple(map(_parsed, connection.execute(query).scalars()))

    def dead(self, sink: str = "") -> tuple[Delivery, ...]:
        """The dead letters, of one sink or of all."""
        query = select(delivery).where(delivery.c.state == "dead")
        if sink:
            query = query.where(delivery.c.sink == sink)
        with self._state.reading() as connection:
            rows = connection.execute(query.order_by(delivery.c.put_at, delivery.c.alert)).all()
        return tuple(_delivery(row) for row in rows)

    def retry(self, alerts: Sequence[str] = (), sink: str = "") -> int:
        """Makes dead letters open again, for a day; all of them, or of these alerts, this sink."""
        which = [delivery.c.state == "dead"]
        if alerts:
            which.append(delivery.c.alert.in_(list(alerts)))
        if sink:
            which.append(delivery.c.sink == sink)
        with self._state.writing() as connection:
            at = now(connection)
            values: dict[str, Any] = {"state": "open", "next_at": 0, "put_at": at, "attempts": 0}
            return connection.execute(update(delivery).where(*which).values(**values)).rowcount

    def standing(self) -> dict[str, Standing]:
        """How each sink stands: every one that ever had something to deliver."""
        waits = delivery.c.state.in_(("open", "leased"))
        query = select(
            delivery.c.sink,
            func.count().filter(waits).label("waiting"),
            func.count().filter(delivery.c.state == "done").label("done"),
            func.count().filter(delivery.c.state == "dead").label("dead"),
            func.coalesce(func.min(delivery.c.put_at).filter(waits), 0).label("oldest_at"),
        ).group_by(delivery.c.sink)
        with self._state.reading() as connection:
            rows = connection.execute(query.order_by(delivery.c.sink)).all()
        return {r.sink: Standing(r.waiting, r.done, r.dead, r.oldest_at) for r in rows}

    def get(self, id: str) -> Alert | None:
        """An alert as it is now."""
        with self._state.reading() as connection:
            query = select(alert.c.content).where(alert.c.id == id)
            content = connection.execute(query).scalar()
        return None if content is None else _parsed(content)

    def alerts(self, since: int = 0, closed: bool = True, most: int = 10_000) -> tuple[Alert, ...]:
        """Alerts whose last event was at or after a moment (microseconds), the newest first."""
        query = select(alert.c.content).where(alert.c.last_at >= since)
        if not closed:
            query = query.where(alert.c.state != CLOSED)
        query = query.order_by(alert.c.last_at.desc(), alert.c.id).limit(most)
        with self._state.reading() as connection:
            return tuple(map(_parsed, connection.execute(query).scalars()))


def merged(known: Alert, one: Alert) -> Alert | None:
    """What an alert becomes by what is said of it: by a detector, which may not know what people
    did, or by a person; None: nothing new. One that grew stays acknowledged unless it is graver,
    and one that was closed is open again. One of which more became known stays what people made it.
    """
    if _amended(known, one):
        revision = max(one.revision, known.revision + 1)
        return msgspec.structs.replace(one, revision=revision, state=known.state)
    if one.repeats <= known.repeats:
        back = _STATES.index(one.state) < _STATES.index(known.state)
        return None if back or one.revision <= known.revision else one
    graver = SEVERITIES.index(one.severity) > SEVERITIES.index(known.severity)
    kept = known.state == ACKNOWLEDGED and not graver
    revision = max(one.revision, known.revision + 1)
    return msgspec.structs.replace(one, revision=revision, state=known.state if kept else OPEN)


def _amended(known: Alert, one: Alert) -> bool:
    """Whether an alert tells more of the very events that it stood on before, and nothing less."""
    pairs = list(zip(known.evidence, one.evidence, strict=False))
    same = (known.repeats, len(known.evidence)) == (one.repeats, len(one.evidence))
    return (
        same
        and all(a.event == b.event and a.columns.items() <= b.columns.items() for a, b in pairs)
        and any(len(a.columns) < len(b.columns) for a, b in pairs)
    )


def _alert_row(one: Alert, at: int) -> dict[str, Any]:
    return {
        "id": one.id,
        "revision": one.revision,
        "rule": one.rule,
        "severity": one.severity,
        "cluster": one.cluster,
        "state": one.state,
        "first_at": one.first // 1000,
        "last_at": one.last // 1000,
        "changed_at": at,
        "content": msgspec.json.encode(one),
    }


def _delivery_row(one: Alert, sink: str, at: int) -> dict[str, Any]:
    return {
        "sink": sink,
        "alert": one.id,
        "revision": one.revision,
        "state": "open",
        "content": msgspec.json.encode(one),
        "holder": "",
        "epoch": 0,
        "next_at": 0,
        "put_at": at,
        "done_at": 0,
        "attempts": 0,
        "error": "",
    }


def _parsed(content: bytes) -> Alert:
    return msgspec.json.decode(content, type=Alert)


def _delivery(row: Any) -> Delivery:
    told = _parsed(row.content)
    return Delivery(row.sink, told, row.attempts, row.epoch, row.put_at, row.error)


def _is(sink: str, id: str, revision: int) -> Any:
    return and_(delivery.c.sink == sink, delivery.c.alert == id, delivery.c.revision == revision)


def _mine(one: Delivery) -> Any:
    held = and_(delivery.c.epoch == one.epoch, delivery.c.state == "leased")
    return and_(_is(one.sink, one.alert.id, one.alert.revision), held)


def _bury(connection: Connection, sink: str, at: int) -> None:
    """Dead letters: what the sink has not taken within a day. One that was never tried is tried."""
    old = delivery.c.put_at <= at - int(DEAD_AFTER * _SECOND)
    idle = and_(
        delivery.c.state.in_(("open", "leased")),
        or_(delivery.c.state == "open", delivery.c.next_at <= at),
    )
    change = update(delivery).where(delivery.c.sink == sink, idle, old, delivery.c.attempts > 0)
    connection.execute(change.values(state="dead"))
