"""Why a grant may exist that is not here: what was not listed, not in the files, or not said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from martello.core.cluster import Cluster
from martello.practices.access.bindings import BINDINGS, ROLE_BINDING, Binding, Subject
from martello.practices.access.index import Index, scope_of
from martello.practices.access.model import ACCOUNT, Principal, Request
from martello.practices.access.principals import subject_key
from martello.practices.access.rules import RBAC

_TOLD: Final = 3  # groups that are named as conditions


def gaps(
    cluster: Cluster, index: Index, who: Principal, asked: Sequence[str], request: Request
) -> tuple[str, ...]:
    """The reasons for which a denied request may be allowed in truth."""
    space = "" if request.path else request.namespace
    found = [*_unlisted(cluster, space)]
    for key in asked:
        for binding in index.pending.get(key, ()):
            if scope_of(binding) in ("", space):
                found.extend(unread_role(cluster, binding))
    if space and index.adrift:
        found.extend(_adrift(index, asked, request))
    if not who.groups_known:
        found.extend(_conditions(index, asked, request, space))
    return tuple(dict.fromkeys(found))


def _unlisted(cluster: Cluster, space: str) -> Iterator[str]:
    for kind in BINDINGS:
        if kind in cluster.unlisted and (space or kind != ROLE_BINDING):
            yield f"{kind}: {cluster.unlisted[kind]}"
    if space and not cluster.saw(space):
        yield f"namespace {space} was not read"


def unread_role(cluster: Cluster, binding: Binding) -> Iterator[str]:
    """Why the role of a binding may exist, though it is not here."""
    kind = f"{binding.role_kind}.{RBAC}"
    if binding.role_kind not in ("ClusterRole", "Role"):
        return
    where = binding.resource.ref.local
    if kind in cluster.unlisted:
        yield f"{where}: {kind}: {cluster.unlisted[kind]}"
    elif not cluster.complete:
        yield f"{where}: {binding.role_kind} {binding.role_name} is not in these files"


def _adrift(index: Index, asked: Sequence[str], request: Request) -> Iterator[str]:
    """RoleBindings whose namespace is filled in when they are applied: it may be this one."""
    for binding in may_allow(index.adrift, request):
        held = {subject_key(subject) for subject in placed(binding, request.namespace)}
        if not held.isdisjoint(asked):
            yield unplaced(binding)


def unplaced(binding: Binding) -> str:
    """Why it is not known where a binding grants anything."""
    return f"{binding.resource.ref.local}: its namespace is not written"


def may_allow(bindings: Iterable[Binding], request: Request) -> Iterator[Binding]:
    """The bindings that would allow a request in their own namespace; a role is asked once."""
    asked: dict[int, bool] = {}
    for binding in bindings:
        role = binding.role
        if role is not None and id(role) not in asked:
            asked[id(role)] = any(rule.allows(request) for rule in role.rules)
        if role is None or asked[id(role)]:
            yield binding


def placed(binding: Binding, space: str) -> tuple[Subject, ...]:
    """The subjects of a binding, were it in this namespace."""
    return tuple(
        Subject(subject.kind, subject.name, space)
        if subject.kind == "ServiceAccount" and not subject.namespace
        else subject
        for subject in binding.subjects
    )


def _conditions(index: Index, asked: Sequence[str], request: Request, space: str) -> Iterator[str]:
    """The groups whose members may do it. Groups of the system are none that an identity provider
    or a certificate of a person gives.
    """
    rules = index.allowing(request)
    found: list[str] = []
    for key in index.group_keys if rules else ():
        if key in asked or key.startswith("gsystem:"):
            continue
        if any(cell.mask(index) & rules for _, _, cell in index.cells_of((key,), space)):
            found.append(key[1:])
    for group in found[:_TOLD]:
        yield f"allowed to members of group {group}, and the groups are not known"
    if len(found) > _TOLD:
        yield f"allowed to members of {len(found) - _TOLD} more groups"


def phantom(cluster: Cluster, subject: Subject) -> bool:
    """Whether a binding names an account that does not exist: whoever may create it gets the grant.
    Accounts called `default` are made with each namespace.
    """
    if subject.kind != "ServiceAccount" or subject.name == "default":
        return False
    if "ServiceAccount" in cluster.unlisted or not cluster.saw(subject.namespace):
        return False
    found = (
        cluster.get("ServiceAccount", space, subject.name) for space in (subject.namespace, "")
    )
    return not any(found)


def account_of(username: str) -> Subject | None:
    """The account that a user name spells; None for any other user."""
    space, _, name = username.removeprefix(ACCOUNT).partition(":")
    if username.startswith(ACCOUNT) and space and name and ":" not in name:
        return Subject("ServiceAccount", name, space)
    return None
