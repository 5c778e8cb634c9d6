"""The fields of audit.k8s.io/v1, for rules that name them: which exist, and which one is meant.

Of the bodies (`requestObject`, `responseObject`) any field may exist; those of the built-in kinds
are known to be proposed.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from martello.core.kinds import plural, table

_MARKS: Final = "!?+="
_DEEPEST: Final = 7
_STATUS: Final = {
    "apiVersion": "",
    "code": "",
    "details": "any",
    "kind": "",
    "message": "",
    "metadata": "any",
    "reason": "",
    "status": "",
}
_USER: Final = {"extra": "any", "groups": "[]", "uid": "", "username": ""}
_OBJECT: Final = (
    "apiGroup apiVersion name namespace resource resourceVersion subresource uid".split()  # noqa: SIM905
)
# Each field: its own fields, "" for a value, "[]" for a list of values, "any" for what is open.
EVENT: Final[Mapping[str, Any]] = {
    "annotations": "any",
    "apiVersion": "",
    "auditID": "",
    "authenticationMetadata": {"impersonationConstraint": ""},
    "impersonatedUser": _USER,
    "kind": "",
    "level": "",
    "metadata": "any",  # of the retired beta versions
    "objectRef": dict.fromkeys(_OBJECT, ""),
    "requestObject": "any",
    "requestReceivedTimestamp": "",
    "requestURI": "",
    "responseObject": "any",
    "responseStatus": _STATUS,
    "sourceIPs": "[]",
    "stage": "",
    "stageTimestamp": "",
    "user": _USER,
    "userAgent": "",
    "verb": "",
}


def shown(path: Sequence[str]) -> str:
    """The steps of a pointer as a rule writes them: `spec.volumes[].hostPath`."""
    text = ""
    for step in path:
        if step.startswith("*"):
            text += "[]"
        else:
            key = step[1:] if step.startswith("\\") else step
            text += f".{key}" if text else key
    return text


def unknown(path: Sequence[str]) -> bool:
    """Whether an event cannot have what the steps lead to."""
    at: Any = EVENT
    for step in path:
        if at == "any":
            return False
        if at == "":
            return True
        if at == "[]":
            if not (step.startswith("*") or step.isdigit()):
                return True
            at = ""
            continue
        found = [at.get(key) for key in _keys(step)]
        if all(one is None for one in found):
            return True
        at = next(one for one in found if one is not None)
    return False


def _keys(step: str) -> tuple[str, ...]:
    if step.startswith("|"):
        return tuple(step[1:].split("|"))
    return (step[1:] if step.startswith("\\") else step,)


def meant(path: Sequence[str], resources: Sequence[str] = ()) -> str:
    """The existing path that is nearest to one which does not exist: of the event, or of the body
    of a request for one of the resources (pods, where none is named). Empty where none is near.
    """
    wanted = [step.lower() for step in shown(path).replace("[]", "").split(".")]
    best: tuple[int, int, int, str] | None = None
    for order, known in enumerate(_known(tuple(resources) or ("pods",))):
        steps = known.replace("[]", "").split(".")
        tail = [step.lower() for step in steps[-len(wanted) :]]
        far = sum(map(distance, wanted, tail)) + 3 * (len(wanted) - len(tail))
        candidate = (far, len(steps), order, known)
        if best is None or candidate < best:
            best = candidate
    if best is None or best[0] > max(1, sum(map(len, wanted)) // 4):
        return ""
    return best[3]


@functools.lru_cache(64)
def _known(resources: tuple[str, ...]) -> tuple[str, ...]:
    found = list(_event(EVENT, ""))
    for resource in resources:
        number = _type(resource)
        if number is not None:
            found.extend(f"requestObject.{path}" for path in _body(number, (), 0))
    return tuple(found)


def _event(fields: Mapping[str, Any], before: str) -> Iterator[str]:
    for name, below in fields.items():
        path = f"{before}{name}"
        yield f"{path}[]" if below == "[]" else path
        if isinstance(below, dict):
            yield from _event(below, f"{path}.")


@functools.lru_cache(64)
def _type(resource: str) -> int | None:
    """The newest type of a built-in resource."""
    found = [
        (facts.removed == 0, facts.since, facts.type)
        for name, facts in table().kinds.items()
        if plural(name.rpartition("/")[2]) == resource
    ]
    return max(found)[2] if found else None


def _body(number: int, above: tuple[int, ...], depth: int) -> Iterator[str]:
    if number in above or depth > _DEEPEST:
        return
    for name, code in table().types[number].items():
        text = code.lstrip(_MARKS)
        lists = ""
        while text[:1] in ("[", "{") and len(text) > 1:
            lists += "[]"
            text = text[1:]
        path = name + lists
        yield path
        if text.isdigit():
            for below in _body(int(text), (*above, number), depth + 1):
                yield f"{path}.{below}"


def distance(one: str, other: str) -> int:
    """How many signs must be put in, left out or replaced to make one text the other."""
    if abs(len(one) - len(other)) > 12:
        return max(len(one), len(other))
    row = list(range(len(other) + 1))
    for at, char in enumerate(one, 1):
        before, row[0] = row[0], at
        for index, its in enumerate(other, 1):
            cost = before + (char != its)
            before = row[index]
            row[index] = min(row[index] + 1, row[index - 1] + 1, cost)
    return row[-1]
