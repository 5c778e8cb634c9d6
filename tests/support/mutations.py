"""Objects with one value replaced: where checks look, and what JSON could hold there instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from martello.catalogue.programs import programs, restore
from martello.core.check import Check
from martello.core.path import Path
from martello.core.resource import Resource
from martello.core.workload import workload_of


def _nested(depth: int, key: str) -> Any:
    value: Any = {} if key else []
    for _ in range(depth):
        value = {key: value} if key else [value]
    return value


VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    -1,
    1.5,
    10**40,
    "",
    "x",
    "true",
    "*",
    "-5",
    [],
    [None],
    [3],
    [[]],
    [{}],
    {},
    {"x": 1},
    {"x": None},
    {"name": 3},
    _nested(90, ""),
    _nested(90, "x"),
)
_LISTS: Final = ("containers", "initContainers", "ephemeralContainers")
_CONTAINERS: Final = ("containers.", "resourceContainers.", "servingContainers.")
_IDENTITY: Final = (("apiVersion",), ("kind",))  # another kind is another object


def nodes(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every node below a value."""
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield (*path, key)
        yield from nodes(item, (*path, key))


def replaced(value: Any, path: Path, new: Any) -> Any:
    """A copy of a value in which the node at a path is another one."""
    if not path:
        return new
    step = path[0]
    copied = list(value) if isinstance(value, list) else dict(value)
    inner = copied.get(step, {}) if isinstance(copied, dict) else copied[int(step)]
    copied[step] = replaced(inner, path[1:], new)  # type: ignore[index]
    return copied


def removed(value: Any, path: Path) -> Any:
    """A copy of a value without the key at a path."""
    copied = list(value) if isinstance(value, list) else dict(value)
    step = path[0]
    if len(path) == 1:
        del copied[step]  # type: ignore[arg-type]
    else:
        copied[step] = removed(copied[step], path[1:])  # type: ignore[index]
    return copied


def places(check: Check, resource: Resource) -> list[Path]:
    """Every node of an object, and every place of it that the programs of a check read."""
    found = dict.fromkeys(nodes(resource.raw))
    if check.rule is not None:
        restore(check.rule)
        for program in programs(check.rule):
            for read in sorted(program.reads):
                found.update(dict.fromkeys(_read(check.rule, read, resource)))
    return [path for path in found if path not in _IDENTITY]


def _read(rule: Any, read: tuple[str, ...], resource: Resource) -> Iterator[Path]:
    """The places in an object that a read path such as `pod.volumes.[].name` stands for."""
    root, steps = read[0], read[1:]
    workload = workload_of(resource)
    pod = workload.path if workload is not None else ()
    bases: list[tuple[Path, tuple[str, ...]]] = []
    if root == "object":
        bases = [((), steps)]
    elif root == "pod" and pod:
        bases = [(pod, steps)]
    elif root == "podMetadata" and workload is not None:
        bases = [(workload.metadata_path, steps)]
    elif root in ("containers", "container") and pod:
        inner = steps if root == "containers" else ("[]", *steps)
        bases = [((*pod, key), inner) for key in _LISTS]
    elif root == "volume" and pod:
        bases = [((*pod, "volumes"), ("[]", *steps))]
    elif root == rule["as"] and rule["each"].startswith(_CONTAINERS):
        within = tuple(rule["each"].partition(".")[2].replace("[]", ".[]").split("."))
        bases = [((*pod, key), ("[]", *within, "[]", *steps)) for key in _LISTS if pod]
    elif root == rule["as"] and rule["each"]:
        each = tuple(rule["each"].replace("[]", ".[]").split("."))
        bases = [((), (*each, "[]", *steps))]
    for base, rest in bases:
        value: Any = resource.raw
        for step in base:
            value = value.get(step) if isinstance(value, dict) else None
        yield from _follow(value, base, rest)


def _follow(value: Any, path: Path, steps: tuple[str, ...]) -> Iterator[Path]:
    """The places along some steps, as far as there is something to hold them."""
    if path:
        yield path
    if not steps:
        return
    step = steps[0]
    if step == "[]":
        items = enumerate(value) if isinstance(value, list) else ()
        for index, item in items:
            yield from _follow(item, (*path, index), steps[1:])
    elif isinstance(value, dict):
        yield from _follow(value.get(step), (*path, step), steps[1:])


def as_custom(raw: dict[str, Any]) -> dict[str, Any] | None:
    """The pods of a workload as those of a kind that is not built in; None where it makes none."""
    metadata, spec = raw.get("metadata", {}), raw.get("spec", {})
    match raw["kind"]:
        case "Pod":
            kept = {k: v for k, v in metadata.items() if k in ("labels", "annotations")}
            template: Any = {"metadata": kept, "spec": spec}
        case "CronJob":
            template = spec["jobTemplate"]["spec"]["template"]
        case "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job":
            template = spec["template"]
        case _:
            return None
    kind = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}
    return {**kind, "metadata": metadata, "spec": {"template": template}}
