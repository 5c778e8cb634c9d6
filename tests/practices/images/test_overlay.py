"""Layers laid one over the other, against a file system that is a dictionary (L3 to L8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.evidence import Stored

from martello.adapters.tar import Entry, Kind
from martello.core.body import Body
from martello.core.package import Package
from martello.practices.images.evidence.model import NOTHING, Parsed, Reader
from martello.practices.images.evidence.readers import Choice
from martello.practices.images.facts import LayerFacts, analyze
from martello.practices.images.inventory import lay
from martello.practices.images.overlay import resolve


def _mark(_path: str, body: Body) -> Parsed:
    text = body.whole(1 << 20).decode().strip("#")
    return Parsed((Package("generic", text or "empty", "1"),))


def _program(path: str, body: Body) -> Parsed:
    return _mark(path, body) if body.head(1) == b"#" else NOTHING


CHOICE = Choice(
    (
        Reader("mark", _mark, names=frozenset(("a", "b"))),
        Reader("program", _program, programs=True),
    )
)
# (path, kind, content or target); kinds of content: `#…` is a program, all else a plain file
Step = tuple[str, str, str]


def layer(*steps: Step) -> LayerFacts:
    """The facts of a layer of these entries."""

    def entries() -> Iterator[tuple[Entry, Body]]:
        for path, kind, text in steps:
            content = text.ljust(4096, "#") if text.startswith("#") else text
            data = content.encode() if kind == "file" else b""
            mode = 0o755 if text.startswith("#") else 0o644
            link = text if kind in ("symlink", "hardlink") else ""
            yield Entry(path, cast(Kind, kind), len(data), mode, link), Stored(data)

    return analyze(entries(), CHOICE)


def left(*layers: Sequence[Step]) -> dict[str, str]:
    """Where evidence is left, and what it says."""
    laid = lay(layer(*steps) for steps in layers)
    return {path: held.parsed.packages[0].name for path, held in laid.evidence.items()}


class Disk:
    """The oracle: a file system in a dictionary, layers applied entry by entry."""

    def __init__(self) -> None:
        self.nodes: dict[str, tuple[str, str]] = {}

    def links(self) -> Mapping[str, str]:
        return {path: text for path, (kind, text) in self.nodes.items() if kind == "symlink"}

    def real(self, path: str) -> str | None:
        """The place of an entry, links above it followed the naive way: one by one, from the
        start.
        """
        for _ in range(60):
            parts = path.split("/")
            for count in range(1, len(parts)):
                above = "/".join(parts[:count])
                kind, text = self.nodes.get(above, ("", ""))
                if kind == "symlink":
                    folder = [] if text.startswith("/") else parts[: count - 1]
                    stack: list[str] = []
                    for part in [*folder, *text.split("/"), *parts[count:]]:
                        if part == "..":
                            del stack[-1:]
                        elif part not in ("", "."):
                            stack.append(part)
                    path = "/".join(stack)
                    break
            else:
                return path
        return None

    def remove(self, path: str) -> None:
        gone = [one for one in self.nodes if one == path or one.startswith(f"{path}/")]
        for one in gone:
            del self.nodes[one]

    def apply(self, steps: Sequence[Step]) -> None:
        for path, _, _ in steps:
            folder, _, name = path.rpartition("/")
            if name == ".wh..wh..opq":
                real = self.real(f"{folder}/x") if folder else "x"
                if real is not None:
                    inside = real.rpartition("/")[0]
                    prefix = f"{inside}/" if inside else ""
                    for one in [one for one in self.nodes if one.startswith(prefix)]:
                        del self.nodes[one]
            elif name.startswith(".wh."):
                real = self.real(f"{folder}/{name[4:]}" if folder else name[4:])
                if real is not None:
                    self.remove(real)
        for path, kind, text in steps:
            if path.rpartition("/")[2].startswith(".wh."):
                continue
            real = self.real(path)
            if real is None:
                continue
            parts = real.split("/")
            for count in range(1, len(parts)):
                above = "/".join(parts[:count])
                if self.nodes.get(above, ("", ""))[0] != "dir":
                    self.remove(above)
                    self.nodes[above] = ("dir", "")
            if not (kind == "dir" and self.nodes.get(real, ("", ""))[0] == "dir"):
                self.remove(real)
            self.nodes[real] = (kind, text)

    def evidence(self) -> dict[str, str]:
        return {
            path: text.strip("#") or "empty"
            for path, (kind, text) in self.nodes.items()
            if kind == "file" and (path.rpartition("/")[2] in ("a", "b") or text.startswith("#"))
        }


_NAMES = ("a", "b", "c", "d", "e")
_PATHS = st.lists(st.sampled_from(_NAMES), min_size=1, max_size=4).map("/".join)
_TARGETS = st.one_of(
    _PATHS, _PATHS.map("/{}".format), _PATHS.map("../{}".format), st.sampled_from(("..", "/", "."))
)
_FILES = st.sampled_from(("1", "2", "3", "#1", "#2"))
_STEPS = st.one_of(
    st.tuples(_PATHS, st.just("file"), _FILES),
    st.tuples(_PATHS, st.just("dir"), st.just("")),
    st.tuples(_PATHS, st.just("symlink"), _TARGETS),
    st.tuples(_PATHS.map(lambda p: "/".join((*p.split("/")[:-1], f".wh.{p.split('/')[-1]}"))),
              st.just("file"), st.just("")),
    st.tuples(_PATHS.map("{}/.wh..wh..opq".format), st.just("file"), st.just("")),
)  # fmt: skip
_LAYERS = st.lists(st.lists(_STEPS, max_size=8), min_size=1, max_size=5)


def _sound(disk: Disk, steps: Sequence[Step]) -> list[Step]:
    """The steps that a builder would write: no two for one place, none below a file or link of
    the same layer, nothing that shuts out what this layer has or replaces a link by a path through
    it.
    """
    kept: list[Step] = []
    taken: dict[str, str] = {}
    for path, kind, text in steps:
        if path.rpartition("/")[2].startswith(".wh."):
            kept.append((path, kind, text))
    below = Disk()
    below.nodes = dict(disk.nodes)
    below.apply(kept)
    for path, kind, text in steps:
        name = path.rpartition("/")[2]
        real = below.real(path)
        if name.startswith(".wh.") or real is None or not real:
            continue
        if real != path and real in below.links():
            continue
        parts, raw = real.split("/"), path.split("/")
        above = {"/".join(parts[:count]) for count in range(1, len(parts))}
        above |= {"/".join(raw[:count]) for count in range(1, len(raw))}
        if any(taken.get(one, "dir") != "dir" for one in above) or {real, path} & taken.keys():
            continue
        if kind != "dir" and any(one.startswith((f"{real}/", f"{path}/")) for one in taken):
            continue
        taken[real] = taken[path] = kind
        taken.update((one, "dir") for one in above if one not in taken)
        kept.append((path, kind, text))
    return kept


@settings(max_examples=600)
@given(_LAYERS)
@example([[("c/a", "file", "1"), ("d", "symlink", "c")], [("d/a", "file", "2")]])
@example([[("c/a", "file", "1")], [("c", "symlink", "d"), ("d/a", "file", "2")]])
@example([[("c/a", "file", "#1")], [("c/a", "file", "2")], [("c", "file", "3")]])
def test_the_overlay_is_a_file_system(layers: list[list[Step]]) -> None:
    disk, sound = Disk(), []
    for steps in layers:
        sound.append(_sound(disk, steps))
        disk.apply(sound[-1])
    assert left(*sound) == disk.evidence(), sound


def test_l4_the_last_of_a_path_counts() -> None:
    assert left([("c/a", "file", "1"), ("c/a", "file", "2")]) == {"c/a": "2"}
    assert left([("c/p", "file", "#1"), ("c/p", "file", "plain")]) == {}
    assert left([("a", "file", "1"), ("a", "symlink", "x")]) == {}


def test_l5_links_above_evidence_are_followed() -> None:
    below = [("lib", "symlink", "usr/lib"), ("usr/lib/a", "file", "1")]
    assert left(below, [("lib/a", "file", "2")]) == {"usr/lib/a": "2"}
    assert left(below, [("lib/.wh.a", "file", "")]) == {}
    assert left(below, [("lib", "dir", ""), ("lib/a", "file", "2")]) == {
        "usr/lib/a": "1",
        "lib/a": "2",
    }
    circle = lay([layer(("c", "symlink", "d"), ("d", "symlink", "c")), layer(("c/a", "file", "1"))])
    assert not circle.evidence
    assert "circle" in circle.unread[0].why


def test_l7_whiteouts_hide_lower_layers_only() -> None:
    below = [("d/a", "file", "1"), ("d/e/b", "file", "2")]
    assert left(below, [("d/.wh.a", "file", ""), ("d/a", "file", "3")])["d/a"] == "3"
    assert left([*below, ("d/.wh.a", "file", "")])["d/a"] == "1"
    own = [("d/b", "file", "3"), ("d/.wh..wh..opq", "file", "")]
    for steps in (own, own[::-1]):
        assert left(below, steps) == {"d/b": "3"}
    assert left(below, [(".wh.d", "file", "")]) == {}
    assert left(below, [(".wh..wh.plnk", "dir", ""), (".wh.", "file", "")]) == left(below)


def test_l8_files_and_directories_replace_each_other() -> None:
    below = [("d/e/a", "file", "1"), ("d/b", "file", "2")]
    assert left(below, [("d/e", "file", "plain")]) == {"d/b": "2"}
    assert left(below, [("d", "symlink", "x")]) == {}
    assert left([("p", "file", "#1")], [("p", "dir", "")]) == {}
    assert left([("p", "file", "#1")], [("p/x", "file", "plain")]) == {}
    assert left([("d/a", "file", "1"), ("d", "file", "plain")]) == {}
    assert left([("a", "file", "1"), ("a", "dir", "")]) == {}


def test_l3_hard_links_to_an_earlier_file_also_of_a_lower_layer() -> None:
    assert left([("c/a", "file", "1"), ("d/b", "hardlink", "c/a")]) == {"c/a": "1", "d/b": "1"}
    below = [("c/a", "file", "1"), ("p", "file", "#2")]
    assert left(below, [("d/b", "hardlink", "c/a")], [(".wh.c", "file", "")]) == {
        "d/b": "1",
        "p": "2",
    }
    laid = lay([layer(("d/b", "hardlink", "nowhere"))])
    assert laid.missing["d/b"].target == "nowhere"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a/b", "a/b"), ("l/x", "usr/lib/x"), ("up/../x", "x"), ("abs/x", "x"), ("far", "etc"),
        ("self", None), ("two/x", "usr/lib/x"), ("", ""),
    ],
)  # fmt: skip
def test_l5_resolve(path: str, found: str | None) -> None:
    links = {
        "l": "usr/lib", "up": "a/b/../..", "abs": "/", "far": "../../../etc", "self": "self",
        "two": "./l/",
    }  # fmt: skip
    assert resolve(path, links) == found


def test_many_clashes_in_one_layer_are_no_endless_work() -> None:
    steps: list[Step] = []
    for _ in range(1200):
        steps += [("d/a", "file", "1"), ("d", "file", "x")]
    facts = layer(*steps)
    assert not facts.whole
    assert "replace directories" in facts.unread[0].why
