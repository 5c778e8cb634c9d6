"""A policy's expressions, compiled: what each of its parts is to be run with.

An expression that does not compile is no verdict: the server would not have taken the policy.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from martello.catalogue.policy.answers import declared
from martello.catalogue.policy.model import GATEKEEPER, KYVERNO, Named, Policy, Validation
from martello.cel.env import Env
from martello.cel.issues import CompileError
from martello.cel.types import BOOL, DYN, Type
from martello.core.path import Path
from martello.core.version import NEWEST

if TYPE_CHECKING:
    from martello.cel.program import Program

_VARIABLES: Final = ("object", "oldObject", "request", "namespaceObject", "variables")
# Gatekeeper defines these two before a template's own variables.
PARAMS: Final = "params"
ANY_OBJECT: Final = "anyObject"


class Fault(Exception):
    """An expression that does not compile: where it stands and why."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(why)
        self.path = path
        self.why = why


class Programs:
    """The programs of one policy, in the order of its parts; a message without an expression is
    None.
    """

    __slots__ = ("audit", "conditions", "messages", "validations", "variables")

    def __init__(self, policy: Policy, minor: int = NEWEST) -> None:
        """Compiles everything. Raises Fault for the first expression that does not compile."""
        env = environment(policy.dialect, minor, policy.param_kind is not None)
        known = {PARAMS, ANY_OBJECT} if policy.dialect == GATEKEEPER else set()
        self.variables: dict[str, Program] = {}
        for variable in policy.variables:
            self.variables[variable.name] = _compile(env, variable, None, known)
            known.add(variable.name)
        self.conditions = [_compile(env, c, BOOL, known) for c in policy.conditions]
        self.validations = [_compile(env, _named(v), BOOL, known) for v in policy.validations]
        plain = environment(policy.dialect, minor, policy.param_kind is not None, False)
        self.messages = [_message(plain, v, known) for v in policy.validations]
        self.audit = [_compile(env, a, None, known) for a in policy.audit]


@functools.cache
def environment(dialect: str, minor: int, params: bool, authorizer: bool = True) -> Env:
    """What the expressions of a dialect may name; messages may not ask the authorizer, and
    Gatekeeper's templates get their parameters as a variable only.
    """
    variables: dict[str, Type] = dict.fromkeys(_VARIABLES, DYN)
    if params:
        variables["params"] = DYN
    for name, kind in declared(dialect).items():
        if not name.startswith("authorizer") or (authorizer and dialect != GATEKEEPER):
            variables[name] = kind
    if dialect == KYVERNO:
        return Env.kyverno(variables)
    return Env.kubernetes(f"1.{minor}", variables, mode="stored")


def _named(validation: Validation) -> Named:
    return Named("", validation.expression, validation.path)


def _message(env: Env, validation: Validation, known: Iterable[str]) -> Program | None:
    if not validation.message_expression.strip():
        return None
    path = (*validation.path[:-1], "messageExpression")
    return _compile(env, Named("", validation.message_expression, path), None, known)


def _compile(env: Env, named: Named, result: Type | None, known: Iterable[str]) -> Program:
    try:
        program = env.compile(named.expression, result)
    except CompileError as error:
        raise Fault(named.path, str(error)) from error
    for path in program.reads:
        if path[0] == "variables" and len(path) > 1 and path[1] not in known and path[1] != "[]":
            raise Fault(named.path, f"undeclared reference to variables.{path[1]}")
    return program
