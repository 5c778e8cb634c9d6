"""A command that follows is never wrapped: people copy it."""

from __future__ import annotations

from martello.report.text import followed, hanging

COMMAND = "martello paths cut -f 'my shop' --to node --write fixes/"


def test_it_stands_beside_where_there_is_room() -> None:
    assert followed("exit 0: done", COMMAND, 80) == [f"exit 0: done    next: {COMMAND}"]
    assert followed("exit 0: done", COMMAND, 0) == [f"exit 0: done    next: {COMMAND}"]


def test_it_stands_below_where_there_is_none() -> None:
    assert followed("exit 0: done", COMMAND, 40) == ["exit 0: done", f"next: {COMMAND}"]


def test_without_one_the_line_is_wrapped() -> None:
    assert followed("exit 0: " + "word " * 5, "", 20)[1].startswith("  word")


def test_a_percent_sign_stays_with_its_number() -> None:
    assert hanging("minutes above it: 34 %, now 9 %", 22, 2) == [
        "minutes above it:",
        "  34 %, now 9 %",
    ]
