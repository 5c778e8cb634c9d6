"""Who may starve whom, as the blast radius of containers tells it; asked only where it counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from martello.core.cluster import Cluster
from martello.paths.model import Fact, Proposition, Starving
from martello.practices.resources.blast.facade import World
from martello.practices.resources.blast.model import Blast, Harm, Victim
from martello.practices.resources.blast.refs import workload
from martello.practices.resources.node.model import Pod
from martello.practices.resources.node.pods import pods
from martello.practices.resources.node.settings import nodes

GOAL: Final = "starve"
GUARDS: Final = "guards end who starves whom, not a cut: martello resources quota --write DIR"
_DONE: Final = {
    "no fork": "cannot fork",
    "unschedulable": "must give way",
    "blocked": "cannot write",
}


def asked(words: Iterable[str], named: Iterable[Proposition]) -> bool:
    """Whether a goal of --to or of [crown] is to starve somebody."""
    return any(word.startswith(f"{GOAL}:") for word in words) or any(
        one[0] == GOAL for one in named
    )


def starving(cluster: Cluster) -> tuple[Starving, ...]:
    """By attacker, namespace of the victims and resource. Raises BadInput for amounts and settings
    that cannot be used.
    """
    world = World(cluster, pods(cluster), nodes(cluster))
    return tuple(
        one
        for owner, own in world.owners.items()
        for one in _of(world.blast(owner, "container"), own, cluster)
    )


def _of(blast: Blast, own: Sequence[Pod], cluster: Cluster) -> Iterator[Starving]:
    """Of the workload, or of each pod where that is not here."""
    resource = workload(cluster, own[0])
    makers = (
        [(resource.ref.group_kind, resource.ref.namespace, resource.ref.name)]
        if resource is not None
        else [("Pod", pod.namespace, pod.name) for pod in own]
    )
    for harm in blast.harms:
        spaces: dict[str, list[Victim]] = {}
        for victim in harm.victims:
            spaces.setdefault(victim.owner.partition("/")[0], []).append(victim)
        for name, victims in spaces.items():
            fact = Fact(
                f"{harm.resource}: {_said(victims)}",
                resource,
                sure=harm.exact == "exact",
                because=_because(harm),
            )
            yield from (Starving(maker, name, fact) for maker in makers)


def _said(victims: list[Victim]) -> str:
    more = f" and {len(victims) - 1} more" if len(victims) > 1 else ""
    return f"{victims[0].key}{more} {_DONE.get(victims[0].effect, victims[0].effect)}"


def _because(harm: Harm) -> str:
    if harm.exact == "exact":
        return ""
    by = ", ".join(harm.assumed[:4])
    return f"an upper bound of what {harm.resource} allows" + (f", assumed: {by}" if by else "")
