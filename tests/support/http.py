"""A small HTTP server on loopback, for the answers that a healthy API server never gives."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Any]  # status, and what is sent: bytes as they are, anything else as JSON


class Recorder:
    """The server's address and the paths (with queries) that were asked for, in order."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []


@contextlib.contextmanager
def serve(answer: Callable[[str], Answer]) -> Iterator[Recorder]:
    """Serves what `answer` says for a path with its query, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    recorder = Recorder(f"http://127.0.0.1:{server.server_address[1]}")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            recorder.asked.append(self.path)
            recorder.headers.append(dict(self.headers.items()))
            status, body = answer(self.path)
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Says nothing."""

    server.RequestHandlerClass = Handler
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
