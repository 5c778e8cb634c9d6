"""The cheapest set of edits after which no goal can be derived: implicit hitting sets.

The rules are first reduced to what a cut depends on (`kernel`). Proofs are harvested from it, the
edits that break each become a set to hit, and the cheapest hitting set is a lower bound. Where it
leaves nothing to prove it is the cheapest cut; where proofs are left they are harvested and hit,
too, until none is: that is a cut and an upper bound. The two meet, or the budget ends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from martello.paths.harvest import Harvest
from martello.paths.hitting import BUDGET, cheapest, greedy
from martello.paths.horn import Program, closure, relevant
from martello.paths.kernel import kernel
from martello.paths.model import FOREVER, Cut, Edit, Path
from martello.paths.proof import Proofs
from martello.paths.reach import reach

ROUNDS: Final = 2_000
_MORE: Final = 5_000_000  # looks at rules, out of budget, before every edit is in the cut


def cheapest_cut(
    program: Program,
    footholds: Collection[int],
    goals: Iterable[int],
    *,
    weights: Mapping[str, int] | None = None,
    only: Collection[int] | None = None,
    budget: int = BUDGET,
    rounds: int = ROUNDS,
) -> Cut:
    """The cut between footholds, each somebody else, and goals. `weights` replaces those of edits,
    by id; what weighs FOREVER is left alone. `only` are the facts that may be touched. A goal that
    has a proof without such an edit is in `open`, and the cut is for the others.

    `budget` counts looks at rules and sets, so the answer is the same on every machine.
    """
    edits = _Edits(program, weights or {}, only)
    starts = set(footholds)
    wanted = [goal for goal in dict.fromkeys(goals) if goal not in starts]
    still = _open(program, footholds, wanted, edits.of_fact)
    wanted = [goal for goal in wanted if goal not in still]
    made = kernel(program, sorted(starts), wanted, edits.of_fact, edits.weights)
    search = _Search(Harvest(made), edits.weights, budget, rounds)
    search.run()
    chosen = sorted(search.best | made.forced)
    cost = sum(edits.weights[one] for one in chosen)
    gap = search.cost - search.bound
    found = tuple(edits.edits[one] for one in chosen)
    return Cut(found, cost, gap == 0, gap, tuple(still.values()))


def one_proof(
    program: Program,
    footholds: Collection[int],
    goals: Iterable[int],
    without: Collection[int],
    rules: Collection[int] | None,
) -> tuple[Proofs, int] | None:
    """A proof of one of the goals from one of the footholds: nobody is two of them at once."""
    wanted = list(goals)
    starts = set(footholds)
    proofs = Proofs(program, footholds, without=without, rules=rules, goals=wanted)
    goal = next((one for one in wanted if one in proofs.cost), None)
    if goal is None:
        return None
    if len(starts.intersection(proofs.leaves(goal))) < 2:
        return proofs, goal
    order = sorted(starts)
    who = reach(program, order, rules, without)
    for goal in wanted:
        if who[goal]:
            start = order[(who[goal] & -who[goal]).bit_length() - 1]
            return Proofs(program, [start], without=without, rules=rules, goals=[goal]), goal
    return None


def _open(
    program: Program,
    footholds: Collection[int],
    goals: Iterable[int],
    ending: Mapping[int, frozenset[int]],
) -> dict[int, Path]:
    """The goals that follow though every fact that may be ended is, each with its path."""
    known = closure(program, footholds, ending)
    found: dict[int, Path] = {}
    for goal in goals:
        if known[goal]:
            rules = relevant(program, [goal], known)
            proved = one_proof(program, footholds, [goal], ending, rules)
            if proved is not None:
                found[goal] = proved[0].path(goal)
    return found


class _Search:
    """Lower bounds by hitting sets and upper bounds by cuts, until they meet."""

    __slots__ = ("_budget", "_family", "_harvest", "_rounds", "_weights", "best", "bound", "cost")

    def __init__(
        self, harvest: Harvest, weights: Mapping[int, int], budget: int, rounds: int
    ) -> None:
        self._harvest = harvest
        self._weights = weights
        self._budget = budget
        self._rounds = rounds
        self._family = dict.fromkeys(harvest.direct())
        self.best: set[int] = harvest.edits
        self.cost = self._price(self.best)
        self.bound = 0

    def run(self) -> None:
        """Searches; then `best` is a cut of this `cost`, and none costs less than `bound`."""
        for _ in range(self._rounds):
            found = cheapest(self._family, self._weights, self._left())
            self._budget -= found.work
            self.bound = max(self.bound, found.bound)
            known = len(self._family)
            self._complete(set(found.chosen))
            self.bound = min(self.bound, self.cost)
            if self.bound == self.cost or known == len(self._family) or not self._left():
                break
        if self.bound < self.cost:  # what was found since may say more
            found = cheapest(self._family, self._weights, 0)
            self.bound = min(self.cost, max(self.bound, found.bound))

    def _left(self) -> int:
        return max(0, self._budget - self._harvest.work)

    def _complete(self, chosen: set[int]) -> None:
        """A cut that begins with these edits: what is left to prove is hit, too, as it comes."""
        last = self._harvest.work + self._left() + _MORE
        together = True  # out of budget, as long as edits end what only several footholds do
        while sets := self._harvest.sets(chosen, together=together and not self._left()):
            if not all(sets):
                together = False
                continue
            if self._left():
                self._family.update(dict.fromkeys(sets))
            chosen |= greedy(sets, self._weights)
            if self._harvest.work > last:
                return
        for dear in self._needless(chosen):
            if not self._left():
                break
            if not self._harvest.sets(chosen - {dear}, 1):
                chosen.discard(dear)
        cost = self._price(chosen)
        if cost < self.cost:
            self.best, self.cost = chosen, cost

    def _needless(self, chosen: set[int]) -> list[int]:
        """The edits, the dearest first, without which every known proof is broken all the same."""
        needed: set[int] = set()
        for one in self._family:
            hits = one & chosen
            if len(hits) == 1:
                needed |= hits
        return sorted(chosen - needed, key=lambda e: (-self._weights[e], e))

    def _price(self, chosen: Iterable[int]) -> int:
        return sum(self._weights[one] for one in chosen)


class _Edits:
    """The edits of a program by number, and by fact those that end it."""

    __slots__ = ("edits", "of_fact", "weights")

    def __init__(
        self, program: Program, weights: Mapping[str, int], only: Collection[int] | None
    ) -> None:
        numbers: dict[str, int] = {}
        self.edits: list[Edit] = []
        self.weights: dict[int, int] = {}
        self.of_fact: dict[int, frozenset[int]] = {}
        for fact, told in program.facts.items():
            if only is not None and fact not in only:
                continue
            ending: set[int] = set()
            for edit in told.edits:
                weight = weights.get(edit.id, edit.weight)
                if weight >= FOREVER:
                    continue
                number = numbers.setdefault(edit.id, len(self.edits))
                if number == len(self.edits):
                    self.edits.append(edit)
                    self.weights[number] = weight
                ending.add(number)
            if ending:
                self.of_fact[fact] = frozenset(ending)
