"""Bad input never gives a traceback, never a pass, and never hides the good file beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GOOD = """apiVersion: v1
kind: Pod
metadata: {name: good}
spec:
  containers:
    - name: app
      image: registry.example.com/app:1.0
      securityContext: {privileged: true}
"""
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: bad}\nspec: "


def text(content: str) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content.encode())  # type: ignore[return-value]


def raw(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content)  # type: ignore[return-value]


def large(path: Path) -> None:
    """100 MB, sparse: the size alone says no."""
    with path.open("wb") as out:
        out.truncate(100 * 1024 * 1024)


def bomb(path: Path) -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    path.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\n" + "\n".join(rows))


def unreadable(path: Path) -> None:
    path.write_text(GOOD)
    path.chmod(0)
    if os.geteuid() == 0:  # root reads everything but this
        path.unlink()
        path.symlink_to("/proc/self/mem")


def fifo(path: Path) -> None:
    os.mkfifo(path)


def loop(path: Path) -> None:
    path.symlink_to(path.name)


BAD: dict[str, Callable[[Path], None]] = {
    "broken": text(POD + "{containers: [\n"),
    "tabs": text("apiVersion: v1\nkind: Pod\n\tmetadata: {}\n"),
    "bomb": bomb,
    "large": large,
    "binary": raw(b"\x7fELF\x00\x01\x02\xff\xfe" * 100),
    "latin1": raw(b"apiVersion: v1\nkind: Pod\nmetadata: {name: caf\xe9}\n"),
    "deep": text(POD + "[" * 5_000 + "]" * 5_000),
    "deep-block": text(POD + "\n" + "".join(" " * n + "a:\n" for n in range(2, 1_500))),
    "infinite": text(POD + "{priority: .inf}"),
    "alias": text(POD + "*nothing"),
    "recursive": text("apiVersion: v1\nkind: Pod\nmetadata: {name: bad}\nspec: &a {x: *a}\n"),
    "template": text(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  {{- if .x }}\n  name: {{ .Values.n }}\n"
    ),
    "kind": text("apiVersion: v1\nkind: [Pod]\n"),
    "name": text("apiVersion: v1\nkind: Pod\nmetadata: {name: [x]}\n"),
    "metadata": text("apiVersion: v1\nkind: Pod\nmetadata: 3\n"),
    "spec": text(POD + "3\n"),
    "containers": text(POD + "{containers: {}}\n"),
    "element": text(POD + "{containers: [null, 3]}\n"),
    "wrong-type": text(POD + "{hostPID: 'true', containers: [{name: a, image: b:1}]}\n"),
    "unreadable": unreadable,
    "fifo": fifo,
    "loop": loop,
}


def scan(directory: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, JSON report and stderr of a scan in a directory."""
    command = [sys.executable, "-m", "martello.cli.main", "scan", ".", "-o", "json"]
    done = subprocess.run(
        [*command, "--fail-on", "never", *words],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "MARTELLO_DEBUG": "0"},
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


@pytest.mark.parametrize("name", BAD)
def test_bad_beside_good(name: str, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    BAD[name](tmp_path / f"{name}.yaml")
    code, report, _ = scan(tmp_path)
    found = [f for f in report["findings"] if f["object"]["name"] == "good"]
    assert "POD-001" in {f["check"] for f in found}
    assert code == 3
    about = [
        u
        for u in report["unassessed"]
        if u["asked"] and u["location"] and name in u["location"]["file"]
    ]
    assert about, report["unassessed"]
    assert all(u["reason"] for u in about)


HARMLESS = {
    "empty": raw(b""),
    "comments": text("# nothing here\n---\n# nor here\n"),
    "crlf": text(GOOD.replace("good", "ends").replace("\n", "\r\n")),
    "bom": raw(b"\xef\xbb\xbf" + GOOD.replace("good", "ends").encode()),
    "utf16": raw(GOOD.replace("good", "ends").encode("utf-16")),
    "foreign": text("on: push\njobs: {build: {runs-on: x}}\n"),
    "marks": text("---\n---\n" + GOOD.replace("good", "ends") + "...\n"),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_odd_but_fine(name: str, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    HARMLESS[name](tmp_path / f"{name}.yaml")
    code, report, _ = scan(tmp_path)
    assert code == 0
    names = {f["object"]["name"] for f in report["findings"] if f["check"] == "POD-001"}
    whole = name in ("crlf", "bom", "utf16", "marks")
    assert names == ({"good", "ends"} if whole else {"good"})


def test_a_duplicate_key_is_found_with_both_places(tmp_path: Path) -> None:
    twice = GOOD.replace("  containers:", "  hostPID: true\n  hostPID: false\n  containers:")
    (tmp_path / "twice.yaml").write_text(twice)
    _, report, _ = scan(tmp_path)
    found = [f for f in report["findings"] if f["check"] == "POD-048"]
    assert len(found) == 1
    assert "hostPID" in found[0]["message"] + found[0]["path"]
    assert found[0]["location"]["line"] in (5, 6)


def test_an_empty_directory_is_no_pass(tmp_path: Path) -> None:
    code, report, _ = scan(tmp_path)
    assert code == 3
    assert "nothing to judge" in report["summary"]["reason"]


def test_a_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number}.yaml").write_text(GOOD.replace("good", f"pod-{number}"))
    program = f"{sys.executable} -m martello.cli.main scan . -o jsonl | head -n 1"
    done = subprocess.run(
        ["sh", "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_an_unwritable_report_says_so_and_the_others_are_written(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    command = [sys.executable, "-m", "martello.cli.main", "scan", "good.yaml"]
    done = subprocess.run(
        [*command, "-o", "json=missing/x.json", "-o", "junit=junit.xml", "-o", "table"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "cannot write missing/x.json" in done.stderr
    assert (tmp_path / "junit.xml").read_text().startswith("<?xml")
    assert "POD-001" in done.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["good.yaml", "junit.xml"]
