"""The engine's paths and cuts in the words of the reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from martello.cli.paths.places import space, words
from martello.paths import model
from martello.paths.facts import Facts
from martello.paths.pods import SAME_KERNEL, SAME_USERS
from martello.report.paths.model import Edit, Evidence, Remedy, Step, Way

USES = {1: "never used", 3: "whether it is used cannot be seen", 10: "used", 30: "the only way"}
_PLAIN = frozenset((SAME_USERS, SAME_KERNEL))


def way(found: model.PathClass) -> Way:
    """A class of paths."""
    return Way(
        severity=found.severity,
        begin=words(found.path.foothold),
        goal=words(found.goal),
        footholds=tuple(words(one) for one in found.footholds),
        steps=steps(found.path),
        cost=found.path.cost,
        why=found.why,
        choke=tuple(edit.says for edit in found.choke),
        kinds=tuple(one[0] for one in found.footholds),
    )


def steps(path: model.Path) -> tuple[Step, ...]:
    """The steps of a path."""
    return tuple(
        Step(
            edge=step.edge,
            says=step.says,
            gives=words(step.gives),
            evidence=_evidence(step),
            attack=step.attack,
            trace=step.trace,
            needs=tuple(words(one) for one in step.needs),
            kind=step.gives[0],
            group=space(step.gives),
        )
        for step in path.steps
    )


def evidence(fact: model.Fact, unless: str = "") -> Evidence:
    """A fact and its place. What the step itself says (`unless`) is not said again."""
    says = "" if fact.says == unless else fact.says
    says = says.replace("{ingress-controller}", "the ingress controller")
    why = "" if fact.sure else fact.because
    return Evidence(says, _place(fact), fact.sure, why, fact.sure and fact.says in _PLAIN)


def _place(fact: model.Fact) -> str:
    """Where it is written: nothing for an object of a live cluster, which its name tells."""
    return "" if fact.where.startswith("cluster:") else fact.where


def _evidence(step: model.Step) -> tuple[Evidence, ...]:
    told = (evidence(fact, step.says) for fact in step.facts)
    return tuple(one for one in told if one.says or one.where or not one.sure)


def remedy(
    cut: model.Cut,
    facts: Facts,
    ways: Iterable[model.PathClass],
    weights: Mapping[str, int],
) -> Remedy:
    """A cut, with other edits that end every class that is listed."""
    places = _places(facts)
    chosen = {edit.id for edit in cut.edits}
    common: dict[str, model.Edit] | None = None
    for one in ways:
        own = {edit.id: edit for edit in one.choke}
        common = own if common is None else {k: v for k, v in common.items() if k in own}
    others = [edit for id, edit in (common or {}).items() if id not in chosen]
    others.sort(key=lambda e: (weights.get(e.id, e.weight), e.id))
    return Remedy(
        edits=tuple(_edit(edit, places, weights) for edit in cut.edits),
        cost=cut.cost,
        optimal=cut.optimal,
        gap=cut.gap,
        verified=cut.verified,
        open=tuple(f"{words(p.foothold)} → {words(p.goal)}: no edit ends it" for p in cut.open),
        also=tuple(_edit(edit, places, weights) for edit in others),
    )


def _edit(edit: model.Edit, places: Mapping[str, str], weights: Mapping[str, int]) -> Edit:
    cost = weights.get(edit.id, edit.weight)
    why = USES.get(cost, "") if edit.id in weights else ""
    return Edit(edit.says, cost, edit.kind, places.get(edit.id, ""), why)


def _places(facts: Facts) -> dict[str, str]:
    """By edit: where what it changes is written."""
    found: dict[str, str] = {}
    for fact in facts.program.facts.values():
        for edit in fact.edits:
            if fact.where:
                found.setdefault(edit.id, _place(fact))
    return found
