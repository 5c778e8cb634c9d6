"""Random expressions and values, for tests that compare two ways to evaluate."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

_SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.0, 1.0, -1.5, float("nan"), 2.0**63, -(2**63), 2**63 - 1]),
    st.sampled_from(["", "a", "b", "ab", "é", "1"]),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b", "c"]), inner)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "c", "list"]), VALUES)
_ATOMS = st.sampled_from(
    [
        "true",
        "false",
        "null",
        "0",
        "1",
        "-1",
        "2",
        "1u",
        "1.0",
        "-0.5",
        "''",
        "'a'",
        "'ab'",
        "b'a'",
        "[]",
        "[1,2]",
        "['a','b']",
        "{}",
        "{'a':1}",
        "object",
        "object.a",
        "object.b",
        "object.c",
        "object.a.b",
        "object.list",
        "object.list[0]",
        "x",
        "y",
        "duration('1h')",
        "timestamp('2020-01-01T00:00:00Z')",
        "int",
        "type(1)",
        "optional.none()",
    ]
)
_UNARY = st.sampled_from(
    (
        "!{0}",
        "-{0}",
        "({0})",
        "dyn({0})",
        "size({0})",
        "string({0})",
        "int({0})",
        "double({0})",
        "uint({0})",
        "bool({0})",
        "type({0})",
        "has({0}.a)",
        "{0}.a",
        "{0}.?a",
        "{0}.?b.c",
        "{0}[0]",
        "{0}['a']",
        "{0}[?0]",
        "{0}[?'b']",
        "{0}.hasValue()",
        "{0}.value()",
        "optional.of({0})",
        "optional.ofNonZeroValue({0})",
        "{0}.startsWith('a')",
        "{0}.contains('a')",
        "{0}.matches('^a')",
        "[{0}]",
        "[?{0}]",
        "{{'k': {0}}}",
        "{{{0}: 1}}",
        "{{?'k': {0}}}",
        "{0} in ['a', 'b']",
        "{0} == 'a'",
        "{0} != 1",
        "{0} == null",
        "{0} == true",
        "{0} < 1",
        "{0} >= 0.5",
    )
)
_BINARY = st.sampled_from(
    (
        "{0} && {1}",
        "{0} || {1}",
        "{0} == {1}",
        "{0} != {1}",
        "{0} < {1}",
        "{0} <= {1}",
        "{0} > {1}",
        "{0} >= {1}",
        "{0} + {1}",
        "{0} - {1}",
        "{0} * {1}",
        "{0} / {1}",
        "{0} % {1}",
        "{0} in {1}",
        "{0}[{1}]",
        "{0}[?{1}]",
        "{0}.orValue({1})",
        "{0}.or({1})",
        "{0}.all(x, {1})",
        "{0}.exists(x, {1})",
        "{0}.exists_one(x, {1})",
        "{0}.map(x, {1})",
        "{0}.filter(x, {1})",
        "{0}.all(x, y, {1})",
        "{0}.exists(x, y, {1})",
        "{0}.transformList(x, y, {1})",
        "{0}.transformMap(x, y, {1})",
        "{0}.transformMapEntry(x, y, {1})",
        "{0}.optMap(x, {1})",
        "{0}.optFlatMap(x, {1})",
        "cel.bind(x, {0}, {1})",
    )
)
_TERNARY = st.sampled_from(
    ("{0} ? {1} : {2}", "{0} && {1} && {2}", "{0} || {1} || {2}", "{0}.map(x, {1}, {2})")
)


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    wrapped = inner.map(lambda text: f"dyn({text})")
    part = st.one_of(wrapped, inner.map(lambda text: f"({text})"))
    return st.one_of(
        st.builds(lambda form, a: form.format(a), _UNARY, part),
        st.builds(lambda form, a, b: form.format(a, b), _BINARY, part, part),
        st.builds(lambda form, a, b, c: form.format(a, b, c), _TERNARY, part, part, part),
    )


EXPRESSIONS: st.SearchStrategy[str] = st.recursive(_ATOMS, _combined, max_leaves=10)
