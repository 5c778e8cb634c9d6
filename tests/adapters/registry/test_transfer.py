"""N10 and N12: blobs down and up, against the fake registry."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.fake_registry import FakeRegistry, fake
from tests.support.registry_settings import settings

from martello.adapters.registry.client import Registry, connect
from martello.core.artifact import Descriptor, digest_of
from martello.core.errors import BadInput, MartelloError, Refused, Unreachable

CONTENT = b"".join(hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(10_000))
DIGEST = digest_of(CONTENT)
BLOB = Descriptor("", DIGEST, len(CONTENT))


@pytest.fixture
def there() -> Iterator[FakeRegistry]:
    with fake() as registry:
        yield registry


def at(registry: FakeRegistry, **more: Any) -> Registry:
    """A client of a/b."""
    return connect(f"{registry.url}/a/b:1", settings(**more))


def source() -> Iterator[bytes]:
    """The content in uneven pieces."""
    for start in range(0, len(CONTENT), 7777):
        yield CONTENT[start : start + 7777]


@pytest.mark.parametrize("ranges", [True, False])
def test_N10_a_cut_blob_goes_on(there: FakeRegistry, ranges: bool) -> None:
    there.put_blob("a/b", CONTENT)
    there.ranges = ranges
    there.cuts = [100_000, 50_000 if ranges else 150_000, 0]
    with at(there) as ours:
        assert b"".join(ours.blob(BLOB)) == CONTENT
    asked = [a.headers.get("range", "") for a in there.asked if "/blobs/" in a.path]
    assert asked[:3] == ["", "bytes=100000-", "bytes=150000-"]
    assert len(asked) == 4


def test_N10_a_blob_that_is_always_cut_ends(there: FakeRegistry) -> None:
    there.put_blob("a/b", CONTENT)
    there.cuts = [10] * 99
    with at(there) as ours, pytest.raises(Unreachable) as caught:
        list(ours.blob(BLOB))
    assert there.url in str(caught.value)
    assert there.count("GET", "/blobs/") == 6


def test_N10_another_range_than_asked_for_is_no_answer(there: FakeRegistry) -> None:
    there.put_blob("a/b", CONTENT)
    there.cuts = [1000]
    there.answer = lambda asked: (
        (206, {"Content-Range": "bytes 5-9/10"}, b"aaaaa") if "range" in asked.headers else None
    )
    with at(there) as ours, pytest.raises(Unreachable, match="cannot read"):
        list(ours.blob(BLOB))


def test_other_sizes_are_refused(there: FakeRegistry) -> None:
    there.put_blob("a/b", CONTENT)
    with at(there) as ours:
        with pytest.raises(Refused):
            list(ours.blob(Descriptor("", DIGEST, len(CONTENT) - 1)))
        with pytest.raises(Refused):
            list(ours.blob(Descriptor("", DIGEST, len(CONTENT) + 1)))


def test_a_blob_is_never_held_whole(there: FakeRegistry) -> None:
    there.put_blob("a/b", CONTENT)
    with at(there) as ours:
        assert max(len(part) for part in ours.blob(BLOB)) <= 1 << 17


def test_N16_the_urls_of_a_foreign_layer_are_not_asked(there: FakeRegistry) -> None:
    with fake() as other:
        digest = other.put_blob("a/b", CONTENT)
        url = f"http://{other.url}/v2/a/b/blobs/{digest}"
        foreign = Descriptor("x.foreign", digest, len(CONTENT), urls=(url,))
        with at(there) as ours, pytest.raises(BadInput):
            list(ours.blob(foreign))
        assert other.asked == []


def test_a_dripping_blob_meets_its_deadline(there: FakeRegistry) -> None:
    there.put_blob("a/b", CONTENT)
    with at(there, exchange=0.3, silence=0.2, slowest=10_000_000) as ours:
        ours.head()
        there.drip = 0.01
        with pytest.raises(Unreachable) as caught:
            list(ours.blob(BLOB))
    assert "slowly" in caught.value.why


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize("chunk", [0, 50_000, 1 << 20])
def test_N12_an_upload_arrives(there: FakeRegistry, absolute: bool, chunk: int) -> None:
    there.absolute = absolute
    with at(there) as ours:
        assert ours.upload(DIGEST, len(CONTENT), source, chunk=chunk) == "sent"
        assert ours.upload(DIGEST, len(CONTENT), source, chunk=chunk) == "there"
    assert there.blobs["a/b", DIGEST] == CONTENT
    assert there.count("PATCH") == (0 if not chunk else -(-len(CONTENT) // chunk))


def test_N12_the_least_chunk_is_obeyed(there: FakeRegistry) -> None:
    there.least_chunk = 150_000
    with at(there) as ours:
        ours.upload(DIGEST, len(CONTENT), source, chunk=10)
    sizes = [len(a.body) for a in there.asked if a.method == "PATCH"]
    assert sizes == [150_000, 150_000, 20_000]
    there.least_chunk = 10**17
    with at(there) as ours, pytest.raises(BadInput):
        ours.upload(digest_of(b"x"), 1, lambda: iter((b"x",)), chunk=1)


def test_N12_a_lost_chunk_is_sent_again(there: FakeRegistry) -> None:
    there.lost_chunks = 2
    with at(there) as ours:
        ours.upload(DIGEST, len(CONTENT), source, chunk=100_000)
    assert there.blobs["a/b", DIGEST] == CONTENT


def test_N12_what_is_too_large_goes_in_chunks(there: FakeRegistry) -> None:
    there.largest_body = 100_000
    with at(there, chunk=65_536) as ours:
        assert ours.upload(DIGEST, len(CONTENT), source) == "sent"
    assert there.blobs["a/b", DIGEST] == CONTENT


@pytest.mark.parametrize(("mounts", "how"), [(True, "mounted"), (False, "sent")])
def test_N12_a_blob_is_mounted_where_that_works(
    there: FakeRegistry, mounts: bool, how: str
) -> None:
    there.put_blob("other/repo", CONTENT)
    there.mounts = mounts
    with at(there) as ours:
        assert ours.upload(DIGEST, len(CONTENT), source, mount_from="other/repo") == how
    assert there.blobs["a/b", DIGEST] == CONTENT
    assert there.count("POST") == 1


def test_N12_a_failed_upload_starts_anew(there: FakeRegistry) -> None:
    failing = [503, 404, 502]
    there.answer = lambda asked: (
        (failing.pop(), {}, b"") if asked.method == "PUT" and failing else None
    )
    with at(there) as ours:
        assert ours.upload(DIGEST, len(CONTENT), source) == "sent"
    assert there.count("POST") == 4
    failing[:] = [503] * 99
    with at(there) as ours, pytest.raises(MartelloError) as caught:
        ours.upload(digest_of(b"x"), 1, lambda: iter((b"x",)))
    assert there.url in str(caught.value)


@pytest.mark.parametrize("chunk", [0, 1000])
@pytest.mark.parametrize("content", [CONTENT + b"x", CONTENT[:-1], CONTENT[:-1] + b"!"])
def test_N12_another_content_is_refused(there: FakeRegistry, chunk: int, content: bytes) -> None:
    with at(there) as ours, pytest.raises(Refused):
        ours.upload(DIGEST, len(CONTENT), lambda: iter((content,)), chunk=chunk)
    assert ("a/b", DIGEST) not in there.blobs


def test_N12_a_registry_that_kept_something_else_is_refused(there: FakeRegistry) -> None:
    there.lie = f"sha256:{'2' * 64}"
    with at(there) as ours, pytest.raises(Refused):
        ours.upload_bytes(b"x")


def test_N12_uploads_need_the_right_token(there: FakeRegistry) -> None:
    there.bearer = True
    with at(there) as ours:
        ours.upload(DIGEST, len(CONTENT), source)
    scopes = {scope for a in there.asked for scope in a.query.get("scope", ())}
    assert "repository:a/b:pull,push" in scopes


@pytest.mark.parametrize("location", ["", "ftp://x/y", "http://["])
def test_N12_a_nonsense_location_ends(there: FakeRegistry, location: str) -> None:
    there.answer = lambda asked: (
        (202, {"Location": location} if location else {}, b"") if asked.method == "POST" else None
    )
    with at(there) as ours, pytest.raises(Unreachable):
        ours.upload_bytes(b"x")
