"""Object validation (422): what the API server says to amounts, LimitRanges and quotas as such.

Only what concerns resources is judged; everything else of an object is taken to be right.
Source: the validation of Kubernetes' core API.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from martello.core.path import Path, show
from martello.core.resource import Resource
from martello.practices.resources.admission import names, versions
from martello.practices.resources.admission.limit_ranges import Item, items
from martello.practices.resources.admission.scopes import Scope
from martello.practices.resources.admission.totals import (
    Level,
    limits_of,
    requests_of,
    summed,
)
from martello.practices.resources.amounts import Amounts, Need, divided, read, text

_OF_PODS: Final = frozenset(
    (
        "pods",
        "cpu",
        "memory",
        "limits.cpu",
        "limits.memory",
        "requests.cpu",
        "requests.memory",
    )
)
_PAIRS: Final = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))
_ONLY_EXISTS: Final = ("BestEffort", "NotBestEffort", "Terminating", "NotTerminating")
_OLD_EXISTS: Final = (
    "must be 'Exist' only operator when scope is any of ResourceQuotaScopeTerminating, "
    "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort and "
    "ResourceQuotaScopeNotBestEffort"
)
_NEW_EXISTS: Final = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, "
    "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
    "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)


class Problem(msgspec.Struct, frozen=True):
    """One field that is refused: where (`key` names a resource below `path`) and why."""

    path: Path
    detail: str
    value: str = ""
    kind: str = "Invalid value"
    key: str = ""

    @property
    def field(self) -> str:
        """The field as the server names it: `spec.containers[0].resources.limits[cpu]`."""
        return show(self.path) + (f"[{self.key}]" if self.key else "")

    def __str__(self) -> str:
        value = f'"{self.value}"' if self.kind.endswith(" value") and self.value else ""
        return ": ".join(part for part in (self.field, self.kind, value, self.detail) if part)


def pod_problems(needs: Sequence[Need], kubernetes: int) -> list[Problem]:
    """What is wrong with the amounts of containers."""
    told: list[Problem] = []
    for need in needs:
        told += requirements(need.requests, need.limits, need.path, kubernetes)
    return told


def requirements(
    requests: Amounts, limits: Amounts, path: Path, kubernetes: int
) -> Iterator[Problem]:
    """What is wrong with requests and limits that lie at a path."""
    for side, given in (("limits", limits), ("requests", requests)):
        for name, milli in given.items():
            if name in ("cpu", "memory", "ephemeral-storage") and milli >= 0:
                continue
            yield from _amount(name, milli, (*path, side))
    for name, milli in requests.items():
        limit = limits.get(name)
        if limit == milli:
            continue
        if limit is None:
            if not names.overcommits(name):
                detail = "Limit must be set for non overcommitable resources"
                yield Problem((*path, "limits"), detail, kind="Required value")
        elif milli > limit or not names.overcommits(name):
            word = "less than or equal" if names.overcommits(name) else "equal"
            told = f" of {text(limit)}" if kubernetes >= versions.LIMIT_TOLD else ""
            detail = f"must be {word} to {name} limit{told}"
            yield Problem((*path, "requests"), detail, text(milli))
    named = {*requests, *limits}
    if not named & {"cpu", "memory"} and any(map(names.is_huge, named)):
        yield Problem(path, "HugePages require cpu or memory", kind="Forbidden")


def _amount(name: str, milli: int, path: Path) -> Iterator[Problem]:
    for detail in names.wrong_in_container(name):
        yield Problem(path, detail, name, key=name)
    yield from _value(name, milli, path)


def _value(name: str, milli: int, path: Path) -> Iterator[Problem]:
    if milli < 0:
        yield Problem(path, "must be greater than or equal to 0", text(milli), key=name)
    if names.is_whole(name) and milli % 1000:
        yield Problem(path, "must be an integer", text(milli), key=name)


def level_problems(
    level: Level, needs: Sequence[Need], path: Path, kubernetes: int
) -> Iterator[Problem]:
    """What is wrong with the amounts of the pod itself, beside those of its containers."""
    yield from requirements(level.requests, level.limits, path, kubernetes)
    for name, milli in summed(needs, requests_of, kubernetes).items():
        said = level.requests.get(name)
        if said is not None and milli > said:
            detail = (
                f"must be greater than or equal to aggregate container requests of {text(milli)}"
            )
            yield Problem((*path, "requests"), detail, text(said), key=name)
    for name, milli in summed(needs, limits_of, kubernetes).items():
        said = level.limits.get(name)
        if said is not None and names.is_huge(name) and milli > said:
            detail = f"must be greater than or equal to aggregate container limits of {text(milli)}"
            yield Problem((*path, "limits"), detail, text(said), key=name)
    for need in needs:
        for name, milli in need.limits.items() if not need.init else ():
            said = level.limits.get(name)
            if said is not None and milli > said:
                detail = f"must be less than or equal to pod limits of {text(said)}"
                yield Problem((*need.path, "limits"), detail, text(milli), key=name)


def claim_problems(requests: Amounts) -> Iterator[Problem]:
    """What is wrong with the storage that a claim asks for."""
    path: Path = ("spec", "resources")
    storage = requests.get("storage")
    if storage is None:
        yield Problem(path, "", kind="Required value", key="storage")
    elif storage <= 0:
        yield Problem(path, "must be greater than zero", text(storage), key="storage")


def range_problems(resource: Resource) -> Iterator[Problem]:
    """What is wrong with a LimitRange. Raises Malformed for what cannot be read."""
    seen: set[str] = set()
    for item in items(resource):
        if "/" not in item.type and item.type not in ("Pod", "Container", "PersistentVolumeClaim"):
            wrong = names.unqualified(item.type) or (
                "must be a standard limit type or fully qualified",
            )
            for detail in wrong:
                yield Problem((*item.path, "type"), detail, item.type)
        if item.type in seen:
            yield Problem((*item.path, "type"), "", item.type, "Duplicate value")
        seen.add(item.type)
        yield from _range_names(item)
        for name in dict.fromkeys(
            (*item.most, *item.least, *item.default, *item.default_request, *item.ratio)
        ):
            yield from _range_values(item, name)


def _range_names(item: Item) -> Iterator[Problem]:
    sides = {"max": item.most, "min": item.least}
    if item.type == "Pod":
        for key, given in (("default", item.default), ("defaultRequest", item.default_request)):
            if given:
                detail = "may not be specified when `type` is 'Pod'"
                yield Problem((*item.path, key), detail, kind="Forbidden")
    else:
        sides.update({"default": item.default, "defaultRequest": item.default_request})
    sides["maxLimitRequestRatio"] = item.ratio
    for key, given in sides.items():
        for name in given:
            for detail in names.wrong_in_range(item.type, name):
                yield Problem((*item.path, key), detail, name, key=name)
    if item.type == "PersistentVolumeClaim" and not {"storage"} & {*item.least, *item.most}:
        detail = "either minimum or maximum storage value is required, but neither was provided"
        yield Problem((*item.path, "limits"), detail, kind="Required value")


def _range_values(item: Item, name: str) -> Iterator[Problem]:
    pod = item.type == "Pod"
    least, most, ratio = item.least.get(name), item.most.get(name), item.ratio.get(name)
    default = None if pod else item.default.get(name)
    request = None if pod else item.default_request.get(name)
    rules = (
        ("min", least, "min value", most, "max value", least),
        ("defaultRequest", least, "min value", request, "default request value", request),
        ("defaultRequest", request, "default request value", most, "max value", request),
        (
            "defaultRequest",
            request,
            "default request value",
            default,
            "default limit value",
            request,
        ),
        ("default", least, "min value", default, "default value", least),
        ("default", default, "default value", most, "max value", most),
    )
    for key, one, called, other, other_called, value in rules:
        if one is not None and other is not None and one > other:
            detail = f"{called} {text(one)} is greater than {other_called} {text(other)}"
            yield Problem((*item.path, key), detail, text(value or 0), key=name)
    if ratio is not None:
        path = (*item.path, "maxLimitRequestRatio")
        if ratio < 1000:
            yield Problem(path, f"ratio {text(ratio)} is less than 1", text(ratio), key=name)
        if least and most is not None and divided(ratio, 1000) > divided(most, least):
            detail = f"ratio {text(ratio)} is greater than max/min = {divided(most, least):f}"
            yield Problem(path, detail, text(ratio), key=name)
    if not names.overcommits(name) and None not in (default, request) and default != request:
        detail = (
            f"default value {text(default or 0)} must equal to defaultRequest value "
            f"{text(request or 0)} in {name}"
        )
        yield Problem((*item.path, "defaultRequest"), detail, text(request or 0), key=name)


def quota_problems(resource: Resource, kubernetes: int) -> Iterator[Problem]:
    """What is wrong with a ResourceQuota. Raises Malformed for what cannot be read."""
    spec = resource.spec
    hard = read(spec.get("hard"), ("spec", "hard"))
    for name, milli in hard.items():
        for detail in names.wrong_in_quota(name):
            yield Problem(("spec", "hard"), detail, name, key=name)
        yield from _value(name, milli, ("spec", "hard"))
    listed = spec.get("scopes")
    named = [Scope(str(name)) for name in listed] if isinstance(listed, list) else []
    yield from _scope_problems(named, hard, ("spec", "scopes"), kubernetes, selector=False)
    selector = spec.get("scopeSelector")
    if isinstance(selector, dict):
        raws = selector.get("matchExpressions")
        found = [_told(raw) for raw in raws or () if isinstance(raw, dict)]
        path: Path = ("spec", "scopeSelector", "matchExpressions")
        yield from _scope_problems(found, hard, path, kubernetes, selector=True)


def _told(raw: dict[str, object]) -> Scope:
    values = raw.get("values")
    listed = tuple(map(str, values)) if isinstance(values, list) else ()
    return Scope(str(raw.get("scopeName", "")), str(raw.get("operator", "")), listed)


def _known(scope: str, kubernetes: int) -> bool:
    if scope == "CrossNamespacePodAffinity":
        return kubernetes >= versions.CROSS_NAMESPACE
    if scope == "VolumeAttributesClass":
        return kubernetes >= versions.CLASS_OF_VOLUME
    return scope in (*_ONLY_EXISTS, "PriorityClass")


def _fits(scope: str, key: str, kubernetes: int) -> bool:
    if not _known(scope, kubernetes):
        return True
    if scope == "BestEffort":
        return key == "pods"
    if scope == "VolumeAttributesClass":
        return key in ("persistentvolumeclaims", "requests.storage")
    return key in _OF_PODS


def _scope_problems(
    found: list[Scope], hard: Amounts, path: Path, kubernetes: int, *, selector: bool
) -> Iterator[Problem]:
    listed = ", ".join(scope.name for scope in found)
    for scope in found:
        if not _known(scope.name, kubernetes):
            where = (*path, "scopeName") if selector else path
            yield Problem(where, "unsupported scope", scope.name if selector else listed)
        for key in sorted(hard):
            if names.is_standard(key) and not _fits(scope.name, key, kubernetes):
                yield Problem(path, "unsupported scope applied to resource", listed)
        if selector:
            yield from _operator_problems(scope, path, kubernetes)
    held = {scope.name for scope in found}
    for pair in _PAIRS:
        if held.issuperset(pair):
            yield Problem(path, "conflicting scopes", listed)


def _operator_problems(scope: Scope, path: Path, kubernetes: int) -> Iterator[Problem]:
    crossing = scope.name == "CrossNamespacePodAffinity" and kubernetes >= versions.CROSS_NAMESPACE
    if (scope.name in _ONLY_EXISTS or crossing) and scope.operator != "Exists":
        new = kubernetes >= versions.EXISTS_WORDS
        detail = _NEW_EXISTS if new else _OLD_EXISTS
        yield Problem((*path, "operator"), detail, scope.operator)
    if scope.operator in ("In", "NotIn"):
        if not scope.values:
            detail = (
                "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            )
            yield Problem((*path, "values"), detail, kind="Required value")
    elif scope.operator in ("Exists", "DoesNotExist"):
        if scope.values:
            detail = (
                "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            )
            yield Problem((*path, "values"), detail, ", ".join(scope.values))
    else:
        yield Problem((*path, "operator"), "not a valid selector operator", scope.operator)
