"""Fields that no server reads (400), and numbers that it reads and does not allow (422).

Source: the decoder of Kubernetes' API, and its validation of apps, autoscaling, batch, core, policy
and scheduling.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from martello.core.kinds import built_in
from martello.core.path import Path, look_up, show
from martello.core.resource import Resource
from martello.core.schema import WRONG_TYPE, Violation, unreadable
from martello.core.workload import template_path
from martello.practices.resources.admission.validation import Problem
from martello.practices.resources.amounts import FORM, Malformed, amount
from martello.practices.resources.replicas import whole

_INT32: Final = 1 << 31
_HIGHEST: Final = 1_000_000_000  # of a priority class that is not the system's
_SCALED: Final = ("replicas", "minReadySeconds")
_RUN: Final = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit")
_CRON: Final = (
    "startingDeadlineSeconds",
    "successfulJobsHistoryLimit",
    "failedJobsHistoryLimit",
)
_SHOWN: Final = 100  # characters of a value that are quoted
_NO_SHARE: Final = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%', or "
    "'93%', regex used for validation is '[0-9]+%')"
)
_DEADLINE: Final = 600  # seconds of a Deployment's progress where it says none
_UPDATES: Final = {"Deployment.apps": "strategy", "DaemonSet.apps": "updateStrategy"}
# Numbers of the spec that may not be negative.
_NOT_NEGATIVE: Final[dict[str, tuple[str, ...]]] = {
    "Deployment.apps": (*_SCALED, "revisionHistoryLimit", "progressDeadlineSeconds"),
    "DaemonSet.apps": ("minReadySeconds", "revisionHistoryLimit"),
    "ReplicaSet.apps": _SCALED,
    "ReplicationController": _SCALED,
    "StatefulSet.apps": ("replicas",),
    "Job.batch": _RUN,
    "CronJob.batch": _CRON,
}
# Who makes pods that end, and may give them a deadline.
_ENDING: Final = ("Pod", "Job.batch", "CronJob.batch", "PodTemplate")


def undecodable(resource: Resource) -> Malformed | None:
    """The first value of a built-in kind that its field cannot hold; None for other kinds."""
    raw = resource.raw
    found = next((one for one in unreadable(raw) if not _amount(raw, one)), None)
    if found is None:
        return None
    told = f"{show(found.path)}: must be {_with_article(found.expected)}"
    if found.kind == WRONG_TYPE:
        odd = found.found == "number" and found.expected.endswith("integer")
        told += ", and is a fraction or out of range" if odd else f", not a {found.found}"
    elif found.expected == "quantity":
        told = f"{show(found.path)}: {FORM}"
    ref = resource.ref
    frame = f'{ref.kind} in version "{ref.version}" cannot be handled as a {ref.kind}'
    return Malformed(found.path, f"{frame}: {told}")


def _amount(raw: dict[str, Any], found: Violation) -> bool:
    """Whether it is an amount all the same: the server takes spaces around one."""
    return found.expected == "quantity" and amount(look_up(raw, found.path)) is not None


def unreadable_number(resource: Resource) -> str:
    """Why the number of pods of a custom kind cannot be told: its schema is not here."""
    replicas = resource.spec.get("replicas")
    if replicas is None or built_in(resource.ref.api_version, resource.ref.kind) is not None:
        return ""
    count = whole(replicas)
    fine = count is not None and 0 <= count < _INT32
    return "" if fine else "spec.replicas is no number of pods"


def gated(resource: Resource) -> str:
    """Why nobody knows whether the numbers are allowed: a gate of the server decides."""
    spec = resource.spec
    scaler = resource.ref.group_kind == "HorizontalPodAutoscaler.autoscaling"
    if scaler and _external(spec) and whole(spec.get("minReplicas")) == 0:
        return "minReplicas 0 is refused unless the API server turns HPAScaleToZero on"
    return ""


def problems(resource: Resource) -> Iterator[Problem]:
    """The numbers of an object that may not be as they are. All of them can be decoded."""
    ref, spec = resource.ref, resource.spec
    kind = ref.group_kind
    yield from _not_negative(spec, kind, ("spec",))
    if kind == "CronJob.batch":
        path: Path = ("spec", "jobTemplate", "spec")
        yield from _not_negative(look_up(resource.raw, path), "Job.batch", path)
    elif kind == "HorizontalPodAutoscaler.autoscaling":
        yield from _autoscaler(spec)
    elif kind == "PodDisruptionBudget.policy":
        yield from _budget(spec)
    elif kind in _UPDATES:
        yield from _update(spec, _UPDATES[kind])
    elif kind == "PriorityClass.scheduling.k8s.io":
        value = whole(resource.raw.get("value"))
        if value is not None and value > _HIGHEST and not ref.name.startswith("system-"):
            detail = f"maximum allowed value of a user defined priority is {_HIGHEST}"
            yield Problem(("value",), detail, kind="Forbidden")
    template = template_path(resource)
    if template is not None and built_in(ref.api_version, ref.kind) is not None:
        pod = look_up(resource.raw, (*template, "spec"))
        yield from deadline(pod, (*template, "spec"))
        if kind not in _ENDING and isinstance(pod, dict) and _has_deadline(pod):
            owner = (
                "ReplicaSet" if kind in ("Deployment.apps", "ReplicationController") else ref.kind
            )
            detail = f"activeDeadlineSeconds in {owner} is not Supported"
            yield Problem((*template, "spec", "activeDeadlineSeconds"), detail, kind="Forbidden")


def deadline(pod: Any, path: Path) -> Iterator[Problem]:
    """What is wrong with the deadline of a pod whose spec lies at a path."""
    if isinstance(pod, dict):
        seconds = whole(pod.get("activeDeadlineSeconds"))
        if seconds is not None and not 1 <= seconds < _INT32:
            detail = f"must be between 1 and {_INT32 - 1}, inclusive"
            yield _wrong((*path, "activeDeadlineSeconds"), seconds, detail)


def _has_deadline(pod: dict[str, Any]) -> bool:
    return pod.get("activeDeadlineSeconds") is not None


def _not_negative(spec: Any, kind: str, path: Path) -> Iterator[Problem]:
    for key in _NOT_NEGATIVE.get(kind, ()) if isinstance(spec, dict) else ():
        value = whole(spec.get(key))
        if value is not None and value < 0:
            yield _wrong((*path, key), value, "must be greater than or equal to 0")


def _budget(spec: dict[str, Any]) -> Iterator[Problem]:
    names = ("minAvailable", "maxUnavailable")
    for name in names:
        yield from _amount_or_share(("spec", name), spec.get(name))
        yield from _at_most_all(("spec", name), spec.get(name))
    if all(spec.get(name) is not None for name in names):
        yield Problem(("spec",), "minAvailable and maxUnavailable cannot be both set")


def _update(spec: dict[str, Any], field: str) -> Iterator[Problem]:
    """A roll-out that could neither take a pod away nor add one."""
    written = spec.get(field)
    rolling = written.get("rollingUpdate") if isinstance(written, dict) else None
    path: Path = ("spec", field, "rollingUpdate")
    deployment = field == "strategy"
    seconds = whole(spec.get("progressDeadlineSeconds", _DEADLINE))
    if deployment and seconds is not None and seconds <= (whole(spec.get("minReadySeconds")) or 0):
        detail = "must be greater than minReadySeconds"
        yield _wrong(("spec", "progressDeadlineSeconds"), seconds, detail)
    if not isinstance(written, dict) or not isinstance(rolling, dict):
        return
    kind = written.get("type") or "RollingUpdate"
    if kind != "RollingUpdate":
        if deployment:
            detail = "may not be specified when strategy `type` is 'Recreate'"
            yield Problem(path, detail, kind="Forbidden")
        return
    usual = ("25%", "25%") if deployment else (1, 0)
    found: dict[str, Any] = {}
    for name, missing in zip(("maxUnavailable", "maxSurge"), usual, strict=True):
        value = rolling.get(name)
        value = found[name] = missing if value is None else value
        yield from _amount_or_share((*path, name), value)
        if not deployment or name == "maxUnavailable":
            yield from _at_most_all((*path, name), value)
    if all(_none(value) for value in found.values()):
        detail = "may not be 0 when `maxSurge` is 0" if deployment else "cannot be 0"
        value = found["maxUnavailable"]
        place: Path = (*path, "maxUnavailable")
        yield (
            Problem(place, detail, value[:_SHOWN])
            if isinstance(value, str)
            else _wrong(place, 0, detail)
        )


def _amount_or_share(path: Path, value: Any) -> Iterator[Problem]:
    if isinstance(value, str):
        if not re.fullmatch("[0-9]+%", value):
            yield Problem(path, _NO_SHARE, value[:_SHOWN])
    elif (number := whole(value)) is not None and number < 0:
        yield _wrong(path, number, "must be greater than or equal to 0")


def _at_most_all(path: Path, value: Any) -> Iterator[Problem]:
    share = re.fullmatch("0*([0-9]+)%", value) if isinstance(value, str) else None
    if share is not None and (len(share[1]) > 3 or int(share[1]) > 100):
        yield Problem(path, "must not be greater than 100%", str(value)[:_SHOWN])


def _none(value: Any) -> bool:
    return value == 0 or (isinstance(value, str) and re.fullmatch("0+%", value) is not None)


def _external(spec: dict[str, Any]) -> bool:
    return any(
        isinstance(metric, dict) and metric.get("type") in ("Object", "External")
        for metric in _listed(spec.get("metrics"))
    )


def _autoscaler(spec: dict[str, Any]) -> Iterator[Problem]:
    """None is the least where metrics are external and a gate of the server is on (see gated)."""
    least, most = whole(spec.get("minReplicas")), whole(spec.get("maxReplicas")) or 0
    external = _external(spec)
    if least is not None and least < (0 if external else 1):
        bound = 0 if external else 1
        yield _wrong(("spec", "minReplicas"), least, f"must be greater than or equal to {bound}")
    if most < 1:
        yield _wrong(("spec", "maxReplicas"), most, "must be greater than 0")
    if most < (1 if least is None else least):
        detail = "must be greater than or equal to `minReplicas`"
        yield _wrong(("spec", "maxReplicas"), most, detail)
    if least == 0 and not external:
        detail = "must specify at least one Object or External metric to support scaling to zero"
        yield Problem(("spec", "metrics"), f"{detail} replicas", kind="Forbidden")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _wrong(path: Path, value: int, detail: str) -> Problem:
    return Problem(path, detail, kind=f"Invalid value: {value}")


def _with_article(words: str) -> str:
    return f"{'an' if words.startswith(('integer', 'RFC')) else 'a'} {words}"
