"""Rights that silence does not speak against: what no log can show, and what this one does not.

Some verbs are never requests: the API server checks them while it does something else. Others may
be left out by the policy of the audit log. Both stay, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from martello.core.audit_policy import EVERYTHING, Asking, AuditPolicy, unlogged
from martello.practices.access.bindings import Binding, Subject
from martello.practices.access.cover import Single, singles
from martello.practices.access.principals import ACCOUNTS, keys, of_subject, subject_key
from martello.practices.access.rules import RBAC, Rule
from martello.practices.access.uses import READS, Observed

STANDARD: Final = (*sorted(READS), "create", "update", "patch", "delete", "deletecollection")
METHODS: Final = ("get", "head", "post", "put", "patch", "delete", "options")
LARGEST: Final = 50_000  # rights of one role; a larger one is not taken apart
_WRITES: Final = frozenset({"create", "update", "patch"})
_CERTIFICATES: Final = "certificates.k8s.io"
# What is checked while something else is done: (group, resource) that is written → the rights.
_DURING: Final[Mapping[tuple[str, str], tuple[tuple[str, str, str], ...]]] = {
    (_CERTIFICATES, "certificatesigningrequests/approval"): (
        ("approve", _CERTIFICATES, "signers"),
    ),
    (_CERTIFICATES, "certificatesigningrequests/status"): (("sign", _CERTIFICATES, "signers"),),
    (_CERTIFICATES, "clustertrustbundles"): (("attest", _CERTIFICATES, "signers"),),
    ("", "pods"): (
        ("use", "policy", "podsecuritypolicies"),
        ("use", "security.openshift.io", "securitycontextconstraints"),
    ),
}
_CALLED: Final = {"account": "service account", "system": "component", "user": "user"}
_RBAC_WRITES: Final = frozenset({"roles", "clusterroles", "rolebindings", "clusterrolebindings"})


class Kept(msgspec.Struct, frozen=True):
    """Rights that stay though nobody was seen using them: all of a binding where `rights` is
    empty.
    """

    why: str
    rights: tuple[Single, ...] = ()


class Silence:
    """What a log cannot speak of: built once of all that was observed, asked for each binding."""

    def __init__(
        self, observed: Observed, policy: AuditPolicy | None = None, opaque: str = ""
    ) -> None:
        """`opaque` names a principal whose groups are not known and explain what it did."""
        self._policy = policy
        rules = policy.rules if policy is not None else ()
        self._named = (
            {user for rule in rules for user in rule.users},
            {group for rule in rules for group in rule.groups},
            {space for rule in rules for space in rule.namespaces},
        )
        self._known: dict[Asking, tuple[tuple[str, str], ...]] = {}
        self._seen = observed.seen
        self._lost = observed.lost
        self._opaque = opaque
        self._reviewed = any(use.how == "review" for use in observed.uses)
        self._writers: set[str] = set()
        self._during: dict[str, dict[tuple[str, str, str], None]] = {}
        for use in observed.uses:
            one = use.request
            if one.verb not in _WRITES:
                continue
            if one.group == RBAC and one.resource in _RBAC_WRITES:
                self._writers.update(keys(use.principal))
            full = f"{one.resource}/{one.subresource}" if one.subresource else one.resource
            for right in _DURING.get((one.group, full), ()):
                for key in keys(use.principal):
                    self._during.setdefault(key, {})[right] = None

    def kept(self, binding: Binding, subject: Subject) -> tuple[Kept, ...]:
        """What stays of a binding's rights for one of its subjects, whatever was used."""
        whole = self._whole(binding, subject)
        if whole:
            return (Kept(whole),)
        found: dict[str, dict[Single, None]] = {}
        silent = self._missing(subject) if self._policy is None else {}
        where = "" if binding.cluster_wide else binding.resource.ref.namespace
        for single in dict.fromkeys(singles(binding.rules)):
            for right, why in self._single(single, subject, where, silent):
                found.setdefault(why, {})[right] = None
            if not self._reviewed and _by_review(single):
                why = "kubelets and proxies ask about it in reviews, and the log holds none"
                found.setdefault(why, {})[single] = None
        wild = [rule for rule in binding.rules if "*" in rule.verbs]
        for verb, group, resource in self._during.get(subject_key(subject), ()):
            for rule in wild:
                if any(rule.permits(verb, group, resource, "", n) for n in rule.names or ("",)):
                    why = "it is checked while something that was done is done"
                    rights = ((verb, group, resource, n, "") for n in rule.names or (None,))
                    found.setdefault(why, {}).update(dict.fromkeys(rights))
        return tuple(Kept(why, tuple(rights)) for why, rights in found.items())

    def _single(
        self, single: Single, subject: Subject, where: str, silent: Mapping[str, str]
    ) -> Iterator[tuple[Single, str]]:
        """What stays of one right."""
        verb, group, resource, name, url = single
        if not url and verb != "*" and verb not in STANDARD:
            yield single, f"{verb} is only checked, never requested"
            return
        for one in (METHODS if url else STANDARD) if verb == "*" else (verb,):
            kind = "path" if url else "read" if one in READS else "write"
            why = silent.get("") or silent.get(kind)
            if why:
                yield (one, group, resource, name, url), why
            elif self._policy is not None:
                asking = _asking(subject, one, group, resource, name, url, where)
                for part in self._unlogged(self._policy, asking):
                    right = (group, resource) if part == EVERYTHING else part
                    yield (one, *right, name, url), "the audit policy does not log it"

    def _unlogged(self, policy: AuditPolicy, asking: Asking) -> tuple[tuple[str, str], ...]:
        """As the policy says; who and where the policy does not name are all alike to it."""
        users, groups, spaces = self._named
        alike = msgspec.structs.replace(
            asking,
            user=asking.user if asking.user is None or asking.user in users else "",
            groups=tuple(group for group in asking.groups if group in groups),
            namespace=asking.namespace
            if asking.namespace is None or asking.namespace in spaces
            else "*",
        )
        if alike not in self._known:
            self._known[alike] = unlogged(policy, alike)
        return self._known[alike]

    def _whole(self, binding: Binding, subject: Subject) -> str:
        """Why nothing at all can be said of a binding's rights."""
        if size(binding) > LARGEST:
            return f"its role has more than {LARGEST} rights"
        if size(binding) * len(binding.subjects) > 100 * LARGEST:
            return "it has too many subjects for a role of this size"
        if binding.role is not None and binding.role.broken:
            return f"its role cannot be read: {binding.role.broken}"
        if not subject_key(subject):
            return "its subject is nobody that is known"
        for name in self._lost:
            if subject.kind == "Group" or subject_key(subject) == f"u{name}":
                return f"{name} did more different things than are kept"
        if self._opaque and subject.kind == "Group" and not subject.name.startswith("system:"):
            return f"the groups of {self._opaque} are not known, and it may be in this one"
        if subject_key(subject) in self._writers and not _escalates(binding.rules):
            return "it writes roles or bindings, and may grant no more than it holds"
        return ""

    def _missing(self, subject: Subject) -> dict[str, str]:
        """Without a policy: which whole classes of requests the log does not hold, by `read`,
        `write`, `path`, or "" for everything that this subject does.
        """
        kind = _class(subject)
        if kind and not self._seen.get(kind):
            return {"": f"no request of any {_CALLED[kind]} is in the log"}
        words = {"read": "no read", "write": "no write", "path": "no non-resource request"}
        return {k: f"{word} is in the log" for k, word in words.items() if not self._seen.get(k)}


def size(binding: Binding) -> int:
    """How many rights the role has when it is taken apart."""
    return sum(
        len(r.verbs) * (len(r.groups) * len(r.resources) * max(len(r.names), 1) + len(r.urls))
        for r in binding.rules
    )


def _by_review(right: Single) -> bool:
    """Whether others than the API server serve this, and ask it by a SubjectAccessReview."""
    _, group, resource, _, url = right
    return bool(url) or (group in ("", "*") and resource.startswith("nodes/"))


def _escalates(rules: tuple[Rule, ...]) -> bool:
    """Whether rules name the rights to grant what one does not hold."""
    verbs = {verb for rule in rules for verb in rule.verbs}
    return {"bind", "escalate"} <= verbs


def _class(subject: Subject) -> str:
    if subject.kind == "ServiceAccount" or (
        subject.kind == "Group" and subject.name.startswith(ACCOUNTS)
    ):
        return "account"
    if subject.name in ("system:authenticated", "system:unauthenticated"):
        return ""
    return "system" if subject.name.startswith("system:") else "user"


def _asking(
    subject: Subject, verb: str, group: str, resource: str, name: str | None, url: str, where: str
) -> Asking:
    who = of_subject(subject)
    known = subject.kind == "ServiceAccount"
    return Asking(
        verb,
        who.username or None,
        who.groups,
        known,
        None if group == "*" else group,
        None if resource == "*" or resource.startswith("*/") else resource,
        name,
        where or None,
        url or None,
        bool(url),
    )
