"""What can be done about an alert: shown as the calls that would do it, and made with --apply."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from martello.cli.monitor.alerting import opened
from martello.core.errors import BadInput, Refused
from martello.practices.monitor.alerts.respond import ACTIONS, Action, Subject, proposals, subject
from martello.report.text import clean, encoded
from martello.store import handled


def respond_command(word: str, flags: dict[str, Any]) -> int:
    """Shows the proposals, or makes them; 0, or 1 where none of them can be made."""
    names = tuple(dict.fromkeys(flags["actions"])) or ACTIONS
    if flags["apply"] and not flags["actions"]:
        raise BadInput(
            "--apply needs to be told what", "each has its price", f"--do {'|'.join(ACTIONS)}"
        )
    with opened(flags) as (state, _):
        alert = handled.find(state, word)
    about = subject(alert)
    live = bool(flags["context"] or flags["kubeconfig"] or flags["apply"])
    pod, policies = _read(about, flags) if live and about.pod and about.namespace else (None, None)
    found = proposals(alert, names, pod=pod, policies=policies)
    if flags["apply"]:
        return _apply(found, flags)
    for line in _lines(found):
        print(line)
    return 1 if all(one.why for one in found) else 0


def _read(about: Subject, flags: dict[str, Any]) -> tuple[Any, Any]:
    """The pod and the policies of its namespace, as they are now. Raises what the client raises."""
    from martello.adapters.cluster.client import Client
    from martello.adapters.cluster.failure import Denied
    from martello.adapters.cluster.kubeconfig import access

    async def read() -> tuple[Any, Any]:
        async with Client(access(flags["context"], kubeconfig=flags["kubeconfig"])) as client:
            namespace = f"/namespaces/{about.namespace}"
            try:
                pod = await client.get(f"/api/v1{namespace}/pods/{quote(about.pod, safe='')}")
            except Denied as denied:
                raise BadInput(
                    f"cannot read {about.namespace}/Pod/{about.pod}",
                    f"{denied.why} ({denied.status})",
                    "it may be gone: without --context and --apply the proposals are printed",
                ) from None
            policies: list[Any] = []
            path = f"/apis/networking.k8s.io/v1{namespace}/networkpolicies"
            try:
                async for attempt, page in client.pages(path, limit=500):
                    policies = [*policies, *page] if not attempt else list(page)
            except Denied:
                return pod, None
            return pod, policies

    return asyncio.run(read())


def _lines(found: Sequence[Action]) -> Iterator[str]:
    for one in found:
        if one.why:
            yield f"# {one.name}: nothing to propose: {clean(one.why)}"
            continue
        yield f"# {one.name}  (--do {one.name} --apply)"
        for note in one.notes:
            yield f"#   {clean(note)}"
        for change in one.changes:
            yield f"# {clean(change.words)}: {change.method} {clean(change.path)}"
            yield encoded(change.body, indent=True)


def _apply(found: Sequence[Action], flags: dict[str, Any]) -> int:
    from martello.adapters.cluster.write import Write, write_all

    for one in found:
        if one.why:
            raise Refused(f"{one.name} cannot be done", one.why, "leave it out")
        for note in one.notes:
            print(f"{one.name}: {clean(note)}", file=sys.stderr)
    writes = [
        Write(change.method, change.path, change.body, change.words)
        for one in found
        for change in one.changes
    ]
    write_all(flags["context"], flags["kubeconfig"], writes)
    for made in writes:
        print(f"done: {clean(made.words)}")
    return 0
