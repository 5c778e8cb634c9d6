"""A model for tests of filters that answers from a list: who reaches whom, on what."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from martello.core.reach import ALL, NONE, Conn, Ports, Reachability, conn
from martello.core.resource import Nowhere, Ref, Resource
from martello.practices.network.model import (
    Address,
    Endpoint,
    Node,
    Place,
    Pods,
    Policies,
    Policy,
    Requirement,
    Rule,
    Selector,
    World,
)

Says = Callable[[Place, Place], Conn | Reachability]
_ANYTHING = Resource({}, Ref("", "v1", "Pod", "", "x"), Nowhere())


def pod(
    name: str,
    *addresses: tuple[int, int],
    node: str = "n1",
    app: str = "",
    namespace: str = "shop",
    deleted: bool = False,
) -> Endpoint:
    """A pod with one label."""
    raw = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}} if deleted else {}
    return Endpoint(
        name=f"{namespace}/{name}",
        namespace=namespace,
        workload=name,
        kind="Pod",
        pod=name,
        labels={"app": app or name},
        ports=(),
        addresses=addresses,
        node=node,
        host_network=False,
        resource=Resource(raw, _ANYTHING.ref, _ANYTHING.origin),
    )


def node(name: str, *addresses: tuple[int, int]) -> Node:
    """A node without labels."""
    return Node(name, {}, addresses)


def tcp(*ports: int) -> Conn:
    """Some TCP ports."""
    return conn([Ports("TCP", port, port) for port in ports])


class Told:
    """Places, and a function that answers for two of them. Rules look at the label `app`."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        says: Says,
        nodes: Sequence[Node] = (),
        outside: Sequence[Address] = (),
    ) -> None:
        spaces: dict[str, dict[str, str] | None] = {pod.namespace: {} for pod in endpoints}
        self.world = World(tuple(endpoints), spaces, tuple(nodes))
        every = Pods(Selector((Requirement("app", "Exists"),)))
        rule = Rule("accept", (every,), None)
        self.policies = Policies((Policy(_ANYTHING, "network", every, (rule,), None),))
        self._says = says
        self._outside = outside
        self.own_node_denied = False
        self.notes = ("no profile is known",)

    def verdict(self, source: Place, destination: Place, family: int = 0) -> Reachability:
        """What the function says; a pod and its node always reach each other."""
        for one, other in ((source, destination), (destination, source)):
            if isinstance(one, Node) and isinstance(other, Endpoint) and other.node == one.name:
                return Reachability(NONE if self.own_node_denied else ALL)
        said = self._says(source, destination)
        return said if isinstance(said, Reachability) else Reachability(said, NONE)

    def addresses(self, version: int) -> tuple[Address, ...]:
        """The intervals given, or one of all."""
        given = tuple(one for one in self._outside if one.version == version)
        return given or (Address(version, 0, (1 << (32 if version == 4 else 128)) - 1),)
