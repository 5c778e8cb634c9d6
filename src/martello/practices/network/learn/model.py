"""The words of the learner: parties, edges, what is proposed, and its proof."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.practices.network.model import Profile

WORKLOAD: Final = "workload"
NODE: Final = "node"
OUTSIDE: Final = "outside"

NETWORK_POLICY: Final = "NetworkPolicy"
CLUSTER_NETWORK_POLICY: Final = "ClusterNetworkPolicy"
CILIUM: Final = "CiliumNetworkPolicy"
DIALECTS: Final = (NETWORK_POLICY, CLUSTER_NETWORK_POLICY, CILIUM)

# Namespaces that are learned only where they are asked for: a wrong policy there stops a cluster.
SYSTEM: Final = frozenset(("kube-system", "kube-public", "kube-node-lease"))

# Why an edge is shown before it becomes law.
METADATA: Final = "reaches the metadata address of the cloud"
API_SERVER: Final = "reaches the API server"
SINGLE: Final = "was seen once only"
TENANT: Final = "goes to another tenant"
FOREIGN: Final = "goes to another namespace"
UNDECLARED: Final = "reaches a port that the destination does not declare"
KUBELET: Final = "reaches the kubelet of a node"
UNANSWERED: Final = "was never seen answered"
CHURNING: Final = "reaches outside addresses that may change"
FROM_OUTSIDE: Final = "comes from outside"


class Key(msgspec.Struct, frozen=True, order=True):
    """A workload by namespace, name and kind."""

    namespace: str
    name: str
    kind: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Party(msgspec.Struct, frozen=True, order=True):
    """One end of an edge: pods of a workload that are alike (`form` numbers the kinds of pods that
    a workload has), a node, or one outside address.
    """

    kind: str  # workload, node or outside
    workload: Key | None = None
    form: int = 0
    node: str = ""
    version: int = 0
    address: int = 0


class Snapshot(msgspec.Struct, frozen=True, eq=False):
    """The cluster as it was at a time (seconds since 1970): whose an address was then. It holds
    until the next one; give the present cluster too, where its time is known.
    """

    at: float
    cluster: Cluster


class Edge(msgspec.Struct, frozen=True):
    """Connections from one party to a port of another, counted. `first` and `last` are seconds
    since 1970 (0: the source has no times); `declared` says what wrote of it where no flow did.
    """

    source: Party
    destination: Party
    protocol: str
    port: int
    count: int = 0
    first: float = 0.0
    last: float = 0.0
    witnesses: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    service: str = ""
    answered: bool = True
    declared: str = ""


class Options(msgspec.Struct, frozen=True):
    """What is learned and how. Empty `namespaces` means all but those of the system."""

    namespaces: tuple[str, ...] = ()
    profile: Profile = Profile()
    dialect: str = NETWORK_POLICY
    history: tuple[Snapshot, ...] = ()  # earlier states, for addresses and Services of then
    include_declared: bool = False  # what env and ConfigMaps name becomes law without a flow
    isolate_unseen: bool = False  # workloads without evidence get nothing instead of everything
    dns: bool = True  # every learned workload may ask the cluster's DNS, UDP and TCP
    infrastructure: bool = True  # the API server may call the webhooks that are registered
    by_namespace: bool = False  # peers are whole namespaces
    merge_labels: bool = True  # several workloads become one label where it takes in no other pod
    internet: tuple[str, ...] = ()  # namespace/workload that anyone outside may reach
    withhold: tuple[str, ...] = ()  # reasons of review for which an edge is not learned
    most_blocks: int = 16  # CIDRs of one peer list before they are joined
    most_edges: int = 200_000


class Unresolved(msgspec.Struct, frozen=True):
    """Flows of which one end is nobody that is known: never learned."""

    source: str
    destination: str
    protocol: str
    port: int
    reason: str
    count: int
    witness: str = ""


class Reviewed(msgspec.Struct, frozen=True):
    """An edge to look at before it becomes law; `withheld` where it did not become law."""

    source: str
    destination: str
    protocol: str
    port: int
    reasons: tuple[str, ...]
    count: int
    witnesses: tuple[str, ...] = ()
    withheld: bool = False


class DeclaredUse(msgspec.Struct, frozen=True):
    """A Service that a workload's configuration names, with no flow to it."""

    workload: str
    service: str
    destination: str
    protocol: str
    port: int  # the target port
    where: str
    included: bool = False


class Unseen(msgspec.Struct, frozen=True):
    """A workload of a learned namespace without evidence."""

    workload: str
    kind: str
    reason: str
    isolated: bool


class OpenPair(msgspec.Struct, frozen=True):
    """Two workloads between which the proposal lets pass what no flow used, and why."""

    source: str
    destination: str
    ports: str
    why: str


class HeldOut(msgspec.Struct, frozen=True):
    """What policies of the first 80 % of time would have missed of the rest."""

    until: float
    trained_edges: int
    later_edges: int  # edges first seen in the rest
    missed_edges: int
    missed_flows: int
    missed: tuple[str, ...] = ()


class Proof(msgspec.Struct, frozen=True):
    """What replaying every distinct edge against the proposal showed. Counts are of flows unless
    they say otherwise. `undecided`: the model cannot tell, with or without the proposal.
    """

    flows: int
    replayed: int
    denied: int
    unresolved: int
    edges: int
    undecided: int = 0
    withheld: int = 0
    icmp: int = 0
    dropped: int = 0  # demand, not evidence
    own_node: int = 0  # probes of the kubelet
    itself: int = 0
    pairs: int = 0  # pairs of workloads of which one is learned
    pairs_before: int = 0
    pairs_after: int = 0
    open_pairs: tuple[OpenPair, ...] = ()  # opened by the proposal, used by no flow
    held_out: HeldOut | None = None
    elsewhere: int = 0  # flows that no policy of these namespaces bears on


class Lesson(msgspec.Struct, frozen=True):
    """Policies as Kubernetes objects, their proof, and what a person should look at."""

    policies: tuple[dict[str, Any], ...]
    proof: Proof
    review: tuple[Reviewed, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()
    declared_not_seen: tuple[DeclaredUse, ...] = ()
    unseen: tuple[Unseen, ...] = ()
    demand: tuple[Reviewed, ...] = ()  # dropped flows: asked for, not learned
    notes: tuple[str, ...] = ()
