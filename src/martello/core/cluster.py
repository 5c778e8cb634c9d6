"""An immutable, indexed set of objects: by kind, by namespace, by owner, by the labels of the pods
they make.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from martello.core.resource import Ref, Resource
from martello.core.selector import MalformedSelector, matches
from martello.core.version import NEWEST
from martello.core.workload import Workload, workload_of

# What makes pods: where one of these could not be listed, nobody can say that there is no workload.
MAKERS: Final = (
    "Pod",
    "Deployment.apps",
    "StatefulSet.apps",
    "DaemonSet.apps",
    "ReplicaSet.apps",
    "ReplicationController",
    "Job.batch",
    "CronJob.batch",
    "Rollout.argoproj.io",
    "CloneSet.apps.kruise.io",
    "StatefulSet.apps.kruise.io",
    "DaemonSet.apps.kruise.io",
    "DeploymentConfig.apps.openshift.io",
)


class Cluster:
    """The objects of one cluster or one set of files. Nothing in it changes; `apply` makes a new
    one.

    `unlisted` says which kinds (`Kind.group`) the source could not list, and why: what depends on
    them is unassessed.
    `complete` is false for files that are only a part of what will run. `read` names the namespaces
    that the source was asked for; empty: all of them.
    """

    __slots__ = (
        "_by_kind",
        "_by_name",
        "_by_ref",
        "_by_uid",
        "_makers",
        "_workloads",
        "complete",
        "kubernetes",
        "name",
        "read",
        "resources",
        "unlisted",
    )

    def __init__(
        self,
        resources: Iterable[Resource],
        *,
        name: str = "",
        unlisted: Mapping[str, str] | None = None,
        complete: bool = True,
        kubernetes: int = NEWEST,
        read: Iterable[str] = (),
    ) -> None:
        self.resources = tuple(resources)
        self.name = name
        self.unlisted: Mapping[str, str] = dict(unlisted or {})
        self.complete = complete
        self.kubernetes = kubernetes
        self.read = frozenset(read)
        self._by_kind: dict[str, dict[str, list[Resource]]] = {}
        self._by_ref: dict[tuple[str, str, str], Resource] = {}
        self._by_name: dict[tuple[str, str | None, str], list[Resource]] | None = None
        self._by_uid: dict[str, Resource] = {}
        self._workloads: dict[int, Workload | None] = {}
        self._makers: dict[str, list[Workload]] | None = None
        for resource in self.resources:
            ref = resource.ref
            kind = ref.group_kind
            self._by_kind.setdefault(kind, {}).setdefault(ref.namespace, []).append(resource)
            self._by_ref[(kind, ref.namespace, ref.name)] = resource
            uid = resource.metadata.get("uid")
            if isinstance(uid, str):
                self._by_uid[uid] = resource

    def __len__(self) -> int:
        return len(self.resources)

    def saw(self, namespace: str) -> bool:
        """Whether what is missing in a namespace does not exist, rather than was not read."""
        return not self.read or namespace in self.read

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds that occur, as `Kind.group`."""
        return frozenset(self._by_kind)

    def of_kind(self, kind: str, namespace: str | None = None) -> Iterator[Resource]:
        """All objects of a kind (`Service`, `Ingress.networking.k8s.io`), of one namespace where
        one is given.
        """
        spaces = self._by_kind.get(kind, {})
        if namespace is not None:
            yield from spaces.get(namespace, ())
            return
        for resources in spaces.values():
            yield from resources

    def get(self, kind: str, namespace: str, name: str) -> Resource | None:
        """One object by kind (`Kind.group`), namespace (empty for cluster-scoped kinds) and name;
        the last one wins.
        """
        return self._by_ref.get((kind, namespace, name))

    def meant(self, kind: str, namespace: str, name: str) -> Iterator[Resource]:
        """Every object that a name written in a namespace may mean. Files may hold several of one
        name (variants of which one is applied); where one side writes no namespace, it may be any.
        """
        if self._by_name is None:
            self._by_name = {}
            for resource in self.resources:
                ref = resource.ref
                for space in (ref.namespace, None):
                    key = (ref.group_kind, space, ref.name)
                    self._by_name.setdefault(key, []).append(resource)
        for space in (namespace, "") if namespace else (None,):
            yield from self._by_name.get((kind, space, name), ())

    def owner(self, resource: Resource) -> Resource | None:
        """The controlling owner, where it is here too."""
        references = resource.metadata.get("ownerReferences")
        if not isinstance(references, list):
            return None
        for reference in references:
            if isinstance(reference, dict) and reference.get("controller") is True:
                uid = reference.get("uid")
                return self._by_uid.get(uid) if isinstance(uid, str) else None
        return None

    def root(self, resource: Resource) -> Resource:
        """The outermost controlling owner that is here: a Pod's Deployment; the object itself where
        nothing owns it.
        """
        for _ in range(8):
            owner = self.owner(resource)
            if owner is None:
                break
            resource = owner
        return resource

    @property
    def hidden_workloads(self) -> str:
        """Why there may be workloads that are not here; empty where all could be listed."""
        kind = next((kind for kind in MAKERS if kind in self.unlisted), "")
        return f"{kind}: {self.unlisted[kind]}" if kind else ""

    def workload(self, resource: Resource) -> Workload | None:
        """The object as a Workload, computed once."""
        key = id(resource)
        if key not in self._workloads:
            self._workloads[key] = workload_of(resource)
        return self._workloads[key]

    def workloads(self, namespace: str | None = None) -> Iterator[Workload]:
        """Everything that makes pods and is not itself made by something here (a Deployment, not
        its ReplicaSets).
        """
        if self._makers is None:
            self._makers = {}
            for resource in self.resources:
                workload = self.workload(resource) if self.owner(resource) is None else None
                if workload is not None:
                    self._makers.setdefault(resource.ref.namespace, []).append(workload)
        if namespace is not None:
            yield from self._makers.get(namespace, ())
            return
        for workloads in self._makers.values():
            yield from workloads

    def selected(self, namespace: str, selector: Any) -> Iterator[Workload]:
        """The workloads of a namespace whose pods a LabelSelector selects. A malformed selector
        selects nothing.
        """
        for workload in self.workloads(namespace):
            try:
                if matches(selector, workload.labels):
                    yield workload
            except MalformedSelector:
                return

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Every namespace that is an object here or that an object lies in, sorted."""
        found = {r.ref.name for r in self.of_kind("Namespace")}
        for spaces in self._by_kind.values():
            found.update(spaces)
        return tuple(sorted(found - {""}))

    def namespace_labels(self, namespace: str) -> dict[str, str] | None:
        """The labels of a Namespace object, with the name label the server sets; None where the
        object is not here.
        """
        found = self.get("Namespace", "", namespace)
        if found is None:
            return None
        return {**found.labels, "kubernetes.io/metadata.name": namespace}

    def apply(self, changed: Iterable[Resource] = (), removed: Iterable[Ref] = ()) -> Cluster:
        """A new Cluster in which objects were added, replaced (same Ref) or removed."""
        new = {r.ref: r for r in changed}
        gone = set(removed)
        kept = [new.pop(r.ref, r) for r in self.resources if r.ref not in gone or r.ref in new]
        return Cluster(
            [*kept, *new.values()],
            name=self.name,
            unlisted=self.unlisted,
            complete=self.complete,
            kubernetes=self.kubernetes,
            read=self.read,
        )
