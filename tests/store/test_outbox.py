"""The outbox: row first, then delivery; keys, pauses, dead letters, and sinks that are down."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import update

from martello.core.alert import Alert, Evidence, alert_id
from martello.store.monitor_tables import delivery
from martello.store.outbox import Outbox
from martello.store.state import State, now, open_state


def _alert(name: str = "a", revision: int = 1) -> Alert:
    id = alert_id("MON-112", {"k8s_ns": name}, "e1")
    evidence = (Evidence("e1", 5_000, {"actor_user": "alice"}),)
    entity = {"k8s_ns": name}
    return Alert(
        id, "MON-112", "h", "high", "t", "s", entity, 5_000, 9_000, 2, revision, evidence=evidence
    )


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with open_state(f"sqlite:///{tmp_path / 'state.db'}") as opened:
        yield opened


@pytest.fixture
def outbox(state: State) -> Outbox:
    return Outbox(state, random.Random(1))


def _wait(state: State, seconds: float) -> None:
    """As if so much time had passed."""
    micros = int(seconds * 1_000_000)
    change = update(delivery).values(
        next_at=delivery.c.next_at - micros, put_at=delivery.c.put_at - micros
    )
    with state.writing() as connection:
        connection.execute(change)


def test_d1_a_row_for_each_sink_and_one_that_is_down_holds_nobody_up(outbox: Outbox) -> None:
    assert outbox.put([_alert("a"), _alert("b")], ["slack", "file", "slack"]) == 2
    taken = outbox.claim("slack", 10, 60, "me")
    assert sorted(one.alert.entity["k8s_ns"] for one in taken) == ["a", "b"]
    for one in taken:
        assert outbox.failed(one, "503")
    for one in outbox.claim("file", 10, 60, "me"):
        assert outbox.done(one)
    told = outbox.standing()
    assert (told["file"].waiting, told["file"].done, told["file"].oldest_at) == (0, 2, 0)
    assert (told["slack"].waiting, told["slack"].done) == (2, 0)
    assert outbox.claim("file", 10, 60, "me") == ()
    assert outbox.get(_alert("a").id) == _alert("a")


def test_d2_the_key_is_alert_and_revision(outbox: Outbox) -> None:
    outbox.put([_alert()], ["slack"])
    assert outbox.put([_alert()], ["slack"]) == 0  # a detector that was restarted
    outbox.put([_alert(revision=2)], ["slack"])
    assert outbox.put([_alert(revision=1)], ["slack"]) == 0
    keys = [one.key for one in outbox.claim("slack", 10, 60, "me")]
    assert keys == [f"{_alert().id}-1", f"{_alert().id}-2"]
    assert outbox.alerts() == (_alert(revision=2),)
    assert len(outbox.alerts(since=10)) == 0


def test_a_delivery_that_nobody_answered_is_sent_again_with_the_same_key(
    outbox: Outbox, state: State
) -> None:
    outbox.put([_alert()], ["slack"])
    (lost,) = outbox.claim("slack", 10, 60, "killed")
    assert outbox.claim("slack", 10, 60, "me") == ()
    _wait(state, 61)
    (again,) = outbox.claim("slack", 10, 60, "me")
    assert again.key == lost.key
    assert again.attempts == 2
    assert not outbox.done(lost)  # too late: it is another's
    assert outbox.done(again)
    assert not outbox.done(again)


def test_d1_pauses_double_with_jitter_up_to_a_quarter_of_an_hour(outbox: Outbox) -> None:
    for attempts in range(1, 40):
        longest = min(2.0**attempts, 900.0)
        pauses = [outbox.pause(attempts) for _ in range(50)]
        assert all(longest / 2 <= pause <= longest for pause in pauses)
        assert len(set(pauses)) > 40


def test_d1_a_sinks_retry_after_is_obeyed_within_reason(outbox: Outbox, state: State) -> None:
    outbox.put([_alert()], ["slack"])
    for told, early, late in ((120.0, 119, 2), (10**9, 6 * 3600 - 1, 2), (0.0, 0.5, 1)):
        (one,) = outbox.claim("slack", 1, 60, "me")
        outbox.failed(one, "429", told)
        _wait(state, early)
        assert outbox.claim("slack", 1, 60, "me") == ()
        _wait(state, late)


def test_d1_after_a_day_it_is_a_dead_letter_until_somebody_retries(
    outbox: Outbox, state: State
) -> None:
    outbox.put([_alert("a"), _alert("b")], ["slack"])
    tries = 0
    while taken := outbox.claim("slack", 10, 60, "me"):
        tries += 1
        for one in taken:
            outbox.failed(one, "connection refused")
        _wait(state, 1000)
    assert 80 < tries < 100
    assert outbox.standing()["slack"].dead == 2
    (one, _) = outbox.dead()
    assert one.error == "connection refused"
    assert outbox.dead("other") == ()
    assert outbox.retry([one.alert.id]) == 1
    (again,) = outbox.claim("slack", 10, 60, "me")
    assert again.key == one.key
    assert outbox.done(again)
    assert outbox.retry(sink="other") == 0
    assert outbox.retry() == 1


def test_what_was_never_tried_is_tried_before_it_is_dead(outbox: Outbox, state: State) -> None:
    """The daemon was down for two days: its alerts are not dead letters."""
    outbox.put([_alert()], ["slack"])
    _wait(state, 2 * 86_400)
    (one,) = outbox.claim("slack", 1, 60, "me")
    outbox.failed(one, "503")
    assert outbox.standing()["slack"].dead == 1


def test_what_waits_for_a_sink_that_nobody_serves_is_dead_after_a_day(
    outbox: Outbox, state: State
) -> None:
    outbox.put([_alert()], ["slack", "gone"])
    assert outbox.abandon(["slack"]) == 0
    _wait(state, 86_401)
    assert outbox.abandon(["slack"]) == 1
    assert [(one.sink, one.error) for one in outbox.dead()] == [
        ("gone", "nobody serves this sink any more")
    ]
    assert outbox.standing()["slack"].waiting == 1


def test_what_a_sink_will_never_take_is_dead_at_once(outbox: Outbox) -> None:
    outbox.put([_alert()], ["slack"])
    (one,) = outbox.claim("slack", 1, 60, "me")
    assert outbox.refused(one, "400: no such channel")
    assert outbox.dead()[0].error == "400: no such channel"


def test_an_alert_is_kept_with_what_its_transaction_keeps_or_not_at_all(
    outbox: Outbox, state: State
) -> None:
    class Killed(Exception):
        pass

    def die() -> None:
        with state.writing() as connection:
            assert outbox.put_in(connection, _alert(), ["slack"])
            assert now(connection)
            raise Killed

    with pytest.raises(Killed):
        die()
    assert outbox.get(_alert().id) is None
    assert outbox.standing() == {}


def test_alerts_are_listed_newest_first(outbox: Outbox) -> None:
    alerts = [msgspec.structs.replace(_alert(str(i)), last=i * 1_000_000) for i in range(5)]
    closed = msgspec.structs.replace(_alert("c"), last=9_000_000, state="closed")
    outbox.put([*alerts, closed], [])
    assert [one.last // 1_000_000 for one in outbox.alerts()] == [9, 4, 3, 2, 1, 0]
    assert [one.last // 1_000_000 for one in outbox.alerts(closed=False, most=2)] == [4, 3]
    assert len(outbox.alerts(since=3_000)) == 3


def _named(one: Alert, user: str, revision: int) -> Alert:
    """As the detector tells an alert again once it knows who opened the shell."""
    event = one.evidence[0]
    more = msgspec.structs.replace(event, columns={**event.columns, "actor_origin": user})
    return msgspec.structs.replace(one, evidence=(more,), says="by " + user, revision=revision)


@pytest.mark.parametrize("made", ["open", "acknowledged", "closed"])
def test_who_it_was_reaches_an_alert_whatever_people_made_of_it(outbox: Outbox, made: str) -> None:
    first = _alert()
    assert outbox.put([first], ["slack"]) == 1
    if made != "open":
        assert outbox.put([msgspec.structs.replace(first, state=made, revision=2)], []) == 1
    assert outbox.put([_named(first, "bob", 2)], ["slack"]) == 1
    kept = outbox.get(first.id)
    assert kept is not None
    assert kept.evidence[0].columns["actor_origin"] == "bob"
    assert (kept.says, kept.state) == ("by bob", made)
    assert kept.revision == (2 if made == "open" else 3)
    assert outbox.put([_named(first, "bob", 2)], ["slack"]) == 0  # said once
    assert outbox.put([first], ["slack"]) == 0  # judged again after a restart: nothing is lost
    assert outbox.get(first.id) == kept
