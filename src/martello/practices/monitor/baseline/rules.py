"""Anomalies as rules: they are grouped, excepted and delivered like every other alert."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from martello.practices.monitor.baseline.engine import Novelty
from martello.practices.monitor.engine.ir import FALSE
from martello.practices.monitor.engine.rule import Hit, Rule, Source

_GROUP: Final = ("k8s_ns", "pod_workload", "container_name", "actor_user")
_WHY: Final = (
    "Containers do the same few things as long as they live; what is new in one is a change that "
    "somebody made, or somebody."
)
_FIX: Final = (
    "Look at what started it. If it is wanted, accept it with `martello monitor baseline accept`."
)
_TITLES: Final = {
    "exe": ("MON-501", "A program that this workload never ran", "medium", ("T1059",)),
    "spawn": ("MON-502", "A program started by one that never started it", "low", ("T1059",)),
    "destination": ("MON-503", "A destination that this workload never used", "medium", ("T1071",)),
    "directory": ("MON-504", "Writes where this workload never wrote", "medium", ("T1105",)),
    "file": ("MON-505", "Reads a sensitive file for the first time", "medium", ("T1552",)),
    "verb": ("MON-506", "An API request that this identity never made", "medium", ("T1078",)),
    "agent": ("MON-507", "A user with another program or from another network", "low", ("T1078",)),
}
RULES: Final = tuple(
    Rule(
        id_,
        title,
        FALSE,
        (),
        severity,
        say="{rule_output}",
        why=_WHY,
        fix=_FIX,
        group=(*_GROUP, "rule_name"),
        window=24 * 3600,
        learn="baseline",
        attack=attack,
        tags=("baseline",),
        source=Source("martello", "baseline"),
    )
    for id_, title, severity, attack in _TITLES.values()
)


def hits(novelties: Iterable[Novelty]) -> list[Hit]:
    """Novelties as hits of these rules: `rule_name` is the value, `rule_output` the evidence."""
    return [
        Hit(
            _TITLES[one.kind][0],
            {**one.event, "rule_name": one.value, "rule_output": str(one)},
        )
        for one in novelties
    ]
