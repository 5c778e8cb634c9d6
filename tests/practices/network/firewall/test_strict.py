"""Which open connections new rules deny."""

from __future__ import annotations

from tests.support.network.told import Told, node, pod, tcp

from martello.core.flow import Flow, Peer
from martello.core.reach import ALL, NONE, Conn, Reachability
from martello.practices.network.firewall.strict import doomed
from martello.practices.network.model import Address, Place

WEB = pod("web", (4, 0x0A000001))
DB = pod("db", (4, 0x0A000002))


def _says(source: Place, to: Place) -> Conn | Reachability:
    if isinstance(source, Address):
        return Reachability(NONE, tcp(80), ("who knows",))
    return tcp(5432) if to is DB else ALL


def _flow(to: str, port: int, *, source: str = "10.0.0.1", **more: object) -> Flow:
    plain = {"source_port": 40000, **more}
    return Flow(Peer(ip=source), Peer(ip=to), "TCP", port, **plain)  # type: ignore[arg-type]


def test_f7_only_what_is_surely_denied_goes_as_it_was_sent() -> None:
    told = Told([WEB, DB], _says, [node("n1", (4, 0x0A010001))])
    translated = ("10.0.0.2", 9999)
    flows = [
        _flow("10.0.0.2", 5432),
        _flow("10.0.0.2", 22),
        _flow("10.96.0.1", 80, translated=translated),
        _flow("10.96.0.2", 80, translated=("10.0.0.2", 5432)),
        _flow("10.0.0.2", 23, reply=True),
        _flow("10.0.0.2", 80, source="192.0.2.1"),
        _flow("10.0.0.2", 81, source="192.0.2.1"),
        _flow("nowhere", 81),
        _flow("10.0.0.2", 22, source="10.1.0.1"),  # a pod's own node
    ]
    assert doomed(told, flows) == (
        ("TCP", "10.0.0.1", 40000, "10.0.0.2", 22),
        ("TCP", "10.0.0.1", 40000, "10.96.0.1", 80),
        ("TCP", "192.0.2.1", 40000, "10.0.0.2", 81),
    )
