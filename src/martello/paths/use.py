"""Evidence of use: whether the rights of a step were used by whoever takes it, and when last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from martello.paths.edge import Clause, catalogue
from martello.paths.model import Path, Proposition, Step
from martello.paths.rights import clauses_of, split
from martello.practices.access.model import ACCOUNT
from martello.practices.access.principals import NODE
from martello.practices.access.uses import Use

_IDENTITIES: Final = frozenset(("account", "user", "group", "kubelet"))
_SPELLED: Final = frozenset(("binding", "role", "scope", "part", "one-request", "group-member"))
_RIGHTS: Final = frozenset(("can", "one"))
_LOGGED: Final = "audit "  # how the trace of an edge begins that an audit log can show


class Used:
    """What an audit log shows to have been done: by whom, in which namespaces, to which names."""

    __slots__ = ("_clauses", "_done")

    def __init__(self, uses: Iterable[Use]) -> None:
        self._clauses: Mapping[str, Clause] = {c.key: c for c in clauses_of(catalogue())}
        self._done: dict[tuple[str, str, str, str], list[Use]] = {}
        for use in uses:
            one = use.request
            if one.path or use.how == "review":
                continue
            full = f"{one.resource}/{one.subresource}" if one.subresource else one.resource
            who = (f"u{use.principal.username}", *(f"g{group}" for group in use.principal.groups))
            for key in who:
                self._done.setdefault((key, one.verb, one.group, full), []).append(use)

    def of_path(self, path: Path) -> tuple[str, str] | None:
        """The first step of a path whose every right its identity was seen to use, as it is told,
        and the day of the last time.
        """
        made = {step.gives: step for step in path.steps}
        for step in path.steps:
            last = self._of_step(step, made) if step.trace.startswith(_LOGGED) else 0
            if last:
                return step.says, datetime.fromtimestamp(last / 1e9, UTC).date().isoformat()
        return None

    def _of_step(self, step: Step, made: Mapping[Proposition, Step]) -> int:
        """When the rights of a step were last used, by one who has them; 0 where one was not."""
        found: list[int] = []
        for need in step.needs:
            if need[0] not in _RIGHTS:
                continue
            identities = dict.fromkeys(_identities(need, made))
            for clause, scope, name in self._asked(need):
                times = (self._last(who, clause, scope, name) for who in identities)
                found.append(max(times, default=0))
        return min(found, default=0)

    def _asked(self, right: Proposition) -> Iterator[tuple[Clause, str, str]]:
        """The clauses of a proposition about rights, each with its namespace and name."""
        kind, key, *rest = right
        keys = key.split(" + ") if kind == "one" else [key]
        half = len(keys)
        scopes, names = rest[:half], [*rest[half:], *[""] * half]
        for one, scope, name in zip(keys, scopes, names, strict=False):
            clause = self._clauses.get(one)
            if clause is not None:
                yield clause, scope, name

    def _last(self, who: Proposition, clause: Clause, scope: str, name: str) -> int:
        names = {name} if name else set(clause.names)
        last = 0
        for resource in clause.resources:
            group, full = split(resource)
            for verb in clause.verbs:
                for use in self._done.get((_key(who), verb, group, full), ()):
                    here = not scope or use.request.namespace == scope
                    if here and (not names or use.more or names.intersection(use.names)):
                        last = max(last, use.last)
        return last


def _identities(right: Proposition, made: Mapping[Proposition, Step]) -> Iterator[Proposition]:
    """Who has a right in a path: those whose grants its steps spell out."""
    queue, seen = [right], {right}
    while queue:
        one = queue.pop()
        if one[0] in _IDENTITIES:
            yield one
            continue
        step = made.get(one)
        if step is not None and step.edge in _SPELLED:
            new = [need for need in step.needs if need not in seen]
            seen.update(new)
            queue += new


def _key(who: Proposition) -> str:
    kind, *name = who
    if kind == "group":
        return f"g{name[0]}"
    before = {"account": ACCOUNT, "kubelet": NODE}.get(kind, "")
    return f"u{before}{':'.join(name)}"
