"""Files, directories and standard input: what is read, counted, left out or unassessed."""

from __future__ import annotations

import ctypes
import io
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from martello.adapters.manifests import Limits, read_paths
from martello.core.errors import BadInput
from martello.core.reading import Reading


def pod(name: str) -> str:
    return f"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec: {{containers: []}}\n"


def put(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def names(reading: Reading) -> list[str]:
    return [r.ref.name for r in reading.resources]


def reasons(reading: Reading) -> list[tuple[str, int, str]]:
    found = []
    for entry in reading.unassessed:
        assert entry.asked
        assert entry.location is not None
        found.append((entry.location.file, entry.location.line, entry.reason))
    return found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def nobody(here: Path) -> Iterator[None]:
    """Root reads everything, so this thread takes off its rights for the test: not the process,
    in which others may be at work.
    """
    user, libc = os.geteuid(), ctypes.CDLL(None)
    if user == 0:
        here.chmod(0o777)  # what the test writes is nobody's then
        libc.setfsuid(65534)
    yield
    if user == 0:
        libc.setfsuid(0)


def test_a_directory_is_read_recursively_and_in_order(here: Path) -> None:
    skipped = ("c.txt", ".hidden/x.yaml", "node_modules/x.yaml")
    for path in ("b.yaml", "a/z.YML", "a/b/c.json", *skipped):
        put(here / "d" / path, pod(path.replace("/", "-").lower()))
    put(here / "d/.git/x.yaml", pod("git"))
    reading = read_paths(["d"])
    assert names(reading) == ["a-b-c.json", "a-z.yml", "b.yaml"]
    assert [r.origin.where for r in reading.resources] == ["d/a/b/c.json", "d/a/z.YML", "d/b.yaml"]
    assert (reading.target, reading.files, reading.foreign, reading.partial) == ("d", 3, 0, 0)
    assert reading.unassessed == ()


def test_paths_stay_as_the_user_gave_them(here: Path) -> None:
    put(here / "d/a.yaml", pod("a"))
    given = {".": "d/a.yaml", "d/": "d/a.yaml", "./d": "./d/a.yaml", "d/a.yaml": "d/a.yaml"}
    for path, shown in given.items():
        assert [r.origin.where for r in read_paths([path]).resources] == [shown]
    (resource,) = read_paths([str(here)]).resources
    assert resource.origin.where == str(here / "d/a.yaml")


@pytest.mark.parametrize("path", ["nope", "nope/x.yaml", "a.yaml/x", "a\0b", "nginx:1.25"])
def test_a_path_that_does_not_exist_is_bad_input(here: Path, path: str) -> None:
    put(here / "a.yaml", pod("a"))
    with pytest.raises(BadInput, match="no such file or directory"):
        read_paths(["a.yaml", path])


def test_standard_input() -> None:
    reading = read_paths(["-"], stdin=io.BytesIO(pod("a").encode()))
    assert names(reading) == ["a"]
    assert str(reading.resources[0].locate(("kind",))) == "<stdin>:2:1"
    with pytest.raises(BadInput, match="standard input"):
        read_paths(["-"])
    reading = read_paths(["-"], stdin=io.BytesIO(b"x" * 100), limits=Limits(size=99))
    assert reasons(reading) == [("<stdin>", 0, "larger than 99 bytes, the limit for one file")]


def test_a_file_is_read_once(here: Path) -> None:
    put(here / "d/a.yaml", pod("a"))
    os.symlink("a.yaml", here / "d/b.yaml")
    os.symlink(here / "d", here / "d/loop")
    os.symlink("e", here / "d/f")
    put(here / "d/e/c.yaml", pod("c"))
    reading = read_paths(["d", "d/a.yaml", "d/e"])
    assert names(reading) == ["a", "c"]
    assert (reading.files, reading.unassessed) == (2, ())


def test_links_that_lead_nowhere(here: Path) -> None:
    put(here / "d/a.yaml", pod("a"))
    os.symlink("gone", here / "d/gone.yaml")
    os.symlink("loop.yaml", here / "d/loop.yaml")
    reading = read_paths(["d"])
    assert names(reading) == ["a"]
    assert reasons(reading) == [
        ("d/gone.yaml", 0, "cannot be read: no such file or directory"),
        ("d/loop.yaml", 0, "cannot be read: too many levels of symbolic links"),
    ]
    assert reasons(read_paths(["d/loop.yaml"]))[0][0] == "d/loop.yaml"


def test_pipes_and_devices_do_not_block(here: Path) -> None:
    (here / "d").mkdir()
    os.mkfifo(here / "d/p.yaml")
    assert reasons(read_paths(["d"])) == [("d/p.yaml", 0, "not a regular file")]
    assert reasons(read_paths(["/dev/zero"])) == [("/dev/zero", 0, "not a regular file")]
    assert read_paths(["d/p.yaml"]).resources == ()
    inner, outer = os.pipe()
    os.write(outer, pod("p").encode())
    threading.Timer(0.05, os.close, [outer]).start()
    assert names(read_paths([f"/dev/fd/{inner}"])) == ["p"]
    os.close(inner)


@pytest.mark.usefixtures("nobody")
def test_what_may_not_be_read() -> None:
    file, directory = Path("d/a.yaml"), Path("d/b")
    put(file, pod("a"))
    put(directory / "c.yaml", pod("c"))
    file.chmod(0)
    directory.chmod(0)
    try:
        reading = read_paths(["d"])
    finally:
        directory.chmod(0o700)
    assert reasons(reading) == [
        ("d/b", 0, "cannot be read: permission denied"),
        ("d/a.yaml", 0, "cannot be read: permission denied"),
    ]


BAD: Sequence[tuple[bytes, int, str]] = (
    (b"\x7fELF\x00\x00", 0, "a binary file, not UTF-8 text"),
    (b"\xff\xfe\x00\x00a\x00\x00\x00", 0, "encoded in UTF-32"),
    (b"\xff\xfea", 0, "not valid UTF-16"),
    (b"a: \xe9\n", 1, "not valid YAML"),
    (b"a:\n\tb: 1\n", 2, "not valid YAML: found character that cannot start any token"),
    (b"kind: [\n", 2, "not valid YAML: did not find expected node content"),
    (b"apiVersion: v1\nmetadata: {}\n", 1, "kind is missing"),
    (b"# x\napiVersion: v1\nkind: 1\n", 2, "kind is a number"),
    (b"apiVersion: v1\nkind: ''\n", 1, "kind is empty"),
    (b"kind: Pod\nmetadata: {name: a}\n", 1, "apiVersion is missing"),
    (b"apiVersion: 1\nkind: Pod\nmetadata: {}\n", 1, "apiVersion is a number"),
    (b"apiVersion: v1\nkind: Pod\nmetadata: []\n", 1, "metadata is a list"),
    (b"apiVersion: v1\nkind: Pod\nmetadata: {name: 1}\n", 1, "metadata.name is a number"),
    (b"apiVersion: v1\nkind: List\nitems: {}\n", 3, "the items of a List are a mapping"),
    (b"apiVersion: v1\nkind: List\nitems:\n- x\n", 4, "an item of a List is a string"),
    (b"apiVersion: v1\nkind: List\nitems:\n- a: 1\n", 4, "kind is missing"),
)


@pytest.mark.parametrize(("content", "line", "reason"), BAD)
def test_bad_input_is_named_and_costs_itself_alone(
    here: Path, content: bytes, line: int, reason: str
) -> None:
    put(here / "d/a.yaml", pod("a"))
    put(here / "d/b.yaml", content)
    put(here / "d/c.yaml", pod("c"))
    reading = read_paths(["d"])
    assert names(reading) == ["a", "c"]
    ((file, where, why),) = reasons(reading)
    assert (file, where) == ("d/b.yaml", line)
    assert reason in why


def test_large_files_are_refused_unread(here: Path) -> None:
    put(here / "d/a.yaml", pod("a"))
    with (here / "d/big.yaml").open("wb") as big:
        big.truncate(100 << 20)
    reading = read_paths(["d"])
    assert names(reading) == ["a"]
    assert reasons(reading) == [("d/big.yaml", 0, "larger than 16 MiB, the limit for one file")]
    assert names(read_paths(["d/a.yaml"], limits=Limits(size=len(pod("a"))))) == ["a"]
    assert read_paths(["d/a.yaml"], limits=Limits(size=len(pod("a")) - 1)).unassessed


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_and_line_ends(here: Path, encoding: str) -> None:
    text = pod("é").replace("\n", "\r\n") + "---\r\n" + pod("b")
    put(here / "a.yaml", text.encode(encoding))
    reading = read_paths(["a.yaml"])
    assert names(reading) == ["é", "b"]
    assert str(reading.resources[0].locate(("apiVersion",))) == "a.yaml:1:1"
    assert str(reading.resources[1].locate(("spec", "containers"))) == "a.yaml:9:8"


def test_foreign_documents_are_counted_and_nothing_else(here: Path) -> None:
    files = {
        "package.json": '{"name": "x", "kind": "library"}',
        "tsconfig.json": '{\n  // a comment\n  "a": 1,\n}',
        "list.json": "[1, 2]",
        "empty.json": "",
        "compose.yaml": "services: {web: {image: nginx}}\n---\nplain text\n",
        "ci.yml": "on: push\njobs: {a: {steps: [{run: 'echo ${{ x }}'}]}}\n",
        "grafana.yaml": "apiVersion: 1\ndatasources: []\n",
        "empty.yaml": "# nothing\n",
        "deep/schema.json": '{"$schema": "x", "properties": {"kind": {"type": "string"}}}',
    }
    for name, content in files.items():
        put(here / "d" / name, content)
    reading = read_paths(["d"])
    assert (reading.resources, reading.unassessed) == ((), ())
    assert (reading.files, reading.foreign) == (9, 8)


def test_broken_json_that_is_named_or_speaks_of_kubernetes_is_unassessed(here: Path) -> None:
    put(here / "d/a.json", '{// no\n"x": 1}')
    put(here / "d/b.json", '{"apiVersion": "v1", // no\n}')
    assert [file for file, _, _ in reasons(read_paths(["d"]))] == ["d/b.json"]
    assert [file for file, _, _ in reasons(read_paths(["d/a.json"]))] == ["d/a.json"]


LIST = """\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: a}
- apiVersion: v1
  kind: List
  items:
  - {apiVersion: v1, kind: Service, metadata: {name: b}}
- apiVersion: v1
  kind: PodList
  items:
  - metadata: {name: c}
    spec: {hostPID: true}
- {apiVersion: v1, kind: List}
"""


def test_lists_are_flattened_and_items_keep_their_lines(here: Path) -> None:
    put(here / "a.yaml", LIST)
    reading = read_paths(["a.yaml"])
    found = [(r.ref.kind, r.ref.name, r.locate().line) for r in reading.resources]
    assert found == [("Pod", "a", 4), ("Service", "b", 10), ("Pod", "c", 14)]
    assert str(reading.resources[2].locate(("spec", "hostPID"))) == "a.yaml:15:12"
    assert reading.resources[2].raw["apiVersion"] == "v1"
    assert reading.unassessed == ()


def test_kinds_that_just_end_in_list_and_lists_without_a_kind(here: Path) -> None:
    put(here / "a.yaml", "apiVersion: x/v1\nkind: AllowList\nmetadata: {name: a}\nitems: [b]\n")
    put(here / "b.json", '[{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}]')
    reading = read_paths(["a.yaml", "b.json"])
    assert names(reading) == ["a", "p"]
    assert str(reading.resources[1].locate(("kind",))) == "b.json:1:23"


def test_unknown_kinds_pass_through_untouched(here: Path) -> None:
    put(here / "a.yaml", "apiVersion: example.com/v7\nkind: Thing\nspec: [1, {a: 0x10}]\n")
    (resource,) = read_paths(["a.yaml"]).resources
    assert resource.raw == {"apiVersion": "example.com/v7", "kind": "Thing", "spec": [1, {"a": 16}]}
    assert resource.ref.name == ""


def test_columns_count_from_one_even_where_the_reader_tells_none(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"a: b\nc: \x01\n")
    (entry,) = read_paths([str(tmp_path)]).unassessed
    assert entry.location is not None
    assert (entry.location.line, entry.location.column) == (2, 1)


def test_an_empty_directory_beside_others_is_said(tmp_path: Path) -> None:
    put(tmp_path / "full" / "a.yaml", pod("a"))
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    full, empty = str(tmp_path / "full"), str(tmp_path / "empty")
    reading = read_paths([full, empty, full, empty])
    assert names(reading) == ["a"]
    assert [place for place, _, _ in reasons(reading)] == [empty]
    assert read_paths([empty]).unassessed == ()
    assert read_paths([full, f"{full}/../full"]).unassessed == ()
