"""Every edge holds in the worlds of its own examples, and fails where a part is missing."""

from __future__ import annotations

import pytest
from tests.support.paths.world import tried

from martello.core.errors import BadInput
from martello.paths.edge import catalogue, parse_edge

HOLDS = [(edge.name, n) for edge in catalogue() for n, _ in enumerate(edge.examples["holds"])]
FAILS = [(edge.name, n) for edge in catalogue() for n, _ in enumerate(edge.examples["fails"])]
BY_NAME = {edge.name: edge for edge in catalogue()}


@pytest.mark.parametrize(("name", "number"), HOLDS)
def test_holds(name: str, number: int) -> None:
    example = BY_NAME[name].examples["holds"][number]
    assert name in tried(example)[1]


@pytest.mark.parametrize(("name", "number"), FAILS)
def test_fails(name: str, number: int) -> None:
    example = BY_NAME[name].examples["fails"][number]
    assert name not in tried(example)[1]


def test_every_edge_has_examples_of_both_kinds() -> None:
    for edge in catalogue():
        assert edge.examples["holds"], edge.name
        assert edge.examples["fails"], edge.name
        assert edge.attack, edge.name
        assert edge.cut, edge.name


def test_a_wrong_file_says_everything_that_is_wrong() -> None:
    text = (
        "name: other\nsays: x\neach: {a: planet}\nwhen: [{maybe: 1}]\ngives: pod of b\n"
        "cost: 20\nversions: new\nattack: []\ntrace: x\ncut: [magic]\nexamples: {}\nmore: 1\n"
    )
    with pytest.raises(BadInput) as error:
        parse_edge(text, "one.yaml")
    for word in ("planet", "maybe", "no variable: b", "0 to 9", "versions", "magic", "more", "one"):
        assert word in str(error.value.why)
