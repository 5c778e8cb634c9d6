"""Facts of the network: whom the internet reaches, who reaches metadata services and others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from martello.core.cluster import Cluster
from martello.paths.model import Change, Edit, Exposed, Fact, Weakness
from martello.practices.network.engine.reach import Reach, reach
from martello.practices.network.model import Address, Endpoint, Profile
from martello.practices.network.outer.internet import ALLOWED, DENIED, INGRESS, internet

METADATA: Final = Address(4, 0xA9FEA9FE, 0xA9FEA9FE)  # 169.254.169.254
_CLOUDS: Final = frozenset(("aws", "gce", "azure"))
PAIRS: Final = 200_000  # pairs that are asked; beyond, that they pass is a doubt


class Network:
    """The analyser of a cluster, asked for what paths need."""

    __slots__ = ("_cluster", "_reach")

    def __init__(self, cluster: Cluster, profile: Profile | None = None) -> None:
        self._cluster = cluster
        self._reach: Reach = reach(cluster) if profile is None else reach(cluster, profile)

    def exposed(self) -> tuple[Exposed, ...]:
        """Whom the internet reaches, once a workload, the surest way first."""
        found: dict[str, Exposed] = {}
        for entry in internet(self._reach, self._cluster):
            if entry.verdict == DENIED or entry.internal:
                continue
            ref = entry.resource.ref
            edit = Edit(
                f"close {ref.local}", f"remove {ref.kind} {ref.local}", (Change(ref),), 5, "network"
            )
            through = f", through {entry.via}" if entry.via and entry.kind == INGRESS else ""
            fact = Fact(
                f"{ref.kind} {ref.namespace}/{ref.name} to port {entry.target}{through}",
                entry.resource,
                entry.path,
                entry.verdict == ALLOWED,
                entry.reason,
                (edit,),
            )
            known = found.get(entry.workload)
            if known is None or (fact.sure and not known.fact.sure):
                found[entry.workload] = Exposed(entry.workload, fact)
        return tuple(found.values())

    def metadata(self) -> tuple[Exposed, ...]:
        """Who reaches the metadata service, in a cluster whose nodes are of a cloud."""
        providers = {
            str(node.spec.get("providerID", "")).partition(":")[0]
            for node in self._cluster.of_kind("Node")
        }
        if not providers & _CLOUDS:
            return ()
        found: list[Exposed] = []
        for endpoint in self._one_of_each():
            verdict = self._reach.verdict(endpoint, METADATA).verdict("TCP", 80)
            if verdict != DENIED:
                because = "" if verdict == ALLOWED else "what its policies let out is not known"
                says = f"no policy keeps {endpoint.name} from the metadata service"
                fact = Fact(says, endpoint.resource, (), not because, because)
                found.append(Exposed(endpoint.name, fact))
        return tuple(found)

    def lateral(self, weaknesses: Iterable[Weakness]) -> tuple[tuple[str, str, Fact], ...]:
        """Who reaches the workloads whose images have a weakness: (source, target, fact)."""
        weak = {one.image for one in weaknesses}
        everyone = tuple(self._one_of_each())
        targets = [one for one in everyone if weak & set(_images(one))]
        found: list[tuple[str, str, Fact]] = []
        for target in targets:
            for source in everyone:
                if source is target:
                    continue
                asked = len(found) < PAIRS
                verdict = self._passes(source, target) if asked else "unknown"
                if verdict == DENIED:
                    continue
                because = "" if verdict == ALLOWED else "whether policies let it through is unknown"
                fact = Fact("no policy is between them", target.resource, (), not because, because)
                found.append((source.name, target.name, fact))
        return tuple(found)

    def _passes(self, source: Endpoint, target: Endpoint) -> str:
        passing = self._reach.verdict(source, target)
        if passing.yes:
            return ALLOWED
        return "unknown" if passing.maybe else DENIED

    def _one_of_each(self) -> Iterable[Endpoint]:
        """One endpoint of each workload."""
        known: dict[str, Endpoint] = {}
        for endpoint in self._reach.world.endpoints:
            known.setdefault(endpoint.name, endpoint)
        return known.values()


def _images(endpoint: Endpoint) -> Iterable[str]:
    spec = endpoint.resource.spec
    template = spec.get("template")
    pod = template.get("spec") if isinstance(template, dict) else spec
    containers = pod.get("containers") if isinstance(pod, dict) else None
    for container in containers if isinstance(containers, list) else ():
        image = container.get("image") if isinstance(container, dict) else None
        if isinstance(image, str):
            yield image
