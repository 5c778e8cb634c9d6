"""Horn rules over interned propositions: a store, and what follows from some of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from martello.paths.model import Fact, Label, Proposition


class Program:
    """Rules `body → head`. Propositions are ints; `facts` are those that are true by themselves."""

    __slots__ = ("_ids", "_known", "_makes", "_uses", "bodies", "facts", "heads", "labels", "names")

    def __init__(self) -> None:
        self.names: list[Proposition] = []
        self.facts: dict[int, Fact] = {}
        self.heads: list[int] = []
        self.bodies: list[tuple[int, ...]] = []
        self.labels: list[Label] = []
        self._ids: dict[Proposition, int] = {}
        self._known: set[tuple[int, tuple[int, ...], str]] = set()
        self._uses: list[list[int]] | None = None
        self._makes: list[list[int]] | None = None

    def id(self, name: Proposition) -> int:
        """The number of a proposition, a new one where it was never named."""
        found = self._ids.get(name)
        if found is None:
            found = self._ids[name] = len(self.names)
            self.names.append(name)
            self._uses = self._makes = None
        return found

    def find(self, name: Proposition) -> int | None:
        """The number of a proposition that occurs, or None."""
        return self._ids.get(name)

    def fact(self, name: Proposition, fact: Fact) -> int:
        """A proposition that is true; the surer of two facts stays."""
        number = self.id(name)
        known = self.facts.get(number)
        if known is None or (fact.sure and not known.sure):
            self.facts[number] = fact
        return number

    def rule(self, head: int, body: Iterable[int], label: Label) -> None:
        """Adds a rule once. One that needs its own head says nothing."""
        needs = tuple(dict.fromkeys(body))
        key = (head, needs, label.edge)
        if head in needs or key in self._known:
            return
        self._known.add(key)
        self.heads.append(head)
        self.bodies.append(needs)
        self.labels.append(label)
        self._uses = self._makes = None

    @property
    def uses(self) -> Sequence[Sequence[int]]:
        """By proposition: the rules that need it."""
        if self._uses is None:
            self._uses = [[] for _ in self.names]
            for rule, body in enumerate(self.bodies):
                for one in body:
                    self._uses[one].append(rule)
        return self._uses

    @property
    def makes(self) -> Sequence[Sequence[int]]:
        """By proposition: the rules that give it."""
        if self._makes is None:
            self._makes = [[] for _ in self.names]
            for rule, head in enumerate(self.heads):
                self._makes[head].append(rule)
        return self._makes


def closure(
    program: Program, given: Iterable[int], without: Collection[int] = frozenset()
) -> bytearray:
    """By proposition, 1 where it follows from the facts and what is given. Linear in the rules.
    `without` are facts taken as untrue.
    """
    known = bytearray(len(program.names))
    missing = [len(body) for body in program.bodies]
    uses = program.uses
    queue = [*given, *(one for one in program.facts if one not in without)]
    for rule, count in enumerate(missing):
        if not count:
            queue.append(program.heads[rule])
    while queue:
        one = queue.pop()
        if known[one]:
            continue
        known[one] = 1
        for rule in uses[one]:
            missing[rule] -= 1
            if not missing[rule] and not known[program.heads[rule]]:
                queue.append(program.heads[rule])
    return known


def relevant(program: Program, goals: Iterable[int], known: bytearray | None = None) -> set[int]:
    """The rules that may serve a goal: those from which it can be reached backwards. With `known`
    only rules whose body holds.
    """
    makes = program.makes
    rules: set[int] = set()
    seen = set(goals)
    queue = list(seen)
    while queue:
        for rule in makes[queue.pop()]:
            if known is not None and not all(known[one] for one in program.bodies[rule]):
                continue
            rules.add(rule)
            for one in program.bodies[rule]:
                if one not in seen:
                    seen.add(one)
                    queue.append(one)
    return rules
