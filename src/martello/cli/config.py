"""Settings: a flag beats MARTELLO_*, which beats the file, which beats the default. Origins are
kept.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from martello.cli.exits import FAIL_ON
from martello.core.check import PROFILES
from martello.core.errors import BadInput
from martello.core.finding import SEVERITIES

FILE: Final = "martello.toml"
_SWITCH: Final = {"1": True, "true": True, "yes": True, "on": True} | dict.fromkeys(
    ("0", "false", "no", "off", ""), False
)
_LONGEST: Final = 36_500  # days


class Setting(msgspec.Struct, frozen=True):
    """One setting: its default, the words it may take (empty: any), and what it means. In a
    configuration file, `path` ones are meant from where the file is.
    """

    default: Any
    words: tuple[str, ...]
    meaning: str
    path: bool = False


SETTINGS: Final[Mapping[str, Setting]] = {
    "fail-on": Setting("high", FAIL_ON, "lowest severity that makes the exit code 1"),
    "show": Setting("low", SEVERITIES, "lowest severity that is printed"),
    "profile": Setting("default", (*PROFILES[:2], "all"), "which checks run"),
    "frameworks": Setting([], (), "frameworks whose checks run, such as pss-restricted"),
    "skip": Setting([], (), "checks that do not run"),
    "exclude": Setting([], (), "paths that are not read, as in a .gitignore"),
    "kubernetes": Setting("", (), "the version that the manifests are meant for"),
    "policies": Setting([], (), "directories with check files of your own", path=True),
    "baseline": Setting("", (), "file of accepted findings: only new ones fail", path=True),
    "state": Setting("", (), "URL of the ledger of images [default: the user's own]"),
    "lake": Setting("", (), "URL of the lake of events [default: the user's own]"),
    "image-policy": Setting([], (), "files of image policies: what may run", path=True),
    "approvers": Setting([], (), "public keys whose approvals of images count", path=True),
    "allow-incomplete": Setting(False, (), "exit 0 although something could not be assessed"),
}
WAIVERS: Final[Mapping[str, Setting]] = {
    "files": Setting([], (), "files or directories with waivers", path=True),
    "foreign": Setting("honour", ("honour", "ignore"), "inline skips of other tools"),
    "max-days": Setting(365, (), "longest life of a waiver, in days"),
}

CROWN: Final[Mapping[str, Setting]] = {
    "secrets": Setting([], (), "NAMESPACE/NAME, or NAMESPACE/* for all: no path may lead there"),
    "accounts": Setting([], (), "service accounts, as NAMESPACE/NAME"),
    "namespaces": Setting([], (), "namespaces: all accounts, secrets or pods of them"),
    "nodes": Setting([], (), "nodes, by name"),
    "starve": Setting([], (), "namespaces whose pods nobody may starve"),
}

MONITOR: Final[Mapping[str, Setting]] = {
    "sinks": Setting([], (), "sinks that hear of every alert, such as slack:env:SLACK_URL"),
    "team-label": Setting("team", (), "the label or annotation that says whose a pod is"),
}
ROUTES: Final = "route"  # [[monitor.route]]


class Config(msgspec.Struct, frozen=True):
    """All settings, with where each came from (`flag`, `MARTELLO_X`, `FILE`, `default`)."""

    values: Mapping[str, Any]
    waivers: Mapping[str, Any]
    checks: Mapping[str, Mapping[str, Any]]  # check id → params, in camelCase
    origin: Mapping[str, str]
    crown: Mapping[str, Any] = {}
    monitor: Mapping[str, Any] = {}
    routes: tuple[Any, ...] = ()  # the tables [[monitor.route]] as they are written

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


def load_config(flags: Mapping[str, Any], start: Path, environ: Mapping[str, str]) -> Config:
    """Builds the configuration. `flags` holds what was typed (None: not typed). Raises BadInput."""
    directory, path, table = _read(start)
    values: dict[str, Any] = {}
    waivers: dict[str, Any] = {}
    crown: dict[str, Any] = {}
    monitor: dict[str, Any] = {}
    origin: dict[str, str] = {}
    _unknown(table, {*SETTINGS, "waivers", "crown", "monitor", "checks"}, path)
    given_routes, told = _routes(table.get("monitor", {}), path)
    layers = (
        (SETTINGS, values, table, ""),
        (WAIVERS, waivers, table.get("waivers", {}), "waivers."),
        (CROWN, crown, table.get("crown", {}), "crown."),
        (MONITOR, monitor, told, "monitor."),
    )
    for settings, into, given, prefix in layers:
        if not isinstance(given, dict):
            raise BadInput(f"{path}: [{prefix[:-1]}] is no table", "", f"see {FILE} in the docs")
        if prefix:
            _unknown(given, set(settings), path)
        for name, setting in settings.items():
            key = f"{prefix}{name}"
            variable = "MARTELLO_" + key.upper().replace("-", "_").replace(".", "_")
            if flags.get(key) not in (None, (), []):
                value, source = flags[key], "flag"
            elif variable in environ:
                value, source = _from_text(environ[variable], setting), variable
            elif name in given:
                value, source = _from_file(given[name], setting, start, directory), path
            else:
                value, source = setting.default, "default"
            into[name] = _checked(key, value, setting, source)
            origin[key] = source
    params = _params(table.get("checks", {}), path)
    return Config(values, waivers, params, origin, crown, monitor, given_routes)


def _read(start: Path) -> tuple[Path, str, dict[str, Any]]:
    """The nearest martello.toml, or [tool.martello] of a pyproject.toml, up to the repository's
    root: its directory, its name and what it says.
    """
    for directory in (start, *start.parents):
        for name in (FILE, "pyproject.toml"):
            path = directory / name
            if not path.is_file():
                continue
            table = _toml(path)
            if name == FILE:
                return directory, str(path), table
            tools = table.get("tool")
            if isinstance(tools, dict) and "martello" in tools:
                if not isinstance(tools["martello"], dict):
                    raise BadInput(f"{path}: [tool.martello] is no table", "", f"see {FILE}")
                return directory, f"{path} [tool.martello]", tools["martello"]
        if (directory / ".git").exists():
            break
    return start, "", {}


def _toml(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(
            f"cannot read {path}", str(error), "mend the file or move it away"
        ) from error


def _routes(table: Any, path: str) -> tuple[tuple[Any, ...], Any]:
    """The routes of [monitor], and what else it says."""
    if not isinstance(table, dict):
        return (), table
    given = table.get(ROUTES, [])
    if not isinstance(given, list):
        raise BadInput(f"{path}: a route is [[monitor.route]]", "", "two brackets around it")
    return tuple(given), {key: value for key, value in table.items() if key != ROUTES}


def _unknown(table: Mapping[str, Any], known: set[str], path: str) -> None:
    for name in table:
        if name not in known:
            from martello.cli.errors import nearest

            hint = f"did you mean '{nearest(name, known)}'?"
            raise BadInput(f"{path}: unknown setting '{name}'", "", hint)


def _from_file(value: Any, setting: Setting, start: Path, directory: Path) -> Any:
    """A value of the file; paths as seen from the current directory."""
    if not setting.path or directory == start:
        return value
    if isinstance(value, list):
        return [_from_file(word, setting, start, directory) for word in value]
    if not isinstance(value, str) or not value or os.path.isabs(value):
        return value
    return os.path.relpath(directory / value, start)


def _from_text(text: str, setting: Setting) -> Any:
    if isinstance(setting.default, bool):
        return _SWITCH.get(text.lower(), text)
    if isinstance(setting.default, int):
        return int(text) if text.isdecimal() else text
    if isinstance(setting.default, list):
        return [word for word in text.replace(",", " ").split() if word]
    return text


def _checked(key: str, value: Any, setting: Setting, source: str) -> Any:
    if isinstance(value, tuple):
        value = list(value)
    wrong = type(value) is not type(setting.default) or (
        isinstance(value, list) and not all(isinstance(word, str) for word in value)
    )
    if wrong:
        kind = {bool: "true or false", int: "a number", list: "a list of words"}.get(
            type(setting.default), "a word"
        )
        why = f"it was given in {source}"
        raise BadInput(f"setting '{key}' takes {kind}", why, "martello config show --origin")
    if type(value) is int and not 0 < value <= _LONGEST:
        why = f"it was given in {source}"
        raise BadInput(f"setting '{key}' cannot be {value}", why, f"a number up to {_LONGEST}")
    if setting.words and value not in setting.words:
        words = ", ".join(setting.words)
        why = f"it was given in {source}"
        raise BadInput(f"setting '{key}' cannot be '{value}'", why, f"use one of: {words}")
    return value


def _params(table: Any, path: str) -> dict[str, dict[str, Any]]:
    """Parameters of checks: kebab-case in the file, camelCase in the checks."""
    if not isinstance(table, dict) or not all(isinstance(v, dict) for v in table.values()):
        raise BadInput(f"{path}: [checks.ID] must be tables", "", "[checks.RES-004]\nmax-ratio = 4")
    return {
        check: {_camel(name): value for name, value in params.items()}
        for check, params in table.items()
    }


def _camel(name: str) -> str:
    first, *rest = name.split("-")
    return first + "".join(word.capitalize() for word in rest)
