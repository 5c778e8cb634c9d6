"""Events of clusters and clouds with the verdict of Panther's rules, judged by those of our pack
that name them as an alias (O5).

Thresholds are outside the verdict: of a correlation its parts are asked. Events pass the same
reader as any log, with what a shipper adds to them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from martello.practices.monitor import packs
from martello.practices.monitor.engine.rule import Pack, Rule
from martello.practices.monitor.engine.scalar import holds
from martello.practices.monitor.own import load as own
from martello.practices.monitor.validation.inline import audit

Case = tuple[str, bool, str]


def replay(path: Path) -> Iterator[Case]:
    """A case for each rule that audit events can show, and one for each event."""
    pack = packs.default()
    ours = covering(pack)
    for raw in _lines(path / "rules.jsonl"):
        rule = raw["rule_id"]
        yield f"{rule} is covered", rule in ours, "no rule of ours names it"
    for raw in _lines(path / "events.jsonl"):
        fired = said(ours.get(raw["rule_id"], ()), raw["event"])
        case = f"{raw['rule_id']}: {raw['test']}"
        yield case, bool(fired) is raw["expect"], f"fired {', '.join(fired) or 'nothing'}"


def covering(pack: Pack) -> dict[str, tuple[Rule, ...]]:
    """Panther's rules → ours without thresholds: of a correlation the parts."""
    found: dict[str, tuple[Rule, ...]] = {}
    for name, ids in own.aliases(pack).items():
        if name.startswith("panther:"):
            found[name.removeprefix("panther:")] = tuple(
                pack.rules[one] for id_ in ids for one in _parts(pack.rules[id_])
            )
    return found


def _parts(rule: Rule) -> tuple[str, ...]:
    return rule.correlate.of if rule.correlate is not None else (rule.id,)


def said(rules: tuple[Rule, ...], event: Mapping[str, Any]) -> list[str]:
    """The rules that fire on an event as a log has it."""
    read = list(audit(msgspec.json.encode(event)))
    return [rule.id for rule in rules if any(holds(rule.tree, one) is True for one in read)]


def _lines(path: Path) -> Iterator[Any]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)
