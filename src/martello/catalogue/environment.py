"""The names that the expressions of a check may use, and what is wrong with its expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from martello.core.path import Path

if TYPE_CHECKING:
    from martello.cel.env import Env
    from martello.cel.syntax.macros import Builder
    from martello.cel.syntax.nodes import Node

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


@cache
def environment(element: str) -> Env:
    """Kubernetes' newest dialect with the names of a check; `element` is what `each` binds."""
    from martello.cel.env import Env
    from martello.cel.syntax.macros import BIND, Macro
    from martello.cel.types import DYN, INT, list_of

    names = dict.fromkeys(SLOTS, DYN)
    names |= {"kubernetes": INT, "containers": list_of(DYN)}
    if element:
        names[element] = DYN
    macros = (*BIND, Macro("inherited", 2, False, _inherited))
    return Env.kubernetes(_ANY, variables=names, mode="stored").extend(macros=macros)


def _inherited(target: Node | None, args: tuple[Node, ...], build: Builder) -> Node:
    """`inherited(container, securityContext.X)`: the container's value, else the pod's."""
    from martello.cel.issues import SyntaxFault
    from martello.cel.syntax.macros import path_of
    from martello.core.workload import INHERITED

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
