"""The proof of a trim: all that was used is allowed, nobody has more, the authorizer agrees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from martello.core.cluster import Cluster
from martello.core.errors import Refused, Stale
from martello.core.resource import Ref, Resource
from martello.practices.access.answers import Access
from martello.practices.access.cover import covers
from martello.practices.access.edits import Edit
from martello.practices.access.replay import (
    Disagreement,
    Explained,
    Replay,
    binding_of,
    named,
    replay,
)
from martello.practices.access.rules import RBAC, read_role
from martello.practices.access.uses import Observed, Use

_DAY: Final = 86_400_000_000_000
_ENOUGH: Final = 0.95  # of the window that was asked for: a log begins with its first event


def _length(span: int) -> str:
    """A length of time (ns) in words."""
    hours = span / _DAY * 24
    if hours < 2:
        return f"{hours * 60:.0f} minutes"
    return f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.1f} days"


def enough(observed: Observed, since: int) -> None:
    """Raises Stale where there are no events, or fewer days of them than asked for (ns)."""
    span = observed.last - observed.first
    if not observed.events:
        raise Stale("there are no events", "nothing can be said to be unused", "name an audit log")
    if span < since * _ENOUGH:
        raise Stale(
            "the events cover less than the window asked for",
            f"they span {_length(span)}, and {_length(since)} are asked for",
            "give more of the audit log, or ask for a shorter window",
        )


def checked(cluster: Cluster, use: Use, some: Iterable[Explained]) -> Iterator[Disagreement]:
    """Where the authorizer's own reason is not ours. Raises Stale where it names a binding that is
    not here.
    """
    ours = {named(grant.binding) for one in some for grant in one.answer.grants}
    allowed = all(one.answer.verdict == "allowed" for one in some)
    said = [(reason, key) for reason in use.reasons if (key := binding_of(reason)) is not None]
    for reason, key in said:
        if key in ours:
            continue
        kind, space, name = key
        group_kind = f"{kind}.{RBAC}"
        known = group_kind not in cluster.unlisted and cluster.saw(space) and cluster.complete
        if known and cluster.get(group_kind, space, name) is None:
            raise Stale(
                "the events and the cluster are of different times",
                f"{use.principal.username} was allowed by {kind} {space and space + '/'}{name}, "
                "which is not there any more",
                "read the cluster and its audit log again",
            )
        yield Disagreement(use, reason, "it is not among its grants")
    if not said and not allowed and not by_another(use):
        yield Disagreement(use, "", "it is not allowed by what is known")


def by_another(use: Use) -> bool:
    """Whether RBAC need not allow it: another authorizer did (that of nodes gives no reason, others
    give one that is not RBAC's), or it is the question of a review, whose answer is not logged.
    """
    if use.how == "review":
        return True
    if use.reasons:
        return not any(binding_of(reason) for reason in use.reasons)
    return use.principal.kind == "node"


def proved(
    found: Access,
    after: Cluster,
    observed: Observed,
    wanted: Sequence[Use],
    edits: Sequence[Edit],
) -> Replay:
    """The replay of everything on the changed cluster. Raises Refused."""
    uses = (*observed.uses, *observed.refused)
    proof = replay(after, uses)
    must = {id(use) for use in wanted}
    broken = [
        one
        for one in (*proof.denied, *proof.unknown)
        if id(one.use) in must or found.can(one.use.principal, one.request).verdict == "allowed"
    ]
    if broken:
        one = broken[0]
        why = f"{one.use.principal.username} could not {shown(one)} any more"
        raise Refused(f"the changed roles would deny {len(broken)} requests that were made", why)
    for edit in edits:
        if edit.binding is None:
            continue
        before = found.grants.binding(_resource(found.cluster, edit.binding))
        for one_role in edit.changed:
            if one_role.ref.kind in ("Role", "ClusterRole"):
                held, more = covers(before.rules, read_role(one_role).rules)
                if not held:
                    what = f"the changed {one_role.ref.local} would grant more than before"
                    raise Refused(
                        what, f"{' '.join(map(str, more[0]))} is not in {before.role_name}"
                    )
    return Replay(proof.replayed - len(proof.denied) - len(proof.unknown))


def shown(one: Explained) -> str:
    """A request in words."""
    request = one.request
    if request.path:
        return f"{request.verb} {request.path}"
    full = f"{request.resource}/{request.subresource}" if request.subresource else request.resource
    full = f"{full}.{request.group}" if request.group else full
    where = f" in {request.namespace}" if request.namespace else ""
    return f"{request.verb} {full}{' ' + request.name if request.name else ''}{where}"


def _resource(cluster: Cluster, ref: Ref) -> Resource:
    found = cluster.get(ref.group_kind, ref.namespace, ref.name)
    assert found is not None
    return found
