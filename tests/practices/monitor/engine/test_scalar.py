"""Trees on one event: every operator, what is missing, Kleene's logic, and the sieve."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.practices.monitor.engine.compare import Bad, expression
from martello.practices.monitor.engine.ir import (
    FALSE,
    TRUE,
    And,
    At,
    Atom,
    Call,
    Column,
    Key,
    Literally,
    Node,
    Not,
    Or,
    Pointer,
    Term,
)
from martello.practices.monitor.engine.rule import Rule
from martello.practices.monitor.engine.scalar import (
    Sieve,
    TooDeep,
    anchor,
    explain,
    hit,
    holds,
    judge,
)
from martello.practices.monitor.engine.terms import getter

NAME, CODE = Column("proc_name"), Column("api_code")
GROUPS = Column("actor_groups")


def _is(term: Term, op: str, *operand: Any, **rest: Any) -> Atom:
    return Atom(term, op, operand, **rest)


@pytest.mark.parametrize(
    ("op", "operand", "value", "true"),
    [
        ("=", "bash", "bash", True),
        ("=", "bash", "Bash", False),
        ("=", 1, True, False),
        ("=", 1, 1.0, True),
        ("=", "1", 1, False),
        ("!=", "bash", "sh", True),
        ("!=", "1", 1, False),
        ("<", 10, 9, True),
        ("<", "b", "a", True),
        ("<", "b", 1, False),
        (">=", "é", "z", False),
        ("contains", "as", "bash", True),
        ("icontains", "AS", "bash", True),
        ("icontains", "É", "é", False),
        ("istartswith", "BA", "bash", True),
        ("iendswith", "SH", "bash", True),
        ("iequals", "BASH", "bash", True),
        ("startswith", "ba", "bash", True),
        ("endswith", "sh", "bash", True),
        ("glob", "/etc/*", "/etc/a/b", True),
        ("glob", "*.sh", ".sh", True),
        ("glob", "b[a-c]sh", "bash", True),
        ("glob", "b[!a]sh", "bash", False),
        ("glob", "b[^a]sh", "bbsh", True),
        ("glob", "b[]a]sh", "b]sh", True),
        ("glob", "b[", "b[", True),
        ("glob", r"b\*", "b*", True),
        ("glob", r"b\*", "bx", False),
        ("glob", "b[[:digit:]]", "b1", True),
        ("glob", "b?sh", "b\nsh", True),
        ("glob", "[z-a]", "m", False),
        ("glob", "[[:none:]]", "n", False),
        ("glob", "[a-]", "-", True),
        ("glob", "[a-c-e]", "-", True),
        ("glob", r"[\]]", "]", True),
        ("iglob", "B[A]SH", "bash", True),
        ("like", "b[a]*", "b[a]x", True),
        ("like", r"a\?", "a?", True),
        ("like", r"a\b*", r"a\bc", True),
        ("ilike", "BA*", "bash", True),
        ("matches", "a.h", "bash", True),
        ("fullmatch", "a.h", "bash", False),
        ("fullmatch", "a|b", "ab", False),
        ("fullmatch", "b(a|b)sh", "bash", True),
        ("cidr", "10.0.0.0/8", "10.2.3.4", True),
        ("cidr", "2001:db8::/32", "2001:DB8:0::1", True),
        ("cidr", "10.0.0.0/8", "host", False),
        ("pmatch", "/var/run", "/var/run/docker.sock", True),
        ("pmatch", "/var/run", "/var", False),
        ("pmatch", "/var/run", "/var/running", False),
        ("pmatch", "/var//run/", "//var/run", True),
        ("pmatch", "/home/*/.ssh", "/home/ann/.ssh/key", True),
        ("pmatch", "/home/*/.ssh", "/home/.ssh", False),
        ("pmatch", "/", "/etc", True),
        ("in", "bash", "bash", True),
        ("bcontains", b"as", "bash", True),
        ("bstartswith", b"\xc3", "é", True),
    ],
)
def test_operators(op: str, operand: Any, value: Any, true: bool) -> None:
    assert holds(_is(NAME, op, operand), {"proc_name": value}) is true


@pytest.mark.parametrize("null", [False, True])
@pytest.mark.parametrize("value", [None, []])
def test_i3_what_is_missing_is_false_or_null(null: bool, value: Any) -> None:
    atom = _is(NAME, "!=", "x", null=null)
    event = {"proc_name": value} if value is not None else {}
    assert holds(atom, event) is (None if null else False)
    assert holds(Not(atom), event) is (None if null else True)
    assert holds(_is(NAME, "exists", null=null), event) is False


def test_i3_kleene_logic() -> None:
    null, true = _is(NAME, "=", "x", null=True), _is(CODE, "=", 1)
    event = {"api_code": 1}
    assert holds(Or((null, true)), event) is True
    assert holds(And((null, true)), event) is None
    assert holds(And((null, Not(true))), event) is False
    assert holds(Or((null, Not(true))), event) is None
    assert holds(And(()), {}) is True
    assert holds(Or(()), {}) is False


def test_i2_sets_and_quantifiers() -> None:
    event = {"actor_groups": ["a", None, "b"], "api_code": 1}
    assert holds(_is(GROUPS, "subset", "a", "b", "c"), event) is True
    assert holds(_is(GROUPS, "subset", "a"), event) is False
    assert holds(_is(GROUPS, "intersects", "b", "z"), event) is True
    assert holds(_is(GROUPS, "subset", "a"), {"actor_groups": [None]}) is False
    assert holds(_is(CODE, "intersects", 1, 2), event) is True
    assert holds(_is(GROUPS, "startswith", "b", over="any"), event) is True
    assert holds(_is(GROUPS, "startswith", "b", over="all"), event) is False
    assert holds(_is(GROUPS, "=", "b", over="all", null=True), {"actor_groups": []}) is True
    assert holds(_is(GROUPS, "=", "b", over="all", null=True), {}) is None
    assert holds(_is(NAME, "in"), {"proc_name": "a"}) is False


@pytest.mark.parametrize(
    ("over", "operands", "true"),
    [
        ("oneof", ("ba", "z"), True),
        ("oneof", ("ba", "b"), False),
        ("anyof", ("ba", "b"), True),
        ("allof", ("ba", "b"), True),
        ("allof", ("ba", "z"), False),
        ("oneof", (), False),
        ("anyof", (), False),
        ("allof", (), False),
    ],
)
def test_f23_operands_are_counted(over: Any, operands: tuple[str, ...], true: bool) -> None:
    assert holds(Atom(NAME, "startswith", operands, over), {"proc_name": "bash"}) is true


def test_comparisons_of_two_terms() -> None:
    event = {"proc_name": "sh", "proc_parent_name": "sh", "actor_groups": ["sh", "x"]}
    other = Column("proc_parent_name")
    assert holds(Atom(NAME, "=", other), event) is True
    assert holds(Atom(NAME, "!=", Column("proc_cwd")), event) is False
    assert holds(Atom(NAME, "in", GROUPS), event) is True
    assert holds(Atom(GROUPS, "subset", GROUPS), event) is True
    assert holds(Atom(GROUPS, "intersects", NAME), event) is True
    assert holds(Atom(NAME, "glob", other), event) is True
    assert holds(Atom(NAME, "matches", Literally("(")), event) is False
    assert holds(Atom(NAME, "=", GROUPS, "oneof"), event) is True
    assert holds(Atom(NAME, "=", GROUPS, "allof"), event) is False
    assert holds(Atom(GROUPS, "=", NAME, "any"), event) is True


RAW = {
    "a": {"b/c": "x", "n": 7, "t": True, "z": None, "*": "star"},
    "s": [{"k": "User", "name": "u"}, {"k": "Group", "name": "g", "namespace": "n"}, {"k": "User"}],
    "c": [["sh", "-c"], ["x", 1]],
    "p": [{"host": 1}, {"port": 2}],
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("a", "b/c"), "x"),
        (("a", "n"), "7"),
        (("a", "t"), "true"),
        (("a", "z"), None),
        (("a", "\\*"), "star"),
        (("s", "1", "name"), "g"),
        (("s", "9", "name"), None),
        (("s", "*", "name"), ["u", "g"]),
        (("s", "*k=User", "name"), ["u"]),
        (("a", "~n"), ["b/c", "t", "z", "*"]),
        (("c", "0", "+"), "sh -c"),
        (("c", "*", "+"), ["sh -c"]),
        (("p", "*", "|host|port"), ["1", "2"]),
        (("c", "0"), '["sh","-c"]'),
        (("s", "x"), None),
        (("s", "1", "name", "more"), None),
    ],
)
def test_pointers(path: tuple[str, ...], value: Any) -> None:
    assert getter(Pointer(path))({"raw": json.dumps(RAW)}) == value
    assert getter(Pointer(path))({"raw": json.dumps(RAW).encode()}) == value


def test_of_a_key_written_twice_the_last_one_counts() -> None:
    assert getter(Pointer(("a",)))({"raw": '{"a":"1","a":"2"}'}) == "2"


@pytest.mark.parametrize("raw", ["", "{", '"\\ud800', "[" * 100_000, None, 7, b"\xff"])
def test_raw_that_is_no_json_has_no_places(raw: Any) -> None:
    assert getter(Pointer(("a",)))({"raw": raw}) is None
    assert not getter(Pointer(("a", "*")))({"raw": raw})


@pytest.mark.parametrize(
    ("term", "value"),
    [
        (Call("lower", (NAME,)), "bash-É"),
        (Call("upper", (GROUPS,)), ["A", None]),
        (Call("text", (CODE,)), "200"),
        (Call("number", (Literally("0200"),)), 200),
        (Call("number", (Literally("1e3"),)), 1000.0),
        (Call("number", (Literally("nan"),)), None),
        (Call("number", (Literally("x"),)), None),
        (Call("basename", (Literally("/usr/bin/"),)), ""),
        (Call("dirname", (Literally("/etc"),)), "/"),
        (Call("dirname", (Literally("/etc/passwd"),)), "/etc"),
        (Call("length", (NAME,)), 6),
        (Call("length", (GROUPS,)), 2),
        (Call("length", (Column("actor_ips"),)), 0),
        (Call("length", (Column("actor_as"),)), None),
        (Call("b64", (Literally("aGk"),)), "hi"),
        (Call("b64", (Literally("?"),)), None),
        (Call("join", (NAME, CODE), ("-",)), "Bash-É-200"),
        (Call("concat", (NAME, Column("none"))), None),
        (Call("words", (NAME, Column("none"), Literally(""))), "Bash-É"),
        (Call("first", (Column("none"), CODE)), 200),
        (Call("repository", (Literally("r:5000/a/b:1@sha256:x"),)), "r:5000/a/b"),
        (Call("repository", (Literally("nginx:1.2"),)), "nginx"),
        (Call("param", (Literally("/a?x=1&y=%20"),), ("y",)), " "),
        (Call("param", (Literally("/a"),), ("y",)), None),
        (At(GROUPS, 0), "a"),
        (At(GROUPS, 5), None),
        (Key(Column("api_annotations"), "k"), "v"),
    ],
)
def test_functions(term: Term, value: Any) -> None:
    event = {
        "proc_name": "Bash-É",
        "api_code": 200,
        "actor_groups": ["a", None],
        "api_annotations": {"k": "v"},
    }
    assert getter(term)(event) == value


def test_effective_users_and_named_accounts() -> None:
    containers = [{"securityContext": {"runAsUser": 5}}, {}]
    raw = json.dumps({"c": containers, "pod": 7, "s": RAW["s"]})
    call = Call("effective", (Pointer(("c", "*")), Pointer(("pod",))), ("runAsUser", "0"))
    assert getter(call)({"raw": raw}) == ["5", "7"]
    call = Call("effective", (Pointer(("c", "*")), Pointer(("none",))), ("runAsUser", "0"))
    assert getter(call)({"raw": raw}) == ["5", "0"]
    assert getter(Call("accounts", (Pointer(("s", "*")),)))({"raw": raw}) == ["n:g"]


def test_explanations_give_truth_and_values() -> None:
    tree = And((_is(NAME, "=", "sh"), Not(Atom(CODE, "=", Column("api_ms")))))
    one, other = explain(tree, {"proc_name": "sh", "api_code": 1, "api_ms": 2})
    assert (one.truth, one.value, one.operand) == (True, "sh", None)
    assert (other.truth, other.value, other.operand) == (False, 1, 2)
    found = hit(Rule("r", "r", tree), {"proc_name": "sh", "api_code": 1, "api_ms": 2})
    assert found is not None
    assert found.true == (0,)


def test_anchors_are_what_a_tree_needs() -> None:
    verb = Column("api_verb")
    get, listing = _is(verb, "=", "get"), _is(verb, "in", "get", "list")
    assert anchor(And((get, listing)), "api_verb") == frozenset({"get"})
    assert anchor(Or((get, listing)), "api_verb") == frozenset({"get", "list"})
    assert anchor(Or((get, TRUE)), "api_verb") is None
    assert anchor(Not(get), "api_verb") is None
    assert anchor(_is(verb, "in", "get", 1), "api_verb") is None


def _trees() -> st.SearchStrategy[Node]:
    column = st.sampled_from([Column("api_verb"), Column("k8s_resource"), NAME])
    atom = st.builds(
        lambda c, op, v: Atom(c, op, (v,)),
        column,
        st.sampled_from(["=", "!=", "in", "contains", "exists"]),
        st.sampled_from(["get", "pods", "a"]),
    )
    return st.recursive(
        atom | st.sampled_from([TRUE, FALSE]),
        lambda inner: (
            st.builds(Not, inner)
            | st.builds(lambda a, b: And((a, b)), inner, inner)
            | st.builds(lambda a, b: Or((a, b)), inner, inner)
        ),
        max_leaves=8,
    )


@given(st.lists(_trees(), max_size=4), st.data())
def test_i4_a_sieve_loses_no_rule(trees: list[Node], data: st.DataObject) -> None:
    value = st.sampled_from(["get", "pods", "a", None])
    names = ("api_verb", "k8s_resource", "proc_name")
    event = {name: data.draw(value) for name in names}
    rules = [Rule(str(number), "", tree) for number, tree in enumerate(trees)]
    assert Sieve(rules).hits(event) == [one for one in rules if holds(one.tree, event)]


@given(st.text(alphabet="ab*?[]!-\\.", max_size=8), st.text(alphabet="ab.]\\", max_size=6))
def test_globs_end_and_are_as_fnmatch_reads_them(pattern: str, text: str) -> None:
    found = holds(_is(NAME, "glob", pattern), {"proc_name": text})
    if "\\" not in pattern and "[" not in pattern:
        import fnmatch

        assert found is (re.match(fnmatch.translate(pattern), text) is not None)


def test_a_sieve_bears_columns_of_a_wrong_type() -> None:
    rules = [Rule("r", "", _is(Column("api_verb"), "=", "get")), Rule("s", "", TRUE)]
    for value in (["get"], {"a": 1}, 7, None):
        assert [one.id for one in Sieve(rules).hits({"api_verb": value})] == ["s"]


def test_a_pattern_becomes_an_expression() -> None:
    assert expression("a*b") == r"(?s)\Aa.*b\z"


@pytest.mark.parametrize(("op", "operand"), [("matches", "("), ("cidr", "x"), ("near", "x")])
def test_operands_that_cannot_be_compared_are_refused(op: str, operand: str) -> None:
    with pytest.raises(Bad):
        judge(_is(NAME, op, operand))


def test_trees_that_are_too_deep_are_refused() -> None:
    tree: Node = _is(NAME, "=", "x")
    for _ in range(1000):
        tree = Not(And((tree, TRUE)))
    with pytest.raises(TooDeep):
        holds(tree, {})


def test_slow_patterns_end() -> None:
    text = "a" * 20_000
    assert holds(_is(NAME, "glob", "*a" * 50 + "b"), {"proc_name": text}) is False
    assert holds(_is(NAME, "matches", "(a+)+b"), {"proc_name": text}) is False
