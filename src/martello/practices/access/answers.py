"""The questions: may somebody do this, who may, through what, and what is missing.

RBAC only adds. Where something was not read, `allowed` stands and `denied` becomes `unknown`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Final

from martello.core.cluster import Cluster
from martello.core.path import Path
from martello.practices.access.bindings import Binding, Subject
from martello.practices.access.chain import Chain, chain, may_deny, uncertain
from martello.practices.access.cover import MOST, Single, singles
from martello.practices.access.gaps import (
    gaps,
    may_allow,
    phantom,
    placed,
    unplaced,
    unread_role,
)
from martello.practices.access.grants import Grants, grants
from martello.practices.access.index import Index, scope_of
from martello.practices.access.model import MASTERS, Answer, Grant, Principal, Request
from martello.practices.access.nodes import node_answer, node_of
from martello.practices.access.principals import (
    AUTHENTICATED,
    UNAUTHENTICATED,
    keys,
    node,
    of_subject,
    principal,
    subject_key,
)
from martello.practices.access.rules import Rule

Atom = tuple[str, Single]  # scope (empty: everywhere), and one thing that may be done there
_MASTERS: Final = Answer("allowed", because=(f"group {MASTERS} passes every authorizer",))
_DENIED: Final = Answer("denied")
_NEAREST: Final = 5


class Access:
    """What the roles and bindings of one cluster answer."""

    __slots__ = ("_certain", "chain", "cluster", "grants", "index")

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.grants: Grants = grants(cluster)
        self.index = Index(self.grants.bindings)
        self.chain: Chain = chain(cluster)
        # Whether RBAC alone decides for everybody but nodes.
        self._certain = self.chain.has("RBAC") and not (
            uncertain(self.chain) or self.chain.has("AlwaysAllow")
        )

    def can(self, who: Principal, request: Request) -> Answer:
        """Whether somebody may: with the first grant where he may, with reasons where it is
        unknown. The request is compared literally; see `known.as_sent` for what a person means.
        """
        return self._answer(who, request, whole=False)

    def why(self, who: Principal, request: Request) -> Answer:
        """As `can`, with every grant, or with those that miss in one field."""
        return self._answer(who, request, whole=True)

    def principal(self, text: str, groups: Iterable[str] = ()) -> Principal:
        """The principal that a person means (see principals.principal)."""
        return principal(text, groups)

    def rules(self, who: Principal, namespace: str = "") -> tuple[Rule, ...]:
        """The rules that somebody holds everywhere, and in a namespace where one is given."""
        index = self.index
        held: dict[int, None] = {}
        for _, _, cell in index.cells_of(keys(who), namespace):
            held.update(dict.fromkeys(index.role_of[binding] for binding in cell.bindings))
        return tuple(rule for role in held for rule in index.roles[role].rules)

    def scopes(self, who: Principal) -> tuple[str, ...]:
        """Where somebody holds grants: the empty one is everywhere, the others are namespaces."""
        found: set[str] = set()
        for key in keys(who):
            found.update(self.index.cells.get(key, ()))
        return tuple(sorted(found))

    def atoms(self, who: Principal, most: int = MOST) -> Iterator[Atom]:
        """Everything that RBAC grants somebody, one thing at a time, by scope; `*` stands for all
        of today and tomorrow. What is granted everywhere is not repeated for each namespace. Ends
        after `most` in a scope: hostile roles multiply.
        """
        asked = keys(who)
        for scope in self.scopes(who):
            held: dict[int, None] = {}
            for _, at, cell in self.index.cells_of(asked, scope):
                if at == scope:
                    held.update(dict.fromkeys(self.index.role_of[b] for b in cell.bindings))
            rules = (rule for role in held for rule in self.index.roles[role].rules)
            for single in dict.fromkeys(islice(singles(rules), most)):
                if not scope or not single[4]:  # a RoleBinding grants no URLs
                    yield scope, single

    def _answer(self, who: Principal, request: Request, whole: bool) -> Answer:
        if MASTERS in who.groups:
            return _MASTERS
        answer = self._by_rules(who, request, whole)
        if self._certain and who.kind != "node" and not node_of(who):
            return answer
        return self._in_order(who, request, answer)

    def _by_rules(self, who: Principal, request: Request, whole: bool) -> Answer:
        """What RBAC says."""
        asked = keys(who)
        index = self.index
        rules = index.allowing(request)
        space = "" if request.path else request.namespace
        found: list[Grant] = []
        for key, scope, cell in index.cells_of(asked, space) if rules else ():
            if cell.mask(index) & rules:
                for binding in index.granting(cell, rules):
                    found.extend(self._grants(binding, key, scope, rules, whole))
                    if not whole:
                        return Answer("allowed", tuple(found))
        if found:
            return Answer("allowed", tuple(found))
        reasons = gaps(self.cluster, index, who, asked, request)
        nearest = self._nearest(asked, request) if whole else ()
        verdict = "unknown" if reasons else "denied"
        if whole:
            reasons = (*reasons, *self._refused(asked, space))
        if reasons or nearest:
            return Answer(verdict, (), reasons, nearest)
        return _DENIED

    def _in_order(self, who: Principal, request: Request, rbac: Answer) -> Answer:
        """What the chain of authorizers makes of the answer of RBAC."""
        doubts: list[str] = []
        open_answer: Answer | None = None
        for each in self.chain.authorizers:
            answer = _DENIED
            if each.kind == "RBAC":
                answer = rbac
            elif each.kind == "Node":
                answer = node_answer(who, request, self.cluster)
            elif each.kind == "AlwaysAllow":
                answer = Answer("allowed", because=("the API server allows everything",))
            elif may_deny(each):
                doubts.append(f"{each} may decide first")
            elif each.kind == "ABAC":
                open_answer = Answer("unknown", because=("ABAC may allow it",))
            if answer.verdict == "allowed":
                if not doubts:
                    return answer
                return Answer("unknown", answer.grants, tuple(doubts))
            if answer.verdict == "unknown":
                open_answer = answer
        if doubts:
            said = tuple(doubt.replace("decide first", "allow it") for doubt in doubts)
            return Answer("unknown", (), said, rbac.nearest)
        return open_answer or (rbac if rbac.verdict == "denied" else _DENIED)

    def _grants(
        self, binding: int, key: str, scope: str, rules: int, whole: bool
    ) -> Iterator[Grant]:
        index = self.index
        bound = index.bindings[binding]
        role = index.roles[index.role_of[binding]]
        for subject in _places(bound, key):
            for rule in index.rules(index.role_of[binding], rules):
                yield Grant(bound.resource, subject, role.resource, rule.role, rule.index, scope)
                if not whole:
                    return

    def _refused(self, asked: tuple[str, ...], space: str) -> Iterator[str]:
        """Bindings in files that would count here, did the API server take them."""
        told = (each for key in asked for each in self.index.refused.get(key, ()))
        yield from dict.fromkeys(fault for scope, fault in told if scope in ("", space))

    def _nearest(self, asked: tuple[str, ...], request: Request) -> tuple[tuple[Grant, str], ...]:
        """Grants that would allow the request but for one field of it."""
        index = self.index
        space = "" if request.path else request.namespace
        found: list[tuple[Grant, str]] = []
        for field, rules in index.symbols.lacking(request).items():
            for key, scope, cell in index.cells_of(asked, space) if rules else ():
                for binding in index.granting(cell, rules):
                    found.extend(
                        (g, field) for g in self._grants(binding, key, scope, rules, False)
                    )
                    if len(found) >= _NEAREST:
                        return tuple(found)
        rules = index.allowing(request)
        for key in asked if rules else ():
            for scope, cell in index.cells.get(key, {}).items():
                if scope not in ("", space) and cell.mask(index) & rules:
                    binding = next(index.granting(cell, rules))
                    held = self._grants(binding, key, scope, rules, False)
                    found.extend((grant, "namespace") for grant in held)
                    if len(found) >= _NEAREST:
                        return tuple(found)
        return tuple(found)

    def who_can(self, request: Request) -> tuple[tuple[Subject, Answer], ...]:
        """Every subject that may, as bindings name it, with its grants: groups stand for all their
        members. Subjects of bindings whose role could not be read are `unknown`; so is everybody
        where another authorizer may decide. The last reason of an account that does not exist says
        so.
        """
        index = self.index
        rules = index.allowing(request)
        space = "" if request.path else request.namespace
        found: dict[Subject, list[Grant]] = {}
        for role in index.roles_with(rules):
            for scope in ("", space) if space else ("",):
                for place in index.bound(role, scope):
                    for subject in dict.fromkeys(index.bindings[place].subjects):
                        key = subject_key(subject)
                        if key:
                            held = self._grants(place, key, scope, rules, True)
                            found.setdefault(subject, []).extend(held)
        masters = Subject("Group", MASTERS)
        found.pop(masters, None)
        rows = [(masters, _MASTERS)]
        for subject, grants_of in found.items():
            rows.append((subject, self._settled(subject, request, tuple(grants_of))))
        rows = [row for row in rows if row[1].verdict != "denied"]  # RBAC may not be asked at all
        rows.extend(self._everybody(request, found))
        rows.extend(self._nodes(request, found))
        rows.extend(self._perhaps(request, space, found))
        return tuple(rows)

    def _settled(self, subject: Subject, request: Request, held: tuple[Grant, ...]) -> Answer:
        flags = ("the account does not exist",) if phantom(self.cluster, subject) else ()
        answer = Answer("allowed", held, flags)
        if self._certain:
            return answer
        return self._in_order(of_subject(subject), request, answer)

    def _everybody(
        self, request: Request, found: dict[Subject, list[Grant]]
    ) -> Iterator[tuple[Subject, Answer]]:
        """Those whom no binding names, where an authorizer allows everything, or may allow it."""
        for group in () if self._certain else (AUTHENTICATED, UNAUTHENTICATED):
            subject = Subject("Group", group)
            answer = self._in_order(of_subject(subject), request, _DENIED)
            if subject not in found and answer.verdict != "denied":
                yield subject, answer

    def _nodes(
        self, request: Request, found: dict[Subject, list[Grant]]
    ) -> Iterator[tuple[Subject, Answer]]:
        """Nodes that the Node authorizer lets do it."""
        if not self.chain.has("Node"):
            return
        for resource in self.cluster.of_kind("Node"):
            who = node(resource.ref.name)
            subject = Subject("User", who.username)
            if subject not in found:
                answer = node_answer(who, request, self.cluster)
                if answer.verdict == "allowed":
                    yield subject, answer

    def _perhaps(
        self, request: Request, space: str, found: dict[Subject, list[Grant]]
    ) -> Iterator[tuple[Subject, Answer]]:
        """Subjects of bindings whose role may grant it, but is not here, or whose namespace is not
        written and may be this one.
        """
        told: dict[Subject, dict[str, None]] = {}
        for binding in may_allow(self.index.adrift, request) if space else ():
            for subject in placed(binding, space):
                if subject not in found and subject_key(subject):
                    told.setdefault(subject, {})[unplaced(binding)] = None
        for binding in dict.fromkeys(b for held in self.index.pending.values() for b in held):
            if scope_of(binding) in ("", space):
                for reason in unread_role(self.cluster, binding):
                    for subject in binding.subjects:
                        if subject not in found and subject_key(subject):
                            told.setdefault(subject, {})[reason] = None
        for subject, reasons in told.items():
            yield subject, Answer("unknown", because=tuple(reasons))


def _places(binding: Binding, key: str) -> Iterator[Path]:
    """Where a binding names the subject with this key."""
    for subject, place in zip(binding.subjects, binding.places, strict=True):
        if subject_key(subject) == key:
            yield ("subjects", place)


@lru_cache(maxsize=2)
def access(cluster: Cluster) -> Access:
    """The answers for a cluster, compiled once: a Cluster never changes."""
    return Access(cluster)
