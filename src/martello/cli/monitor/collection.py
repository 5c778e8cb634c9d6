"""A collection of the cluster, followed while `monitor run` goes on: each object as it is, and
whenever it changes. It is watched; who may not watch it lists it again and again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import anyio
import msgspec

from martello.adapters.cluster.client import Client
from martello.adapters.cluster.failure import Denied
from martello.adapters.cluster.kubeconfig import access
from martello.cli.monitor.missing import said
from martello.core.errors import MartelloError, NotPermitted, Unreachable

if TYPE_CHECKING:
    from martello.cli.monitor.jobs import Jobs

_PAGE: Final = 500
_WHOLE: Final = 600.0  # seconds until all that is there is given again: what stays is not forgotten
_PAUSE: Final = 1.0  # seconds before a watch that has ended is begun again
_LONGEST: Final = 60.0  # … and before one that could not be
_LISTED: Final = 5.0  # seconds between lists, where watching is not permitted
_SHARE: Final = 20  # of the time: listing takes a twentieth of it at most
_LOOK: Final = 0.2  # seconds between looks at whether all ends
_ALL: Final = "0"  # the version before everything
_UNWATCHED: Final = frozenset((403, 404, 405))
Take = Callable[[list[dict[str, Any]]], None]


class Collection:
    """`take` is given objects as the API server has them; what it raises is trouble, and they are
    given again.
    """

    def __init__(self, flags: Mapping[str, Any], path: str, name: str, take: Take) -> None:
        self._flags = flags
        self._path = path
        self._name = name
        self._take = take
        self._version = _ALL

    def read(self) -> None:
        """Everything, once. Raises what reading and taking raise."""
        try:
            anyio.run(self._listed)
        except Denied as denied:
            raise self._denied("list", denied) from None

    def follow(self, jobs: Jobs) -> None:
        """Gives what is there and what changes, beside the other jobs, until they end."""

        def run() -> None:
            pause, listed, whole = _PAUSE, False, time.monotonic()
            while not jobs.ending.is_set():
                begun = time.monotonic()
                if begun - whole >= _WHOLE:
                    whole, self._version = begun, _ALL
                try:
                    if listed:
                        self.read()
                        pause = max(_LISTED, _SHARE * (time.monotonic() - begun))
                    else:
                        anyio.run(self._watched, jobs)
                        pause = _PAUSE
                    jobs.troubled(self._name)
                except Denied as denied:
                    listed = denied.status in _UNWATCHED
                    self._version = _ALL
                    if denied.status not in (*_UNWATCHED, 410):
                        pause = self._troubled(jobs, self._denied("watch", denied), pause)
                except Exception as error:  # told at /readyz; the thread goes on
                    pause = self._troubled(jobs, error, pause)
                jobs.ending.wait(pause)

        jobs.thread(run, self._name)

    def _troubled(self, jobs: Jobs, error: Exception, pause: float) -> float:
        jobs.troubled(self._name, f"{self._name}: {said(error)}")
        return min(_LONGEST, 2 * pause)

    def _denied(self, verb: str, denied: Denied) -> MartelloError:
        what = f"cannot {verb} {self._name}"
        why = f"{denied.why} ({denied.status})"
        if denied.status == 403:
            return NotPermitted(what, why, f"grant {verb} of {self._name} in all namespaces")
        return Unreachable(what, why, "try again later")

    def _client(self) -> Client:
        """With what the kubeconfig says by now: tokens are renewed."""
        found = access(self._flags["context"], kubeconfig=self._flags["kubeconfig"])
        return Client(msgspec.structs.replace(found, own=self._flags["own"]))

    async def _listed(self) -> None:
        async with self._client() as client:
            async for _, page in client.pages(self._path, limit=_PAGE):
                self._take([one for one in page if isinstance(one, dict)])

    async def _watched(self, jobs: Jobs) -> None:
        """One watch, to its end or that of everything."""
        failed: list[Exception] = []

        async def ended() -> None:
            while not jobs.ending.is_set():
                await anyio.sleep(_LOOK)
            group.cancel_scope.cancel()

        async def watch() -> None:
            try:
                async with self._client() as client:
                    async for changes in client.watch(self._path, self._version):
                        self._took(changes)
                        jobs.troubled(self._name)
            except Exception as error:  # not in a group of one: it is told as it is
                failed.append(error)
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(ended)
            group.start_soon(watch)
        if failed:
            raise failed[0]

    def _took(self, changes: list[tuple[str, dict[str, Any]]]) -> None:
        found = [one for kind, one in changes if kind in ("ADDED", "MODIFIED")]
        if found:
            self._take(found)
        for _, one in changes[-1:]:
            metadata = one.get("metadata")
            version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
            self._version = version if isinstance(version, str) and version else self._version
