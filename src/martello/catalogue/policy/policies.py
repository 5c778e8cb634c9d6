"""What policies say about a request.

`evaluate` gives the rulings of all policies on one request, in the order in which the API server
would list them; `policies_from` (read.py) finds the policies.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from martello.catalogue.policy.bindings import Scene
from martello.catalogue.policy.evaluate import DENY as DENIED
from martello.catalogue.policy.evaluate import UNASSESSED as NO_ANSWER
from martello.catalogue.policy.evaluate import Decision, Evaluation, run
from martello.catalogue.policy.match import exempt, select
from martello.catalogue.policy.model import (
    AUDIT,
    DENY,
    KUBERNETES,
    UNASSESSED,
    WARN,
    Binding,
    Policy,
    Request,
    Ruling,
    code_of,
)
from martello.catalogue.policy.params import Misconfigured, params_for
from martello.catalogue.policy.programs import Fault
from martello.catalogue.policy.read import Bound, PolicySet
from martello.catalogue.policy.world import NotKnown, World
from martello.core.selector import MalformedSelector

_FAILURES: Final = "validation.policy.admission.k8s.io/validation_failure"
_MOST_FAILURES: Final = 50


class Answer(msgspec.Struct, frozen=True):
    """What all policies say about one request; `annotations` go to the audit log, `cost` is the
    highest of one evaluation.
    """

    rulings: tuple[Ruling, ...]
    annotations: dict[str, str] = {}
    cost: int = 0


def evaluate(policies: PolicySet, request: Request, world: World) -> tuple[Ruling, ...]:
    """What the policies say about a request: nothing where they admit it."""
    return answer(policies, request, world).rulings


def answer(policies: PolicySet, request: Request, world: World) -> Answer:
    """The rulings, the audit annotations and the highest cost."""
    if exempt(request):
        return Answer(())
    rulings: list[Ruling] = []
    audit = _AuditLog()
    cost = 0
    scene = Scene(request, world)
    for bound in policies.bound:
        for binding, result in results(policies, bound, scene):
            if isinstance(result, Ruling):
                rulings.append(result)
                continue
            cost = max(cost, result.cost)
            for position, decision in enumerate(result.decisions):
                rulings += _rulings(bound.policy, binding, decision)
                audit.note(bound.policy, binding, decision, position)
            for key, value in result.annotations:
                audit.add(f"{bound.policy.name}/{key}", value)
    return Answer(tuple(rulings), audit.annotations(), cost)


class _AuditLog:
    """The audit annotations of one request, as the server writes them: distinct values of one key
    joined, and the failures of bindings that audit as a JSON list.
    """

    def __init__(self) -> None:
        self._values: dict[str, list[str]] = {}
        self._failures: list[dict[str, object]] = []

    def add(self, key: str, value: str) -> None:
        values = self._values.setdefault(key, [])
        if value not in values:
            values.append(value)

    def note(self, policy: Policy, binding: Binding, decision: Decision, position: int) -> None:
        if decision.outcome != DENIED or decision.always or "Audit" not in binding.actions:
            return
        if policy.dialect == KUBERNETES:
            self._failures.append(
                {
                    "message": decision.message,
                    "policy": policy.name,
                    "binding": binding.name,
                    "expressionIndex": position,
                    "validationActions": list(binding.actions),
                }
            )

    def annotations(self) -> dict[str, str]:
        found = {key: ", ".join(values) for key, values in self._values.items()}
        if self._failures:
            found[_FAILURES] = msgspec.json.encode(self._failures[:_MOST_FAILURES]).decode()
        return found


def results(
    policies: PolicySet, bound: Bound, scene: Scene
) -> Iterator[tuple[Binding, Evaluation | Ruling]]:
    """The evaluations of a policy that the request is about, binding by binding; a Ruling where
    there was none to make.
    """
    policy, request, world = bound.policy, scene.request, scene.world
    first = bound.bindings[0]
    try:
        target = select(policy.match, request, world)
        if target is None:
            return
        programs = policies.programs(policy)
    except NotKnown as error:
        yield first, _ruling(policy, None, UNASSESSED, str(error))
        return
    except MalformedSelector as error:
        yield from _misconfigured(policy, first, "policy", str(error))
        return
    except Fault as fault:
        where = policy.resource.locate(fault.path)
        ruling = _ruling(policy, None, UNASSESSED, f"it does not compile: {fault.why}")
        yield first, msgspec.structs.replace(ruling, where=where)
        return
    for binding in bound.bindings:
        try:
            if binding.match is not None and select(binding.match, request, world) is None:
                continue
            values = params_for(policy, binding, request, world)
        except NotKnown as error:
            yield binding, _ruling(policy, binding, UNASSESSED, str(error))
            continue
        except (Misconfigured, MalformedSelector) as error:
            yield from _misconfigured(policy, binding, "binding", str(error))
            continue
        if target.reshaped:
            why = f"the server would convert it to {target.group}/{target.version}"
            yield binding, _ruling(policy, binding, UNASSESSED, why)
            continue
        for params in values:
            yield binding, run(policy, programs, target, scene, params)


def _misconfigured(
    policy: Policy, binding: Binding, what: str, why: str
) -> Iterator[tuple[Binding, Ruling]]:
    """A configuration error denies under Fail whatever the actions, and is silent under Ignore."""
    if policy.fail:
        message = f"failed to configure {what}: {why}"
        named = binding if what == "binding" else None
        yield binding, _ruling(policy, named, DENY, message, error=True)


_ACTIONS: Final = {"Deny": DENY, "Warn": WARN, "Audit": AUDIT}


def _rulings(policy: Policy, binding: Binding, decision: Decision) -> Iterator[Ruling]:
    validation = policy.validations[decision.index] if decision.index >= 0 else None
    where = policy.resource.locate(validation.path if validation is not None else ())
    actions: tuple[str, ...] = ()
    if decision.outcome == NO_ANSWER:
        actions = (UNASSESSED,)
    elif decision.outcome == DENIED:
        actions = (DENY,) if decision.always else tuple(_ACTIONS[a] for a in binding.actions)
    for action in actions:
        yield Ruling(
            policy.title,
            binding.name,
            action,
            decision.message,
            decision.reason,
            code_of(decision.reason),
            validation.expression if validation is not None else "",
            where,
            decision.error,
        )


def _ruling(
    policy: Policy, binding: Binding | None, action: str, message: str, *, error: bool = False
) -> Ruling:
    name = "" if binding is None else binding.name
    return Ruling(
        policy.title, name, action, message, where=policy.resource.locate(()), error=error
    )


def worded(ruling: Ruling) -> str:
    """The sentence that the API server answers with, or warns with."""
    binding = f" with binding '{ruling.binding}'" if ruling.binding else ""
    if ruling.action == DENY:
        return f"{ruling.policy}{binding} denied request: {ruling.message}"
    if ruling.action == UNASSESSED:
        return f"{ruling.policy}{binding} is not assessed: {ruling.message}"
    return f"Validation failed for {ruling.policy}{binding}: {ruling.message}"
