"""What each role grants of the catalogue's rights, and who holds which roles where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from martello.core.cluster import Cluster
from martello.paths.edge import Clause, Edge, One
from martello.paths.model import Change, Edit, Fact, Proposition
from martello.practices.access.bindings import Binding, Subject
from martello.practices.access.grants import grants
from martello.practices.access.principals import ACCOUNTS, AUTHENTICATED, NODE, NODES
from martello.practices.access.rules import Lists, Role, Rule, stands, stored

RoleKey = tuple[str, str, str]  # kind, namespace, name
_WRITTEN: Final = {
    "Role": "roles.rbac.authorization.k8s.io",
    "ClusterRole": "clusterroles.rbac.authorization.k8s.io",
}
_UNNAMED: Final = frozenset(("create", "deletecollection"))


class Rights(msgspec.Struct, frozen=True):
    """The clauses (bits) that a role grants for any name, and for single names."""

    mask: int
    named: dict[str, int]


class Held(msgspec.Struct, frozen=True, eq=False):
    """One subject of one binding: who holds which role, in a namespace or (empty) everywhere."""

    who: Proposition
    role: RoleKey
    scope: str
    name: Proposition  # of the fact
    fact: Fact


def clauses_of(edges: Iterable[Edge]) -> tuple[Clause, ...]:
    """Every right that some edge asks for, once, without its variables."""
    found: dict[str, Clause] = {}
    for edge in edges:
        for way in edge.ways:
            for condition in way:
                for clause in (
                    condition.clauses
                    if isinstance(condition, One)
                    else (condition,)
                    if isinstance(condition, Clause)
                    else ()
                ):
                    found.setdefault(clause.key, clause)
    return tuple(found.values())


def together(edges: Iterable[Edge]) -> Iterable[Clause]:
    """The rights that edges ask for beside others, of one identity."""
    for edge in edges:
        for way in edge.ways:
            for condition in way:
                if isinstance(condition, One):
                    yield from condition.clauses


def fillable(
    held: Iterable[Held],
    rights: Callable[[RoleKey], Rights],
    bits: Mapping[str, int],
    everything: str,
) -> dict[str, set[str]]:
    """By kind, the names of roles into which somebody may write more than he has, or an empty one
    for all: who is bound to them matters, whatever is in them now. Administrators do not count.
    """
    found: dict[str, set[str]] = {kind: set() for kind in _WRITTEN}
    for role in dict.fromkeys(one.role for one in held):
        has = rights(role)
        if has.mask >> bits.get(everything, len(bits)) & 1:
            continue
        for kind, resource in _WRITTEN.items():
            bit = bits.get(f"escalate {resource}", len(bits))
            if has.mask >> bit & 1:
                found[kind].add("")
            found[kind].update(name for name, mask in has.named.items() if mask >> bit & 1)
    return found


class Masks:
    """Compiles rules into sets of clauses: by verb, group and resource, each a set of atoms."""

    __slots__ = ("_all", "_clauses", "_groups", "_known", "_resources", "_subs", "_verbs", "plain")

    def __init__(self, clauses: tuple[Clause, ...]) -> None:
        atoms: dict[tuple[str, str, str], int] = {}
        self._clauses: list[tuple[int, tuple[str, ...]]] = []
        for clause in clauses:
            mask = 0
            for verb in clause.verbs:
                for resource in clause.resources:
                    atom = (verb, *split(resource))
                    mask |= 1 << atoms.setdefault(atom, len(atoms))
            self._clauses.append((mask, clause.names))
        self._verbs: dict[str, int] = {}
        self._groups: dict[str, int] = {}
        self._resources: dict[str, int] = {}
        self._subs: dict[str, int] = {}
        self._all = (1 << len(atoms)) - 1
        self.plain = 0  # the atoms whose request has no name
        for (verb, group, resource), bit in atoms.items():
            for table, word in (
                (self._verbs, verb),
                (self._groups, group),
                (self._resources, resource),
            ):
                table[word] = table.get(word, 0) | 1 << bit
            _, slash, sub = resource.partition("/")
            if slash:
                self._subs[sub] = self._subs.get(sub, 0) | 1 << bit
            if verb in _UNNAMED and not slash:
                self.plain |= 1 << bit
        self._known: dict[Lists, int] = {}

    def atoms(self, rule: Rule) -> int:
        """The atoms that a rule allows, whatever its names."""
        found = self._known.get(rule.lists)
        if found is None:
            found = self._known[rule.lists] = (
                self._words(rule.verbs, self._verbs)
                & self._words(rule.groups, self._groups)
                & self._of_resources(rule.resources)
            )
        return found

    def _words(self, words: tuple[str, ...], table: dict[str, int]) -> int:
        if "*" in words:
            return self._all
        mask = 0
        for word in words:
            mask |= table.get(word, 0)
        return mask

    def _of_resources(self, words: tuple[str, ...]) -> int:
        if "*" in words:
            return self._all
        mask = 0
        for word in words:
            mask |= self._resources.get(word, 0)
            if word.startswith("*/"):
                mask |= self._subs.get(word[2:], 0)
        return mask

    def rights(self, role: Role) -> Rights:
        """What a role grants of the clauses. A literal name of a clause counts where the rule names
        nothing, or that name.
        """
        free = 0
        by_name: dict[str, int] = {}
        for rule in role.rules:
            atoms = self.atoms(rule)
            if not atoms:
                continue
            if not rule.names:
                free |= atoms
                continue
            for name in rule.names:
                by_name[name] = by_name.get(name, 0) | (atoms & ~self.plain)
        mask = 0
        named: dict[str, int] = {}
        for bit, (atoms, names) in enumerate(self._clauses):
            if atoms & free or any(by_name.get(name, 0) & atoms for name in names):
                mask |= 1 << bit
        for name, held in by_name.items():
            bits = 0
            for bit, (atoms, names) in enumerate(self._clauses):
                if atoms & held and not names:
                    bits |= 1 << bit
            if bits:
                named[name] = bits
        return Rights(mask, named)


def split(resource: str) -> tuple[str, str]:
    """(group, resource/sub) of `deployments.apps/scale`, `pods/exec` or `*.*`."""
    head, slash, sub = resource.partition("/")
    name, _, group = head.partition(".")
    return group, f"{name}{slash}{sub}"


def proposition(subject: Subject) -> Proposition | None:
    """Who a subject is; None where it matches nobody."""
    if subject.kind == "ServiceAccount":
        return ("account", subject.namespace, subject.name) if subject.namespace else None
    if subject.kind == "Group":
        return ("group", subject.name)
    if subject.kind != "User":
        return None
    if subject.name.startswith(NODE) and subject.name != NODE:
        return ("kubelet", subject.name.removeprefix(NODE))
    return ("user", subject.name)


def groups_of(who: Proposition) -> tuple[str, ...]:
    """The groups that the server adds to an identity."""
    kind = who[0]
    if kind == "account":
        return (ACCOUNTS, f"{ACCOUNTS}:{who[1]}", AUTHENTICATED)
    if kind == "kubelet":
        return (NODES, AUTHENTICATED)
    if who == ("user", "system:anonymous"):
        return ("system:unauthenticated",)
    if who in (("group", "system:unauthenticated"), ("group", AUTHENTICATED)):
        return ()
    return (AUTHENTICATED,)


def role_key(binding: Binding) -> RoleKey:
    """The role that a binding names."""
    space = "" if binding.role_kind == "ClusterRole" else binding.resource.ref.namespace
    return (binding.role_kind, space, binding.role_name)


def held(cluster: Cluster) -> Iterator[Held]:
    """Who holds what, by every subject of every binding that grants something."""
    for binding in grants(cluster).bindings:
        if binding.role is None or not stands(binding.role):
            continue
        if binding.refused and not stored(binding.resource):
            continue
        ref = binding.resource.ref
        if not binding.cluster_wide and not ref.namespace:
            continue
        scope = "" if binding.cluster_wide else ref.namespace
        for place, subject in zip(binding.places, binding.subjects, strict=True):
            who = proposition(subject)
            if who is None or who == ("group", "system:masters"):
                continue
            yield Held(
                who,
                role_key(binding),
                scope,
                ("grant", ref.kind, ref.namespace, ref.name, str(place)),
                _fact(binding, subject, place),
            )


def _fact(binding: Binding, subject: Subject, place: int) -> Fact:
    ref = binding.resource.ref
    what = f"{ref.kind} {ref.local.replace(ref.kind + '/', '')}"
    same = [p for p, s in zip(binding.places, binding.subjects, strict=True) if s == subject]
    if len(binding.subjects) == len(same):
        edit = Edit(f"unbind {ref.local}", f"remove {what}", (Change(ref),))
    else:
        edit = Edit(
            f"unbind {ref.local} {subject}",
            f"take {subject} out of {what}",
            tuple(Change(ref, ("subjects", one)) for one in same),  # some are written twice
        )
    says = f"{what} grants {subject} {binding.role_kind} {binding.role_name}"
    return Fact(says, binding.resource, ("subjects", place), edits=(edit,))
