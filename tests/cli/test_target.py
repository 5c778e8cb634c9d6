"""Targets are read without guessing: no mistyped path ever goes online."""

from __future__ import annotations

from pathlib import Path

import pytest

from martello.cli.target import Target, in_context, parse_target
from martello.core.errors import BadInput


@pytest.mark.parametrize(
    ("word", "target"),
    [
        ("-", Target("stdin", "-")),
        ("cluster", Target("cluster")),
        ("cluster:prod", Target("cluster", "prod")),
        ("cluster:arn:aws:eks:x", Target("cluster", "arn:aws:eks:x")),
        ("bundle:prod.json.gz", Target("bundle", "prod.json.gz")),
        ("demo", Target("demo")),
    ],
)
def test_forms(word: str, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_target(word) == target


def test_what_exists_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("demo", "nginx:1.27", "web.yaml"):
        (tmp_path / name).write_text("")
        assert parse_target(name) == Target("path", name)


@pytest.mark.parametrize("word", ["depoy", "./depoy/web.yaml", "deploy/", "nginx", "a/b/c"])
def test_a_mistyped_path_is_an_error_that_names_both_readings(word: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_target(word)
    assert "no such file or directory" in str(caught.value)
    assert "image" in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("word", ["nginx:1.27", "registry.example.com/shop/web@sha256:" + "0" * 64])
def test_an_image_is_recognised_and_not_looked_up(word: str) -> None:
    with pytest.raises(BadInput, match="does not read images"):
        parse_target(word)


@pytest.mark.parametrize("word", ["cluster", "bundle:x", "-"])
def test_the_name_of_a_target_reads_back(word: str) -> None:
    assert str(parse_target(word)) == word


def test_context_is_the_cluster_that_is_meant() -> None:
    assert in_context([Target("cluster")], "prod") == [Target("cluster", "prod")]
    both = [Target("path", "a"), Target("cluster")]
    assert in_context(both, "prod") == [Target("path", "a"), Target("cluster", "prod")]
    assert in_context([Target("cluster", "prod")], "prod") == [Target("cluster", "prod")]


@pytest.mark.parametrize("target", [Target("path", "a"), Target("cluster", "test")])
def test_a_context_that_cannot_be_meant_is_refused(target: Target) -> None:
    with pytest.raises(BadInput, match="--context prod"):
        in_context([target], "prod")
