"""Leases: the database's clock, fencing, heartbeats, five attempts, and a worker that is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event, select, text, update

from martello.store import claim as claims
from martello.store.state import State, open_state
from martello.store.tables import work

JOB = "scan:db-1"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with open_state(f"sqlite:///{tmp_path / 'state.db'}") as opened:
        yield opened


def _expire(state: State) -> None:
    """As if the leases' time had passed."""
    with state.writing() as connection:
        connection.execute(update(work).values(until=1))


def test_an_item_is_one_piece_of_work(state: State) -> None:
    assert claims.enqueue(state, JOB, ["a", "b", "a"]) == 2
    assert claims.enqueue(state, JOB, ["b", "c"]) == 1
    assert claims.enqueue(state, "other", ["a"]) == 1
    taken = claims.claim(state, JOB, 2, 60, "me")
    assert [(one.item, one.epoch, one.attempts) for one in taken] == [("a", 1, 1), ("b", 1, 1)]
    assert [one.item for one in claims.claim(state, JOB, 9, 60, "you")] == ["c"]
    assert claims.claim(state, JOB, 9, 60, "you") == ()
    assert claims.finish(state, [(one, f"result of {one.item}") for one in taken]) == (True, True)
    assert claims.results(state, JOB) == {"a": "result of a", "b": "result of b"}
    assert claims.progress(state, JOB) == claims.Progress(leased=1, done=2)
    assert claims.enqueue(state, JOB, ["a"]) == 0


def test_w1_results_with_an_old_epoch_are_refused(state: State) -> None:
    claims.enqueue(state, JOB, ["a"])
    (mine,) = claims.claim(state, JOB, 1, 60, "me")
    _expire(state)
    (theirs,) = claims.claim(state, JOB, 1, 60, "you")
    assert theirs.epoch == mine.epoch + 1
    assert claims.heartbeat(state, [mine], 60) == ()
    assert claims.finish(state, [(mine, "late")]) == (False,)
    assert not claims.fail(state, mine, "late")
    assert claims.finish(state, [(theirs, "right")]) == (True,)
    assert claims.finish(state, [(theirs, "again")]) == (False,)
    assert claims.results(state, JOB) == {"a": "right"}


def test_w2_a_heartbeat_lengthens_the_lease(state: State) -> None:
    claims.enqueue(state, JOB, ["a"])
    taken = claims.claim(state, JOB, 1, 1, "me")
    kept = claims.heartbeat(state, taken, 600)
    assert kept[0].until > taken[0].until + 500_000_000
    assert claims.claim(state, JOB, 1, 60, "you") == ()


def test_w3_after_five_attempts_an_item_is_dead_with_its_last_error(state: State) -> None:
    claims.enqueue(state, JOB, ["a", "b"])
    for attempt in range(1, 6):
        one, two = claims.claim(state, JOB, 2, 60, "me")
        assert one.attempts == two.attempts == attempt
        assert claims.fail(state, one, f"truncated {attempt}")
        _expire(state)  # nobody says anything of b
    assert claims.claim(state, JOB, 2, 60, "me") == ()
    dead = claims.progress(state, JOB).dead
    assert [(one.item, one.error[:11]) for one in dead] == [
        ("a", "truncated 5"),
        ("b", "the lease r"),
    ]


def test_what_was_not_begun_is_no_attempt(state: State) -> None:
    claims.enqueue(state, JOB, ["a"])
    for _ in range(7):
        claims.release(state, claims.claim(state, JOB, 1, 60, "me"))
    (one,) = claims.claim(state, JOB, 1, 60, "me")
    assert (one.attempts, one.epoch) == (1, 8)


def test_a_result_may_be_written_with_what_was_found(state: State) -> None:
    claims.enqueue(state, JOB, ["a"])
    (one,) = claims.claim(state, JOB, 1, 60, "me")
    with state.writing() as connection:
        assert claims.finish_in(connection, one, "kept")
        assert not claims.finish_in(connection, one, "twice")


def _worker(url: str, name: str, die_after: int) -> None:
    """Claims until nothing is left; writes one row a result, in the transaction that counts it."""
    with open_state(url) as state:
        done = 0
        while True:
            taken = claims.claim(state, JOB, 7, 1.0, name)
            if not taken:
                if claims.progress(state, JOB).leased == 0:
                    return
                time.sleep(0.05)
                continue
            for one in taken:
                if done == die_after:
                    os.kill(os.getpid(), signal.SIGKILL)
                with state.writing() as connection:
                    if claims.finish_in(connection, one, name):
                        row = {"item": one.item, "by": name}
                        connection.execute(text("INSERT INTO done VALUES (:item, :by)"), row)
                done += 1


@pytest.mark.slow
def test_each_item_gets_one_result_though_a_worker_is_killed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    items = [f"sha256:{n:04d}" for n in range(120)]
    with open_state(url) as state:
        with state.writing() as connection:
            connection.execute(text("CREATE TABLE done (item TEXT, by_whom TEXT)"))
        claims.enqueue(state, JOB, items)
        context = multiprocessing.get_context("spawn")
        doomed = context.Process(target=_worker, args=(url, "w0", 10))
        doomed.start()  # alone: on a busy machine the others could leave it nothing to die of
        doomed.join(60)
        workers = [context.Process(target=_worker, args=(url, name, -1)) for name in ("w1", "w2")]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
        assert [worker.exitcode for worker in (doomed, *workers)] == [-signal.SIGKILL, 0, 0]
        with state.reading() as connection:
            rows = connection.execute(text("SELECT item FROM done ORDER BY item")).scalars().all()
            again = connection.execute(select(work.c.item).where(work.c.attempts > 1)).all()
        assert rows == items
        assert again  # the killed worker did hold leases
        assert claims.progress(state, JOB) == claims.Progress(done=120)


def test_the_claim_is_postgresqls_too() -> None:
    """SKIP LOCKED there, nothing here: one statement for both."""
    from sqlalchemy.dialects import postgresql, sqlite

    statement = select(work.c.item).limit(1).with_for_update(skip_locked=True)
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    assert "FOR UPDATE SKIP LOCKED" in str(statement.compile(dialect=dialect))
    assert "FOR UPDATE" not in str(statement.compile(dialect=sqlite.dialect()))


def test_a_batch_is_one_statement(state: State) -> None:
    """Whatever its size; the other one buries the dead."""
    claims.enqueue(state, JOB, [f"i{n:05d}" for n in range(2000)])
    seen: list[str] = []
    event.listen(state.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
    assert len(claims.claim(state, JOB, 500, 60, "me")) == 500
    assert sum(1 for sql in seen if sql.startswith("UPDATE")) == 2
