"""The pre-commit hook judges what is staged, and hides nothing that it could not assess."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from tests.support.command import Done, martello

ROOT: Final = Path(__file__).parents[2]
BAD: Final = """\
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: shop}
spec:
  hostPID: true
  containers: [{name: c, image: r.example.com/c:1}]
"""
FILES: Final = {"bad.yaml": BAD, "foreign.yml": "on: push\n", "broken.yaml": "a: [\n"}
UNREACHABLE: Final = re.compile(r"[Cc]onnection|timed out|NameResolution|ProxyError|SSLError")


def hook() -> dict[str, Any]:
    """The one hook that the repository offers."""
    (found,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def judged(folder: Path, *names: str) -> Done:
    """The hook's entry on files, as pre-commit calls it."""
    for name in names:
        (folder / name).write_text(FILES[name])
    program, *words = shlex.split(hook()["entry"])
    assert program == "martello"
    return martello(*words, *names, cwd=folder)


def test_findings_stop_a_commit(tmp_path: Path) -> None:
    done = judged(tmp_path, *FILES)
    assert done.code == 1
    assert "POD-002" in done.out
    assert "bad.yaml:5:3" in done.out


def test_foreign_files_do_not_stop_it_and_what_is_unreadable_is_shown(tmp_path: Path) -> None:
    done = judged(tmp_path, "foreign.yml", "broken.yaml")
    assert done.code == 0
    assert "unassessed broken.yaml:" in done.out
    assert hook()["verbose"] is True, "pre-commit would hide what a passing hook says"


def test_files_are_judged_together_and_only_manifests() -> None:
    assert hook()["require_serial"] is True
    assert hook()["types_or"] == ["yaml", "json"]


@pytest.mark.slow
def test_pre_commit_runs_it(tmp_path: Path) -> None:
    """With pre-commit itself, from a clone, in the environment that it makes for the hook."""
    pytest.importorskip("pre_commit", reason="no pre-commit: see requirements/dev.txt")
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout to try the hook from")
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "PYTHON"))}
    quick = {"PIP_RETRIES": "1", "PIP_DEFAULT_TIMEOUT": "20"}
    environment = {**plain, **quick, "PRE_COMMIT_HOME": str(tmp_path / "home")}
    for command in (
        ["git", "clone", "--quiet", str(ROOT), str(tmp_path / "martello")],
        ["git", "init", "--quiet", str(tmp_path / "shop")],
    ):
        subprocess.run(command, check=True, capture_output=True, env=environment, timeout=60)
    for name, text in FILES.items():
        (tmp_path / "shop" / name).write_text(text)
    subprocess.run(["git", "add", "."], cwd=tmp_path / "shop", check=True, timeout=60)
    tried = [sys.executable, "-m", "pre_commit", "try-repo", str(tmp_path / "martello"), "martello"]
    done = subprocess.run(
        [*tried, "--files", *FILES],
        cwd=tmp_path / "shop",
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    shutil.rmtree(tmp_path / "home", ignore_errors=True)
    if "POD-002" not in done.stdout and UNREACHABLE.search(done.stdout):
        pytest.skip("no package index: pre-commit cannot make the hook's environment")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "martello scan" in done.stdout
    assert "POD-002" in done.stdout
