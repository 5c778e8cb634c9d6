"""A mirror of feeds on loopback: the files of a folder, with tags and times."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote


class Mirror:
    """What it answered, and what it says instead of a file: bytes, or a status."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self.answered: list[tuple[str, int]] = []
        self.instead: dict[str, bytes | int] = {}
        self.changed = datetime.now(UTC) - timedelta(hours=3)

    def answer(self, path: str, etag: str) -> tuple[int, bytes, str]:
        """Status, content, tag."""
        file = unquote(path).lstrip("/")
        given = self.instead.get(file)
        if isinstance(given, int):
            return given, b"", ""
        place = self.folder / file
        if given is None and not place.is_file():
            return 404, b"", ""
        content = place.read_bytes() if given is None else given
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        return (304, b"", tag) if etag == tag else (200, content, tag)


@contextlib.contextmanager
def mirror(folder: Path) -> Iterator[Mirror]:
    """Serves a folder until the block ends."""
    served = Mirror(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            etag = self.headers.get("If-None-Match", "")
            status, content, tag = served.answer(self.path, etag)
            served.answered.append((unquote(self.path).lstrip("/"), status))
            self.send_response(status)
            if tag:
                self.send_header("ETag", tag)
                self.send_header("Last-Modified", format_datetime(served.changed, usegmt=True))
            if status != 304:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
