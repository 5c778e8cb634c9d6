"""Seats at the API server: which flow an account's requests fall into, and whose queues it fills.

Sources: k8s.io/apiserver pkg/util/flowcontrol (rule.go, apf_controller.go: hashFlowID),
pkg/util/shufflesharding (Dealer) and pkg/apis/flowcontrol/bootstrap (the objects that every server
makes for itself). Requests are sorted into flows after authentication and before authorization: a
token needs no rights to take seats.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from math import ceil
from typing import Any, Final, Literal

import msgspec

from martello.core.cluster import Cluster
from martello.core.path import look_up
from martello.core.resource import Ref

ACCOUNT: Final = "system:serviceaccount:"
SEATS: Final = 600  # --max-requests-inflight 400 and --max-mutating-requests-inflight 200
_GROUP: Final = "flowcontrol.apiserver.k8s.io"
_MOST_HAND: Final = 15  # of the server's dealer
_MOST_QUEUES: Final = 10_000_000

Method = Literal["ByUser", "ByNamespace", ""]


class Priority(msgspec.Struct, frozen=True):
    """A priority level: its seats, and its queues (0: what finds no seat is rejected)."""

    name: str
    shares: int
    queues: int = 0
    hand: int = 0
    length: int = 0
    exempt: bool = False
    ref: Ref | None = None


class Schema(msgspec.Struct, frozen=True):
    """A flow schema whose rules take every request of its subjects to resources."""

    name: str
    level: str
    precedence: int
    method: Method
    subjects: tuple[tuple[str, str], ...]  # User, Group or ServiceAccount, and its name
    ref: Ref | None = None


class Fairness(msgspec.Struct, frozen=True):
    """Schemas in the order in which they are tried, and priority levels by name."""

    schemas: tuple[Schema, ...]
    levels: dict[str, Priority]
    assumed: tuple[str, ...] = ()

    def seats(self, level: Priority) -> int:
        """The seats that a level is assured of."""
        total = sum(each.shares for each in self.levels.values()) or 1
        return ceil(SEATS * level.shares / total)


class Flow(msgspec.Struct, frozen=True):
    """Where somebody's requests wait. `queues` is None where he has as many flows as he likes."""

    schema: Schema
    level: Priority
    queues: frozenset[int] | None


def deal(flow: int, deck: int, hand: int) -> tuple[int, ...]:
    """The queues that a flow may wait in: `hand` of `deck`, shuffled by the flow's number."""
    rests: list[int] = []
    for i in range(hand):
        flow, rest = divmod(flow, deck - i)
        rests.append(rest)
    cards: list[int] = []
    for i, card in enumerate(rests):
        for j in range(i, 0, -1):
            if card >= rests[j - 1]:
                card += 1
        cards.append(card)
    return tuple(cards)


def flow_number(schema: str, distinguisher: str) -> int:
    """The number of a flow."""
    digest = sha256(f"{schema}\0{distinguisher}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "little")


def flow(fairness: Fairness, user: str, groups: Sequence[str]) -> Flow | None:
    """The flow of somebody's requests to resources; None where no schema takes them."""
    for schema in fairness.schemas:
        if any(_is(subject, user, groups) for subject in schema.subjects):
            level = fairness.levels.get(schema.level)
            if level is None:
                return None
            return Flow(schema, level, _queues(schema, level, user))
    return None


def _queues(schema: Schema, level: Priority, user: str) -> frozenset[int] | None:
    if not level.queues:
        return frozenset()
    if schema.method == "ByNamespace":  # it may ask about any namespace, and each is a flow
        return None
    who = user if schema.method == "ByUser" else ""
    return frozenset(deal(flow_number(schema.name, who), level.queues, level.hand))


def _is(subject: tuple[str, str], user: str, groups: Sequence[str]) -> bool:
    kind, name = subject
    if kind == "User":
        return name in ("*", user)
    if kind == "Group":
        return name == "*" or name in groups
    if not user.startswith(ACCOUNT):
        return False
    space, _, account = user.removeprefix(ACCOUNT).partition(":")
    wanted, _, named = name.partition("/")
    return space == wanted and named in ("*", account)


def fairness(world: Cluster) -> Fairness:
    """The live objects of a world, or those that a server of its version makes for itself."""
    live = list(world.of_kind(f"FlowSchema.{_GROUP}"))
    levels = {
        resource.ref.name: _level(resource.raw, resource.ref)
        for resource in world.of_kind(f"PriorityLevelConfiguration.{_GROUP}")
    }
    if not live or not levels:
        return _defaults(world.kubernetes)
    found = [schema for one in live if (schema := _schema(one.raw, one.ref)) is not None]
    # The mandatory ones are there whatever else is.
    known, made = {schema.name for schema in found}, _defaults(world.kubernetes)
    found += [s for s in made.schemas if s.name in ("exempt", "catch-all") and s.name not in known]
    for name in ("exempt", "catch-all"):
        levels.setdefault(name, made.levels[name])
    return Fairness(_sorted(found), levels, ("the API server's request limits",))


def _sorted(found: Iterable[Schema]) -> tuple[Schema, ...]:
    return tuple(sorted(found, key=lambda schema: (schema.precedence, schema.name)))


def _number(value: Any, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _level(raw: dict[str, Any], ref: Ref) -> Priority:
    spec = raw.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    limited = look_up(spec, ("limited",))
    limited = limited if isinstance(limited, dict) else {}
    shares = limited.get("nominalConcurrencyShares", limited.get("assuredConcurrencyShares"))
    shares = max(0, _number(shares, 30))
    if spec.get("type") == "Exempt":
        return Priority(ref.name, 0, exempt=True, ref=ref)
    if look_up(limited, ("limitResponse", "type")) != "Queue":
        return Priority(ref.name, shares, ref=ref)
    queuing = look_up(limited, ("limitResponse", "queuing"))
    queuing = queuing if isinstance(queuing, dict) else {}
    queues = min(max(1, _number(queuing.get("queues"), 64)), _MOST_QUEUES)
    hand = min(max(1, _number(queuing.get("handSize"), 8)), queues, _MOST_HAND)
    length = max(1, _number(queuing.get("queueLengthLimit"), 50))
    return Priority(ref.name, shares, queues, hand, length, ref=ref)


def _schema(raw: dict[str, Any], ref: Ref) -> Schema | None:
    """A schema of which some rule takes any request to a resource; others are for single requests:
    whoever floods goes round them.
    """
    spec = raw.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    subjects: list[tuple[str, str]] = []
    rules = spec.get("rules")
    for rule in rules if isinstance(rules, list) else ():
        if isinstance(rule, dict) and any(map(_all, _listed(rule.get("resourceRules")))):
            subjects += filter(None, map(_subject, _listed(rule.get("subjects"))))
    if not subjects:
        return None
    method = look_up(spec, ("distinguisherMethod", "type"))
    return Schema(
        ref.name,
        str(look_up(spec, ("priorityLevelConfiguration", "name")) or ""),
        _number(spec.get("matchingPrecedence"), 1000),
        method if method in ("ByUser", "ByNamespace") else "",
        tuple(subjects),
        ref,
    )


def _listed(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _all(rule: dict[str, Any]) -> bool:
    words = (rule.get(key) for key in ("verbs", "apiGroups", "resources"))
    return all(isinstance(one, list) and "*" in one for one in words)


def _subject(raw: dict[str, Any]) -> tuple[str, str] | None:
    kind = raw.get("kind")
    if kind == "ServiceAccount":
        space, name = (look_up(raw, ("serviceAccount", key)) for key in ("namespace", "name"))
        return ("ServiceAccount", f"{space}/{name}")
    if kind in ("User", "Group"):
        return (str(kind), str(look_up(raw, (str(kind).lower(), "name")) or ""))
    return None


def _defaults(kubernetes: int) -> Fairness:
    """The suggested and mandatory objects. node-high came with 1.23."""
    rows = [
        ("system", 30, 64, 6),
        ("leader-election", 10, 16, 4),
        ("workload-high", 40, 128, 6),
        ("workload-low", 100, 128, 6),
        ("global-default", 20, 128, 6),
    ]
    if kubernetes >= 23:
        rows.append(("node-high", 40, 64, 6))
    levels = {name: Priority(name, s, q, h, 50) for name, s, q, h in rows}
    levels["exempt"] = Priority("exempt", 0, exempt=True)
    levels["catch-all"] = Priority("catch-all", 5)
    everybody = (("Group", "system:unauthenticated"), ("Group", "system:authenticated"))
    schemas = (
        Schema("exempt", "exempt", 1, "", (("Group", "system:masters"),)),
        Schema("system-nodes", "system", 500, "ByUser", (("Group", "system:nodes"),)),
        Schema(
            "kube-controller-manager",
            "workload-high",
            800,
            "ByNamespace",
            (("User", "system:kube-controller-manager"),),
        ),
        Schema("kube-scheduler", "workload-high", 800, "ByNamespace", (("User", _SCHEDULER),)),
        Schema(
            "kube-system-service-accounts",
            "workload-high",
            900,
            "ByNamespace",
            (("ServiceAccount", "kube-system/*"),),
        ),
        Schema(
            "service-accounts",
            "workload-low",
            9000,
            "ByUser",
            (("Group", "system:serviceaccounts"),),
        ),
        Schema("global-default", "global-default", 9900, "ByUser", everybody),
        Schema("catch-all", "catch-all", 10000, "ByUser", everybody),
    )
    assumed = ("flow schemas", "the API server's request limits")
    return Fairness(schemas, levels, assumed)


_SCHEDULER: Final = "system:kube-scheduler"
