"""Who may act as whom: impersonation, and certificates that name somebody else.

Source: WithImpersonation in k8s.io/apiserver endpoints/filters, pkg/controller/certificates and the
admission plugin CertificateApproval in Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from martello.practices.access.answers import Access
from martello.practices.access.gaps import account_of
from martello.practices.access.model import Answer, Principal, Request
from martello.practices.access.principals import NODE

_AUTHENTICATION: Final = "authentication.k8s.io"
_CERTIFICATES: Final = "certificates.k8s.io"
_UIDS_SINCE: Final = 22
CONSTRAINED_SINCE: Final = 36  # the minor version that has constrained impersonation by default
CLIENT: Final = "kubernetes.io/kube-apiserver-client"


def may_impersonate(
    access: Access,
    who: Principal,
    username: str,
    groups: Iterable[str] = (),
    extras: Mapping[str, Iterable[str]] | None = None,
    uid: str = "",
) -> Answer:
    """Whether somebody may send requests as another user. Each part that is given is checked, and
    all must be allowed; groups, extras and a uid need a user beside them. The user name of an
    account is checked as that account: `impersonate` on users does not reach it.
    """
    if not username:
        return Answer(
            "denied", because=("impersonation needs a user name, whatever else is given",)
        )
    parts = _parts("impersonate", "", username, groups, extras, uid)
    if uid and access.cluster.kubernetes < _UIDS_SINCE:
        return Answer("denied", because=("uids can be impersonated since Kubernetes 1.22",))
    return every(access.can(who, part) for part in parts)


def may_impersonate_on(
    access: Access,
    who: Principal,
    username: str,
    request: Request,
    groups: Iterable[str] = (),
    extras: Mapping[str, Iterable[str]] | None = None,
    uid: str = "",
    associated: bool = False,
) -> Answer:
    """Whether somebody may send one request as another user, who must be allowed it himself.
    Constrained impersonation asks for `impersonate:MODE` on each part and for
    `impersonate-on:MODE:VERB` on what is requested; plain impersonation is asked after it.
    `associated` says that the node is the one on which the asking account's pod runs.
    """
    groups = tuple(groups)
    plain = may_impersonate(access, who, username, groups, extras, uid)
    if plain.verdict == "allowed" or access.cluster.kubernetes < CONSTRAINED_SINCE:
        return plain
    bare = not (groups or extras or uid)
    for mode in _modes(username, associated):
        if mode != "user-info" and not bare:
            continue  # accounts and nodes are taken as they are, with the groups of their own
        verb = f"impersonate:{mode}"
        parts = _parts(verb, _AUTHENTICATION, username, groups, extras, uid, node="node" in mode)
        on = Request(
            f"impersonate-on:{mode}:{request.verb}",
            request.group,
            request.resource,
            request.subresource,
            request.name,
            request.namespace,
            request.path,
        )
        if mode == "associated-node":
            parts = [Request(verb, _AUTHENTICATION, "nodes", name="*")]
        answer = every(access.can(who, part) for part in (*parts, on))
        if answer.verdict == "allowed":
            return answer
        if answer.verdict == "unknown" and plain.verdict == "denied":
            plain = answer
    return plain


def _modes(username: str, associated: bool) -> tuple[str, ...]:
    if account_of(username) is not None:
        return ("serviceaccount",)
    if username.startswith(NODE):
        return ("associated-node", "arbitrary-node") if associated else ("arbitrary-node",)
    return ("user-info",)


def _parts(
    verb: str,
    group: str,
    username: str,
    groups: Iterable[str],
    extras: Mapping[str, Iterable[str]] | None,
    uid: str,
    node: bool = False,
) -> list[Request]:
    account = account_of(username)
    if account is not None:
        parts = [Request(verb, group, "serviceaccounts", "", account.name, account.namespace)]
    elif node:
        parts = [Request(verb, group, "nodes", name=username.removeprefix(NODE))]
    else:
        parts = [Request(verb, group, "users", name=username)]
    parts += [Request(verb, group, "groups", name=each) for each in groups]
    for key, values in (extras or {}).items():
        parts += [Request(verb, _AUTHENTICATION, "userextras", key, value) for value in values]
    if uid:
        parts.append(Request(verb, _AUTHENTICATION, "uids", name=uid))
    return parts


def may_approve(access: Access, who: Principal, signer: str) -> Answer:
    """Whether somebody may both request and approve a certificate of a signer: create requests,
    change their approval, and `approve` on the signer, by its name or as `DOMAIN/*`.
    """
    kind = "certificatesigningrequests"
    create = access.can(who, Request("create", _CERTIFICATES, kind))
    change = any_of(
        access.can(who, Request(verb, _CERTIFICATES, kind, "approval"))
        for verb in ("update", "patch")
    )
    domain = signer.partition("/")[0]
    approve = any_of(
        access.can(who, Request("approve", _CERTIFICATES, "signers", name=name))
        for name in (signer, f"{domain}/*")
    )
    return every((create, change, approve))


def certified(signer: str, username: str, groups: Iterable[str]) -> str:
    """Why a signer gives no certificate for this user and these groups; empty where it may.
    Source: the admission plugin CertificateSubjectRestriction, and the kubelet signer.
    """
    held = tuple(groups)
    if signer == CLIENT and "system:masters" in held:
        return f"{CLIENT} refuses the group system:masters"
    if signer == f"{CLIENT}-kubelet" and not (
        username.startswith(NODE) and held == ("system:nodes",)
    ):
        return f"{CLIENT}-kubelet certifies nodes only"
    return ""


def every(answers: Iterable[Answer]) -> Answer:
    """All must be allowed; the first that is not says why."""
    found = list(answers)
    for verdict in ("denied", "unknown"):
        for answer in found:
            if answer.verdict == verdict:
                return answer
    return Answer("allowed", tuple(grant for answer in found for grant in answer.grants))


def any_of(answers: Iterable[Answer]) -> Answer:
    """One that is allowed suffices."""
    found = list(answers)
    for verdict in ("allowed", "unknown"):
        for answer in found:
            if answer.verdict == verdict:
                return answer
    return Answer("denied")
