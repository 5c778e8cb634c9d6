"""Where in an object the edits of a check's fix belong: the elements in which it hit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from martello.catalogue import parameters
from martello.catalogue.compile import compile_rule
from martello.catalogue.judge import judge
from martello.catalogue.subject import Subject, Unfit
from martello.core.check import Check
from martello.core.cluster import Cluster
from martello.core.path import Path
from martello.core.resource import Resource


def sites(
    check: Check, resource: Resource, cluster: Cluster, params: Mapping[str, Any]
) -> tuple[Path, ...]:
    """The places that the edits of a YAML check are relative to: each element with a hit, or where
    the pod spec lies, or the object itself. In an order in which removals do not move later ones.
    """
    values = parameters.values(check.id, check.params, params)
    rule = compile_rule(check, cluster.kubernetes, values)
    if rule is None:
        return ()
    subject = Subject(resource, cluster.workload(resource), cluster)
    hits = [h for h in judge(rule, subject) or () if not h.unassessed]
    try:
        elements = [path for _, path, _ in subject.elements(rule.each)] if rule.each else []
    except Unfit:
        elements = []
    workload = subject.workload
    default = workload.path if rule.on == "pod" and workload is not None else ()
    bases = {_base(h.path, elements, default) for h in hits}
    return tuple(sorted(bases, key=lambda p: [(isinstance(x, int), x) for x in p], reverse=True))


def _base(path: Path, elements: list[Path], default: Path) -> Path:
    return next((e for e in elements if path[: len(e)] == e), default)
