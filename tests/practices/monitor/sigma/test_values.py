"""S1 to S9: what Sigma's values and conditions mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from martello.practices.monitor.engine.rule import Rule
from martello.practices.monitor.engine.scalar import holds
from martello.practices.monitor.sigma.logsource import json_log
from martello.practices.monitor.sigma.read import load

ANYTHING = (json_log(),)


def rule(detection: str, **options: Any) -> Rule:
    """The one rule with a detection over lines of JSON."""
    indented = "\n".join("    " + line for line in detection.strip("\n").splitlines())
    text = f"title: t\nlogsource:\n    product: any\ndetection:\n{indented}\n"
    if "condition:" not in detection:
        text += "    condition: selection\n"
    loaded = load({"rule.yml": text}, sources=ANYTHING, **options)
    (found,) = loaded.pack
    return found


def fires(one: str | Rule, **event: Any) -> bool:
    found = rule(one) if isinstance(one, str) else one
    assert not found.unassessed, found.unassessed
    raw = json.dumps(event)
    return holds(found.tree, {"kind": "log", "raw": raw, "log_text": ""}) is True


def selection(key: str, value: Any) -> Rule:
    return rule(f"selection:\n  {json.dumps(key)}: {json.dumps(value)}")


@pytest.mark.parametrize(
    ("key", "value", "found", "wanted"),
    [
        ("a", "Bash", "bASH", True),
        ("a", "Bash", "bash ", False),
        ("a|cased", "Bash", "bash", False),
        ("a|cased", "Bash", "Bash", True),
        ("a|contains", "AS", "bash", True),
        ("a|contains|cased", "AS", "bash", False),
        ("a|cased|contains", "AS", "bASh", True),
        ("a|startswith", "BA", "bash", True),
        ("a|endswith", "SH", "bash", True),
        ("a", "é", "É", False),  # only ASCII letters have two cases
    ],
    ids=repr,
)
def test_s1_case(key: str, value: str, found: str, wanted: bool) -> None:
    assert fires(selection(key, value), a=found) is wanted


@pytest.mark.parametrize(
    ("value", "found", "wanted"),
    [
        ("a*c", "abbc", True),
        ("a*c", "ac", True),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("*", "", True),
        ("*", "anything", True),
        ("?*", "", False),
        (r"a\*c", "a*c", True),
        (r"a\*c", "abc", False),
        (r"a\?c", "a?c", True),
        (r"a\?c", "abc", False),
        (r"C:\dir\*", r"C:\dir*", True),
        (r"C:\dir\*", r"C:\dir\x", False),
        (r"C:\dir\\*", r"C:\dir\x", True),
        (r"C:\dir\\*", r"C:\dirx", False),
        (r"C:\dir\\", "C:\\dir\\", True),
        (r"C:\dir", r"c:\DIR", True),
        (r"\\\\host\\share", r"\\host\share", True),
        (r"a\b", r"a\b", True),
        (r"*\[x]*", r"y\[x]z", True),
        (r"*a\*b?c*", "xxa*b1cyy", True),
        (r"*a\*b?c*", "xxaab1cyy", False),
        ("[ab]", "a", False),
        ("[ab]", "[AB]", True),
    ],
    ids=repr,
)
def test_s2_wildcards_and_escapes(value: str, found: str, wanted: bool) -> None:
    assert fires(selection("a", value), a=found) is wanted


def test_s2_a_backslash_at_the_end_does_not_escape_the_added_wildcard() -> None:
    assert fires(selection("a|contains", "\\Temp\\"), a="C:\\Temp\\x.exe")
    assert fires(selection("a|startswith", "C:\\"), a="C:\\x")
    assert not fires(selection("a|contains", "\\Temp\\"), a="C:\\Temp*")


@pytest.mark.parametrize(
    ("detection", "event", "wanted"),
    [
        ("selection:\n  a: [x, y]", {"a": "y"}, True),
        ("selection:\n  a: [x, y]", {"a": "z"}, False),
        ("selection:\n  a|contains|all: [x, y]", {"a": "-x-y"}, True),
        ("selection:\n  a|contains|all: [x, y]", {"a": "-x-"}, False),
        ("selection:\n  a: x\n  b: y", {"a": "x", "b": "y"}, True),
        ("selection:\n  a: x\n  b: y", {"a": "x"}, False),
        ("selection:\n  - a: x\n  - b: y", {"b": "y"}, True),
        ("selection:\n  - a: x\n    c: z\n  - b: y", {"a": "x"}, False),
        ("selection:\n  a: [x, 7, null]", {"b": "y"}, True),
        ("selection:\n  a: [x, 7, null]", {"a": 7}, True),
        ("selection:\n  a: []", {"b": 1}, True),
    ],
    ids=repr,
)
def test_s3_lists_and_mappings(detection: str, event: dict[str, Any], wanted: bool) -> None:
    assert fires(detection, **event) is wanted


def test_s3_a_mapping_with_two_lists_is_the_product() -> None:
    one = "selection:\n  a: [x, y]\n  b|endswith: ['1', '2']"
    assert fires(one, a="y", b="n1")
    assert not fires(one, a="y", b="n3")


@pytest.mark.parametrize(
    ("key", "value", "event", "wanted"),
    [
        ("a", None, {}, True),
        ("a", None, {"a": None}, True),
        ("a", None, {"a": ""}, False),
        ("a", "", {"a": ""}, True),
        ("a", "", {}, False),
        ("a", "", {"a": "x"}, False),
        ("a|exists", True, {"a": ""}, True),
        ("a|exists", True, {}, False),
        ("a|exists", False, {}, True),
        ("a|exists", False, {"a": 0}, False),
    ],
    ids=repr,
)
def test_s4_missing_and_empty(key: str, value: Any, event: dict[str, Any], wanted: bool) -> None:
    assert fires(selection(key, value), **event) is wanted


@pytest.mark.parametrize(
    ("key", "value", "found", "wanted"),
    [
        ("a|re", "b+", "abbc", True),
        ("a|re", "^b+", "abbc", False),
        ("a|re", "B", "abc", False),
        ("a|re|i", "B", "abc", True),
        ("a|re", "a.c", "a\nc", False),
        ("a|re|s", "a.c", "a\nc", True),
        ("a|re", "^c", "a\nc", False),
        ("a|re|m", "^c", "a\nc", True),
        ("a|re|contains", "x|y", "ayb", True),
        ("a|re", r"\d{3}\*", "a123*", True),
        ("a|re", r"a\\b", "a\\b", True),
    ],
    ids=repr,
)
def test_s5_expressions_search(key: str, value: str, found: str, wanted: bool) -> None:
    assert fires(selection(key, value), a=found) is wanted


@pytest.mark.parametrize("value", ["a(?=b)", "(?<!a)b", r"(a)\1"])
def test_s5_no_linear_engine_runs_this(value: str) -> None:
    assert "no linear engine" in selection("a|re", value).unassessed


def test_s6_keywords_search_the_whole_event() -> None:
    assert fires("selection: [Segfault, panic]", message="a SEGFAULT at 0")
    assert not fires("selection: [segfault]", message="fine")
    assert fires("selection:\n  '|all': [one, two]", a="two", b="one")
    assert not fires("selection:\n  '|all': [one, two]", a="two")
    assert fires("selection: ['a*z']", message="--abcz--")
    assert fires(r"selection: ['C:\\dir\\x']", message=r"C:\dir\x")  # as it is, and as JSON writes
    assert fires("selection: ['say \"hi\"']", message='they say "hi"')
    assert fires("selection:\n  '|re': 'x[0-9]y'", message="x7y")
    tree = rule("selection: [needle]").tree
    assert holds(tree, {"kind": "log", "log_text": "a Needle"}) is True
    assert holds(tree, {"kind": "log", "log_text": "hay"}) is False


_NAMES = """
sel_a:
  a: 1
sel_b:
  b: 1
_sel_c:
  c: 1
filter:
  f: 1
condition: """


@pytest.mark.parametrize(
    ("condition", "event", "wanted"),
    [
        ("1 of sel_*", {"b": 1}, True),
        ("any of sel_*", {"a": 1}, True),
        ("1 of sel_*", {"c": 1}, False),
        ("1 of _sel*", {"c": 1}, True),
        ("all of sel_*", {"a": 1}, False),
        ("all of sel_*", {"a": 1, "b": 1}, True),
        ("1 of them", {"f": 1}, True),
        ("1 of them", {"c": 1}, False),
        ("all of them", {"a": 1, "b": 1, "f": 1}, True),
        ("sel_a or sel_b and filter", {"a": 1}, True),
        ("(sel_a or sel_b) and filter", {"a": 1}, False),
        ("not sel_a and sel_b", {"b": 1}, True),
        ("not sel_a and sel_b", {"a": 1, "b": 1}, False),
        ("not (sel_a and sel_b)", {"a": 1}, True),
        ("sel_a and not 1 of filter*", {"a": 1}, True),
        ("sel_a and not 1 of filter*", {"a": 1, "f": 1}, False),
        ("not not sel_a", {"a": 1}, True),
        ("_sel_c", {"c": 1}, True),
        ("SEL_A", {"a": 1}, None),
    ],
    ids=repr,
)
def test_s7_conditions(condition: str, event: dict[str, Any], wanted: bool | None) -> None:
    found = rule(_NAMES + condition)
    if wanted is None:
        assert "there is no detection" in found.unassessed
    else:
        assert fires(found, **event) is wanted


def test_s7_several_conditions_are_alternatives() -> None:
    found = rule("a:\n  a: 1\nb:\n  b: 1\ncondition: [a, b]")
    assert fires(found, b=1)
    assert not fires(found, c=1)


@pytest.mark.parametrize(
    ("key", "value", "found", "wanted"),
    [
        ("a", 5156, 5156, True),
        ("a", 5156, "5156", True),
        ("a", "5156", 5156, True),
        ("a", 5156, "51560", False),
        ("a", 1.5, "1.5", True),
        ("a", True, True, True),
        ("a", True, "True", True),
        ("a", "false", False, True),
        ("a", 0, "", False),
        ("a|gt", 5, 6, True),
        ("a|gt", 5, "6", True),
        ("a|gt", 5, 5, False),
        ("a|gte", 5, 5, True),
        ("a|lt", 10, "9", True),  # as numbers, not as texts
        ("a|lte", 5, 5.5, False),
        ("a|gt", 5, "six", False),
        ("a|neq", "x", "y", True),
        ("a|neq", "x", "X", False),
        ("a|cidr", "10.0.0.0/8", "10.1.2.3", True),
        ("a|cidr", "10.0.0.0/8", "11.1.2.3", False),
        ("a|cidr", "2001:db8::/32", "2001:db8::1", True),
        ("a|cidr", "2001:db8::/32", "2001:db9::1", False),
        ("a|cidr", "10.0.0.0/8", "no address", False),
    ],
    ids=repr,
)
def test_s8_numbers_and_addresses(key: str, value: Any, found: Any, wanted: bool) -> None:
    assert fires(selection(key, value), a=found) is wanted


def test_s8_not_equal_is_true_of_a_missing_field() -> None:
    assert fires(selection("a|neq", "x"))


@pytest.mark.parametrize(
    ("key", "value", "found", "wanted"),
    [
        ("a|base64", "ping", "cGluZw==", True),
        ("a|base64offset|contains", "http://", "xxaHR0cDovL3", True),
        ("a|base64offset|contains", "http://", "xxh0dHA6Ly", True),
        ("a|base64offset|contains", "http://", "xxodHRwOi8v", True),
        ("a|base64offset|contains", "http://", "http://", False),
        ("a|wide|base64offset|contains", "ab", "YQBiA", True),
        ("a|utf16le|base64offset|contains", "ab", "YQBiA", None),
        ("a|utf16|base64|contains", "ab", "//5hAGIA", True),
        ("a|utf16be|base64|contains", "ab", "AGEAYg==", True),
        ("a|windash|contains", " -x ", "cmd /x y", True),
        ("a|windash|contains", " -x ", "cmd \u2013x y", True),
        ("a|windash|contains", " -x ", "cmd x y", False),
        ("a|contains|windash|all", ["-a", "-b"], "x /a \u2013b", True),
        ("a|contains|windash|all", ["-a", "-b"], "x /a /c", False),
    ],
    ids=repr,
)
def test_s9_encodings(key: str, value: Any, found: str, wanted: bool | None) -> None:
    one = selection(key, value)
    if wanted is None:
        assert "Unknown modifier" in one.unassessed
    else:
        assert fires(one, a=found) is wanted


def test_s9_other_fields() -> None:
    assert fires(selection("a|fieldref", "b"), a="Same", b="same")
    assert not fires(selection("a|fieldref", "b"), a="same", b="other")
    assert not fires(selection("a|fieldref", "b"), a="same")
    assert fires(selection("a|fieldref|startswith", "b"), a="/home/me/x", b="/home/me")
    assert fires(selection("a|fieldref|endswith", "b"), a="x.exe", b="exe")
    assert fires(selection("a|fieldref|contains", "b"), a="axc", b="X")


def test_s9_placeholders_need_values() -> None:
    text = "selection:\n  a|expand: 'x-%servers%'"
    assert "no value is given" in rule(text).unassessed
    given = rule(text, placeholders={"servers": ["one", "two"]})
    assert fires(given, a="x-two")
    assert not fires(given, a="x-three")
    assert "no value is given" in rule(text, placeholders={"other": ["one"]}).unassessed


def test_s9_placeholders_multiply_only_so_far() -> None:
    many = {"x": [str(n) for n in range(20)]}
    found = rule("selection:\n  a|expand: '%x%%x%%x%'", placeholders=many)
    assert "cannot be filled" in found.unassessed
    found = rule("selection:\n  a|re:\n  b: 1", placeholders=many)
    assert found.unassessed == "a regular expression is a text"


@pytest.mark.parametrize("part", ["minute", "hour", "day", "week", "month", "year"])
def test_s9_parts_of_dates_are_not_compared(part: str) -> None:
    assert "parts of dates" in selection(f"a|{part}", 3).unassessed


def test_s3_comparisons_of_one_field_are_one_atom() -> None:
    from martello.practices.monitor.engine.ir import Atom

    tree = rule("selection:\n  a|endswith: ['/sh', '/bash', '/sh']").tree
    assert isinstance(tree, Atom)
    assert (tree.op, tree.over, tree.operand) == ("iendswith", "anyof", ("/sh", "/bash"))
