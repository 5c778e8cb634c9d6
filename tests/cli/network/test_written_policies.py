"""`learn --write` writes below the directory that is named, a file for every policy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from martello.cli.network.learning import write_policies
from martello.core.errors import BadInput


def _policy(namespace: str, name: str) -> dict[str, Any]:
    return {"kind": "NetworkPolicy", "metadata": {"name": name, "namespace": namespace}}


def _read(folder: Path) -> list[tuple[str, str]]:
    found = [yaml.safe_load(file.read_text())["metadata"] for file in folder.iterdir()]
    return sorted((one["namespace"], one["name"]) for one in found)


def test_policies_whose_names_join_alike_keep_a_file_each(tmp_path: Path) -> None:
    names = [("a", "learned-x"), ("a-learned", "x"), ("a/b", "x"), ("a_b", "x"), ("ab", "X")]
    written = write_policies([_policy(*one) for one in names], str(tmp_path / "out"))
    assert len(set(written)) == len(names)
    assert _read(tmp_path / "out") == sorted(names)
    again = write_policies([_policy(*one) for one in reversed(names)], str(tmp_path / "out"))
    assert sorted(again) == sorted(written)


@pytest.mark.parametrize("name", ["../../x", "..", "/etc/x", "n" * 400, "\x1b[31m\n", "ü" * 200])
def test_no_name_leads_elsewhere(name: str, tmp_path: Path) -> None:
    write_policies([_policy(name, name)], str(tmp_path / "a" / "out"))
    assert len(list((tmp_path / "a" / "out").iterdir())) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["a"]
    assert [one.name for one in (tmp_path / "a").iterdir()] == ["out"]


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "directory"])
def test_what_is_no_file_is_neither_followed_nor_replaced(kind: str, tmp_path: Path) -> None:
    victim, out = tmp_path / "victim", tmp_path / "out"
    victim.write_text("mine")
    out.mkdir()
    at = out / "shop-p.yaml"
    if kind == "pipe":
        os.mkfifo(at)
    elif kind == "directory":
        at.mkdir()
    else:
        at.symlink_to(victim if kind == "link" else tmp_path / "new")
    policies = [_policy("a", "first"), _policy("shop", "p")]
    with pytest.raises(BadInput, match="no plain file"):
        write_policies(policies, str(out))
    assert victim.read_text() == "mine"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["out", "victim"]
    assert [one.name for one in out.iterdir()] == ["shop-p.yaml"]
