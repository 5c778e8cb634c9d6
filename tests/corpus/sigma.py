"""Replays Sigma's rules and regression pairs: every rule loads or says why not, every pair fires,
and an event with a changed field is judged as a second reading of the rule judges it.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule
from tests.support.monitor import naive_sigma

from martello.practices.monitor.engine.rule import Rule
from martello.practices.monitor.engine.scalar import holds
from martello.practices.monitor.problems import Loaded
from martello.practices.monitor.sigma.logsource import json_log
from martello.practices.monitor.sigma.read import load

Case = tuple[str, bool, str]
CHANGED = "martello: another value"
ANYTHING = (json_log(),)  # every log source as lines of JSON


def replay(path: Path) -> Iterator[Case]:
    """Every rule file by itself, then every pair."""
    for row in _rows(path / "rules.jsonl.gz"):
        yield _loads(row)
        yield _silent(row) if row["path"].startswith("unsupported/") else _runs(row)
    for row in _rows(path / "regression.jsonl.gz"):
        yield from _pair(row)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _loads(row: Mapping[str, Any]) -> Case:
    """As a user loads it: each rule has a tree, or a reason."""
    loaded = load({row["path"]: row["yaml"]})
    told = [rule.unassessed for rule in loaded.pack]
    right = bool(told) and all(_has_meaning(rule) for rule in loaded.pack)
    return f"load {row['path']}", right, f"{told} {_errors(loaded)}"


def _runs(row: Mapping[str, Any]) -> Case:
    """With events for every log source, a supported rule has a tree, or a reason of its own."""
    loaded = load({row["path"]: row["yaml"]}, sources=ANYTHING)
    right = not loaded.errors and all(_has_meaning(rule) for rule in loaded.pack)
    why = [rule.unassessed for rule in loaded.pack]
    return f"run {row['path']}", right and not any("no source" in one for one in why), f"{why}"


def _silent(row: Mapping[str, Any]) -> Case:
    """With events for every log source, nothing of an unsupported rule alerts but what is a
    correlation, or a plain condition that Sigma's own tools take.
    """
    loaded = load({row["path"]: row["yaml"]}, sources=ANYTHING)
    parts = {
        id for one in loaded.pack if one.correlate and not one.correlate.alone
        for id in one.correlate.of
    }  # fmt: skip
    alerting = [rule.id for rule in loaded.pack.usable("log") if rule.id not in parts]
    right = not alerting or (_plain(row["yaml"]))
    return f"silent {row['path']}", right, f"alerting {alerting} {_errors(loaded)}"


def _plain(text: str) -> bool:
    """Whether pySigma takes every condition of a rule that does not call itself unsupported."""
    try:
        rule = SigmaRule.from_yaml(text)
        return str(rule.status) != "unsupported" and all(
            one.parsed is not None for one in rule.detection.parsed_condition
        )
    except SigmaError:
        return False


def _has_meaning(rule: Rule) -> bool:
    return bool(rule.unassessed) or rule.correlate is not None or bool(rule.kinds)


def _errors(loaded: Loaded) -> str:
    return "; ".join(map(str, loaded.errors))


def _pair(row: Mapping[str, Any]) -> Iterator[Case]:
    name = f"{row['rule_id']} {row['n']}"
    loaded = load({"rule.yml": row["rule_yaml"]}, sources=ANYTHING)
    rules = list(loaded.pack)
    if len(rules) != 1 or rules[0].unassessed:
        yield name, False, f"not usable: {[r.unassessed for r in rules]} {_errors(loaded)}"
        return
    event = flat(row["event"])
    yield name, _fires(rules[0], event) is row["expect"], "did not fire"
    matched = sorted(_matched(row["rule_yaml"], event))
    other = {**event, **dict.fromkeys(matched, CHANGED)}
    yield f"{name} changed", not _fires(rules[0], other), f"fired without {matched}"
    for field in matched:
        for way, changed in (
            ("changed", {**event, field: CHANGED}),
            ("missing", {k: v for k, v in event.items() if k != field}),
        ):
            wanted = naive_sigma.fires(row["rule_yaml"], changed)
            found = _fires(rules[0], changed)
            yield f"{name} {field} {way}", found is wanted, f"said {found}"


def _fires(rule: Rule, event: Mapping[str, Any]) -> bool:
    raw = json.dumps(event, ensure_ascii=False)
    return holds(rule.tree, {"kind": "log", "raw": raw}) is True


def _matched(rule_yaml: str, event: Mapping[str, Any]) -> Iterator[str]:
    """The fields that the rule names outside its filters and that the event has."""
    import yaml

    stack: list[Any] = []
    for name, one in yaml.safe_load(rule_yaml)["detection"].items():
        if name != "condition" and not name.startswith("filter"):
            stack.append(one)
    found: set[str] = set()
    while stack:
        one = stack.pop()
        if isinstance(one, list):
            stack.extend(one)
        elif isinstance(one, dict):
            found.update(key.partition("|")[0] for key in one)
    yield from (name for name in found if name in event)


def flat(event: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a Windows event: EventData or what UserData holds, and System flattened."""
    root = event["Event"]
    found: dict[str, Any] = {}
    for key, value in (root.get("System") or {}).items():
        _put(found, key, value)
    data = root.get("EventData") or {}
    if not data:
        data = next((v for v in (root.get("UserData") or {}).values() if isinstance(v, dict)), {})
    for key, value in data.items():
        _put(found, key, value)
    return found


def _put(found: dict[str, Any], key: str, value: Any) -> None:
    """One member, by its name with and without blanks; attributes as `Name_Attribute`."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "#attributes" and isinstance(inner, dict):
                for attribute, text in inner.items():
                    _put(found, f"{key}_{attribute}", text)
            else:
                _put(found, key if name == "#text" else f"{key}_{name}", inner)
    elif value is not None and key != "#attributes":
        found[key] = value
        found.setdefault(key.replace(" ", ""), value)
