"""Macros of the caller's own, written with templates."""

from __future__ import annotations

import pytest

from martello.cel.env import Env
from martello.cel.issues import BadInput, CompileError, SyntaxFault
from martello.cel.syntax.macros import Builder, Macro, path_of
from martello.cel.syntax.nodes import Node
from martello.cel.types import DYN

ENV = Env.kubernetes("1.34", variables={"object": DYN})
POD = {
    "spec": {
        "securityContext": {"runAsNonRoot": True},
        "containers": [{"name": "a"}, {"name": "b", "securityContext": {"runAsNonRoot": False}}],
    }
}


def inherited(target: Node | None, args: tuple[Node, ...], build: Builder) -> Node:
    names = path_of(args[1])
    if names is None:
        raise SyntaxFault("inherited() takes a path", args[1].start, args[1].end)
    own = build.optional(args[0], *names)
    pod = build.optional(build.template("object.spec"), *names)
    return build.template("$0.or($1)", own, pod)


MACRO = Macro("inherited", 2, False, inherited)


def test_a_macro_may_look_into_two_places() -> None:
    env = ENV.extend(macros=[MACRO])
    program = env.compile(
        "object.spec.containers.map(c, inherited(c, securityContext.runAsNonRoot).orValue(null))"
    )
    assert program(object=POD) == [True, False]


def test_a_template_takes_nodes_and_field_names() -> None:
    def expand(target: Node | None, args: tuple[Node, ...], build: Builder) -> Node:
        return build.template("$0.spec.containers.exists(c, c.$1 == $2)", args[0], "name", args[1])

    env = ENV.extend(macros=[Macro("named", 2, False, expand)])
    program = env.compile("named(object, 'b') && !named(object, 'c')")
    assert program(object=POD) is True


def test_a_fault_in_the_arguments_is_placed_there() -> None:
    text = "inherited(object, 1 + 1)"
    with pytest.raises(CompileError) as raised:
        ENV.extend(macros=[MACRO]).compile(text)
    (issue,) = raised.value.issues
    assert text[issue.start : issue.end] == "1 + 1"


def test_a_macro_that_is_there_already_is_a_clash() -> None:
    with pytest.raises(BadInput, match="has"):
        ENV.extend(macros=[Macro("has", 1, False, inherited)])


def test_a_bad_template_is_bad_input() -> None:
    with pytest.raises(BadInput, match="template"):
        Builder().template("1 +")


def test_macros_that_multiply_their_arguments_are_stopped() -> None:
    def doubled(target: Node | None, args: tuple[Node, ...], build: Builder) -> Node:
        return build.template("$0 && $0", args[0])

    env = ENV.extend(macros=[Macro("doubled", 1, False, doubled)])
    assert env.compile("doubled(doubled(object))")(object=True) is True
    with pytest.raises(CompileError, match="more than a program can hold"):
        env.compile("doubled(" * 60 + "object" + ")" * 60)
