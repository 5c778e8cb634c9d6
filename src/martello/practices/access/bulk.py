"""Every who-can answer at once: for many requests, the (subject, scope) pairs that may.

Subjects and scopes are numbered; a pair is one int, `subject * len(scopes) + scope`. Scope 0 is
everywhere. Groups stand for their members, and system:masters, who may do all, is not listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from martello.practices.access.bindings import Subject
from martello.practices.access.index import Index, scope_of
from martello.practices.access.model import Request
from martello.practices.access.principals import subject_key

Pairs = npt.NDArray[np.int64]
_NONE: Pairs = np.empty(0, np.int64)


class Bulk:
    """The pairs of each role, and for a request the union over the roles that allow it."""

    __slots__ = ("_answers", "_index", "_of_role", "scopes", "subjects")

    def __init__(self, index: Index) -> None:
        self._index = index
        subjects: dict[str, int] = {}
        self.subjects: list[Subject] = []
        scopes = {"": 0}
        listed: list[tuple[int, int, int]] = []
        for place, binding in enumerate(index.bindings):
            scope = scopes.setdefault(scope_of(binding), len(scopes))
            role = index.role_of[place]
            for subject in binding.subjects:
                key = subject_key(subject)
                if key:
                    at = subjects.setdefault(key, len(subjects))
                    if at == len(self.subjects):
                        self.subjects.append(subject)
                    listed.append((role, at, scope))
        self.scopes = tuple(scopes)
        self._of_role = self._split(listed, len(index.roles))
        self._answers: dict[tuple[int, ...], Pairs] = {}

    def _split(self, listed: list[tuple[int, int, int]], roles: int) -> list[Pairs]:
        if not listed:
            return [_NONE] * roles
        rows = np.array(listed, np.int64)
        pairs = rows[:, 1] * len(self.scopes) + rows[:, 2]
        order = np.argsort(rows[:, 0], kind="stable")
        ends = np.searchsorted(rows[order, 0], np.arange(1, roles))
        return list(np.split(pairs[order], ends))

    def pairs(self, request: Request) -> Pairs:
        """Who may do it, and where: sorted pairs. The namespace of the request does not count; for
        a path only scope 0 does.
        """
        roles = tuple(self._index.roles_with(self._index.allowing(request)))
        found = self._answers.get(roles)
        if found is None:
            found = self._union(roles)
            self._answers[roles] = found
        return found[found % len(self.scopes) == 0] if request.path else found

    def _union(self, roles: tuple[int, ...]) -> Pairs:
        if not roles:
            return _NONE
        found = np.concatenate([self._of_role[role] for role in roles])
        found.sort()
        kept = np.empty(len(found), bool)
        kept[:1] = True
        np.not_equal(found[1:], found[:-1], out=kept[1:])
        return found[kept]

    def all(self, requests: Iterable[Request]) -> Iterator[tuple[Request, Pairs]]:
        """Each request with its pairs."""
        for request in requests:
            yield request, self.pairs(request)

    def named(self, pairs: Pairs) -> Iterator[tuple[Subject, str]]:
        """The subjects and scopes that pairs mean."""
        wide = len(self.scopes)
        for subject, scope in zip((pairs // wide).tolist(), (pairs % wide).tolist(), strict=True):
            yield self.subjects[subject], self.scopes[scope]
