"""Strings: documented cases of the extension, and both spellings of `format`."""

from __future__ import annotations

from typing import Any

import pytest

from martello.cel.lib import strings, strings_kubernetes
from martello.cel.lib.formatting import go_quote, plain_double
from martello.cel.values import Duration, EvalError, KeyedMap, Timestamp, TypeValue, UInt

CASES: list[tuple[Any, tuple[Any, ...], Any]] = [
    (strings.char_at, ("tacocat", 3), "o"),
    (strings.char_at, ("tacocat", 7), ""),
    (strings.char_at, ("©\u03b1T", 1), "\u03b1"),
    (strings.index_of, ("tacocat", ""), 0),
    (strings.index_of, ("tacocat", "ac"), 1),
    (strings.index_of, ("tacocat", "none"), -1),
    (strings.index_of, ("tacocat", "", 3), 3),
    (strings.index_of, ("tacocat", "", 100), 7),
    (strings.index_of, ("tacocat", "a", 3), 5),
    (strings.index_of, ("hello mellow", "ello", 20), -1),
    (strings.last_index_of, ("tacocat", ""), 7),
    (strings.last_index_of, ("tacocat", "at"), 5),
    (strings.last_index_of, ("", "a"), -1),
    (strings.last_index_of, ("hello mellow", "ello", 6), 1),
    (strings.last_index_of, ("hello mellow", "ello", 20), -1),
    (strings.last_index_of, ("hello mellow", "l", 9), 9),
    (strings.index_from, ("tacocat", "a", 3), 5),
    (strings.index_from, ("tacocat", "", 7), 7),
    (strings.last_index_from, ("tacocat", "a", 6), 5),
    (strings.lower_ascii, ("TacoCÆt Xii",), "tacocÆt xii"),
    (strings.upper_ascii, ("tacoCæt ß",), "TACOCæT ß"),
    (strings.replace, ("hello hello", "", "_"), "_h_e_l_l_o_ _h_e_l_l_o_"),
    (strings.replace, ("hello hello", "he", "we", 1), "wello hello"),
    (strings.replace, ("hello hello", "he", "we", 0), "hello hello"),
    (strings.replace, ("12 days 12 hours", "{0}", "2", -1), "12 days 12 hours"),
    (strings.split, ("a b c", " "), ["a", "b", "c"]),
    (strings.split, ("a b c", " ", 0), []),
    (strings.split, ("a b c", " ", 1), ["a b c"]),
    (strings.split, ("a b c", " ", 2), ["a", "b c"]),
    (strings.split, ("abc", ""), ["a", "b", "c"]),
    (strings.split, ("abc", "", 2), ["a", "bc"]),
    (strings.split, ("abc", "", 1), ["abc"]),
    (strings.split, ("", ""), []),
    (strings.split, ("", ","), [""]),
    (strings.substring, ("tacocat", 4), "cat"),
    (strings.substring, ("tacocat", 7), ""),
    (strings.substring, ("tacocat", 0, 4), "taco"),
    (strings.trim, (" \f\n\r\t\vtext\u2003\x85",), "text"),
    (strings.trim, ("\u200btext\x1c",), "\u200btext\x1c"),
    (strings.join, (["x", "y"],), "xy"),
    (strings.join, (["x", "y"], "-"), "x-y"),
    (strings.join, ([], "-"), ""),
    (strings.reverse, ("aæb",), "bæa"),
    (strings.quote, ('a"\n\\',), '"a\\"\\n\\\\"'),
]


@pytest.mark.parametrize(("function", "args", "expected"), CASES)
def test_functions(function: Any, args: tuple[Any, ...], expected: Any) -> None:
    assert function(*args) == expected


FAILING: list[tuple[Any, tuple[Any, ...]]] = [
    (strings.char_at, ("a", 2)),
    (strings.char_at, ("a", -1)),
    (strings.index_of, ("a", "a", -1)),
    (strings.index_from, ("tacocat", "a", 30)),
    (strings.last_index_from, ("tacocat", "a", 7)),
    (strings.last_index_of, ("a", "a", -1)),
    (strings.substring, ("tacocat", -1)),
    (strings.substring, ("tacocat", 8)),
    (strings.substring, ("tacocat", 2, 1)),
    (strings.join, ([1, "a"],)),
    (strings.replace, ("a" * 1000, "", "b" * 2000)),
    (strings.join, (["a" * 100_000] * 20, "")),
    (strings.split, ("a" * 200_000, "")),
]


@pytest.mark.parametrize(("function", "args"), FAILING)
def test_failures(function: Any, args: tuple[Any, ...]) -> None:
    with pytest.raises(EvalError):
        function(*args)


FORMATS: list[tuple[str, Any, str, str | None]] = [
    ("%s", "x", "x", "x"),
    ("%%%s%%", "x", "%x%", "%x%"),
    ("%s", None, "null", "null"),
    ("%s", 0.000000002, "0.000000002", "2e-09"),
    ("%s", 1e21, "1000000000000000000000", "1e+21"),
    ("%s", float("inf"), "Infinity", "+Inf"),
    ("%s", ["a", 2.71, b"x"], "[a, 2.71, x]", '["a", 2.710000, b"x"]'),
    ("%s", {"b": 1, "a": None}, "{a: null, b: 1}", '{"a":null, "b":1}'),
    ("%s", KeyedMap([(1, True), (False, "x")]), "{1: true, false: x}", '{1:true, false:"x"}'),
    ("%s", Duration(1_500_000_000), "1.5s", "1.5s"),
    ("%s", [Duration(-5 * 10**8)], "[-0.5s]", '[duration("-0.5s")]'),
    ("%s", [Timestamp(0)], "[1970-01-01T00:00:00Z]", '[timestamp("1970-01-01T00:00:00Z")]'),
    ("%s", TypeValue("string"), "string", "string"),
    ("%d", UInt(7), "7", "7"),
    ("%d", 1.5, "1.5", None),
    ("%f", 1234567.891, "1234567.891000", "1,234,567.891000"),
    ("%.0f", 2.5, "2", "2"),
    ("%f", 3, "3.000000", None),
    ("%f", "NaN", "", "NaN"),
    ("%f", float("-inf"), "-Infinity", "-∞"),
    ("%e", 1052.032911275, "1.052033e+03", "1.052033\u202f\u00d7\u202f10⁰³"),
    ("%.2e", 0.000012345, "1.23e-05", "1.234500\u202f\u00d7\u202f10⁻⁰⁵"),
    ("%e", float("inf"), "Infinity", "     ∞"),
    ("%b", -5, "-101", "-101"),
    ("%b", True, "1", "1"),
    ("%o", 11, "13", "13"),
    ("%x", "Hi!", "486921", "486921"),
    ("%X", b"\xff", "FF", "FF"),
    ("%x", -255, "-ff", "-ff"),
]


@pytest.mark.parametrize(("template", "value", "specified", "kubernetes"), FORMATS)
def test_format(template: str, value: Any, specified: str, kubernetes: str | None) -> None:
    if specified:
        assert strings.format_text(template, [value]) == specified
    if kubernetes is None:
        with pytest.raises(EvalError):
            strings_kubernetes.format_text(template, [value])
    else:
        assert strings_kubernetes.format_text(template, [value]) == kubernetes


@pytest.mark.parametrize(
    ("template", "args"),
    [
        ("%d %d", [1]),
        ("%", [1]),
        ("%a", [1]),
        ("%.f", [1.0]),
        ("%.101f", [1.0]),
        ("%.3", [1.0]),
        ("%d", ["x"]),
        ("%b", [1.0]),
        ("%o", [True]),
        ("%x", [1.0]),
        ("%s", [object()]),
    ],
)
def test_bad_formats(template: str, args: list[Any]) -> None:
    for function in (strings.format_text, strings_kubernetes.format_text):
        with pytest.raises(EvalError):
            function(template, args)


def test_quotes_what_go_would_not_print() -> None:
    assert go_quote('a"\x00\u200b\U000e0001é ') == '"a\\"\\x00\\u200b\\U000e0001é "'


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e22, "1" + "0" * 22), (1.5e-7, "0.00000015"), (-0.0, "-0"), (123.25, "123.25")],
)
def test_plain_doubles(value: float, text: str) -> None:
    assert plain_double(value) == text


@pytest.mark.parametrize(
    ("id", "args", "cost"),
    [
        ("string_replace_string_string", ("abc 123 def 123", "123", "456", "abc 456 def 456"), 3),
        ("list_join", (["abcdef"], "abcdef"), 2),
        ("string_trim", ("abc", "abc"), 1),
        ("string_index_of_string", ("a" * 19, "a", 0), 1),
        ("string_index_of_string", ("é" * 15, "a", -1), 3),
    ],
)
def test_costs(id: str, args: tuple[Any, ...], cost: int) -> None:
    overload = next(item for item in strings.LIBRARY.overloads if item.id == id)
    assert overload.cost is not None
    assert overload.cost(*args) == cost
