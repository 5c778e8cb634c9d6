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
from martello.practices.network.engine.names import Shape
from martello.practices.network.engine.portatoms import OTHER, PERHAPS_OTHER, Mask, spans_of
from martello.practices.network.engine.selectors import Index
from martello.practices.network.model import NamedPort, Policy, Rule

INGRESS: Final = "ingress"
EGRESS: Final = "egress"
_LOW: Final = ~(OTHER | PERHAPS_OTHER)
Grid = NDArray[np.uint64]  # masks as [words, columns]
PortSet = tuple[Ports | NamedPort, ...]


class Match(msgspec.Struct, frozen=True, eq=False):
    """What a rule matches. Columns None are all of them; `mask` is [words], or [words, shapes]
    where names of ports resolve differently.
    """

    action: str
    sure: Index | None
    perhaps: Index | None
    mask: Mask

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

    __slots__ = ("_masks", "_matcher", "_matches", "_shapes", "_universe", "columns")

    def __init__(self, universe: Universe, matcher: Matcher) -> None:
        self._universe = universe
        self._matcher = matcher
        self.columns = matcher.columns
        self._shapes: list[Shape] = list(universe.names.shapes)
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
        mask = self.mask(rule.ports)
        if rule.peers is None:
            return Match(rule.action, None, None, mask)
        sure, perhaps = self._matcher.columns_of(rule.peers)
        return Match(rule.action, sure, perhaps, mask)

    def mask(self, ports: PortSet | None) -> Mask:
        """The bits of a list of ports: a rule with ports says nothing of what has none."""
        found = self._masks.get(ports)
        if found is None:
            found = self._masks[ports] = self._make(ports)
        return found

    def _make(self, ports: PortSet | None) -> Mask:
        atoms = self._universe.names.ports
        if ports is None:
            return atoms.full
        fixed = atoms.mask(spans_of(p for p in ports if isinstance(p, Ports)))
        if ports:
            fixed[0] |= PERHAPS_OTHER
        named = [port for port in ports if isinstance(port, NamedPort)]
        if not named:
            return fixed
        return np.stack([fixed | self._resolved(named, shape) for shape in self._shapes], axis=1)

    def _resolved(self, named: Sequence[NamedPort], shape: Shape) -> Mask:
        numbers = [
            Ports(protocol, number, number)
            for port in named
            for name, protocol, number in shape
            if name == port.name and port.protocol in ("", protocol)
        ]
        return self._universe.names.ports.mask(spans_of(numbers))

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
    put_inverse = ~mask
    for word, bits in zip(row, put_inverse, strict=True):
        if bits.ndim:
            each = bits[shape] if columns is None else bits[np.asarray(shape)[columns]]
        else:
            each = bits
        if columns is None:
            word &= each
        else:
            word[columns] &= each
