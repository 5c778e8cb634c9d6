"""What policies ask of places: the selectors, names of ports, sets of ports and blocks they use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from martello.core.reach import Ports
from martello.practices.network.addresses import parse_address
from martello.practices.network.engine.spans import Span
from martello.practices.network.model import (
    Block,
    Domains,
    NamedPort,
    Nodes,
    Pods,
    Policy,
    Profile,
    Rule,
    Selector,
)


class Asked(msgspec.Struct):
    """Everything that tells places apart. Sets only grow: finer classes than needed are right."""

    pods: set[Selector] = msgspec.field(default_factory=set)
    spaces: set[Selector] = msgspec.field(default_factory=set)
    nodes: set[Selector] = msgspec.field(default_factory=set)
    named: set[str] = msgspec.field(default_factory=set)  # namespaces asked for by name
    names: set[NamedPort] = msgspec.field(default_factory=set)
    ports: set[tuple[Ports, ...]] = msgspec.field(default_factory=set)
    blocks: set[tuple[int, tuple[Span, ...]]] = msgspec.field(default_factory=set)
    takes_pods: bool = False  # whether some block may take in addresses of pods

    def copy(self) -> Asked:
        """One that may grow by itself."""
        return Asked(
            set(self.pods),
            set(self.spaces),
            set(self.nodes),
            set(self.named),
            set(self.names),
            set(self.ports),
            set(self.blocks),
            self.takes_pods,
        )

    def add(self, policies: Iterable[Policy], profile: Profile) -> None:
        """What more policies ask for."""
        for policy in policies:
            self._pods(policy.subject)
            for rule in (*(policy.ingress or ()), *(policy.egress or ())):
                self._rule(rule, profile)

    def _rule(self, rule: Rule, profile: Profile) -> None:
        for who in rule.peers or ():
            if isinstance(who, Pods):
                self._pods(who)
            elif isinstance(who, Block):
                self.blocks.add((who.version, spans_of_block(who)))
                self.takes_pods |= takes_pods(who, profile) is not False
            elif isinstance(who, Nodes):
                self.nodes.add(who.nodes)
            elif isinstance(who, Domains):
                for version, address in resolved(who, profile):
                    self.blocks.add((version, ((address, address),)))
        if rule.ports:
            self.ports.add(tuple(p for p in rule.ports if isinstance(p, Ports)))
            self.names.update(p for p in rule.ports if isinstance(p, NamedPort))

    def _pods(self, who: Pods) -> None:
        self.pods.add(who.pods)
        if who.namespace:
            self.named.add(who.namespace)
        else:
            self.spaces.add(who.namespaces)


def takes_pods(block: Block, profile: Profile) -> bool | None:
    """Whether a block takes in addresses of pods; None where the plugin decides and is unknown."""
    return profile.blocks_match_pods if block.pods is None else block.pods


def spans_of_block(block: Block) -> tuple[Span, ...]:
    """The addresses of a block, less what it excepts, as intervals."""
    left = []
    begin = block.first
    for first, last in sorted(block.excepts):
        if first > begin:
            left.append((begin, min(first - 1, block.last)))
        begin = max(begin, last + 1)
    if begin <= block.last:
        left.append((begin, block.last))
    return tuple((a, b) for a, b in left if a <= b)


def resolved(domains: Domains, profile: Profile) -> Iterator[tuple[int, int]]:
    """(version, address) of the given addresses of DNS names; `*.` is one or more labels."""
    for wanted in domains.names:
        for name, addresses in profile.names:
            if name == wanted or (wanted.startswith("*.") and name.endswith(wanted[1:])):
                found = [parse_address(text) for text in addresses]
                yield from (one for one in found if one is not None)


def undecided(domains: Domains, profile: Profile) -> bool:
    """Whether some name is not given, or may have more addresses than those given."""
    given = {name for name, _ in profile.names}
    return any(name.startswith("*.") or name not in given for name in domains.names)
