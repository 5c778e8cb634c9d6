"""Runs checks over the objects of a cluster: which of them look at an object, and what they say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from martello.catalogue import parameters
from martello.catalogue.compile import Rule, compile_rule
from martello.catalogue.judge import PASSED, judge
from martello.catalogue.prune import without_nulls
from martello.catalogue.subject import Subject
from martello.core.check import Check, Hit
from martello.core.cluster import Cluster
from martello.core.custom import unreadable as unreadable_custom
from martello.core.finding import Unassessed
from martello.core.focus import Focus
from martello.core.limits import Filled, effective, filled_in
from martello.core.path import show
from martello.core.reading import Reading
from martello.core.resource import Resource
from martello.core.schema import WRONG_TYPE, Violation, unreadable
from martello.core.workload import Workload, workload_of

Verdict = tuple[Check, Resource, Sequence[Hit]]
_UNREADABLE: Final = 20  # places an object; more of them say nothing new
_WORKLOAD: Final = ("workload",)
_CLUSTER: Final = ("cluster",)
_LACKING: Final = {
    "images": "no image was scanned here before: martello image scan",
    "approvals": "no approval of a trusted key is in the ledger: --approver names the keys that "
    "are trusted, martello image gate --record writes approvals",
    "signers": "no image policy names keys whose signatures count: --image-policy",
}


class Runner:
    """Goes through the objects once; every object is shown to all checks that are meant for it."""

    __slots__ = (
        "_everywhere",
        "_facts",
        "_filled",
        "_focus",
        "_missing",
        "_params",
        "_per_kind",
        "_per_workload",
        "_plans",
        "_whole",
        "checks",
        "cluster",
        "objects",
        "passed",
        "unassessed",
        "workloads",
    )

    def __init__(
        self,
        cluster: Cluster,
        reading: Reading,
        checks: Iterable[Check],
        params: Mapping[str, Mapping[str, Any]],
        facts: Mapping[str, Any],
    ) -> None:
        self.unassessed: list[Unassessed] = []
        self.passed = 0
        self.workloads = 0
        self.cluster = without_nulls(cluster)
        self.objects = 0
        self._focus = reading.focus if reading.focus != Focus() else None
        self._facts = facts
        self._filled: dict[str, Filled | None] = {}
        self._params: dict[str, dict[str, Any]] = {}
        self._missing: dict[str, str] = {}
        self._per_kind: dict[str, list[Check]] = {}
        self._per_workload: list[Check] = []
        self._everywhere: list[Check] = []
        self._whole: list[Check] = []
        self._plans: dict[str, list[Rule | Check]] = {}
        ran: list[Check] = []
        for check in checks:
            if self._lacks_facts(check):
                continue
            self._params[check.id] = parameters.values(
                check.id, check.params, params.get(check.id, {})
            )
            reason = _missing_need(check, self.cluster, reading)
            if reason:
                self._missing[check.id] = reason
            self._place(check)
            ran.append(check)
        self.checks = tuple(ran)

    def _lacks_facts(self, check: Check) -> bool:
        lacking = [fact for fact in check.facts if fact not in self._facts]
        if lacking:
            reason = _LACKING.get(lacking[0], f"needs {lacking[0]}, and nobody handed them in")
            self.unassessed.append(Unassessed(reason, check=check.id, asked=False))
        return bool(lacking)

    def _place(self, check: Check) -> None:
        if check.kinds == _WORKLOAD:
            self._per_workload.append(check)
        elif check.kinds == _CLUSTER:
            self._whole.append(check)
        elif "*" in check.kinds:
            self._everywhere.append(check)
        else:
            for kind in check.kinds:
                self._per_kind.setdefault(kind, []).append(check)

    def verdicts(self) -> Iterator[Verdict]:
        """Every verdict that is no pass: the check, the object, its hits. Passes are counted."""
        for resource in self.cluster.resources:
            if not self._meant(resource):
                continue
            self.objects += 1
            owned = self.cluster.owner(resource) is not None
            # What others own comes in thousands and is looked at once: not worth keeping.
            workload = workload_of(resource) if owned else self.cluster.workload(resource)
            if workload is not None:
                if owned and _idle(resource):
                    continue
                self.workloads += not owned
            spoilt = self._unreadable(resource, workload)
            yield from self._judge(resource, workload, spoilt)
        for check in self._whole:
            hits = self._call(check, None, None)
            yield from self._split(check, [hit for hit in hits if self._meant(hit.resource)])

    def _meant(self, resource: Resource) -> bool:
        return self._focus is None or self._focus.holds(resource)

    def _unreadable(self, resource: Resource, workload: Workload | None) -> bool:
        """Notes the places that the API server could not read: such an object passes nothing."""
        template = workload.path[:-1] if workload is not None else None
        wrong = (*unreadable(resource.raw), *unreadable_custom(resource, template))
        found = {v.path: f"{show(v.path)} {_told(v)}" for v in wrong}
        for place in workload.malformed if workload is not None else ():
            found.setdefault(place.path, place.reason)
        for path, reason in list(found.items())[:_UNREADABLE]:
            where = resource.locate(path)
            self.unassessed.append(Unassessed(reason, where, ref=resource.ref))
        return bool(found)

    def _judge(
        self, resource: Resource, workload: Workload | None, spoilt: bool
    ) -> Iterator[Verdict]:
        subject = Subject(resource, self._effective(workload), self.cluster)
        for item in self._plan(resource, workload is not None):
            hits: Sequence[Hit] | None
            if isinstance(item, Rule):
                check = item.check
                hits = judge(item, subject)
            else:
                check = item
                hits = self._call(check, resource, workload)
            if not hits:
                self.passed += hits is not None and not spoilt
                continue
            if spoilt:
                hits = [h for h in hits if not h.unassessed]
            yield from self._split(check, hits)

    def _effective(self, workload: Workload | None) -> Workload | None:
        """The workload with what the LimitRanges of its namespace fill in."""
        if workload is None:
            return None
        namespace = workload.namespace
        if namespace not in self._filled:
            self._filled[namespace] = filled_in(self.cluster, namespace)
        filled = self._filled[namespace]
        return workload if filled is None else effective(workload, filled)

    def _plan(self, resource: Resource, pods: bool) -> list[Rule | Check]:
        kind = resource.ref.group_kind
        key = f"{kind}/pods" if pods else kind
        plan = self._plans.get(key)
        if plan is None:
            checks = [*self._per_kind.get(kind, ()), *self._everywhere]
            if pods:
                checks += self._per_workload
            made = (self._prepare(check) for check in checks)
            plan = self._plans[key] = [item for item in made if item is not None]
        return plan

    def _prepare(self, check: Check) -> Rule | Check | None:
        if check.rule is None:
            return check
        return compile_rule(check, self.cluster.kubernetes, self._params[check.id])

    def _call(
        self, check: Check, resource: Resource | None, workload: Workload | None
    ) -> Sequence[Hit]:
        """Runs a Python check. What it raises is its own fault: unassessed, the rest goes on."""
        function = check.function
        assert function is not None
        arguments: list[Any] = [self.cluster]
        if check.kinds == _WORKLOAD:
            arguments.insert(0, workload)
        elif check.kinds != _CLUSTER:
            arguments.insert(0, resource)
        named: dict[str, Any] = {}
        if check.params:
            named["params"] = self._params[check.id]
        if check.facts:
            named["facts"] = {fact: self._facts[fact] for fact in check.facts}
        try:
            return list(function(*arguments, **named)) or PASSED
        except Exception as error:
            reason = f"internal error in {check.id}: {_where(error)}"
            if resource is not None:
                return [Hit(resource, (), reason, unassessed=True)]
            self.unassessed.append(Unassessed(reason, check=check.id))
            return PASSED

    def _weigh(self, check: Check, hits: Sequence[Hit]) -> Sequence[Hit]:
        """Hits of a check whose needs are not here are no verdicts."""
        reason = self._missing.get(check.id)
        if reason is None or not hits:
            return hits
        asked = any(_unlisted(need, self.cluster) for need in check.needs)
        self.unassessed.append(Unassessed(reason, check=check.id, asked=asked))
        return [h for h in hits if h.unassessed]

    def _split(self, check: Check, hits: Sequence[Hit]) -> Iterator[Verdict]:
        """The hits of a check, an object at a time."""
        found: dict[int, list[Hit]] = {}
        for hit in self._weigh(check, hits):
            found.setdefault(id(hit.resource), []).append(hit)
        for members in found.values():
            yield check, members[0].resource, members


def _told(violation: Violation) -> str:
    if violation.kind == WRONG_TYPE:
        return f"is a {violation.found}, where the API server takes a {violation.expected}"
    return f"is no {violation.expected}"


def _where(error: BaseException) -> str:
    """The kind of an error and the line that raised it; its text may hold values of the object."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    name = trace.tb_frame.f_code.co_filename.replace("\\", "/").rpartition("/")[2]
    return f"{type(error).__name__} at {name}:{trace.tb_lineno}"


def _idle(resource: Resource) -> bool:
    """An old revision of a Deployment makes no pods."""
    return resource.ref.kind == "ReplicaSet" and resource.spec.get("replicas") == 0


def _unlisted(need: str, cluster: Cluster) -> str:
    """Why not all objects of a kind are here. Pods are also what their makers will make."""
    if need in ("Pod", "workload"):
        return cluster.hidden_workloads
    return cluster.unlisted.get(need, "")


def _missing_need(check: Check, cluster: Cluster, reading: Reading) -> str:
    """Why the answers of a check are worth nothing here; empty where they count.

    A live cluster or bundle is complete but for what it could not list; files are complete for the
    kinds that they hold.
    """
    for need in check.needs:
        reason = _unlisted(need, cluster)
        if reason:
            return f"needs {need} objects: {reason}"
        if reading.cluster or reading.kubernetes is not None or need in cluster.kinds:
            continue
        if need in ("Pod", "workload") and any(cluster.workloads()):
            continue
        return f"no {need} objects"
    return ""
