"""The words of paths: propositions, facts, edits, steps, paths and cuts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from martello.core.path import Path as Place
from martello.core.resource import Ref, Resource

# A kind and what it is said of: ("account", "shop", "api"), ("node", "worker-1"), ("admin", "").
Proposition = tuple[str, ...]
LEVELS: Final = ("restricted", "baseline", "privileged")  # of Pod Security, the strictest first
FOREVER: Final = 1_000_000  # the weight of what is not to be changed
DASHED: Final = 100  # what a fact costs that nobody could assess: paths without one come first


class Change(msgspec.Struct, frozen=True):
    """One change of an object: the value at a place (None: without it), or the object removed."""

    ref: Ref
    path: Place = ()
    value: Any = None


class Edit(msgspec.Struct, frozen=True):
    """Something an owner may change: `weight` is what it costs, by who uses it."""

    id: str
    says: str
    changes: tuple[Change, ...]
    weight: int = 3
    kind: str = "grant"


class Fact(msgspec.Struct, frozen=True, eq=False):
    """What is true without an attacker: where it is written, and which edits end it.

    `sure` is false where it could not be assessed; `because` says why.
    """

    says: str
    resource: Resource | None = None
    path: Place = ()
    sure: bool = True
    because: str = ""
    edits: tuple[Edit, ...] = ()

    @property
    def where(self) -> str:
        """The file and line, or nothing."""
        return str(self.resource.locate(self.path)) if self.resource is not None else ""


class Label(msgspec.Struct, frozen=True):
    """What a rule is an instance of: the edge's name, its words and its references."""

    edge: str
    says: str
    cost: int = 0
    attack: tuple[str, ...] = ()
    trace: str = ""


class Step(msgspec.Struct, frozen=True, eq=False):
    """One step of a path: the edge that is taken, what it needs and what it gives."""

    edge: str
    says: str
    gives: Proposition
    needs: tuple[Proposition, ...]
    facts: tuple[Fact, ...] = ()
    cost: int = 0
    attack: tuple[str, ...] = ()
    trace: str = ""

    @property
    def sure(self) -> bool:
        """Whether everything it stands on was assessed."""
        return all(fact.sure for fact in self.facts)


class Path(msgspec.Struct, frozen=True, eq=False):
    """A proof that a foothold leads to a goal, in an order in which it can be executed."""

    foothold: Proposition
    goal: Proposition
    steps: tuple[Step, ...]
    cost: int

    @property
    def sure(self) -> bool:
        """Whether no step is dashed."""
        return all(step.sure for step in self.steps)

    @property
    def because(self) -> tuple[str, ...]:
        """Why steps are dashed."""
        reasons = (f.because or f.says for s in self.steps for f in s.facts if not f.sure)
        return tuple(dict.fromkeys(reasons))


class PathClass(msgspec.Struct, frozen=True, eq=False):
    """Footholds that share a way to a goal, with the cheapest path of one of them.

    `choke` are the edits each of which ends every way of these footholds to the goal.
    """

    goal: Proposition
    footholds: tuple[Proposition, ...]
    path: Path
    severity: str
    choke: tuple[Edit, ...] = ()
    why: tuple[str, ...] = ()


class Cut(msgspec.Struct, frozen=True, eq=False):
    """Edits after which no goal can be derived. Without `optimal`, the cheapest may cost `gap`
    less. `open` are paths that no edit ends.
    """

    edits: tuple[Edit, ...]
    cost: int
    optimal: bool
    gap: int = 0
    open: tuple[Path, ...] = ()
    verified: bool | None = None  # by evaluating the edited cluster; None: not tried


class Weakness(msgspec.Struct, frozen=True):
    """A remotely exploitable weakness of an image, as the images practice hands it in."""

    image: str
    id: str
    says: str = ""
    container: str = ""
    loaded: bool | None = None  # seen in memory at run time
    because: str = ""  # why nobody knows whether there is one at all


class Admission(msgspec.Struct, frozen=True):
    """Whether a guard of a namespace takes pods: yes, no, or None where it cannot be known."""

    admits: bool | None
    because: str = ""


# Namespace and level, what Pod Security does there. None: as the labels say.
Security = Callable[[str, str], Admission | None]
# Namespace, level and how the pod comes in (edge.HOWS), what policies do. None: none is there.
Policies = Callable[[str, str, str], Admission | None]


class Exposed(msgspec.Struct, frozen=True, eq=False):
    """A class of pods that somebody outside reaches, and by what."""

    workload: str  # namespace/name
    fact: Fact


class Starving(msgspec.Struct, frozen=True, eq=False):
    """A class of pods that can starve pods of a namespace, and by what."""

    maker: tuple[str, str, str]  # kind.group, namespace, name: a workload's or a pod's
    namespace: str
    fact: Fact


class Inputs(msgspec.Struct, frozen=True, eq=False):
    """What other practices and the caller know. None: nobody has looked, which dashes steps.

    `cgroups` is 1 or 2 where it is known; `escapes` says which nodes run a kernel or a runtime
    with a known escape, and which. `starving` is None where it was not asked for.
    """

    security: Security | None = None
    policies: Policies | None = None
    secrets: tuple[tuple[str, str], ...] = ()  # that are there, whoever may list them
    weaknesses: tuple[Weakness, ...] | None = None
    exposed: tuple[Exposed, ...] | None = None
    metadata: tuple[Exposed, ...] | None = None
    lateral: tuple[tuple[str, str, Fact], ...] = ()
    starving: tuple[Starving, ...] | None = None
    cgroups: int | None = None
    escapes: Mapping[str, str] = {}
    loose_kubelets: Mapping[str, str] = {}
