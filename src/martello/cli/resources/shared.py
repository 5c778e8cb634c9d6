"""What nearly every workload shares is told once, and the rest decides who comes first.

Where no kubelet bounds the processes of a pod, one fork bomb stops everybody on the node, whoever
throws it: all scores are the same, and one setting ends it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from martello.cli.resources.blast_words import take_of, worst_of
from martello.core.finding import SEVERITIES, rank
from martello.practices.resources.blast.facade import World
from martello.practices.resources.blast.model import Blast, Harm, Level
from martello.practices.resources.blast.score import gravity
from martello.report.resources.blast.model import Beside, Row, Shared
from martello.report.text import plural

_RESOURCE = "pids"


def shared_by(found: Sequence[Blast], level: Level) -> bool:
    """Whether more than half of several workloads stop others for want of `podPidsLimit`. Beyond
    tokens the number of pods counts too, and no one setting ends it.
    """
    bare = sum(1 for one in found if _bare(one) is not None)
    return level in ("container", "token") and bare > 1 and 2 * bare > len(found)


def without(one: Blast, world: World) -> Blast:
    """The same attacker, if that were bounded."""
    harms = tuple(harm for harm in one.harms if harm.resource != _RESOURCE)
    return msgspec.structs.replace(one, harms=harms, score=world.weights.score(one.attacker, harms))


def worst_first(one: Blast, crown: frozenset[str]) -> tuple[int, float, int, str]:
    """By severity, score, and how many are hurt by how many resources."""
    level = gravity(one, crown)
    hurt = sum(len(harm.victims) for harm in one.harms)
    return rank(level) if level else len(SEVERITIES), -one.score, -hurt, one.attacker


def beside(left: Blast, crown: frozenset[str]) -> Beside:
    """What is left of a row when that is told."""
    return Beside(gravity(left, crown), left.score, worst_of(left))


def told_once(found: Sequence[Blast], rows: Sequence[Row]) -> Shared:
    """The one finding, and its one fix."""
    bare = [harm for harm in map(_bare, found) if harm is not None]
    worst = max(bare, key=lambda harm: len(harm.victims))
    many = "every workload" if len(bare) == len(found) else f"{len(bare):,} of {len(found):,}"
    spaces = len({victim.owner.partition("/")[0] for victim in worst.victims})
    doubt = "? " if worst.exact == "unassessed" else ""
    hurt = f"{plural(len(worst.victims), 'pod')} of {plural(spaces, 'namespace')}"
    says = f"{doubt}{take_of(worst)} PIDs: up to {hurt} cannot fork"
    guards = [guard for row in rows if row.advice for guard in row.advice.guards]
    named = next((guard for guard in guards if guard.startswith("podPidsLimit")), "podPidsLimit")
    return Shared(many, _RESOURCE, says, f"{named} in the kubelets' settings")


def _bare(one: Blast) -> Harm | None:
    for harm in one.harms:
        if harm.resource == _RESOURCE and harm.guard is None and harm.victims:
            return harm
    return None
