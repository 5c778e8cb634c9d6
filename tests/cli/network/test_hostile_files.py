"""Files beside the manifests that are broken, endless or of wrong types: told, never a trace."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.support.network.asked import ask

POD = """
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}},
  spec: {containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.0.0.1}}
"""


def _git(folder: Path, *words: str) -> str:
    argv = ["git", "-c", "user.name=x", "-c", "user.email=x@x", "-C", str(folder), *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    _git(tmp_path, "init", "-q")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.yaml").write_text(POD)
    return tmp_path


def _commit(folder: Path) -> None:
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "-m", "one")


def test_a_revision_whose_objects_are_gone_is_told(repository: Path) -> None:
    _commit(repository)
    name = _git(repository, "rev-parse", "HEAD:d/a.yaml")
    (repository / ".git" / "objects" / name[:2] / name[2:]).unlink()
    done = ask("can", "shop/web", "internet", "-f", "git:HEAD:d", cwd=repository)
    assert done.code == 2
    assert "d/a.yaml" in done.err


def test_a_link_in_a_revision_is_not_read_and_not_left_out_in_silence(repository: Path) -> None:
    (repository / "d" / "b.yaml").symlink_to("../elsewhere.yaml")
    _commit(repository)
    done = ask("can", "shop/web", "internet", "-f", "git:HEAD:d", cwd=repository)
    assert done.code == 3
    found = ask("can", "shop/web", "internet", "-f", "git:HEAD:d", "-o", "json", cwd=repository)
    assert "d/b.yaml" in found.out


@pytest.mark.parametrize("flag", ["--intents", "--fleet"])
def test_an_endless_file_is_not_read_to_its_end(flag: str, tmp_path: Path) -> None:
    (tmp_path / "f.yaml").symlink_to("/dev/zero")
    (tmp_path / "a.yaml").write_text(POD)
    words = () if flag == "--fleet" else ("-f", "a.yaml")
    done = ask("lint", *words, flag, "f.yaml", cwd=tmp_path)
    assert done.code == 2
    assert "larger than" in done.err


@pytest.mark.parametrize("key", ["mesh", "translated"])
def test_a_switch_of_a_fleet_is_true_or_false(key: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(POD)
    (tmp_path / "fleet.yaml").write_text(f'clusters: {{one: {{files: a.yaml, {key}: "yes"}}}}')
    done = ask("lint", "--fleet", "fleet.yaml", cwd=tmp_path)
    assert done.code == 2
    assert f"clusters.one.{key}" in done.err
