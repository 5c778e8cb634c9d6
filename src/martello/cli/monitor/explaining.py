"""Why a rule fired or did not: the events that came nearest to it, part by part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa  # type: ignore[import-untyped]

from martello.practices.monitor.engine.ir import (
    And,
    Atom,
    Call,
    Column,
    Constant,
    Literally,
    Node,
    Not,
    Pointer,
    Term,
)
from martello.practices.monitor.engine.rule import Pack, Rule
from martello.practices.monitor.engine.say import plain
from martello.practices.monitor.engine.scalar import explain, holds
from martello.practices.monitor.validation import check
from martello.report.monitor.model import Explained, Near

_KEPT: Final = 3
_DEEPEST: Final = 40
_LONGEST: Final = 2_000  # characters of a condition
_MOST: Final = 200_000  # events looked at for each rule


class Explaining:
    """Looks at every batch for the rules that were asked about."""

    def __init__(self, pack: Pack, names: Sequence[str]) -> None:
        from martello.cli.monitor.replaying import only

        self._rules = [pack.rules[name] for name in only(pack, names)]
        self._near: dict[str, list[tuple[float, dict[str, Any]]]] = {
            rule.id: [] for rule in self._rules
        }
        self._looked = 0

    def look(self, rows: pa.Table) -> None:
        """Keeps the events of a batch that come nearest."""
        if not self._rules or self._looked > _MOST:
            return
        from martello.adapters.batch import events

        for event in events(rows):
            self._looked += 1
            for rule in self._rules:
                if event["kind"] in rule.kinds and not rule.unassessed:
                    self._weigh(rule, event)

    def _weigh(self, rule: Rule, event: dict[str, Any]) -> None:
        parts = explain(rule.tree, event)
        score = sum(one.truth is True for one in parts) / max(1, len(parts))
        score += 2 * (holds(rule.tree, event) is True)
        kept = self._near[rule.id]
        if len(kept) < _KEPT or score > kept[-1][0]:
            kept.append((score, event))
            kept.sort(key=lambda one: -one[0])
            del kept[_KEPT:]

    def told(self, judged: check.Judgement, hits: Counter[str]) -> tuple[Explained, ...]:
        """What was found, in the order asked."""
        return tuple(self._one(rule, judged.of(rule.id), hits[rule.id]) for rule in self._rules)

    def _one(self, rule: Rule, verdict: check.Verdict, hits: int) -> Explained:
        near = tuple(
            Near(
                str(event.get("id", "")),
                int(event.get("time") or 0),
                holds(rule.tree, event) is True,
                tuple(
                    (words(told.atom), told.truth, plain(told.value))
                    for told in explain(rule.tree, event)
                ),
            )
            for _, event in self._near[rule.id]
        )
        return Explained(rule.id, rule.title, verdict.state, verdict.why, hits, near)


def sentence(node: Node, depth: int = 0) -> str:
    """A condition as a person reads it; what is nested too deep, or is too long, ends in `…`."""
    if depth > _DEEPEST:
        return "…"
    if isinstance(node, Atom):
        return words(node)
    if isinstance(node, Constant):
        return "always" if node.value else "never"
    if isinstance(node, Not):
        inner = sentence(node.part, depth + 1)
        return f"not ({inner})" if isinstance(node.part, And) else f"not {inner}"
    parts = [sentence(part, depth + 1) for part in node.parts]
    text = " and ".join(parts) if isinstance(node, And) else f"({' or '.join(parts)})"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def words(atom: Atom) -> str:
    """A comparison as a person reads it: `api_verb in (get, list)`."""
    if isinstance(atom.operand, tuple):
        values = [plain(one) for one in atom.operand[:8]]
        more = ["…"] if len(atom.operand) > 8 else []
        operand = f"({', '.join(values + more)})" if len(atom.operand) != 1 else values[0]
    else:
        operand = _term(atom.operand)
    over = "" if atom.over == "one" else f"{atom.over} "
    return f"{_term(atom.term)} {atom.op} {over}{operand}".removesuffix("()").rstrip()


def _term(term: Term) -> str:
    if isinstance(term, Column):
        return term.name
    if isinstance(term, Literally):
        return plain(term.value)
    if isinstance(term, Pointer):
        return ".".join(term.path)
    if isinstance(term, Call):
        return f"{term.name}({', '.join(map(_term, term.of))})"
    return f"{_term(term.of)}[{term.key if hasattr(term, 'key') else term.index}]"
