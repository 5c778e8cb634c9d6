"""Rights that are worth more than they look, and the findings about those who hold them.

A finding stands at the binding that gives the right away. A role that nothing binds gives nobody
anything: in files, where it may be bound elsewhere, that is a note of low severity.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

import msgspec

from martello.core.check import Hit
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.bindings import CLUSTER_ROLE_BINDING, ROLE_BINDING, Binding, Subject
from martello.practices.access.defaults import PLATFORM
from martello.practices.access.grants import grants
from martello.practices.access.principals import keys, of_subject, subject_key
from martello.practices.access.rules import CLUSTER_ROLE, RBAC, ROLE, Role, Rule

KINDS: Final = (CLUSTER_ROLE_BINDING, ROLE_BINDING, CLUSTER_ROLE, ROLE)
EVERYTHING: Final = "ACC-001"  # the check of bindings that give all rights, each one of these too
EVERY_RESOURCE: Final = "ACC-007"  # the check of rules that cover every resource, theirs too
DEFAULT_ROLES: Final = frozenset(("admin", "edit", "view", "cluster-admin"))
_MASTERS: Final = Subject("Group", "system:masters")


class Power(msgspec.Struct, frozen=True):
    """A right: any of the verbs on a resource. `named` ones count even where resourceNames narrows
    them down; `everywhere` ones concern what lies in no namespace, so that only a
    ClusterRoleBinding gives them. Without one of those in `beside` it is worth nothing.
    """

    verbs: tuple[str, ...]
    group: str
    resource: str
    subresource: str = ""
    named: bool = False
    everywhere: bool = False
    namespaces: tuple[str, ...] = ()  # counts only where it is granted in one of these
    beside: tuple[Power, ...] = ()

    def held(self, rule: Rule) -> str:
        """The first verb by which the rule gives this right, or nothing."""
        if rule.names and not self.named:
            return ""
        name = rule.names[0] if rule.names else ""
        for verb in self.verbs:
            if name and not self.subresource and verb == "create":
                continue  # a create has no name yet: what is narrowed to names cannot create
            if rule.permits(verb, self.group, self.resource, self.subresource, name):
                return verb
        return ""

    def says(self, verb: str) -> str:
        """The right in kubectl's words: `create pods/exec`, `update deployments.apps`."""
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{verb} {resource}/{self.subresource}" if self.subresource else f"{verb} {resource}"


_WRITE: Final = ("create", "update", "patch")
_CHANGE: Final = ("update", "patch")
_READ: Final = ("get", "list", "watch")
_ADMISSION: Final = "admissionregistration.k8s.io"
_CERTIFICATES: Final = "certificates.k8s.io"
# A request that impersonates names a user or an account, whatever else it names.
_SOMEBODY: Final = (
    Power(("impersonate",), "", "users", named=True, everywhere=True),
    Power(("impersonate",), "", "serviceaccounts", named=True),
)
_SIGNERS: Final = (Power(("approve",), _CERTIFICATES, "signers", named=True, everywhere=True),)
_MAKERS: Final = (
    ("", "pods"),
    ("", "replicationcontrollers"),
    ("apps", "deployments"),
    ("apps", "daemonsets"),
    ("apps", "statefulsets"),
    ("apps", "replicasets"),
    ("batch", "jobs"),
    ("batch", "cronjobs"),
)

POWERS: Final[dict[str, tuple[Power, ...]]] = {
    "ACC-008": (Power(_READ, "", "secrets"),),
    "ACC-009": tuple(Power(("create",), group, name) for group, name in _MAKERS),
    "ACC-010": (
        Power(("create", "get"), "", "pods", "exec"),
        Power(("create", "get"), "", "pods", "attach"),
        Power(_CHANGE, "", "pods", "ephemeralcontainers"),
    ),
    "ACC-011": (Power(("create", "get"), "", "pods", "portforward"),),
    "ACC-012": (
        Power(("escalate",), RBAC, "roles", named=True),
        Power(("bind",), RBAC, "roles"),
        Power(("escalate",), RBAC, "clusterroles", named=True),
        Power(("bind",), RBAC, "clusterroles"),
    ),
    "ACC-013": (
        _SOMEBODY[0],
        Power(("impersonate",), "", "groups", named=True, everywhere=True, beside=_SOMEBODY),
        _SOMEBODY[1],
    ),
    "ACC-014": (Power(("create",), "", "serviceaccounts", "token"),),
    "ACC-015": (Power(("get", "create"), "", "nodes", "proxy", named=True, everywhere=True),),
    "ACC-016": (
        Power(
            _CHANGE,
            _CERTIFICATES,
            "certificatesigningrequests",
            "approval",
            everywhere=True,
            beside=_SIGNERS,
        ),
    ),
    "ACC-017": tuple(
        Power(_WRITE, _ADMISSION, name, named=True, everywhere=True)
        for name in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations")
    ),
    "ACC-018": tuple(
        Power(
            (*_WRITE, "delete"), _ADMISSION, f"{kind}admission{part}", named=True, everywhere=True
        )
        for kind in ("validating", "mutating")
        for part in ("policies", "policybindings")
    ),
    "ACC-019": (Power(("create",), "", "persistentvolumes", everywhere=True),),
    "ACC-020": (
        Power(_CHANGE, "", "nodes", everywhere=True),
        Power(_CHANGE, "", "nodes", "status", everywhere=True),
    ),
    "ACC-021": (Power(_CHANGE, "", "namespaces"),),
    "ACC-022": (Power(_CHANGE, "", "services", "status"),),
    "ACC-023": (Power((*_CHANGE, "create"), "", "configmaps", namespaces=("kube-system",)),),
    "ACC-024": (
        Power((*_WRITE, "delete"), "networking.k8s.io", "networkpolicies"),
        Power(_WRITE, "discovery.k8s.io", "endpointslices"),
        Power(_WRITE, "", "endpoints"),
    ),
    "ACC-025": (
        Power(("deletecollection",), "", "pods"),
        Power(("deletecollection",), "apps", "deployments"),
        Power(("deletecollection",), "", "persistentvolumeclaims"),
        Power(("delete", "deletecollection"), "", "namespaces"),
    ),
    "ACC-026": (
        Power(("delete", "deletecollection"), "", "events"),
        Power(("delete", "deletecollection"), "events.k8s.io", "events"),
    ),
}
# What the server itself puts into its default roles, by check: a binding to one of these is
# the matter of ACC-028, and any other right in them is a change that somebody made.
_EDIT: Final = frozenset(
    (
        "ACC-008",
        "ACC-009",
        "ACC-010",
        "ACC-011",
        "ACC-013",
        "ACC-014",
        "ACC-023",
        "ACC-024",
        "ACC-025",
    )
)
SHIPPED: Final[dict[str, frozenset[str]]] = {
    "cluster-admin": frozenset(POWERS),
    "admin": _EDIT,
    "edit": _EDIT,
    "view": frozenset(),
}


def powerful(check: str, resource: Resource, cluster: Cluster, why: str = "") -> Iterator[Hit]:
    """The hits of one of the rights above for a binding, or for a role that nothing binds. `why`
    ends the message.
    """
    held = grants(cluster)
    if resource.ref.kind in ("ClusterRole", "Role"):
        role = held.role(resource)
        yield from _of_role(check, role, held.bound(resource), why)
        return
    binding = held.binding(resource)
    if spared(binding):
        return
    if binding.broken or (binding.role and binding.role.broken):
        reason = binding.broken or (binding.role.broken if binding.role else "")
        yield Hit(resource, ("roleRef",), reason, unassessed=True)
    reason = unread(binding, cluster)
    if reason:
        yield Hit(resource, ("roleRef",), f"the role could not be read: {reason}", unassessed=True)
        return
    found = held_by(check, binding, cluster)
    if found is None:
        reason = next((cluster.unlisted[kind] for kind in KINDS if kind in cluster.unlisted), "")
        if reason and first_held(_shipped_less(check, binding), binding.rules, binding):
            told = f"what is needed beside it could not be read: {reason}"
            yield Hit(resource, ("roleRef",), told, unassessed=True)
        return
    rule, right = found
    who = people(gaining(binding))
    ref = rule.role.ref
    message = f"{who} may {right}{_scope(binding)}, through {ref.kind} {ref.name}"
    evidence = (f"{rule.role.locate(('rules', rule.index))}: {ref.kind} {ref.name}",)
    yield Hit(
        resource,
        ("roleRef",),
        f"{message}{': ' + why if why else ''}",
        evidence=evidence,
        because=(EVERYTHING, resource.ref),
    )


def unread(binding: Binding, cluster: Cluster) -> str:
    """Why the role of a binding is not here, where it could not be listed; or nothing."""
    if binding.role is not None:
        return ""
    return cluster.unlisted.get(f"{binding.role_kind}.{RBAC}", "")


def held_by(
    check: str, binding: Binding, cluster: Cluster, who: Subject | None = None
) -> tuple[Rule, str] | None:
    """The rule by which a binding gives one of a check's rights away, and the right in words. What
    is worth nothing alone counts where one of the subjects (`who`, if given) holds the rest too.
    """
    powers = [
        power
        for power in _shipped_less(check, binding)
        if not power.beside
        or (
            first_held((power,), binding.rules, binding)
            and beside(power, (who,) if who else gaining(binding), cluster)
        )
    ]
    return first_held(powers, binding.rules, binding)


def _shipped_less(check: str, binding: Binding) -> tuple[Power, ...]:
    """The rights of a check, none where the server itself ships the role with them."""
    shipped = SHIPPED.get(binding.role_name if binding.role_kind == "ClusterRole" else "", ())
    return () if check in shipped else POWERS[check]


def beside(power: Power, subjects: Iterable[Subject], cluster: Cluster) -> bool:
    """Whether one of the subjects, or somebody who is known to be in a group of them, holds what a
    right needs beside it, by whatever binding.
    """
    holders, keys_of = _holders(cluster, power.beside)
    for subject in subjects:
        if not keys_of.isdisjoint(keys(of_subject(subject))):
            return True
        if subject.kind == "Group" and any(
            subject.name in of_subject(holder).groups for holder in holders
        ):
            return True
    return False


@lru_cache(maxsize=4)
def _holders(
    cluster: Cluster, powers: tuple[Power, ...]
) -> tuple[tuple[Subject, ...], frozenset[str]]:
    """Everybody who holds one of these rights, and their keys."""
    found = dict.fromkeys(
        subject
        for binding in grants(cluster).bindings
        if first_held(powers, binding.rules, binding)
        for subject in binding.subjects
        if subject_key(subject)
    )
    return tuple(found), frozenset(map(subject_key, found))


def first_held(
    powers: Iterable[Power], rules: Iterable[Rule], binding: Binding | None = None
) -> tuple[Rule, str] | None:
    """The first rule that gives one of the rights, and the right in words."""
    wanted = [power for power in powers if binding is None or _reaches(power, binding)]
    for rule in rules:
        for power in wanted:
            verb = power.held(rule)
            if verb:
                return rule, power.says(verb)
    return None


def _reaches(power: Power, binding: Binding) -> bool:
    if binding.cluster_wide:
        return True
    if power.everywhere:
        return False
    return not power.namespaces or binding.resource.ref.namespace in power.namespaces


def _of_role(check: str, role: Role, bound: bool, why: str) -> Iterator[Hit]:
    resource = role.resource
    ref = resource.ref
    if bound or ref.cluster or own_role(ref.name) or "aggregationRule" in resource.raw:
        return
    if role.broken:
        yield Hit(resource, ("rules",), role.broken, unassessed=True)
    powers: Iterable[Power] = POWERS[check]
    if ref.kind == "Role":
        powers = [
            p
            for p in powers
            if not p.everywhere and (not p.namespaces or ref.namespace in p.namespaces)
        ]
    powers = [p for p in powers if not p.beside or first_held(p.beside, role.rules)]
    found = first_held(powers, role.rules)
    if found is None:
        return
    rule, right = found
    message = f"whoever is bound to it may {right}"
    yield Hit(
        resource,
        ("rules", rule.index),
        f"{message}{': ' + why if why else ''} (nothing binds it here)",
        severity="low",
        because=(EVERY_RESOURCE, ref) if "*" in rule.resources else None,
    )


def spared(binding: Binding) -> bool:
    """Whether a binding is the server's own by its name, or grants nobody anything new. One that
    only bears such a name is what ACC-039 tells.
    """
    named = binding.resource.ref.name.startswith(PLATFORM)
    return named or (not gaining(binding) and not binding.broken)


def gaining(binding: Binding) -> tuple[Subject, ...]:
    """The subjects of a binding that did not have all rights before."""
    return tuple(s for s in binding.subjects if s != _MASTERS)


def own_role(name: str) -> bool:
    """Whether a role of this name is the server's own."""
    return name in DEFAULT_ROLES or name.startswith(PLATFORM)


def own_local_role(namespace: str, name: str) -> bool:
    """Whether a Role of this name in this namespace is the server's own."""
    if namespace not in ("kube-system", "kube-public"):
        return False
    return name == "extension-apiserver-authentication-reader" or name.startswith(PLATFORM)


def people(subjects: tuple[Subject, ...]) -> str:
    """The first subjects in words."""
    named = ", ".join(str(s) for s in subjects[:3])
    return f"{named} and {len(subjects) - 3} more" if len(subjects) > 3 else named


def _scope(binding: Binding) -> str:
    if binding.cluster_wide:
        return " everywhere"
    namespace = binding.resource.ref.namespace
    return f" in {namespace}" if namespace else ""
