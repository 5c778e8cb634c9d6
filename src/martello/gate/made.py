"""Policies tried on made pods: whether they take any that an attacker could make."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import msgspec

from martello.catalogue.policy.admitted import request_for
from martello.catalogue.policy.match import select
from martello.catalogue.policy.model import (
    DENY,
    UNASSESSED,
    Constraints,
    Request,
    Ruling,
    User,
)
from martello.catalogue.policy.policies import answer
from martello.catalogue.policy.read import Bound, PolicySet, policies_from
from martello.catalogue.policy.world import NotKnown, World
from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, Resource, resource_of
from martello.core.selector import MalformedSelector, matches
from martello.gate.specimens import BASELINE, PLAIN, TAKING, controlled, debugged, imaged, pod
from martello.paths.model import LEVELS, Admission

# What somebody who makes a pod, or who asks, may choose: where a policy looks at it, another pod
# may pass.
_CHOSEN: Final = re.compile(
    r"\.(name|image|command|args|env|nodeName|nodeSelector|tolerations|serviceAccountName"
    r"|priorityClassName|runtimeClassName|schedulerName)\b|metadata|userInfo|authorizer"
)
_OWN: Final = re.compile(r"namespaceObject\.metadata|object\.metadata\.namespace")
# A policy that says none of these words says the same in all namespaces that it selects.
_SAYS_WHERE: Final = re.compile(
    r"namespace|metadata|authorizer|params|dyn|request(?!\.(?:operation|kind|resource|subResource)\b)"
)
_BUDGET: Final = 200_000_000  # of all evaluations together, in CEL's units of cost
_OTHERS: Final = {LEVELS[0]: PLAIN, LEVELS[1]: BASELINE, LEVELS[2]: TAKING[0]}


class Said(msgspec.Struct, frozen=True):
    """What policies say of one pod: the rules that refuse it for sure, and what may refuse it."""

    refused: frozenset[str] = frozenset()
    doubts: tuple[str, ...] = ()

    @property
    def why(self) -> str:
        """What stands in its way, in words; empty where nothing does."""
        first = next(iter((*self.doubts, *sorted(self.refused))), "")
        return f"{first.partition(chr(0))[0]} may refuse it" if first else ""


class Tried:
    """The policies of a cluster that may refuse something, and what they said."""

    __slots__ = ("_cluster", "_known", "_left", "_ones", "_seen", "_world")

    def __init__(self, resources: Iterable[Resource], cluster: Cluster) -> None:
        found = policies_from(resources, cluster.kubernetes)
        self._ones = tuple(_One(one, cluster.kubernetes) for one in found.bound if _denies(one))
        self._cluster = cluster
        self._world = World(cluster, complete=cluster.complete)
        self._known: dict[tuple[Any, ...], tuple[Ruling, ...]] = {}
        self._seen: dict[tuple[int, str, str, str], bool] = {}
        self._left = _BUDGET

    def said(self, namespace: str, level: str, how: str) -> Admission | None:
        """Whether policies let pods of a level into a namespace: created, changed as they are
        (`update`, `debug`), or with a privileged debug container (`debug-node`). None where no
        policy is there.
        """
        if not self._ones:
            return None
        if how in ("update", "debug"):
            return self._as_it_is(namespace, level, how)
        plain, taking = _asked(how)
        first = self._of(namespace, plain)
        if level == LEVELS[0]:
            return self._admitted(namespace, first)
        sure = True
        whys: list[str] = []
        for number, request in enumerate(taking):
            found = self._of(namespace, request)
            if not found.why:
                return self._admitted(namespace, found, number)
            sure = sure and bool(found.refused - first.refused)
            if not found.refused - first.refused:
                whys.append(found.why)
        return Admission(False) if sure else Admission(None, whys[0])

    def _admitted(self, namespace: str, found: Said, taking: int = -1) -> Admission:
        """A pod that its policies let in, if those of the controllers do so, too."""
        if found.why:
            return Admission(None, found.why)
        for request in _controllers(taking):
            why = self._of(namespace, request).why
            if why:
                return Admission(None, why.replace("refuse it", f"refuse a {request.kind}"))
        return Admission(True)

    def _as_it_is(self, namespace: str, level: str, how: str) -> Admission:
        why = self._of(namespace, _changed(level, how)).why
        return Admission(None, why) if why else Admission(True)

    def _of(self, namespace: str, request: Request) -> Said:
        refused: set[str] = set()
        doubts: list[str] = []
        for number, one in enumerate(self._ones):
            for ruling in self._rulings(number, one, namespace, request):
                if ruling.action == UNASSESSED or (ruling.action == DENY and one.evaded):
                    doubts.append(ruling.policy)
                elif ruling.action == DENY:
                    refused.add("\0".join((ruling.policy, ruling.binding, ruling.expression)))
        return Said(frozenset(refused), tuple(dict.fromkeys(doubts)))

    def _rulings(
        self, number: int, one: _One, namespace: str, request: Request
    ) -> tuple[Ruling, ...]:
        form = (number, request.kind, request.operation, request.subresource)
        if form not in self._seen:
            self._seen[form] = one.sees(request, self._world)
        if not self._seen[form]:
            return ()
        where = one.where(self._cluster.namespace_labels(namespace), namespace)
        key = (number, id(request), where)
        if key not in self._known:
            self._known[key] = self._judged(one, _placed(request, namespace))
        return self._known[key]

    def _judged(self, one: _One, request: Request) -> tuple[Ruling, ...]:
        if self._left <= 0:
            why = "policies are too dear to be tried in every namespace"
            return (Ruling(one.title, "", UNASSESSED, why),)
        found = answer(one.policies, request, self._world)
        self._left -= found.cost + 1
        return found.rulings


class _One:
    """A policy with those of its bindings that deny."""

    __slots__ = ("_alike", "_selectors", "bound", "evaded", "policies", "title")

    def __init__(self, bound: Bound, minor: int) -> None:
        policy = bound.policy
        bindings = tuple(b for b in bound.bindings if _counts(b.actions, bound))
        self.bound = msgspec.structs.replace(bound, bindings=bindings)
        self.policies = PolicySet((self.bound,), minor=minor)
        self.title = policy.title
        texts = [v.expression for v in policy.validations]
        texts += [named.expression for named in (*policy.conditions, *policy.variables)]
        said = "\n".join((*texts, *(v.message_expression for v in policy.validations)))
        given = [policy.match, *(b.match for b in bindings if b.match is not None)]
        matching = [m for m in given if isinstance(m, Constraints)]
        named = any(rule.names for m in matching for rule in (*m.rules, *m.exclude))
        self.evaded = (
            named
            or any(m.object_selector for m in matching)
            or _CHOSEN.search(_OWN.sub("", said)) is not None
        )
        plain = policy.param_kind is None and not policy.audit and not named
        self._alike = plain and _SAYS_WHERE.search(said) is None
        self._selectors = [m.namespace_selector for m in matching]

    def sees(self, request: Request, world: World) -> bool:
        """Whether its rules are about such a request, in some namespace."""
        match = self.bound.policy.match
        if not isinstance(match, Constraints):
            return True
        anywhere = msgspec.structs.replace(match, namespace_selector={}, object_selector={})
        try:
            return select(anywhere, request, world) is not None
        except (NotKnown, MalformedSelector):
            return True

    def where(self, labels: dict[str, str] | None, namespace: str) -> Any:
        """What it knows of a namespace: where that is the same, it says the same."""
        if labels is None or not self._alike:
            return namespace
        try:
            return tuple(matches(dict(s), labels) if s else True for s in self._selectors)
        except MalformedSelector:
            return namespace


def _counts(actions: tuple[str, ...], bound: Bound) -> bool:
    """Whether a binding may refuse anything: it denies, or what it denies by is an error."""
    return "Deny" in actions or bool(bound.policy.audit) or bound.policy.param_kind is not None


def _denies(bound: Bound) -> bool:
    return any(_counts(binding.actions, bound) for binding in bound.bindings)


def _placed(request: Request, namespace: str) -> Request:
    """The request as somebody of a namespace would make it there."""

    def moved(raw: dict[str, Any] | None) -> dict[str, Any] | None:
        return raw and {**raw, "metadata": {**raw["metadata"], "namespace": namespace}}

    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    user = User(
        f"system:serviceaccount:{namespace}:attacker", "", (*groups, "system:authenticated")
    )
    return msgspec.structs.replace(
        request,
        namespace=namespace,
        object=moved(request.object),
        old=moved(request.old),
        user=user,
    )


def _request(raw: dict[str, Any], old: dict[str, Any] | None = None, sub: str = "") -> Request:
    world = World()
    before = request_for(resource_of(old, Nowhere()), world).object if old is not None else None
    operation = "UPDATE" if old is not None else "CREATE"
    found = request_for(resource_of(raw, Nowhere()), world, operation=operation, old=before)
    return msgspec.structs.replace(found, subresource=sub)


@lru_cache(maxsize=8)
def _asked(how: str) -> tuple[Request, tuple[Request, ...]]:
    """The request for a plain pod, and those for pods that take their node."""
    if how == "debug-node":
        sub = "ephemeralcontainers"
        plain, taking = (
            _request(pod(debugged(PLAIN, privileged=bad)), pod(PLAIN), sub) for bad in (False, True)
        )
        return plain, (taking,)
    return _request(pod(PLAIN)), tuple(_request(pod(one)) for one in TAKING)


@lru_cache(maxsize=8)
def _controllers(taking: int) -> tuple[Request, ...]:
    """The requests for controllers of such a pod: a plain one is -1."""
    spec = PLAIN if taking < 0 else TAKING[taking]
    return tuple(_request(raw) for raw in controlled(spec))


@lru_cache(maxsize=8)
def _changed(level: str, how: str) -> Request:
    """The request for a change of a pod of a level that is there."""
    spec = _OTHERS[level]
    if how == "update":
        return _request(pod(imaged(spec)), pod(spec))
    return _request(pod(debugged(spec, privileged=False)), pod(spec), "ephemeralcontainers")
