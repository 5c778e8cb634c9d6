"""A registry to the distribution specification in this process, with a switch for each way in which
registries differ, fail or lie. Everything it is asked is kept in `asked`.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

INDEX = "application/vnd.oci.image.index.v1+json"
Answer = tuple[int, Mapping[str, str], bytes]


class Asked(NamedTuple):
    """One request: `headers` by lower-case name."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes


class FakeRegistry:
    """The state and the switches. `url` is host:port."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"127.0.0.1:{port}"
        self.manifests: dict[tuple[str, str], tuple[bytes, str]] = {}
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.sessions: dict[str, bytes] = {}
        self.asked: list[Asked] = []
        self.connections = 0
        self.shown: list[bool] = []  # whether a client certificate came with each request
        self.over = threading.Event()
        # who may come in
        self.users: dict[str, str] = {}
        self.bearer = False  # a token service at /token, else Basic where there are users
        self.identity: dict[str, str] = {}  # refresh token -> user
        self.token_name = "token"
        self.token_life: Any = 300
        self.tokens: dict[str, str] = {}
        self.realm = ""  # another address of the token service
        self.token_answer: bytes | None = None
        self.forbidden: set[str] = set()  # users who are known and may do nothing
        # how it answers
        self.busy: list[tuple[int, str]] = []  # statuses with Retry-After, before all else
        self.cuts: list[int] = []  # bytes after which a blob breaks off
        self.ranges = True
        self.redirect: Callable[[str], str] | None = None  # blob path -> Location
        self.lie = ""  # Docker-Content-Digest
        self.wrong: bytes | None = None  # instead of any blob or manifest
        self.endless = False  # manifests without end
        self.drip = 0.0  # seconds between two bytes of a body
        self.drip_head = 0.0  # the same, of the headers
        self.mounts = True
        self.least_chunk = 0
        self.lost_chunks = 0  # PATCHes of which only half arrives (416)
        self.largest_body = 1 << 40  # 413 above
        self.absolute = False  # Location with host
        self.referrers = True
        self.page = 2
        self.subjects = True  # OCI-Subject
        self.generic_types = False  # the descriptors' artifactType is useless
        self.answer: Callable[[Asked], Answer | None] | None = None

    def put(self, repository: str, reference: str, raw: bytes, media: str) -> str:
        """Keeps a manifest under a tag or digest, and its digest."""
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        for name in (reference, digest):
            self.manifests[repository, name] = raw, media
        return digest

    def put_blob(self, repository: str, content: bytes) -> str:
        """Keeps a blob; its digest."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.blobs[repository, digest] = content
        return digest

    def count(self, method: str, part: str = "") -> int:
        """How many requests of a method had a part in their path."""
        return sum(a.method == method and part in a.path for a in self.asked)

    def reply(self, asked: Asked) -> Answer:
        """What a request is answered with."""
        if self.answer is not None and (found := self.answer(asked)) is not None:
            return found
        if asked.path == "/token":
            return self._token(asked)
        if self.busy:
            status, wait = self.busy.pop(0)
            return status, {"Retry-After": wait} if wait else {}, b"{}"
        refusal = self._refusal(asked)
        if refusal is not None:
            return refusal
        if asked.path in ("/v2/", "/v2"):
            return 200, {}, b"{}"
        match = re.fullmatch(r"/v2/(.+)/(manifests|blobs|tags|referrers)/(.*)", asked.path)
        if match is None:
            return _error(404, "NAME_UNKNOWN")
        repository, kind, rest = match.groups()
        if rest.startswith("uploads/") or "/blobs/uploads" in asked.path:
            repository = asked.path[4:].partition("/blobs/")[0]
            return self._upload(asked, repository)
        if kind == "manifests":
            return self._manifest(asked, repository, rest)
        if kind == "blobs":
            return self._blob(asked, repository, rest)
        if kind == "tags":
            return self._tags(asked, repository)
        return self._referrers(asked, repository, rest)

    def _refusal(self, asked: Asked) -> Answer | None:
        if not self.users and not self.bearer:
            return None
        sent = asked.headers.get("authorization", "")
        repository = re.split(r"/(?:manifests|blobs|tags|referrers)/", asked.path[4:])[0]
        if self.bearer:
            user = self.tokens.get(sent.removeprefix("Bearer "))
            realm = self.realm or f"http://{self.url}/token"
            scope = f"repository:{repository}:pull"
            challenge = f'Bearer realm="{realm}",service="a, fake",scope="{scope}"'
        else:
            user = self._user(sent)
            challenge = 'Basic realm="fake"'
        if user is None:
            status, headers, body = _error(401, "UNAUTHORIZED")
            return status, {"WWW-Authenticate": challenge, **headers}, body
        return _error(403, "DENIED") if user in self.forbidden else None

    def _user(self, header: str) -> str | None:
        with contextlib.suppress(ValueError):
            plain = base64.b64decode(header.removeprefix("Basic ")).decode()
            user, _, password = plain.partition(":")
            if self.users.get(user) == password:
                return user
        return None

    def _token(self, asked: Asked) -> Answer:
        if self.token_answer is not None:
            return 200, {}, self.token_answer
        user: str | None = ""
        if asked.method == "POST":
            form = parse_qs(asked.body.decode())
            user = self.identity.get(form.get("refresh_token", [""])[0])
        elif "authorization" in asked.headers:
            user = self._user(asked.headers["authorization"])
        elif self.users:
            user = None
        if user is None:
            return _error(401, "UNAUTHORIZED")
        token = f"token-{uuid.uuid4()}"
        self.tokens[token] = user
        body = {self.token_name: token, "expires_in": self.token_life}
        return 200, {}, json.dumps(body).encode()

    def _manifest(self, asked: Asked, repository: str, reference: str) -> Answer:
        if asked.method == "PUT":
            media = asked.headers.get("content-type", "")
            digest = self.put(repository, reference, asked.body, media)
            headers = {"Docker-Content-Digest": self.lie or digest}
            subject = json.loads(asked.body).get("subject")
            if subject and self.subjects:
                headers["OCI-Subject"] = subject["digest"]
            return 201, headers, b""
        if asked.method == "DELETE":
            return 405, {}, b""
        held = self.manifests.get((repository, reference))
        if held is None:
            return _error(404, "MANIFEST_UNKNOWN")
        raw, media = held
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        if self.wrong is not None:
            raw = self.wrong
        return 200, {"Content-Type": media, "Docker-Content-Digest": self.lie or digest}, raw

    def _blob(self, asked: Asked, repository: str, digest: str) -> Answer:
        content = self.blobs.get((repository, digest))
        if content is None:
            return _error(404, "BLOB_UNKNOWN")
        if self.redirect is not None and asked.method == "GET":
            return 307, {"Location": self.redirect(asked.path)}, b""
        if self.wrong is not None:
            content = self.wrong
        match = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("range", ""))
        if match is None or not self.ranges:
            return 200, {}, content
        start = int(match[1])
        if start >= len(content):
            return 416, {}, b""
        place = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return 206, {"Content-Range": place}, content[start:]

    def _upload(self, asked: Asked, repository: str) -> Answer:
        here = f"http://{self.url}" if self.absolute else ""
        if len(asked.body) > self.largest_body:
            return 413, {}, b""
        if asked.method == "POST":
            mounted = asked.query.get("mount", [""])[0]
            held = self.blobs.get((asked.query.get("from", [""])[0], mounted))
            if held is not None and self.mounts:
                self.blobs[repository, mounted] = held
                return 201, {"Location": f"/v2/{repository}/blobs/{mounted}"}, b""
            session = uuid.uuid4().hex
            self.sessions[session] = b""
            headers = {"Location": f"{here}/v2/{repository}/blobs/uploads/{session}?state=a%3Db"}
            if self.least_chunk:
                headers["OCI-Chunk-Min-Length"] = str(self.least_chunk)
            return 202, headers, b""
        session = asked.path.rpartition("/")[2]
        if session not in self.sessions or asked.query.get("state") != ["a=b"]:
            return _error(404, "BLOB_UPLOAD_UNKNOWN")
        held = self.sessions[session]
        headers = {"Location": f"{here}{asked.path}?state=a%3Db"}
        body = asked.body
        if asked.method == "PATCH":
            start = int(asked.headers["content-range"].partition("-")[0])
            if start != len(held):
                return 416, {**headers, "Range": f"0-{len(held) - 1}"}, b""
            if self.lost_chunks:
                self.lost_chunks -= 1
                self.sessions[session] = held + body[: len(body) // 2]
                return 416, {**headers, "Range": f"0-{len(self.sessions[session]) - 1}"}, b""
            self.sessions[session] = held + body
            return 202, {**headers, "Range": f"0-{len(held) + len(body) - 1}"}, b""
        content = held + body
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if asked.query.get("digest") != [digest]:
            return _error(400, "DIGEST_INVALID")
        self.blobs[repository, digest] = content
        return 201, {"Docker-Content-Digest": self.lie or digest}, b""

    def _tags(self, asked: Asked, repository: str) -> Answer:
        names = sorted(n for r, n in self.manifests if r == repository and ":" not in n)
        after = asked.query.get("last", [""])[0]
        rest = [name for name in names if name > after]
        headers = {}
        if len(rest) > self.page:
            more = f"{asked.path}?n={self.page}&last={rest[self.page - 1]}"
            headers["Link"] = f'<{more}>; rel="next"'
        body = {"name": repository, "tags": rest[: self.page]}
        return 200, headers, json.dumps(body).encode()

    def _referrers(self, asked: Asked, repository: str, digest: str) -> Answer:
        if not self.referrers:
            return _error(404, "NOT_FOUND")
        found = []
        for (where, name), (raw, media) in sorted(self.manifests.items()):
            body = json.loads(raw) if where == repository and ":" in name else {}
            if body.get("subject", {}).get("digest") == digest:
                kind = body.get("artifactType") or body.get("config", {}).get("mediaType", "")
                if self.generic_types:
                    kind = "application/vnd.oci.empty.v1+json"
                entry = {"mediaType": media, "digest": name, "size": len(raw)}
                found.append({**entry, "artifactType": kind})
        start = int(asked.query.get("start", ["0"])[0])
        headers = {"Content-Type": INDEX}
        if start + self.page < len(found):
            more = f"{asked.path}?start={start + self.page}"
            headers["Link"] = f'<{more}>; rel="next"'
        body = {"schemaVersion": 2, "mediaType": INDEX}
        body["manifests"] = found[start : start + self.page]
        return 200, headers, json.dumps(body).encode()


@contextlib.contextmanager
def fake(tls: ssl.SSLContext | None = None) -> Iterator[FakeRegistry]:
    """Serves on a free loopback port until the block ends."""
    server = _Server(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.tls = tls
    registry = FakeRegistry(server.server_address[1])

    class Handler(_Handler):
        state = registry

    server.RequestHandlerClass = Handler
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield registry
    finally:
        registry.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shakes hands in the thread of the connection."""
        if self.tls is not None:
            try:
                request.settimeout(10)
                request = self.tls.wrap_socket(request, server_side=True)
            except OSError:
                return
        super().finish_request(request, client_address)
        if self.tls is not None:
            with contextlib.suppress(OSError):
                request.unwrap()
            request.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: FakeRegistry
    timeout = 20
    disable_nagle_algorithm = True  # headers and body are two writes

    def handle(self) -> None:
        self.state.connections += 1
        with contextlib.suppress(ConnectionError, TimeoutError):
            super().handle()

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        length = self.headers.get("Content-Length", "0")
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, parts.path, parse_qs(parts.query), headers, body)
        state = self.state
        state.asked.append(asked)
        peer = getattr(self.connection, "getpeercert", None)
        state.shown.append(bool(peer and peer()))
        status, sent, content = state.reply(asked)
        blob = "/blobs/sha" in parts.path and self.command == "GET" and status in (200, 206)
        cut = state.cuts.pop(0) if blob and state.cuts else None
        endless = state.endless and "/manifests/" in parts.path and self.command == "GET"
        if state.drip_head:
            self._drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 10_000, state.drip_head)
            return
        self.send_response(status)
        for name, value in sent.items():
            self.send_header(name, value)
        if not endless:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if endless:
            self.close_connection = True
            while not state.over.is_set():
                self.wfile.write(b" " * 65536)
        elif state.drip and status == 200 and len(content) > 2:
            self._drip(content, state.drip)
        elif cut is not None:
            self.wfile.write(content[:cut])
            self.close_connection = True
        else:
            self.wfile.write(content)

    def _drip(self, content: bytes, seconds: float) -> None:
        self.close_connection = True
        for index in range(len(content)):
            if self.state.over.is_set():
                return
            self.wfile.write(content[index : index + 1])
            self.wfile.flush()
            time.sleep(seconds)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing."""


def _error(status: int, code: str) -> Answer:
    body = {"errors": [{"code": code, "message": f"{code.lower()} to this registry"}]}
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()
