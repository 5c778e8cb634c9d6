"""Texts to trees: literals, precedence, limits, every error of a text at once, and back to text."""

from __future__ import annotations

import pytest
from hypothesis import given
from tests.support.expressions import EXPRESSIONS

from martello.cel.env import Env
from martello.cel.issues import Issue, place
from martello.cel.syntax.nodes import Call, Const, Node, shape, walk
from martello.cel.syntax.parse import MAX_DEPTH, MAX_POINTS, parse
from martello.cel.syntax.unparse import unparse
from martello.cel.values import UInt

SPEC = Env.spec()


def tree(text: str) -> Node:
    issues: list[Issue] = []
    node = parse(text, SPEC.macros, issues)
    assert not issues
    return node


def faults(text: str) -> list[Issue]:
    issues: list[Issue] = []
    parse(text, SPEC.macros, issues)
    return issues


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-9223372036854775808", -(2**63)),
        ("0x7fffffffffffffff", 2**63 - 1),
        ("18446744073709551615u", UInt(2**64 - 1)),
        (".5", 0.5),
        ("1e3", 1000.0),
        (r"'\a\x41\101\u00e9\U0001F600\`'", "\aAA\xe9\U0001f600`"),
        ("'''a\n'b'''", "a\n'b"),
        (r"r'\n'", "\\n"),
        (r"b'\xff\377é'", b"\xff\xff\xc3\xa9"),
        ("br'\\x'", b"\\x"),
        ('"it\'s"', "it's"),
    ],
)
def test_a_literal_has_its_value(text: str, value: object) -> None:
    node = tree(text)
    assert isinstance(node, Const)
    assert node.value == value
    assert type(node.value) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "9223372036854775808",
        "18446744073709551616u",
        "1.",
        "'a\nb'",
        r"'\q'",
        r"b'\u00e9'",
        r"'\ud800'",
        r"'\U00110000'",
        r"'\400'",
        "rb'x'",
        "a.in",
        "namespace",
        "has(a)",
        "[1].all(x.y, true)",
        "f(1,)",
    ],
)
def test_what_is_no_expression_is_an_error(text: str) -> None:
    assert faults(text)


def test_a_reserved_word_may_be_a_field_and_a_function() -> None:
    assert not faults("object.metadata.namespace.package() == a.`b-c/d`")


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("1 + 2 * 3 - 4", "(1 + (2 * 3)) - 4"),
        ("a || b && c == d", "a || (b && (c == d))"),
        ("a ? b : c ? d : e", "a ? b : (c ? d : e)"),
        ("!a.b", "!(a.b)"),
        ("-a[0].c()", "-(a[0].c())"),
        ("1 in a == b", "(1 in a) == b"),
        ("a // comment\n+ b", "a + b"),
    ],
)
def test_precedence(text: str, same: str) -> None:
    assert shape(tree(text)) == shape(tree(same))


def test_every_error_of_a_text_is_told_with_its_place() -> None:
    text = "[1,,2] + f(#) +\n 'a' ? :"
    places = [place(text, issue.start) for issue in faults(text)]
    assert len(places) >= 3
    assert (1, 4) in places
    assert (1, 12) in places


@pytest.mark.parametrize("count", [32, 200])
def test_the_depth_that_must_be_read_is_read(count: int) -> None:
    tree("(" * count + "1" + ")" * count)
    tree("[" * count + "]" * count)
    tree("1 + " * count + "1")
    tree("!" * count + "true")
    tree("a" + ".b" * count)


@pytest.mark.parametrize("opening", ["(", "[", "{1: ", "!", "-", "1 + (", "a ? b : (", "f("])
def test_deeper_nesting_is_a_plain_error(opening: str) -> None:
    text = opening * (MAX_POINTS // len(opening) - 1)
    assert any(str(MAX_DEPTH) in issue.message for issue in faults(text))


def test_a_text_has_a_limit() -> None:
    assert "longer" in faults("'" + "a" * MAX_POINTS + "'")[0].message


def test_a_macro_of_another_arity_is_a_function_call() -> None:
    node = tree("a.all(x)")
    assert isinstance(node, Call)
    assert node.function == "all"


@given(EXPRESSIONS)
def test_text_of_a_tree_gives_the_same_tree(text: str) -> None:
    node = tree(text)
    assert shape(tree(unparse(node))) == shape(node)


@given(EXPRESSIONS)
def test_positions_lie_within_the_text(text: str) -> None:
    for node in walk(tree(text)):
        assert 0 <= node.start <= node.end <= len(text)
