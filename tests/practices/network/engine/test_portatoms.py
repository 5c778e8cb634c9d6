"""Ports as bits: what all rules treat alike is one bit; masks read back as what they were."""

from __future__ import annotations

from martello.core.reach import ALL, Conn, Ports, conn
from martello.practices.network.engine.portatoms import PortAtoms, spans_of

WEB = (Ports("TCP", 80, 80), Ports("TCP", 443, 443))
DNS = (Ports("UDP", 53, 53), Ports("TCP", 53, 53))


def read(atoms: PortAtoms, *ports: Ports) -> Conn:
    return atoms.conn(tuple(atoms.mask(spans_of(ports)).tolist()), False)


def test_ports_that_are_always_together_are_one_atom() -> None:
    atoms, _ = PortAtoms().refined([spans_of(WEB), spans_of(DNS)])
    assert atoms.count == 3


def test_masks_read_back() -> None:
    atoms, _ = PortAtoms().refined([spans_of(WEB), spans_of(DNS)])
    assert read(atoms, *WEB) == conn(WEB)
    assert read(atoms, *DNS) == conn(DNS)
    assert atoms.conn(tuple(atoms.full.tolist()), True) == ALL


def test_splits_copy_a_bit_of_every_row() -> None:
    coarse, _ = PortAtoms().refined([spans_of(WEB)])
    fine, splits = coarse.refined([spans_of(WEB[:1])])
    row = coarse.mask(spans_of(WEB)).reshape(-1, 1)
    moved = fine.moved(row, splits)
    assert fine.conn(tuple(moved[:, 0].tolist()), False) == conn(WEB)


def test_more_kinds_of_ports_than_a_word_has_bits() -> None:
    ports = [Ports("TCP", n, n) for n in range(1, 400, 3)]
    atoms, _ = PortAtoms().refined([spans_of([one]) for one in ports])
    assert atoms.words == 3
    assert read(atoms, *ports[::2]) == conn(ports[::2])


def test_what_is_no_port_is_left_out() -> None:
    ports = [Ports("TCP", 0, 0), Ports("TCP", 65535, 70000), Ports("ICMP", 1, 1)]
    assert spans_of(ports) == ((65534, 65534),)
