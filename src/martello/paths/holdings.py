"""Who may do what, as rules: grants give roles, roles give rights, one identity several at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from martello.paths.edge import Clause, Edge, One
from martello.paths.horn import Program
from martello.paths.model import Label, Proposition
from martello.paths.rights import (
    Held,
    Masks,
    Rights,
    RoleKey,
    clauses_of,
    fillable,
    groups_of,
    together,
)
from martello.paths.world import World
from martello.practices.access.principals import ACCOUNTS

BINDING: Final = "binding"
GROUP: Final = "group-member"
EVERYTHING: Final = "* *.*"  # the right that is all rights
_SCOPED: Final = Label("scope", "a right everywhere is a right here")
_ROLE: Final = Label("role", "the role has the right")
_ALL: Final = Label("role", "all rights, this one too")
_TOGETHER: Final = Label("one-request", "one identity has the rights together")


class Holdings:
    """Grants of a world over the rights of a catalogue. A scope is a namespace, or empty."""

    __slots__ = (
        "_bits",
        "_cans",
        "_clauses",
        "_filled",
        "_gained",
        "_gains_of",
        "_masks",
        "_named",
        "_of_who",
        "_ones",
        "_owners",
        "_roles",
        "_seen",
        "_spaces",
        "_together",
        "admins",
        "program",
        "world",
    )

    def __init__(self, program: Program, world: World, edges: Iterable[Edge]) -> None:
        self.program = program
        self.world = world
        self._clauses = clauses_of(edges)
        self._bits = {clause.key: bit for bit, clause in enumerate(self._clauses)}
        self._masks = Masks(self._clauses)
        self._together = 0  # rights that count beside others of the same identity
        for clause in together(edges):
            self._together |= 1 << self._bits[clause.key]
        self._roles: dict[RoleKey, Rights] = {}
        self._seen: set[tuple[RoleKey, str]] = set()
        self._spaces: list[set[str]] = [set() for _ in self._clauses]  # unnamed
        self._named: list[dict[str, set[str]]] = [{} for _ in self._clauses]
        self._cans: dict[tuple[str, str, str], int | None] = {}
        self._ones: dict[tuple[str, ...], int | None] = {}
        self._gained: dict[tuple[RoleKey, str], int] = {}
        self._gains_of: dict[tuple[int, str], list[tuple[RoleKey, int]]] = {}
        self._of_who: dict[Proposition, list[Held]] = {}
        # by clause and scope: who has the right there of his own, for some name at least
        self._owners: list[dict[str, dict[Proposition, None]]] = [{} for _ in self._clauses]
        self.admins: set[str] = set()
        self._filled = fillable(world.held, self.rights, self._bits, EVERYTHING)
        for one in world.held:
            self._grant(one)
        self._members()

    @property
    def size(self) -> int:
        """How many roles are held or may be gained, in how many scopes."""
        return len(self._seen) + len(self._gained) + len(self.admins)

    def rights(self, role: RoleKey) -> Rights:
        """What a role has of the catalogue's rights."""
        found = self._roles.get(role)
        if found is None:
            made = self.world.roles.get(role)
            found = Rights(0, {}) if made is None else self._masks.rights(made)
            self._roles[role] = found
        return found

    def _grant(self, one: Held) -> None:
        if not self._matters(one.role):
            return
        if one.scope or not self._everything(one.role):  # an administrator needs no other way
            self._of_who.setdefault(one.who, []).append(one)
            for bit in bits(self._total(one.role)):
                self._owners[bit].setdefault(one.scope, {})[one.who] = None
        program = self.program
        fact = program.fact(one.name, one.fact)
        label = Label(BINDING, one.fact.says)
        head = program.id(("holds", *one.role, one.scope))
        program.rule(head, [program.id(one.who), fact], label)
        self._hold(one.role, one.scope)

    def _everything(self, role: RoleKey) -> bool:
        bit = self._bits.get(EVERYTHING)
        return bit is not None and bool(self.rights(role).mask >> bit & 1)

    def _matters(self, role: RoleKey) -> bool:
        rights = self.rights(role)
        return bool(rights.mask or rights.named or {role[2], ""} & self._filled[role[0]])

    def _hold(self, role: RoleKey, scope: str) -> None:
        if (role, scope) in self._seen:
            return
        self._seen.add((role, scope))
        rights = self.rights(role)
        if not scope and self._everything(role):
            rights = Rights(1 << self._bits[EVERYTHING], {})
        for bit in bits(rights.mask):
            self._spaces[bit].add(scope)
        for name, mask in rights.named.items():
            for bit in bits(mask):
                self._named[bit].setdefault(scope, set()).add(name)
        holds = self.program.id(("holds", *role, scope))
        for bit, clause in enumerate(self._clauses):
            if rights.mask >> bit & 1:
                head = self.program.id(("can", clause.key, scope))
                self.program.rule(head, [holds], _ROLE)
        for name, mask in rights.named.items():
            for bit in bits(mask):
                head = self.program.id(("can", self._clauses[bit].key, scope, name))
                self.program.rule(head, [holds], _ROLE)

    def gain(self, role: RoleKey, scope: str) -> None:
        """Notes that a role may be gained by whoever an attacker is."""
        if (role, scope) not in self._gained:
            gained = self.program.id(("gained", *role, scope))
            self._gained[(role, scope)] = gained
            holds = self.program.id(("holds", *role, scope))
            self.program.rule(holds, [gained], Label(BINDING, f"{role[0]} {role[2]} is bound"))
            self._hold(role, scope)
            for bit in bits(self._total(role)):
                self._gains_of.setdefault((bit, scope), []).append((role, gained))

    def forget(self) -> None:
        """Lets rights be asked again after roles were gained."""
        self._cans.clear()
        self._ones.clear()

    def close(self) -> None:
        """After the last gain: all rights in a namespace are each of them."""
        self.forget()
        for space in self.admins:
            if space:
                for spaces in self._spaces:
                    spaces.add(space)

    def _members(self) -> None:
        """The groups that the server puts identities into, where these hold something."""
        for name in [*self.world.groups, "system:unauthenticated"]:
            self.program.id(("group", name))
        identities: dict[Proposition, None] = dict.fromkeys(
            ("account", space, name)
            for accounts in (self.world.accounts, self.world.phantoms)
            for space, names in accounts.items()
            for name in names
        )
        identities.update(dict.fromkeys(("kubelet", name) for name in self.world.nodes))
        identities.update(dict.fromkeys(("user", name) for name in self.world.users))
        identities.update(dict.fromkeys(("group", name) for name in self.world.groups))
        identities[("user", "system:anonymous")] = None
        holding = {one.who[1] for one in self.world.held if one.who[0] == "group"}
        for who in identities:
            for group in groups_of(who):
                if group in holding:
                    label = Label(GROUP, f"is in the group {group}")
                    body = [self.program.id(who)]
                    self.program.rule(self.program.id(("group", group)), body, label)

    def unnamed(self, clause: Clause, space: str) -> bool:
        """Whether somebody may have the right without a name, there or everywhere."""
        spaces = self._spaces[self._bits[clause.key]]
        return "" in spaces or (bool(space) and space in spaces)

    def knows(self, clause: Clause) -> bool:
        """Whether some edge asks for the right."""
        return clause.key in self._bits

    def owners(self, clause: Clause, scope: str) -> Iterable[Proposition]:
        """Who has the right there or everywhere of his own, for some name at least."""
        owners = self._owners[self._bits[clause.key]]
        return dict.fromkeys((*owners.get(scope, ()), *owners.get("", ())))

    @property
    def of_who(self) -> Mapping[Proposition, Sequence[Held]]:
        """By identity, the grants that name it and matter to some edge."""
        return self._of_who

    def shared(self, role: RoleKey) -> bool:
        """Whether a role has a right that counts beside others of the same identity."""
        return bool(self._total(role) & self._together)

    def gained(self) -> Iterable[tuple[RoleKey, str]]:
        """The roles that may be gained, with the scope."""
        return tuple(self._gained)

    def names(self, clause: Clause, space: str) -> set[str]:
        """The names for which somebody has the right."""
        named = self._named[self._bits[clause.key]]
        return named.get("", set()) | (named.get(space, set()) if space else set())

    def spaces(self, clause: Clause) -> set[str] | None:
        """The namespaces in which somebody may have the right; None: in all."""
        bit = self._bits[clause.key]
        named = self._named[bit]
        if "" in self._spaces[bit] or "" in named:
            return None
        return self._spaces[bit] | set(named)

    def can(self, clause: Clause, scope: str, name: str = "") -> int | None:
        """The proposition that somebody whom the attacker holds has the right; None where nobody
        may.
        """
        key = (clause.key, scope, name)
        if key not in self._cans:
            self._cans[key] = self._can(clause, scope, name)
        return self._cans[key]

    def _can(self, clause: Clause, scope: str, name: str) -> int | None:
        bit = self._bits[clause.key]
        program, spaces, named = self.program, self._spaces[bit], self._named[bit]
        if name and name in self.names(clause, scope):
            head = program.id(("can", clause.key, scope, name))
            if scope and name in named.get("", ()):
                program.rule(head, [program.id(("can", clause.key, "", name))], _SCOPED)
            if self.unnamed(clause, scope):
                free = self.can(clause, scope)
                assert free is not None
                program.rule(head, [free], _SCOPED)
            return head
        if not self.unnamed(clause, scope):
            return None
        if scope and scope not in spaces and scope not in self.admins:
            return self.can(clause, "")  # nobody has it there alone
        head = program.id(("can", clause.key, scope))
        if scope and "" in spaces:
            program.rule(head, [program.id(("can", clause.key, ""))], _SCOPED)
        if scope and scope in self.admins:
            program.rule(head, [program.id(("admin", scope))], _ALL)
        return head

    def one(self, one: One, scopes: Sequence[str], names: Sequence[str]) -> int | None:
        """The proposition that one identity has all the rights, each in its scope and for its
        name; None where none may.
        """
        asked = (one.key, *scopes, *names)
        if asked not in self._ones:
            scopes, names = self._plainest(one, scopes, names)
            key = (one.key, *scopes, *names)
            if key not in self._ones:
                self._ones[key] = self._one(one, scopes, names, ("one", *key))
            self._ones[asked] = self._ones[key]
        return self._ones[asked]

    def _plainest(
        self, one: One, scopes: Sequence[str], names: Sequence[str]
    ) -> tuple[Sequence[str], Sequence[str]]:
        """The same question without names that no rule names, and without namespaces in which
        nobody holds anything of it.
        """
        clauses = one.clauses
        names = [
            name if name and name in self.names(clause, scope) else ""
            for clause, scope, name in zip(clauses, scopes, names, strict=True)
        ]
        for clause, scope in zip(clauses, scopes, strict=True):
            bit = self._bits[clause.key]
            local = scope in self._owners[bit] or (bit, scope) in self._gains_of
            if scope and (local or scope in self.admins):
                return scopes, names
        return [""] * len(clauses), names

    def _one(
        self, one: One, scopes: Sequence[str], names: Sequence[str], name: Proposition
    ) -> int | None:
        asked = list(zip(one.clauses, scopes, names, strict=True))
        gained = [self._won(*each) for each in asked]
        found = False
        if any(scopes):  # who has all of it everywhere has it here
            everywhere = self.one(one, [""] * len(scopes), names)
            if everywhere is not None:
                self.program.rule(self.program.id(name), [everywhere], _SCOPED)
                found = True
        for who in self._holders(one, scopes, any(gained)):
            body = [self.program.id(who)]
            for (clause, scope, of), won in zip(asked, gained, strict=True):
                serving = self.serving(who, clause, scope, of)
                if not serving and not won:
                    break
                if len(serving) + len(won) == 1:
                    body.extend((*serving, *won))
                    continue
                has = self.program.id(("has", *who, clause.key, scope, of))
                for each in (*serving, *won):
                    self.program.rule(has, [each], _ROLE)
                body.append(has)
            else:
                self.program.rule(self.program.id(name), body, _TOGETHER)
                found = True
        if all(gained):
            body = []
            for (clause, scope, of), won in zip(asked, gained, strict=True):
                has = self.program.id(("anybody", clause.key, scope, of))
                for each in won:
                    self.program.rule(has, [each], _ROLE)
                body.append(has)
            self.program.rule(self.program.id(name), body, _TOGETHER)
            found = True
        return self.program.id(name) if found else None

    def _won(self, clause: Clause, scope: str, name: str) -> list[int]:
        """What gives any identity a right: gained roles, all rights of a namespace to bind it."""
        admin = [self.program.id(("admin", scope))] if scope in self.admins else []
        return self.gains(clause, scope, name) + admin

    def _holders(self, one: One, scopes: Sequence[str], winnable: bool) -> Iterable[Proposition]:
        """Who may have all of it there, but not everywhere: who has one of the rights in one of the
        namespaces, of his own or as everybody of a group; without a namespace, who has one at all.
        """
        bits_of = [self._bits[clause.key] for clause in one.clauses]
        wide = winnable or not any(scopes)
        found: dict[Proposition, None] = {}
        for bit, scope in zip(bits_of, scopes, strict=True):
            for who in self._owners[bit].get(scope, ()) if scope else ():
                found[who] = None
                wide = wide or who[0] == "group"
        if wide:
            for bit in bits_of:
                found.update(self._owners[bit].get("", {}))
        return self._with_members(found)

    def _with_members(self, found: dict[Proposition, None]) -> Iterable[Proposition]:
        """With the accounts of a namespace where they are in two groups that hold something."""
        for who in tuple(found):
            _, _, space = who[1].partition(f"{ACCOUNTS}:") if who[0] == "group" else ("", "", "")
            if space and ("group", ACCOUNTS) in self._of_who:
                for name in sorted(self.world.accounts.get(space, ())):
                    found["account", space, name] = None
        return found

    def _total(self, role: RoleKey) -> int:
        """The clauses that a role grants, for some name at least."""
        rights = self.rights(role)
        total = rights.mask
        for mask in rights.named.values():
            total |= mask
        return total

    def serving(self, who: Proposition, clause: Clause, scope: str, name: str) -> list[int]:
        """The grants that give somebody a right, of his own or of his groups."""
        groups = [("group", group) for group in groups_of(who)]
        return [
            self.program.id(grant.name)
            for key in (who, *groups)
            for grant in self._of_who.get(key, ())
            if self._grants(grant, clause, scope, name)
        ]

    def _grants(self, grant: Held, clause: Clause, scope: str, name: str) -> bool:
        return grant.scope in ("", scope) and self._role_grants(grant.role, clause, name)

    def _role_grants(self, role: RoleKey, clause: Clause, name: str) -> bool:
        rights, bit = self.rights(role), self._bits[clause.key]
        return bool(rights.mask >> bit & 1 or (rights.named.get(name, 0) >> bit & 1 and name))

    def gains(self, clause: Clause, scope: str, name: str) -> list[int]:
        """The gained roles that give whoever the attacker is a right."""
        bit = self._bits[clause.key]
        return [
            gained
            for space in ({"", scope} if self._gains_of else ())
            for role, gained in self._gains_of.get((bit, space), ())
            if self._role_grants(role, clause, name)
        ]


def bits(mask: int) -> Iterable[int]:
    """The positions of the bits of a mask."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
