"""Edges over a world: each becomes Horn rules, by namespace, and by name only where it must."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from martello.paths.covered import Covered
from martello.paths.edge import WORKLOADS, Clause, Edge, Guarded, Has, One, Traits
from martello.paths.guards import Guards
from martello.paths.holdings import Holdings
from martello.paths.model import LEVELS, Label, Proposition
from martello.paths.pods import Class
from martello.paths.rights import RoleKey

ANY: Final = "*"
# What stands for all things of a kind in a namespace.
MANY: Final = {
    "account": "accounts",
    "secret": "secrets",
    "pod": "pods",
    "user": "users",
    "group": "groups",
    "node": "nodes",
    "podsat": "podsats",
}
_WIDE: Final = frozenset(("user", "group", "node", "podsat"))
_LOCATED: Final = frozenset(("node", "pod", "tokens"))
Unit = tuple[Class, str, str]  # a container of a class, on a node (empty: wherever)
Env = dict[str, Any]


class Grounding:
    """Makes the rules of edges. Rights must be known first, so edges that give them come first."""

    __slots__ = ("_by_trait", "_facts", "guards", "holdings", "labels", "program", "world")

    def __init__(self, holdings: Holdings, guards: Guards, labels: Mapping[str, Label]) -> None:
        self.guards = guards
        self.labels = labels
        self.holdings = holdings
        self.program = holdings.program
        self.world = holdings.world
        self._facts: dict[tuple[str, str, str], int] = {}
        self._by_trait: dict[str, list[tuple[Class, str]]] = {}
        for one in self.world.classes:
            for container, traits in one.containers.items():
                for trait, fact in traits.items():
                    self._by_trait.setdefault(trait, []).append((one, container))
                    self._facts[(one.id, container, trait)] = self.program.fact(
                        ("trait", one.id, container, trait), fact
                    )

    def edges(self, edges: Iterable[Edge]) -> None:
        """The rules of edges: first of those that give roles, until none is new; then the rest."""
        covered = Covered(self.holdings, self.labels["binding-covered"])
        giving = [e for e in edges if e.gives.kind in ("gained", "admin")]
        for _ in range(100):
            before = self.holdings.size
            for edge in giving:
                self.edge(edge)
            covered.rules()
            if self.holdings.size == before:
                break
            self.holdings.forget()
        self.holdings.close()
        for edge in edges:
            self.edge(edge)

    def edge(self, edge: Edge) -> None:
        """The rules of one edge."""
        for way in edge.ways:
            for env in self._envs(edge, way):
                self._emit(edge, way, env)

    def _emit(self, edge: Edge, way: tuple[Any, ...], env: Env) -> None:
        body: list[int] = []
        for condition in way:
            found = self._body(condition, env)
            if found is None:
                return
            body.extend(found)
        head = self._proposition(edge.gives, env)
        if head is None:
            return
        if head[0] == "gained":
            role: RoleKey = (head[1], head[2], head[3])
            self.holdings.gain(role, head[4])
        elif head[0] == "admin":
            self.holdings.admins.add(head[1])
        self.program.rule(self.program.id(head), body, edge.label(_words(edge, env)))

    def _body(self, condition: Any, env: Env) -> list[int] | None:
        if isinstance(condition, Clause) and condition.scope == "=any":
            return self._anywhere(condition)
        if isinstance(condition, Clause):
            scope, name = self._scope(condition, env), self._name(condition, env)
            one = self.holdings.can(condition, scope, name)
            return None if one is None else [one]
        if isinstance(condition, One):
            scopes = [self._scope(c, env) for c in condition.clauses]
            names = [self._name(c, env) for c in condition.clauses]
            one = self.holdings.one(condition, scopes, names)
            return None if one is None else [one]
        if isinstance(condition, Traits):
            cls, container, _ = env[condition.of]
            return [self._facts[(cls.id, container, trait)] for trait in condition.all]
        if isinstance(condition, Guarded):
            pod, space = condition.pod, env[condition.of]
            level = self._level(env[pod], space) if pod in env else pod
            return self.guards.body(level, space, condition.how)
        assert isinstance(condition, Has)
        if condition.kind in ("role", "clusterrole"):
            return [] if env[condition.of[0]][0].lower() == condition.kind else None
        found = self._proposition(condition, env)
        return None if found is None else [self.program.id(found)]

    def _anywhere(self, clause: Clause) -> list[int] | None:
        """A right in any namespace will do."""
        spaces = self.holdings.spaces(clause)
        head = self.program.id(("anywhere", clause.key))
        found = False
        for space in ("",) if spaces is None else sorted(spaces):
            one = self.holdings.can(clause, space)
            if one is not None:
                self.program.rule(head, [one], Label("scope", "a right in some namespace"))
                found = True
        return [head] if found else None

    def _scope(self, clause: Clause, env: Env) -> str:
        if clause.scope.startswith("="):
            return clause.scope[1:]
        found: str = env[clause.scope] if clause.scope else ""
        return found

    def _name(self, clause: Clause, env: Env) -> str:
        variable, _, role = clause.name.partition(" ")
        value = env.get(variable, "") if variable else ""
        if role:
            return str(value[2])
        if isinstance(value, Class) and clause.resources[0].startswith("pods"):
            names = self.holdings.names(clause, self._scope(clause, env))
            return next((name for name in value.pods if name in names), _name_of(value))
        return "" if value == ANY else _name_of(value)

    def _proposition(self, has: Has, env: Env) -> Proposition | None:
        if not has.of:
            return (has.kind, "") if has.kind in ("admin", "nodes") else (has.kind,)
        values = [one[1:] if one.startswith("=") else env[one] for one in has.of]
        first = values[0]
        if first == ANY:
            space = "" if has.kind in _WIDE else env[f"{has.of[0]} in"]
            return (MANY[has.kind], space)
        if isinstance(first, tuple) and first and isinstance(first[0], Class):
            return self._of_unit(has.kind, first)
        if isinstance(first, Class):
            return ("pods-of" if has.kind == "pod" else has.kind, first.id)
        if has.kind in ("gained", "holds"):
            return (has.kind, *first[:3], values[1] if len(values) > 1 else first[3])
        if has.kind == "admin" and isinstance(first, tuple):
            return ("admin", first[3])
        if has.kind in ("account", "secret"):
            return (has.kind, env[f"{has.of[0]} in"], first)
        if has.kind.startswith("admits "):
            return ("admits", has.kind[7:], first)
        return (has.kind, *map(_name_of, values))

    def _level(self, pod: Any, space: str) -> str:
        """The level that a pod needs as it is; that of the neediest for all of a namespace."""
        world = self.world
        pods = world.pods.get(space, ()) if pod == ANY else (pod,)
        return max(map(world.level_needed, pods), key=LEVELS.index, default=LEVELS[0])

    def _of_unit(self, kind: str, unit: Unit) -> Proposition | None:
        cls, container, node = unit
        if kind == "code":
            where = (node,) if node and cls.located else ()
            return ("code", cls.id, container, *where)
        if kind == "node":
            return ("node", node)
        if kind == "tokens":
            return ("tokens", node)
        if kind == "pod":
            return ("pod", cls.id, node) if node else ("pods-of", cls.id)
        return (kind, cls.id, container)

    def _envs(self, edge: Edge, way: tuple[Any, ...]) -> Iterator[Env]:
        envs: list[Env] = [{}]
        for variable, (domain, space) in edge.each.items():
            if domain == "container":
                units = tuple(self._units(edge, way, variable))
                envs = [{**env, variable: unit} for env in envs for unit in units]
                continue
            wider: list[Env] = []
            for env in envs:
                home = "" if not space else space[1:] if space.startswith("=") else env[space]
                for value in self._values(edge, way, variable, domain, home):
                    wider.append({**env, variable: value, f"{variable} in": home})
            envs = wider
        yield from envs

    def _values(
        self, edge: Edge, way: tuple[Any, ...], variable: str, domain: str, home: str
    ) -> Iterable[Any]:
        if domain == "namespace":
            return self._spaces(way, variable)
        if domain == "clusterrole":
            named = [x for c in way if isinstance(c, One) for x in c.clauses if x.name == variable]
            names = {n for clause in named for n in self.holdings.names(clause, home)}
            keys = [("ClusterRole", "", name) for name in sorted(names)]
            return [(*key, home) for key in keys if key in self.world.roles]
        if domain == "name":
            return self._names(way, variable, home)
        things = self._things(domain, home)
        if domain == "workload":
            return self._workloads(way, variable, home)
        clauses = [c for c in way if isinstance(c, Clause) and c.name == variable]
        others = [
            c
            for c in way
            if (isinstance(c, Has) and variable in c.of)
            or (isinstance(c, One) and any(x.name == variable for x in c.clauses))
        ]
        if not clauses or others or edge.gives.kind not in MANY or domain == "phantom":
            if len(clauses) == 1 and not self.holdings.unnamed(clauses[0], home):
                names = self.holdings.names(clauses[0], home)
                return [one for one in things if _named(one, names)]
            return things
        judged = any(isinstance(c, Guarded) and c.pod == variable for c in way)
        if judged and self._level(ANY, home) != LEVELS[0]:
            return [ANY, *things]
        names = {n for c in clauses for n in self.holdings.names(c, home)}
        return [ANY, *(one for one in things if _named(one, names))] if names else [ANY]

    def _names(self, way: tuple[Any, ...], variable: str, home: str) -> list[str]:
        """The names for which somebody has a right, whatever they are names of."""
        parts = (c.clauses if isinstance(c, One) else (c,) for c in way)
        used = [x for part in parts for x in part if isinstance(x, Clause) and x.name == variable]
        if not used:
            return [ANY]
        return sorted({name for clause in used for name in self.holdings.names(clause, home)})

    def _workloads(self, way: tuple[Any, ...], variable: str, home: str) -> list[str]:
        """The controllers of a namespace that somebody may change, by name: scaled to none, too.
        One is enough where all of a kind may be changed.
        """
        found: dict[str, None] = {}
        for clause in way:
            if not isinstance(clause, Clause) or clause.name != variable:
                continue
            kind = WORKLOADS[clause.resources[0]]
            names = self.holdings.names(clause, home)
            every = self.holdings.unnamed(clause, home)
            for one in self.world.cluster.of_kind(kind, home):
                if every or one.ref.name in names:
                    found[one.ref.name] = None
                    if every:
                        break
        return list(found)

    def _spaces(self, way: tuple[Any, ...], variable: str) -> Iterable[str]:
        narrow: set[str] | None = None
        for condition in way:
            parts = condition.clauses if isinstance(condition, One) else (condition,)
            for clause in parts:
                if isinstance(clause, Clause) and clause.scope == variable:
                    spaces = self.holdings.spaces(clause)
                    if spaces is not None:
                        narrow = spaces if narrow is None else narrow & spaces
        if narrow is None:
            return self.world.namespaces
        return sorted(narrow & set(self.world.namespaces))

    def _things(self, domain: str, home: str) -> Iterable[Any]:
        world = self.world
        if domain == "account":
            return sorted(world.accounts.get(home, ()))
        if domain == "phantom":
            return sorted(world.phantoms.get(home, ()))
        if domain == "secret":
            return sorted(world.secrets.get(home, ()))
        if domain == "tokensecret":
            return sorted(name for space, name in world.tokens if space == home)
        if domain == "pod":
            return world.pods.get(home, ())
        if domain == "node":
            return list(world.nodes)
        if domain == "user":
            return world.users
        if domain == "group":
            return world.groups
        if domain == "role":
            return world.local.get(home, ())
        if domain == "bound":
            gained = (one for one in self.holdings.gained() if one[0][0] == "ClusterRole")
            bound = dict.fromkeys((*world.bound("ClusterRole"), *gained))
            return [(*k, scope) for k, scope in bound]
        if domain in ("rolebinding", "clusterrolebinding"):
            return [
                (
                    b.role_kind,
                    "" if b.role_kind == "ClusterRole" else home,
                    b.role_name,
                    home,
                    b.resource.ref.name,
                )
                for b in world.bindings.get(home, ())
                if b.role is not None
            ]
        return ()

    def _units(self, edge: Edge, way: tuple[Any, ...], variable: str) -> Iterator[Unit]:
        wanted = [t for c in way if isinstance(c, Traits) and c.of == variable for t in c.all]
        if not wanted:
            return
        rarest = min(wanted, key=lambda trait: len(self._by_trait.get(trait, ())))
        located = edge.gives.kind in _LOCATED
        for cls, container in self._by_trait.get(rarest, ()):
            traits = cls.containers[container]
            if all(trait in traits for trait in wanted):
                for node in cls.nodes if located else ("",):
                    yield cls, container, node


def _name_of(value: Any) -> str:
    """The name by which a rule of RBAC would name a thing."""
    if isinstance(value, str):
        return value
    if isinstance(value, Class):
        return value.workload.resource.ref.name
    if isinstance(value, tuple) and value and isinstance(value[0], str):
        return str(value[4] if len(value) > 4 else value[2])
    return ""


def _named(value: Any, names: set[str]) -> bool:
    """Whether one of the names is a thing's, or that of a pod of a class."""
    if _name_of(value) in names:
        return True
    return isinstance(value, Class) and not names.isdisjoint(value.pods)


# What a thing is called in a text, by its domain: with its namespace, or any of them.
_NOUNS: Final = {
    "account": "account",
    "phantom": "account",
    "secret": "secret",
    "tokensecret": "token secret",
    "pod": "pod",
    "user": "user",
    "group": "group",
    "node": "node",
}


def _words(edge: Edge, env: Env) -> dict[str, str]:
    """What variables mean, in words."""
    words: dict[str, str] = {}
    for variable, (domain, _) in edge.each.items():
        value, home = env[variable], env.get(f"{variable} in", "")
        noun = _NOUNS.get(domain, "")
        if value == ANY:
            words[variable] = f"any {noun} of {home}" if home else f"any {noun}"
        elif isinstance(value, Class):
            words[variable] = f"{noun} {value.id.removeprefix('/')}"
        elif isinstance(value, tuple) and isinstance(value[0], Class):
            words[variable] = value[0].id.removeprefix("/")  # files may leave the namespace out
        elif noun:
            words[variable] = f"{noun} {home}/{value}" if home else f"{noun} {value}"
        else:
            words[variable] = _name_of(value)
    return words
