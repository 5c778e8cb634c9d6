"""HTTP/1.1 in which every byte of an exchange counts against one deadline: no peer can hold us by
sending slowly.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

import httpcore
import httpx

_NOW: Final = threading.local()  # .until: when the exchange of this thread must be over


class OutOfTime(httpx.TransportError):
    """The deadline of an exchange has passed."""


@contextlib.contextmanager
def until(deadline: float) -> Iterator[None]:
    """What is read and written in here ends by a reading of the monotonic clock."""
    previous = getattr(_NOW, "until", None)
    _NOW.until = deadline if previous is None else min(previous, deadline)
    try:
        yield
    finally:
        _NOW.until = previous


class Transport(httpx.BaseTransport):
    """A pool of connections of one trust and one proxy, for any number of threads."""

    def __init__(self, trust: ssl.SSLContext, proxy: httpx.URL | None = None) -> None:
        backend = _Backend()
        if proxy is None:
            self._pool = httpcore.ConnectionPool(
                ssl_context=trust,
                max_connections=64,
                max_keepalive_connections=32,
                keepalive_expiry=30,
                network_backend=backend,
            )
            return
        name, word = proxy.username, proxy.password
        self._pool = httpcore.HTTPProxy(
            proxy_url=httpcore.URL(
                scheme=proxy.raw_scheme, host=proxy.raw_host, port=proxy.port, target="/"
            ),
            proxy_auth=(name, word) if name or word else None,
            ssl_context=trust,
            proxy_ssl_context=trust if proxy.scheme == "https" else None,
            max_connections=64,
            max_keepalive_connections=32,
            keepalive_expiry=30,
            network_backend=backend,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange, as httpx asks for it."""
        assert isinstance(request.stream, httpx.SyncByteStream)
        asked = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _translated():
            answer = self._pool.handle_request(asked)
        assert isinstance(answer.stream, Iterable)
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer.stream),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        """Closes all connections."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        with _translated():
            yield from self._stream

    def close(self) -> None:
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """httpcore's errors as httpx's, with their cause kept."""
    try:
        yield
    except OutOfTime:
        raise
    except httpcore.TimeoutException as error:
        raise httpx.ReadTimeout(str(error)) from error
    except httpcore.ProxyError as error:
        raise httpx.ProxyError(str(error)) from error
    except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
        raise httpx.RemoteProtocolError(str(error)) from error
    except httpcore.NetworkError as error:
        raise httpx.NetworkError(str(error)) from error


class _Backend(httpcore.NetworkBackend):
    """Real sockets that know the deadline."""

    def __init__(self) -> None:
        self._real = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        with _counted():
            stream = self._real.connect_tcp(
                host, port, _left(timeout), local_address, socket_options
            )
        return _Stream(stream)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    def __init__(self, real: httpcore.NetworkStream) -> None:
        self._real = real

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _counted():
            return self._real.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        view = memoryview(buffer)
        for start in range(0, len(view), 1 << 16):  # a slow reader must not outlast the deadline
            with _counted():
                self._real.write(bytes(view[start : start + (1 << 16)]), _left(timeout))

    def close(self) -> None:
        self._real.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        with _counted():
            return _Stream(self._real.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._real.get_extra_info(info)


@contextlib.contextmanager
def _counted() -> Iterator[None]:
    """A wait that the deadline cut short is its end, not a silence."""
    try:
        yield
    except httpcore.TimeoutException:
        _left(None)
        raise


def _left(timeout: float | None) -> float | None:
    deadline: float | None = getattr(_NOW, "until", None)
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise OutOfTime("the deadline of this exchange has passed")
    return left if timeout is None else min(timeout, left)
