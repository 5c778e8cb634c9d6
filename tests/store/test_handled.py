"""What people do with alerts, beside a detector that knows nothing of it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.sinks import alert

from martello.core.errors import BadInput
from martello.store import handled
from martello.store.outbox import Outbox
from martello.store.state import State, open_state


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with open_state(f"sqlite:///{tmp_path / 'state.db'}") as opened:
        yield opened


@pytest.fixture
def outbox(state: State) -> Outbox:
    return Outbox(state, random.Random(1))


def _now(outbox: Outbox) -> tuple[str, int, int]:
    one = outbox.get(alert().id)
    assert one is not None
    return one.state, one.revision, one.repeats


def test_an_alert_is_found_by_the_beginning_of_its_id(state: State, outbox: Outbox) -> None:
    outbox.put([alert("a"), alert("b")], [])
    assert handled.find(state, alert("a").id[:8].upper()).entity["k8s_ns"] == "a"
    for word, why in (("abc", "4 or more"), ("%%%%", "4 or more"), ("0000000", "no alert")):
        with pytest.raises(BadInput) as caught:
            handled.find(state, word)
        assert why in str(caught.value)
    twins = [alert(id="abcd" + "0" * 28), alert(id="abcd" + "1" * 28)]
    outbox.put(twins, [])
    with pytest.raises(BadInput, match="more than one"):
        handled.find(state, "abcd")


def test_every_sink_that_was_told_hears_of_it(state: State, outbox: Outbox) -> None:
    outbox.put([alert()], ["a", "b"])
    (one,) = handled.mark(state, [alert().id, alert().id[:6]], "acknowledged")
    assert (one.state, one.revision) == ("acknowledged", 2)
    assert handled.mark(state, [alert().id], "acknowledged")[0].revision == 2
    for sink in "ab":
        told = [(d.alert.revision, d.alert.state) for d in outbox.claim(sink, 9, 60, "me")]
        assert told == [(1, "open"), (2, "acknowledged")]
    assert [(d.sink, d.revision) for d in handled.deliveries(state, one.id)] == [
        ("a", 1),
        ("a", 2),
        ("b", 1),
        ("b", 2),
    ]


def test_all_are_marked_or_none(state: State, outbox: Outbox) -> None:
    outbox.put([alert()], [])
    with pytest.raises(BadInput):
        handled.mark(state, [alert().id, "00000000"], "closed")
    assert _now(outbox)[0] == "open"


def test_one_that_grows_stays_acknowledged_unless_it_is_graver(
    state: State, outbox: Outbox
) -> None:
    outbox.put([alert()], [])
    handled.mark(state, [alert().id], "acknowledged")
    outbox.put([alert(revision=2)], ["a"])  # the detector counts for itself
    assert _now(outbox) == ("acknowledged", 3, 2)
    assert outbox.put([alert(revision=2)], ["a"]) == 0  # it was restarted
    outbox.put([alert(revision=3, severity="critical")], ["a"])
    assert _now(outbox) == ("open", 4, 3)
    assert [d.alert.state for d in outbox.claim("a", 9, 60, "me")] == ["acknowledged", "open"]


def test_one_that_was_closed_is_open_again_when_it_happens_again(
    state: State, outbox: Outbox
) -> None:
    outbox.put([alert(revision=5)], [])
    handled.mark(state, [alert().id], "closed")
    for old in range(1, 6):  # what is read again after a restart says nothing new
        assert outbox.put([alert(revision=old)], []) == 0
    assert _now(outbox) == ("closed", 6, 5)
    outbox.put([alert(revision=6)], [])
    assert _now(outbox) == ("open", 7, 6)
    outbox.put([alert(revision=7)], [])
    assert _now(outbox) == ("open", 8, 7)


def test_a_detector_that_knew_the_old_state_takes_nothing_back(
    state: State, outbox: Outbox
) -> None:
    outbox.put([alert()], [])
    handled.mark(state, [alert().id], "acknowledged")
    handled.mark(state, [alert().id], "closed")
    stale = alert(revision=9, repeats=1, state="acknowledged")
    assert outbox.put([stale], []) == 0
    assert _now(outbox)[0] == "closed"


def test_what_was_held_back_is_told_as_it_is_now(outbox: Outbox) -> None:
    outbox.put([alert()], ["a"])
    outbox.put([alert(revision=2)], [])
    outbox.again(alert().id, ["a", "a"])
    outbox.again(alert().id, ["a"])
    outbox.again("f" * 32, ["a"])
    assert [d.alert.revision for d in outbox.claim("a", 9, 60, "me")] == [1, 2]
