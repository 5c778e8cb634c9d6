"""`martello doctor`: what may be seen of a cluster, and which checks stay unassessed for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from martello.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from martello.adapters.cluster.doctor import Examination
    from martello.core.check import Check


@click.command("doctor")
@click.argument("target", default="cluster", metavar="[cluster[:CONTEXT]]")
@click.option("--grant", is_flag=True, help="Print the least role a reader needs; no Secrets.")
@click.option(
    "--subject",
    default="",
    metavar="KIND:NAME",
    help="Who gets it: user:, group: or serviceaccount:NAMESPACE/NAME.",
)
@options.namespaces
@options.context
@options.kubeconfig
@options.debug
def command(
    target: str,
    grant: bool,
    subject: str,
    namespaces: tuple[str, ...],
    context: str | None,
    kubeconfig: str | None,
) -> int:
    """Say what Martello may see of a cluster, and which checks stay unassessed for that.

    With --grant, print the role that is missing: martello doctor --grant | kubectl apply -f -
    """
    if grant:
        from martello.adapters.cluster.grant import grant as role

        click.echo(role(subject, namespaces=namespaces).rstrip())
        return 0
    from martello.adapters.cluster.doctor import examine
    from martello.cli.target import in_context, parse_target
    from martello.core.errors import BadInput

    wanted = parse_target(target)
    if wanted.kind != "cluster":
        raise BadInput(f"cannot examine {target}", "doctor looks at clusters", "cluster[:CONTEXT]")
    if context:
        (wanted,) = in_context([wanted], context)
    found = examine(wanted.where or None, kubeconfig=kubeconfig, namespaces=namespaces)
    from martello.report.text import clean

    for line in _lines(found):
        click.echo(clean(line))
    return 3 if found.hidden else 0


def _lines(found: Examination) -> list[str]:
    from martello.catalogue.load import load

    version = f"1.{found.kubernetes}" if found.kubernetes is not None else "an unknown version"
    told = [f"{found.cluster or 'cluster'} at {found.server}, Kubernetes {version}"]
    told += [f"as {found.identity}", ""]
    for sight in found.sights:
        why = f"  {sight.why}" if sight.why else ""
        told.append(f"{sight.state:<9}  {sight.group_kind}{why}")
    told.append("")
    hidden = {sight.group_kind for sight in found.hidden}
    if not hidden:
        return [*told, "everything that the checks look at can be listed"]
    checks = load()
    listable = {sight.group_kind for sight in found.sights if sight.state == "listable"}
    blind = [c for c in checks if _blind(c, hidden, listable)]
    partly = [c.id for c in checks if c not in blind and hidden.intersection(_kinds(c.kinds))]
    told.append(f"{len(hidden)} kinds cannot be listed; {len(blind)} checks stay unassessed:")
    told += [f"  {check.id}  {check.title}" for check in blind]
    if partly:
        told.append(f"{len(partly)} checks judge only what can be listed:")
        told += [f"  {' '.join(partly[n : n + 10])}" for n in range(0, len(partly), 10)]
    return [*told, "next: martello doctor --grant > role.yaml, for somebody who may apply it"]


def _blind(check: Check, hidden: set[str], listable: set[str]) -> bool:
    """Whether a check can say nothing: what it needs is hidden, or all that it looks at."""
    kinds = _kinds(check.kinds)
    unseen = bool(hidden.intersection(kinds)) and not listable.intersection(kinds)
    return unseen or bool(hidden.intersection(_kinds(check.needs)))


def _kinds(words: Sequence[str]) -> tuple[str, ...]:
    """The kinds that a check names; workloads are all that makes pods."""
    from martello.core.cluster import MAKERS

    kinds: list[str] = []
    for word in words:
        kinds += MAKERS if word == "workload" else () if word in ("*", "cluster") else (word,)
    return tuple(kinds)
