"""Replays audit events against Falco's own rules for them, and against PodSecurityPolicies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.monitor.psp_rules import rules as psp_rules

from martello.adapters.audit.columns import Origin, read
from martello.practices.monitor.engine.rule import Rule
from martello.practices.monitor.engine.scalar import Sieve, holds
from martello.practices.monitor.falco.load import Loaded, load

Case = tuple[str, bool, str]
Row = Mapping[str, Any]
_ORIGIN = Origin(b"a key of these tests")


def replay(path: Path) -> Iterator[Case]:
    """The cases with rule files, the policies, and every file by itself."""
    texts = {one.name: one.read_text(encoding="utf-8") for one in (path / "rules").glob("*.yaml")}
    packs: dict[tuple[str, ...], Loaded] = {}
    for row in _rows(path / "cases.jsonl"):
        files = tuple(row["rules_files"])
        if files not in packs:
            packs[files] = load([(name, texts[name]) for name in files])
        yield f"case {row['test']}", *_case(row, packs[files])
    for row in _rows(path / "psp.jsonl"):
        yield f"psp {row['test']}", *_judged(row, psp_rules(row["psp_yaml"]), {})
    for file in sorted((path / "rules").glob("**/*.yaml")):
        yield f"rules {file.name}", *_loads(file, texts)


def _loads(file: Path, texts: Mapping[str, str]) -> tuple[bool, str]:
    """A file loads, alone or after those whose lists and rules it extends; of our sources every
    rule runs, but those that ask for bytes.
    """
    own = (file.name, file.read_text(encoding="utf-8"))
    found = load([own])
    if found.errors:
        before = [(name, texts[name]) for name in _BASES if name in texts and name != file.name]
        found = load([*before, own])
    wrong = [str(one) for one in found.errors]
    wrong += [
        f"{one.title}: {one.unassessed}"
        for one in found.pack
        if one.unassessed
        and not one.unassessed.startswith(("unknown source", "evt.buffer is bytes"))
    ]
    return not wrong, f"{wrong[:3]}"


_BASES = ("legacy_falco_rules_v1_0_1.yaml", "k8s_audit_rules.yaml")


def _rows(file: Path) -> Iterator[Row]:
    for line in file.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _case(row: Row, found: Loaded) -> tuple[bool, str]:
    if found.errors:
        return False, str(found.errors[0])
    levels = {name: says["priority"] for name, says in found.described.items()}
    return _judged(row, list(found.pack), levels)


def _events(row: Row) -> list[dict[str, Any]]:
    """The scalar events; what is JSON and no audit event is left out."""
    text = "\n".join(json.dumps(one) for one in row["events"])
    found = (one for line in text.splitlines() for one in read(line.encode(), _ORIGIN))
    return [one for one in found if isinstance(one, dict)]


def _judged(row: Row, rules: Sequence[Rule], levels: Mapping[str, str]) -> tuple[bool, str]:
    """Counts of all matches: no rule hides another."""
    usable = [one for one in rules if "audit" in one.kinds and one.enabled and not one.unassessed]
    sieve = Sieve(usable)
    counts: dict[str, int] = {}
    for event in _events(row):
        hits = sieve.hits(event)
        for rule in hits:
            counts[rule.title] = counts.get(rule.title, 0) + 1
        slow = [one.title for one in usable if holds(one.tree, event)]
        if slow != [one.title for one in hits]:
            return False, f"the sieve says {[one.title for one in hits]}, the trees {slow}"
    if row["expect_none"]:
        return not counts, f"fired {counts}"
    for wanted in row["expect"]:
        if counts.get(wanted["rule"], 0) != wanted["count"]:
            return False, f"fired {counts}, expected {wanted}"
        level = {"info": "informational"}.get(w := wanted.get("priority", "").lower(), w)
        if level and levels[wanted["rule"]] != level:
            return False, f"{levels[wanted['rule']]}, expected {level}"
    return True, ""
