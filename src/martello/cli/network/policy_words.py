"""One policy in words: whom it is about, and what each of its rules lets through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import IO, Any, Final

from martello.cli.network.opening import Opened, opened
from martello.cli.outputs import write_each
from martello.cli.reports import parse_outputs
from martello.core.errors import BadInput
from martello.core.reach import Ports, conn
from martello.core.resource import Resource
from martello.practices.network.addresses import cidrs
from martello.practices.network.decide.takes import pods_hold
from martello.practices.network.model import (
    ACCEPT,
    DENY,
    NETWORK,
    Block,
    Domains,
    Doubtful,
    NamedPort,
    Nodes,
    Pods,
    Policy,
    Rule,
    Selector,
    Who,
)
from martello.practices.network.selectors import show
from martello.report.model import Screen
from martello.report.network.policy import Phrase, Told

_SHORT: Final[Mapping[str, str]] = {
    "netpol": "NetworkPolicy",
    "cnp": "ClusterNetworkPolicy",
    "anp": "AdminNetworkPolicy",
    "banp": "BaselineAdminNetworkPolicy",
    "cilium": "CiliumNetworkPolicy",
    "ccnp": "CiliumClusterwideNetworkPolicy",
    "gnp": "GlobalNetworkPolicy",
}
_NAMES: Final = 6


def tell_policy(word: str, flags: dict[str, Any]) -> int:
    """Writes a policy in words. Raises BadInput where it is not here."""
    world = opened(flags)
    found = _policy(world, word, tuple(flags["namespaces"]))
    told = words_of(world, found)

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        from martello.report.network import policy

        getattr(policy, format)(told, screen, out)

    write_each(parse_outputs(flags["outputs"] or ("text",), ("text", "json")), write)
    return 0


def _policy(world: Opened, word: str, namespaces: tuple[str, ...]) -> Policy:
    kind, slash, name = word.partition("/")
    if not slash or not name:
        raise BadInput(
            f"no policy: {word}",
            "a policy is KIND/NAME",
            "martello network explain -n shop netpol/db",
        )
    wanted = _SHORT.get(kind.lower(), kind).lower()
    listed = [
        p
        for p in world.reach.policies.policies
        if p.resource.ref.kind.lower() in (wanted, wanted.removesuffix("s"), wanted[:-3] + "y")
    ]
    named = [p for p in listed if p.resource.ref.name == name]
    found = [p for p in named if not namespaces or p.resource.ref.namespace in (*namespaces, "")]
    if len(found) == 1:
        return found[0]
    if found:
        spaces = ", ".join(sorted(p.resource.ref.namespace for p in found))
        raise BadInput(f"{word} is in several namespaces", spaces, "name one with -n")
    known = [_short(p.resource) for p in listed or world.reach.policies.policies]
    if not known:
        raise BadInput(f"no policy {word}", "there is no policy here")
    from martello.cli.errors import nearest

    where = f" in {', '.join(namespaces)}" if named and namespaces else ""
    why = f"there are {len(known):,} others here" if not where else "-n names another namespace"
    hint = nearest(word, known)
    raise BadInput(f"no policy {word}{where}", why, f"did you mean {hint}?")


def _short(resource: Resource) -> str:
    ref = resource.ref
    where = f" in {ref.namespace}" if ref.namespace else ""
    return f"{ref.kind.lower()}/{ref.name}{where}"


def words_of(world: Opened, policy: Policy) -> Told:
    """The policy in words."""
    return Told(
        title=_title(policy),
        where=str(policy.resource.locate(())),
        subject=_subject(world, policy),
        phrases=tuple(_phrases(policy)),
        doubt=policy.doubt,
    )


def _title(policy: Policy) -> str:
    ref = policy.resource.ref
    rank = "" if policy.tier == NETWORK else f" ({policy.tier}, priority {policy.priority})"
    return f"{ref.local}{rank}"


def _subject(world: Opened, policy: Policy) -> str:
    chosen = _pods(policy.subject)
    held = [
        e.name
        for e in world.reach.world.endpoints
        if not e.host_network and pods_hold(policy.subject, e, world.reach.world) is True
    ]
    names = list(dict.fromkeys(held))
    if not names:
        return f"{chosen}: none here"
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return f"{chosen}: {', '.join(names[:_NAMES])}{more}"


def _phrases(policy: Policy) -> Iterator[Phrase]:
    for mark, rules in (("in", policy.ingress), ("out", policy.egress)):
        if rules is None:
            told = "not governed by it: what other policies say, else everything"
            yield Phrase(mark, told)
            continue
        isolating = policy.tier == NETWORK
        if not rules:
            yield Phrase(mark, "nothing" if isolating else "no rule: it says nothing here")
        elif isolating:
            yield Phrase(
                mark, "nothing but what these rules, or those of other policies, let through:"
            )
        for rule in rules:
            yield Phrase("", _rule(rule, mark), str(policy.resource.locate(rule.path)))


def _rule(rule: Rule, mark: str) -> str:
    verb = {ACCEPT: "accept", DENY: "deny"}.get(rule.action, "pass on")
    side = "from" if mark == "in" else "to"
    if rule.peers is None:
        who = "anyone, outside too"
    elif not rule.peers:
        who = "nobody"
    else:
        who = "; or ".join(_who(one) for one in rule.peers)
    return f"{verb} {_ports(rule)} {side} {who}"


def _ports(rule: Rule) -> str:
    if rule.ports is None:
        return "everything"
    if not rule.ports:
        return "no port"
    numbers: list[Ports] = [p for p in rule.ports if isinstance(p, Ports)]
    named = [p for p in rule.ports if isinstance(p, NamedPort)]
    words = [str(conn(numbers))] if numbers else []
    words += [f"{p.protocol} port '{p.name}' of the pod".strip() for p in named]
    return " and ".join(words)


def _who(one: Who) -> str:
    if isinstance(one, Pods):
        return _pods(one)
    if isinstance(one, Block):
        blocks = " ".join(cidrs(one.version, one.first, one.last))
        gone = [c for first, last in one.excepts for c in cidrs(one.version, first, last)]
        return f"addresses {blocks}" + (f" but {', '.join(gone)}" if gone else "")
    if isinstance(one, Nodes):
        return f"nodes{_with(one.nodes)}"
    if isinstance(one, Domains):
        return f"names {', '.join(one.names)}"
    assert isinstance(one, Doubtful)
    return f"somebody who is not understood ({one.reason})"


def _pods(pods: Pods) -> str:
    who = f"pods{_with(pods.pods)}" if pods.pods.requirements else "all pods"
    if pods.namespace:
        return f"{who} of namespace {pods.namespace}"
    if not pods.namespaces.requirements:
        return f"{who} of any namespace"
    return f"{who} of namespaces{_with(pods.namespaces)}"


def _with(selector: Selector) -> str:
    return f" with {show(selector)}" if selector.requirements else ""
