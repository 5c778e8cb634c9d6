"""Rules L9 and L10 on the blobs of layers: digests on both sides, cuts, bombs, memory."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import random
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import images

from martello.adapters.layers import LayerStream
from martello.adapters.tar import Limits, TarTrouble, TooMuch
from martello.adapters.zstd import zstd
from martello.core.artifact import OCI_LAYER, Descriptor
from martello.core.body import TooLarge
from martello.core.errors import Refused

RAW = images.tar({"a": b"1" * 3000, "b": random.Random(1).randbytes(200_000), ".wh.c": b""})
FORMS: list[images.Compression] = ["gzip", "zstd", "plain"]


def parts(blob: bytes, size: int = 7777) -> Iterator[bytes]:
    """A blob as a registry would send it."""
    return (blob[i : i + size] for i in range(0, len(blob), size))


def described(blob: bytes, digest: str = "") -> Descriptor:
    """A descriptor that tells the truth, unless a digest is given."""
    return Descriptor(OCI_LAYER, digest or images.digest(blob), len(blob))


def walked(blob: bytes, **options: object) -> list[str]:
    """The paths of a layer that holds to its digests."""
    options.setdefault("expected", described(blob))
    with LayerStream(parts(blob), **options) as stream:  # type: ignore[arg-type]
        return [entry.path for entry, _ in stream.walk()]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1, 5000, 1 << 20])
def test_both_digests_and_sizes_are_what_they_are(form: images.Compression, size: int) -> None:
    blob = images.compressed(RAW, form)
    diff_id = images.digest(RAW)
    stream = LayerStream(parts(blob, size), expected=described(blob), diff_id=diff_id)
    assert [entry.path for entry, _ in stream.walk()] == ["a", "b", ".wh.c"]
    measured = (images.digest(blob), diff_id, len(blob), len(RAW))
    assert stream.finish() == stream.finish() == measured


@pytest.mark.parametrize("form", FORMS)
def test_reads_are_as_small_as_asked(form: images.Compression) -> None:
    stream = LayerStream(parts(images.compressed(RAW, form)))
    found = []
    while part := stream.read(1000):
        assert len(part) <= 1000
        found.append(part)
    assert b"".join(found) == RAW


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("busy", [0.0, 1000.0])
def test_a_layer_large_enough_for_a_thread(
    form: images.Compression, busy: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (busy, busy, busy))
    content = random.Random(2).randbytes(9 << 20)
    blob = images.layer({"big": content, "z": b"last"}, form)
    before = threading.active_count()
    stream = LayerStream(parts(blob, 1 << 16), expected=described(blob))
    found = {entry.path: body.whole(10 << 20) for entry, body in stream.walk()}
    assert found == {"big": content, "z": b"last"}
    assert stream.finish().diff_id == images.digest(images.uncompressed(blob))
    assert threading.active_count() == before


def test_a_stream_that_is_dropped_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    blob = images.layer({"big": random.Random(2).randbytes(9 << 20)}, "plain")
    before = set(threading.enumerate())
    stream = LayerStream(parts(blob, 1 << 16))
    for _ in range(100):
        stream.read(1 << 16)
    [started] = set(threading.enumerate()) - before
    del stream
    started.join(2)
    assert not started.is_alive()


def test_sha512_digests() -> None:

    blob = images.compressed(RAW)
    named = f"sha512:{hashlib.sha512(blob).hexdigest()}"
    diff_id = f"sha512:{hashlib.sha512(RAW).hexdigest()}"
    stream = LayerStream(parts(blob), expected=described(blob, named), diff_id=diff_id)
    list(stream.walk())
    assert stream.finish()[:2] == (named, diff_id)
    stream = LayerStream(parts(RAW), expected=described(RAW), diff_id=diff_id)
    assert stream.finish()[:2] == (images.digest(RAW), diff_id)


def test_l9_concatenated_gzip_members_and_padding() -> None:
    cut = [RAW[i : i + 5000] for i in range(0, len(RAW), 5000)]
    blob = b"".join(images.compressed(one) for one in cut) + images.compressed(b"") + bytes(2000)
    for size in (1, 100, 1 << 20):
        stream = LayerStream(parts(blob, size), expected=described(blob))
        assert len(list(stream.walk())) == 3
        assert stream.finish().diff_id == images.digest(RAW)


def test_l9_concatenated_and_skippable_zstd_frames() -> None:
    skippable = b"\x5a\x2a\x4d\x18" + (300).to_bytes(4, "little") + b"x" * 300
    flags: dict[int, int] = {
        zstd.CompressionParameter.checksum_flag: 1,
        zstd.CompressionParameter.content_size_flag: 0,
    }
    cut = [RAW[i : i + 50_000] for i in range(0, len(RAW), 50_000)]
    frames = [images.compressed(one, "zstd") + zstd.compress(b"", options=flags) for one in cut]
    blob = skippable + skippable.join(frames) + skippable
    for size in (1, 100, 1 << 20):
        stream = LayerStream(parts(blob, size), expected=described(blob))
        assert len(list(stream.walk())) == 3
        assert stream.finish().diff_id == images.digest(RAW)


def test_l9_what_follows_the_archive_is_drained_and_counted() -> None:
    for form in FORMS:
        raw = RAW + b"trailing" * 1000
        blob = images.compressed(raw, form)
        with LayerStream(parts(blob), expected=described(blob)) as stream:
            assert len(list(stream.walk())) == 3
            assert stream.finish().uncompressed == len(raw)


def test_something_else_after_the_last_member_is_trouble() -> None:
    with pytest.raises(TarTrouble, match="other than gzip"):
        walked(images.compressed(RAW) + b"junk")
    with pytest.raises(TarTrouble, match="malformed"):
        walked(images.compressed(RAW, "zstd") + b"junk and more")


@pytest.mark.parametrize("form", FORMS)
def test_l9_a_wrong_digest_is_refused(form: images.Compression) -> None:
    blob = images.compressed(RAW, form)
    with pytest.raises(Refused, match="its digest promises"):
        walked(blob, expected=described(blob, images.digest(b"other")))
    with pytest.raises(Refused, match="not the one that its image names"):
        walked(blob, diff_id=images.digest(b"other"))


@pytest.mark.parametrize("form", FORMS)
def test_l9_bytes_that_are_neither_whole_nor_promised_are_refused(form: images.Compression) -> None:
    blob = bytearray(images.compressed(RAW, form))
    promised = described(bytes(blob))
    for at in (0, 20, 200, len(blob) // 2):
        spoilt = bytes(blob[:at]) + bytes([blob[at] ^ 0x55]) + bytes(blob[at + 1 :])
        with pytest.raises(Refused):
            walked(spoilt, expected=promised)


def test_more_bytes_than_announced_are_refused_at_once() -> None:
    blob = images.compressed(RAW, "plain")
    asked = []

    def endless() -> Iterator[bytes]:
        yield blob
        while True:
            asked.append(1)
            yield bytes(1000)

    stream = LayerStream(endless(), expected=described(blob))
    with pytest.raises(Refused, match="larger than promised"):
        list(stream.walk())
    assert len(asked) == 1


@pytest.mark.parametrize("form", FORMS)
def test_l9_a_truncated_layer_is_trouble_not_refused(form: images.Compression) -> None:
    blob = images.compressed(RAW, form)
    for size in (0, 1, 5, 100, 1000, len(blob) // 2, len(blob) - 1):
        with pytest.raises(TarTrouble, match="ends after"):
            walked(blob[:size], expected=described(blob))


@pytest.mark.parametrize("form", ["gzip", "zstd"])
def test_l9_a_stream_that_was_cut_before_it_was_hashed(form: images.Compression) -> None:
    """Its digest is right: the cut must be seen by the format alone."""
    blob = images.compressed(RAW, form)
    for size in range(5, len(blob), 997):
        with pytest.raises(TarTrouble):
            walked(blob[:size])
    for size in range(len(blob) - 12, len(blob)):
        with pytest.raises(TarTrouble):
            walked(blob[:size])


def test_errors_stay() -> None:
    blob = images.compressed(RAW)
    stream = LayerStream(parts(blob[:5000]), expected=described(blob))
    for act in (lambda: list(stream.walk()), stream.finish, lambda: stream.read(1)):
        with pytest.raises(TarTrouble, match="ends after"):
            act()


def test_what_the_source_raises_comes_through() -> None:
    def lost() -> Iterator[bytes]:
        yield images.compressed(RAW)[:3000]
        raise ConnectionError("lost")

    stream = LayerStream(lost())
    with pytest.raises(ConnectionError):
        list(stream.walk())
    with pytest.raises(ConnectionError):
        stream.finish()


@pytest.mark.parametrize(
    ("start", "name"), [(b"BZh91AY", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"\x04\x22\x4d\x18", "lz4")]
)
def test_other_compressions_are_named(start: bytes, name: str) -> None:
    with pytest.raises(TarTrouble, match=f"compressed with {name}"):
        walked(start + bytes(1000))


def test_the_magic_decides_not_the_media_type() -> None:
    blob = images.compressed(RAW, "zstd")
    lying = Descriptor(f"{OCI_LAYER}+gzip", images.digest(blob), len(blob))
    assert len(walked(blob, expected=lying)) == 3


def zstd_bomb(size: int) -> bytes:
    """Blocks of one repeated byte: 128 KiB for each 4 bytes."""
    block = (131072 << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    last = (0 << 3 | 1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd\x00\x58" + block * (size // 131072) + last


@pytest.mark.parametrize(
    "blob", [images.compressed(bytes(64 << 20)), zstd_bomb(1 << 40 >> 12)], ids=["gzip", "zstd"]
)
def test_l10_bombs_are_stopped_at_the_ratio_and_the_size(blob: bytes) -> None:
    limits = Limits(ratio=100, lenient=16 << 20)
    with LayerStream(parts(blob), limits=limits) as stream:
        with pytest.raises(TooMuch, match="more than 100 times"):
            stream.finish()
        assert stream._uncompressed <= (17 << 20)
    stream = LayerStream(parts(blob), limits=Limits(size=8 << 20))
    with pytest.raises(TooMuch, match="more than 8 MiB"):
        stream.finish()


def test_l10_seconds_strike_where_nothing_comes_out() -> None:
    now = iter(range(0, 1_000_000, 10))
    blob = images.compressed(b"") * 1000
    stream = LayerStream(parts(blob), limits=Limits(seconds=100), clock=lambda: next(now))
    with pytest.raises(TooMuch, match="longer than the limit"):
        stream.finish()


def test_bombs_and_large_layers_take_little_memory() -> None:
    """In a process of its own: its peak is its own."""
    program = (
        "import resource, sys\n"
        "sys.path.insert(0, '.')\n"
        "from martello.adapters.layers import LayerStream\n"
        "from martello.adapters.tar import TarTrouble\n"
        "from tests.adapters.test_layers import zstd_bomb, parts\n"
        "from tests.support import tars\n"
        "blob = zstd_bomb(1 << 30)\n"
        "head = tars.head('f', size=tars.base256(1 << 29, 12))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "stream = LayerStream(parts(blob))\n"
        "assert stream.finish().uncompressed == 1 << 30\n"
        "half = (bytes(1 << 18) for _ in range(2048))\n"
        "import itertools\n"
        "stream = LayerStream(itertools.chain([head], half))\n"
        "assert [e.size for e, _ in stream.walk()] == [1 << 29]\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 40 << 10  # KiB


def test_ten_thousand_tiny_layers_take_little_memory() -> None:
    blob = images.layer({"etc/x": b"x"})
    expected = described(blob)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(10_000):
        with LayerStream(iter((blob,)), expected=expected) as stream:
            assert sum(1 for _ in stream.walk()) == 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 << 10


def _read(blob: bytes) -> None:
    with LayerStream(parts(blob), limits=Limits(size=64 << 20)) as stream:
        for entry, body in stream.walk():
            body.head(4096)
            if entry.size < 1 << 16:
                body.whole(1 << 16)


@given(st.sampled_from([b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd", b""]), st.binary(max_size=600))
def test_random_blobs_raise_nothing_but_trouble(start: bytes, data: bytes) -> None:
    with contextlib.suppress(TarTrouble, TooLarge):
        _read(start + data)


_GZIP = gzip.compress(RAW[:4000], mtime=0) + gzip.compress(RAW[4000:9000], mtime=0)
_ZSTD = images.compressed(RAW[:4000], "zstd") + images.compressed(RAW[4000:9000], "zstd")


@given(
    st.sampled_from([_GZIP, _ZSTD]),
    st.lists(st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=4)), max_size=3),
    st.integers(0, 6000),
)
def test_mutated_blobs_raise_nothing_but_trouble(
    blob: bytes, edits: list[tuple[int, bytes]], cut: int
) -> None:
    data = bytearray(blob)
    for at, new in edits:
        data[at : at + len(new)] = new
    with contextlib.suppress(TarTrouble, TooLarge):
        _read(bytes(data[:cut]))
