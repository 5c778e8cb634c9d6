"""A collection that is followed: by a real API server, and by servers that misbehave."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("pyarrow")

from tests.support.apiserver import ApiServer, Missing, run
from tests.support.http import Answer, serve
from tests.support.monitor.kept import kubeconfig

from martello.cli.monitor import collection
from martello.cli.monitor.collection import Collection
from martello.cli.monitor.jobs import Jobs
from martello.core.errors import NotPermitted, Unreachable

PODS = "/api/v1/pods"
RBAC = "rbac.authorization.k8s.io"


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_PAUSE", "_LISTED", "_LOOK"):
        monkeypatch.setattr(collection, name, 0.1)


def flags_of(url: str, place: Path) -> dict[str, Any]:
    (place / "config").write_text(json.dumps(kubeconfig(url)))
    return {"context": "", "kubeconfig": str(place / "config"), "own": None}


class Taken:
    """What was given, in order; `full` as long as there is no room."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []
        self.full = False

    def __call__(self, found: list[dict[str, Any]]) -> None:
        if self.full:
            raise Unreachable("there is no room", "the disk is full")
        self.given += found

    @property
    def names(self) -> list[str]:
        return [one["metadata"]["name"] for one in self.given]


@contextlib.contextmanager
def followed(flags: dict[str, Any], take: Taken, path: str = PODS) -> Iterator[Jobs]:
    jobs = Jobs()
    Collection(flags, path, "pods", take).follow(jobs)
    try:
        yield jobs
    finally:
        begun = time.monotonic()
        jobs.end()
        assert time.monotonic() - begun < 3
        assert not any(thread.name == "pods" for thread in threading.enumerate())


@contextlib.contextmanager
def told(
    answer: Callable[[str], Answer], take: Taken, place: Path
) -> Iterator[tuple[Jobs, list[str]]]:
    """A server that answers so is followed: the jobs, and what was asked."""
    with serve(answer) as server, followed(flags_of(server.url, place), take) as jobs:
        yield jobs, server.asked


def until(true: Callable[[], object], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def change(kind: str, name: str, version: int) -> bytes:
    meta = {"name": name, "resourceVersion": str(version)}
    return json.dumps({"type": kind, "object": {"metadata": meta}}).encode() + b"\n"


def expired() -> bytes:
    status = {"kind": "Status", "code": 410, "message": "too old resource version"}
    return json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"


def version(path: str) -> str:
    return parse_qs(urlsplit(path).query)["resourceVersion"][0]


def test_a_watch_that_ends_goes_on_where_it_was(tmp_path: Path) -> None:
    answers: list[Answer] = [
        (200, change("ADDED", "a", 5) + change("BOOKMARK", "", 9)),
        (200, change("MODIFIED", "a", 12) + change("DELETED", "b", 13)),
    ]
    take = Taken()
    with told(lambda path: answers.pop(0) if answers else (200, b""), take, tmp_path) as (
        jobs,
        asked,
    ):
        until(lambda: len(asked) >= 3)
        assert jobs.trouble == ""
    assert [version(path) for path in asked[:3]] == ["0", "9", "13"]
    assert take.names == ["a", "a"]


def test_a_version_that_is_forgotten_begins_anew(tmp_path: Path) -> None:
    answers: list[Answer] = [
        (200, change("ADDED", "a", 5)),
        (200, expired()),
        (200, change("ADDED", "b", 90)),
        (410, {"kind": "Status", "message": "gone"}),
    ]
    take = Taken()
    with told(lambda path: answers.pop(0) if answers else (200, b""), take, tmp_path) as (
        jobs,
        asked,
    ):
        until(lambda: len(asked) >= 5)
        assert jobs.trouble == ""
    assert [version(path) for path in asked[:5]] == ["0", "5", "0", "90", "0"]
    assert take.names == ["a", "b"]


def test_what_stays_is_given_again_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who remembers only so many forgets those who were not told of for longest."""
    monkeypatch.setattr(collection, "_WHOLE", 1.5)
    take = Taken()

    def answer(path: str) -> Answer:
        return 200, change("ADDED", "a", 5) if version(path) == "0" else b""

    with told(answer, take, tmp_path) as (jobs, _):
        until(lambda: len(take.names) >= 3)
        assert jobs.trouble == ""


def test_what_found_no_room_is_given_again(tmp_path: Path) -> None:
    take = Taken()
    take.full = True
    with told(lambda path: (200, change("ADDED", "a", 5)), take, tmp_path) as (jobs, asked):
        until(lambda: "no room" in jobs.trouble)
        take.full = False
        until(lambda: take.names)
        until(lambda: jobs.trouble == "")
    assert version(asked[1]) == "0"


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]\n",
        b'{"type":"ADDED","object":[]}\n',
        b'{"type":7,"object":{}}\n',
        b'{"type":"ERROR","object":{}}\n',
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
    ],
    ids=["page", "list", "object", "type", "error", "bytes", "deep"],
)
def test_what_is_no_change_is_trouble_and_it_goes_on(tmp_path: Path, body: bytes) -> None:
    answers: list[Answer] = [(200, body + b"\n")]
    take = Taken()
    later = (200, change("ADDED", "a", 5))
    with told(lambda path: answers.pop(0) if answers else later, take, tmp_path) as (jobs, asked):
        until(lambda: take.names)
        until(lambda: jobs.trouble == "")
    assert len(asked) >= 2


def test_who_may_not_watch_lists(tmp_path: Path) -> None:
    items = {"kind": "PodList", "metadata": {}, "items": [{"metadata": {"name": "a"}}, 7]}

    def answer(path: str) -> Answer:
        return (403, {"message": "no watch"}) if "watch=" in path else (200, items)

    take = Taken()
    with told(answer, take, tmp_path) as (jobs, _):
        until(lambda: take.names == ["a"])
        assert jobs.trouble == ""


def test_a_server_that_is_away_is_trouble(tmp_path: Path) -> None:
    with serve(lambda path: (200, b"")) as server:
        flags = flags_of(server.url, tmp_path)
    with followed(flags, Taken()) as jobs:
        until(lambda: "cannot reach" in jobs.trouble)


@pytest.fixture(scope="module")
def api() -> Iterator[ApiServer]:
    try:
        with run(users={"reader": (), "lister": ()}) as server:
            for verbs, user in ((["list", "watch"], "reader"), (["list"], "lister")):
                server.apply(_may(user, verbs))
            yield server
    except Missing as missing:
        pytest.skip(str(missing))


def _may(user: str, verbs: list[str]) -> list[dict[str, Any]]:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs}]
    role = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": user}}
    binding = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": user}}
    return [
        {**role, "rules": rules},
        {
            **binding,
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": user},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
        },
    ]


def _map(name: str, **data: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


@pytest.mark.apiserver
@pytest.mark.parametrize("user", ["reader", "lister"])
def test_a_real_server_tells_what_is_there_and_what_changes(api: ApiServer, user: str) -> None:
    flags = {"context": "", "kubeconfig": str(api.kubeconfig(user)), "own": None}
    take = Taken()
    before, after = f"{user}-before", f"{user}-after"
    api.apply([_map(before)])
    with followed(flags, take, "/api/v1/configmaps") as jobs:
        until(lambda: before in take.names)
        api.apply([_map(after, word="one")])
        until(lambda: after in take.names)
        assert jobs.trouble == ""


@pytest.mark.apiserver
def test_who_may_nothing_is_told_what_is_missing(api: ApiServer) -> None:
    flags = {"context": "", "kubeconfig": str(api.kubeconfig("reader")), "own": None}
    with pytest.raises(NotPermitted, match="cannot list pods") as raised:
        Collection(flags, PODS, "pods", Taken()).read()
    assert "grant list of pods" in (raised.value.next or "")
    with followed(flags, Taken()) as jobs:
        until(lambda: "cannot list pods" in jobs.trouble)
