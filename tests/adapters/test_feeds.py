"""Feeds over HTTP: what changed, with patience and limits, and no way out of encryption."""

from __future__ import annotations

import contextlib
import gzip
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.support.certificates import Authority

from martello.adapters.feeds import Feeds
from martello.core.errors import BadInput, NotPermitted, Refused, Unreachable

Answer = tuple[int, dict[str, str], bytes]


@contextlib.contextmanager
def serving(answers: Callable[[str], Answer], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that says what it is told to; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, content = answers(self.path)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def waits() -> list[float]:
    """How long was waited between tries."""
    return []


@pytest.fixture
def feeds(waits: list[float]) -> Iterator[Feeds]:
    """Feeds that wait for nothing."""
    made = Feeds(sleep=waits.append)
    yield made
    made.close()


def test_what_a_server_says_of_a_feed(feeds: Feeds) -> None:
    headers = {"ETag": '"1"', "Last-Modified": "Mon, 03 Feb 2031 04:05:06 GMT"}
    with serving(lambda _: (200, headers, b"abc")) as url:
        answer = feeds.get(f"{url}/x")
        assert answer is not None
        assert b"".join(answer.content) == b"abc"
        assert (answer.size, answer.etag, answer.time) == (3, '"1"', "2031-02-03T04:05:06Z")
    with serving(lambda _: (304, {}, b"")) as url:
        assert feeds.get(f"{url}/x", '"1"') is None


def test_a_compressed_answer_is_told_apart_from_its_size(feeds: Feeds) -> None:
    content = gzip.compress(b"abc" * 1000)
    with serving(lambda _: (200, {"Content-Encoding": "gzip"}, content)) as url:
        answer = feeds.get(url)
        assert answer is not None
        assert answer.size == -1
        assert b"".join(answer.content) == b"abc" * 1000


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(feeds: Feeds, waits: list[float], status: int) -> None:
    answers = iter([(status, {"Retry-After": "7"}, b""), (status, {}, b""), (200, {}, b"x")])
    with serving(lambda _: next(answers)) as url:
        answer = feeds.get(url)
        assert answer is not None
        assert b"".join(answer.content) == b"x"
    assert waits == [7.0, 2.0]


def test_patience_ends(feeds: Feeds, waits: list[float]) -> None:
    with (
        serving(lambda _: (503, {"Retry-After": "99999"}, b"")) as url,
        pytest.raises(Unreachable, match="cannot read") as caught,
    ):
        feeds.get(url)
    assert "503" in caught.value.why
    assert waits == [30.0] * 3
    with pytest.raises(Unreachable):
        feeds.get(url)  # nobody listens there any more


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, NotPermitted),
        (403, NotPermitted),
        (404, BadInput),
        (410, BadInput),
        (418, Unreachable),
    ],
)
def test_refusals_are_told(feeds: Feeds, status: int, error: type[Exception]) -> None:
    with serving(lambda _: (status, {}, b"")) as url, pytest.raises(error):
        feeds.get(url)


def test_a_cut_feed_is_no_feed(feeds: Feeds) -> None:
    with serving(lambda _: (200, {"Content-Length": "10"}, b"abc")) as url:
        answer = feeds.get(url)
        assert answer is not None
        with pytest.raises(Unreachable):
            list(answer.content)


def test_a_feed_that_never_ends_ends() -> None:
    ticks = iter(range(0, 10_000_000, 3000))
    slow = Feeds(clock=lambda: float(next(ticks)))
    with serving(lambda _: (200, {}, b"x" * (1 << 20))) as url:
        answer = slow.get(url)
        assert answer is not None
        with pytest.raises(Unreachable, match="cannot read") as caught:
            list(answer.content)
    slow.close()
    assert "3600 s" in caught.value.why


@pytest.mark.parametrize("url", ["", "x", "ftp://127.0.0.1/x", "http://", "http://[::1"])
def test_what_is_no_address_is_told(feeds: Feeds, url: str, waits: list[float]) -> None:
    with pytest.raises(Unreachable):
        feeds.get(url)
    assert len(waits) <= 3


def test_a_redirect_is_followed_but_never_out_of_encryption(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.server("mirror", "127.0.0.1")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    feeds = Feeds(authority=str(authority.file))
    with serving(lambda _: (200, {}, b"plain")) as plain:
        leads = {"/out": plain, "/in": "/feed"}

        def answer(path: str) -> Answer:
            to = leads.get(path)
            return (302, {"Location": to}, b"") if to else (200, {}, b"safe")

        with serving(answer, tls) as url:
            found = feeds.get(f"{url}/in")
            assert found is not None
            assert b"".join(found.content) == b"safe"
            with pytest.raises(Refused, match="will not read"):
                feeds.get(f"{url}/out")
            leads["/out"] = "/out"
            with pytest.raises(Unreachable):
                feeds.get(f"{url}/out")
    feeds.close()


def test_an_authority_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "none.pem"):
        with pytest.raises(BadInput, match="cannot read"):
            Feeds(authority=str(tmp_path / name))
