"""Which priority classes of a namespace get a quota of their own: what may displace others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from martello.core.cluster import Cluster
from martello.practices.resources.admission.quotas import quotas
from martello.practices.resources.admission.scopes import Subject, inside
from martello.practices.resources.blast.classes import named, values
from martello.practices.resources.guards.model import Patch

_MOST: Final = 8  # classes of a namespace that get a quota, the highest first
# Of a class; at most so long that the name of a quota can hold it.
_NAME: Final = re.compile(
    r"(?=.{1,200}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
)


def bounded(world: Cluster, namespace: str, changed: Iterable[Patch]) -> list[str]:
    """The classes that pods of a namespace name, or will once it is patched, and that are above
    pods without one: those of which a quota is to let in no more than there are. A class of which
    a quota of somebody else's tells already is left to that.
    """
    known, default = values(world)
    raised = [
        patch.pod["priorityClassName"]
        for patch in changed
        if patch.ref.namespace == namespace and "priorityClassName" in patch.pod
    ]
    told = [quota.scopes for quota in quotas(world, namespace)]
    told = [scopes for scopes in told if any(scope.name == "PriorityClass" for scope in scopes)]
    found = [
        name
        for name in dict.fromkeys((*named(world, namespace), *raised))
        if known.get(name, default + 1) > default
        and _NAME.fullmatch(name)
        and not any(inside(scopes, Subject(pod=True, priority_class=name)) for scopes in told)
    ]
    return sorted(found, key=lambda name: (-known.get(name, 0), name))[:_MOST]
