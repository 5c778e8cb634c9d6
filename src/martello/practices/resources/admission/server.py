"""The API server's view of a world: objects arrive one after the other, and quotas fill up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.path import look_up
from martello.core.resource import Resource
from martello.core.workload import Workload, template_path, workload_of
from martello.practices.resources.admission import numbers, versions
from martello.practices.resources.admission.charges import (
    claim_requests,
)
from martello.practices.resources.admission.held import charge_of, there
from martello.practices.resources.admission.limit_ranges import (
    ranges,
)
from martello.practices.resources.admission.mutation import Treated
from martello.practices.resources.admission.pipeline import (
    Admission,
    Message,
    charged,
    claim_refusal,
    folded,
    pods_outcomes,
    ranged,
    refused,
    told,
)
from martello.practices.resources.admission.pods import decode, stored_class
from martello.practices.resources.admission.quotas import (
    Limited,
    Quota,
    quota_of,
    quotas,
    spent,
)
from martello.practices.resources.admission.served import (
    Served,
    definitions,
    kind_known,
    namespace_known,
    namespaced,
)
from martello.practices.resources.admission.validation import (
    claim_problems,
    pod_problems,
    quota_problems,
    range_problems,
)
from martello.practices.resources.admission.workloads import made
from martello.practices.resources.amounts import Malformed

_REVIEW: Final = "Review"  # such an object is a question: it is answered, not stored
_READ: Final = ("LimitRange", "ResourceQuota")
_ACTIVE: Final = ("LimitRange", "ResourceQuota", "PriorityClass.scheduling.k8s.io")
_ASSUMED: Final = "quota {name} has no status here: taken as in force, its use counted from files"
_ROOM: Final = "pods that a workload has already are taken to make room for its new ones"
_MISSING: Final = "quota {name} has no status yet: it bounds nothing until its controller fills it"


class Server:
    """A world into which objects are admitted. What is let in is charged to its quotas, and what
    bounds others (a LimitRange, a quota) is in force for the next object.
    """

    def __init__(self, world: Cluster, *, limited: Sequence[Limited] = ()) -> None:
        self.world = world
        self.limited = tuple(limited)
        self._quotas: dict[str, tuple[Quota, ...]] = {}
        self._defined: Served = {}  # by what was let in
        self._spaces: set[str] = set()

    def quotas(self, namespace: str) -> tuple[Quota, ...]:
        """The quotas of a namespace as they stand now. Raises Malformed."""
        found = self._quotas.get(namespace)
        if found is None:
            found = self._quotas[namespace] = quotas(self.world, namespace)
        return found

    def placed(self, resource: Resource, namespace: str = "") -> Resource:
        """The object where the server puts it: in no namespace where its kind lies in none, else in
        its own, or in this one where it says none.
        """
        ref = resource.ref
        inside = namespaced(self.world, ref, self._defined) is not False
        space = (ref.namespace or namespace) if inside else ""
        if space == ref.namespace:
            return resource
        return msgspec.structs.replace(resource, ref=msgspec.structs.replace(ref, namespace=space))

    def admit(self, resource: Resource, replicas: int | None = None) -> Admission:
        """What becomes of an object; of a workload `replicas` pods are made, or as many as it
        says itself.
        """
        resource = self.placed(resource)
        refusal, doubt = kind_known(self.world, resource.ref, self._defined)
        if refusal is not None:
            return refusal
        doubt = doubt or numbers.unreadable_number(resource) or numbers.gated(resource)
        odd = numbers.undecodable(resource)
        if odd is not None:
            return refused(400, (Message(str(odd), odd.path),))
        ref, new = resource.ref, self._old(resource) is None
        lost, assumed = namespace_known(self.world, ref.namespace, self._spaces, new=new)
        if lost is not None:
            if doubt and namespaced(self.world, ref, self._defined) is None:
                return Admission("unassessed", reason=doubt)
            return refused(404 if lost.by is None else 403, (lost,))
        if not ref.name and not ref.kind.endswith(_REVIEW):
            words = "metadata.name: Required value: name or generateName is required"
            return refused(422, (Message(words, ("metadata", "name")),))
        try:
            found = self._admit(resource, replicas)
        except Malformed as error:
            return Admission("unassessed", reason=str(error))
        if found.verdict == "admitted":
            self._made(resource)
        if doubt and found.verdict == "admitted":
            return Admission("unassessed", reason=doubt)
        if assumed:
            found = msgspec.structs.replace(found, notes=(*found.notes, assumed))
        return found

    def _old(self, resource: Resource) -> Resource | None:
        """The object as it is now; a name that the server makes up is a new one."""
        ref = resource.ref
        if not resource.metadata.get("name"):
            return None
        return self.world.get(ref.group_kind, ref.namespace, ref.name)

    def _made(self, resource: Resource) -> None:
        """What was let in makes room for objects of its namespace, or of its kind."""
        if resource.ref.group_kind == "Namespace":
            self._spaces.add(resource.ref.name)
        self._defined.update(definitions((resource,)))

    def outcomes(self, resource: Resource) -> list[Admission]:
        """What may become of a new Pod: one answer for each order of LimitRanges that differs.
        Nothing is charged. Raises Malformed.
        """
        space = resource.ref.namespace
        held = self.quotas(space)
        return pods_outcomes(self.world, space, resource.raw, ("spec",), held, limited=self.limited)

    def _admit(self, resource: Resource, replicas: int | None) -> Admission:
        ref = resource.ref
        for kind in _READ:
            if kind in self.world.unlisted and ref.namespace:
                reason = f"{kind}s could not be read: {self.world.unlisted[kind]}"
                return Admission("unassessed", reason=reason)
        old = self._old(resource)
        if ref.group_kind == "Pod":
            found = self._pod(resource) if old is None else self._resized(resource, old)
            return self._kept(ref.namespace, found)
        found = self._object(resource, old)
        if found.verdict != "admitted":
            return found
        found = self._kept(ref.namespace, found)
        workload = workload_of(resource)  # the world remembers only its own objects
        if workload is not None:
            return self._pods(workload, old, replicas)
        if ref.group_kind in _ACTIVE or ref.group_kind == "RuntimeClass.node.k8s.io":
            self._enter(resource)
        return found

    def _kept(self, namespace: str, found: Admission) -> Admission:
        """Notes on the quotas that were asked; their new state is kept where it was let in."""
        if found.verdict == "admitted" and found.quotas:
            self._quotas[namespace] = found.quotas
        notes = list(found.notes)
        for quota in found.quotas:
            words = {"assumed": _ASSUMED, "missing": _MISSING}.get(quota.status, "")
            if words:
                notes.append(words.format(name=quota.resource.ref.name))
        if found.treated is not None:
            doubts = (found.treated.priority.doubt, found.treated.runtime.doubt)
            notes += [doubt for doubt in doubts if doubt]
        if not notes:
            return found
        return msgspec.structs.replace(found, notes=tuple(dict.fromkeys(notes)))

    def _pod(self, resource: Resource) -> Admission:
        return folded(self.outcomes(resource), ranges(self.world, resource.ref.namespace))

    def _resized(self, resource: Resource, old: Resource) -> Admission:
        """A pod that is there already: only its amounts may change, and only in versions that
        resize pods in place.
        """
        world, space = self.world, resource.ref.namespace
        try:
            before = Treated(world, decode(old.raw), ())
            new = decode(resource.raw)
        except Malformed as error:
            return refused(400, (Message(str(error), error.path),))
        order = ranges(world, space)
        now = Treated(world, new, order)
        same = [(n.requests, n.limits) for n in now.needs] == [
            (n.requests, n.limits) for n in before.needs
        ]
        if same:
            return Admission("admitted", 200, treated=now)
        if world.kubernetes < versions.RESIZE:
            words = "spec: Forbidden: pod updates may not change requests and limits"
            return refused(422, (Message(words, ("spec",)),))
        problems = told(pod_problems(now.needs, world.kubernetes))
        classes = [stored_class(one.needs, one.level) for one in (before, now)]
        if classes[0] != classes[1]:
            words = (
                f'spec: Invalid value: "{classes[0]}": Pod QOS Class may not change as a result '
                "of resizing"
            )
            problems += (Message(words, ("spec",)),)
        if problems:
            return refused(422, problems)
        refusal = ranged(now)
        if refusal is not None:
            return refusal
        one = charged(
            now.charge, self.quotas(space), now, before=before.charge, limited=self.limited
        )
        return msgspec.structs.replace(one, code=200 if one.code == 201 else one.code)

    def _object(self, resource: Resource, old: Resource | None) -> Admission:
        """An object other than a pod: what it says itself, LimitRanges of claims, quotas."""
        ref, world = resource.ref, self.world
        try:
            problems = self._problems(resource)
            if problems:
                return refused(422, problems)
            charge = charge_of(resource, world)
        except Malformed as error:
            return refused(400, (Message(str(error), error.path),))
        if not ref.namespace:
            return Admission("admitted", 201 if old is None else 200)
        if ref.group_kind == "PersistentVolumeClaim":
            refusal = claim_refusal(claim_requests(resource.spec), ranges(world, ref.namespace))
            if refusal is not None:
                return refusal
        if old is not None and charge.kind not in ("services", "persistentvolumeclaims"):
            return Admission("admitted", 200)
        before = None if old is None else charge_of(old, world)
        one = charged(
            charge,
            self.quotas(ref.namespace),
            before=before,
            limited=self.limited,
            kubernetes=world.kubernetes,
        )
        return (
            msgspec.structs.replace(one, code=200) if old is not None and not one.messages else one
        )

    def _problems(self, resource: Resource) -> tuple[Message, ...]:
        wrong = told(numbers.problems(resource))
        if wrong:
            return (*wrong, *self._of_template(resource))
        match resource.ref.group_kind:
            case "LimitRange":
                return told(range_problems(resource))
            case "ResourceQuota":
                return told(quota_problems(resource, self.world.kubernetes))
            case "PersistentVolumeClaim":
                return told(claim_problems(claim_requests(resource.spec)))
        return self._of_template(resource)

    def _of_template(self, resource: Resource) -> tuple[Message, ...]:
        """What is wrong with the amounts in a workload's template, whose gaps stay as they are."""
        path = template_path(resource)
        if not path:
            return ()
        raw = look_up(resource.raw, path)
        if not isinstance(raw, dict) or not isinstance(raw.get("spec"), dict):
            return ()
        pod = decode(raw, (*path, "spec"), template=True)
        return told(pod_problems(pod.needs, self.world.kubernetes))

    def _enter(self, resource: Resource) -> None:
        """From now on the object is there."""
        self.world = self.world.apply([resource])
        space = resource.ref.namespace
        if resource.ref.group_kind == "ResourceQuota" and space in self._quotas:
            others = [q for q in self._quotas[space] if q.resource.ref != resource.ref]
            self._quotas[space] = (*others, quota_of(self.world, resource))

    def _pods(self, workload: Workload, old: Resource | None, replicas: int | None) -> Admission:
        """The pods that a workload makes; those that it has now are taken to make room."""
        held = self.quotas(workload.namespace)
        if old is not None:
            held = tuple(spent(quota, there(self.world, old), -1) for quota in held)
        found = made(self.world, workload, held, replicas, limited=self.limited)
        if found.quotas:
            self._quotas[workload.namespace] = found.quotas
            if old is not None:
                found = msgspec.structs.replace(found, notes=(*found.notes, _ROOM))
        return self._kept(workload.namespace, found)
