"""The policies of pods as a table: what it holds, what it refuses, what nft makes of it."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from tests.support.network.room import inside, missing, room
from tests.support.network.told import Told, node, pod, tcp

from martello.adapters import nft
from martello.adapters.nft import Tool
from martello.core.errors import BadInput, Stale
from martello.core.reach import ALL, NONE, Conn, Ports, Reachability, conn
from martello.practices.network.firewall.judged import OWN_NODE, Options
from martello.practices.network.firewall.numbers import numbered
from martello.practices.network.firewall.pods import pod_rules
from martello.practices.network.firewall.render import Ruleset, Set, change
from martello.practices.network.model import Address, Endpoint, Place

WEB = pod("web", (4, 0x0A000001), (6, 0xFD << 120 | 1))
DB = pod("db", (4, 0x0A000002), (6, 0xFD << 120 | 2))
FAR = pod("far", (4, 0x0A000003), node="n2")
NODES = (node("n1", (4, 0x0A010001)), node("n2", (4, 0x0A010002)))


def says(source: Place, to: Place) -> Conn:
    """Only web reaches db, on one port."""
    if to is not DB:
        return ALL
    return tcp(5432) if source is WEB else NONE


@pytest.fixture(scope="module")
def tool() -> Iterator[Tool]:
    if missing():
        pytest.skip(missing())
    with room() as name:
        yield inside(name)


def _set(ruleset: Ruleset, name: str) -> Set | None:
    return next((one for one in ruleset.sets if one.name == name), None)


def test_a_pod_that_all_reach_has_no_chain() -> None:
    free = pod_rules(Told([WEB, DB, FAR], lambda *_: ALL, NODES), "n1")
    sets = {one.name: one for one in free.sets}
    assert sets["m_from4"].elements == sets["m_to4"].elements == {}


def test_only_pods_of_the_node_have_chains_and_all_are_peers() -> None:
    found = pod_rules(Told([WEB, DB, FAR], says, NODES), "n1")
    to, peers = _set(found, "m_to4"), _set(found, "m_class4")
    assert to is not None
    assert peers is not None
    assert list(to.elements) == ["10.0.0.2"]
    assert list(peers.elements) == ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.1.0.1", "10.1.0.2"]
    every = pod_rules(Told([WEB, DB, FAR], lambda *_: NONE, NODES))
    all_to = _set(every, "m_to4")
    assert all_to is not None
    assert list(all_to.elements) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


def test_no_such_node_is_told_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="n3") as error:
        pod_rules(Told([WEB], says, NODES), "n3")
    assert "n1" in error.value.next


def test_what_cannot_be_decided_is_refused_with_the_reason() -> None:
    doubt = Reachability(tcp(80), tcp(443), ("the plugin decides",))
    told = Told([WEB, DB], lambda s, d: doubt if d is DB else ALL, NODES)
    with pytest.raises(Stale, match="the plugin decides"):
        pod_rules(told, "n1")
    allowed = pod_rules(told, "n1", options=Options(unknown="allow"))
    denied = pod_rules(told, "n1", options=Options(unknown="deny"))
    assert ". tcp . 443" in allowed.text
    assert ". tcp . 443" not in denied.text
    assert any("are dropped: the plugin decides" in note for note in denied.notes)


def test_ping_follows_the_option_where_rules_name_ports() -> None:
    said = Reachability(tcp(80), Conn((), True))
    told = Told([WEB, DB], lambda s, d: said if d is DB else ALL, NODES)
    denied = pod_rules(told, "n1")
    assert any("ping" in note for note in denied.notes)
    assert "_other" not in denied.text
    assert "_other" in pod_rules(told, "n1", options=Options(other="allow")).text


def test_addresses_outside_are_intervals() -> None:
    outside = [Address(4, 0, 9), Address(4, 10, 19), Address(4, 20, (1 << 32) - 1)]
    told = Told([WEB], lambda s, d: NONE if d == outside[1] else ALL, NODES, outside)
    nets = _set(pod_rules(told, "n1"), "m_net4")
    assert nets is not None
    assert list(nets.elements) == [
        "0.0.0.0-0.0.0.9",
        "0.0.0.10-0.0.0.19",
        "0.0.0.20-255.255.255.255",
    ]


def test_f4_more_classes_than_the_mark_holds_are_refused() -> None:
    pods = [pod(f"p{n}", (4, 0x0A000000 + n)) for n in range(8)]

    def odd(source: Place, to: Place) -> Conn:
        return tcp(to.addresses[0][1] & 7 or 9) if isinstance(to, Endpoint) else ALL

    with pytest.raises(BadInput, match="bits of the mark"):
        pod_rules(Told(pods, odd, NODES), "n1", options=Options(mark_bits=3))


def test_p14_what_hook_forward_does_not_see_is_told() -> None:
    told = Told([WEB, DB], says, NODES)
    assert OWN_NODE not in pod_rules(told, "n1").notes
    told.own_node_denied = True
    assert OWN_NODE in pod_rules(told, "n1").notes


def test_a_pod_without_an_address_is_told() -> None:
    found = pod_rules(Told([WEB, pod("new")], says, NODES), "n1")
    assert any("without an address" in note for note in found.notes)


def test_an_address_of_two_pods_is_refused_unless_one_is_leaving() -> None:
    with pytest.raises(Stale, match=r"shop/web and shop/new both have the address 10\.0\.0\.1"):
        pod_rules(Told([WEB, pod("new", (4, 0x0A000001)), DB], says, NODES), "n1")
    old = pod("old", (4, 0x0A000002), deleted=True)
    for order in ([WEB, DB, old], [old, WEB, DB]):
        assert pod_rules(Told(order, says, NODES), "n1").sets == (
            pod_rules(Told([WEB, DB], says, NODES), "n1").sets
        )


def test_numbers_stay_with_most_of_their_members() -> None:
    held = {"a": 1, "b": 1, "c": 2}
    assert numbered([["c"], ["a", "b", "d"], ["e"]], held) == [2, 1, 3]
    assert numbered([["a"], ["b"]], held) == [1, 2]


def test_f3_the_kernel_takes_hostile_names_and_reloads_equal(tool: Tool) -> None:
    names = ["fwd", "dup", "queue", "drop", 'a" ; flush ruleset ; "', "ü\n{}$(x)", "x" * 253, ""]
    pods = [pod(name, (4, 0x0A000001 + n), app=f"a{n}") for n, name in enumerate(names)]
    told = Told(pods, lambda s, d: tcp(len(d.name)) if isinstance(d, Endpoint) else NONE, NODES)
    found = pod_rules(told, "n1")
    nft.load("table inet other { chain c { ip saddr 10.0.0.1 drop; }; }", tool)
    nft.load(found.text, tool)
    first = nft.listed(tool=tool)
    nft.load(found.text, tool)
    assert nft.listed(tool=tool) == first
    nft.restore(first, tool=tool)
    assert nft.listed(tool=tool) == first
    assert nft.listed("other", tool)


@pytest.mark.parametrize("seed", range(6))
def test_f8_increments_end_where_a_fresh_load_does(tool: Tool, seed: int) -> None:
    """Random policies on random pods, one state after the other; the fresh load elsewhere."""
    chance = random.Random(seed)
    held: Ruleset | None = None
    nft.remove(tool=tool)
    with room() as other:
        for _ in range(6):
            wanted = pod_rules(_random(chance), "n1", previous=held)
            nft.load(wanted.text if held is None else change(held, wanted), tool)
            nft.load(wanted.text, inside(other))
            assert _plain(nft.listed(tool=tool)) == _plain(nft.listed(tool=inside(other)))
            held = wanted


def _random(chance: random.Random) -> Told:
    picked = chance.sample(range(1, 40), chance.randint(1, 9))
    pods = [
        pod(
            f"p{n}",
            (4, 0x0A000000 + n),
            (6, 0xFD << 120 | n),
            node=f"n{n % 2 + 1}",
            app=f"a{n % 5}",
        )
        for n in picked
    ]
    pods.append(pod("p0", (4, 0x0A000100), app="a0"))
    spans = [ALL, NONE, tcp(80), tcp(80, 443), conn([Ports("UDP", 1, 65535)], other=True)]
    spans.append(conn([Ports("TCP", 100, 200), Ports("SCTP", 7, 7), Ports("UDP", 53, 53)]))
    table = {(a, b): chance.choice(spans) for a in range(6) for b in range(6)}

    def number(place: Place) -> int:
        return int(place.labels["app"][1:]) if isinstance(place, Endpoint) else 5

    return Told(pods, lambda s, d: table[number(s), number(d)], NODES)


def _plain(listing: str) -> list[str]:
    """Lines without regard to the order in which chains and sets were added."""
    return sorted(listing.replace(",", " ").split())
