"""The words of guards: what is known, what is made of it, and its proof."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from martello.core.resource import Ref, Resource
from martello.practices.resources.amounts import Amounts
from martello.practices.resources.node.model import Node

OWN: Final = "martello-"  # how the names of generated objects begin
DEFAULTS: Final = "martello-defaults"
COMPUTE: Final = "martello-compute"
OBJECTS: Final = "martello-objects"
PRIORITY: Final = "martello-priority"
PLATFORM: Final = "martello-platform"  # a priority class
MARGIN: Final = 0.25  # what quotas leave above the most that is seen, as a share


class Size(msgspec.Struct, frozen=True):
    """What a container was measured to need, its margin included: thousandths of a core, bytes.
    None: not measured.
    """

    cpu: int | None = None
    memory: int | None = None


class Evidence(msgspec.Struct, frozen=True, eq=False):
    """What guards are made from. `sizes` are by `namespace/deploy/web/container`; `disk` and `pids`
    what pods of a workload (`namespace/deploy/web`) were seen to use at most, in bytes and numbers.
    """

    sizes: Mapping[str, Size] = {}
    disk: Mapping[str, int] = {}
    pids: int | None = None  # the most of any pod
    margin: float = MARGIN


class Patch(msgspec.Struct, frozen=True, eq=False):
    """A strategic merge patch of one object, what of it stands in the pod's spec, and the object as
    it is then. `steps` are a JSON patch instead, where a merge would replace whole lists.
    """

    ref: Ref
    body: Mapping[str, Any]
    pod: Mapping[str, Any]
    after: Resource
    says: tuple[str, ...] = ()
    steps: tuple[Mapping[str, Any], ...] = ()


class Fragment(msgspec.Struct, frozen=True, eq=False):
    """What to add to the KubeletConfiguration of some nodes, and these nodes as they are then."""

    name: str
    body: Mapping[str, Any]
    nodes: tuple[Node, ...]
    says: tuple[str, ...] = ()


class Guards(msgspec.Struct, frozen=True, eq=False):
    """Objects of namespaces to create or replace, priority classes, patches of workloads (which may
    name these classes), fragments for kubelets. `assumed` names what nobody measured and was
    decided all the same, `left` what was left out and why.
    """

    objects: tuple[Resource, ...] = ()
    classes: tuple[Resource, ...] = ()
    patches: tuple[Patch, ...] = ()
    fragments: tuple[Fragment, ...] = ()
    history: Mapping[str, Amounts] = {}  # by namespace: old objects that will gather
    assumed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.objects or self.classes or self.patches or self.fragments)


class Refused(msgspec.Struct, frozen=True):
    """An object that the guards would keep out: when (`now`, `at most`), the code, and why."""

    object: str
    namespace: str
    when: str
    code: int
    says: str


class Headroom(msgspec.Struct, frozen=True):
    """One key of a generated quota, in thousandths: taken now and at most, and the bound."""

    namespace: str
    quota: str
    key: str
    now: int
    most: int
    hard: int


class Score(msgspec.Struct, frozen=True):
    """The blast scores at one level of attackers: before, with the objects, and with the kubelets'
    settings, too; the worst, and the mean of all workloads. `risen` names those whose own score is
    higher than before; `why` says what the worst that is left does; `of` are the scores after of
    each attacker.
    """

    level: str
    worst: tuple[float, ...]
    mean: tuple[float, ...]
    risen: tuple[str, ...] = ()
    why: str = ""
    of: tuple[Mapping[str, float], ...] = ()


class Kept(msgspec.Struct, frozen=True):
    """A workload that gets a priority class: by which resource how many workloads of other
    namespaces could end its pods, before and after.
    """

    owner: str
    by: tuple[tuple[str, int, int], ...]


class Proof(msgspec.Struct, frozen=True):
    """What was tried: pods that are there, workloads at their most, other objects. What is refused
    without the guards, too, is `already`. `moved` are workloads whose priority would change though
    no patch says so. `ended` tells for each workload that others rely on who ends its pods, and by
    what, with the objects and as long as kubelets are as they are.
    """

    pods: int = 0
    workloads: int = 0
    at_most: int = 0  # pods of all workloads at their most
    objects: int = 0
    refused: tuple[Refused, ...] = ()
    already: tuple[Refused, ...] = ()
    unassessed: tuple[Refused, ...] = ()
    headroom: tuple[Headroom, ...] = ()
    scores: tuple[Score, ...] = ()
    moved: tuple[str, ...] = ()
    ended: Mapping[str, frozenset[tuple[str, str]]] = {}
    kept: tuple[Kept, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing is refused or invalid, no score is higher than before, and no priority
        changes behind anybody's back.
        """
        risen = any(score.risen for score in self.scores)
        return not (self.refused or self.unassessed or self.moved or risen)
