"""The house keeps its measure: files stay short and say what they are for."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))


def tree(path: Path) -> ast.Module:
    """The syntax tree of a source file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def test_a_module_fits_into_a_head() -> None:
    lengths = {str(p.relative_to(ROOT)): len(p.read_text("utf-8").splitlines()) for p in SOURCES}
    assert {name: n for name, n in lengths.items() if n > 400} == {}


def test_a_module_says_what_it_is_for() -> None:
    assert [str(p.relative_to(ROOT)) for p in SOURCES if not ast.get_docstring(tree(p))] == []


def test_public_functions_and_classes_are_documented() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert bare == []


def test_no_lock_file_and_no_address_of_a_registry_is_kept() -> None:
    assert not [p.name for p in ROOT.iterdir() if p.name in ("uv.lock", "poetry.lock")]
    lines = [
        f"{path.name}: {line}"
        for path in (ROOT / "requirements").glob("*.txt")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "://" in line or line.startswith(("-i", "--index", "--find", "--extra", "--trusted"))
    ]
    assert lines == []


def test_requirements_are_hashed() -> None:
    for name in ("base", "build", "dev"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        pinned = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert pinned
        assert all(line.endswith("\\") for line in pinned)
