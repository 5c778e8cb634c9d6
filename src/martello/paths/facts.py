"""What is known of a cluster, as propositions and rules."""

from __future__ import annotations

from collections.abc import Iterable

from martello.core.cluster import Cluster
from martello.paths.built import Building
from martello.paths.edge import Edge, catalogue
from martello.paths.ground import Grounding
from martello.paths.guards import Guards
from martello.paths.holdings import Holdings
from martello.paths.horn import Program
from martello.paths.model import Inputs
from martello.paths.world import World

_NOTHING = Inputs()


class Facts:
    """A cluster read for paths: its world, and the rules of every edge over it."""

    __slots__ = ("cluster", "inputs", "program", "world")

    def __init__(self, cluster: Cluster, world: World, program: Program, inputs: Inputs) -> None:
        self.cluster = cluster
        self.world = world
        self.program = program
        self.inputs = inputs


def facts(
    cluster: Cluster, inputs: Inputs = _NOTHING, *, edges: Iterable[Edge] | None = None
) -> Facts:
    """Reads a cluster: `inputs` is what other practices know. Edges of other versions of Kubernetes
    than the cluster's do not exist.
    """
    known = catalogue() if edges is None else tuple(edges)
    minor = cluster.kubernetes
    usable = [edge for edge in known if edge.since <= minor < edge.until]
    program = Program()
    world = World(cluster, policies=inputs.policies is not None, secrets=inputs.secrets)
    building = Building(program, world, inputs, known)
    guards = Guards(program, world, inputs)
    building.before(guards)
    holdings = Holdings(program, world, usable)
    Grounding(holdings, guards, building.labels).edges(
        [edge for edge in usable if edge.kind != "built"]
    )
    building.after()
    return Facts(cluster, world, program, inputs)
