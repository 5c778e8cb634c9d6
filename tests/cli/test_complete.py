"""What shells and kubectl are offered when somebody presses the tabulator."""

from __future__ import annotations

import pytest
from tests.support.command import martello

from martello.catalogue.load import load
from martello.cli.complete import kubectl
from martello.cli.main import COMMANDS


def offered(*words: str) -> list[str]:
    """The words that bash offers for the last of these."""
    line = {"_MARTELLO_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(("martello", *words))}
    done = martello(env={**line, "COMP_CWORD": str(len(words))})
    return [each.partition(",")[2] for each in done.out.splitlines() if each]


def answer(
    *words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[list[str], str]:
    """The words and the directive that kubectl gets."""
    monkeypatch.setattr("sys.argv", ["kubectl_complete-martello", *words])
    kubectl()
    *lines, directive = capsys.readouterr().out.splitlines()
    return [line.partition("\t")[0] for line in lines], directive


def test_commands() -> None:
    assert offered("sc") == ["scan"]


def test_checks_by_id_and_by_name() -> None:
    ids = {check.id for check in load() if check.id.startswith("MON-")}
    assert set(offered("explain", "mon-")) == ids
    assert offered("explain", "runtime-s") == ["runtime-socket"]
    assert offered("scan", "--check", "POD-008") == ["POD-008"]
    assert offered("scan", "--skip", "POD-008") == ["POD-008"]
    assert offered("explain", "nothing-like-it") == []


def test_words_of_a_flag() -> None:
    assert offered("scan", "--fail-on", "h") == ["high"]


@pytest.mark.parametrize(
    ("words", "expected", "directive"),
    [
        (("",), list(COMMANDS), ":4"),
        ((), list(COMMANDS), ":4"),
        (("ex",), ["explain"], ":4"),
        (("explain", "POD-008"), ["POD-008"], ":4"),
        (("scan", "--fail-on", "h"), ["high"], ":4"),
        (("scan", "dep"), [], ":0"),
        (("nothing", ""), list(COMMANDS), ":4"),
    ],
)
def test_kubectl(
    words: tuple[str, ...],
    expected: list[str],
    directive: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert answer(*words, monkeypatch=monkeypatch, capsys=capsys) == (expected, directive)
