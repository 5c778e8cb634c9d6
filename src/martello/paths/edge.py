"""The edge file: one way to gain something, its conditions, and the examples that test it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any, Final

import msgspec

from martello.catalogue.document import Document, read_document
from martello.paths.model import Label

EDGES: Final = Path(__file__).parent / "edges"
_KEYS: Final = frozenset(
    ("name", "says", "why", "each", "when", "gives", "cost", "versions", "attack", "trace")
) | frozenset(("cut", "examples", "kind"))
_REQUIRED: Final = ("name", "says", "gives", "cost", "attack", "trace", "examples")
_VERSIONS: Final = re.compile(r">=1\.(\d+)|<1\.(\d+)|>=1\.(\d+) <1\.(\d+)")
CUTS: Final = frozenset(("grant", "admission", "pod", "network", "image", "account", "none"))
DOMAINS: Final = frozenset(
    (
        "namespace",
        "account",
        "phantom",
        "tokensecret",
        "name",
        "secret",
        "pod",
        "container",
        "node",
        "role",
        "configmap",
    )
) | frozenset(
    ("rolebinding", "clusterrole", "clusterrolebinding", "user", "group", "bound", "workload")
)
# Controllers by the resource that a rule names.
WORKLOADS: Final = {
    "replicationcontrollers": "ReplicationController",
    "deployments.apps": "Deployment.apps",
    "daemonsets.apps": "DaemonSet.apps",
    "statefulsets.apps": "StatefulSet.apps",
    "replicasets.apps": "ReplicaSet.apps",
    "jobs.batch": "Job.batch",
    "cronjobs.batch": "CronJob.batch",
}


HOWS: Final = frozenset(("create", "update", "debug", "debug-node"))  # pods come in


class Clause(msgspec.Struct, frozen=True):
    """A right: any of the verbs on any of the resources (`pods/exec`, `deployments.apps`), in the
    namespace of a variable or cluster-wide; `name` is a variable, `names` are literal ones.
    """

    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    scope: str = ""
    name: str = ""
    names: tuple[str, ...] = ()
    key: str = ""  # what the right is called, wherever it is used

    def __post_init__(self) -> None:
        what = f"{','.join(self.verbs)} {','.join(self.resources)}"
        key = f"{what} named {','.join(self.names)}" if self.names else what
        msgspec.structs.force_setattr(self, "key", key)


class Has(msgspec.Struct, frozen=True):
    """A proposition about variables, gained or given: `kind of a in b`."""

    kind: str
    of: tuple[str, ...] = ()


class Edge(msgspec.Struct, frozen=True):
    """One edge, with one alternative of its conditions for each way of `any`."""

    name: str
    says: str
    each: Mapping[str, tuple[str, str]]  # variable: domain and the variable of its namespace
    ways: tuple[tuple[Any, ...], ...]  # Clause, One, Has, Guarded, Traits
    gives: Has
    cost: int
    attack: tuple[str, ...]
    trace: str
    since: int = 0
    until: int = 10_000
    cut: tuple[str, ...] = ()
    why: str = ""
    kind: str = ""
    examples: Mapping[str, Any] = {}

    def label(self, words: Mapping[str, str]) -> Label:
        """What its rules are called where its variables mean these words."""
        text = self.says
        for variable, word in words.items():
            text = text.replace(f"{{{variable}}}", word)
        return Label(self.name, text, self.cost, self.attack, self.trace)


class One(msgspec.Struct, frozen=True):
    """Rights that one identity must have, because one request asks for all of them."""

    clauses: tuple[Clause, ...]
    key: str = ""  # what they are called, wherever they are used

    def __post_init__(self) -> None:
        key = " + ".join(clause.key for clause in self.clauses)
        msgspec.structs.force_setattr(self, "key", key)


class Guarded(msgspec.Struct, frozen=True):
    """A pod must get past every guard of a namespace (a variable): `pod` is the level that it
    needs, or the variable of one that is there; `how` it comes in.
    """

    of: str
    pod: str
    how: str


class Traits(msgspec.Struct, frozen=True):
    """What a container is like: all of these at once."""

    of: str
    all: tuple[str, ...]


@lru_cache(maxsize=1)
def catalogue() -> tuple[Edge, ...]:
    """Every edge, by name. Raises BadInput for a file that cannot be used."""
    return tuple(
        parse_edge(path.read_text(encoding="utf-8"), path.name)
        for path in sorted(EDGES.glob("*.yaml"))
    )


def parse_edge(text: str, file: str) -> Edge:
    """Reads one edge file. Raises one BadInput with everything wrong."""
    document = read_document(text, file)
    edge = _Reading(document).edge(file.removesuffix(".yaml"))
    document.finish()
    assert edge is not None
    return edge


class _Reading:
    """Reads the keys of an edge."""

    __slots__ = ("document", "each")

    def __init__(self, document: Document) -> None:
        self.document = document
        self.each: dict[str, tuple[str, str]] = {}

    def edge(self, file: str) -> Edge | None:
        data = self.document.data
        if not isinstance(data, dict):
            self.document.complain((), "an edge file is a mapping")
            return None
        for key in sorted(set(data) - _KEYS):
            self.document.complain((key,), "no such key")
        for key in _REQUIRED:
            if key not in data:
                self.document.complain((), f"the key {key} is missing")
        if data.get("name") != file:
            self.document.complain(("name",), f"the file is called {file}")
        self.each = dict(self._each(data.get("each") or {}))
        ways = tuple(tuple(way) for way in self._ways(data.get("when") or []))
        cost = data.get("cost")
        if not isinstance(cost, int) or not 0 <= cost <= 9:
            self.document.complain(("cost",), "a cost is 0 to 9")
            cost = 9
        since, until = self._versions(data.get("versions"))
        cuts = _words(data.get("cut"))
        for one in set(cuts) - CUTS:
            self.document.complain(("cut",), f"no such cut: {one}")
        return Edge(
            file,
            str(data.get("says")),
            self.each,
            ways,
            self._has(str(data.get("gives")), ("gives",)),
            cost,
            _words(data.get("attack")),
            str(data.get("trace")),
            since,
            until,
            cuts,
            str(data.get("why") or ""),
            str(data.get("kind") or ""),
            data.get("examples") or {},
        )

    def _each(self, data: Any) -> Iterator[tuple[str, tuple[str, str]]]:
        for variable, text in data.items():
            domain, _, space = str(text).partition(" in ")
            if domain not in DOMAINS:
                self.document.complain(("each", variable), f"no such domain: {domain}")
            yield variable, (domain, space)

    def _ways(self, conditions: Any) -> Iterator[list[Any]]:
        choices: list[list[list[Any]]] = []
        for condition in conditions if isinstance(conditions, list) else ():
            if isinstance(condition, dict) and "any" in condition:
                choices.append([way for each in condition["any"] for way in self._ways(each)])
            else:
                choices.append([[one] for one in self._kinds(self._condition(condition))])
        for chosen in product(*choices):
            yield [one for way in chosen for one in way]

    def _kinds(self, condition: Any) -> Iterator[Any]:
        """A right on a workload by name is one on its own kind."""
        if isinstance(condition, Clause) and self.each.get(condition.name, ("",))[0] == "workload":
            for resource in condition.resources:
                yield msgspec.structs.replace(condition, resources=(resource,))
        else:
            yield condition

    def _condition(self, data: Any) -> Any:
        if isinstance(data, dict) and len(data) == 1:
            ((word, body),) = data.items()
            if word == "can":
                return self._clause(body)
            if word == "one":
                return One(tuple(self._clause(each) for each in body))
            if word == "has":
                return self._has(str(body), ("when",))
            if word == "admits":
                how = body.get("by", "create")
                if how not in HOWS:
                    self.document.complain(("when",), f"pods do not come in by {how}")
                return Guarded(body["in"], str(body["pod"]), how)
            if word == "trait":
                return Traits(body["of"], _words(body["all"]))
        self.document.complain(("when",), f"no condition: {data}")
        return Has("never")

    def _clause(self, data: Any) -> Clause:
        name = data.get("name", "")
        scope = data.get("in", "cluster")
        if scope != "cluster" and scope not in self.each and not scope.startswith("="):
            self.document.complain(("when",), f"no variable: {scope}")
        return Clause(
            _words(data["verb"]),
            _words(data.get("any") or data.get("resource")),
            "" if scope == "cluster" else scope,
            name if isinstance(name, str) else "",
            () if isinstance(name, str) else _words(name),
        )

    def _has(self, text: str, at: tuple[str, ...]) -> Has:
        kind, _, rest = text.partition(" of ")
        of = tuple(rest.split(" in ")) if rest else ()
        for one in of:
            if one not in self.each and not one.startswith("="):
                self.document.complain(at, f"no variable: {one}")
        return Has(kind, of)

    def _versions(self, text: Any) -> tuple[int, int]:
        if text is None:
            return 0, 10_000
        match = _VERSIONS.fullmatch(str(text))
        if match is None:
            self.document.complain(("versions",), "versions are >=1.N, <1.N, or both")
            return 0, 10_000
        least, most, first, last = match.groups()
        return int(least or first or 0), int(most or last or 10_000)


def _words(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(one) for one in value)
