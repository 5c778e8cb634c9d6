"""What an evaluation may look at beside the request: namespaces, parameters, look-ups, a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from martello.core.cluster import Cluster
from martello.core.kinds import built_in
from martello.core.path import look_up
from martello.core.resource import Resource
from martello.core.selector import matches


class NotKnown(Exception):
    """An answer depends on something that is not in view; the message says on what."""


class World:
    """The objects in view and the answers that only a caller can give.

    `providers` maps what expressions may ask (`authorizer`, `resource`, `image`, `http`,
    `globalContext`) to its function, `now` is their clock (seconds since 1970); what is missing
    there makes a verdict unassessed. Where `complete`, what is not in view does not exist;
    otherwise nothing can be concluded from a kind that is not in view at all.
    """

    __slots__ = ("cluster", "complete", "now", "providers")

    def __init__(
        self,
        cluster: Cluster | None = None,
        providers: Mapping[str, Callable[..., Any]] | None = None,
        *,
        complete: bool = False,
        now: int | None = None,
    ) -> None:
        self.cluster = cluster if cluster is not None else Cluster(())
        self.providers: Mapping[str, Callable[..., Any]] = providers or {}
        self.complete = complete
        self.now = now

    def namespace(self, name: str) -> Resource:
        """The Namespace object. Raises NotKnown where it is not in view."""
        found = self.cluster.get("Namespace", "", name)
        if found is None:
            raise NotKnown(f"namespace {name} is unknown")
        return found

    def namespace_labels(self, name: str) -> dict[str, str]:
        """The labels of a namespace, with the one the server sets. Raises NotKnown."""
        labels = self.cluster.namespace_labels(name)
        if labels is None:
            raise NotKnown(f"namespace {name} is unknown")
        return labels

    def namespaced(self, api_version: str, kind: str) -> bool | None:
        """Whether a kind lies in namespaces: built in, by its definition, or by an object of it;
        None where nothing tells.
        """
        facts = built_in(api_version, kind)
        if facts is not None:
            return facts.namespaced
        group = api_version.rpartition("/")[0]
        for crd in self.cluster.of_kind("CustomResourceDefinition.apiextensions.k8s.io"):
            if crd.spec.get("group") == group and look_up(crd.spec, ("names", "kind")) == kind:
                return crd.spec.get("scope") == "Namespaced"
        first = next(self.cluster.of_kind(f"{kind}.{group}" if group else kind), None)
        return None if first is None else bool(first.ref.namespace)

    def find(
        self,
        kind: str,
        namespace: str | None,
        name: str = "",
        selector: Mapping[str, Any] | None = None,
    ) -> Iterator[Resource]:
        """Objects by kind (`Kind.group`), namespace (None: anywhere) and name or label selector. A
        file that names no namespace means `default`. Raises NotKnown where none of the kind is in
        view.
        """
        if not self.complete and next(self.cluster.of_kind(kind), None) is None:
            raise NotKnown(self.cluster.unlisted.get(kind) or f"no {kind} is in view")
        for found in self.cluster.of_kind(kind):
            if namespace is not None and (found.ref.namespace or "default") != namespace:
                continue
            if selector is None:
                if found.ref.name == name:
                    yield found
            elif matches(dict(selector), found.labels):
                yield found
