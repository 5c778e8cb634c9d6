"""One compiled check over one object: hits, or nothing; an error of the engine is no verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from martello.catalogue.compile import Call, Rule, Validation
from martello.catalogue.environment import ELEMENT, NAMESPACE, PARAMS
from martello.catalogue.subject import Element, Subject, Unfit
from martello.cel.values import EvalError
from martello.core.check import Hit
from martello.core.path import Path, show

PASSED: Final[Sequence[Hit]] = ()
_LONGEST: Final = 120


def judge(rule: Rule, subject: Subject) -> Sequence[Hit] | None:
    """The hits of a check in an object; none where it passed; None where the check does not apply.

    What could not be decided comes as a hit that is marked unassessed.
    """
    slots = subject.slots
    slots[PARAMS] = rule.params
    hits: list[Hit] = []
    when = rule.when
    if when is not None and not when.element:
        slots[ELEMENT] = None
        applies = _ask(when, subject, _base(rule.on, subject), "", hits)
        if applies is not True:
            return hits or None
    for validation in rule.validations:
        call = validation.call
        function, get = call.function, call.get
        if not validation.each:
            slots[ELEMENT] = None
            if call.namespace:
                _fail(validation, subject, _base(validation.on, subject), "", hits)
                continue
            try:
                if function(*get(slots)) is not True:
                    _fail(validation, subject, _base(validation.on, subject), "", hits)
            except EvalError:
                _fail(validation, subject, _base(validation.on, subject), "", hits)
            continue
        try:
            elements = subject.elements(rule.each)
        except Unfit as error:
            hits.append(_unassessed(subject, error.path, "", str(error)))
            break
        for element in elements:
            slots[ELEMENT] = element[0]
            try:
                if function(*get(slots)) is True and not call.namespace:
                    continue
            except EvalError:
                pass
            if when is None or not when.element or _applies(when, subject, element, hits):
                _fail(validation, subject, element[1], _name(element), hits)
    return hits or PASSED


def _base(on: str, subject: Subject) -> Path:
    """Where paths that belong to no element begin: at the pod spec, at the metadata of the pods, or
    at the object.
    """
    workload = subject.workload
    if workload is None or on == "object":
        return ()
    return workload.path if on == "pod" else workload.metadata_path


def _applies(when: Call, subject: Subject, element: Element, hits: list[Hit]) -> bool:
    return _ask(when, subject, element[1], _name(element), hits) is True


def _name(element: Element) -> str:
    return element[2] or show(element[1])


def _fail(validation: Validation, subject: Subject, base: Path, name: str, hits: list[Hit]) -> None:
    """Asks once more, slowly: what is false is a hit, what is not true has no verdict."""
    verdict = _ask(validation.call, subject, base, name, hits)
    if verdict is not False:
        return
    path = base + validation.path
    message = validation.message
    if validation.message_call is not None:
        said = _ask(validation.message_call, subject, base, name, hits)
        if not isinstance(said, str):
            return
        message = said
    hits.append(Hit(subject.resource, path, message, name))


def _ask(call: Call, subject: Subject, base: Path, name: str, hits: list[Hit]) -> Any:
    """The value of a program; None, and a hit without verdict, where it has none."""
    slots = subject.slots
    if call.namespace and slots[NAMESPACE] is None:
        space = subject.resource.ref.namespace
        reason = f"no Namespace object {space}" if space else "its namespace is not known"
        hits.append(_unassessed(subject, base, name, reason))
        return None
    try:
        value = call.function(*call.get(slots))
    except EvalError as error:
        start, end = call.program.locate(error)
        text = " ".join(call.program.source[start:end].split())
        reason = f"{error} in {text}" if len(text) < _LONGEST else str(error)
        hits.append(_unassessed(subject, base, name, reason))
        return None
    if isinstance(value, bool | str):
        return value
    hits.append(_unassessed(subject, base, name, "the expression gave neither true nor false"))
    return None


def _unassessed(subject: Subject, path: Path, name: str, reason: str) -> Hit:
    return Hit(subject.resource, path, reason, name, unassessed=True)
