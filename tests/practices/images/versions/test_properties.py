"""V1 and V11: nothing raises, and keys are a total order that the comparison agrees with."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.practices.images.versions.samples import SAMPLES, versions

from martello.practices.images.versions import Scheme, scheme

LARGE = 20_000
UNITS = ("9", "0", ".", "1.", "-a", "a1", "_p1", "~", "#", "\ud800", "٣", " ", "\0", "-final", "+")


def order(ecosystem: str) -> Scheme:
    found = scheme(ecosystem)
    assert found is not None
    return found


@pytest.mark.parametrize("ecosystem", SAMPLES)
def test_total_order(ecosystem: str) -> None:
    """Antisymmetric, transitive, equal exactly where keys are, for any three versions."""
    found = order(ecosystem)
    strings = versions(ecosystem)

    @settings(max_examples=100)
    @given(strings, strings, strings)
    def holds(a: str, b: str, c: str) -> None:
        for x, y in ((a, b), (b, c), (a, c)):
            left, right = found.key(x), found.key(y)
            compared = found.compare(x, y)
            assert compared == -found.compare(y, x)
            if found.keyed or (ecosystem == "Packagist" and "#" not in x + y):
                assert compared == (left > right) - (left < right)
        assert found.compare(a, a) == 0
        if found.keyed:
            low, middle, high = sorted((a, b, c), key=found.key)
            assert found.compare(low, middle) <= 0
            assert found.compare(middle, high) <= 0
            assert found.compare(low, high) <= 0
            assert (found.compare(low, high) == 0) == (found.key(low) == found.key(high))

    holds()


def ordinary() -> st.SearchStrategy[str]:
    """Maven's versions as they are written: numbers, and at most one qualifier."""
    numbers = st.lists(st.sampled_from(["0", "1", "2", "10"]), min_size=3, max_size=3).map(".".join)
    words = ["alpha", "beta", "m", "rc", "snapshot", "final", "sp", "jre"]
    qualifier = st.tuples(st.sampled_from(words), st.sampled_from(["", "1", "2", "10"]))
    return st.builds(lambda n, q: n + "-" + "".join(q), numbers, qualifier) | numbers


@settings(max_examples=250)
@given(ordinary(), ordinary())
def test_maven_key_is_the_order_of_ordinary_versions(a: str, b: str) -> None:
    maven = order("Maven")
    left, right = maven.key(a), maven.key(b)
    assert maven.compare(a, b) == (left > right) - (left < right)


def test_maven_compares_in_circles() -> None:
    """Why its key is not its comparison: no order has all of these."""
    compare = order("Maven").compare
    assert compare("1-a1", "1") == compare("1", "1.x.1") == compare("1.x.1", "1-a1") == -1


def test_packagist_has_a_number_that_equals_all() -> None:
    compare = order("Packagist").compare
    assert compare("1.2.#", "1.2.1") == compare("1.2.#", "1.2.2") == 0
    assert compare("1.2.1", "1.2.2") == -1
    assert compare("1.2.#.p3", "1.2") == 1


@pytest.mark.parametrize("ecosystem", SAMPLES)
def test_huge_versions_are_ordered(ecosystem: str) -> None:
    """Keys of a size in proportion, and time too: ten times the length takes no hundred times."""
    found = order(ecosystem)
    taken: dict[int, float] = {}
    for size in (LARGE // 10, LARGE):
        begun = time.process_time()
        for unit in UNITS:
            version = "1" + unit * (size // len(unit))
            assert len(found.key(version)) < 10 * size + 100
            assert found.compare(version, version + "1") == -found.compare(version + "1", version)
        taken[size] = time.process_time() - begun
    assert taken[LARGE] < 40 * (taken[LARGE // 10] + 0.01)


@pytest.mark.parametrize("ecosystem", SAMPLES)
def test_numbers_have_no_limit(ecosystem: str) -> None:
    found = order(ecosystem)
    assert found.compare("1." + "9" * 6000, "1.1" + "0" * 6000) == -1
    assert found.compare("1." + "0" * 6000 + "1", "1.2") == -1


def test_families() -> None:
    assert order("Debian:12").name == order("Ubuntu:22.04:LTS").name == "debian"
    assert order("openSUSE:Leap 15.5").name == order("Red Hat:8").name == "rpm"
    assert order("Alpine:v3.19").name == order("Wolfi").name == "alpine"
    assert scheme("") is None
    assert scheme("No such ecosystem:1") is None


def test_every_ecosystem_that_packages_get_is_ordered() -> None:
    from martello.practices.images.ecosystems import LANGUAGES

    assert [name for name in LANGUAGES.values() if scheme(name) is None] == []


def test_every_sample_table_is_of_an_ecosystem() -> None:
    assert all(re.fullmatch(r"[A-Za-z ]+", name) and scheme(name) for name in SAMPLES)
