"""Registries that fail, lie or never end, against the fake one."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest
from tests.support.fake_registry import Answer, Asked, FakeRegistry, fake
from tests.support.registry_settings import settings

from martello.adapters.registry.client import Registry, connect
from martello.adapters.registry.network import Network
from martello.core.artifact import LARGEST_MANIFEST, OCI_MANIFEST, digest_of
from martello.core.errors import BadInput, MartelloError, NotPermitted, Refused, Unreachable

RAW = json.dumps({"schemaVersion": 2, "config": {}, "layers": []}).encode()


@pytest.fixture
def there() -> Iterator[FakeRegistry]:
    with fake() as registry:
        registry.put("a/b", "1", RAW, OCI_MANIFEST)
        yield registry


def at(registry: FakeRegistry, clock: list[float] | None = None, **more: Any) -> Registry:
    """A client of its repository a/b."""
    return connect(f"{registry.url}/a/b:1", settings(clock, **more))


def failure(registry: FakeRegistry, clock: list[float] | None = None, **more: Any) -> MartelloError:
    """What reading the manifest raises; it names the host."""
    with at(registry, clock, **more) as ours, pytest.raises(MartelloError) as caught:
        ours.manifest()
    assert registry.url in str(caught.value)
    return caught.value


def test_N7_a_digest_comes_from_the_bytes(there: FakeRegistry) -> None:
    with at(there) as ours:
        assert ours.manifest() == (RAW, OCI_MANIFEST)
        assert ours.resolve() == digest_of(RAW)
        assert ours.resolve(digest_of(RAW)) == digest_of(RAW)


def test_N7_a_lying_header_is_refused(there: FakeRegistry) -> None:
    there.lie = f"sha256:{'1' * 64}"
    assert isinstance(failure(there), Refused)
    assert there.count("GET", "manifests") == 1


@pytest.mark.parametrize("reference", ["1", digest_of(RAW)])
def test_N7_other_bytes_are_refused(there: FakeRegistry, reference: str) -> None:
    there.wrong = b"{}"
    with at(there) as ours, pytest.raises(Refused):
        ours.manifest(reference)


def test_N7_other_bytes_are_refused_whatever_the_header_says(there: FakeRegistry) -> None:
    there.wrong, there.lie = b"{}", digest_of(b"{}")
    with at(there) as ours, pytest.raises(Refused):
        ours.manifest(digest_of(RAW))
    there.wrong, there.lie = b"{}", "sha512:no"
    with at(there) as ours, pytest.raises(Refused):
        ours.manifest(digest_of(RAW))


def test_N8_all_types_are_asked_for_and_schema_1_is_refused_by_name(there: FakeRegistry) -> None:
    there.put("a/b", "1", b"{}", "application/vnd.docker.distribution.manifest.v1+prettyjws")
    assert "schema 1" in failure(there).why
    accept = there.asked[-1].headers["accept"]
    for part in ("oci.image.index", "oci.image.manifest", "manifest.list.v2", "manifest.v2"):
        assert part in accept


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_N9_a_busy_registry_is_asked_again(there: FakeRegistry, status: int) -> None:
    clock: list[float] = []
    with at(there, clock) as ours:
        ours.head()  # so that the question for the scheme is not the one that is put off
        there.busy = [(status, ""), (status, "7"), (status, "")]
        assert ours.manifest()[0] == RAW
    assert clock[-3:] == [0.25, 7.0, 1.0]


def test_N9_the_date_form_is_understood(there: FakeRegistry) -> None:
    clock: list[float] = []
    with at(there, clock, now=lambda: 1_000_000.0) as ours:
        ours.head()
        there.busy = [(429, formatdate(1_000_012.0, usegmt=True)), (429, "nonsense"), (503, "-5")]
        assert ours.manifest()[0] == RAW
    assert clock == [12.0, 0.5, 0.0]


def test_N9_patience_ends_with_its_budget(there: FakeRegistry) -> None:
    clock: list[float] = []
    there.busy = [(429, "50")] * 9
    found = failure(there, clock)
    assert isinstance(found, Unreachable)
    assert sum(clock) <= 60
    assert "429" in found.why
    assert "2 tries" in found.why
    assert "50 s more" in found.why
    there.busy = [(503, "")] * 99
    found = failure(there, clock)
    assert "6 tries" in found.why
    there.busy = [(429, "99999999999")] * 9
    clock.clear()
    assert failure(there, clock).exit_code == 4
    assert clock == []


@pytest.mark.parametrize(("status", "kind"), [(403, NotPermitted), (404, BadInput)])
def test_statuses_become_errors(
    there: FakeRegistry, status: int, kind: type[MartelloError]
) -> None:
    there.answer = lambda asked: (status, {}, b"{}") if "manifests" in asked.path else None
    found = failure(there)
    assert isinstance(found, kind)
    assert str(status) in found.why


@pytest.mark.parametrize("status", [500, 418, 302, 204, 101, 599])
def test_any_other_status_is_told_too(there: FakeRegistry, status: int) -> None:
    there.answer = lambda asked: (status, {}, b"") if "manifests" in asked.path else None
    with at(there, silence=1.0) as ours, pytest.raises(MartelloError) as caught:
        ours.manifest()
    assert there.url in str(caught.value)


def test_N11_one_connection_serves_many_requests(there: FakeRegistry) -> None:
    with at(there) as ours:
        for _ in range(5):
            ours.manifest()
    assert there.count("GET", "manifests") == 5
    assert there.connections == 1


def test_one_client_serves_many_threads(there: FakeRegistry) -> None:
    there.bearer = True
    got: list[bytes] = []
    with Network(settings()) as network:
        ours = connect(f"{there.url}/a/b:1", network=network)
        threads = [
            threading.Thread(target=lambda: got.append(ours.manifest()[0])) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert got == [RAW] * 8


def test_an_endless_manifest_is_cut_off(there: FakeRegistry) -> None:
    there.endless = True
    assert "4 MiB" in failure(there).why


def test_a_huge_manifest_is_cut_off(there: FakeRegistry) -> None:
    there.put("a/b", "1", b" " * (LARGEST_MANIFEST + 1), OCI_MANIFEST)
    assert "4 MiB" in failure(there).why


def test_a_huge_error_answer_is_cut_off(there: FakeRegistry) -> None:
    told = json.dumps({"errors": [{"message": "x" * 5_000_000}]}).encode()
    there.answer = lambda asked: (400, {}, told) if "manifests" in asked.path else None
    assert len(str(failure(there))) < 1000


@pytest.mark.parametrize("switch", ["drip", "drip_head"])
def test_a_slow_loris_meets_the_deadline(there: FakeRegistry, switch: str) -> None:
    with at(there, exchange=0.6, silence=0.5, connect=0.3) as ours:
        ours.head()
        setattr(there, switch, 0.02)
        started = time.monotonic()
        with pytest.raises(Unreachable) as caught:
            ours.manifest()
        assert time.monotonic() - started < 3
        assert "too slowly" in caught.value.why


def test_N6_another_host_never_sees_the_authorization(there: FakeRegistry) -> None:
    there.bearer = True
    with fake() as other:
        content = b"a layer"
        digest = there.put_blob("a/b", content)
        there.redirect = lambda path: f"http://someone:pw@{other.url}{path}?X-Sig=secret"
        other.put_blob("a/b", content)
        with at(there) as ours:
            assert b"".join(ours.blob(_described(digest, content))) == content
        assert [a for a in there.asked if "Bearer" in a.headers.get("authorization", "")]
        blobs = [a for a in other.asked if "/blobs/" in a.path]
        assert blobs
        assert not [a for a in other.asked if "authorization" in a.headers]
        other.answer = lambda asked: (403, {}, b"no")
        with at(there) as ours, pytest.raises(MartelloError) as caught:
            list(ours.blob(_described(digest, content)))
        assert "secret" not in str(caught.value)


def test_N6_redirects_are_bounded(there: FakeRegistry) -> None:
    digest = there.put_blob("a/b", b"x")
    there.redirect = lambda path: path
    with at(there) as ours, pytest.raises(Unreachable, match="cannot read") as caught:
        list(ours.blob(_described(digest, b"x")))
    assert "circle" in caught.value.why
    there.answer = lambda asked: (
        (302, {"Location": f"{asked.path}a"}, b"") if "blobs" in asked.path else None
    )
    with at(there) as ours, pytest.raises(Unreachable) as caught:
        list(ours.blob(_described(digest, b"x")))
    assert "more than 5" in caught.value.why


@pytest.mark.parametrize("location", ["ftp://x/y", "http://[", "javascript:1", "//"])
def test_N6_nonsense_locations_are_refused(there: FakeRegistry, location: str) -> None:
    digest = there.put_blob("a/b", b"x")
    there.redirect = lambda path: location
    with at(there) as ours, pytest.raises(MartelloError) as caught:
        list(ours.blob(_described(digest, b"x")))
    assert caught.value.exit_code == 4


HOSTILE: dict[str, Answer] = {
    "an encoding nobody asked for": (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b nonsense"),
    "a length that is none": (200, {"Content-Type": "\x01"}, b"{}"),
    "controls": (400, {}, b'{"errors":[{"code":"\\u001b[31m","message":"\\u001b[2J\\n\\u0000"}]}'),
    "deep": (400, {}, b'{"errors":' + b"[" * 100_000),
    "many headers": (200, {f"X-{n}": "y" * 1000 for n in range(2000)}, b"{}"),
    "cookies": (404, {"Set-Cookie": "a=b; Domain=127.0.0.1"}, b""),
    "a digest that is none": (200, {"Docker-Content-Digest": "sha256:\x7f"}, b"{}"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answers_end_in_words(there: FakeRegistry, name: str) -> None:
    def answer(asked: Asked) -> Answer | None:
        return HOSTILE[name] if "manifests" in asked.path else None

    there.answer = answer
    with at(there) as ours:
        try:
            raw, text = ours.manifest()[0], ""
        except MartelloError as error:
            raw, text = HOSTILE[name][2], str(error)
    assert raw == HOSTILE[name][2]
    assert "\x1b" not in text
    assert len(text) < 1500
    assert not [a for a in there.asked if "cookie" in a.headers]


def test_what_speaks_no_http_is_told_from_what_does() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def babble() -> None:
            for _ in range(4):
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(100)
                    connection.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=babble, daemon=True)
        thread.start()
        with connect(f"127.0.0.1:{port}/a/b:1", settings()) as ours:
            with pytest.raises(Unreachable) as caught:
                ours.manifest()
            assert f"127.0.0.1:{port}" in caught.value.what


def test_tags_come_in_pages(there: FakeRegistry) -> None:
    for number in range(7):
        there.put("a/b", f"v{number}", RAW, OCI_MANIFEST)
    with at(there) as ours:
        assert list(ours.tags()) == ["1", *(f"v{n}" for n in range(7))]
    assert there.count("GET", "tags/list") == 4


@pytest.mark.parametrize(
    "answer",
    [
        (200, {}, b"<html>"),
        (200, {}, b"[]"),
        (200, {"Link": "</v2/a/b/tags/list?n=1000>; rel=next"}, b'{"tags": {"a": 1}}'),
    ],
)
def test_nonsense_lists_end(there: FakeRegistry, answer: Answer) -> None:
    there.answer = lambda asked: answer if "tags" in asked.path else None
    with at(there) as ours, pytest.raises(BadInput):
        list(ours.tags())


@pytest.mark.parametrize("name", ["", "a/UPPER", "a b", "reg.local/", "a@sha256:12", "a" * 2000])
def test_names_that_no_runtime_takes(name: str) -> None:
    with pytest.raises(BadInput):
        connect(name, settings())


@pytest.mark.parametrize("reference", ["../../x", "a/b", "a?b", "-x", "md5:abc", "sha256:12", "é"])
def test_references_that_are_none_never_reach_a_url(there: FakeRegistry, reference: str) -> None:
    with at(there) as ours, pytest.raises(BadInput):
        ours.manifest(reference)
    assert there.asked == []


def _described(digest: str, content: bytes) -> Any:
    from martello.core.artifact import Descriptor

    return Descriptor("", digest, len(content))
