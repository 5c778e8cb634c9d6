"""A real writer that is killed: it receives, writes the lake, keeps and delivers alerts, and seals,
compacts and sweeps what it wrote.

`python killed_writer.py DIRECTORY START SEED KILL`: receives numbered events from START on and
prints `ack N` once event N is durable. KILL is the call of the operating system (writes, syncs,
renames, deletions, transactions, counted from the first event on) before which the process kills
itself; 0: it receives nothing, drains everything and ends.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import sqlalchemy
from tests.support.lake import audit_event

from martello.adapters import batch
from martello.core.alert import Alert, alert_id
from martello.store.compact import compact
from martello.store.files import LocalFiles
from martello.store.frames import Frame
from martello.store.intake import Intake
from martello.store.lake import Lake
from martello.store.outbox import Outbox
from martello.store.retain import sweep
from martello.store.seal import WitnessFile, seal, tell
from martello.store.sealkeys import read_key
from martello.store.segments import Name
from martello.store.spool import Spool
from martello.store.state import open_state

NAME = Name("prod", "audit", "webhook")
SINK = "file"


def event(number: int) -> dict[str, Any]:
    """The event of a number."""
    return audit_event(number, seed=7)


def alert(number: int) -> Alert | None:
    """The alert that a rule makes of an event: of every third."""
    if number % 3:
        return None
    told = event(number)
    entity = {"k8s_name": str(told["k8s_name"])}
    id = alert_id("MON-100", entity, told["id"])
    first = told["time"]
    return Alert(id, "MON-100", "hash", "high", "title", "says", entity, first, first)


def numbers(frames: Sequence[Frame]) -> list[int]:
    """The events of frames."""
    return [int(word) for frame in frames for word in frame.body.split()]


class Killer:
    """Kills this process before the n-th call that changes something outside of it."""

    def __init__(self, at: int) -> None:
        self.left = at

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, or the end."""

        def called(*given: Any, **named: Any) -> Any:
            self.step()
            return function(*given, **named)

        return called

    def step(self, *_: object) -> None:
        """One step nearer to the end."""
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def arm(self, engine: sqlalchemy.Engine) -> None:
        """Watches the operating system and the database."""
        for name in ("write", "fsync", "fdatasync", "replace", "unlink", "ftruncate"):
            setattr(os, name, self.before(getattr(os, name)))
        for moment in ("begin", "commit"):
            sqlalchemy.event.listen(engine, moment, self.step)
        sqlalchemy.event.listen(engine, "before_cursor_execute", self.step)


def deliver(outbox: Outbox, sink: Path) -> bool:
    """Delivers what waits: a line with the key, durable before it is done."""
    taken = outbox.claim(SINK, 20, 0, "deliverer")
    for one in taken:
        with sink.open("ab", buffering=0) as file:
            file.write(one.key.encode() + b"\n")
        outbox.done(one)
    return bool(taken)


def main() -> None:
    """Runs until it is killed, or drained."""
    directory, start, seed, kill = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    random = Random(seed)
    acknowledge = os.write
    state = open_state(f"sqlite:///{directory / 'state.db'}")
    lake = Lake(LocalFiles(directory / "lake"))
    spool = Spool(directory / "spool")
    outbox = Outbox(state)
    intake = Intake(state, lake, spool, NAME, "writer")
    key = read_key(directory / "seal.pem")
    witness = WitnessFile(directory / "witness")

    def decode(frames: Sequence[Frame]) -> dict[str, Any]:
        return {"audit": batch.table("audit", [event(n) for n in numbers(frames)])}

    def flush() -> bool:
        waiting = spool.read(NAME.key, intake.mine.committed, 2_000)
        found = [one for n in numbers(waiting) if (one := alert(n)) is not None]

        def within(connection: Any, tables: object) -> None:
            for one in found:
                outbox.put_in(connection, one, [SINK])

        return bool(intake.flush(decode, within, 2_000))

    if kill == 0:
        while flush() or deliver(outbox, directory / "sink"):
            pass
        return
    killer = Killer(kill)
    killer.arm(state.engine)
    number = start
    while True:
        count = random.randrange(1, 30)
        body = " ".join(map(str, range(number, number + count))).encode()
        spool.append(NAME.key, body)
        number += count
        acknowledge(1, b"ack %d\n" % (number - 1))
        if random.random() < 0.3:
            flush()
        if random.random() < 0.3:
            deliver(outbox, directory / "sink")
        if random.random() < 0.15:
            seal(state, lake.files, key)
            tell(state, lake.files, witness)
        if random.random() < 0.1:
            compact(state, lake, "writer", 4)
        if random.random() < 0.1:
            sweep(state, lake.files, grace=-1)  # nobody else reads or writes here


if __name__ == "__main__":
    main()
