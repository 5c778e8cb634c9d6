"""The server: limits of size, time and connections, readiness, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.gate.test_door import GOOD_REVIEW, door
from tests.gate.test_images import SHOP
from tests.support.gate import Gate, Ledger, encoded, running

from martello.core.errors import BadInput
from martello.gate.server import Connections, Front, Limits

BODY = encoded(GOOD_REVIEW)


def front(**parts: Any) -> Front:
    """The HTTP side of a door that approves one digest."""
    return Front(door(), Limits(**parts))


def talk(one: Front, *calls: tuple[str, str, Any]) -> list[httpx.Response]:
    """Sends requests to the application, one after another."""

    async def run() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=one.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://gate") as client:
            return [await client.request(m, path, content=body) for m, path, body in calls]

    return asyncio.run(run())


async def slow() -> AsyncIterator[bytes]:
    """A body that does not end."""
    yield b"{"
    await asyncio.sleep(30)


def test_doors_and_pages() -> None:
    one = front()
    answers = talk(
        one,
        ("POST", "/validate", BODY),
        ("POST", "/mutate", BODY),
        ("POST", "/imagereview", BODY),
        ("GET", "/healthz", None),
        ("GET", "/readyz", None),
        ("GET", "/metrics", None),
        ("GET", "/validate", None),
        ("POST", "/other", BODY),
    )
    assert [a.status_code for a in answers] == [200, 200, 400, 200, 200, 200, 405, 404]
    assert answers[0].headers["content-type"] == "application/json"
    assert answers[0].json()["response"]["allowed"] is True
    assert answers[5].headers["content-type"].startswith("application/openmetrics-text")
    assert "martello_gate_reviews_total" in answers[5].text


def test_a_body_has_a_limit_said_or_not() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 100

    one = front(body=300)
    answers = talk(one, ("POST", "/validate", b"x" * 301), ("POST", "/validate", parts()))
    assert [a.status_code for a in answers] == [413, 413]
    assert one._held == 0
    large = encoded({**GOOD_REVIEW, "extra": "x" * (4 << 20)})
    assert talk(front(), ("POST", "/validate", large))[0].status_code == 200


def test_a_slow_client_and_too_much_at_once_are_failures_of_the_hook() -> None:
    late, after = talk(front(seconds=0.1), ("POST", "/validate", slow()), ("GET", "/healthz", None))
    assert (late.status_code, after.status_code) == (408, 200)
    assert talk(front(held=100), ("POST", "/validate", BODY))[0].status_code == 429


def test_readiness_tells_why_not() -> None:
    one = front()
    one.door.keeper.trouble = "the ledger is away"
    assert "the ledger is away" in talk(one, ("GET", "/readyz", None))[0].text
    one.draining = True
    answer, review = talk(one, ("GET", "/readyz", None), ("POST", "/validate", BODY))
    assert answer.status_code == 503
    assert review.status_code == 200
    assert review.headers["connection"] == "close"


def test_connections_end_after_a_time_and_a_number_of_reviews() -> None:
    now = [0.0]
    clock: Callable[[], float] = lambda: now[0]  # noqa: E731
    known = Connections(Limits(connection_seconds=60, connection_reviews=100), clock)
    a, b = ("10.0.0.1", 1), ("10.0.0.1", 2)
    counts = [known.last(a) for _ in range(121)]
    assert 80 <= counts.index(True) + 1 <= 120
    assert not known.last(b)
    now[0] = 47
    assert not known.last(b)
    now[0] = 73
    assert known.last(b)
    for port in range(20_000):
        known.last(("10.0.0.2", port))
    assert len(known._known) <= 4096


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("server")
    ledger = Ledger(home, SHOP)
    ledger.decide(f"sha256:{'a' * 64}")
    with running(home / "g", "--state", ledger.url, "--approver", str(ledger.public)) as gate:
        yield gate


def client(gate: Gate) -> httpx.Client:
    """A client that trusts the authority of the gate."""
    trust = ssl.create_default_context(cafile=str(gate.data / "ca.crt"))
    return httpx.Client(base_url=gate.url, verify=trust, trust_env=False, timeout=10)


def test_the_process_serves_over_tls_and_keeps_its_files_private(gate: Gate) -> None:
    with client(gate) as one:
        answers = [one.post("/validate", content=BODY) for _ in range(20)]
    assert {a.status_code for a in answers} == {200}
    for name in ("ca.key", "tls.key", "snapshot.key", "snapshot"):
        assert (gate.data / name).stat().st_mode & 0o077 == 0, name
    with pytest.raises(httpx.ConnectError), httpx.Client(trust_env=False) as stranger:
        stranger.get(gate.url)


def test_a_thousand_reviews_at_once_are_all_answered(gate: Gate) -> None:
    trust = ssl.create_default_context(cafile=str(gate.data / "ca.crt"))
    head = f"POST /validate HTTP/1.1\r\nHost: gate\r\nContent-Length: {len(BODY)}\r\n\r\n"

    async def several(count: int) -> list[bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", gate.port, ssl=trust)
        lines = []
        for _ in range(count):
            writer.write(head.encode() + BODY)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in answer.lower().split(b"\r\n") if b"length" in line)
            await reader.readexactly(int(length.split(b":")[1]))
            lines.append(answer.split(b"\r\n")[0])
        writer.close()
        with contextlib.suppress(ssl.SSLError):
            await writer.wait_closed()
        return lines

    async def run() -> list[list[bytes]]:
        return await asyncio.gather(*(several(10) for _ in range(100)))

    answers = [line for lines in asyncio.run(run()) for line in lines]
    assert answers == [b"HTTP/1.1 200 OK"] * 1000


def test_z_it_ends_in_order(gate: Gate) -> None:
    done: list[int] = []
    with client(gate) as one:
        assert one.post("/validate", content=BODY).status_code == 200
        ender = threading.Thread(target=lambda: done.append(gate.end(signal.SIGTERM)))
        ender.start()
        deadline = time.monotonic() + 4
        while one.get("/readyz").status_code != 503 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert one.get("/readyz").status_code == 503
        last = one.post("/validate", content=BODY)
        assert last.status_code == 200
        assert json.loads(last.content)["response"]["uid"]
    ender.join(15)
    assert done == [0]
    assert "Traceback" not in gate.log


def test_words_that_cannot_be_served_by(tmp_path: Path) -> None:
    from martello.cli.commands.gate.serve import _address

    assert _address("[::1]:8443") == ("::1", 8443)
    for text in ("8443", "x:y", ":99999"):
        with pytest.raises(BadInput):
            _address(text)
