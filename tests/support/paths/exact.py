"""What the engine says of a small world against what the simulated API server shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from tests.support.paths.attacker import Attacker
from tests.support.paths.replay import Replay, Replayed
from tests.support.paths.server import Server, Who
from tests.support.paths.small import Small

from martello.paths.edge import Edge
from martello.paths.facts import Facts
from martello.paths.model import Proposition
from martello.paths.proof import Proofs
from martello.paths.reach import reach

ADMIN: Proposition = ("admin", "")


class Compared:
    """One world searched exhaustively, once; and what the engine finds in it, with what edges."""

    def __init__(self, seed: str, *, guarded: bool = False) -> None:
        self.small = small = Small(seed, guarded=guarded)
        self.things = tuple(_things(small))
        self.footholds = small.footholds()
        self.held = {name: self._search(name, who) for name, who in self.footholds.items()}

    def _search(self, name: Proposition, who: Who | None) -> frozenset[Proposition]:
        server = Server(self.small.objects, self.small.minor)
        attacker = Attacker(server)
        if who is not None:
            attacker.hold(who)
        else:
            space, _, pod = name[1].partition("/")
            attacker.run(server.objects[("Pod", space, pod)])
        attacker.search()
        return frozenset(one for one in self.things if _has(attacker, one))

    def found(self, edges: Iterable[Edge] | None = None) -> tuple[Facts, set[int]]:
        """The facts of the world, and those of them that are doubts: dashed steps do not count."""
        known = self.small.facts(edges)
        return known, {n for n, fact in known.program.facts.items() if not fact.sure}

    def differences(self, edges: Iterable[Edge] | None = None) -> Iterator[str]:
        """False and missed gains, in words."""
        known, doubts = self.found(edges)
        program = known.program
        starts = [program.id(name) for name in self.footholds]
        ends = {thing: _numbers(known, thing) for thing in self.things}
        who = reach(program, starts, None, doubts)
        admin = program.id(ADMIN)
        for bit, name in enumerate(self.footholds):
            for thing, numbers in ends.items():
                got = any(who[one] >> bit & 1 for one in (*numbers, admin))
                if got != (thing in self.held[name]):
                    yield f"{'false' if got else 'missed'}: {name} to {thing}"

    @cached_property
    def replayed(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Every cheapest path, executed: what went wrong (empty: nothing), and its edges."""
        return tuple(self._replayed())

    def _replayed(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        known, doubts = self.found()
        program = known.program
        for name, who in self.footholds.items():
            start = program.find(name)
            if start is None:
                continue
            proofs = Proofs(program, [start], without=doubts)
            for thing in self.things:
                end = program.find(thing)
                if end is None or end == start or end not in proofs.cost:
                    continue
                path = proofs.path(end)
                error = ""
                try:
                    Replay(Server(self.small.objects, self.small.minor), name, who).run(path)
                except Replayed as replayed:
                    error = f"{name} to {thing}: {replayed}"
                yield error, tuple(step.edge for step in path.steps)


def _numbers(known: Facts, thing: Proposition) -> list[int]:
    """The propositions each of which says that something is held: of a pod there are several."""
    if thing[0] == "pods-of":
        kinds = ("pods-of", "pod", "code")
        names = enumerate(known.program.names)
        return [n for n, one in names if one[0] in kinds and one[1] == thing[1]]
    number = known.program.find(thing)
    return [] if number is None else [number]


def _things(small: Small) -> Iterator[Proposition]:
    """What may be gained in a world."""
    found: dict[Proposition, None] = {ADMIN: None}
    for one in small.objects:
        name, space = one["metadata"]["name"], one["metadata"].get("namespace", "")
        if one["kind"] == "ServiceAccount":
            found["account", space, name] = None
        elif one["kind"] == "Secret":
            found["secret", space, name] = None
        elif one["kind"] == "Node":
            found["node", name] = None
        elif one["kind"] == "Pod":
            found["pods-of", f"{space}/{name}"] = None
        for subject in one.get("subjects") or ():
            if subject["kind"] == "ServiceAccount":
                found["account", subject["namespace"], subject["name"]] = None
            else:
                found[subject["kind"].lower(), subject["name"]] = None
    yield from found


def _has(attacker: Attacker, what: Proposition) -> bool:
    if attacker.admin:
        return True
    kind, *rest = what
    if kind == "account":
        user = f"system:serviceaccount:{rest[0]}:{rest[1]}"
        return any(who.user == user for who in attacker.whos)
    if kind == "user":
        return any(who.user == rest[0] for who in attacker.whos)
    if kind == "group":
        return any(rest[0] in who.groups for who in attacker.whos)
    if kind == "secret":
        return ("Secret", rest[0], rest[1]) in attacker.secrets
    if kind == "node":
        return rest[0] in attacker.nodes
    if kind == "pods-of":
        space, _, name = rest[0].partition("/")
        return ("Pod", space, name) in attacker.pods
    return False
