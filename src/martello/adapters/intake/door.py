"""The HTTP door of monitor: audit webhooks, OTLP, lines of JSON. Yes means that it is on the disk.

The API server gives its webhook little time and drops what it cannot deliver without a word, so
nothing stands between the body and the disk but its size: it is parsed later, by who reads the
spool. A body that is refused becomes a gap: the sender may be the last one who had it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from martello.core.errors import MartelloError

LARGEST: Final = 64 << 20  # bytes of a body
HELD: Final = 512 << 20  # bytes of all bodies that are being read
SECONDS: Final = 30.0
_WRITERS: Final = 40  # bodies that wait for the disk together
Keep = Callable[[str, bytes], int]  # source and body → position, once it is on the disk
Missed = Callable[[str, int, str], None]  # source, bytes, why

# Path → the source whose reader understands it.
DOORS: Final = {
    "/audit": "audit",
    "/v1/logs": "otlp",
    "/events": "ndjson",
    "/falco": "falco",
}


class Counts(msgspec.Struct):
    """What came, by source."""

    bodies: dict[str, int] = {}
    bytes: dict[str, int] = {}
    refused: dict[str, int] = {}
    seconds: dict[str, float] = {}  # until they were kept, in all

    def add(self, table: dict[str, int], source: str, count: int = 1) -> None:
        """Counts one more."""
        table[source] = table.get(source, 0) + count


class Door:
    """The ASGI application. `keep` may block: it runs in threads. `exposition` gives more metrics;
    `trouble` says why it is not ready, or nothing.
    """

    def __init__(
        self,
        keep: Keep,
        missed: Missed,
        *,
        tokens: frozenset[str] = frozenset(),
        exposition: Callable[[], str] = lambda: "",
        trouble: Callable[[], str] = lambda: "",
    ) -> None:
        self.counts = Counts({}, {}, {}, {})
        self._keep = keep
        self._missed = missed
        self._tokens = tokens
        self._exposition = exposition
        self._trouble = trouble
        self._held = 0
        self._threads = CapacityLimiter(_WRITERS)

    def app(self) -> Starlette:
        """The routes."""
        posts = [
            Route(path, self._post(source), methods=["POST"]) for path, source in DOORS.items()
        ]
        return Starlette(
            routes=[
                *posts,
                Route("/healthz", self._healthz),
                Route("/readyz", self._readyz),
                Route("/metrics", self._metrics),
            ]
        )

    def _post(self, source: str) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            begun = time.perf_counter()
            if self._tokens and not self._knows(request):
                return PlainTextResponse("a bearer token is asked for\n", 401)
            body = await self._read(request, source)
            if isinstance(body, Response):
                return body
            if not body:
                return PlainTextResponse("", 200)
            header = request.headers.get("content-type", "")
            told = f"{source}+protobuf" if "protobuf" in header else source
            try:
                await to_thread.run_sync(self._keep, told, body, limiter=self._threads)
            except MartelloError as error:
                return self._refuse(source, len(body), 429, error.what)
            self.counts.add(self.counts.bodies, source)
            self.counts.add(self.counts.bytes, source, len(body))
            spent = self.counts.seconds.get(source, 0.0)
            self.counts.seconds[source] = spent + time.perf_counter() - begun
            if source == "otlp":
                return Response(b"{}", media_type="application/json")
            return PlainTextResponse("", 200)

        return endpoint

    def _knows(self, request: Request) -> bool:
        from hmac import compare_digest

        given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
        return any(compare_digest(given, token.encode()) for token in self._tokens)

    async def _read(self, request: Request, source: str) -> bytes | Response:
        said = request.headers.get("content-length", "0")
        if said.isdecimal() and int(said[:12]) > LARGEST:
            return self._refuse(source, int(said[:12]), 413, "a body is too large")
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(SECONDS):
                async for part in request.stream():
                    size += len(part)
                    self._held += len(part)
                    if size > LARGEST:
                        return self._refuse(source, size, 413, "a body is too large")
                    if self._held > HELD:
                        return self._refuse(source, size, 429, "too many bodies at once")
                    parts.append(part)
        except TimeoutError:
            return self._refuse(source, size, 408, "a body took too long to come")
        except ClientDisconnect:
            return self._refuse(source, size, 400, "the sender went away")
        finally:
            self._held -= size
        body = b"".join(parts)
        if request.headers.get("content-encoding", "") == "gzip":
            return self._unpacked(source, body)
        return body

    def _unpacked(self, source: str, body: bytes) -> bytes | Response:
        import zlib

        try:
            reader = zlib.decompressobj(31)
            plain = reader.decompress(body, LARGEST + 1)
        except zlib.error:
            return self._refuse(source, len(body), 400, "a body is no gzip")
        if len(plain) > LARGEST or not reader.eof:
            return self._refuse(source, len(body), 413, "a body is too large or cut")
        return plain

    def _refuse(self, source: str, size: int, status: int, why: str) -> Response:
        self.counts.add(self.counts.refused, source)
        self._missed(source, size, why)
        return PlainTextResponse(f"{why}\n", status)

    async def _healthz(self, _: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _readyz(self, _: Request) -> Response:
        trouble = self._trouble()
        return PlainTextResponse(f"{trouble or 'ok'}\n", 503 if trouble else 200)

    async def _metrics(self, _: Request) -> Response:
        lines = []
        for name, kind, table in (
            ("bodies_total", "counter", self.counts.bodies),
            ("received_bytes_total", "counter", self.counts.bytes),
            ("refused_total", "counter", self.counts.refused),
            ("kept_seconds_total", "counter", self.counts.seconds),
        ):
            lines.append(f"# TYPE martello_monitor_{name} {kind}")
            lines += [
                f'martello_monitor_{name}{{source="{source}"}} {count}'
                for source, count in sorted(table.items())
            ]
        text = "\n".join(lines) + "\n" + self._exposition()
        return Response(text, media_type="text/plain; version=0.0.4")
