"""A bundle gives back the reading that was saved, and a hostile one does no harm."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path as File
from typing import Any

import msgspec
import pytest
from tests.support.apiserver import ApiServer

from martello.adapters.bundle import Limits, read_bundle, save
from martello.adapters.cluster.read import read_cluster
from martello.adapters.redact import MARKER
from martello.core.errors import BadInput
from martello.core.finding import Unassessed
from martello.core.path import Path
from martello.core.reading import Reading
from martello.core.resource import Comment, Duplicate, Location, Ref, Resource, resource_of

TAKEN = "2026-11-23T05:00:00Z"


class Text:
    """An origin with text: each node a line below its parent."""

    where = "deploy/app.yaml"

    def locate(self, path: Path) -> Location:
        known: list[Path] = [(), ("metadata",), ("metadata", "name"), ("spec",), ("spec", "a", 1)]
        while path not in known:
            path = path[:-1]
        return Location(self.where, 10 + known.index(path), 1 + len(path))

    def comments(self) -> tuple[Comment, ...]:
        return (Comment(9, "checkov:skip=CKV_K8S_1: why"), Comment(12, "the password is hunter2"))

    def duplicates(self) -> tuple[Duplicate, ...]:
        at = Location(self.where, 3, 1), Location(self.where, 4, 1)
        return (Duplicate(("spec", "a", 0), *at),)


def _pod(name: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "n", "uid": f"u-{name}"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _reading(*raws: dict[str, Any]) -> Reading:
    return Reading(
        "deploy",
        tuple(resource_of(raw, Text()) for raw in raws),
        (Unassessed("refused", Location("deploy", 3, 4), ref=Ref("", "v1", "Pod", "n", "x")),),
        {"Secret": "refused"},
        3,
        2,
        1,
        34,
        "",
    )


def _same(one: Reading, other: Reading) -> None:
    for field in Reading.__struct_fields__:
        if field != "resources":
            assert getattr(one, field) == getattr(other, field), field
    assert [r.ref for r in one.resources] == [r.ref for r in other.resources]
    assert [r.raw for r in one.resources] == [r.raw for r in other.resources]
    assert [r.origin.where for r in one.resources] == [r.origin.where for r in other.resources]


def test_a_reading_of_files_comes_back(tmp_path: File) -> None:
    reading = _reading(_pod("a", a=[1, 2, {"b": None}]), _pod("ü", a=[]))
    save(reading, tmp_path / "b", taken=TAKEN)
    again = read_bundle(tmp_path / "b")
    _same(reading, again)
    first = again.resources[0]
    for path in ((), ("metadata", "name"), ("spec", "a", 1), ("spec", "a", 2, "b"), ("spec", "no")):
        assert first.locate(path) == Text().locate(path)
    comments = (Comment(9, "checkov:skip=CKV_K8S_1: why"), Comment(12, ""))
    assert first.origin.comments() == comments
    assert first.origin.duplicates() == Text().duplicates()


def test_the_same_reading_gives_the_same_bytes(tmp_path: File) -> None:
    for name in ("one", "two"):
        save(_reading(_pod("a")), tmp_path / name, taken=TAKEN)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one", "two"]
    assert (tmp_path / "one").stat().st_mode & 0o077 == 0


def test_secrets_are_redacted(tmp_path: File) -> None:
    env = [{"name": "DB_PASSWORD", "value": "hunter2"}]
    save(_reading(_pod("a", containers=[{"env": env}])), tmp_path / "b", taken=TAKEN)
    assert b"hunter2" not in gzip.decompress((tmp_path / "b").read_bytes())
    spec = read_bundle(tmp_path / "b").resources[0].spec
    assert spec["containers"][0]["env"] == [{"name": "DB_PASSWORD", "value": MARKER}]


def test_a_reference_of_its_own_comes_back(tmp_path: File) -> None:
    raw = _pod("a")
    reading = _reading()
    own = Resource(raw, Ref("other", "v1", "Pod", "elsewhere", "a"), Text())
    reading = msgspec.structs.replace(reading, resources=(own,))
    save(reading, tmp_path / "b", taken=TAKEN)
    assert read_bundle(tmp_path / "b").resources[0].ref == own.ref


def test_what_cannot_be_kept_is_unassessed(tmp_path: File) -> None:
    deep: Any = "x"
    for _ in range(150):
        deep = [deep]
    too_deep: Any = "x"
    for _ in range(400):
        too_deep = {"k": too_deep}
    reading = _reading(_pod("a", x=too_deep), _pod("b", x=10**30), _pod("good", x=deep))
    save(reading, tmp_path / "b", taken=TAKEN)
    again = read_bundle(tmp_path / "b")
    assert [r.ref.name for r in again.resources] == ["good"]
    lost = again.unassessed[1:]
    assert [u.ref.name for u in lost if u.ref] == ["a", "b"]
    assert all(u.asked for u in lost)


@pytest.mark.apiserver
def test_a_live_reading_comes_back(apiserver: ApiServer, tmp_path: File) -> None:
    reading = read_cluster(kubeconfig=str(apiserver.kubeconfig("half")))
    assert reading.unlisted
    for live in (reading, read_cluster(kubeconfig=str(apiserver.kubeconfig()))):
        save(live, tmp_path / "b", taken=TAKEN)
        again = read_bundle(tmp_path / "b")
        _same(live, again)
        for one, other in zip(live.resources, again.resources, strict=True):
            assert one.locate(("metadata",)) == other.locate(("metadata",))


def _write(file: File, *lines: Any) -> File:
    header = {
        "martello_bundle": 1,
        "taken": TAKEN,
        "target": "t",
        "cluster": "",
        "kubernetes": None,
        "unlisted": {},
        "unassessed": [],
        "files": 0,
        "foreign": 0,
        "partial": 0,
    }
    texts = [x if isinstance(x, bytes) else json.dumps(x).encode() for x in (header, *lines)]
    file.write_bytes(gzip.compress(b"\n".join(texts) + b"\n"))
    return file


def _nested(depth: int) -> dict[str, Any]:
    """A Pod that no walk over its fields gets to the end of."""
    inner: dict[str, Any] = {}
    for _ in range(depth):
        inner = {"a": inner}
    return {"object": _pod("a", x=inner)}


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b"\xff",
        {},
        {"object": 5},
        {"object": {"kind": "Pod"}},
        {"object": _pod("a"), "where": 5},
        {"object": _pod("a"), "ref": ["a"]},
        {"object": _pod("a"), "at": [1]},
        {"object": _pod("a"), "at": [1, 2, {"x": ["a", 2]}]},
        {"object": _pod("a"), "at": [0, 2]},
        {"object": _pod("a"), "at": [1, 1 << 40]},
        {"object": _pod("a"), "at": [1, 2], "comments": [5]},
        {"object": _pod("a"), "at": [1, 2], "comments": [[-1, "x"]]},
        {"object": _pod("a"), "at": [1, 2], "duplicates": [[[{}], 2, 3, 4, 5]]},
        {"object": _pod("a"), "at": [1, 2], "duplicates": [[["x"], 2, 3, 4, 0]]},
        _nested(500),
        {"object": _pod("a"), "at": [1, 2], "duplicates": [[1, 2, 3, 4, 5]]},
    ],
)
def test_a_broken_line_is_unassessed_and_the_next_is_read(tmp_path: File, line: Any) -> None:
    file = _write(tmp_path / "b", line, {"object": _pod("good")}, {"end": 2, "lost": []})
    reading = read_bundle(file)
    assert [r.ref.name for r in reading.resources] == ["good"]
    (trouble,) = reading.unassessed
    assert trouble.location == Location(str(file), 2, 1)
    assert trouble.asked


def test_what_is_missing_is_noticed(tmp_path: File) -> None:
    whole = _write(tmp_path / "b", {"object": _pod("a")}, {"end": 2})
    assert "not complete" in read_bundle(whole).unassessed[0].reason
    endless = _write(tmp_path / "c", {"object": _pod("a")})
    assert "not complete" in read_bundle(endless).unassessed[0].reason
    packed = _write(tmp_path / "d", *[{"object": _pod(f"p{n}")} for n in range(5000)]).read_bytes()
    (tmp_path / "d").write_bytes(packed[: len(packed) // 2])
    half = read_bundle(tmp_path / "d")
    assert 0 < len(half.resources) < 5000
    assert half.unassessed[0].reason == "the bundle was cut off"
    (tmp_path / "e").write_bytes(packed[:-8] + bytes(8))
    assert "damaged" in read_bundle(tmp_path / "e").unassessed[-1].reason


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no gzip",
        gzip.compress(b"", mtime=0),
        gzip.compress(b"{}\n", mtime=0),
        gzip.compress(b'{"martello_bundle": 2}\n', mtime=0),
        gzip.compress(b'{"martello_bundle": 1}\n', mtime=0),
        gzip.compress(b"\x00" * 1000, mtime=0),
        zlib.compress(b"{}"),
    ],
)
def test_no_bundle(tmp_path: File, content: bytes) -> None:
    file = tmp_path / "b"
    file.write_bytes(content)
    with pytest.raises(BadInput, match="is no bundle") as caught:
        read_bundle(file)
    assert caught.value.why


def test_bombs_are_bounded(tmp_path: File) -> None:
    zeros = b"0" * (8 << 20)
    file = _write(tmp_path / "b", {"object": _pod("a")}, zeros, zeros)
    small = Limits(ratio=10, free=1 << 20)
    assert "more than it may" in read_bundle(file, small).unassessed[0].reason
    assert "longer than 1 MiB" in read_bundle(file, Limits(line=1 << 20)).unassessed[0].reason
    tiny = Limits(unpacked=2 << 20)
    assert "more than it may" in read_bundle(file, tiny).unassessed[0].reason


def test_unreadable_and_unwritable(tmp_path: File) -> None:
    with pytest.raises(BadInput, match="cannot read"):
        read_bundle(tmp_path / "absent")
    with pytest.raises(BadInput, match="cannot read"):
        read_bundle(tmp_path)
    with pytest.raises(BadInput, match="cannot write"):
        save(_reading(), tmp_path / "no" / "b", taken=TAKEN)
