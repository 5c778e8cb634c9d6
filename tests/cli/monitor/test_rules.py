"""`monitor rules` and what leads to it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from tests.support.asked import ask

from martello.cli.monitor.explaining import sentence, words
from martello.cli.monitor.serving import _refusal
from martello.practices.monitor.engine.ir import And, Atom, Column, Constant, Node, Not, Or

VERB = Atom(Column("api_verb"), "in", ("get", "list"))
NAMED = Atom(Column("k8s_name"), "exists")


def test_a_rule_is_shown_by_its_id_and_its_title() -> None:
    done = ask("monitor", "rules", "show", "MON-139", "Exec into a pod, then Events deleted")
    assert done.code == 0
    assert "MON-139  Control plane identity used by hand" in done.out
    assert "\n  when    " in done.out
    assert "sequence of MON-411/exec" in done.out
    assert ask("monitor", "rules", "show", "nobody").code == 2


def test_who_asks_for_a_check_by_the_id_of_a_rule_is_told_where_it_is() -> None:
    done = ask("explain", "mon-139")
    assert done.code == 2
    assert "next: martello monitor rules show MON-139" in done.err
    assert "no such check" in ask("explain", "MON-999").err


def test_rules_that_were_judged_are_named_by_id() -> None:
    out = ask("monitor", "rules", "check").out
    assert "MON-185  Pod security of a namespace lowered  fires on audit" in out


def test_rules_of_which_nothing_could_be_read_are_no_pass(tmp_path: Path) -> None:
    (tmp_path / "deployment.yaml").write_text("apiVersion: apps/v1\nkind: Deployment\n")
    done = ask("monitor", "replay", "demo", "--rules", str(tmp_path))
    assert done.code == 3
    assert "1 error in the rules" in done.out


def test_a_directory_that_may_not_be_read_is_no_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "locked").mkdir()

    def refused(place: Any = ".") -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", str(place))

    monkeypatch.setattr(os, "scandir", refused)  # root may read everything
    monkeypatch.setattr(os, "listdir", refused)
    for asked in (("demo", "--rules", str(tmp_path / "locked")), (str(tmp_path / "locked"),)):
        done = ask("monitor", "replay", *asked)
        assert (done.code, "because Permission denied" in done.err) == (2, True), asked


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (VERB, "api_verb in (get, list)"),
        (NAMED, "k8s_name exists"),
        (And((VERB, Not(NAMED))), "api_verb in (get, list) and not k8s_name exists"),
        (Or((NAMED, Constant(True))), "(k8s_name exists or always)"),
    ],
)
def test_conditions_are_read_as_a_sentence(node: Node, text: str) -> None:
    assert sentence(node) == text
    assert words(VERB).endswith(")"), "the list is closed"


def test_what_is_too_deep_or_too_long_ends() -> None:
    deep: Node = NAMED
    for _ in range(5_000):
        deep = Not(deep)
    assert sentence(deep).endswith("…")
    assert len(sentence(And((VERB,) * 5_000))) == 2_000


def test_a_port_that_is_none_is_said_before_anything_listens(tmp_path: Path) -> None:
    env = {"XDG_STATE_HOME": str(tmp_path)}
    done = ask("monitor", "run", "--plain", "--listen", "127.0.0.1:99999", env=env)
    assert (done.code, "no address: 127.0.0.1:99999" in done.err) == (2, True)
    assert not list(tmp_path.rglob("*.db")), "nothing was begun"
    bare = ask("monitor", "run", "--plain", "--listen", "0.0.0.0:8443", env=env)
    assert (bare.code, "has no certificate" in bare.err) == (2, True)


def test_why_a_door_stays_shut_is_what_the_system_says() -> None:
    assert _refusal("192.0.2.7", 8443) == "Cannot assign requested address"
