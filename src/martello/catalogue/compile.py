"""From a check file to the rule for one Kubernetes version: programs called by position."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from martello.catalogue.environment import ELEMENT, NAMESPACE, SLOTS
from martello.catalogue.programs import program, restore
from martello.core.check import Check
from martello.core.errors import BadInput
from martello.core.path import Path
from martello.core.path import parse as parse_path

if TYPE_CHECKING:
    from martello.catalogue.subject import Subject
    from martello.cel.program import Program

_BUDGET: Final = 1_000_000  # what the API server grants one expression


class Call:
    """A program to be called by position: `function(*get(slots))`. A limited one, of a check
    that is not ours, gives up where the API server would.
    """

    __slots__ = ("element", "function", "get", "namespace", "program")

    def __init__(self, program: Program, *, limited: bool = False) -> None:
        indexes = [SLOTS.index(n) if n in SLOTS else ELEMENT for n in program.parameters]
        self.program = program
        self.function = _limited(program) if limited else program.function
        self.get: Callable[[list[Any]], Any] = _getter(indexes)
        self.element = ELEMENT in indexes
        self.namespace = NAMESPACE in indexes


class Validation:
    """One expression that must be true, what to say where it is not, and where to point."""

    __slots__ = ("_say", "call", "each", "message", "on", "path")

    def __init__(
        self,
        call: Call,
        message: str,
        say: Callable[[], Call | None],
        path: Path,
        *,
        each: bool,
        on: str,
    ) -> None:
        self.call = call
        self.message = message
        self._say = say
        self.path = path
        self.each = each
        self.on = on

    @property
    def message_call(self) -> Call | None:
        """The expression that words the message, linked only once there is something to say."""
        return self._say()


class Rule:
    """A check compiled for one Kubernetes version, with the values of its parameters."""

    __slots__ = ("check", "each", "on", "params", "validations", "when")

    def __init__(
        self,
        check: Check,
        each: str,
        on: str,
        when: Call | None,
        validations: tuple[Validation, ...],
        params: Mapping[str, Any],
    ) -> None:
        self.check = check
        self.each = each
        self.when = when
        self.validations = validations
        self.params = params
        self.on = on


def compile_rule(check: Check, version: int, params: Mapping[str, Any]) -> Rule | None:
    """The rule of a YAML check for a Kubernetes minor version; None where it has none for it."""
    rule = check.rule
    assert rule is not None
    held = [entry for entry in rule["versions"] if entry["since"] <= version]
    if not held:
        return None
    restore(rule)
    entry = held[-1]
    element, variables = rule["as"], rule["variables"]
    default = "pod" if check.kinds == ("workload",) else "object"

    def call(text: str, boolean: bool = True) -> Call | None:
        if not text:
            return None
        return Call(program(element, variables, text, boolean), limited=rule["limited"])

    validations = []
    for item in entry["validations"]:
        ask = call(item["expression"])
        assert ask is not None
        validations.append(
            Validation(
                ask,
                item["message"],
                cache(partial(call, item["messageExpression"], boolean=False)),
                parse_path(item["path"]),
                each=bool(rule["each"]) and not item["on"],
                on=item["on"] or default,
            )
        )
    return Rule(check, rule["each"], default, call(entry["when"]), tuple(validations), params)


def condition(text: str) -> Callable[[Subject], Any]:
    """A boolean expression over an object or workload. Raises BadInput where it is wrong; calling
    it may raise `EvalError`.
    """
    from martello.cel.issues import CompileError

    try:
        call = Call(program("", [], text, boolean=True), limited=True)
    except CompileError as error:
        raise BadInput(f"cannot use the expression {text!r}", str(error)) from None
    return lambda subject: call.function(*call.get(subject.slots))


def _limited(program: Program) -> Callable[..., Any]:
    """The counted twin of a program; what costs too much is an `EvalError` like any other."""
    from martello.cel.values import EvalError

    counted = program.unit.counted

    def run(*values: Any) -> Any:
        value, _ = counted(*values, _BUDGET)
        if isinstance(value, EvalError):
            raise value
        return value

    return run


def _getter(indexes: list[int]) -> Callable[[list[Any]], Any]:
    if len(indexes) > 1:
        return itemgetter(*indexes)
    first = indexes[0] if indexes else 0
    return itemgetter(slice(first, first + len(indexes)))
