"""From a check file to programs: the names of its expressions, and the rule for one version."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from martello.core.check import Check
from martello.core.errors import BadInput
from martello.core.path import Path
from martello.core.path import parse as parse_path

if TYPE_CHECKING:
    from martello.catalogue.subject import Subject
    from martello.cel.env import Env
    from martello.cel.program import Program

# The names of every expression, in the order in which `Subject.slots` holds their values; the
# element of `each` comes after them.
SLOTS: Final = (
    "object",
    "pod",
    "podMetadata",
    "containers",
    "params",
    "namespaceObject",
    "kubernetes",
)
PARAMS: Final = SLOTS.index("params")
NAMESPACE: Final = SLOTS.index("namespaceObject")
ELEMENT: Final = len(SLOTS)
_ANY: Final = "1.1000"  # whatever the compiler knows: it is we who run a check, not a server
_Key = tuple[str, tuple[tuple[str, ...], ...], str]
_programs: dict[_Key, Program] = {}


class Call:
    """A program to be called by position: `function(*get(slots))`."""

    __slots__ = ("element", "function", "get", "namespace", "program")

    def __init__(self, program: Program) -> None:
        indexes = [SLOTS.index(n) if n in SLOTS else ELEMENT for n in program.parameters]
        self.program = program
        self.function: Callable[..., Any] = program.function
        self.get: Callable[[list[Any]], Any] = _getter(indexes)
        self.element = ELEMENT in indexes
        self.namespace = NAMESPACE in indexes


class Validation:
    """One expression that must be true, what to say where it is not, and where to point."""

    __slots__ = ("call", "each", "message", "message_call", "path", "pod")

    def __init__(
        self,
        call: Call,
        message: str,
        message_call: Call | None,
        path: Path,
        *,
        each: bool,
        pod: bool,
    ) -> None:
        self.call = call
        self.message = message
        self.message_call = message_call
        self.path = path
        self.each = each
        self.pod = pod


class Rule:
    """A check compiled for one Kubernetes version, with the values of its parameters."""

    __slots__ = ("check", "each", "params", "pod", "validations", "when")

    def __init__(
        self,
        check: Check,
        each: str,
        when: Call | None,
        validations: tuple[Validation, ...],
        params: Mapping[str, Any],
    ) -> None:
        self.check = check
        self.each = each
        self.when = when
        self.validations = validations
        self.params = params
        self.pod = check.kinds == ("workload",)


def compile_rule(check: Check, version: int, params: Mapping[str, Any]) -> Rule | None:
    """The rule of a YAML check for a Kubernetes minor version; None where it has none for it."""
    rule = check.rule
    assert rule is not None
    held = [entry for entry in rule["versions"] if entry["since"] <= version]
    if not held:
        return None
    _restore(rule)
    entry = held[-1]
    element, variables = rule["as"], rule["variables"]
    workload = check.kinds == ("workload",)

    def call(text: str, boolean: bool = True) -> Call | None:
        return Call(program(element, variables, text, boolean)) if text else None

    validations = []
    for item in entry["validations"]:
        ask = call(item["expression"])
        assert ask is not None
        validations.append(
            Validation(
                ask,
                item["message"],
                call(item["messageExpression"], boolean=False),
                parse_path(item["path"]),
                each=bool(rule["each"]) and not item["on"],
                pod=item["on"] == "pod" or workload,
            )
        )
    return Rule(check, rule["each"], call(entry["when"]), tuple(validations), params)


def program(element: str, variables: list[list[str]], text: str, boolean: bool) -> Program:
    """The program of an expression, its variables bound in front of it; compiled once."""
    key = _key(element, variables, text)
    found = _programs.get(key)
    if found is None:
        from martello.catalogue.variables import bound
        from martello.cel.types import BOOL, STRING

        whole = bound(text, variables) if variables else text
        result = BOOL if boolean else STRING
        found = _programs[key] = environment(element).compile(whole, result)
    return found


def _key(element: str, variables: list[list[str]], text: str) -> _Key:
    return (element, tuple(map(tuple, variables)), text)


def _restore(rule: Mapping[str, Any]) -> None:
    """Takes over the programs that a check from the cache brings along."""
    packed = rule.get("programs")
    if packed is not None:
        from martello.cel.cache import load

        for text, one in zip(_texts(rule), load(packed), strict=True):
            _programs.setdefault(_key(rule["as"], rule["variables"], text), one)


def programs(rule: Mapping[str, Any]) -> list[Program]:
    """Every program of a check, whatever its version."""
    return [
        program(rule["as"], rule["variables"], text, boolean)
        for text, boolean in _texts(rule).items()
    ]


def _texts(rule: Mapping[str, Any]) -> dict[str, bool]:
    """The expressions of a check in a fixed order, and whether they are conditions or messages."""
    texts: dict[str, bool] = {}
    for entry in rule["versions"]:
        texts[entry["when"]] = True
        for item in entry["validations"]:
            texts[item["expression"]] = True
            texts[item["messageExpression"]] = False
    texts.pop("", None)
    return texts


@cache
def environment(element: str) -> Env:
    """Kubernetes' newest dialect with the names of a check; `element` is what `each` binds."""
    from martello.cel.env import Env
    from martello.cel.issues import SyntaxFault
    from martello.cel.macros import BIND, Builder, Macro, path_of
    from martello.cel.nodes import Node
    from martello.cel.types import DYN, INT, list_of
    from martello.core.workload import INHERITED

    def inherited(target: Node | None, args: tuple[Node, ...], build: Builder) -> Node:
        path = path_of(args[1])
        fields = (path or ())[1:]
        if path is None or path[0] != "securityContext" or not fields:
            message = "the second argument is a field such as securityContext.runAsUser"
            raise SyntaxFault(message, args[1].start, args[1].end)
        if fields[0] not in INHERITED and fields[0] != "windowsOptions":
            message = f"containers do not inherit {fields[0]} from their pod"
            raise SyntaxFault(message, args[1].start, args[1].end)
        # windowsOptions is inherited field by field, everything else as a whole.
        split = len(fields) if fields[0] == "windowsOptions" else 1
        whole = "".join(f".?${index + 1}" for index in range(split))
        rest = "".join(f".?${index + 1}" for index in range(split, len(fields)))
        text = f"$0.?securityContext{whole}.or(.pod.?securityContext{whole}){rest}"
        return build.template(text, args[0], *fields)

    names = dict.fromkeys(SLOTS, DYN)
    names |= {"kubernetes": INT, "containers": list_of(DYN)}
    if element:
        names[element] = DYN
    macros = (*BIND, Macro("inherited", 2, False, inherited))
    return Env.kubernetes(_ANY, variables=names, mode="stored").extend(macros=macros)


def condition(text: str) -> Callable[[Subject], Any]:
    """A boolean expression over an object or workload. Raises BadInput where it is wrong; calling
    it may raise `EvalError`.
    """
    from martello.cel.issues import CompileError

    try:
        call = Call(program("", [], text, boolean=True))
    except CompileError as error:
        raise BadInput(f"cannot use the expression {text!r}", str(error)) from None
    return lambda subject: call.function(*call.get(subject.slots))


def problems(rule: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """What is wrong with the expressions of a check file: the key of each, and why."""
    from martello.catalogue.variables import VARIABLES, references
    from martello.cel.issues import CompileError
    from martello.cel.types import BOOL, DYN, STRING

    env = environment(rule["as"]).extend(variables={VARIABLES: DYN})
    seen: dict[tuple[str, bool], list[str]] = {}

    def check(text: str, known: set[str], boolean: bool | None) -> list[str]:
        key = (text, bool(boolean))
        if text and key not in seen:
            result = DYN if boolean is None else BOOL if boolean else STRING
            try:
                env.compile(text, result)
            except CompileError as error:
                seen[key] = [str(error)]
            else:
                missing = sorted(set(references(text)) - known)
                seen[key] = [f"variables.{name} is not declared before" for name in missing]
        return seen.get(key, [])

    known: set[str] = set()
    for index, (name, text) in enumerate(rule["variables"]):
        for message in check(text, known, None):
            yield ("variables", index, "expression"), message
        known.add(name)
    for entry in rule["versions"]:
        base: Path = tuple(entry["at"])
        for message in check(entry["when"], known, True):
            yield (*base, "when"), message
        for index, item in enumerate(entry["validations"]):
            for key, boolean in (("expression", True), ("messageExpression", False)):
                for message in check(item[key], known, boolean):
                    yield (*base, "validations", index, key), message


def _getter(indexes: list[int]) -> Callable[[list[Any]], Any]:
    if len(indexes) > 1:
        return itemgetter(*indexes)
    first = indexes[0] if indexes else 0
    return itemgetter(slice(first, first + len(indexes)))
