"""What of a program a cut depends on: few rules over edits, with the same cuts as all the rules.

Whether a choice of edits ends every path does not depend on costs and names. So what holds anyway
is left out, facts become the edits that end them, propositions that always come together become
one, and those through which only few rules lead are put into the rules that use them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from martello.paths.hitting import Weights, replaceable
from martello.paths.horn import Program, closure, relevant
from martello.paths.reach import components

Rule = tuple[int, frozenset[int], frozenset[int]]  # head, propositions, edits that break it
GOAL: Final = -1
_COMPARED: Final = 6  # propositions and edits of a rule that is compared with smaller ones
_ROUNDS: Final = 12  # of what is repeated while rules get fewer: more would be exact, too
_LONGEST: Final = 64  # propositions and edits of a rule that another is put into
_NONE: Final[frozenset[int]] = frozenset()


class Kernel:
    """Rules of which a goal follows. The goals are one, `GOAL`; `starts` has by proposition the
    footholds (bits) that are it. `forced` are edits without which no cut is.
    """

    __slots__ = ("_known", "_next", "forced", "makes", "rules", "starts", "uses")

    def __init__(self, rules: Iterable[Rule], starts: Mapping[int, int]) -> None:
        self.starts = dict(starts)
        self.forced: set[int] = set()
        self.rules: dict[int, Rule] = {}
        self.makes: dict[int, dict[int, None]] = {}
        self.uses: dict[int, dict[int, None]] = {}
        self._known: dict[Rule, int] = {}
        self._next = 0
        for rule in sorted(rules, key=lambda one: len(one[1]) + len(one[2])):
            self.add(rule)

    def add(self, rule: Rule) -> None:
        """Adds a rule unless it needs its own head, or another gives that for less."""
        head, body, _ = rule
        if head in body or GOAL in body or self._has_less(rule):
            return
        number = self._next
        self._next += 1
        self.rules[number] = rule
        self._known[rule] = number
        self.makes.setdefault(head, {})[number] = None
        for one in body:
            self.uses.setdefault(one, {})[number] = None

    def _has_less(self, rule: Rule) -> bool:
        head, body, edits = rule
        if len(body) + len(edits) > _COMPARED:
            return rule in self._known
        return any(
            (head, needs, ends) in self._known for needs in _parts(body) for ends in _parts(edits)
        )

    def drop(self, number: int) -> None:
        """Takes a rule away."""
        rule = self.rules.pop(number)
        del self._known[rule]
        del self.makes[rule[0]][number]
        for one in rule[1]:
            del self.uses[one][number]


def _parts(whole: frozenset[int]) -> list[frozenset[int]]:
    found = [_NONE]
    for one in whole:
        found += [part | {one} for part in found]
    return found


def kernel(
    program: Program,
    footholds: Collection[int],
    goals: Collection[int],
    ending: Mapping[int, frozenset[int]],
    weights: Weights,
) -> Kernel:
    """The kernel of the paths from footholds, each somebody else, to goals. `ending` has by fact
    the edits each of which ends it. No goal may follow though all those are gone.
    """
    rules, starts = _read(program, footholds, goals, ending)
    forced: set[int] = set()
    for _ in range(_ROUNDS):
        size = len(rules)
        rules, starts = _joined(rules, starts)
        rules = _begun(rules, starts)
        made = Kernel(rules, starts)
        _eliminate(made)
        rules = _forced(list(made.rules.values()), weights, forced)
        starts = made.starts
        if len(rules) == size:
            break
    made = Kernel(rules, starts)
    made.forced = forced
    return made


def _begun(rules: list[Rule], starts: dict[int, int]) -> list[Rule]:
    """Without footholds from which all goes on by rules of one proposition: who comes by has a
    path that is part of his, so there they are as good as facts.
    """
    back: dict[int, list[int]] = {}
    arcs: dict[int, list[int]] = {}
    for head, body, edits in rules:
        for one in body:
            back.setdefault(head, []).append(one)
            if not edits:
                arcs.setdefault(one, []).append(head)
    shared = _closed((one for _, body, _ in rules if len(body) > 1 for one in body), back)
    free = starts.keys() - shared
    for one in free:
        del starts[one]
    holds = _closed(free, arcs)
    return [(head, body - holds, edits) for head, body, edits in rules if head not in holds]


def _closed(first: Iterable[int], arcs: Mapping[int, Iterable[int]]) -> set[int]:
    """What arcs lead to from the first ones, and these."""
    found = set(first)
    queue = list(found)
    while queue:
        for one in arcs.get(queue.pop(), ()):
            if one not in found:
                found.add(one)
                queue.append(one)
    return found


def _forced(rules: list[Rule], weights: Weights, forced: set[int]) -> list[Rule]:
    """The rules that are left when edits are made without which no cut is. An edit that breaks
    nothing but what one that is no dearer breaks, too, is not looked at.
    """
    for _ in range(_ROUNDS):
        where: dict[int, list[frozenset[int]]] = {}
        for _, _, edits in rules:
            for edit in edits:
                where.setdefault(edit, []).append(edits)
        spare: set[int] = set()
        for edit in sorted(where, key=lambda e: (-weights[e], -e)):
            if replaceable(edit, where[edit], weights, spare):
                spare.add(edit)
        if spare:
            rules = [(head, body, edits - spare) for head, body, edits in rules]
        alone = [edits for head, body, edits in rules if head == GOAL and not body]
        lone = {edit for edits in alone if len(edits) == 1 for edit in edits}
        forced |= lone
        rules = [rule for rule in rules if lone.isdisjoint(rule[2])]
        if not lone and not spare:
            break
    return rules


def _read(
    program: Program,
    footholds: Collection[int],
    goals: Collection[int],
    ending: Mapping[int, frozenset[int]],
) -> tuple[list[Rule], dict[int, int]]:
    """The rules that may serve, over what does not hold anyway."""
    anyway = closure(program, (), ending)
    known = closure(program, footholds)
    starts = {one: 1 << bit for bit, one in enumerate(footholds) if not anyway[one]}
    ends = set(goals)
    made: list[Rule] = []
    chosen = relevant(program, goals, known)
    derived = {program.heads[rule] for rule in chosen} | starts.keys() | ends
    plain = {fact: edits for fact, edits in ending.items() if fact not in derived}
    for fact in ending.keys() & derived:
        if not anyway[fact]:
            made.append((GOAL if fact in ends else fact, _NONE, ending[fact]))
    for rule in chosen:
        head, body = program.heads[rule], program.bodies[rule]
        if anyway[head] or not ends.isdisjoint(body):
            continue
        edits = _NONE
        needs = []
        for one in body:
            if anyway[one]:
                continue
            if one in plain:
                edits |= plain[one]
            else:
                needs.append(one)
        made.append((GOAL if head in ends else head, frozenset(needs), edits))
    return made, starts


def _joined(rules: Iterable[Rule], starts: Mapping[int, int]) -> tuple[list[Rule], dict[int, int]]:
    """With one proposition for those that follow from each other whatever is edited, and the goal
    for all from which it does.
    """
    rules = list(rules)
    names = sorted({one for head, body, _ in rules for one in (head, *body)} | starts.keys())
    place = {one: index for index, one in enumerate(names)}
    arcs: list[list[int]] = [[] for _ in names]
    back: dict[int, list[int]] = {}
    for head, body, edits in rules:
        if len(body) == 1 and not edits:
            (one,) = body
            arcs[place[one]].append(place[head])
            back.setdefault(head, []).append(one)
    group = components(arcs)
    reaching = _closed([GOAL], back)
    new = {one: GOAL if one in reaching else group[place[one]] for one in names}
    begun: dict[int, int] = {}
    for one, who in starts.items():
        begun[new[one]] = begun.get(new[one], 0) | who
    found = (
        (new[head], frozenset([new[one] for one in body]), edits) for head, body, edits in rules
    )
    return [rule for rule in found if rule[0] not in rule[1] and GOAL not in rule[1]], begun


def _eliminate(made: Kernel) -> None:
    """Puts into the rules that use them the propositions through which few rules lead."""
    queue = list(dict.fromkeys((*made.makes, *made.uses)))
    waiting = set(queue)
    stays: set[int] = set()  # what would make rules too long
    while queue:
        one = queue.pop()
        waiting.discard(one)
        if one == GOAL or one in stays:
            continue
        makes, uses = made.makes.get(one, {}), made.uses.get(one, {})
        if not makes and not uses:
            made.starts.pop(one, None)
            continue
        if (uses and one in made.starts) or len(makes) * len(uses) > len(makes) + len(uses):
            continue
        given = [made.rules[number] for number in makes]
        using = [made.rules[number] for number in uses]
        new = [
            (head, (body - {one}) | needs, edits | ends)
            for _, needs, ends in given
            for head, body, edits in using
        ]
        if any(len(body) + len(edits) > _LONGEST for _, body, edits in new):
            stays.add(one)
            continue
        for number in (*makes, *uses):
            made.drop(number)
        for rule in new:
            made.add(rule)
        old = given + using
        for head, body, _ in old:
            for near in (head, *body):
                if near not in waiting and near != one:
                    waiting.add(near)
                    queue.append(near)
