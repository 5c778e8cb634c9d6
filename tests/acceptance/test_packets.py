"""Real packets decide: on random clusters the analyser, the plain oracle and the filter that the
analyser's model is compiled to must say the same of every pair.

`make test-packets SEEDS=300` tries more of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from tests.support.network.lab import Lab, lab, missing
from tests.support.network.triple import LISTENING, PLACES, compare

SEEDS = int(os.environ.get("SEEDS", "25"))


@pytest.fixture(scope="module")
def built() -> Iterator[Lab]:
    """One network for all seeds."""
    why = missing()
    if why:
        pytest.skip(why)
    with lab(PLACES, LISTENING) as network:
        yield network


@pytest.mark.parametrize("seed", range(SEEDS))
def test_analyser_oracle_and_packets_agree(seed: int, built: Lab) -> None:
    compared = compare(seed, built)
    assert compared.wrong == []
    assert 0 < compared.passed < compared.probed
