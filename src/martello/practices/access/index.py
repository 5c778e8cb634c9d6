"""All grants of a cluster compiled: who is bound where, by roles that are sets of rules.

A cell is what the bindings of one scope grant to one key (a user or a group). It is computed when
it is asked for; groups are not spread over their members.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from martello.practices.access.bindings import Binding
from martello.practices.access.model import Request
from martello.practices.access.principals import subject_key
from martello.practices.access.rules import Lists, Role, Rule, stands, stored
from martello.practices.access.symbols import Symbols, bits, places


class Cell:
    """The bindings of one key in one scope; `mask` is the union of their rules."""

    __slots__ = ("_mask", "bindings")

    def __init__(self) -> None:
        self.bindings: list[int] = []
        self._mask = -1

    def mask(self, index: Index) -> int:
        """The rules that the bindings grant together."""
        if self._mask < 0:
            self._mask = 0
            for binding in self.bindings:
                self._mask |= index.masks[index.role_of[binding]]
        return self._mask


class Index:
    """Bindings that grant something, compiled. A scope is a namespace, or empty for everywhere.

    `pending` are bindings that grant nothing as far as is known, because their role is not here;
    `adrift` are RoleBindings in files that do not say their namespace; `refused` says by key and
    scope which bindings in files grant nothing because no API server would store them.
    """

    __slots__ = (
        "_bits",
        "_bound",
        "_positions",
        "_roles_of_rule",
        "adrift",
        "bindings",
        "cells",
        "group_keys",
        "lists",
        "masks",
        "pending",
        "refused",
        "role_of",
        "roles",
        "symbols",
    )

    def __init__(self, bindings: Iterable[Binding]) -> None:
        self.bindings: list[Binding] = []
        self.roles: list[Role] = []
        self.role_of: list[int] = []
        self.cells: dict[str, dict[str, Cell]] = {}
        self.pending: dict[str, list[Binding]] = {}
        self.adrift: list[Binding] = []
        self.refused: dict[str, list[tuple[str, str]]] = {}
        known: dict[int, int] = {}
        for binding in bindings:
            fault = _fault(binding)
            if fault:
                for key in _keys(binding):
                    self.refused.setdefault(key, []).append((scope_of(binding), fault))
            elif not binding.cluster_wide and not binding.resource.ref.namespace:
                self.adrift.append(binding)
            elif binding.role is None:
                for key in _keys(binding):
                    self.pending.setdefault(key, []).append(binding)
            else:
                self._add(binding, binding.role, known)
        self._bits: list[list[int]] = []
        self._positions: dict[int, dict[int, list[Rule]]] = {}
        self.lists: list[Lists] = []
        self._number()
        self.symbols = Symbols(self.lists)
        self.masks = [bits(set(each)) for each in self._bits]
        self._roles_of_rule: list[list[int]] | None = None
        self._bound: dict[tuple[int, str], list[int]] | None = None
        self.group_keys = tuple(key for key in self.cells if key.startswith("g"))

    def _add(self, binding: Binding, role: Role, known: dict[int, int]) -> None:
        at = known.get(id(role))
        if at is None:
            at = known[id(role)] = len(self.roles)
            self.roles.append(role)
        place = len(self.bindings)
        self.bindings.append(binding)
        self.role_of.append(at)
        scope = scope_of(binding)
        for key in _keys(binding):
            spaces = self.cells.setdefault(key, {})
            cell = spaces.get(scope)
            if cell is None:
                cell = spaces[scope] = Cell()
            cell.bindings.append(place)

    def _number(self) -> None:
        """Gives each rule its bit; rules that say the same share one."""
        known: dict[Lists, int] = {}
        for role in self.roles:
            self._bits.append([known.setdefault(rule.lists, len(known)) for rule in role.rules])
        self.lists.extend(known)

    def cells_of(self, asked: Sequence[str], namespace: str) -> Iterator[tuple[str, str, Cell]]:
        """The cells that count for these keys: everywhere first, then the namespace's."""
        for scope in ("", namespace) if namespace else ("",):
            for key in asked:
                spaces = self.cells.get(key)
                if spaces is not None and scope in spaces:
                    yield key, scope, spaces[scope]

    def granting(self, cell: Cell, rules: int) -> Iterator[int]:
        """The bindings of a cell whose role has one of these rules."""
        for binding in cell.bindings:
            if self.masks[self.role_of[binding]] & rules:
                yield binding

    def rules(self, role: int, rules: int) -> Iterator[Rule]:
        """The rules of a role that are among these, as they are written."""
        held = self._positions.get(role)
        if held is None:
            held = self._positions[role] = {}
            for bit, rule in zip(self._bits[role], self.roles[role].rules, strict=True):
                held.setdefault(bit, []).append(rule)
        for bit in places(self.masks[role] & rules):
            yield from held[bit]

    def roles_with(self, rules: int) -> list[int]:
        """The roles that have one of these rules, in order."""
        if self._roles_of_rule is None:
            self._roles_of_rule = [[] for _ in self.lists]
            for role, held in enumerate(self._bits):
                for bit in set(held):
                    self._roles_of_rule[bit].append(role)
        return sorted({role for bit in places(rules) for role in self._roles_of_rule[bit]})

    def bound(self, role: int, scope: str) -> list[int]:
        """The bindings of a role in a scope."""
        if self._bound is None:
            self._bound = {}
            for place, binding in enumerate(self.bindings):
                key = (self.role_of[place], scope_of(binding))
                self._bound.setdefault(key, []).append(place)
        return self._bound.get((role, scope), [])

    def allowing(self, request: Request) -> int:
        """The rules that allow a request."""
        return self.symbols.allowing(request)


def scope_of(binding: Binding) -> str:
    """Where a binding grants: its namespace, or empty for everywhere."""
    return "" if binding.cluster_wide else binding.resource.ref.namespace


def _fault(binding: Binding) -> str:
    """Why a binding in files grants nothing: the API server refuses it, or its role."""
    if binding.refused and not stored(binding.resource):
        return f"{binding.resource.ref.local} is refused by the API server: {binding.refused}"
    role = binding.role
    if role is not None and not stands(role):
        return f"{role.resource.ref.local} is refused by the API server: {role.refused}"
    return ""


def _keys(binding: Binding) -> list[str]:
    return [key for key in dict.fromkeys(map(subject_key, binding.subjects)) if key]
