"""A small container engine on a Unix socket: the one call of Docker's API that hands out images."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@contextlib.contextmanager
def serve(
    socket: Path, saved: Mapping[str, bytes], *, status: int = 404, cut: int = 0
) -> Iterator[list[str]]:
    """Serves archives by the name of their image, in chunks as engines do; `status` for all other
    names. With `cut` the connection ends after so many bytes. Gives the paths that were asked for.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            name = unquote(self.path).removeprefix("/images/").removesuffix("/get")
            content = saved.get(name)
            if content is None:
                body = json.dumps({"message": f"No such image: {name}"}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                return
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for at in range(0, len(content), 5000):
                if cut and at >= cut:
                    self.close_connection = True
                    return
                part = content[at : at + 5000]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")

        def address_string(self) -> str:
            return "local"

        def log_message(self, format: str, *arguments: Any) -> None:
            """Says nothing."""

    server = _Server(str(socket), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
