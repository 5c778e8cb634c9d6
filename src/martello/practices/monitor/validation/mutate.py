"""How good the tests of rules are: each atom is negated, dropped or altered in turn, and a test
must notice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from martello.practices.monitor.engine.ir import (
    TRUE,
    And,
    Atom,
    Node,
    Not,
    Or,
    Value,
    both,
    either,
    opposite,
)
from martello.practices.monitor.engine.rule import Pack, Rule
from martello.practices.monitor.validation.inline import Prepared, Reader, judged, prepare

MOST: Final = 2_000  # mutants of one rule
_ALTERED: Final = "\x00martello: another value"


class Mutant(msgspec.Struct, frozen=True, eq=False):
    """A changed tree: what was done (`negated`, `dropped`, `altered`) to which atom."""

    way: str
    atom: Atom
    tree: Node


class Score(msgspec.Struct, frozen=True, eq=False):
    """How many mutants of a rule its tests catch, and those that they do not."""

    rule: str
    caught: int
    total: int
    survived: tuple[Mutant, ...] = ()

    @property
    def share(self) -> float:
        """From 0 to 1; of a rule without atoms 1."""
        return self.caught / self.total if self.total else 1.0


def mutants(tree: Node) -> Iterator[Mutant]:
    """Every tree that differs from this one in one atom."""
    for index, (way, atom, changed) in enumerate(_changes(tree)):
        if index >= MOST:
            return
        if changed != tree:
            yield Mutant(way, atom, changed)


def _changes(node: Node) -> Iterator[tuple[str, Atom, Node]]:
    if isinstance(node, Atom):
        yield "negated", node, opposite(node)
        yield "altered", node, _altered(node)
        yield "dropped", node, TRUE
    elif isinstance(node, Not):
        for way, atom, changed in _changes(node.part):
            # what is dropped leaves its place: `not` of nothing asks for nothing
            yield way, atom, TRUE if changed == TRUE else opposite(changed)
    elif isinstance(node, And | Or):
        join = both if isinstance(node, And) else either
        for at, part in enumerate(node.parts):
            before, after = node.parts[:at], node.parts[at + 1 :]
            for way, atom, changed in _changes(part):
                if changed == TRUE and len(node.parts) > 1:
                    yield way, atom, join(*before, *after)
                else:
                    yield way, atom, join(*before, changed, *after)


def _altered(atom: Atom) -> Node:
    """The atom with operands that nothing has; one without operands is negated."""
    if not isinstance(atom.operand, tuple) or not atom.operand:
        return opposite(atom)
    if atom.op in ("cidr", "pmatch", "bcontains", "bstartswith"):
        return opposite(atom)
    return msgspec.structs.replace(atom, operand=tuple(map(_other, atom.operand)))


def _other(value: Value) -> Value:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return -9_007_199_254_740_993
    return _ALTERED if isinstance(value, str) else b"\x00\xff"


def score(rule: Rule, readers: Mapping[str, Reader] | None = None) -> Score | None:
    """The score of a rule; None where it has no tree, no tests, or fails one of them as it is."""
    if rule.correlate is not None or rule.unassessed or not rule.tests:
        return None
    tests = prepare(rule, readers)
    if not all(judged(test, rule.tree).passed for test in tests):
        return None
    caught, survived = 0, []
    for mutant in mutants(rule.tree):
        if _noticed(tests, mutant.tree):
            caught += 1
        else:
            survived.append(mutant)
    return Score(rule.id, caught, caught + len(survived), tuple(survived))


def _noticed(tests: tuple[Prepared, ...], tree: Node) -> bool:
    return any(not judged(test, tree).passed for test in tests)


def scores(pack: Pack, readers: Mapping[str, Reader] | None = None) -> tuple[Score, ...]:
    """The scores of the rules of a pack that have one."""
    found = (score(rule, readers) for rule in pack)
    return tuple(one for one in found if one is not None)
