"""Real packets decide: on random clusters the analyser, the plain oracle and the filter that the
analyser's model is compiled to must say the same of every pair.

`make test-packets SEEDS=300` tries more of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from tests.support.network.lab import NODE, Lab, Probe, lab, missing
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


DROPS = """
table inet one {
    chain forward {
        type filter hook forward priority 0; policy accept;
        ip daddr 10.77.0.11 udp dport 80 drop
        ip6 saddr fd77::2:b meta l4proto sctp drop
    }
}
"""


def test_packets_tell_what_a_filter_drops(built: Lab) -> None:
    probes = [
        Probe(place, source, protocol, target, 80)
        for place, sources in PLACES.items()
        for source in sources
        for other, targets in PLACES.items()
        for target in targets
        for protocol in ("TCP", "UDP", "SCTP")
        if place != other and (":" in source) == (":" in target)
    ]
    assert all(built.probe(probes))
    built.nft(DROPS)
    dropped = {one for one, passed in zip(probes, built.probe(probes), strict=True) if not passed}
    built.nft("delete table inet one")
    assert dropped == {
        one
        for one in probes
        if (one.protocol == "UDP" and one.target == "10.77.0.11" and one.place != NODE)
        or (one.protocol == "SCTP" and one.source == "fd77::2:b" and one.target not in PLACES[NODE])
    }
    assert len(dropped) == 22


@pytest.mark.parametrize("seed", range(SEEDS))
def test_analyser_oracle_and_packets_agree(seed: int, built: Lab) -> None:
    compared = compare(seed, built)
    assert compared.wrong == []
    assert 0 < compared.passed <= compared.probed
