"""Hostile and broken rule files: bounded, an error with its place, the rest of the file loads."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sigma.rule import SigmaRule
from tests.support.monitor import naive_sigma

from martello.practices.monitor.engine.ir import FALSE
from martello.practices.monitor.problems import Loaded
from martello.practices.monitor.sigma.logsource import json_log
from martello.practices.monitor.sigma.read import load

HEAD = "title: t\nid: x\nlogsource:\n    product: any\ndetection:\n"
ANYTHING = (json_log(),)


def loaded(text: str | bytes) -> Loaded:
    return load({"rule.yml": text}, sources=ANYTHING)


def rule(selection: str, condition: str = "selection") -> str:
    return f"{HEAD}    selection:\n{selection}\n    condition: {condition}\n"


@pytest.mark.parametrize(
    ("text", "line", "column", "why"),
    [
        ("title: t\n  bad: [", 2, 6, "not valid YAML"),
        ("a: 1\na: 2", 2, 1, "written twice"),
        ("- a\n- b", 1, 1, "a rule is a mapping"),
        ("just a text", 1, 1, "a rule is a mapping"),
        ("a: &a [*a]", 1, 4, "contains itself"),
        ("a: !!python/object/apply:os.system [id]", 1, 4, "tag"),
        ("title: t\nlogsource: {product: any}", 1, 1, "mapping `detection`"),
        (HEAD + "    selection: {a: 1}", 5, 1, "condition"),
        (rule("        a: 1", "selection and"), 8, 29, "name of a detection is missing"),
        (rule("        a: 1", "other"), 8, 16, "no detection 'other'"),
        (rule("        a: 1", "'selection xor selection'"), 8, 27, "'xor' is not expected"),
        (rule("        a: 1", "(selection"), 8, 16, "not closed"),
        (rule("        a: 1", "2 of selection"), 8, 16, "only `1 of`"),
        (rule("        a: 1", "1 of other*"), 8, 21, "no detection is named"),
        (rule("        a: 1", "selection; drop"), 8, 25, "';' is not expected"),
        (rule("        a: 1", "[{a: 1}]"), 8, 17, "a condition is a text"),
        (rule("        a|strange: 1"), 7, 9, "strange"),
        (rule("        a|cidr: nothing"), 7, 9, "CIDR"),
        (rule("        a|gt: x"), 7, 9, "pySigma does not take"),
        (rule("        b: 1\n        a:\n            c: {d: e}"), 8, 9, "pySigma does not take"),
        ("title: t\nlogsource: 7\ndetection: {a: {b: 1}, condition: a}", 2, 1, "log"),
        (b"title: \xff", 1, 8, "UTF-8"),
        ("action: strange", 1, 1, "global, reset or repeat"),
    ],
    ids=lambda value: str(value)[-40:] if isinstance(value, str) else "",
)
def test_i7_errors_have_places(text: str | bytes, line: int, column: int, why: str) -> None:
    found = loaded(text)
    (error,) = found.errors
    assert why in error.text
    assert (error.file, error.line, error.column) == ("rule.yml", line, column)
    assert all(each.unassessed for each in found.pack)
    assert str(error).startswith(f"rule.yml:{line}:{column}: ")


def _bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    return "\n".join(lines)


def _many(count: int) -> str:
    return ", ".join(f"v{i}" for i in range(count))


HOSTILE: dict[str, Callable[[], str]] = {
    "aliases that multiply": _bomb,
    "merges that multiply": lambda: (
        "a: &a {x: 1}\n" + "".join(f"b{i}: &b{i} {{<<: [*a, *a]}}\n" for i in range(30))
    ),
    "deep lists": lambda: rule("        a: " + "[" * 900 + "]" * 900),
    "deep mappings": lambda: "a: " + "{a: " * 900 + "1" + "}" * 900,
    "deep brackets": lambda: rule("        a: 1", "(" * 5000 + "selection" + ")" * 5000),
    "many nots": lambda: rule("        a: 1", "not " * 4000 + "selection"),
    "a long condition": lambda: rule("        a: 1", " or ".join(["selection"] * 3000)),
    "many stars of names": lambda: rule("        a: 1", "1 of " + "*a" * 2000),
    "many values": lambda: rule(f"        a: [{_many(30_000)}]"),
    "many wildcards": lambda: rule("        a: '" + "*a?" * 2000 + "'"),
    "windash of windash": lambda: rule(f"        a|windash|contains: [{_many(5_000)}]"),
    "dashes": lambda: rule("        a|windash: '" + " -a" * 50 + "'"),
    "an expression that explodes": lambda: rule("        a|re: '" + "(a{1000}){1000}" * 20 + "'"),
    "a nested expression": lambda: rule("        a|re: '" + "(" * 5000 + "a" + ")" * 5000 + "'"),
    "a long expression": lambda: rule("        a|re: '" + "a" * 100_000 + "'"),
    "a long value": lambda: rule("        a: '" + "a" * 100_000 + "'"),
    "a long field": lambda: rule("        " + "a.b" * 300 + ": 1"),
    "a large number": lambda: rule("        a: 1" + "0" * 4000),
    "a large file": lambda: "a: " + "x" * 2_000_000,
    "not a number": lambda: rule("        a: .nan"),
    "control characters": lambda: "title: \x00\x07",
    "many documents": lambda: "---\na: 1\n" * 50_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_bounded(name: str) -> None:
    found = loaded(HOSTILE[name]())
    assert len(found.pack) <= 50_000
    for each in found.pack:
        assert each.unassessed or each.kinds
        assert len(each.unassessed) < 500
    for error in found.errors:
        assert len(error.text) < 500
        assert "\n" not in error.text
        assert error.line > 0


def test_an_expression_is_a_text() -> None:
    (one,) = loaded(rule("        a|re: [1]")).pack
    assert one.unassessed == "a regular expression is a text"


def test_i5_one_broken_rule_leaves_the_others() -> None:
    good = rule("        a: 1")
    found = load({"a.yml": good + "---\ntitle: 7\n---\n" + good.replace("id: x", "id: y")})
    assert [each.id for each in found.pack if each.source.line != 9]
    ids = {each.id for each in found.pack}
    assert {"x", "y"} <= ids
    assert len(found.errors) == 1


def test_metadata_that_is_wrong_is_only_a_warning() -> None:
    text = rule("        a: 1").replace("id: x", "id: x\ndate: yesterday\nlevel: strange\ntags: 7")
    found = loaded(text)
    (one,) = found.pack
    assert not one.unassessed
    assert not found.errors
    assert {each.line for each in found.warnings} >= {3, 4, 5}


def test_secrets_of_a_rule_are_not_in_its_errors() -> None:
    found = loaded(rule("        a|cidr: hunter2-is-my-password"))
    assert found.errors
    # pySigma names the value that it does not take: it is a rule's own text, on one line
    assert all("\n" not in error.text for error in found.errors)


NAMES = ("sel_a", "sel_b", "filter_x", "_hidden")
ATOMS = st.sampled_from(
    [*NAMES, "1 of sel_*", "all of sel_*", "any of them", "all of them", "1 of filter*"]
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        inner.map(lambda one: f"not {one}" if " " not in one else f"not ({one})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
        inner.map(lambda one: f"({one})"),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(CONDITIONS, st.sets(st.sampled_from("abcd")))
def test_s7_conditions_are_read_as_pysigma_reads_them(condition: str, have: set[str]) -> None:
    detections = "".join(
        f"    {name}:\n        {key}: 1\n" for name, key in zip(NAMES, "abcd", strict=True)
    )
    text = f"{HEAD.replace('id: x', 'status: test')}{detections}    condition: {condition}\n"
    (one,) = loaded(text).pack
    assert one.unassessed == ""
    event = dict.fromkeys(sorted(have), 1)
    import json

    from martello.practices.monitor.engine.scalar import holds

    found = holds(one.tree, {"kind": "log", "raw": json.dumps(event)})
    assert found is naive_sigma.fires(text, event), condition


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_a_file(text: str) -> None:
    found = load({"x.yml": text})
    assert all(each.unassessed for each in found.pack)


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["a", "a|re", "a|contains", "a|all", "|all", "condition", "b|gt"]),
                inner,
                max_size=3,
            )
        ),
        max_leaves=10,
    )
)
def test_any_detection_is_a_rule_or_unassessed(detection: object) -> None:
    import json

    text = json.dumps({"title": "t", "logsource": {"product": "any"}, "detection": detection})
    found = loaded(text)
    for each in found.pack:
        assert each.unassessed or each.tree != FALSE or each.kinds


def test_the_naive_reading_is_another_one() -> None:
    """The oracle stands on pySigma's tree, not on ours."""
    text = rule("        a|contains: x").replace("id: x\n", "")
    assert SigmaRule.from_yaml(text)
    assert naive_sigma.fires(text, {"a": "axb"})
    assert not naive_sigma.fires(text, {"a": "b"})
