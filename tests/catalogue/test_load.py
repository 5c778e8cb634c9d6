"""Checks are found without a list: ours, and those in a user's directory, errors and all."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.objects import EXAMPLES, judged, reading

from martello.catalogue.load import Deferred, load, packaged, read
from martello.core.errors import BadInput

CHECK = """\
id: ACME-001
practice: images
title: Ours
severity: low
why: Because.
scope: [ConfigMap]
validations:
  - expression: object.data.all(a, object.data.all(b, object.data.all(c, a + b != c)))
    message: m
fix: {none: a test}
"""


def test_every_practice_ships_checks_in_the_order_of_their_ids() -> None:
    checks = load()
    assert len(checks) >= 70
    assert [c.id for c in checks] == sorted(c.id for c in checks)
    assert {c.practice for c in checks} == {"access", "images", "monitor", "network", "resources"}


def test_python_checks_are_imported_when_they_are_called() -> None:
    (source,) = (s for s in packaged() if s.file.endswith("/duplicate_key.py"))
    check = read(source)
    assert (check.id, check.name, check.rule) == ("POD-048", "duplicate-key", None)
    assert isinstance(check.function, Deferred)
    assert check.title == "Key written twice"
    (resource,) = reading("apiVersion: v1\nkind: A\nmetadata: {name: a}\nx: 1\nx: 2\n").resources
    assert [h.path for h in check.function(resource, None)] == [("x",)]


def test_a_directory_adds_checks(tmp_path: Path) -> None:
    (tmp_path / "our-own.yaml").write_text(CHECK + EXAMPLES, encoding="utf-8")
    found = next(c for c in load([str(tmp_path)]) if c.id == "ACME-001")
    assert found.name == "our-own"
    assert found.practice == "images"
    assert len(load([str(tmp_path)])) == len(load()) + 1


def test_what_a_users_check_may_cost_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "our-own.yaml").write_text(CHECK + EXAMPLES, encoding="utf-8")
    found = next(c for c in load([str(tmp_path)]) if c.id == "ACME-001")
    data = ", ".join(f"k{i}: v" for i in range(400))
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{{data}}}\n"
    result = judged(text, found)
    assert (result.findings, result.passed) == ((), 0)
    assert any("cost" in u.reason for u in result.unassessed)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.yaml", CHECK.replace("ACME-001", "POD-001"), "two checks are called POD-001"),
        ("privileged-container.yaml", CHECK, "two checks are called privileged-container"),
        ("a.yaml", CHECK.replace("low", "lo"), "cannot use"),
        ("a.yaml", "\x00", "cannot use"),
    ],
)
def test_a_bad_directory_is_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text + EXAMPLES, encoding="utf-8")
    with pytest.raises(BadInput, match=said):
        load([str(tmp_path)])


def test_a_directory_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no directory"):
        load([str(tmp_path / "nothing")])


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="cannot read"):
        load([str(tmp_path)])
