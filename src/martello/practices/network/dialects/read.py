"""All policies of a cluster, whatever their dialect, and what could not be read of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.path import show
from martello.core.resource import Nowhere, Ref, Resource
from martello.practices.network.dialects import (
    adminnetworkpolicy,
    calico,
    cilium,
    clusternetworkpolicy,
    networkpolicy,
)
from martello.practices.network.dialects.form import DEFAULT_NAMESPACE, Form
from martello.practices.network.dialects.nodeless import without_nodes
from martello.practices.network.model import (
    ADMIN,
    EVERYTHING,
    NETWORK,
    Fault,
    Pods,
    Policies,
    Policy,
    Profile,
)

_PLAIN: Final = Profile()
Reader = Callable[[Resource], tuple[Policy, Form]]
_ONE: Final[dict[str, Reader]] = {
    networkpolicy.KIND: networkpolicy.read_policy,
    clusternetworkpolicy.KIND: clusternetworkpolicy.read_policy,
    adminnetworkpolicy.KIND: adminnetworkpolicy.read_policy,
    adminnetworkpolicy.BASELINE_KIND: adminnetworkpolicy.read_baseline,
}
_SEVERAL: Final[dict[str, Callable[[Resource], tuple[tuple[Policy, ...], Form]]]] = {
    cilium.KIND: cilium.read_policies,
    cilium.CLUSTERWIDE: cilium.read_policies,
    **dict.fromkeys(calico.KINDS, calico.read_policies),
}
KINDS: Final = (*_ONE, *_SEVERAL)  # the kinds that are understood, at least in part


def read(cluster: Cluster, profile: Profile = _PLAIN) -> Policies:
    """Every policy that the profile's plugin acts on, in the order of the input. Kinds that are
    not understood or could not be listed are policies with a doubt, so that nothing is answered
    as if they were not there.
    """
    policies: list[Policy] = []
    faults = list(_twice(cluster.of_kind("Namespace")))
    notes: list[str] = []
    if not profile.enforces:
        return Policies((), tuple(faults), (f"{profile.name} enforces no policies",))
    for kind in sorted(kind for kind in cluster.kinds if is_policy(kind)):
        if profile.dialects is not None and kind not in profile.dialects:
            notes.append(f"{profile.name} does not act on {kind}")
            continue
        found = [read_object(resource) for resource in cluster.of_kind(kind)]
        again = tuple(_twice(cluster.of_kind(kind)))
        refs = {(fault.resource.ref.namespace, fault.resource.ref.name) for fault in again}
        read_here = [_doubted(policy, refs) for one in found for policy in one.policies]
        if kind in cilium.KINDS or (kind == networkpolicy.KIND and not profile.blocks_match_nodes):
            read_here = [without_nodes(policy, cluster) for policy in read_here]
        sets = [one for one in calico.SETS if one in cluster.kinds and kind in calico.KINDS]
        if sets:
            read_here = [_in_doubt(p, f"{sets[0]} objects are not read") for p in read_here]
        policies.extend(read_here)
        faults.extend(fault for one in found for fault in one.faults)
        faults.extend(again)
        notes.extend(dict.fromkeys(note for one in found for note in one.notes))
    policies.extend(_unlisted(cluster, profile))
    return Policies(tuple(policies), tuple(faults), tuple(notes))


def is_policy(kind: str) -> bool:
    """Whether a kind (`Kind.group`) decides who reaches whom in some dialect."""
    return kind.partition(".")[0].endswith("NetworkPolicy")


def is_read(kind: str, policies: Policies, profile: Profile) -> bool:
    """Whether a change of objects of a kind may change what was read: policies themselves, nodes
    where their addresses are no part of ranges, Calico's NetworkSets.
    """
    if is_policy(kind):
        return True
    if kind == "Node":
        return not stands_alone(profile) or _has(policies, cilium.FAMILY)
    return kind in calico.SETS and _has(policies, calico.FAMILY)


def _has(policies: Policies, family: str) -> bool:
    return any(policy.family == family for policy in policies.policies)


def stands_alone(profile: Profile) -> bool:
    """Whether a NetworkPolicy reads the same whatever else is in the cluster, but for two of one
    name.
    """
    return profile.blocks_match_nodes


def read_object(resource: Resource) -> Policies:
    """One policy object by itself."""
    kind = resource.ref.group_kind
    if kind in _ONE:
        policy, form = _ONE[kind](resource)
        found: tuple[Policy, ...] = (policy,)
    elif kind in _SEVERAL:
        found, form = _SEVERAL[kind](resource)
    else:
        reason = f"{kind} is not understood"
        return Policies((_unread(resource, reason),), notes=(reason,))
    return Policies(found, tuple(form.faults), (*form.doubts, *form.notes))


def _unread(resource: Resource, reason: str) -> Policy:
    """A policy of which only the namespace is known: all pods there are in doubt."""
    namespace = resource.ref.namespace
    return Policy(
        resource,
        NETWORK if namespace else ADMIN,
        Pods(EVERYTHING, namespace),
        (),
        (),
        doubt=reason,
        family=resource.ref.api_version,
    )


def _twice(resources: Iterable[Resource]) -> Iterator[Fault]:
    """A fault for every object whose name another one before it has: which is meant is unknown."""
    first: dict[tuple[str, str], Resource] = {}
    for resource in resources:
        key = (resource.ref.namespace or DEFAULT_NAMESPACE, resource.ref.name)
        before = first.setdefault(key, resource)
        if before is not resource:
            reason = f"is the name of two objects here: the first is at {before.locate()}"
            yield Fault(resource, ("metadata", "name"), reason)


def _doubted(policy: Policy, refs: set[tuple[str, str]]) -> Policy:
    ref = policy.resource.ref
    if (ref.namespace, ref.name) not in refs:
        return policy
    return _in_doubt(policy, f"there are two objects {ref.local}")


def _in_doubt(policy: Policy, reason: str) -> Policy:
    """A policy without its rules, in the directions that it governs."""
    if policy.doubt:
        return policy
    return msgspec.structs.replace(
        policy,
        ingress=policy.ingress if policy.ingress is None else (),
        egress=policy.egress if policy.egress is None else (),
        doubt=reason,
    )


def _unlisted(cluster: Cluster, profile: Profile) -> Iterator[Policy]:
    """A doubt about every pod for each kind of policy that could not be listed."""
    for kind, reason in sorted(cluster.unlisted.items()):
        if not is_policy(kind) or (profile.dialects is not None and kind not in profile.dialects):
            continue
        name, _, group = kind.partition(".")
        ref = Ref(cluster.name, f"{group}/v1", name, "", "")
        resource = Resource({}, ref, Nowhere())
        yield _unread(resource, f"{kind} could not be listed: {reason}")


def refuse(policies: Policies) -> None:
    """Raises BadInput where a part of some policy would be refused: it names the first by file and
    line, and how many more there are.
    """
    if not policies.faults:
        return
    first, *more = policies.faults
    where = first.resource.locate(first.path)
    what = f"{where}: {first.resource.ref.local} would be refused by the API server"
    why = f"{show(first.path)} {first.reason}"
    if more:
        why += f" (and {len(more)} more)"
    following = "correct it, or name fewer files with -f; `martello network lint` lists all"
    raise BadInput(what, why, following)
