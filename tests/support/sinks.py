"""What alerts are sent to in tests: receivers on loopback that say what they are told to, Debian's
rsyslog and Alertmanager, and alerts that an attacker wrote.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.ports import free_port as free_port

from martello.core.alert import Alert, Evidence, alert_id

SECOND: Final = 1_000_000_000
AT: Final = 1_785_585_600 * SECOND  # 2026-08-01T12:00:00Z
# Terminals, Slack, HTML, structured data, other lines, directions of writing, no text at all.
HOSTILE: Final = (
    "<!channel> *bold* <https://evil.example|click> & `x`\n<script>alert(1)</script>\r\n"
    '\x1b]0;owned\x07\x1b[2J ] " \\ \x00 \u202egnp.exe\u202c \u2028 {{ template }}'
    " $(id) \x9b31m é 漢"
)


def alert(name: str = "shop", revision: int = 1, **given: Any) -> Alert:
    """A shell in a pod of a namespace."""
    entity = {"k8s_ns": name, "pod_workload": "deploy/web", "pod_name": "web-7f", "node": "n1"}
    told: dict[str, Any] = {
        "id": alert_id("MON-131", entity, f"e-{name}"),
        "rule": "MON-131",
        "rule_hash": "abc",
        "severity": "high",
        "title": "Shell in a container",
        "says": f"sh was started in {name}/web-7f",
        "entity": entity,
        "first": AT,
        "last": AT + 5 * SECOND,
        "repeats": revision,
        "revision": revision,
        "why": "an attacker asks for one first",
        "fix": "look at who did it",
        "cluster": "prod",
        "attack": ("T1059",),
        "evidence": (Evidence("e1", AT, {"kind": "process", "proc_exe": "/bin/sh", "node": "n1"}),),
    }
    told.update(given)
    return Alert(**told)


def hostile() -> Alert:
    """An alert whose every text an attacker wrote."""
    entity = {"k8s_ns": HOSTILE, "pod_name": HOSTILE, "actor_user": HOSTILE}
    columns = {"kind": "process", "proc_args": HOSTILE, "proc_exe": HOSTILE, "list": [HOSTILE]}
    return alert(
        title=HOSTILE,
        says=HOSTILE * 20,
        why=HOSTILE,
        fix=HOSTILE,
        entity=entity,
        raised=(HOSTILE,),
        cluster=HOSTILE,
        evidence=(Evidence("e1", AT, columns),),
    )


class Received:
    """One request: method, path, headers in lower case, body."""

    def __init__(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
        self.method = method
        self.path = path
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    @property
    def json(self) -> Any:
        """The body as data."""
        return json.loads(self.body)


class Answer:
    """What is answered: a status, headers, a body."""

    def __init__(self, status: int = 200, body: bytes = b"ok", **headers: str) -> None:
        self.status = status
        self.body = body
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Receiver:
    """A server that keeps what it got; `answer` may be changed at any time."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.got: list[Received] = []
        self.answer: Callable[[Received], Answer] = lambda _: Answer()

    @property
    def posts(self) -> list[Received]:
        """What was posted."""
        return [one for one in self.got if one.method == "POST"]


@contextlib.contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.daemon_threads = True
    made = Receiver(server.server_address[1])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size)
            got = Received(self.command, self.path, dict(self.headers.items()), body)
            made.got.append(got)
            answer = made.answer(got)
            content = b"" if self.command == "HEAD" else answer.body
            with contextlib.suppress(ConnectionError):
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_POST = do_HEAD = _any

        def log_message(self, format: str, *arguments: Any) -> None:
            """Says nothing."""

    server.RequestHandlerClass = Handler
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def until(wanted: Callable[[], Any], seconds: float = 10.0) -> Any:
    """What becomes true, as soon as it does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = wanted()
        if found:
            return found
        time.sleep(0.02)
    return wanted()


def program(name: str, package: str) -> str:
    """A program of Debian's; skips where it is not here."""
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") or shutil.which(name)
    if found is None:
        pytest.skip(f"no {name}: apt-get install {package}")
    return found


@contextlib.contextmanager
def process(command: Sequence[str], ready: Callable[[], bool], log: Path) -> Iterator[int]:
    """A server in the foreground, ended by its id; its id."""
    with log.open("wb") as out:
        started = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        assert until(lambda: ready() or started.poll() is not None)
        assert started.poll() is None, log.read_text("utf-8", "replace")
        yield started.pid
    finally:
        started.terminate()
        try:
            started.wait(10)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def listens(port: int) -> bool:
    """Whether somebody answers there."""
    with socket.socket() as opened:
        return opened.connect_ex(("127.0.0.1", port)) == 0
