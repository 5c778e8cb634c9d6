"""One random namespace on a real API server, beside Martello's view of it."""

from __future__ import annotations

import time
from typing import Any, Final

from tests.support.apiserver import ApiServer
from tests.support.resources.admission_worlds import NAMESPACED, Raw, Step, World, thing

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, Resource, resource_of
from martello.practices.resources.admission.held import held
from martello.practices.resources.admission.pipeline import Admission
from martello.practices.resources.admission.quotas import Limited, fresh, quotas, spent
from martello.practices.resources.admission.server import Server
from martello.practices.resources.amounts import amounts

MINOR: Final = 20  # the server's version


class Difference(AssertionError):
    """Where the two disagree."""


class Side:
    """One world on the server, and Martello's view of it."""

    def __init__(
        self, server: ApiServer, given: World, limited: tuple[Limited, ...], *, kept: bool
    ) -> None:
        self.server = server
        self.given = given
        self.limited = limited
        self.kept = kept  # whether a real controller keeps the quotas
        self.sent = self.refused = self.quota_refused = 0
        self.stored: dict[tuple[str, str], Raw] = {}

    def path(self, kind: str, name: str = "") -> str:
        """Where objects of a kind lie."""
        root = "/apis/apps/v1" if kind in ("Deployment", "ReplicaSet") else "/api/v1"
        path = f"{root}/namespaces/{self.given.namespace}/{NAMESPACED[kind]}"
        return f"{path}/{name}" if name else path

    def bound(self) -> None:
        """Makes namespace, LimitRanges and quotas; those that are refused are refused by both."""
        space = {"metadata": {"name": self.given.namespace}}
        self.server.request("POST", "/api/v1/namespaces", space)
        bare = Server(Cluster((), name="test", kubernetes=MINOR))
        for raw in (*self.given.ranges, *self.given.quotas):
            theirs = self.server.request("POST", self.path(raw["kind"]), raw, check=False)
            ours = bare.admit(resource(raw))
            self.compare(raw, [ours], theirs)

    def settle(self) -> None:
        """Plays the quota controller: fills the status of quotas that nobody filled."""
        for quota in self.server.request("GET", self.path("ResourceQuota"))["items"]:
            hard = quota["spec"].get("hard", {})
            if hash_of(quota["metadata"]["name"], self.given.namespace) == 0:
                continue  # this one stays without
            status = {"hard": hard, "used": dict.fromkeys(hard, "0")}
            if hash_of(quota["metadata"]["name"], self.given.namespace) == 1:
                del status["used"]
            path = self.path("ResourceQuota", quota["metadata"]["name"]) + "/status"
            self.server.request("PUT", path, {**quota, "status": status})

    def open(self, shared: list[Raw]) -> None:
        """Reads what bounds the namespace."""
        found = [resource(raw, cluster="test") for raw in shared]
        for kind in ("LimitRange", "ResourceQuota"):
            for raw in self.server.request("GET", self.path(kind))["items"]:
                found.append(resource({"apiVersion": "v1", "kind": kind, **raw}, cluster="test"))
        world = Cluster(found, name="test", kubernetes=MINOR)
        self.ours = Server(world, limited=self.limited)

    def play(self) -> None:
        """Sends every object to both."""
        for step in self.given.steps:
            match step.do:
                case "create":
                    self.create(step.raw)
                case "pods":
                    self.make(step)
                case "update":
                    self.update(step)
                case "finish" if self.kept:
                    self.finish(step)

    def create(self, raw: Raw) -> bool:
        """One object to both; whether it is let in."""
        kind = raw["kind"]
        ref = resource(raw)
        ours = self.ours.outcomes(ref) if kind == "Pod" else [self.ours.admit(ref)]
        theirs = self.server.request("POST", self.path(kind), raw, check=False)
        self.compare(raw, ours, theirs)
        if theirs["kind"] != kind:
            return False
        self.stored[(kind, raw["metadata"]["name"])] = theirs
        if kind == "Pod":
            taken = next(one for one in ours if same_stored(one, theirs))
            self.ours._kept(self.given.namespace, taken)
        return True

    def make(self, step: Step) -> None:
        """A Deployment, its ReplicaSet, and pods from its template until one is refused."""
        space, name = self.given.namespace, step.raw["metadata"]["name"]
        ours = self.ours.admit(resource(step.raw), step.count)
        theirs = self.server.request("POST", self.path("Deployment"), step.raw, check=False)
        if theirs["kind"] == "Status":
            self.compare(step.raw, [ours], theirs)
            return
        self.stored[("Deployment", name)] = theirs
        if ours.verdict == "unassessed":
            self.open_again()
            return
        below = {**step.raw["spec"], "replicas": 0}
        owned = thing("ReplicaSet", name, space, below)
        theirs = self.server.request("POST", self.path("ReplicaSet"), owned, check=False)
        fitting = 0
        if theirs["kind"] == "ReplicaSet":
            self.stored[("ReplicaSet", name)] = theirs
            template = step.raw["spec"]["template"]
            for index in range(step.count):
                raw = thing("Pod", f"{name}-{index}", space, template["spec"])
                raw["metadata"]["labels"] = template["metadata"]["labels"]
                theirs = self.server.request("POST", self.path("Pod"), raw, check=False)
                if theirs["kind"] != "Pod":
                    break
                self.stored[("Pod", f"{name}-{index}")] = theirs
                fitting += 1
        if fitting != ours.fitting:
            raise Difference(f"{fitting} of {step.count} pods, not {ours.fitting}: {step.raw}")
        if fitting < step.count:
            self.compare(step.raw, list(ours.alternatives) or [ours], theirs)
        self.sent += 1

    def open_again(self) -> None:
        """Takes the server's quotas as they are."""
        kept = [r for r in self.ours.world.resources if r.ref.kind != "ResourceQuota"]
        for raw in self.server.request("GET", self.path("ResourceQuota"))["items"]:
            whole = {"apiVersion": "v1", "kind": "ResourceQuota", **raw}
            kept.append(resource(whole, cluster="test"))
        self.ours = Server(Cluster(kept, name="test", kubernetes=MINOR), limited=self.limited)

    def update(self, step: Step) -> None:
        """Changes a Service's type, a claim's size, or a pod's amounts."""
        listed = sorted(k for k in self.stored if k[0] != "Deployment")
        if not listed:
            return
        kind, name = listed[step.count % len(listed)]
        old = self.server.request("GET", self.path(kind, name))
        new = {**old, "spec": dict(old.get("spec", {}))}
        if kind == "Service":
            new["spec"]["type"] = ("NodePort", "LoadBalancer")[step.count % 2]
        elif kind == "PersistentVolumeClaim":
            old["status"] = {**old.get("status", {}), "phase": "Bound"}
            old = self.server.request("PUT", self.path(kind, name) + "/status", old)
            new = {**old, "spec": {**old["spec"]}}
            if new["spec"]["storageClassName"] != "fast":
                return
            new["spec"]["resources"] = {"requests": {"storage": "3Gi"}}
        elif kind == "Pod":
            first = {**new["spec"]["containers"][0], "resources": {"limits": {"cpu": "3"}}}
            new["spec"]["containers"] = [first, *new["spec"]["containers"][1:]]
        else:
            return
        known = [r for r in self.ours.world.resources if r.ref.name != name]
        known.append(resource({"apiVersion": "v1", "kind": kind, **old}, cluster="test"))
        self.ours.world = Cluster(known, name="test", kubernetes=MINOR)
        fresh_one = resource({"apiVersion": "v1", "kind": kind, **new}, cluster="test")
        ours = self.ours.admit(fresh_one)
        theirs = self.server.request("PUT", self.path(kind, name), new, check=False)
        if kind == "Pod":
            refused = theirs["kind"] == "Status"
            if refused != (ours.verdict == "refused"):
                raise Difference(f"update of {kind}: {ours.messages} {theirs}")
        else:
            self.compare(new, [ours], theirs)
        if theirs["kind"] == kind:
            self.stored[(kind, name)] = theirs

    def finish(self, step: Step) -> None:
        """Marks a pod as done: quotas of pods get it back, those of stored objects do not."""
        listed = sorted(name for kind, name in self.stored if kind == "Pod")
        if listed:
            name = listed[step.count % len(listed)]
            old = self.server.request("GET", self.path("Pod", name))
            old["status"]["phase"] = "Succeeded"
            self.server.request("PUT", self.path("Pod", name) + "/status", old)
            self.counted_soon()
            self.open_again()

    def compare(self, raw: Raw, ours: list[Admission], theirs: Raw) -> None:
        """Same code and messages; of pods the same object stored."""
        self.sent += 1
        code = int(theirs.get("code", 0)) if theirs["kind"] == "Status" else 0
        if code == 0:
            if raw["kind"] == "Pod":
                if not any(same_stored(one, theirs) for one in ours):
                    mine: list[Any] = [one.messages or brief(one.pod or {}) for one in ours]
                    raise Difference(f"stored {brief(theirs)}\nnot {mine}\nfor {raw}")
            elif any(one.verdict == "refused" and one.wanted == 1 for one in ours):
                raise Difference(f"let in {raw}, not {[one.messages for one in ours]}")
            return
        self.refused += 1
        self.quota_refused += "quota" in theirs["message"]
        if not any(one.code == code and same_words(one, theirs) for one in ours):
            said = [(one.verdict, one.code, [m.text for m in one.messages]) for one in ours]
            raise Difference(f"{code} {theirs['message']}\nnot {said}\nfor {raw}\nin {self.given}")

    def used(self) -> None:
        """The quotas stand at the same in the end."""
        theirs = {
            raw["metadata"]["name"]: raw.get("status", {}).get("used", {})
            for raw in self.server.request("GET", self.path("ResourceQuota"))["items"]
        }
        for quota in self.ours.quotas(self.given.namespace):
            name = quota.resource.ref.name
            if quota.used != amounts(theirs[name]):
                raise Difference(f"{name}: used {theirs[name]}, not {quota.used}: {self.given}")

    def counted_soon(self) -> None:
        """Waits until the controller has counted what changed, and the plug-in has heard of it."""
        deadline = time.monotonic() + 10
        while True:
            try:
                self.counted()
                break
            except Difference:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        time.sleep(0.5)

    def counted(self) -> None:
        """What the controller counted of the objects that are there is what Martello counts."""
        found = [r for r in self.ours.world.resources if r.ref.namespace == ""]
        for kind in NAMESPACED:
            for raw in self.server.request("GET", self.path(kind))["items"]:
                version = "apps/v1" if kind in ("Deployment", "ReplicaSet") else "v1"
                whole = {"apiVersion": version, "kind": kind, **raw}
                if kind == "Deployment":  # its pods are here as such
                    whole["spec"] = {**whole["spec"], "replicas": 0}
                found.append(resource(whole, cluster="test"))
        world = Cluster(found, name="test", kubernetes=MINOR)
        theirs = {
            raw["metadata"]["name"]: raw.get("status", {}).get("used", {})
            for raw in self.server.request("GET", self.path("ResourceQuota"))["items"]
        }
        objects = [
            one
            for one in held(world, self.given.namespace)
            if not (one.charge.kind == "replicasets.apps" and one.resource.ref.kind == "Deployment")
        ]
        for quota in quotas(world, self.given.namespace):
            mine = spent(fresh(quota), objects).used
            given = amounts(theirs[quota.resource.ref.name])
            if mine != given:
                raise Difference(f"{quota.resource.ref.name}: counted {given}, not {mine}")


def hash_of(name: str, space: str) -> int:
    """A number from 0 to 9, the same in every run."""
    return sum(map(ord, name + space)) % 10


def resource(raw: Raw, cluster: str = "") -> Resource:
    """An object as a Resource."""
    return resource_of(raw, Nowhere(), cluster)


def brief(pod: Raw) -> list[Any]:
    """What of a stored pod is compared."""
    spec, metadata = pod["spec"], pod["metadata"]
    listed = [
        c.get("resources") for key in ("containers", "initContainers") for c in spec.get(key, ())
    ]
    keys = ("priority", "priorityClassName", "preemptionPolicy", "overhead")
    told = [spec.get(key) for key in keys]
    return [listed, told, metadata.get("annotations", {}), pod["status"]["qosClass"]]


def same_words(one: Admission, theirs: Raw) -> bool:
    """Whether the server's refusal is one of ours: all that one guard says, in any order."""
    if one.code == 400:
        return one.verdict == "refused"
    if one.code == 422:
        given = {(c["field"], c["message"]) for c in theirs["details"].get("causes", ())}
        mine = {m.text for m in one.messages}
        return len(given) == len(mine) and all(
            any(_is(text, field, message) for field, message in given) for text in mine
        )
    groups: dict[int, list[str]] = {}
    for message in one.messages:
        groups.setdefault(id(message.by), []).append(message.text)
    return any(_told(dict.fromkeys(texts), theirs["message"]) for texts in groups.values())


def _is(text: str, field: str, message: str) -> bool:
    kind, _, rest = message.partition(": ")
    detail = text.rpartition(": ")[2] if rest else ""
    return text.startswith(f"{field}: {kind}") and message.endswith(detail)


def _told(texts: dict[str, None], message: str) -> bool:
    rest = message.partition(" is forbidden: ")[2] or message
    if len(texts) == 1:
        return rest == next(iter(texts))
    inner = rest[1:-1]
    whole = sum(map(len, texts)) + 2 * (len(texts) - 1)
    return rest[:1] == "[" and len(inner) == whole and all(text in inner for text in texts)


def same_stored(one: Admission, theirs: Raw) -> bool:
    """Whether the pod is stored as we say: amounts, annotations, class, priority, overhead."""
    if one.verdict != "admitted" or one.pod is None:
        return False
    mine = one.pod
    for key in ("containers", "initContainers"):
        left = [c.get("resources", {}) for c in mine["spec"].get(key, ())]
        if left != [c.get("resources", {}) for c in theirs["spec"].get(key, ())]:
            return False
    for key in ("priority", "priorityClassName", "preemptionPolicy", "overhead"):
        if mine["spec"].get(key) != theirs["spec"].get(key):
            return False
    annotations = [raw["metadata"].get("annotations", {}) for raw in (mine, theirs)]
    classes = [str(raw["status"]["qosClass"]) for raw in (mine, theirs)]
    return bool(annotations[0] == annotations[1] and classes[0] == classes[1])
