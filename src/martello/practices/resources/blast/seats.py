"""Who is slowed when an account floods the API server: those of its level whose queues it fills."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from martello.practices.resources.blast.apf import ACCOUNT, Fairness, Flow, flow
from martello.practices.resources.blast.model import Guard, Harm, Rights, Victim


class Seats:
    """The flows of all accounts, by level and by the queues that they may wait in."""

    __slots__ = ("_accounts", "_fairness", "_whole")

    def __init__(self, fairness: Fairness, accounts: Iterable[str]) -> None:
        self._fairness = fairness
        # Level → queues → accounts. None stands for as many flows as one likes: never starved.
        self._accounts: dict[str, dict[frozenset[int] | None, list[str]]] = {}
        self._whole: dict[str, tuple[str, ...]] = {}
        for user in sorted(set(accounts)):
            found = flow(fairness, user, groups_of(user))
            if found is not None and not found.level.exempt:
                hands = self._accounts.setdefault(found.level.name, {})
                hands.setdefault(found.queues, []).append(user)
        for level, hands in self._accounts.items():
            self._whole[level] = tuple(sorted(user for users in hands.values() for user in users))

    def harm(self, rights: Rights, *, makes_accounts: bool) -> Harm:
        """What the token's owner takes; `makes_accounts`: he has as many flows as he likes, and
        chooses their names, so that they meet in any queue.
        """
        if not rights.user:
            return Harm("api", 0, Guard("no token"))
        found = flow(self._fairness, rights.user, rights.groups)
        if found is None:
            return Harm("api", 0, Guard("no flow schema takes it"))
        level, assumed = found.level, self._fairness.assumed
        if level.exempt:
            everybody = tuple(sorted(u for users in self._whole.values() for u in users))
            victims = _slowed(everybody, rights.user)
            why = f"flow schema {found.schema.name}: exempt from all limits"
            return Harm("api", None, None, victims, "bound", assumed, why)
        queues = None if makes_accounts and found.queues else found.queues
        seats = self._fairness.seats(level)
        guard = Guard(f"flow schema {found.schema.name}", found.schema.ref)
        victims = _slowed(self._met(found, queues), rights.user)
        exact: Literal["bound", "unassessed"] = (
            "unassessed" if victims and "flow schemas" in assumed else "bound"
        )
        return Harm(
            "api", seats, guard, victims, exact, assumed, _words(found, queues, makes_accounts)
        )

    def _met(self, found: Flow, queues: frozenset[int] | None) -> tuple[str, ...]:
        """The accounts whose every queue is full."""
        name = found.level.name
        hands: Mapping[frozenset[int] | None, list[str]] = self._accounts.get(name, {})
        if queues is None or not found.level.queues:
            return self._whole.get(name, ())
        return tuple(sorted(hands.get(queues, ())))


def _slowed(users: Iterable[str], own: str) -> tuple[Victim, ...]:
    return tuple(Victim(user, "", "slowed") for user in users if user != own)


def _words(found: Flow, queues: frozenset[int] | None, makes_accounts: bool) -> str:
    level = found.level
    if not level.queues:
        return f"{level.name} has no queues: its seats are whoever's comes first"
    if queues is None:
        by = "each account it makes" if makes_accounts else "each namespace it asks about"
        return f"{by} is a flow of its own: all {level.queues} queues of {level.name}"
    return f"own flow, {len(queues)} of {level.queues} queues of {level.name}"


def groups_of(user: str) -> tuple[str, ...]:
    """The groups that a service account's token brings along."""
    space = user.removeprefix(ACCOUNT).partition(":")[0]
    return (
        "system:serviceaccounts",
        f"system:serviceaccounts:{space}",
        "system:authenticated",
    )
