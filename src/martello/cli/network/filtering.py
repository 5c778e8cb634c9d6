"""Packet filters: compiled, printed, loaded for a time, kept or taken back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final

import click

from martello.cli.network.opening import opened
from martello.cli.outputs import write_each
from martello.cli.progress import Progress
from martello.cli.reports import Output
from martello.core.errors import BadInput, MartelloError
from martello.core.flow import Flow
from martello.practices.network.firewall.hosts import Site, keeping, site, would_cut
from martello.practices.network.firewall.judged import Options
from martello.practices.network.firewall.render import Ruleset
from martello.report.model import Screen
from martello.report.text import clean, encoded

_TIME: Final = re.compile(r"(\d{1,5})(s|m|h)?")
_SHOWN: Final = 5
_UNITS: Final = {"s": 1, "m": 60, "h": 3600}


def filter_command(node: str, outputs: Sequence[Output], flags: dict[str, Any]) -> int:
    """Runs `network firewall`; the exit code. Raises BadInput, Refused, Stale, NotPermitted."""
    if flags["confirm"] or flags["rollback"]:
        return _decide(node, flags)
    if not node:
        raise BadInput(
            "no node is named", "a filter is made for one node", "martello network firewall NODE"
        )
    seconds = time_of(flags["confirm_within"])
    if flags["pods"] and flags["perimeter"]:
        raise BadInput("--pods and --perimeter are two filters", "", "give one of them")
    if flags["strict"] and not flags["pods"]:
        raise BadInput("--strict goes with --pods", "only their policies are decided by pairs")
    others: dict[str, Any] = {}
    if flags["perimeter"]:
        rules = _perimeter(node, flags, others)
    else:
        rules = _node(node, flags, others)

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        del screen
        if format == "nft":
            out.write(rules.text)
        elif format not in others:
            known = ", ".join(("nft", *others))
            raise BadInput(f"this filter is not written as {format}", "", f"one of: {known}")
        elif format == "json":
            out.write(encoded(others["json"], indent=True) + "\n")
        else:
            from martello.report.network.lesson import document

            listed = others[format] if isinstance(others[format], list) else [others[format]]
            out.write("---\n".join(document(one) for one in listed))

    for note in (*rules.notes, *(_before(others) if flags["apply"] else ())):
        click.echo(clean(f"note: {note}"), err=True)
    write_each(outputs, write)
    if not flags["apply"]:
        click.echo("nothing is changed: --apply loads it", err=True)
        return 0
    return _apply(rules, seconds, others, strict=flags["strict"])


def _node(node: str, flags: dict[str, Any], others: dict[str, Any]) -> Ruleset:
    """The filter of a node, or of its pods."""
    world = opened(flags)
    found = _site(world, flags)
    if flags["apply"]:
        from martello.adapters import guard

        found = keeping(found, guard.connection())
    others["_reach"] = tuple(_api(world, found))
    if flags["pods"]:
        from martello.practices.network.firewall.pods import pod_rules

        others["_pods"] = world.reach
        options = Options(unknown=flags["unknown"] or "")
        return pod_rules(world.reach, node, options=options)
    others["_host"] = found, node
    from martello.practices.network.firewall import exports
    from martello.practices.network.firewall.hosttable import host_rules

    rules = host_rules(found, node)
    others["json"] = exports.neutral(found, node)
    others["calico"] = exports.calico(found, node)
    others["cilium"] = exports.cilium(found, node)
    return rules


def _site(world: Any, flags: dict[str, Any]) -> Site:
    known: dict[str, object] = {}
    if flags["admin"]:
        known["admin"] = tuple(flags["admin"])
    if flags["health"]:
        known["health"] = tuple(flags["health"])
    if flags["failsafe"]:
        known["failsafe"] = tuple(flags["failsafe"])
    if flags["pod_ranges"]:
        known["pods"] = tuple(flags["pod_ranges"])
    if world.profile.name:
        known["plugin"] = world.profile.name
    return site(world.cluster, world.reach.world, **known)


def _api(world: Any, found: Site) -> list[tuple[str, int]]:
    """Where the API server must still answer after the filter is loaded."""
    from martello.practices.network.addresses import show_address

    return [
        (show_address(version, at), found.api_port)
        for one in found.nodes
        if one.name in found.control
        for version, at in one.addresses[:1]
    ][:3]


def _perimeter(cluster: str, flags: dict[str, Any], others: dict[str, Any]) -> Ruleset:
    from martello.cli.network.fleets import fleet_of
    from martello.practices.network.firewall.perimeter import (
        border,
        cilium_policy,
        cluster_policies,
        perimeter_rules,
    )

    if not flags["fleet"]:
        raise BadInput(
            "--perimeter needs --fleet", "other clusters are named there", "--fleet FILE"
        )
    with Progress() as progress:
        fleeted = fleet_of(flags["fleet"], flags, progress)
    found = border(fleeted.fleet, cluster)
    others["json"] = {"policies": cluster_policies(found)}
    others["cilium"] = cilium_policy(found)
    return perimeter_rules(found)


def _before(others: dict[str, Any]) -> Iterator[str]:
    """What to know before a filter is loaded on this machine: what would keep it from working, and
    which open connections it would not let in again.
    """
    from martello.adapters import cni

    if "_pods" in others:
        yield from cni.obstacles(cni.local())
    if "_host" in others:
        found, node = others["_host"]
        cut = would_cut(found, node, _open_connections())
        callers = Counter(f"{f.source.ip} to {f.protocol} {f.port}" for f in cut)
        for caller, count in callers.most_common(_SHOWN):
            yield f"this would not be let in again: {caller} ({count} open)"
        if len(callers) > _SHOWN:
            yield f"and {len(callers) - _SHOWN} more kinds of open connections"


def _open_connections() -> Sequence[Flow]:
    """What the kernel tracks now; nothing, and a line, where it cannot be asked."""
    from martello.adapters.flows.capture import list_conntrack

    try:
        return list(list_conntrack())
    except MartelloError as error:
        click.echo(clean(f"note: open connections are not known: {error.why}"), err=True)
        return ()


def _apply(rules: Ruleset, seconds: float, others: dict[str, Any], *, strict: bool) -> int:
    from martello.adapters import guard

    guard.apply(rules.text, seconds, table=rules.table, reach=others.get("_reach", ()))
    if strict:
        from martello.adapters.nft import drop_connections
        from martello.practices.network.firewall.strict import doomed

        ended = drop_connections(doomed(others["_pods"], _open_connections()))
        click.echo(f"ended: {ended} open connections that the rules deny", err=True)
    told = f"loaded as table inet {rules.table}; it is taken back in {seconds:.0f} s unless, from a"
    click.echo(f"{told} new connection: martello network firewall --confirm", err=True)
    return 0


def _decide(node: str, flags: dict[str, Any]) -> int:
    from martello.adapters import guard

    if node or flags["apply"] or (flags["confirm"] and flags["rollback"]):
        raise BadInput("--confirm and --rollback stand alone", "", "give one of them, and no NODE")
    if flags["confirm"]:
        change = guard.confirm()
        click.echo(f"kept: table inet {change.table}", err=True)
    else:
        change = guard.rollback()
        click.echo(f"put back: table inet {change.table} is as it was before", err=True)
    return 0


def time_of(word: str) -> float:
    """`60s`, `5m`, `90` as seconds. Raises BadInput."""
    match = _TIME.fullmatch(word)
    seconds = int(match[1]) * _UNITS[match[2] or "s"] if match else 0
    if not 5 <= seconds <= 3600:
        raise BadInput(f"no time: {word}", "--confirm-within is 5s to 1h", "--confirm-within 60s")
    return float(seconds)
