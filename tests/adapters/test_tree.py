"""Directories are walked as layers are, and never left."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from martello.adapters.tar import Entry, Limits, TooMuch
from martello.adapters.tree import TreeTrouble, walk_tree
from martello.core.body import TooLarge
from martello.core.errors import BadInput


def walked(root: Path, **limits: int) -> dict[str, Entry]:
    """The entries of a tree by path."""
    return {entry.path: entry for entry, _ in walk_tree(root, Limits(**limits))}


def test_entries_and_contents_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two").write_bytes(b"2" * 5000)
    (tmp_path / "a").write_text("one")
    (tmp_path / "a").chmod(0o755)
    found = [(entry, body.head(9), body.whole(9999)) for entry, body in walk_tree(tmp_path)]
    assert [entry.path for entry, *_ in found] == ["a", "b", "b/two"]
    assert found[0] == (Entry("a", "file", 3, 0o755), b"one", b"one")
    assert found[2][1:] == (b"2" * 9, b"2" * 5000)


def test_contents_are_bounded_spooled_and_gone_afterwards(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_text("12345")
    tree = walk_tree(tmp_path)
    _, first = next(tree)
    with pytest.raises(TooLarge):
        first.whole(4)
    with pytest.raises(TooLarge):
        first.spooled(4)
    with first.spooled(5) as file:
        assert (file.read(), file.seek(1), file.read()) == (b"12345", 1, b"2345")
    _, second = next(tree)
    assert second.head(2) == b"12"
    next(tree)
    with pytest.raises(TreeTrouble, match="passed over"):
        second.whole(5)
    tree.close()  # type: ignore[attr-defined]


def test_links_are_never_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("x")
    root = tmp_path / "root"
    root.mkdir()
    (root / "out").symlink_to("../outside")
    (root / "file").symlink_to(outside / "secret")
    (root / "self").symlink_to(".")
    found = walked(root)
    assert {path: (entry.kind, entry.link) for path, entry in found.items()} == {
        "out": ("symlink", "../outside"),
        "file": ("symlink", str(outside / "secret")),
        "self": ("symlink", "."),
    }
    (tmp_path / "link").symlink_to(root)  # the root itself may be a link: the user named it
    assert set(walked(tmp_path / "link")) == set(found)


def test_a_file_that_becomes_a_link_meanwhile_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    for _, body in walk_tree(tmp_path):
        (tmp_path / "a").unlink()
        (tmp_path / "a").symlink_to("/etc/passwd")
        with pytest.raises(TreeTrouble):
            body.whole(1 << 20)


def test_a_directory_that_becomes_a_link_meanwhile_is_not_entered(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").mkdir()
    found = []
    for entry, _ in walk_tree(tmp_path):
        found.append(entry)
        if entry.path == "a":
            (tmp_path / "b").rmdir()
            (tmp_path / "b").symlink_to("/etc")
    assert [entry.kind for entry in found] == ["file", "symlink"]


def test_special_files_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket"))
    kinds = {path: entry.kind for path, entry in walked(tmp_path).items()}
    assert kinds == {"pipe": "fifo", "socket": "other"}
    (tmp_path / "a").write_text("x")
    for entry, body in walk_tree(tmp_path):
        if entry.path == "a":
            (tmp_path / "a").unlink()
            os.mkfifo(tmp_path / "a")
            with pytest.raises(TreeTrouble, match="no regular file"):
                body.whole(9)


def test_names_that_are_no_utf8_can_be_read_and_written(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).write_text("x")
    [(entry, body)] = [(e, b.whole(9)) for e, b in walk_tree(tmp_path)]
    assert (entry.path, body) == ("\\xff", b"x")


def test_depth_number_and_seconds_are_bounded(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(230):
        deep = deep / "d"
        deep.mkdir()
    found = list(walked(tmp_path, path=1 << 20).values())
    assert len(found) == 200
    assert "deep" in found[-1].trouble
    *kept, cut = (entry for entry, _ in walk_tree(tmp_path, Limits(path=9)))
    assert (len(kept), cut.kind, cut.trouble[:11]) == (5, "other", "its path is")
    with pytest.raises(TooMuch):
        walked(tmp_path, entries=50)
    now = iter(range(0, 10_000, 10))
    with pytest.raises(TooMuch):
        list(walk_tree(tmp_path, Limits(seconds=95), lambda: next(now)))


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_text("x")
    before = len(os.listdir("/dev/fd"))
    tree = walk_tree(tmp_path)
    for _ in range(3):
        next(tree)[1].head(1)
    tree.close()  # type: ignore[attr-defined]
    walked(tmp_path)
    assert len(os.listdir("/dev/fd")) == before


def test_what_may_not_be_read_is_reported(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (tmp_path / "closed").mkdir(mode=0)
    (tmp_path / "file").touch(mode=0)
    for entry, body in walk_tree(tmp_path):
        if entry.path == "closed":
            assert entry.trouble == "cannot be read: permission denied"
        else:
            with pytest.raises(TreeTrouble, match="permission denied"):
                body.whole(1)


def test_a_root_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "none"):
        with pytest.raises(BadInput):
            walked(path)
