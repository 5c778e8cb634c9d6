"""Horn rules over interned propositions: a store, and what follows from some of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from martello.paths.model import Fact, Label, Proposition


class Program:
    """Rules `body → head`. Propositions are ints; `facts` are those that are true by themselves."""

    __slots__ = ("_ids", "_index", "_known", "bodies", "facts", "heads", "labels", "names")

    def __init__(self) -> None:
        self.names: list[Proposition] = []
        self.facts: dict[int, Fact] = {}
        self.heads: list[int] = []
        self.bodies: list[tuple[int, ...]] = []
        self.labels: list[Label] = []
        self._ids: dict[Proposition, int] = {}
        self._known: set[tuple[int, tuple[int, ...], str]] = set()
        self._index: Index | None = None

    def id(self, name: Proposition) -> int:
        """The number of a proposition, a new one where it was never named."""
        found = self._ids.get(name)
        if found is None:
            found = self._ids[name] = len(self.names)
            self.names.append(name)
            self._index = None
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
            self._index = None
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
        self._index = None

    @property
    def index(self) -> Index:
        """The rules by what they need and give, as they are now."""
        if self._index is None:
            self._index = Index(self)
        return self._index

    @property
    def uses(self) -> Sequence[Sequence[int]]:
        """By proposition: the rules that need it."""
        return self.index.uses

    @property
    def makes(self) -> Sequence[Sequence[int]]:
        """By proposition: the rules that give it."""
        return self.index.makes


class Index:
    """Rules by proposition. `wants` is of each rule what its body needs besides facts that are
    sure: without footholds those hold anyway; `free` are the rules that want nothing.
    """

    __slots__ = ("ends", "free", "makes", "sure", "unsure", "uses", "wants")

    def __init__(self, program: Program) -> None:
        facts = program.facts
        self.uses: list[list[int]] = [[] for _ in program.names]
        self.makes: list[list[int]] = [[] for _ in program.names]
        for rule, head in enumerate(program.heads):
            self.makes[head].append(rule)
        self.sure = sure = frozenset(one for one, fact in facts.items() if fact.sure)
        self.unsure = [one for one in facts if one not in sure]
        self.wants: list[tuple[int, ...]] = []
        for rule, body in enumerate(program.bodies):
            for one in body:
                self.uses[one].append(rule)
            if not sure.isdisjoint(body):
                body = tuple(one for one in body if one not in sure)
            self.wants.append(body)
        self.free = [rule for rule, wants in enumerate(self.wants) if not wants]
        self.ends: dict[str, list[int]] = {}  # by edit: the facts it ends
        for one, fact in facts.items():
            for edit in fact.edits:
                self.ends.setdefault(edit.id, []).append(one)

    def missing(self, without: Collection[int]) -> dict[int, int]:
        """By rule that needs a sure fact which is taken as untrue: how much it wants."""
        found: dict[int, int] = {}
        for one in self.sure.intersection(without):
            for rule in self.uses[one]:
                found[rule] = found.get(rule, len(self.wants[rule])) + 1
        return found


def closure(
    program: Program,
    given: Iterable[int],
    without: Collection[int] = frozenset(),
    *,
    rules: Collection[int] | None = None,
    goal: int | None = None,
) -> bytearray:
    """By proposition, 1 where it follows from the facts and what is given. Linear in the rules.
    `without` are facts taken as untrue; `rules` narrows to some; it ends early at a `goal`.
    """
    index, heads = program.index, program.heads
    wants, uses = index.wants, index.uses
    known = bytearray(len(program.names))
    missing = index.missing(without)
    queue = [*given, *(one for one in index.unsure if one not in without)]
    queue += [
        heads[rule]
        for rule in index.free
        if rule not in missing and (rules is None or rule in rules)
    ]
    for one in index.sure:
        if one not in without:
            known[one] = 1
    while queue:
        one = queue.pop()
        if known[one]:
            continue
        known[one] = 1
        if one == goal:
            break
        for rule in uses[one]:
            if rules is not None and rule not in rules:
                continue
            left = missing.get(rule, 0) or len(wants[rule])
            missing[rule] = left - 1
            if left == 1 and not known[heads[rule]]:
                queue.append(heads[rule])
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
