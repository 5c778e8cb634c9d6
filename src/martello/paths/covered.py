"""Bindings of covered roles: who may write bindings may bind what it has itself, to anybody.

Source: the escalation check of rolebindings in kubernetes/kubernetes
(pkg/registry/rbac/rolebinding/policybased): `bind` on the role, or Covers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from martello.paths.edge import Clause
from martello.paths.holdings import Holdings
from martello.paths.model import Label, Proposition
from martello.paths.rights import Held, RoleKey, groups_of, role_key
from martello.practices.access.bindings import Binding
from martello.practices.access.cover import covers

_RBAC: Final = "rbac.authorization.k8s.io"
_HAS: Final = Label("role", "may write bindings")
_KINDS: Final = (f"rolebindings.{_RBAC}", f"clusterrolebindings.{_RBAC}")
_CREATE: Final = tuple(Clause(("create",), (one,)) for one in _KINDS)
_UPDATE: Final = tuple(Clause(("update", "patch"), (one,)) for one in _KINDS)
_ESCALATE: Final = tuple(
    Clause(("escalate",), (f"{one}.{_RBAC}",)) for one in ("roles", "clusterroles")
)


class Covered:
    """Adds the rules of bindings that need no `bind`, where a role matters to somebody else."""

    __slots__ = ("_filled", "_known", "_label", "_sharers", "holdings", "program", "world")

    def __init__(self, holdings: Holdings, label: Label) -> None:
        self.holdings = holdings
        self.program = holdings.program
        self.world = holdings.world
        self._label = label
        self._known: dict[tuple[tuple[Proposition, ...], RoleKey], bool] = {}
        self._filled: set[str] = set()
        self._sharers: dict[str, dict[Proposition, None]] = {}  # by scope: whose rights count

    def rules(self) -> None:
        """One round: roles that were gained meanwhile serve, too."""
        holdings = self.holdings
        spaces = ("", *self.world.namespaces)
        self._filled = {
            name
            for clause in _ESCALATE
            if holdings.knows(clause)
            for space in spaces
            for name in holdings.names(clause, space)
        }
        self._sharers = {}
        for who, grants in holdings.of_who.items():
            for grant in grants:
                if holdings.shared(grant.role):
                    self._sharers.setdefault(grant.scope, {})[who] = None
        for wide in (False, True):
            create, update = _CREATE[wide], _UPDATE[wide]
            if holdings.knows(create):
                for scope in ("",) if wide else self._spaces(create):
                    for who in self._identities(create, scope):
                        self._created(who, create, scope)
            if holdings.knows(update):
                for scope in ("",) if wide else self._spaces(update):
                    for binding in self.world.bindings.get(scope, ()):
                        self._joined(binding, update, scope)

    def _spaces(self, clause: Clause) -> Iterable[str]:
        found = self.holdings.spaces(clause)
        return (
            self.world.namespaces if found is None else sorted(found & set(self.world.namespaces))
        )

    def _identities(self, clause: Clause, scope: str) -> list[Proposition]:
        """Who may have the right there, with everybody of a group that has it."""
        found = dict.fromkeys(self.holdings.owners(clause, scope))
        groups = {one[1] for one in found if one[0] == "group"}
        anybody = bool(self.holdings.gains(clause, scope, ""))
        sharing = dict.fromkeys((*self._sharers.get(scope, ()), *self._sharers.get("", ())))
        for who in sharing:
            if anybody or not groups.isdisjoint(groups_of(who)):
                found.setdefault(who)
        if self._filled:
            return list(found)
        member = {group for who in sharing for group in (who[1],) if who[0] == "group"}
        return [w for w in found if w in sharing or not member.isdisjoint(groups_of(w))]

    def _grants(self, who: Proposition, scope: str) -> list[Held]:
        keys = (who, *(("group", group) for group in groups_of(who)))
        found = [g for key in keys for g in self.holdings.of_who.get(key, ())]
        return [g for g in found if g.scope in ("", scope)]

    def _may(self, who: Proposition, clause: Clause, scope: str, name: str) -> int | None:
        """The proposition that somebody may write the binding."""
        ways = [
            *self.holdings.serving(who, clause, scope, name),
            *self.holdings.gains(clause, scope, name),
        ]
        if not ways:
            return None
        has = self.program.id(("has", *who, clause.key, scope, name))
        for way in ways:
            self.program.rule(has, [way], _HAS)
        return has

    def _created(self, who: Proposition, clause: Clause, scope: str) -> None:
        may = self._may(who, clause, scope, "")
        if may is None:
            return
        grants = self._grants(who, scope)
        for grant in grants:
            if self.holdings.shared(grant.role):
                self._gain(grant.role, scope, [who], [may, self.program.id(grant.name)])
        for role in self._fillable(scope):
            self._by(who, role, scope, grants, may)

    def _fillable(self, scope: str) -> Iterator[RoleKey]:
        for name in sorted(self._filled):
            yield ("ClusterRole", "", name)
            if scope:
                yield ("Role", scope, name)

    def _joined(self, binding: Binding, clause: Clause, scope: str) -> None:
        role = role_key(binding)
        if role not in self.world.roles:
            return
        if not self.holdings.shared(role) and role[2] not in self._filled:
            return
        name = binding.resource.ref.name
        for who in self._identities(clause, scope):
            may = self._may(who, clause, scope, name)
            if may is not None:
                self._by(who, role, scope, self._grants(who, scope), may)

    def _by(
        self, who: Proposition, role: RoleKey, scope: str, grants: list[Held], may: int
    ) -> None:
        """Binds a role that a grant covers, or all of them together."""
        if role not in self.world.roles:
            return
        alone = [g for g in grants if self._covers((g.role,), role)]
        for grant in alone:
            self._gain(role, scope, [who], [may, self.program.id(grant.name)])
        if self._covers((), role):
            self._gain(role, scope, [who], [may])
        elif not alone and self._covers(tuple(g.role for g in grants), role):
            self._gain(role, scope, [who], [may, *(self.program.id(g.name) for g in grants)])

    def _covers(self, owners: tuple[RoleKey, ...], role: RoleKey) -> bool:
        key = (owners, role)
        if key not in self._known:
            roles = self.world.roles
            rules = [rule for one in owners for rule in roles[one].rules]
            self._known[key] = covers(rules, roles[role].rules)[0]
        return self._known[key]

    def _gain(self, role: RoleKey, scope: str, who: list[Proposition], body: list[int]) -> None:
        self.holdings.gain(role, scope)
        head = self.program.id(("gained", *role, scope))
        self.program.rule(head, [*map(self.program.id, who), *body], self._label)
