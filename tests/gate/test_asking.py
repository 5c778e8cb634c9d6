"""Asking for scans: once each, again after a while, never more than there is room for."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.gate import GOOD, NEW

from martello.gate.asking import Asking, item


def test_an_image_is_one_by_its_digest_else_by_its_name() -> None:
    assert item(f"nginx:1@{GOOD}") == (GOOD, f"docker.io/library/nginx@{GOOD}")
    assert item("nginx") == ("docker.io/library/nginx:latest",) * 2
    assert item("A b")[1] == ""


def test_once_and_again_after_a_while() -> None:
    now = [0.0]
    written: list[str] = []
    asking = Asking(written.extend, again=300, clock=lambda: now[0])
    assert asking.ask([f"a/b@{GOOD}", f"c/d:1@{GOOD}", f"a/b@{NEW}", "a/b", "a/b:latest", "?"]) == 3
    assert asking.ask([f"a/b@{GOOD}"]) == 0
    now[0] = 300
    assert asking.ask([f"c/d@{GOOD}"]) == 1
    asking.start()
    asking.stop()
    assert written == [
        f"docker.io/a/b@{GOOD}",
        f"docker.io/a/b@{NEW}",
        "docker.io/a/b:latest",
        f"docker.io/c/d@{GOOD}",
    ]
    assert asking.written == 4


def test_there_is_an_end_to_what_waits_and_is_remembered() -> None:
    def never(items: Sequence[str]) -> None:
        raise AssertionError(items)

    asking = Asking(never)
    new = asking.ask(f"a/b@sha256:{n:064x}" for n in range(30_000))
    assert (new, asking.dropped) == (10_000, 20_000)
