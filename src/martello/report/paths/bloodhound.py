"""Paths as BloodHound OpenGraph: places are nodes, what a step needs is an edge.

Source: https://bloodhound.specterops.io/opengraph/developer/schema. A step that needs several
things at once is an edge from each of them, and each says so in `all_of`.
"""

from __future__ import annotations

import re
from typing import IO, Any, Final

from martello.report.paths.graph import called, links
from martello.report.paths.model import Told, Way
from martello.report.text import encoded

SOURCE: Final = "Martello"
_KINDS: Final = {
    "pods-of": "Workload",
    "code": "Container",
    "reaches": "Port",
    "holds": "Role",
    "goal": "Goal",
    "admin": "Admin",
}


def write(told: Told, scope: str, out: IO[str]) -> None:
    """Writes nodes and edges; `scope` (the cluster or the files) keeps ids of worlds apart."""
    nodes: dict[str, dict[str, Any]] = {}
    edges: dict[tuple[str, str, str], dict[str, Any]] = {}
    for way in told.ways:
        _add(way, scope, nodes, edges)
    document = {
        "metadata": {"source_kind": SOURCE},
        "graph": {"nodes": list(nodes.values()), "edges": list(edges.values())},
    }
    out.write(encoded(document, indent=True) + "\n")


def _add(
    way: Way,
    scope: str,
    nodes: dict[str, dict[str, Any]],
    edges: dict[tuple[str, str, str], dict[str, Any]],
) -> None:
    for name, kind in zip(way.footholds, way.kinds, strict=True):
        nodes.setdefault(name, _node(name, kind, "", scope))
    shown = called(way)  # the class as one place: here each foothold is its own
    for needs, step in links(way):
        nodes.setdefault(step.gives, _node(step.gives, step.kind, step.group, scope))
        kind = _edge_kind(step.edge)
        for need in needs:
            for begin in way.footholds if need == shown else (need,):
                edges.setdefault(
                    (begin, step.gives, kind),
                    {
                        "kind": kind,
                        "start": {"match_by": "id", "value": _id(begin, scope)},
                        "end": {"match_by": "id", "value": _id(step.gives, scope)},
                        "properties": {
                            "says": step.says,
                            "assessed": step.sure,
                            "attack": list(step.attack),
                            "evidence": [e.where or e.says for e in step.evidence],
                            "all_of": [_id(one, scope) for one in needs if one != shown],
                        },
                    },
                )


def _node(name: str, kind: str, group: str, scope: str) -> dict[str, Any]:
    label = _KINDS.get(kind) or re.sub(r"[^A-Za-z0-9]", "", kind.title()) or "Place"
    return {
        "id": _id(name, scope),
        "kinds": [f"K8s_{label}", SOURCE],
        "properties": {"name": name, "displayname": name, "namespace": group, "scope": scope},
    }


def _edge_kind(edge: str) -> str:
    """`pod-create` as `K8s_PodCreate`: letters, digits and underscores are what is taken."""
    return "K8s_" + "".join(word.title() for word in re.split(r"[^A-Za-z0-9]+", edge))


def _id(name: str, scope: str) -> str:
    return f"{scope}|{name}"
