"""Environments: what an expression may name, in the dialects of the specification, of Kubernetes
and of Kyverno.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Final

from martello.cel.emit.expressions import Origins
from martello.cel.issues import BadInput
from martello.cel.libraries import CORE, FUNCTION_SINCE, library, register
from martello.cel.program import Program
from martello.cel.syntax.macros import BIND, BLOCK, OPTIONAL, SORT, STANDARD, TWO_VARIABLES, Macro
from martello.cel.types import DYN, STRING, Library, Overload, Type

_SPEC: Final = (
    *CORE,
    "strings",
    "math",
    "encoders",
    "ip_specification",
    "cidr",
    "sets",
    "lists",
    "regex",
    "regex_extension",
)
_KUBERNETES: Final = (
    *CORE,
    "strings_kubernetes",
    "lists",
    "regex",
    "url",
    "quantity",
    "authorizer",
    "sets",
    "ip",
    "cidr",
    "format",
    "semver",
    "jsonpatch",
)
_KYVERNO: Final = (*_KUBERNETES, "math", "encoders", "regex_extension", "kyverno")
LATEST: Final = 35
_JSON_PATCH: Final = {"op": STRING, "path": STRING, "from": STRING, "value": DYN}
MacroKey = tuple[str, int, bool]
FunctionKey = tuple[str, bool]


class Env:
    """An immutable set of variables, functions and macros, and the programs compiled in it."""

    def __init__(
        self,
        dialect: str,
        libraries: tuple[Library, ...],
        macros: tuple[Macro, ...],
        variables: Mapping[str, Type],
        *,
        version: str = "",
        minor: int = 0,
        container: str = "",
        extras: Mapping[str, Library] | None = None,
    ) -> None:
        self.dialect = dialect
        self.libraries = libraries
        self.variables = dict(variables)
        self.version = version
        self.minor = minor
        self.container = container
        self.extras: Mapping[str, Library] = extras or {}
        self.homogeneous = dialect != "spec"
        self.literal_checks = dialect != "spec" and (not minor or minor >= 29)
        self.fields: dict[tuple[str, str], Type] = {}
        self.resolved: dict[tuple[str, bool, tuple[Type, ...]], tuple[Type, tuple[Overload, ...]]]
        self.resolved = {}
        self._programs: dict[tuple[str, Type | None], Program] = {}
        self._macros = macros
        self.macros: dict[MacroKey, Macro] = {}
        for macro in macros:
            if self.allows(macro.since):
                self.macros[macro.name, macro.arity, macro.member] = macro
        self.types: dict[str, Type] = {}
        for each in libraries:
            self.types.update(each.types)
        names = (*self.variables, *self.types)
        self.roots = frozenset(name.partition(".")[0] for name in names if "." in name)

    # -- dialects

    @classmethod
    def kubernetes(
        cls,
        version: str = "1.34",
        variables: Mapping[str, Type] | None = None,
        mode: str = "new",
    ) -> Env:
        """What a cluster of a version takes: `new` expressions as they are written, or `stored`
        ones it must still run.
        """
        minor = _minor(version)
        if mode not in ("new", "stored"):
            raise BadInput(f"mode is new or stored, not {mode}")
        minor = minor - 1 if mode == "new" else minor
        libraries = tuple(_libraries(_KUBERNETES, minor))
        macros = (*STANDARD, *OPTIONAL, *TWO_VARIABLES, *SORT)
        return cls("kubernetes", libraries, macros, variables or {}, version=version, minor=minor)

    @classmethod
    def spec(cls, variables: Mapping[str, Type] | None = None, container: str = "") -> Env:
        """The language as its specification tests it, with every extension of it."""
        macros = (*STANDARD, *OPTIONAL, *TWO_VARIABLES, *SORT, *BIND, *BLOCK)
        libraries = tuple(_libraries(_SPEC, 0))
        return cls("spec", libraries, macros, variables or {}, container=container)

    @classmethod
    def kyverno(cls, variables: Mapping[str, Type] | None = None) -> Env:
        """The latest Kubernetes dialect with what Kyverno adds to it."""
        from martello.cel.lib.kyverno import VARIABLES

        libraries = tuple(_libraries(_KYVERNO, 0))
        macros = (*STANDARD, *OPTIONAL, *TWO_VARIABLES, *SORT, *BIND)
        return cls("kyverno", libraries, macros, {**VARIABLES, **(variables or {})})

    def extend(
        self,
        variables: Mapping[str, Type] | None = None,
        functions: Iterable[Library] = (),
        macros: Iterable[Macro] = (),
        replace: bool = False,
    ) -> Env:
        """This environment and more; a name that is taken is a BadInput unless `replace`."""
        added = tuple(map(register, functions))
        more = tuple(macros)
        if not replace:
            self._clashes(variables or {}, added, more)
        replaced = {id for each in added for id in (one.id for one in each.overloads)}
        kept = (
            tuple(_without(each, replaced) for each in self.libraries)
            if replace
            else self.libraries
        )
        return Env(
            self.dialect,
            (*kept, *added),
            (*self._macros, *more),
            {**self.variables, **(variables or {})},
            version=self.version,
            minor=self.minor,
            container=self.container,
            extras={**self.extras, **{each.name: each for each in added}},
        )

    def _clashes(
        self,
        variables: Mapping[str, Type],
        libraries: tuple[Library, ...],
        macros: tuple[Macro, ...],
    ) -> None:
        taken = [name for name in variables if name in self.variables or name in self.types]
        names = {each.name for each in self.libraries}
        taken += [each.name for each in libraries if each.name in names]
        ids = self.origins.by_overload
        taken += [one.id for each in libraries for one in each.overloads if one.id in ids]
        taken += [m.name for m in macros if (m.name, m.arity, m.member) in self.macros]
        if taken:
            raise BadInput(f"declared already: {', '.join(sorted(taken))}")

    # -- look-ups

    def allows(self, since: int) -> bool:
        """True when something introduced in a minor version may be used."""
        return not self.minor or since <= self.minor

    def candidates(self, name: str) -> Iterator[str]:
        """The names that a name may mean, the innermost namespace first."""
        if name.startswith("."):
            yield name[1:]
            return
        prefix = self.container
        while prefix:
            yield f"{prefix}.{name}"
            prefix = prefix.rpartition(".")[0]
        yield name

    @cached_property
    def functions(self) -> dict[FunctionKey, list[Overload]]:
        """Every overload by function name and form."""
        found: dict[FunctionKey, list[Overload]] = {}
        for each in self.libraries:
            for one in each.overloads:
                if self.allows(FUNCTION_SINCE.get(one.name, 0)):
                    found.setdefault((one.name, one.member), []).append(one)
        return found

    @cached_property
    def origins(self) -> Origins:
        """Which library each overload and function comes from."""
        by_overload: dict[str, str] = {}
        by_function: dict[FunctionKey, tuple[str, ...]] = {}
        for each in self.libraries:
            for one in each.overloads:
                by_overload[one.id] = each.name
                known = by_function.get((one.name, one.member), ())
                if each.name not in known:
                    by_function[one.name, one.member] = (*known, each.name)
        return Origins(by_overload, by_function, self.dialect == "spec")

    def is_struct(self, name: str) -> bool:
        """True for the types that mutations write: `Object`, `Object.spec…` and `JSONPatch`."""
        if self.dialect == "spec":
            return False
        return name in ("Object", "JSONPatch") or name.startswith("Object.")

    def struct_fields(self, name: str) -> dict[str, Type] | None:
        """The fields of a closed type; None where any field may stand."""
        return _JSON_PATCH if name == "JSONPatch" else None

    def later(self, name: str) -> int:
        """The minor version from which a function or macro may be written, when that is a later
        one; else 0.
        """
        if not self.minor:
            return 0
        since = [macro.since for macro in self._macros if macro.name == name]
        if name in FUNCTION_SINCE:
            since.append(FUNCTION_SINCE[name])
        for library_name in _KUBERNETES:
            each = library(library_name)
            if each is not None and any(one.name == name for one in each.overloads):
                since.append(each.since)
        return min([minor + 1 for minor in since if minor > self.minor], default=0)

    # -- programs

    def compile(self, text: str, result: Type | None = None) -> Program:
        """The program of a text, or a CompileError with every issue; `result` is the type it must
        have.
        """
        key = (text, result)
        found = self._programs.get(key)
        if found is None:
            from martello.cel.compiler import compile_text

            found = compile_text(self, text, result)
            if len(self._programs) < 10_000:
                self._programs[key] = found
        return found

    @cached_property
    def fingerprint(self) -> str:
        """A digest of all that decides what a text compiles to."""
        parts = [self.dialect, str(self.minor), self.container]
        parts += [f"{name}:{kind!r}" for name, kind in sorted(self.variables.items())]
        parts += sorted(f"{m.name}/{m.arity}/{m.member}" for m in self._macros)
        for each in self.libraries:
            parts += [
                each.name,
                *[f"{one.id}{one.params!r}{one.result!r}" for one in each.overloads],
            ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _libraries(names: Iterable[str], minor: int) -> Iterator[Library]:
    for name in names:
        each = library(name)
        if each is not None and (not minor or each.since <= minor):
            yield each


def _without(each: Library, ids: set[str]) -> Library:
    if not any(one.id in ids for one in each.overloads):
        return each
    kept = tuple(one for one in each.overloads if one.id not in ids)
    return Library(each.name, kept, since=each.since, types=each.types, classes=each.classes)


def _minor(version: str) -> int:
    major, _, minor = version.lstrip("v").partition(".")
    digits = minor.partition(".")[0]
    if major != "1" or not digits.isdigit():
        raise BadInput(f"{version} is no Kubernetes version such as 1.{LATEST}")
    return int(digits)
