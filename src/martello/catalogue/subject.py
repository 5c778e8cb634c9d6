"""One object as the expressions of a check see it: the values of their names, and its elements."""

from __future__ import annotations

from typing import Any, Final

from martello.catalogue.environment import SLOTS
from martello.core.cluster import Cluster
from martello.core.path import Path, show
from martello.core.resource import Resource, kind_of
from martello.core.workload import Workload

Element = tuple[Any, Path, str]  # the value, where it lies, its name if it has one
ALSO: Final = ", "  # between the paths of an `each` that goes through several lists
_ROLES: Final = {
    "containers": frozenset(("regular", "init", "sidecar", "ephemeral")),
    "resourceContainers": frozenset(("regular", "init", "sidecar")),
    "servingContainers": frozenset(("regular", "sidecar")),
}


class Unfit(Exception):
    """The object holds something else where the elements of a check should be."""

    def __init__(self, path: Path, value: Any) -> None:
        super().__init__(f"{show(path)} is a {kind_of(value)}, not a list")
        self.path = path


class Subject:
    """The values that programs take by position (`environment.SLOTS`), the last one the element."""

    __slots__ = ("_elements", "resource", "slots", "workload")

    def __init__(self, resource: Resource, workload: Workload | None, cluster: Cluster) -> None:
        self.resource = resource
        self.workload = workload
        self._elements: dict[str, list[Element]] = {}
        pod: Any = None
        metadata: Any = None
        containers: list[Any] = []
        if workload is not None:
            pod, metadata = workload.pod, workload.metadata
            containers = [c.raw for c in workload.containers]
        ref = resource.ref
        namespace = cluster.get("Namespace", "", ref.namespace) if ref.namespace else None
        self.slots: list[Any] = [
            resource.raw,
            pod,
            metadata,
            containers,
            None,
            None if namespace is None else namespace.raw,
            cluster.kubernetes,
            None,
        ]
        assert len(self.slots) == len(SLOTS) + 1

    def elements(self, each: str) -> list[Element]:
        """What a check goes through, in order. Raises Unfit where no list is."""
        found = self._elements.get(each)
        if found is None:
            found = self._elements[each] = self._find(each)
        return found

    def _find(self, each: str) -> list[Element]:
        workload = self.workload
        roles = _ROLES.get(each)
        if roles is not None:
            containers = workload.containers if workload is not None else ()
            return [(c.raw, c.path, c.name) for c in containers if c.role in roles]
        if each == "volumes":
            return self.elements("pod.volumes")
        if ALSO in each:
            return [e for part in each.split(ALSO) for e in self.elements(part)]
        head, _, rest = each.partition(".")
        if head == "pod":
            if workload is None:
                return []
            return _walk(workload.pod, workload.path, rest.split("."))
        if head in _ROLES:
            return [
                (item, path, name)
                for raw, at, name in self.elements(head)
                for item, path, _ in _walk(raw, at, rest.split("."))
            ]
        return _walk(self.resource.raw, (), each.split("."))


def _walk(value: Any, path: Path, steps: list[str]) -> list[Element]:
    """The items of the list at a dotted path; `name[]` goes through a list on the way."""
    step = steps[0]
    name = step.removesuffix("[]")
    if value is None:
        return []
    if not isinstance(value, dict):
        raise Unfit(path, value)
    place = (*path, name)
    if len(steps) == 1:
        return _items(value.get(name), place)
    if name == step:
        return _walk(value.get(name), place, steps[1:])
    found: list[Element] = []
    for item, at, _ in _items(value.get(name), place):
        found.extend(_walk(item, at, steps[1:]))
    return found


def _items(value: Any, path: Path) -> list[Element]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unfit(path, value)
    found: list[Element] = []
    for index, item in enumerate(value):
        name = item.get("name") if isinstance(item, dict) else None
        at = (*path, index)
        found.append((item, at, name if isinstance(name, str) else ""))
    return found
