"""What the checker refuses, what it says, and which types it finds."""

from __future__ import annotations

import pytest

from martello.cel.compiler import analyse
from martello.cel.env import Env
from martello.cel.issues import BadInput, CompileError
from martello.cel.types import BOOL, DYN, INT, STRING, Library, Overload, list_of

KUBERNETES = Env.kubernetes("1.34", variables={"object": DYN, "n": INT, "names": list_of(STRING)})
SPEC = Env.spec()


def faults(text: str, env: Env = KUBERNETES) -> list[str]:
    try:
        env.compile(text)
    except CompileError as error:
        return [issue.text for issue in error.issues]
    return []


def test_a_mistyped_name_gets_the_nearest_declared_one() -> None:
    assert faults("objct.spec.hosts.all(h, h.endsWith('.corp'))") == [
        "undeclared reference to 'objct'; did you mean 'object'?"
    ]


def test_a_mistyped_function_gets_the_nearest_one() -> None:
    assert faults("object.name.startWith('a')") == [
        "undeclared function 'startWith'; did you mean 'startsWith'?"
    ]


def test_every_mistake_is_told_once() -> None:
    assert len(faults("objct.a == 1 && objct2.b == 2 && n.c")) == 3


@pytest.mark.parametrize(
    "text",
    [
        "1 + 1u",
        "1 + 1.0",
        "1 == 1.0",
        "'a' == 1",
        "n && true",
        "n ? 1 : 2",
        "true ? 1 : 'a'",
        "[1].all(x, x)",
        "n.all(x, true)",
        "{1.5: 1}",
        "names.exists(x, x == 1)",
        "size(1)",
        "[1, 'a']",
        "{'a': 1, 'b': 'c'}",
        "{'a': 1, 2: 2}",
        "[1] < [2]",
        "[1][true]",
    ],
)
def test_types_that_do_not_fit(text: str) -> None:
    assert faults(text)


@pytest.mark.parametrize(
    "text",
    [
        "dyn(1) == 1.0",
        "1 < 1.5",
        "1u >= 1",
        "[1, dyn('a')]",
        "{'a': 1, 'b': dyn('c')}",
        "object.a + 1 == object.b",
        "object.anything.at.all[0]",
        "[] == [1]",
        "optional.of(1).orValue(2) == 1",
        "[1] + [] == [1]",
    ],
)
def test_types_that_fit(text: str) -> None:
    assert not faults(text)


def test_mixed_literals_are_a_list_of_dyn_in_the_specification() -> None:
    node, checked = analyse(SPEC, "[1, 'a']")
    assert checked.type(node) == list_of(DYN)


@pytest.mark.parametrize(
    "text",
    [
        "object.a.matches('(a')",
        "duration('1x') == duration('1h')",
        "timestamp('yesterday') == timestamp(0)",
        "quantity('200K').isInteger()",
    ],
)
def test_a_literal_that_cannot_be_parsed_is_a_compile_error(text: str) -> None:
    assert faults(text)


def test_the_result_must_have_the_type_asked_for() -> None:
    with pytest.raises(CompileError, match="expected bool, found int"):
        KUBERNETES.compile("1 + 1", result=BOOL)
    KUBERNETES.compile("object.a", result=BOOL)


def test_a_type_of_a_mutation_equals_its_path() -> None:
    assert not faults("Object{spec: Object.spec{containers: [Object.spec.containers{name: 'a'}]}}")
    assert faults("Object{spec: Object.metadata{}}")
    assert faults("JSONPatch{operation: 'add'}")
    assert faults("Foo{a: 1}")
    assert faults("Object{}", SPEC)


def test_what_a_version_does_not_have_yet_says_since_when() -> None:
    old = Env.kubernetes("1.31", variables={"object": DYN})
    first = faults("object.a.transformList(i, v, v)", old)[0]
    assert first == ("'transformList' may be written from Kubernetes 1.33 on; --kubernetes is 1.31")
    assert not faults(
        "object.a.transformList(i, v, v)", Env.kubernetes("1.33", variables={"object": DYN})
    )


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("object.?a.hasValue()", 29),
        ("quantity('1').isInteger()", 29),
        ("'%d'.format([1]) == '1'", 30),
        ("sets.contains([1], [1])", 30),
        ("ip('10.0.0.1').family() == 4", 31),
        ("cidr('10.0.0.0/8').prefixLength() == 8", 31),
        ("format.named('uri').hasValue()", 32),
        ("[1].existsOne(i, v, v == 1)", 33),
        ("jsonpatch.escapeKey('a/b') == 'a~1b'", 33),
        ("semver('1.0.0').major() == 1", 34),
        ("[1, 1].distinct() == [1]", 35),
    ],
)
def test_a_feature_may_be_written_one_version_after_it_came(text: str, minor: int) -> None:
    before = Env.kubernetes(f"1.{minor - 1}", variables={"object": DYN})
    stored = Env.kubernetes(f"1.{minor - 1}", variables={"object": DYN}, mode="stored")
    after = Env.kubernetes(f"1.{minor}", variables={"object": DYN})
    assert faults(text, before)
    assert not faults(text, stored)
    assert not faults(text, after)


@pytest.mark.parametrize("text", ["math.abs(1)", "base64.encode(b'a')", "cel.bind(x, 1, x)"])
def test_kubernetes_lacks_what_the_specification_and_kyverno_have(text: str) -> None:
    assert faults(text)
    assert not faults(text, SPEC)
    assert not faults(text, Env.kyverno())


def test_an_environment_is_extended_without_change_and_without_clash() -> None:
    def double(value: int) -> int:
        return 2 * value

    library = Library("ours", (Overload("twice", "twice_int", (INT,), INT, double),))
    more = KUBERNETES.extend(variables={"m": INT}, functions=[library])
    assert more.compile("twice(m) + n")(m=4, n=1) == 9
    assert faults("m")
    with pytest.raises(BadInput, match="object"):
        KUBERNETES.extend(variables={"object": DYN})
    with pytest.raises(BadInput, match="twice_int"):
        more.extend(functions=[Library("other", library.overloads)])


def test_a_version_that_is_none_is_bad_input() -> None:
    with pytest.raises(BadInput):
        Env.kubernetes("2.0")
    with pytest.raises(BadInput):
        Env.kubernetes("1.x")


def test_what_is_only_written_out_may_be_mixed() -> None:
    env = Env.kubernetes("1.34")
    assert env.compile("'%s %d'.format(['a', 1])")() == "a 1"
    with pytest.raises(CompileError):
        env.compile("size(['a', 1]) == 2 || '%s'.format(['a']) == 'a'")
