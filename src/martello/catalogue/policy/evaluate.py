"""One policy, one binding, one parameter object: conditions, validations, messages, annotations.

Source: the API server's validator of ValidatingAdmissionPolicies and its matcher of match
conditions. An expression whose answer hangs on what is not in view gives no decision.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from martello.catalogue.policy.bindings import (
    PER_CALL,
    PER_CONDITIONS,
    PER_EVALUATION,
    OutOfBudget,
    Pass,
    Scene,
)
from martello.catalogue.policy.match import Target
from martello.catalogue.policy.model import KYVERNO, Constraints, Policy, Validation
from martello.catalogue.policy.programs import Programs
from martello.cel.values import EvalError, Timestamp

ADMIT: Final = "admit"
DENY: Final = "deny"
UNASSESSED: Final = "unassessed"
_LONGEST_MESSAGE: Final = 5 * 1024
_LONGEST_ANNOTATION: Final = 10 * 1024


class Decision(msgspec.Struct, frozen=True):
    """What one validation came to: admit, deny or unassessed. `error` where it is false for an
    error, not for its value; `always` where it counts whatever the binding's actions are; `index`
    is -1 for what concerns the policy as a whole.
    """

    outcome: str
    index: int = -1
    message: str = ""
    reason: str = "Invalid"
    error: bool = False
    always: bool = False


class Evaluation(msgspec.Struct, frozen=True):
    """The decisions of one evaluation; `applied` is false where a condition was not met.
    `annotations` are the values of audit annotations by key.
    """

    applied: bool
    decisions: tuple[Decision, ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    cost: int = 0


def run(
    policy: Policy,
    programs: Programs,
    target: Target,
    scene: Scene,
    params: Any,
    budget: int = PER_EVALUATION,
) -> Evaluation:
    """Evaluates a policy that was matched as `target`, with one value of `params`."""
    if policy.dialect == KYVERNO and scene.world.now is not None:
        from martello.cel.lib.kyverno import answering

        with answering(Timestamp(scene.world.now)):
            return _run(policy, programs, target, scene, params, budget)
    return _run(policy, programs, target, scene, params, budget)


def _run(
    policy: Policy, programs: Programs, target: Target, scene: Scene, params: Any, budget: int
) -> Evaluation:
    base, given = scene.bind(policy, target, params)
    early = _conditions(policy, programs, base, given)
    if early is not None:
        return early
    walk = Pass(programs, base, given, budget)
    try:
        values = [walk.run(program) for program in programs.validations]
    except OutOfBudget as error:
        return Evaluation(True, (_failed(policy, str(error)),), cost=budget)
    messages: list[str] | OutOfBudget = []
    if not _unneeded(programs, values, walk.remaining):
        messages = _messages(programs, base, given, walk.remaining)
    decisions = tuple(
        _decide(policy, index, validation, value, messages)
        for index, (validation, value) in enumerate(zip(policy.validations, values, strict=True))
    )
    cost = budget - walk.remaining
    try:
        annotations, failures = _audit(policy, programs, base, given, budget)
    except OutOfBudget as error:
        return Evaluation(True, (_failed(policy, str(error)),), cost=budget)
    return Evaluation(True, decisions + failures, annotations, cost)


def _conditions(
    policy: Policy, programs: Programs, base: dict[str, Any], given: dict[str, Any]
) -> Evaluation | None:
    """The end of it where a condition is false or cannot be told; None to go on. Conditions see no
    namespace object, as on the server (those of Kyverno's ValidatingPolicy do).
    """
    if not programs.conditions:
        return None
    if policy.dialect != KYVERNO or not isinstance(policy.match, Constraints):
        base = {**base, "namespaceObject": None}
    walk = Pass(programs, base, given, PER_CONDITIONS)
    try:
        values = [walk.run(program) for program in programs.conditions]
    except OutOfBudget as error:
        return Evaluation(True, (_failed(policy, str(error)),)) if policy.fail else _SKIPPED
    if any(value is False for value in values):
        return _SKIPPED
    errors: list[str] = []
    for condition, value in zip(policy.conditions, values, strict=True):
        if not isinstance(value, EvalError):
            continue
        if value.needs is not None:
            return Evaluation(True, (Decision(UNASSESSED, message=value.message),))
        errors.append(_worded(condition.expression, value))
    if not errors:
        return None
    message = errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]"
    return Evaluation(True, (_failed(policy, message),)) if policy.fail else _SKIPPED


_SKIPPED: Final = Evaluation(False)


def _worded(expression: str, error: EvalError) -> str:
    return f"expression '{expression}' resulted in error: {error.message}"


def _failed(policy: Policy, message: str, index: int = -1) -> Decision:
    """What an error does: it denies under Fail and admits under Ignore."""
    return Decision(DENY if policy.fail else ADMIT, index, message, error=True)


def _unneeded(programs: Programs, values: list[Any], budget: int) -> bool:
    """Whether no message is asked for, and composing them all could not use up the budget."""
    most = 2 * PER_CALL * (len(programs.messages) + len(programs.variables))
    return budget > most and all(value is True for value in values)


def _messages(
    programs: Programs, base: dict[str, Any], given: dict[str, Any], budget: int
) -> list[str] | OutOfBudget:
    """The messages that expressions compose, empty where there is none to use. Every one of them is
    evaluated, with what the validations have left.
    """
    found: list[str] = []
    walk = Pass(programs, _without_authorizer(base), given, budget)
    for program in programs.messages:
        if program is None:
            found.append("")
            continue
        try:
            value = walk.run(program)
        except OutOfBudget as error:
            return error
        found.append(_usable(value))
    return found


def _without_authorizer(base: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in base.items() if not key.startswith("authorizer")}


def _usable(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    message = value.strip()
    return "" if len(message.encode()) > _LONGEST_MESSAGE or "\n" in message else message


def _decide(
    policy: Policy, index: int, validation: Validation, value: Any, messages: Any
) -> Decision:
    if isinstance(value, EvalError):
        if value.needs is not None:
            return Decision(UNASSESSED, index, value.message)
        return _failed(policy, _worded(validation.expression, value), index)
    if isinstance(messages, OutOfBudget):
        return _failed(policy, f"failed messageExpression: {messages}", index)
    if value is True:
        return Decision(ADMIT, index)
    message = (
        messages[index]
        or validation.message.strip()
        or f"failed expression: {validation.expression.strip()}"
    )
    return Decision(DENY, index, message, validation.reason)


def _audit(
    policy: Policy, programs: Programs, base: dict[str, Any], given: dict[str, Any], budget: int
) -> tuple[tuple[tuple[str, str], ...], tuple[Decision, ...]]:
    """The annotations to publish, and denials for those that fail: these deny under Fail whatever
    the binding's actions are.
    """
    if not programs.audit:
        return (), ()
    found: list[tuple[str, str]] = []
    failures: list[Decision] = []
    walk = Pass(programs, _without_authorizer(base), given, budget)
    for annotation, program in zip(policy.audit, programs.audit, strict=True):
        value = walk.run(program)
        if isinstance(value, EvalError):
            if value.needs is not None:
                failures.append(Decision(UNASSESSED, message=value.message))
            elif policy.fail:
                message = _worded(annotation.expression, value)
                failures.append(Decision(DENY, message=message, error=True, always=True))
        elif isinstance(value, str):
            if value.strip():
                found.append((annotation.name, _cut(value.strip())))
        elif value is not None:
            message = (
                f"valueExpression '{annotation.expression}' resulted in unsupported return type. "
                "Return type must be either string or null."
            )
            failures.append(Decision(DENY, message=message, error=True, always=True))
    return tuple(found), tuple(failures)


def _cut(text: str) -> str:
    """The first 10 KiB, whole characters only."""
    return text.encode()[:_LONGEST_ANNOTATION].decode(errors="ignore")
