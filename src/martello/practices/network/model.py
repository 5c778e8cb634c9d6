"""What every policy dialect is read into: policies, ordered rules, peers and ports."""

from __future__ import annotations

from typing import Final

import msgspec

from martello.core.path import Path
from martello.core.reach import Ports
from martello.core.resource import Resource

ACCEPT: Final = "accept"
DENY: Final = "deny"
PASS: Final = "pass"  # noqa: S105
ADMIN: Final = "admin"
NETWORK: Final = "network"
BASELINE: Final = "baseline"


class Requirement(msgspec.Struct, frozen=True, order=True):
    """One condition on a label: In, NotIn, Exists or DoesNotExist; `values` are sorted."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class Selector(msgspec.Struct, frozen=True):
    """A label selector in canonical form (sorted, without repeats): equal texts of equal meaning
    are one key. No requirement selects everything.
    """

    requirements: tuple[Requirement, ...] = ()


EVERYTHING: Final = Selector()


class Pods(msgspec.Struct, frozen=True):
    """Pods by their labels, of one namespace (`namespace`) or of those that `namespaces` selects.

    Never pods on the network of their node, nor anything outside the cluster.
    """

    pods: Selector = EVERYTHING
    namespace: str = ""  # where not empty, `namespaces` is not asked
    namespaces: Selector = EVERYTHING
    path: Path = ()


class Block(msgspec.Struct, frozen=True):
    """Addresses `first` to `last` of one family, less `excepts`.

    `pods` says whether it takes in the addresses of pods: None leaves it to the profile (ipBlock).
    """

    version: int  # 4 or 6
    first: int
    last: int
    excepts: tuple[tuple[int, int], ...] = ()
    pods: bool | None = None
    path: Path = ()


class Nodes(msgspec.Struct, frozen=True):
    """Nodes by their labels: their addresses, and what runs on their network."""

    nodes: Selector = EVERYTHING
    path: Path = ()


class Domains(msgspec.Struct, frozen=True):
    """External addresses by DNS name; `*.` stands for one or more labels."""

    names: tuple[str, ...]
    path: Path = ()


class Doubtful(msgspec.Struct, frozen=True):
    """A peer that is not understood: it may be anyone."""

    reason: str
    path: Path = ()


Who = Pods | Block | Nodes | Domains | Doubtful


class NamedPort(msgspec.Struct, frozen=True):
    """A port by the name that the *destination* pod gives it; an empty protocol is any."""

    name: str
    protocol: str = ""


class Rule(msgspec.Struct, frozen=True):
    """One rule. `peers` None is everyone, outside the cluster too; `ports` None is every protocol
    and port; an empty tuple matches nothing.
    """

    action: str
    peers: tuple[Who, ...] | None
    ports: tuple[Ports | NamedPort, ...] | None
    path: Path = ()


class Policy(msgspec.Struct, frozen=True, eq=False):
    """One policy object of any dialect. A direction that is None is not governed by it; `doubt`
    says why what it does to its subjects cannot be told (then its rules are empty).

    NetworkPolicies (tier network) isolate: their subjects accept what some rule accepts and
    nothing else. Admin and baseline rules are tried in order of priority, then of the list.
    """

    resource: Resource
    tier: str
    subject: Pods
    ingress: tuple[Rule, ...] | None
    egress: tuple[Rule, ...] | None
    priority: int = 0
    doubt: str = ""
    family: str = ""  # the dialect's API group and version, where mutual order is undefined


class Fault(msgspec.Struct, frozen=True):
    """A part of an object that the API server would refuse."""

    resource: Resource
    path: Path
    reason: str


class Policies(msgspec.Struct, frozen=True):
    """All policies of a cluster, and what could not be read of them."""

    policies: tuple[Policy, ...]
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()  # why some answers are unknown: kinds not understood, lists refused


class Profile(msgspec.Struct, frozen=True):
    """What a network plugin does where Kubernetes leaves it open. None is not known: where answers
    differ by it, they are unknown.
    """

    name: str = ""
    blocks_match_pods: bool | None = None  # whether an ipBlock takes in pod addresses
    self_via_service: bool | None = None  # whether a pod reaches itself by way of its Service
    enforces: bool = True  # false: policies are stored and nothing happens (flannel)
    dialects: frozenset[str] | None = None  # `Kind.group` it acts on; None: all
    pod_ranges: tuple[str, ...] = ()  # CIDRs of pods, where addresses are not in the objects
    service_ranges: tuple[str, ...] = ()
    names: tuple[tuple[str, tuple[str, ...]], ...] = ()  # DNS name → addresses, as given
    blocks_match_nodes: bool = True  # false: an ipBlock leaves out the nodes of the cluster
    needs_owner: bool = False  # whether pods that nothing owns are no subjects of policies


class Declared(msgspec.Struct, frozen=True):
    """A port that a container declares."""

    name: str
    number: int
    protocol: str


class Endpoint(msgspec.Struct, frozen=True, eq=False):
    """A pod, or the pods of a workload that has none here (files). `name` is what people type:
    `namespace/workload`; pods of one workload share it.
    """

    name: str
    namespace: str
    workload: str  # name of the outermost owner
    kind: str  # its kind: Deployment, Pod, …
    pod: str  # the pod's own name; empty where the endpoint stands for a workload's pods
    labels: dict[str, str]
    ports: tuple[Declared, ...]
    addresses: tuple[tuple[int, int], ...]  # (version, address as a number); empty: not known
    node: str
    host_network: bool
    resource: Resource

    @property
    def key(self) -> str:
        """What tells it from every other: namespace and pod, or kind and workload."""
        return f"{self.namespace}/{self.pod or f'{self.kind}/{self.workload}'}"


class Node(msgspec.Struct, frozen=True, eq=False):
    """A node: its labels, addresses and pod ranges."""

    name: str
    labels: dict[str, str]
    addresses: tuple[tuple[int, int], ...]
    pod_ranges: tuple[tuple[int, int, int], ...] = ()  # (version, first, last)
    resource: Resource | None = None


class Address(msgspec.Struct, frozen=True, order=True):
    """Addresses outside of what is known by name: one, or an interval that all rules treat
    alike.
    """

    version: int
    first: int
    last: int


class World(msgspec.Struct, frozen=True, eq=False):
    """The places of one cluster. `namespaces` maps to labels; None: only the name is known."""

    endpoints: tuple[Endpoint, ...]
    namespaces: dict[str, dict[str, str] | None]
    nodes: tuple[Node, ...] = ()
    notes: tuple[str, ...] = ()
    unlisted: dict[str, str] = {}


Place = Endpoint | Node | Address


class Step(msgspec.Struct, frozen=True):
    """What one direction says of one connection, and by what: a line of an explanation."""

    direction: str  # out or in
    place: str
    verdict: str  # allowed, denied, unknown
    why: str
    policy: Resource | None = None
    path: Path = ()
