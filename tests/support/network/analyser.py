"""The analyser asked as the oracle is: ends by `namespace/pod` or address, one port at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tests.support.network.objects import Object

from martello.core.reach import ALL, Reachability
from martello.core.resource import Nowhere, Ref, Resource, resource_of
from martello.practices.network.engine.reach import Reach
from martello.practices.network.model import Place
from martello.practices.network.places import find

ANSWERS = {"allowed": True, "denied": False, "unknown": None}


class Asked:
    """A Reach behind the question of the oracle."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach
        self._places: dict[str, Place] = {}
        self._verdicts: dict[tuple[str, str, int], Reachability] = {}

    def place(self, text: str) -> Place:
        """A pod, a node or an address; its first place where there are several."""
        if text not in self._places:
            namespace, slash, name = text.partition("/")
            wanted = f"{namespace}/pod/{name}" if slash else text
            self._places[text] = find(self.reach.world, wanted)[0]
        return self._places[text]

    def verdict(self, source: str, destination: str, family: int = 0) -> Reachability:
        """All that passes from one to the other."""
        key = (source, destination, family)
        if key not in self._verdicts:
            ends = self.place(source), self.place(destination)
            self._verdicts[key] = self.reach.verdict(*ends, family)
        return self._verdicts[key]

    def allowed(
        self, source: str, destination: str, protocol: str, port: int, family: int = 0
    ) -> bool | None:
        """True, False, or None for unknown."""
        return ANSWERS[self.verdict(source, destination, family).verdict(protocol, port)]

    def everything(self, source: str, destination: str) -> bool | None:
        """True where all protocols and ports pass, False where none does, else None."""
        found = self.verdict(source, destination)
        if found.yes == ALL:
            return True
        return None if found.yes or found.maybe else False


def difference(old: Iterable[Object], new: Iterable[Object]) -> tuple[list[Resource], list[Ref]]:
    """What turns one state of a cluster into another: the changed objects, the removed names."""
    before, after = _by_ref(old), _by_ref(new)
    changed = [one for ref, one in after.items() if ref not in before or before[ref].raw != one.raw]
    return changed, [ref for ref in before if ref not in after]


def _by_ref(objects: Iterable[Object]) -> dict[Ref, Resource]:
    found = (resource_of(raw, Nowhere()) for raw in objects)
    return {one.ref: one for one in found}


def corpus_pod(row: Mapping[str, Any]) -> Object:
    """A pod as the corpora write it: ns, name, labels, ports, ip or ips, node, hostNetwork."""
    ips = row.get("ips") or [row["ip"]] if row.get("ips") or row.get("ip") else []
    spec = {
        "nodeName": row.get("node", ""),
        "hostNetwork": row.get("hostNetwork", False),
        "containers": [{"name": "main", "image": "a:1", "ports": row.get("ports") or []}],
    }
    status: Object = {"phase": "Running", "podIPs": [{"ip": ip} for ip in ips]}
    if ips:
        status["podIP"] = ips[0]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": row["ns"], "name": row["name"], "labels": row["labels"] or {}},
        "spec": spec,
        "status": status,
    }
