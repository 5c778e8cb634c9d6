"""What an expression of a policy may name, bound to values: the request, the object, variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from martello.catalogue.policy.answers import answering, authorizing
from martello.catalogue.policy.autogen import shown
from martello.catalogue.policy.match import Target
from martello.catalogue.policy.model import GATEKEEPER, KYVERNO, Constraints, Policy, Request
from martello.catalogue.policy.programs import ANY_OBJECT, PARAMS, Programs
from martello.catalogue.policy.world import NotKnown, World
from martello.cel.values import EvalError, LazyMap
from martello.core.path import Path

# Units of the server's cost model: one program, one evaluation, all match conditions of a policy.
PER_CALL: Final = 1_000_000
PER_EVALUATION: Final = 10_000_000
PER_CONDITIONS: Final = 2_500_000
_OUT: Final = (
    "validation failed due to running out of cost budget, no further validation rules will be run"
)
# The namespace's metadata that expressions may see.
_HIDDEN: Final = ("managedFields", "ownerReferences", "selfLink")


class OutOfBudget(Exception):
    """An evaluation costs more than the server allows; the message is the server's."""

    def __init__(self) -> None:
        super().__init__(_OUT)


class Unknown(LazyMap):
    """A map that exists, but is not in view: whoever looks into it cannot be answered."""

    __slots__ = ("_needs", "_why")

    def __init__(self, needs: str, why: str) -> None:
        self._needs = needs
        self._why = why

    def __getitem__(self, key: str) -> Any:
        raise EvalError(self._why, needs=self._needs)

    def __contains__(self, key: object) -> bool:
        raise EvalError(self._why, needs=self._needs)

    def keys(self) -> list[str]:
        """Nobody knows."""
        raise EvalError(self._why, needs=self._needs)


class Variables(LazyMap):
    """`variables`: each computed when first used, once in a pass, its cost kept to be paid with the
    expression that used it.
    """

    __slots__ = ("_bindings", "_programs", "_values", "cost")

    def __init__(
        self, programs: Programs, bindings: dict[str, Any], given: Mapping[str, Any]
    ) -> None:
        self._programs = programs.variables
        self._bindings = bindings
        self._values: dict[str, Any] = dict(given)
        self.cost = 0

    def __getitem__(self, key: str) -> Any:
        try:
            value = self._values[key]
        except KeyError:
            value = self._values[key] = self._compute(key)
        if type(value) is EvalError:
            raise value
        return value

    def _compute(self, key: str) -> Any:
        outcome = self._programs[key].run(self._bindings, PER_CALL)
        self.cost += outcome.cost
        error = outcome.error
        if error is not None:
            message = f'composited variable "{key}" fails to evaluate: {error.message}'
            return EvalError(message, needs=error.needs)
        return outcome.value

    def __contains__(self, key: object) -> bool:
        return key in self._values or key in self._programs

    def keys(self) -> list[str]:
        """All that are declared, in order."""
        return list(dict.fromkeys((*self._values, *self._programs)))


class Pass:
    """One walk over a policy's expressions with a budget: validations, messages and audit
    annotations are three, and variables are computed anew in each.
    """

    __slots__ = ("_bindings", "_variables", "remaining")

    def __init__(
        self, programs: Programs, base: Mapping[str, Any], given: Mapping[str, Any], budget: int
    ) -> None:
        self._bindings = dict(base)
        self._variables = Variables(programs, self._bindings, given)
        self._bindings["variables"] = self._variables
        self.remaining = budget

    def run(self, program: Any) -> Any:
        """The value of one expression, or its EvalError. Raises OutOfBudget."""
        outcome = program.run(self._bindings, PER_CALL)
        self.remaining -= outcome.cost + self._variables.cost
        self._variables.cost = 0
        if self.remaining < 0:
            raise OutOfBudget
        return outcome.value if outcome.error is None else outcome.error


class Scene:
    """One request in its world: what expressions see of it whatever the policy, computed once."""

    __slots__ = ("_authorizer", "_namespace", "_seen", "request", "world")

    def __init__(self, request: Request, world: World) -> None:
        self.request = request
        self.world = world
        self._namespace: Any = namespace_object(request, world)
        self._authorizer = authorizing(request, world)
        self._seen: dict[tuple[Target, Path, bool], dict[str, Any]] = {}

    def bind(
        self, policy: Policy, target: Target, params: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The values of the names that a policy's expressions may use, and those of predefined
        variables.
        """
        anchored = isinstance(policy.match, Constraints)
        key = (target, policy.template, anchored)
        common = self._seen.get(key)
        if common is None:
            common = self._seen[key] = self._common(target, policy.template, anchored)
        base = {**common, "params": params}
        if policy.dialect == KYVERNO:
            base.update(answering(policy, base["object"], self.world))
        if policy.dialect != GATEKEEPER:
            return base, {}
        deleted = self.request.operation == "DELETE" and base["object"] is None
        anything = base["oldObject"] if deleted else base["object"]
        return base, {PARAMS: params, ANY_OBJECT: anything}

    def _common(self, target: Target, template: Path, anchored: bool) -> dict[str, Any]:
        request = self.request
        return {
            "object": shown(_presented(request.object, target, request), template, anchored),
            "oldObject": shown(_presented(request.old, target, request), template, anchored),
            "request": request_value(request, target),
            "namespaceObject": self._namespace,
            **self._authorizer,
        }


def _presented(
    raw: dict[str, Any] | None, target: Target, request: Request
) -> dict[str, Any] | None:
    """The object in the version that was matched."""
    if raw is None or (target.group, target.version) == (request.group, request.version):
        return raw
    api = f"{target.group}/{target.version}" if target.group else target.version
    return {**raw, "apiVersion": api}


def request_value(request: Request, target: Target) -> dict[str, Any]:
    """`request`: an AdmissionRequest without its objects; what is empty and optional is absent."""
    kind = {"group": request.group, "version": request.version, "kind": request.kind}
    resource = {
        "group": request.group,
        "version": request.version,
        "resource": request.resource,
    }
    matched = {"group": target.group, "version": target.version}
    user = request.user
    information = {
        "username": user.username,
        "uid": user.uid,
        "groups": list(user.groups),
        "extra": {key: list(values) for key, values in user.extra.items()},
    }
    value: dict[str, Any] = {
        "uid": request.uid,
        "kind": {**matched, "kind": request.kind},
        "resource": {**matched, "resource": target.resource},
        "requestKind": kind,
        "requestResource": resource,
        "operation": request.operation,
        "userInfo": {key: v for key, v in information.items() if v},
        "dryRun": request.dry_run,
    }
    optional = {
        "name": request.name,
        "namespace": request.namespace,
        "subResource": request.subresource,
        "requestSubResource": request.subresource,
        "options": request.options,
    }
    value.update({key: v for key, v in optional.items() if v})
    return value


def namespace_object(request: Request, world: World) -> Any:
    """`namespaceObject`: null for cluster-scoped kinds and for a Namespace itself."""
    if request.is_namespace or not request.namespace:
        return None
    try:
        raw = world.namespace(request.namespace).raw
    except NotKnown as error:
        return Unknown("namespaceObject", str(error))
    metadata = raw.get("metadata")
    metadata = dict(metadata) if isinstance(metadata, dict) else {}
    labels = metadata.get("labels")
    metadata["labels"] = {
        **(labels if isinstance(labels, dict) else {}),
        "kubernetes.io/metadata.name": request.namespace,
    }
    shown_metadata = {key: v for key, v in metadata.items() if key not in _HIDDEN}
    return {**raw, "metadata": shown_metadata}
