"""Every check that the practices ship: its file is sound, and its examples hold."""

from __future__ import annotations

from io import BytesIO

import pytest

from martello.adapters.manifests import read_paths
from martello.catalogue.example import blind_spots, problems
from martello.catalogue.frameworks import NAMES, OVERRIDES, controls_of
from martello.catalogue.frameworks import framework as framework_of
from martello.catalogue.load import Source, packaged, read
from martello.core.reading import Reading

SOURCES = tuple(packaged())


def name(source: Source) -> str:
    return source.file.rpartition("/")[2].partition(".")[0]


def reading(text: str) -> Reading:
    return read_paths(["-"], stdin=BytesIO(text.encode()))


@pytest.mark.parametrize("source", SOURCES, ids=name)
def test_examples_hold(source: Source) -> None:
    check = read(source)
    good = sum(example.good for example in check.examples)
    assert good >= 2
    assert len(check.examples) - good >= 2
    if set(check.facts) <= {"today"}:
        assert problems(check, reading) == []


@pytest.mark.parametrize("source", [s for s in SOURCES if not s.module], ids=name)
def test_every_negated_expression_breaks_an_example(source: Source) -> None:
    assert blind_spots(read(source), reading) == []


@pytest.mark.parametrize("source", SOURCES, ids=name)
def test_page_is_complete(source: Source) -> None:
    check = read(source)
    assert check.title
    assert len(check.why) > 40
    assert check.fix
    assert check.id.partition("-")[0] in ("IMG", "NET", "MON", "RES", "ACC", "POD")


@pytest.mark.parametrize("source", SOURCES, ids=name)
def test_the_controls_that_it_names_exist(source: Source) -> None:
    check = read(source)
    for framework in map(framework_of, NAMES):
        known = {control.id for control in framework.controls}
        if framework.name == "pss-restricted":
            known |= OVERRIDES.keys()
        assert set(controls_of(check, framework)) <= known
