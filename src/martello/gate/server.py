"""The door as a server: an ASGI app with limits, and its life from start to drain."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import FrameType
from typing import Final

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from martello.gate.certs import Files
from martello.gate.door import DEADLINE, Door, Reply
from martello.gate.metrics import TYPE

_DAY: Final = 86_400.0
_CONNECTIONS: Final = 4096  # that are remembered


class Limits(msgspec.Struct, frozen=True):
    """What a client may cost. An API server's largest object is 3 MiB; a review may hold two."""

    body: int = 8 << 20
    held: int = 64 << 20  # bytes of all bodies that are being read
    seconds: float = DEADLINE
    connection_seconds: float = 60.0
    connection_reviews: int = 10_000
    drain: float = 5.0  # seconds between unready and the end


class Connections:
    """How old connections are: the API server keeps them, and one replica may get everything."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._known: dict[tuple[str, int], tuple[float, int]] = {}

    def last(self, client: tuple[str, int]) -> bool:
        """Counts a review, and tells whether the connection is to end with its answer."""
        now = self._clock()
        until, left = self._known.get(client, (0.0, 0))
        if not left:
            jitter = random.uniform(0.8, 1.2)  # noqa: S311 - not all at once, no secret
            until = now + self._limits.connection_seconds * jitter
            left = max(1, int(self._limits.connection_reviews * jitter))
            self._forget(now)
        if now >= until or left <= 1:
            self._known.pop(client, None)
            return True
        self._known[client] = (until, left - 1)
        return False

    def _forget(self, now: float) -> None:
        if len(self._known) < _CONNECTIONS:
            return
        left = [(client, known) for client, known in self._known.items() if known[0] > now]
        self._known = dict(left[-_CONNECTIONS // 2 :])


class Front:
    """The HTTP side of a door."""

    def __init__(self, door: Door, limits: Limits | None = None) -> None:
        self.door = door
        self.limits = limits or Limits()
        self.draining = False
        self._held = 0
        self._connections = Connections(self.limits)

    def app(self) -> Starlette:
        """The ASGI application."""
        door = self.door
        return Starlette(
            routes=[
                Route("/validate", self._post(door.validate), methods=["POST"]),
                Route("/mutate", self._post(door.mutate), methods=["POST"]),
                Route("/imagereview", self._post(door.image_review), methods=["POST"]),
                Route("/healthz", self._healthz),
                Route("/readyz", self._readyz),
                Route("/metrics", self._metrics),
            ]
        )

    def _post(self, answer: Callable[[bytes], Reply]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            reply = await self._read(request)
            if isinstance(reply, bytes):
                reply = answer(reply)
            fine = reply.status == 200
            response = Response(
                reply.body, reply.status, media_type="application/json" if fine else "text/plain"
            )
            client = request.client
            if (
                not fine
                or self.draining
                or (client and self._connections.last((client.host, client.port)))
            ):
                response.headers["connection"] = "close"
            return response

        return endpoint

    async def _read(self, request: Request) -> bytes | Reply:
        """The body, within the limits of size, of time, and of what all bodies may hold."""
        refused = self.door.refused
        said = request.headers.get("content-length", "0")
        if said.isdecimal() and int(said[:12]) > self.limits.body:
            return refused(413, "the review is too large")
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self.limits.seconds):
                async for part in request.stream():
                    size += len(part)
                    self._held += len(part)
                    if size > self.limits.body:
                        return refused(413, "the review is too large")
                    if self._held > self.limits.held:
                        return refused(429, "too many reviews at once")
                    parts.append(part)
        except TimeoutError:
            return refused(408, "the review took too long to come")
        except ClientDisconnect:
            return refused(400, "the client went away")
        finally:
            self._held -= size
        return b"".join(parts)

    async def _healthz(self, _: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _readyz(self, _: Request) -> Response:
        keeper = self.door.keeper
        trouble = f": {keeper.trouble}" if keeper.trouble else ""
        if self.draining:
            return PlainTextResponse("it is ending\n", 503)
        if not keeper.ready:
            return PlainTextResponse(f"no approvals were read yet{trouble}\n", 503)
        return PlainTextResponse(f"ok, {keeper.age():.0f} seconds old{trouble}\n")

    async def _metrics(self, _: Request) -> Response:
        return Response(self.door.exposition(), media_type=TYPE)


class _Server(uvicorn.Server):
    """Ends in steps: unready first, so that nobody sends more; then what is open is answered."""

    def __init__(self, config: uvicorn.Config, front: Front) -> None:
        super().__init__(config)
        self._front = front

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Our own handlers while it serves; a signal that was heeded is not raised again."""
        known = (signal.SIGTERM, signal.SIGINT)
        before = {one: signal.signal(one, self.handle_exit) for one in known}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal begins the drain, a second ends it."""
        if self._front.draining or sig == signal.SIGINT:
            self.should_exit = True
            return
        self._front.draining = True
        loop = asyncio.get_running_loop()
        loop.call_soon_threadsafe(loop.call_later, self._front.limits.drain, self._end)

    def _end(self) -> None:
        self.should_exit = True


def serve(
    front: Front,
    host: str,
    port: int,
    certificates: Files | None,
    renew: Callable[[], Files] | None = None,
    *,
    told: Callable[[str], None] = lambda _: None,
) -> None:
    """Serves until it is told to end. `renew` gives fresh files once a day, which new connections
    get without a restart.
    """
    config = uvicorn.Config(
        front.app(),
        host=host,
        port=port,
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=120,  # the API server lets go after 90: whoever ends first, is not us
        timeout_graceful_shutdown=int(DEADLINE) + 1,
        ssl_certfile=str(certificates.certificate) if certificates else None,
        ssl_keyfile=str(certificates.key) if certificates else None,
    )
    config.load()
    server = _Server(config, front)
    gc.collect()
    gc.freeze()  # what is loaded stays: nobody needs to look for garbage in it

    async def run() -> None:
        async with _renewing(config, renew, told):
            await server.serve()

    asyncio.run(run())


@contextlib.asynccontextmanager
async def _renewing(
    config: uvicorn.Config,
    renew: Callable[[], Files] | None,
    told: Callable[[str], None],
) -> AsyncIterator[None]:
    from martello.core.errors import MartelloError

    async def daily() -> None:
        while renew is not None and config.ssl is not None:
            await asyncio.sleep(_DAY)
            try:
                files = renew()
                config.ssl.load_cert_chain(files.certificate, files.key)
            except (MartelloError, OSError) as error:
                told(f"the certificate was not renewed: {error}")

    task = asyncio.create_task(daily())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
