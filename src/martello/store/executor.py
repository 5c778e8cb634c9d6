"""Where work runs: in this process, or in others of this machine. One protocol for both, and for a
cluster later: results never depend on it.

X1 a function is one of a module, items and results can be pickled. X2 results come as they finish,
at most two for each worker are in flight, and a consumer that stops cancels the rest. X3 what fails
is told with its item; an item whose worker died is tried again alone, three times.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from martello.core.errors import BadInput

_TRIES: Final = 3
_RECYCLED: Final = 200  # items: what engines do not give back, the end of their process does
Item = TypeVar("Item")
Result = TypeVar("Result")


class Done(msgspec.Struct, Generic[Item, Result], frozen=True):
    """An item and what came of it. `at` is its place among the items."""

    at: int
    item: Item
    result: Result


class Failed(msgspec.Struct, Generic[Item], frozen=True):
    """An item that could not be done, and why."""

    at: int
    item: Item
    error: str


class Executor(Protocol):
    """Where work runs."""

    @property
    def workers(self) -> int:
        """How many items run at the same time."""
        ...

    def map(
        self,
        fn: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        label: str,
        ordered: bool = False,
    ) -> Iterator[Done[Item, Result] | Failed[Item]]:
        """The function over items, as they finish or in their order. Close the iterator to stop."""
        ...


class Inline:
    """One item after the other, here."""

    workers = 1

    def map(
        self,
        fn: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        label: str,
        ordered: bool = False,
    ) -> Iterator[Done[Item, Result] | Failed[Item]]:
        """As the protocol says."""
        for at, item in enumerate(items):
            try:
                result = fn(item)
            except Exception as error:
                yield Failed(at, item, told(error))
            else:
                yield Done(at, item, result)


class Pool:
    """Processes of this machine: spawned, for pyarrow and DuckDB have threads."""

    def __init__(self, workers: int = 0) -> None:
        self.workers = workers or os.cpu_count() or 1

    def map(
        self,
        fn: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        label: str,
        ordered: bool = False,
    ) -> Iterator[Done[Item, Result] | Failed[Item]]:
        """As the protocol says."""
        found = _Run(self.workers, fn, items).results()
        return _in_order(found) if ordered else found


class _Run(Generic[Item, Result]):
    """One map over a pool that may have to be made anew."""

    def __init__(self, workers: int, fn: Callable[[Item], Result], items: Iterable[Item]) -> None:
        self._workers = workers
        self._fn = fn
        self._items = enumerate(items)
        self._pool = self._new()
        self._flying: dict[Future[Result], tuple[int, Item]] = {}
        # those that flew when a worker died: run alone, the guilty one is found
        self._suspects: deque[tuple[int, Item]] = deque()
        self._tries: dict[int, int] = {}

    def results(self) -> Iterator[Done[Item, Result] | Failed[Item]]:
        """Results as they finish."""
        try:
            while self._fill():
                done, _ = wait(self._flying, return_when=FIRST_COMPLETED)
                for future in done:
                    if future not in self._flying:
                        continue  # the pool broke, and it is to be tried again
                    yield from self._settle(future)
        finally:
            self._kill()

    def _fill(self) -> bool:
        """Sends off what may fly; whether anything does."""
        while len(self._flying) < (1 if self._suspects else 2 * self._workers):
            if self._suspects:
                if self._flying:
                    break
                self._send(self._suspects.popleft())
                break
            following = next(self._items, None)
            if following is None:
                break
            self._send(following)
        return bool(self._flying)

    def _send(self, one: tuple[int, Item]) -> None:
        try:
            future = self._pool.submit(self._fn, one[1])
        except BrokenProcessPool:
            self._pool = self._new()
            future = self._pool.submit(self._fn, one[1])
        self._flying[future] = one

    def _settle(self, future: Future[Result]) -> Iterator[Done[Item, Result] | Failed[Item]]:
        at, item = self._flying.pop(future)
        try:
            yield Done(at, item, future.result())
        except BrokenProcessPool:
            yield from self._broken((at, item))
        except Exception as error:
            yield Failed(at, item, told(error))

    def _broken(self, one: tuple[int, Item]) -> Iterator[Failed[Item]]:
        alone = not self._flying and (one[0] in self._tries or self._workers == 1)
        flown = [one, *self._flying.values()]
        self._flying.clear()
        self._kill()
        self._pool = self._new()
        if alone:
            self._tries[one[0]] = self._tries.get(one[0], 0) + 1
            if self._tries[one[0]] >= _TRIES:
                yield Failed(*one, f"its worker died {_TRIES} times")
                return
        for at, _ in flown:
            self._tries.setdefault(at, 0)
        self._suspects.extendleft(sorted(flown, key=lambda pair: pair[0], reverse=True))

    def _new(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._workers, context, max_tasks_per_child=_RECYCLED)

    def _kill(self) -> None:
        """Nobody waits for what is no longer wanted."""
        processes = list((getattr(self._pool, "_processes", None) or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()
        for process in processes:
            process.join(2)


def _in_order(
    found: Iterator[Done[Item, Result] | Failed[Item]],
) -> Iterator[Done[Item, Result] | Failed[Item]]:
    waiting: dict[int, Done[Item, Result] | Failed[Item]] = {}
    due = 0
    for one in found:
        waiting[one.at] = one
        while due in waiting:
            yield waiting.pop(due)
            due += 1


def told(error: BaseException) -> str:
    """An error in one line."""
    said = " ".join(str(error).split())[:500]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def open_executor(url: str) -> Executor:
    """The executor of a URL: `inline`, `pool`, `pool://WORKERS`. Raises BadInput."""
    name, _, rest = url.partition("://")
    if name == "inline" and not rest:
        return Inline()
    if name == "pool" and (not rest or (rest.isdecimal() and 0 < int(rest) <= 1024)):
        return Pool(int(rest or 0))
    why = "this version runs work on this machine" if name == "ray" else "there is no such one"
    raise BadInput(f"cannot use the executor {name}", why, "--executor inline, pool or pool://4")
