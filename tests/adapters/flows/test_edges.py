"""Flows counted into edges."""

from __future__ import annotations

import msgspec

from martello.adapters.flows.edges import edges
from martello.core.flow import Flow, Peer

A, B, C = (Peer(ip=f"10.0.0.{number}") for number in (1, 2, 3))
FLOW = Flow(A, B, "TCP", 80, 40000, at=10.0, reply=False)


def changed(**fields: object) -> Flow:
    return msgspec.structs.replace(FLOW, **fields)


def test_time_count_and_the_callers_port_make_no_edge() -> None:
    (edge,) = edges([FLOW, changed(at=5.0, source_port=40001), changed(at=0.0, count=7)])
    assert (edge.flow, edge.count, edge.first, edge.last) == (FLOW, 9, 5.0, 10.0)


def test_what_a_policy_can_tell_apart_does() -> None:
    others = [
        changed(port=81),
        changed(destination=C),
        changed(verdict="dropped"),
        changed(protocol="UDP"),
        changed(translated=("10.0.0.9", 8080)),
        changed(names=("a",)),
    ]
    assert len(list(edges([FLOW, *others]))) == 7


def test_ports_are_kept_where_it_is_not_known_who_called() -> None:
    unknown = [changed(reply=None, source_port=port) for port in (1, 2, 2)]
    assert [edge.count for edge in edges(unknown)] == [1, 2]
    replies = [changed(reply=True, port=port, source_port=80) for port in (50001, 50002)]
    assert [(edge.count, edge.flow.source_port) for edge in edges(replies)] == [(2, 80)]


def test_no_more_edges_are_held_than_said() -> None:
    flows = [changed(port=port) for port in (1, 2, 3, 1)]
    found = [(edge.flow.port, edge.count) for edge in edges(flows, most=2)]
    assert found == [(1, 1), (2, 1), (3, 1), (1, 1)]
