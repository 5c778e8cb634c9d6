"""Commit-confirm for our packet filter: what nobody confirms in time is taken back by a process
that outlives its caller.

Whoever renames the file of a pending change first, decides it: the operator who confirms, the one
who rolls back, or the guard when time is up.
"""

from __future__ import annotations

import os
import secrets
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from martello.adapters import nft
from martello.adapters.guarded import (
    CONFIRMED,
    PENDING,
    RESTORED,
    ROLLING,
    Change,
    State,
    alive,
    boot,
    started,
)
from martello.adapters.nft import HERE, Tool
from martello.core.errors import MartelloError, NotPermitted, Refused

STATE: Final = Path("/run/martello")
_TURN: Final = 0.1
_READY: Final = 20.0
_TRIES: Final = 5
_STUBBORN: Final = 120  # tries of the guard, about ten minutes: nobody else may be able to come in
_PATIENCE: Final = 10.0  # seconds that one who takes back waits for one who changes
_SSH: Final = b"SSH_CONNECTION="


def apply(
    text: str,
    seconds: float,
    *,
    state: Path = STATE,
    tool: Tool = HERE,
    table: str = nft.TABLE,
    reach: Sequence[tuple[str, int]] = (),
) -> Change:
    """Load a transaction of our table that lasts only if it is confirmed within `seconds`.

    The guard runs before the rules change. `reach` are addresses that must still answer on TCP
    (the API server); where one does not, the change is taken back at once. Raises Refused where
    another change is pending, the state directory is not ours alone, or nft refuses.
    """
    held = State(state)
    with held.locked():
        nft.check(text, tool)
        before, undecided = _before(held, table, tool)
        change = Change(
            token=secrets.token_hex(8),
            before=before,
            table=table,
            enter=tool.enter,
            seconds=seconds,
            boot=boot(),
            connection=connection(),
        )
        held.write(PENDING, change)
        try:
            with _guarded(held, change) as change:
                nft.load(text, tool)
        except (Refused, NotPermitted):
            # nothing was changed: the guard sees its file gone, and ends. After any other error
            # something may have been: that is left to the guard
            if undecided and held.move(change.token, PENDING, ROLLING):
                _put_back(held, change, _TRIES)
            held.remove(PENDING, change.token)
            raise
        if not held.has(PENDING, change.token):
            nft.restore(before, table, tool)
            raise Refused("the change was rolled back while it was made")
    lost = [f"{host} port {port}" for host, port in reach if not answers(host, port)]
    if lost or not alive(change.guard, change.since):
        held.move(change.token, PENDING, ROLLING)
        _restore(held, change, _TRIES)
        why = f"{', '.join(lost)} did not answer" if lost else "the guard process ended early"
        raise Refused("the change was taken back", why)
    return change


def confirm(*, state: Path = STATE) -> Change:
    """Keep the pending change. Raises Refused where there is none any more, and from the same
    remote connection that made it: an open connection says nothing about new ones.
    """
    held = State(state)
    with held.locked():
        return _confirm(held)


def _confirm(held: State) -> Change:
    change = held.pending()
    if change is None:
        raise Refused("no change waits for confirmation", "it was confirmed or taken back already")
    if change.boot != boot():
        raise Refused("the machine has started anew since", "the rules went with it")
    if not change.guard:
        raise Refused("that change was never loaded", "whoever made it was stopped before")
    if change.connection and change.connection == connection():
        raise Refused(
            "this is the connection that made the change",
            "open connections pass whatever the rules say of new ones",
            "log in anew and confirm from there",
        )
    if not held.move(change.token, PENDING, CONFIRMED):
        raise Refused("the change was taken back before it was confirmed")
    held.forget(CONFIRMED, but=change.token)
    return change


def rollback(*, state: Path = STATE) -> Change:
    """Restore what was before the pending change, or before the last confirmed one. Raises Refused
    where nothing is known of either.
    """
    held = State(state)
    for stage in (PENDING, ROLLING, CONFIRMED):
        for change in held.changes(stage):
            if change.boot == boot() and held.move(change.token, stage, ROLLING):
                _restore(held, change, _TRIES)
                return change
    raise Refused("there is nothing to roll back to", "no change of this boot is known")


def watch(state: Path, token: str, ready: int, go: int) -> int:
    """What the guard process does: time runs when its caller has loaded the rules, or is dead; at
    its end the change is taken back, unless somebody decided it.
    """
    held = State(state)
    change = held.read(PENDING, token)
    if change is None:
        return 1
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as last:
        last.write("-1000")  # where memory runs out, others go first
    os.write(ready, b"+")
    os.close(ready)
    select.select([go], [], [], _READY + nft.SECONDS)
    end = time.clock_gettime(time.CLOCK_BOOTTIME) + change.seconds
    while time.clock_gettime(time.CLOCK_BOOTTIME) < end:
        if not held.has(PENDING, token):
            return 0
        time.sleep(_TURN)
    if not held.move(token, PENDING, ROLLING):
        return 0
    _restore(held, change, _STUBBORN)
    return 0


def answers(host: str, port: int, seconds: float = 3.0) -> bool:
    """Whether something accepts TCP connections there."""
    try:
        with socket.create_connection((host, port), timeout=seconds):
            return True
    except OSError:
        return False


def connection() -> str:
    """The remote connection this process belongs to (`SSH_CONNECTION`), of itself or of what
    called it, since sudo hides it; empty on a console.
    """
    own = os.environ.get("SSH_CONNECTION", "")
    pid = os.getpid()
    for _ in range(32):
        if own or pid <= 1:
            break
        try:
            environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
        own = next(
            (v.removeprefix(_SSH).decode(errors="replace") for v in environ if v.startswith(_SSH)),
            "",
        )
    return own


def _before(held: State, table: str, tool: Tool) -> tuple[str, bool]:
    """What to go back to, and whether that is not what is loaded now. A change whose guard died
    undecided was never agreed to: what was before it counts, as long as this machine has not
    started anew. Raises Refused where one waits, of this table or another, and where nft does not
    read what it lists.
    """
    undecided = [c for stage in (ROLLING, PENDING) for c in held.changes(stage)]
    here = [c for c in undecided if c.boot == boot()]
    if any(alive(c.guard, c.since) for c in here if held.has(PENDING, c.token)):
        raise Refused(
            "another change waits for its confirmation",
            next="confirm it or roll it back first",
        )
    others = [c.table for c in here if (c.table, tuple(c.enter)) != (table, tool.enter)]
    if others:
        raise Refused(
            f"a change of table {others[0]} waits, and its guard is dead",
            "nobody would take it back any more",
            "confirm it or roll it back first",
        )
    before = here[0].before if here else nft.listed(table, tool)
    try:
        nft.check_restore(before, table, tool)
    except Refused as refused:
        raise Refused(
            f"what is in table {table} now could not be put back",
            refused.why,
            f"nft delete table inet {table}",
        ) from None
    for stale in undecided:
        for stage in (ROLLING, PENDING):
            held.move(stale.token, stage, RESTORED)
    return before, bool(here)


@contextmanager
def _guarded(held: State, change: Change) -> Iterator[Change]:
    """Start the guard and wait until it watches; its time runs from the end of this block."""
    ready, readied = os.pipe()
    waits, go = os.pipe()
    try:
        log = held.open("guard.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        words = ["-P", "-m", "martello.adapters.guard", str(held.path.absolute()), change.token]
        with os.fdopen(log, "wb") as said:
            try:
                guard = subprocess.Popen(  # noqa: S603
                    [sys.executable, *words, str(readied), str(waits)],
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    pass_fds=(readied, waits),
                    start_new_session=True,
                    cwd="/",
                )
            except OSError as error:
                raise Refused("the guard process cannot be started", str(error)) from None
        os.close(readied)
        readied = -1
        guard.returncode = 0  # it outlives us: nobody waits for it
        if not select.select([ready], [], [], _READY)[0] or os.read(ready, 1) != b"+":
            raise Refused("the guard process did not start", f"see {held.path}/guard.log")
        change = msgspec.structs.replace(change, guard=guard.pid, since=started(guard.pid))
        held.write(PENDING, change)
        yield change
    finally:
        for end in (ready, readied, waits, go):
            if end >= 0:
                os.close(end)


def _restore(held: State, change: Change, tries: int) -> None:
    """Take a change back that is ours to take back; one made since, in its place, stays."""
    with held.waited(_PATIENCE):
        if held.has(ROLLING, change.token):
            _put_back(held, change, tries)


def _put_back(held: State, change: Change, tries: int) -> None:
    tool = Tool(tuple(change.enter))
    for turn in range(tries):
        try:
            nft.restore(change.before, change.table, tool)
            break
        except MartelloError:
            if turn == tries - 1:
                raise
            time.sleep(min(_TURN * (turn + 1), 5.0))
    held.move(change.token, ROLLING, RESTORED)
    held.forget(RESTORED, but=change.token)


if __name__ == "__main__":
    sys.exit(watch(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
