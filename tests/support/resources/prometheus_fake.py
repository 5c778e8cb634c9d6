"""A small Prometheus on loopback: as much of its HTTP API as Martello asks, over series in memory,
for the behaviour of other versions and servers, and for what a healthy server never does.

It reads selectors with `=`, `!=`, `=~` and `!~`, and ranges in milliseconds.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import msgspec
import numpy as np
from tests.support.resources.series import Truth

_SELECTOR: Final = re.compile(r"([a-zA-Z_:][\w:]*)\{(.*)\}(?:\[(\d+)ms\])?", re.DOTALL)
_MATCHER: Final = re.compile(r'(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)",?', re.DOTALL)


class Reply(msgspec.Struct):
    """What is sent instead: bytes, or whatever `write` does with the connection."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = {}
    write: Callable[[Any], None] | None = None


Instead = Callable[[str, Mapping[str, str]], Reply | None]


class Fake:
    """Its address, what it holds, and what it was asked: path below /api/v1, parameters."""

    def __init__(self, series: Sequence[Truth], *, left_open: bool, most: int) -> None:
        self.url = ""
        self.series = series
        self.left_open = left_open
        self.most = most
        self.warnings: list[str] = []
        self.instead: Instead = lambda path, params: None
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.headers: list[dict[str, str]] = []
        self.sent: list[int] = []  # bytes of answers, unpacked

    def queries(self, path: str = "query") -> list[str]:
        """The questions of one kind, in order."""
        return [params["query"] for asked, params in self.asked if asked == path]

    def reply(self, path: str, params: dict[str, str]) -> Reply:
        """What it says to one request."""
        given = self.instead(path, params)
        if given is not None:
            return given
        try:
            data = self._data(path, params)
        except _TooMany:
            why = "query processing would load too many samples into memory in query execution"
            return error(422, "execution", why)
        body: dict[str, Any] = {"status": "success", "data": data}
        if self.warnings:
            body["warnings"] = self.warnings
        return Reply(body=json.dumps(body, separators=(",", ":")).encode())

    def _data(self, path: str, params: dict[str, str]) -> Any:
        begin, end = float(params.get("start", 0)), float(params.get("end", 0))
        if path == "query":
            at = float(params["time"])
            found = []
            budget = self.most
            for one in self._selected(params["query"]):
                length = int(_parsed(params["query"])[2]) / 1000
                low = at - length
                # a thousandth of a millisecond: times are floats, the server's are whole numbers
                near = one.times > low + 1e-6 if self.left_open else one.times >= low - 1e-6
                within = near & (one.times <= at + 1e-6)
                budget -= int(within.sum())
                if budget < 0:
                    raise _TooMany
                if within.any():
                    found.append(_series(one, one.times[within], one.values[within]))
            return {"resultType": "matrix", "result": found}
        if path == "query_range":
            step = float(params["step"])
            grid = np.arange(begin, end + step / 2, step)
            found = []
            for one in self._selected(params["query"]):
                place = np.searchsorted(one.times, grid, side="right") - 1
                there = (place >= 0) & (grid - one.times[np.maximum(place, 0)] < 300)
                if there.any():
                    found.append(_series(one, grid[there], one.values[place[there]]))
            return {"resultType": "matrix", "result": found}
        chosen = [
            one
            for one in self._selected(params["match[]"])
            if ((one.times >= begin) & (one.times <= end)).any()
        ]
        if path == "series":
            return [dict(one.labels) for one in chosen]
        assert path == "label/namespace/values", path
        return sorted({one.labels["namespace"] for one in chosen if "namespace" in one.labels})

    def _selected(self, text: str) -> list[Truth]:
        name, matchers, _ = _parsed(text)
        return [
            one
            for one in self.series
            if one.labels["__name__"] == name and all(m(one.labels) for m in matchers)
        ]


class _TooMany(Exception):
    """More samples than may be loaded."""


def error(status: int, kind: str, why: str, **headers: str) -> Reply:
    """An error as Prometheus says it."""
    body = {"status": "error", "errorType": kind, "error": why}
    return Reply(status, json.dumps(body).encode(), headers)


@contextlib.contextmanager
def serving(
    series: Sequence[Truth] = (), *, left_open: bool = False, most: int = 50_000_000
) -> Iterator[Fake]:
    """Serves until the block ends. `left_open`: ranges as in Prometheus 3; `most`: samples that one
    question may load.
    """
    fake = Fake(series, left_open=left_open, most=most)
    stopping = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            path = parts.path.partition("/api/v1/")[2]
            params = dict(parse_qsl(parts.query))
            fake.asked.append((path, params))
            fake.headers.append(dict(self.headers.items()))
            reply = fake.reply(path, params)
            fake.sent.append(len(reply.body))
            with contextlib.suppress(ConnectionError, ValueError):
                self._send(reply)

        def _send(self, reply: Reply) -> None:
            body = reply.body
            headers = dict(reply.headers)
            packed = "gzip" in self.headers.get("Accept-Encoding", "") and len(body) > 200
            if packed and reply.write is None and "Content-Encoding" not in headers:
                body = gzip.compress(body, 1)
                headers["Content-Encoding"] = "gzip"
            self.send_response(reply.status)
            for name, value in headers.items():
                self.send_header(name, value)
            if reply.write is None:
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                return
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            reply.write(_Out(self.wfile, stopping))

        def log_message(self, format: str, *arguments: Any) -> None:
            """Says nothing."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that goes away is no event."""

    server = Quiet(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield fake
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Out:
    """A connection to write to, and to wait on as long as the server lives."""

    def __init__(self, out: Any, stopping: threading.Event) -> None:
        self._out = out
        self._stopping = stopping

    def write(self, content: bytes) -> None:
        """Sends it at once."""
        self._out.write(content)
        self._out.flush()

    def wait(self, seconds: float) -> bool:
        """Sleeps; True where the server ends."""
        return self._stopping.wait(seconds)


def _parsed(text: str) -> tuple[str, list[Callable[[Mapping[str, str]], bool]], str]:
    found = _SELECTOR.fullmatch(text)
    assert found, f"no selector: {text}"
    name, inner, length = found.groups()
    matchers = [_matcher(*one.groups()) for one in _MATCHER.finditer(inner)]
    assert _MATCHER.sub("", inner) == "", f"no matchers: {inner}"
    return name, matchers, length or "0"


def _matcher(label: str, operator: str, text: str) -> Callable[[Mapping[str, str]], bool]:
    value = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text)
    if operator in ("=", "!="):
        return lambda labels: (labels.get(label, "") == value) == (operator == "=")
    pattern = re.compile(value)
    return lambda labels: (
        (pattern.fullmatch(labels.get(label, "")) is not None) == (operator == "=~")
    )


def _series(one: Truth, times: Any, values: Any) -> dict[str, Any]:
    told = [[round(t, 3), _text(v)] for t, v in zip(times.tolist(), values.tolist(), strict=True)]
    return {"metric": dict(one.labels), "values": told}


def _text(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)
