"""Many images: each digest is read once, by one of several processes, under a lease; what was read
is kept, so that a run which was broken off goes on where it was.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, Final

import msgspec

from martello.cli.images.inventories import inventory_of
from martello.cli.images.opening import open_images
from martello.cli.images.target import parse_image_target
from martello.cli.progress import Progress
from martello.core.errors import MartelloError, Unreachable
from martello.core.package import Inventory
from martello.store import claim, inventories
from martello.store.facts import LayerFactStore
from martello.store.state import State, open_state

if TYPE_CHECKING:
    from martello.adapters.registry.settings import Keyring

LEASE: Final = 30.0  # seconds
_LOOK: Final = 0.1  # seconds between two looks at how far the work is
_KEPT: Final = "kept"


class Unit(msgspec.Struct, frozen=True):
    """One image to read: the target that leads to it, and its digest."""

    word: str
    digest: str
    platform: str = ""  # the only one that is meant of an index


class Batch(msgspec.Struct, frozen=True):
    """Everything that a worker must know. It is handed to other processes."""

    state: str  # URL
    job: str
    version: str  # of readers and advisories: results of another one do not count
    flags: Mapping[str, Any]
    keyrings: Mapping[str, tuple[Keyring, ...]] = {}  # by digest
    lease: float = LEASE


def job_of(run: str) -> str:
    """The name of a run in the list of work."""
    return f"image-scan:{run}"


def read_all(
    batch: Batch, units: Sequence[Unit], jobs: int, progress: Progress
) -> dict[str, Inventory | str]:
    """The inventory of each unit by its digest, or why there is none. What this version has read
    before is not read again. Raises what the store raises.
    """
    by_item = {_item(unit): unit for unit in units}
    with open_state(batch.state) as state:
        fresh = [i for i, u in by_item.items() if not _has(state, batch, u)]
        claim.enqueue(state, batch.job, fresh)
        with _workers(batch, state, min(jobs, len(fresh)), len(fresh)) as keep_on:
            while (far := claim.progress(state, batch.job)).open + far.leased:
                dead = len(far.dead)
                progress("images read", far.done + dead, far.done + dead + far.open + far.leased)
                keep_on()
        return dict(_results(state, batch, by_item))


def work(batch: Batch, holder: str) -> None:
    """Reads one image after another, until there is none left that nobody else has."""
    with open_state(batch.state) as state:
        while True:
            claims = claim.claim(state, batch.job, 1, batch.lease, holder)
            if not claims:
                far = claim.progress(state, batch.job)
                if not far.open + far.leased:
                    return
                time.sleep(_LOOK)
                continue
            with _held(state, claims[0], batch.lease):
                _one(state, batch, claims[0])


def _one(state: State, batch: Batch, mine: claim.Claim) -> None:
    unit = msgspec.json.decode(mine.item, type=Unit)
    try:
        inventory = _read(state, batch, unit)
        inventories.keep(state, unit.digest, batch.version, inventory)
    except Unreachable as error:
        claim.fail(state, mine, _told(error))
    except MartelloError as error:  # it will not be better the next time
        claim.finish(state, [(mine, _told(error))])
    except Exception as error:
        claim.fail(state, mine, f"internal error: {type(error).__name__}")
    else:
        claim.finish(state, [(mine, _KEPT)])


def _read(state: State, batch: Batch, unit: Unit) -> Inventory:
    from martello.practices.images.facts import LayerFacts

    flags = {**batch.flags, "platform": unit.platform}
    target = parse_image_target(unit.word)
    opened = open_images(target, flags, *batch.keyrings.get(unit.digest, ()))
    meant = next((one for one in opened if one.manifest.digest == unit.digest), None)
    if meant is None:
        raise Unreachable(f"cannot read {unit.word}", f"it holds {unit.digest} no more")
    return inventory_of(meant, LayerFactStore(state, LayerFacts), Progress(quiet=True))


def _told(error: MartelloError) -> str:
    return f"{error.what}: {error.why}" if error.why else error.what


@contextlib.contextmanager
def _held(state: State, mine: claim.Claim, lease: float) -> Iterator[None]:
    """Lengthens the lease at a third of it, while the block runs."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(lease / 3):
            with contextlib.suppress(MartelloError):
                claim.heartbeat(state, [mine], lease)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextlib.contextmanager
def _workers(batch: Batch, state: State, count: int, items: int) -> Iterator[Callable[[], None]]:
    """Processes that work, and a function to call while they do: it waits a moment, gives back what
    a process that died had begun, and starts another one. With one worker there are no processes.
    """
    if count <= 1:
        yield lambda: work(batch, f"{os.getpid()}")
        return
    spawn = multiprocessing.get_context("spawn")
    running: dict[str, BaseProcess] = {}
    left = count + claim.ATTEMPTS * (items + count)  # starts: each death costs an attempt

    def start() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Unreachable("cannot read the images", "every process that should, dies", "")
        process = spawn.Process(target=_apart, args=(batch,), daemon=True)
        process.start()
        running[f"{process.pid}"] = process

    def keep_on() -> None:
        time.sleep(_LOOK)
        for holder, process in list(running.items()):
            if process.exitcode is None:
                continue
            del running[holder]
            claim.abandon(state, batch.job, holder)
            if process.exitcode:
                start()
        if not running:  # all went home, and somebody gave an item back since
            start()

    for _ in range(count):
        start()
    try:
        yield keep_on
    finally:
        for process in running.values():
            process.terminate()
        for holder, process in running.items():
            process.join()
            claim.abandon(state, batch.job, holder)


def _apart(batch: Batch) -> None:
    """`work` in a process of its own, which leaves signals of the terminal to its parent."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    work(batch, f"{os.getpid()}")


def _has(state: State, batch: Batch, unit: Unit) -> bool:
    return inventories.has(state, unit.digest, batch.version)


def _results(
    state: State, batch: Batch, by_item: Mapping[str, Unit]
) -> Iterator[tuple[str, Inventory | str]]:
    said = claim.results(state, batch.job)
    dead = {one.item: one.error for one in claim.progress(state, batch.job).dead}
    for item, unit in by_item.items():
        found = inventories.kept(state, unit.digest, batch.version, Inventory)
        if found is not None:
            yield unit.digest, found
        elif item in dead:
            yield unit.digest, f"given up after {claim.ATTEMPTS} attempts: {dead[item]}"
        else:
            why = said.get(item, "")
            yield unit.digest, why if why not in ("", _KEPT) else "what was read was not kept"


def _item(unit: Unit) -> str:
    return msgspec.json.encode(unit).decode()
