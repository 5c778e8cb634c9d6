"""Replays conformance tests of the expression language in the format of the corpus `cel-spec`."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from martello.cel.compiler import analyse, compile_text
from martello.cel.env import Env
from martello.cel.issues import CompileError
from martello.cel.lib.time import parse_duration, parse_timestamp
from martello.cel.types import Library, Overload, Type
from martello.cel.values import EvalError, KeyedMap, TypeValue, UInt, type_name

_TOKEN = re.compile(r"[\w.]+|[(),]")
_NAMES = {
    "timestamp": "google.protobuf.Timestamp",
    "duration": "google.protobuf.Duration",
    "any": "dyn",
}


def replay(path: Path) -> Iterator[tuple[str, bool, str]]:
    """Name, verdict and, where it failed, what came out instead, of every test beneath a file or
    directory.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            test = json.loads(line)
            name = f"{test['file']}/{test['section']}/{test['name']}"
            detail = _judge(test)
            yield name, not detail, detail


def _judge(test: dict[str, Any]) -> str:
    """The empty string when a test passes, else what is wrong."""
    expected = test["expect"]
    try:
        env = _env(test)
        if "type" in expected:
            node, checked = analyse(env, test["expr"])
            found = checked.type(node)
            if found != _type(expected["type"]):
                return f"type {found!r} instead of {expected['type']}"
        if test.get("check_only"):
            return ""
        program = compile_text(env, test["expr"], None, bool(test.get("disable_check")))
        bindings = {name: _value(value) for name, value in test.get("bindings", {}).items()}
        return _outcome(expected, program(**bindings))
    except (CompileError, EvalError) as error:
        return "" if "error" in expected else f"{type(error).__name__}: {error}"


def _outcome(expected: dict[str, Any], value: Any) -> str:
    if "error" in expected:
        return f"{value!r} instead of an error"
    if "value" in expected and not _same(value, _value(expected["value"])):
        return f"{value!r} instead of {expected['value']}"
    return ""


def _env(test: dict[str, Any]) -> Env:
    variables: dict[str, Type] = {}
    overloads: list[Overload] = []
    for entry in test.get("type_env", ()):
        if "type" in entry:
            if entry["name"] not in ("true", "false", "null"):
                variables[entry["name"]] = _type(entry["type"])
            continue
        for one in entry["function"]:
            params = tuple(map(_type, one["params"]))
            overloads.append(
                Overload(
                    entry["name"],
                    one["id"],
                    params,
                    _type(one["result"]),
                    _undefined,
                    member=one.get("member", False),
                )
            )
    env = Env.spec(variables, container=test.get("container", ""))
    if overloads:
        env = env.extend(functions=[Library("declared", tuple(overloads))])
    return env


def _undefined(*_args: Any) -> Any:
    raise EvalError("declared, never defined")


def _type(text: str) -> Type:
    tokens = _TOKEN.findall(text)

    def read() -> Type:
        name = tokens.pop(0)
        name = _NAMES.get(name, name)
        params: list[Type] = []
        if tokens and tokens[0] == "(":
            tokens.pop(0)
            while True:
                params.append(read())
                if tokens.pop(0) == ")":
                    break
        return Type(name, tuple(params))

    return read()


def _value(typed: dict[str, Any]) -> Any:
    ((kind, value),) = typed.items()
    if kind == "uint":
        return UInt(value)
    if kind == "double":
        return float(value)
    if kind == "bytes":
        return base64.b64decode(value)
    if kind == "list":
        return [_value(item) for item in value]
    if kind == "map":
        pairs = [(_value(key), _value(item)) for key, item in value]
        plain = all(type(key) is str for key, _ in pairs)
        return dict(pairs) if plain else KeyedMap(pairs)
    if kind == "type":
        return TypeValue(_NAMES.get(value, value))
    if kind == "timestamp":
        return parse_timestamp(value)
    if kind == "duration":
        return parse_duration(value)
    return value


def _same(found: Any, wanted: Any) -> bool:
    """Equality that tells types apart and takes NaN for equal to itself."""
    if type(wanted) in (dict, KeyedMap):
        if type(found) not in (dict, KeyedMap) or len(found) != len(wanted):
            return False
        return all(
            any(_same(key, other) and _same(value, item) for other, item in found.items())
            for key, value in wanted.items()
        )
    if type(wanted) is list:
        return (
            type(found) in (list, tuple)
            and len(found) == len(wanted)
            and all(map(_same, found, wanted))
        )
    if type_name(found) != type_name(wanted):
        return False
    if type(wanted) is float and math.isnan(wanted):
        return math.isnan(found)
    return bool(found == wanted)
