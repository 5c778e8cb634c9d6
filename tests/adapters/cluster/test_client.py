"""Pages, retries and bounds of the client, against a server that misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.support.http import Answer, serve

from martello.adapters.cluster.client import Client
from martello.adapters.cluster.credentials import Credentials
from martello.adapters.cluster.failure import Denied
from martello.adapters.cluster.kinds import Kind
from martello.adapters.cluster.kubeconfig import Access
from martello.adapters.cluster.read import read
from martello.core.errors import BadInput, MartelloError, NotPermitted, Unreachable
from martello.core.secret import Secret

PODS = "/api/v1/pods"


def _page(*names: str, token: str = "") -> dict[str, Any]:
    items = [{"metadata": {"name": name, "namespace": "n"}} for name in names]
    return {"kind": "PodList", "metadata": {"continue": token}, "items": items}


def _list(
    answer: Callable[[str], Answer], *, limit: int = 2, largest: int = 1 << 20
) -> tuple[list[tuple[int, list[str]]], list[str]]:
    with serve(answer) as server:

        async def run() -> list[tuple[int, list[str]]]:
            found: list[tuple[int, list[str]]] = []
            async with Client(Access("c", server.url, Credentials()), largest=largest) as client:
                async for attempt, items in client.pages(PODS, limit=limit):
                    found.append((attempt, [item["metadata"]["name"] for item in items]))
            return found

        return asyncio.run(run()), server.asked


def _asked(path: str) -> str:
    return parse_qs(urlsplit(path).query).get("continue", [""])[0]


def _gone(token: str = "") -> Answer:
    return 410, {"kind": "Status", "message": "too old", "metadata": {"continue": token}}


def test_an_expired_list_starts_anew() -> None:
    answers: list[Answer] = [(200, _page("a", token="t1")), _gone(), (200, _page("a", "b"))]
    pages, asked = _list(lambda path: answers.pop(0))
    assert pages == [(0, ["a"]), (1, ["a", "b"])]
    assert [_asked(path) for path in asked] == ["", "t1", ""]


def test_a_list_that_always_expires_goes_on_with_the_offered_token() -> None:
    def answer(path: str) -> Answer:
        token = _asked(path)
        if not token:
            return 200, _page("a", token="t1")
        return _gone("offered") if token == "t1" else (200, _page("b"))

    pages, asked = _list(answer)
    assert pages == [(0, ["a"]), (1, ["a"]), (2, ["a"]), (2, ["b"])]
    assert len(asked) == 7


def test_a_list_that_expires_and_offers_nothing_is_denied() -> None:
    with pytest.raises(Denied, match="too old"):
        _list(lambda path: _gone() if _asked(path) else (200, _page("a", token="t")))


def test_pages_that_repeat_end() -> None:
    with pytest.raises(Denied, match="repeat"):
        _list(lambda path: (200, _page("a", token="same")))


def test_large_answers_are_asked_for_in_smaller_pages() -> None:
    def answer(path: str) -> Answer:
        limit = int(parse_qs(urlsplit(path).query)["limit"][0])
        return 200, (_page("a") if limit < 10 else b"x" * 5000)

    pages, asked = _list(answer, limit=100, largest=4000)
    assert pages == [(0, ["a"])]
    assert len(asked) == 3
    with pytest.raises(Denied, match="one object of it"):
        _list(lambda path: (200, b"x" * 5000), limit=100, largest=4000)


def test_a_busy_server_is_asked_three_times() -> None:
    answers: list[Answer] = [(503, {}), (429, {}), (200, _page("a"))]
    pages, asked = _list(lambda path: answers.pop(0))
    assert pages == [(0, ["a"])]
    assert len(asked) == 3
    tries: list[str] = []

    def busy(path: str) -> Answer:
        tries.append(path)
        return 503, {"message": "down for\nrepair\x1b[31m"}

    with pytest.raises(Denied) as caught:
        _list(busy)
    assert len(tries) == 3
    assert caught.value.why == "down for repair [31m"


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (401, {"message": "Unauthorized"}, NotPermitted, "does not accept who we are"),
        (200, b"<html>sign in</html>", Unreachable, "is no API server"),
        (200, b"[" * 5000, Unreachable, "is no API server"),
        (302, b"", Unreachable, "is no API server"),
        (200, [1], Unreachable, "is no API server"),
    ],
)
def test_no_use_in_going_on(status: int, body: Any, error: type[MartelloError], words: str) -> None:
    with pytest.raises(error, match=words):
        _list(lambda path: (status, body))


def test_no_list() -> None:
    with pytest.raises(Denied, match="no list"):
        _list(lambda path: (200, {"items": "x"}))
    assert _list(lambda path: (200, {"items": None}))[0] == [(0, [])]


def test_what_is_sent() -> None:
    credentials = Credentials(Secret("t"), impersonate=(("Impersonate-User", "jane"),))
    with serve(lambda path: (200, {})) as server:

        async def run() -> None:
            async with Client(Access("c", f"{server.url}/prefix", credentials)) as client:
                await client.get("/version")

        asyncio.run(run())
    assert server.asked == ["/prefix/version"]
    sent = {key.lower(): value for key, value in server.headers[0].items()}
    assert sent["authorization"] == "Bearer t"
    assert sent["accept"] == "application/json"
    assert sent["impersonate-user"] == "jane"
    assert sent["user-agent"].startswith("martello/")


def _version(found: Access) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        async with Client(found) as client:
            return await client.get("/version")

    return asyncio.run(run())


def test_a_proxy_is_used() -> None:
    with serve(lambda path: (200, {"path": path})) as proxy:
        found = Access("c", "http://api.example", Credentials(), proxy=proxy.url)
        assert _version(found) == {"path": "http://api.example/version"}
    with pytest.raises(BadInput, match="cannot use the address of c"):
        _version(Access("c", "https://api.example", Credentials(), proxy="gopher://x"))


def test_a_server_without_tls() -> None:
    with serve(lambda path: (200, {})) as server:
        address = server.url.replace("http:", "https:")
        with pytest.raises(Unreachable) as caught:
            _version(Access("c", address, Credentials()))
    assert "it does not speak TLS as we do" in caught.value.why


@pytest.mark.parametrize(
    "found",
    [
        Access("c", "https://api.example", Credentials(), authority=b"no certificate"),
        Access("c", "https://api.example", Credentials(certificate=b"none", key=Secret("none"))),
        Access("c", "https://api.example:port", Credentials()),
    ],
)
def test_what_cannot_be_used_is_named(found: Access) -> None:
    with pytest.raises(BadInput, match=r"cannot (read|use)"):
        _version(found)


def test_one_list_that_breaks_leaves_the_others() -> None:
    def answer(path: str) -> Answer:
        if urlsplit(path).path == PODS:
            return 200, b"<html>"
        return _world(path)

    kinds = [Kind("", "Pod", "pods", True), Kind("batch", "Job", "jobs", True)]
    with serve(answer) as server:
        found = Access("c", server.url, Credentials())
        reading = asyncio.run(read(found, kinds=kinds))
        assert [r.ref.kind for r in reading.resources] == ["Job"]
        assert "is no API server" in reading.unlisted["Pod"]
        assert [u.asked for u in reading.unassessed] == [True]
        with pytest.raises(Unreachable, match="is no API server"):
            asyncio.run(read(found, kinds=kinds[:1]))


def _world(path: str) -> Answer:
    """A server whose `apps` is broken, and which holds odd objects."""
    path = urlsplit(path).path
    if path == "/version":
        return 200, {"major": "1", "minor": "34+"}
    if path == "/apis":
        batch = [{"version": "v2"}, {"version": "v1"}]
        groups = [
            {"name": "apps", "versions": [{"version": "v1"}]},
            {"name": "batch", "versions": batch, "preferredVersion": {"version": "v1"}},
        ]
        return 200, {"groups": groups}
    served = {
        "/api/v1": [("pods", "Pod")],
        "/apis/batch/v1": [("jobs", "Job")],
        "/apis/batch/v2": [("jobs", "Job"), ("cronjobs", "CronJob")],
    }
    if path in served:
        entries = [
            {"name": name, "kind": kind, "namespaced": True, "verbs": ["list"]}
            for name, kind in served[path]
        ]
        return 200, {"resources": entries}
    if path == PODS:
        odd = ["text", None, {"metadata": 5}, {"metadata": {"name": ["x"]}}]
        return 200, {"items": [*odd, *_page("good")["items"]]}
    if path in ("/apis/batch/v1/jobs", "/apis/batch/v2/cronjobs"):
        return 200, _page("one")
    return 404, {"message": "the server could not find it"}


def test_odd_objects_and_broken_groups() -> None:
    kinds = [
        Kind("", "Pod", "pods", True, required=True),
        Kind("apps", "Deployment", "deployments", True, required=True),
        Kind("batch", "Job", "jobs", True, required=True),
        Kind("batch", "CronJob", "cronjobs", True, required=True),
        Kind("policy", "PodDisruptionBudget", "poddisruptionbudgets", True, required=True),
        Kind("gateway.networking.k8s.io", "Gateway", "gateways", True),
    ]
    with serve(_world) as server:
        reading = asyncio.run(read(Access("c", server.url, Credentials()), kinds=kinds))
    assert reading.kubernetes == 34
    refs = [(r.ref.api_version, r.ref.kind, r.ref.name) for r in reading.resources]
    assert refs == [
        ("v1", "Pod", "good"),
        ("batch/v1", "Job", "one"),
        ("batch/v2", "CronJob", "one"),
    ]
    assert set(reading.unlisted) == {"Deployment.apps", "PodDisruptionBudget.policy"}
    assert "could not be read (404)" in reading.unlisted["Deployment.apps"]
    reasons = [u.reason for u in reading.unassessed]
    assert sum("an object among pods" in reason for reason in reasons) == 4
    assert [u.asked for u in reading.unassessed if "does not serve" in u.reason] == [False]
