"""Rules compiled to columns and masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.core.reach import Ports
from martello.practices.network.engine.classes import Universe
from martello.practices.network.engine.match import Matcher
from martello.practices.network.engine.portatoms import OTHER, PERHAPS_OTHER, Mask, spans_of
from martello.practices.network.engine.selectors import Index
from martello.practices.network.model import NamedPort, Policy, Rule

INGRESS: Final = "ingress"
EGRESS: Final = "egress"
_WIDE_KEPT: Final = 64
_LOW: Final = ~(OTHER | PERHAPS_OTHER)
Grid = NDArray[np.uint64]  # masks as [words, columns]
PortSet = tuple[Ports | NamedPort, ...]


class Match(msgspec.Struct, frozen=True, eq=False):
    """What a rule matches. Columns None are all of them."""

    action: str
    sure: Index | None
    perhaps: Index | None
    ports: PortSet | None

    @property
    def decided(self) -> bool:
        """Whether it is known which columns it matches."""
        return self.sure is self.perhaps


def rules_of(policy: Policy, way: str) -> tuple[Rule, ...] | None:
    """The rules of a direction; None where the policy does not govern it."""
    return policy.ingress if way == INGRESS else policy.egress


def names_ports(policy: Policy) -> bool:
    """Whether rules of the way in name ports: then what they allow depends on the subject."""
    return any(
        isinstance(port, NamedPort) for rule in policy.ingress or () for port in rule.ports or ()
    )


class Compiler:
    """The rules of policies over some columns; each policy is compiled once for each direction."""

    __slots__ = ("_having", "_masks", "_matcher", "_matches", "_universe", "_wide", "columns")

    def __init__(self, universe: Universe, matcher: Matcher) -> None:
        self._universe = universe
        self._matcher = matcher
        self.columns = matcher.columns
        self._having: dict[str, list[tuple[int, str, int]]] | None = None
        self._wide: list[PortSet | None] = []  # the keys of masks by shape, oldest first
        self._masks: dict[PortSet | None, Mask] = {}
        self._matches: dict[tuple[int, str], tuple[Match, ...]] = {}

    def matches(self, serial: int, policy: Policy, way: str) -> tuple[Match, ...]:
        """The rules of one direction, in order."""
        found = self._matches.get((serial, way))
        if found is None:
            rules = rules_of(policy, way) or ()
            found = tuple(self._match(rule) for rule in rules)
            self._matches[(serial, way)] = found
        return found

    def _match(self, rule: Rule) -> Match:
        if rule.peers is None:
            return Match(rule.action, None, None, rule.ports)
        sure, perhaps = self._matcher.columns_of(rule.peers)
        return Match(rule.action, sure, perhaps, rule.ports)

    def mask(self, ports: PortSet | None) -> Mask:
        """The bits of a list of ports, [words], or [words, shapes] where names resolve by pod: a
        rule with ports says nothing of what has none.
        """
        found = self._masks.get(ports)
        if found is None:
            found = self._plain(ports)
            named = [port for port in ports or () if isinstance(port, NamedPort)]
            if named:
                if len(self._wide) >= _WIDE_KEPT:
                    self._masks.pop(self._wide.pop(0))
                self._wide.append(ports)
                found = self._by_shape(found, named)
            self._masks[ports] = found
        return found

    def _plain(self, ports: PortSet | None) -> Mask:
        atoms = self._universe.names.ports
        if ports is None:
            return atoms.full
        fixed = atoms.mask(spans_of(p for p in ports if isinstance(p, Ports)))
        if ports:
            fixed[0] |= PERHAPS_OTHER
        return fixed

    def _by_shape(self, fixed: Mask, named: Sequence[NamedPort]) -> Mask:
        """The mask for each shape: only those that have a name differ."""
        if self._having is None:
            self._having = {}
            for number, shape in enumerate(self._universe.names.shapes):
                for name, protocol, port in shape:
                    self._having.setdefault(name, []).append((number, protocol, port))
        atoms = self._universe.names.ports
        found = np.repeat(fixed[:, None], len(self._universe.names.shapes), axis=1)
        for one in named:
            for number, protocol, port in self._having.get(one.name, ()):
                if one.protocol in ("", protocol):
                    found[:, number] |= atoms.mask(spans_of((Ports(protocol, port, port),)))
        return found

    def empty(self) -> Grid:
        """A row where nothing is set."""
        return np.zeros((self._universe.names.ports.words, self.columns.count), dtype=np.uint64)

    def full(self) -> Grid:
        """A row where everything is set."""
        return np.repeat(self._universe.names.ports.full[:, None], self.columns.count, axis=1)


def at_least(mask: Mask) -> Mask:
    """The bits that a rule surely matches; what has no ports is bit 0."""
    found = mask.copy()
    found[0] &= ~PERHAPS_OTHER
    return found


def at_most(mask: Mask) -> Mask:
    """The bits that a rule may match; what has no ports is bit 0."""
    found = mask.copy()
    found[0] = (mask[0] & _LOW) | ((mask[0] & PERHAPS_OTHER) >> OTHER)
    return found


def put(row: Grid, columns: Index | None, mask: Mask, shape: Sequence[int] | Index) -> None:
    """Sets the bits of a mask in some columns; `shape` is that of each column."""
    for word, bits in zip(row, mask, strict=True):
        if bits.ndim:
            each = bits[shape] if columns is None else bits[np.asarray(shape)[columns]]
        elif bits:
            each = bits
        else:
            continue
        if columns is None:
            word |= each
        else:
            word[columns] |= each


def drop(row: Grid, columns: Index | None, mask: Mask, shape: Sequence[int] | Index) -> None:
    """Clears the bits of a mask in some columns."""
    for word, bits in zip(row, ~mask, strict=True):
        if bits.ndim:
            each = bits[shape] if columns is None else bits[np.asarray(shape)[columns]]
        else:
            each = bits
        if columns is None:
            word &= each
        else:
            word[columns] &= each
