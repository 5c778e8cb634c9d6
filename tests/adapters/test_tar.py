"""Rules L1, L2, L3, L6 and the caps of L10, one by one, and two oracles: tarfile and GNU tar."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import images, tars
from tests.support.tars import END, base256, entries, file, head, long, names, pax, record

from martello.adapters import tar
from martello.adapters.tar import Entry, Limits, TarTrouble, TooMuch
from martello.core.body import TooLarge


def one(archive: bytes) -> tuple[Entry, bytes]:
    """The only entry of an archive."""
    [found] = entries(archive + END)
    return found


# L1: names and numbers


def test_l1_pax_path_linkpath_and_size() -> None:
    deep = "a" * 200
    archive = pax(record("path", deep), record("size", "5")) + file("short", b"12345")
    entry, data = one(archive.replace(head("short", size=5), head("short", size=0)))
    assert (entry.path, entry.size, data) == (deep, 5, b"12345")
    entry, _ = one(pax(record("linkpath", "b" * 150)) + head("l", kind=b"2", link=b"b"))
    assert (entry.kind, entry.link) == ("symlink", "b" * 150)


def test_l1_an_empty_pax_value_changes_nothing() -> None:
    assert one(pax(record("path", "")) + file("kept", b"x"))[0].path == "kept"


def test_l1_of_two_pax_headers_the_second_counts_alone() -> None:
    both = pax(record("path", "first"), record("size", "9")) + pax(record("path", "second"))
    assert one(both + file("x", b"1")) == (Entry("second", "file", 1, 0o644), b"1")


def test_l1_pax_lengths_may_be_filled_with_nuls() -> None:
    data = record("path", "good") + bytes(7)
    assert one(file("pax", data, kind=b"x") + file("x"))[0].path == "good"


def test_l1_a_global_header_counts_until_it_is_overridden_and_is_reported() -> None:
    common = pax(record("path", "common"), kind=b"g")
    archive = common + file("a", b"1") + pax(record("path", "own")) + file("b", b"2") + END
    first, second = (entry for entry, _ in entries(archive))
    assert (first.path, second.path) == ("common", "own")
    assert "global header" in first.trouble
    assert not second.trouble


def test_l1_a_global_header_of_comments_is_no_trouble() -> None:
    archive = pax(record("comment", "0" * 40), kind=b"g") + file("a", b"1")
    assert one(archive) == (Entry("a", "file", 1, 0o644), b"1")


def test_l1_gnu_long_name_and_long_link() -> None:
    name, link = b"n" * 300, b"l" * 300
    archive = long(name) + long(link, b"K") + head(b"n" * 100, kind=b"2", magic=b"ustar  \0")
    entry, _ = one(archive)
    assert (entry.path, entry.link) == (name.decode(), link.decode())


def test_l1_a_gnu_long_name_wins_over_pax_as_in_go() -> None:
    for archive in (
        long(b"gnu") + pax(record("path", "pax")),
        pax(record("path", "pax")) + long(b"gnu"),
    ):
        assert one(archive + file("x"))[0].path == "gnu"


@pytest.mark.parametrize("value", [0, 7, 1000])
def test_l1_base_256(value: int) -> None:
    archive = head("f", size=base256(value, 12)) + tars.filled(b"z" * value)
    assert one(archive) == (Entry("f", "file", value, 0o644), b"z" * value)


def test_l1_a_negative_or_an_endless_size_is_trouble() -> None:
    for size in (base256(-1, 12), b"\x80" + b"\xff" * 11, b"-0000000001\0", b"0o7        \0"):
        with pytest.raises(TarTrouble):
            entries(head("f", size=size) + END)
    with pytest.raises(TarTrouble, match="ends within a file"):
        list(tar.walk(io.BytesIO(head("f", size=base256(1 << 40, 12)) + END).read))


def test_l1_numbers_with_blanks_or_nothing() -> None:
    assert one(head("f", size=b"     1 \0\0\0\0\0") + tars.filled(b"x"))[1] == b"x"
    assert one(head("f", size=bytes(12), mode=bytes(8))) == (Entry("f", "file"), b"")


def test_l1_ustar_prefix_but_not_in_gnu_or_v7_headers() -> None:
    assert one(head("name", prefix=b"some/where"))[0].path == "some/where/name"
    times = b"00000000000\0" * 2
    assert one(head("name", magic=b"ustar  \0", rest=times))[0].path == "name"
    assert one(head("name", magic=b"", rest=b"some/where"))[0].path == "name"


def test_l1_a_prefix_that_go_once_wrote_into_gnu_headers() -> None:
    assert one(head("name", magic=b"ustar  \0", rest=b"some/where"))[0].path == "some/where/name"


@pytest.mark.parametrize(
    ("magic", "rest", "path"),
    [
        (b"ustar  \0", b"00000000000\0some/where", "00000000000/name"),
        (b"ustar  \0", b"1 \0-17 0 7\0\0\0", "1 /name"),
        (b"ustar  \0", "café".encode(), "name"),
        (b"ustar \0\0", b"some/where", "name"),  # of no known format: no prefix
        (b"ustar  0", b"some/where", "name"),
        (b"ustar\0\0\0", b"some/where", "some/where/name"),
    ],
)
def test_l1_prefixes_are_read_as_go_reads_them(magic: bytes, rest: bytes, path: str) -> None:
    assert one(head("name", magic=magic, rest=rest))[0].path == path


def test_l1_a_global_header_spends_what_came_before_it() -> None:
    common = pax(record("comment", "x"), kind=b"g")
    for before in (long(b"decoy"), pax(record("path", "decoy")), long(b"decoy", b"K")):
        archive = before + common + head("l", kind=b"2", link=b"real")
        assert one(archive)[0] == Entry("l", "symlink", 0, 0o644, "real")


@pytest.mark.parametrize(
    "records",
    [
        [("GNU.sparse.name", "decoy")],
        [("GNU.sparse.name", "decoy"), ("GNU.sparse.major", "01")],
        [("GNU.sparse.name", "decoy"), ("GNU.sparse.major", ""), ("GNU.sparse.size", "9")],
        [("GNU.sparse.name", "decoy"), ("GNU.sparse.map", ""), ("GNU.sparse.realsize", "9")],
        [("GNU.sparse.name", "decoy"), ("GNU.sparse.offset", ""), ("GNU.sparse.size", "9")],
        [("path", "decoy"), ("path", "")],
    ],
)
def test_l2_records_that_go_does_not_heed(records: list[tuple[str, str]]) -> None:
    entry, content = one(pax(*(record(*one) for one in records)) + file("real", b"12345"))
    assert (entry.path, content) == ("real", b"12345")


def test_l2_the_size_of_a_sparse_file_is_the_one_that_go_takes() -> None:
    parts = [("major", "0"), ("minor", "1"), ("numblocks", "1"), ("map", "0,5")]
    sizes = [("realsize", "9"), ("size", "7")]
    records = (record(f"GNU.sparse.{key}", value) for key, value in (*parts, *sizes))
    assert one(pax(*records) + file("f", b"12345"))[1] == b"12345\0\0"


def test_l1_a_star_prefix_is_shorter() -> None:
    rest = b"p" * 131 + bytes(32) + b"tar\0"
    assert one(head("name", rest=rest))[0].path == f"{'p' * 131}/name"


def test_l1_v7_headers_and_the_nul_type() -> None:
    assert one(file("f", b"x", kind=b"\0", magic=b""))[0] == Entry("f", "file", 1, 0o644)
    assert one(head("d/", kind=b"\0", magic=b""))[0] == Entry("d", "dir", 0, 0o644)


def test_l1_both_readings_of_the_checksum() -> None:
    assert one(head(b"\xc3\xa9\xff", signed=True))[0].path == "é\\xff"
    assert one(head(b"\xc3\xa9\xff"))[0].path == "é\\xff"
    with pytest.raises(TarTrouble, match="checksum"):
        entries(head("f", checksum=4711) + END)


def test_l1_a_checksum_beyond_the_modulus_of_adler() -> None:
    block = head(b"\xff" * 100, link=b"\xff" * 100, rest=b"\xff" * 167, magic=b"\xff" * 8)
    assert sum(block[:148] + block[156:]) + 256 > 65521
    assert len(entries(block + END)) == 1


@pytest.mark.parametrize(
    ("flag", "kind"),
    [
        (b"0", "file"),
        (b"7", "file"),
        (b"1", "hardlink"),
        (b"2", "symlink"),
        (b"3", "device"),
        (b"4", "device"),
        (b"5", "dir"),
        (b"6", "fifo"),
    ],
)
def test_l1_kinds(flag: bytes, kind: str) -> None:
    assert one(head("x", kind=flag, link=b"t" if flag in b"12" else b""))[0].kind == kind


def test_l1_links_and_directories_have_no_content_whatever_their_size() -> None:
    archive = b"".join(head(f"x{k}", size=512, kind=k.encode(), link=b"t") for k in "123456")
    assert len(entries(archive + END)) == 6


def test_l1_an_unknown_type_has_a_content_and_is_reported() -> None:
    [first, second] = entries(file("odd", b"1", kind=b"V") + file("f", b"2") + END)
    assert (first[0].kind, second) == ("other", (Entry("f", "file", 1, 0o644), b"2"))
    assert "unknown type 'V'" in first[0].trouble


def test_l1_names_that_are_no_utf8_stay_apart_and_can_be_written() -> None:
    found = names(file(b"\xff") + file(b"\xfe") + END)
    assert found == ["\\xff", "\\xfe"]
    assert "".join(found).encode()


# L2: sparse files


def sparse_head(size: int, stored: int, parts: list[tuple[int, int]], more: bool) -> bytes:
    """A GNU header of type S."""
    area = b"".join(tars.octal(a, 12) + tars.octal(b, 12) for a, b in parts[:4])
    rest = bytes(41) + area.ljust(96, b"\0") + (b"\1" if more else b"\0") + tars.octal(size, 12)
    return head("s", size=stored, kind=b"S", magic=b"ustar  \0", rest=rest)


def test_l2_the_old_gnu_form_with_its_continuation() -> None:
    parts = [(i * 1000, 10) for i in range(6)]
    block = b"".join(tars.octal(a, 12) + tars.octal(b, 12) for a, b in parts[4:])
    archive = sparse_head(6000, 60, parts, True) + block.ljust(512, b"\0")
    archive += tars.filled(b"0123456789" * 6) + file("after", b"x") + END
    [(entry, data), after] = entries(archive)
    assert entry.size == len(data) == 6000
    assert [data[a : a + b] for a, b in parts] == [b"0123456789"] * 6
    assert data.count(0) == 6000 - 60
    assert after[1] == b"x"


@pytest.mark.parametrize(
    "parts", [[(0, 9)], [(5, 10), (0, 10)], [(0, 10), (5, 10)], [(95, 10)], [(0, 10), (10, 1)]]
)
def test_l2_a_map_that_does_not_fit_is_trouble(parts: list[tuple[int, int]]) -> None:
    with pytest.raises(TarTrouble, match="sparse"):
        entries(sparse_head(100, 10, parts, False) + bytes(512) + END)


def test_l2_a_sparse_file_is_measured_by_its_real_size() -> None:
    [(entry, body)] = tar.walk(
        io.BytesIO(sparse_head(1 << 32, 10, [(0, 10)], False) + tars.filled(b"x" * 10)).read
    )
    assert entry.size == body.size == 1 << 32


def test_l2_more_than_a_reader_takes_is_too_large_without_being_made() -> None:
    archive = sparse_head(1 << 40, 10, [(0, 10)], False) + tars.filled(b"x" * 10) + file("after")
    walked = tar.walk(io.BytesIO(archive + END).read)
    _, body = next(walked)
    with pytest.raises(TooLarge):
        body.whole(1 << 20)
    with pytest.raises(TooLarge):
        body.spooled(1 << 20)
    assert next(walked)[0].path == "after"


def test_l2_holes_of_a_spooled_file_take_no_space() -> None:
    parts = [(4096, 10), (1 << 30, 10)]
    archive = sparse_head((1 << 30) + 5000, 20, parts, False) + tars.filled(b"0123456789" * 2)
    walked = tar.walk(io.BytesIO(archive + file("after", b"x") + END).read)
    _, body = next(walked)
    with body.spooled(1 << 31) as spooled:
        assert os.fstat(spooled.fileno()).st_blocks * 512 < 1 << 20
        assert spooled.seek(0, os.SEEK_END) == (1 << 30) + 5000
        for offset, _ in parts:
            spooled.seek(offset - 1)
            assert spooled.read(12) == b"\0" + b"0123456789" + b"\0"
    assert next(walked)[0].path == "after"


@pytest.mark.parametrize(
    "options",
    [
        ["--format=gnu"],
        ["--format=posix", "--sparse-version=0.0"],
        ["--format=posix", "--sparse-version=0.1"],
        ["--format=posix", "--sparse-version=1.0"],
    ],
    ids=lambda options: options[-1].lstrip("-"),
)
def test_l2_sparse_files_that_gnu_tar_wrote(tmp_path: Path, options: list[str]) -> None:
    if shutil.which("tar") is None:
        pytest.skip("no GNU tar: apt install tar")
    path = tmp_path / "sparse"
    with path.open("wb") as made:
        for at in range(40):
            made.seek(at * 65536)
            made.write(b"data %d" % at)
        made.truncate(41 * 65536)
    (tmp_path / "hole").touch()
    os.truncate(tmp_path / "hole", 1 << 20)
    (tmp_path / "after").write_text("after")
    command = ["tar", "-S", *options, "-cf", "-", "sparse", "hole", "after"]
    archive = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True).stdout
    assert len(archive) < path.stat().st_size
    for part in (1 << 20, 700):
        found = {entry.path: (entry.size, data) for entry, data in entries(archive, part)}
        assert found["sparse"] == (41 * 65536, path.read_bytes())
        assert found["hole"] == (1 << 20, bytes(1 << 20))
        assert found["after"] == (5, b"after")
    walked = tar.walk(io.BytesIO(archive).read)
    assert [body.head(9) for _, body in walked] == [
        path.read_bytes()[:6] + b"\0" * 3,
        bytes(9),
        b"after",
    ]


# L3, L6: links and paths


def test_l3_a_hard_link_names_its_target_as_the_archive_does() -> None:
    entry, _ = one(head("b", kind=b"1", link=b"./usr//a"))
    assert (entry.kind, entry.link) == ("hardlink", "usr/a")
    entry, _ = one(head("b", kind=b"1", link=b"../a"))
    assert entry.kind == "other"
    assert "hard link that leads out" in entry.trouble


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("./etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("//etc///passwd", "etc/passwd"),
        ("etc/./passwd", "etc/passwd"),
        ("etc/passwd/.", "etc/passwd"),
        ("etc/.hidden", "etc/.hidden"),
        ("etc/..data", "etc/..data"),
        ("etc/a..", "etc/a.."),
        (".wh.gone", ".wh.gone"),
        ("a/.wh..wh..opq", "a/.wh..wh..opq"),
    ],
)
def test_l6_paths_are_cleaned(written: str, path: str) -> None:
    assert one(head(written))[0] == Entry(path, "file", 0, 0o644)


def test_l6_directories_lose_their_slash_and_the_root_is_empty() -> None:
    assert one(head("usr/", kind=b"5"))[0].path == "usr"
    assert one(head("./", kind=b"5"))[0] == Entry("", "dir", 0, 0o644)
    assert one(head("./"))[0].kind == "other"


@pytest.mark.parametrize("path", ["../x", "a/../../x", "a/..", "..", "/../x", "a/../x"])
def test_l6_dots_that_lead_up_are_refused_and_reported(path: str) -> None:
    [(entry, _), after] = entries(file(path, b"evil") + file("good", b"x") + END)
    assert (entry.kind, entry.trouble) == ("other", "its path leads out of the image")
    assert after[0].path == "good"


def test_a_symlink_keeps_its_target_as_written() -> None:
    assert one(head("lib", kind=b"2", link=b"../usr//lib/"))[0].link == "../usr//lib/"


# L10 and hostile archives


def test_l10_too_many_entries() -> None:
    archive = b"".join(file(f"f{i}") for i in range(5)) + END
    with pytest.raises(TooMuch, match="more than 4 entries"):
        entries(archive, entries=4)


def test_l10_too_long_a_path_is_reported() -> None:
    entry, _ = one(pax(record("path", "p" * 5000)) + file("x", b"1"))
    assert entry.kind == "other"
    assert "longer than 4,096" in entry.trouble
    assert len(entry.path) == 4096


def test_l10_too_large_an_extended_header() -> None:
    for kind in (b"x", b"g", b"L", b"K"):
        with pytest.raises(TarTrouble, match="larger than 1024 KiB"):
            entries(head("pax", size=(1 << 20) + 1, kind=kind))


def test_l10_a_chain_of_extended_headers() -> None:
    for made in (pax(record("path", "a")), long(b"a"), pax(record("comment", "a"), kind=b"g")):
        with pytest.raises(TarTrouble, match="precede one entry"):
            entries(made * 40 + file("x") + END)


def test_l10_seconds_by_the_clock_that_was_handed_in() -> None:
    now = iter(range(0, 10_000, 10))
    archive = io.BytesIO(b"".join(file(f"f{i}", b"x" * 2048) for i in range(3000)))
    walked = tar.walk(archive.read, Limits(seconds=25), lambda: next(now))
    with pytest.raises(TooMuch, match="longer than the limit"):
        list(walked)


@pytest.mark.parametrize(
    "data",
    [
        b"path=",
        b"\npath=\n",
        b"0 path=a\n",
        b"9999 path=a\n",
        b"11 path=abc\n",
        b"9 path=a\nx",
        b"9 path=a\n6 =ab\n",
        b"9 path=a\n\n",
        b"-1 path=a\n",
        b"9 size=-1\n",
    ],
)
def test_malformed_extended_headers(data: bytes) -> None:
    with pytest.raises(TarTrouble):
        entries(file("pax", data, kind=b"x") + file("x") + END)


def test_a_nul_in_a_path_of_an_extended_header() -> None:
    with pytest.raises(TarTrouble, match="NUL"):
        entries(pax(record("path", b"a\0b")) + file("x") + END)


def test_every_truncation_within_an_entry_is_trouble() -> None:
    first = pax(record("path", "n" * 120)) + head("x", size=700) + b"1" * 700
    archive = tars.filled(first) + file("y", b"22")
    for size in range(1, len(archive) - 510, 31):
        if len(first) <= size <= len(tars.filled(first)):
            assert names(archive[:size]) == ["n" * 120]  # what fills the last block may be cut
        else:
            with pytest.raises(TarTrouble):
                entries(archive[:size])
    assert names(archive[: len(archive) - 510]) == ["n" * 120, "y"]


def test_entries_after_a_single_zero_block_are_trouble() -> None:
    with pytest.raises(TarTrouble, match="follow the end"):
        entries(file("a") + bytes(512) + file("b") + END)
    assert names(file("a") + END + file("b")) == ["a"]


# Contents


def test_a_content_is_read_whole_in_parts_spooled_or_skipped() -> None:
    big = os.urandom(3 << 20)
    archive = images.tar({"a": b"first", "big": big, "skipped": big, "z": b"last"})
    for part in (512, 1000, 1 << 20):
        walked = tar.walk(_in_parts(archive, part))
        _, body = next(walked)
        assert body.head(3) == b"fir"
        assert body.head(4096) == b"first"
        assert body.whole(5) == b"first"
        _, body = next(walked)
        assert body.head(9999) == big[:4096]
        with body.spooled(1 << 30) as spooled:
            assert spooled.read() == big
            spooled.seek(100)
            assert spooled.read(10) == big[100:110]
        _, skipped = next(walked)
        _, body = next(walked)
        assert body.whole(100) == b"last"
        with pytest.raises(TarTrouble, match="passed over"):
            skipped.whole(1 << 30)


def test_a_content_larger_than_allowed_can_still_be_skipped() -> None:
    walked = tar.walk(io.BytesIO(images.tar({"a": b"12345", "b": b"x"})).read)
    _, body = next(walked)
    with pytest.raises(TooLarge):
        body.whole(4)
    assert body.head(2) == b"12"
    assert next(walked)[1].whole(1) == b"x"


def test_skipping_copies_nothing() -> None:
    """Counted: the parts that a walk takes from its stream are never joined."""
    archive = images.tar({"a": bytes(8 << 20), "b": b"x"})
    seen: list[int] = []

    class Part(bytes):
        def __getitem__(self, key: Any) -> Any:
            found = super().__getitem__(key)
            seen.append(len(found))
            return found

    read = _in_parts(archive, 1 << 20)
    assert [e.path for e, _ in tar.walk(lambda n: Part(read(n)))] == ["a", "b"]
    assert 4 * 512 <= sum(seen) < 16 * 512


def test_jumps_are_used_and_a_cut_is_noticed() -> None:
    archive = images.tar({"a": bytes(8 << 20), "b": b"x"})
    file = io.BytesIO(archive)
    jumped: list[int] = []

    def jump(count: int) -> int:
        jumped.append(count)
        return max(file.seek(count, os.SEEK_CUR) - len(archive), 0)

    found = [(e.path, body.offset) for e, body in tar.walk(file.read, jump=jump)]
    assert [archive[at : at + 1] for _, at in found] == [b"\0", b"x"]
    assert sum(jumped) > 6 << 20
    archive = archive[: 4 << 20]
    file = io.BytesIO(archive)
    with pytest.raises(TarTrouble, match="within a file"):
        list(tar.walk(file.read, jump=jump))


# Oracles

_PATHS = st.lists(
    st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1),
    min_size=1,
    max_size=4,
).map("/".join)
_CONTENTS = st.one_of(
    st.binary(max_size=2000),
    st.text(st.characters(min_codepoint=33, blacklist_categories=["Cs"]), min_size=1, max_size=150)
    .map(images.Link),
    st.builds(images.Directory),
    st.sampled_from([images.Device(), images.Device(0, 0, fifo=True)]),
)  # fmt: skip


@given(
    st.lists(st.tuples(_PATHS, _CONTENTS), max_size=8),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
    st.sampled_from([1 << 20, 512, 1337]),
)
def test_valid_archives_are_read_as_tarfile_reads_them(
    made: list[tuple[str, images.Content]], form: int, part: int
) -> None:
    archive = images.tar(made, form)
    expected = []
    with tarfile.open(fileobj=io.BytesIO(archive)) as peer:
        for info in peer:
            content = peer.extractfile(info) if info.isfile() else None
            expected.append((info.name, content.read() if content else b"", info.linkname))
    found = entries(archive, part)
    assert len(found) == len(expected)
    for (entry, data), (name, content_of, link) in zip(found, expected, strict=True):
        if entry.kind == "other":
            assert tar.clean(name) in (None, "")
            continue
        assert (entry.path, data) == (tar.clean(name), content_of)
        if entry.kind == "symlink":
            assert entry.link == link


@given(st.binary(max_size=3000))
def test_random_bytes_raise_nothing_but_trouble(data: bytes) -> None:
    with contextlib.suppress(TarTrouble, TooLarge):
        entries(data)


_SEED = (
    pax(record("path", "n" * 120), record("size", "3"))
    + file("x", b"123")
    + long(b"l" * 120)
    + head("l", kind=b"2", link=b"t")
    + sparse_head(6000, 20, [(0, 10), (5000, 10)], False)
    + tars.filled(b"0123456789" * 2)
    + pax(record("GNU.sparse.major", "1"), record("GNU.sparse.realsize", "99"))
    + file("GNUSparse.0/x", b"1\n0\n3\n".ljust(512, b"\0") + b"abc")
    + END
)  # fmt: skip


def test_the_seed_of_mutations_is_valid() -> None:
    assert len(entries(_SEED)) == 4


@given(
    st.lists(
        st.tuples(st.integers(0, len(_SEED) - 1), st.binary(min_size=1, max_size=12)),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
)
def test_mutated_archives_raise_nothing_but_trouble(
    edits: list[tuple[int, bytes]], repaired: bool
) -> None:
    data = bytearray(_SEED)
    for at, new in edits:
        data[at : at + len(new)] = new[: len(data) - at]
    if repaired:  # make the checksums right again, or no mutation gets far
        for at in range(0, len(data) - 511, 512):
            if bytes(data[at + 257 : at + 262]) == b"ustar":
                block = bytes(data[at : at + 512])
                total = sum(block[:148]) + 256 + sum(block[156:])
                data[at + 148 : at + 156] = f"{total:06o}\0 ".encode()
    try:
        for entry, body in tar.walk(io.BytesIO(bytes(data)).read):
            assert len(body.head(4096)) <= 4096
            if entry.size < 1 << 20:
                assert len(body.whole(1 << 20)) == entry.size
    except TarTrouble:
        pass


def _in_parts(archive: bytes, part: int) -> Callable[[int], bytes]:
    file = io.BytesIO(archive)
    return lambda count: file.read(min(count, part))
