"""Paths that alerts saw in use are graver, by the evidence of the state store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.forked import martello

from martello.cli.paths.alerted import uses
from martello.core.alert import Alert, Evidence
from martello.store.outbox import Outbox
from martello.store.state import open_state

DEPLOYER = "system:serviceaccount:shop:deployer"
NOON = 1_785_585_600_000_000_000


def alert(*evidence: dict[str, Any]) -> Alert:
    """An alert of these events."""
    told = tuple(Evidence(f"event-{n}", NOON, one) for n, one in enumerate(evidence))
    words = ("TST-101", "hash", "high", "Title", "says")
    return Alert("alert", *words, {}, NOON, NOON, evidence=told)


def asked(uri: str, verb: str = "get", **more: Any) -> dict[str, Any]:
    """The columns that an alert keeps of a request."""
    columns = {"kind": "audit", "actor_user": DEPLOYER, "api_verb": verb, "api_uri": uri}
    return {**columns, "api_code": 200, **more}


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("/api/v1/namespaces/shop/secrets?limit=5", ("", "secrets", "", "shop")),
        ("/api/v1/namespaces/shop/pods/web-0/exec?command=sh", ("", "pods", "exec", "shop")),
        ("/apis/apps/v1/namespaces/a/deployments/b/scale", ("apps", "deployments", "scale", "a")),
        ("/apis/apps/v1/deployments", ("apps", "deployments", "", "")),
        ("/api/v1/namespaces/shop", ("", "namespaces", "", "")),
        ("/api/v1/nodes/one/proxy/logs", ("", "nodes", "proxy", "")),
    ],
)
def test_what_an_address_asks_for(uri: str, told: tuple[str, ...]) -> None:
    (use,) = uses([alert(asked(uri))])
    one = use.request
    assert (one.group, one.resource, one.subresource, one.namespace) == told
    assert use.last == NOON


def test_what_was_refused_or_is_no_request_is_no_use() -> None:
    refused = asked("/api/v1/secrets", api_code=403)
    assert uses([alert(refused, {"kind": "process", "proc_exe": "/bin/sh"})]) == ()
    assert uses([alert({"kind": "audit", "api_uri": 7, "api_verb": None})]) == ()


def test_a_path_that_was_seen_in_use_is_graver(tmp_path: Path) -> None:
    state = f"sqlite:///{tmp_path / 'state.db'}"
    with open_state(state) as kept:
        Outbox(kept).put([alert(asked("/api/v1/namespaces/shop/secrets", "list"))], ())
    words = ("paths", "-f", "demo", "--from", "sa:shop/deployer", "--to", "secrets:shop")
    plain = json.loads(martello(*words, "-o", "json", cwd=tmp_path).out)
    seen = json.loads(martello(*words, "--state", state, "-o", "json", cwd=tmp_path).out)
    assert plain != seen
    assert "seen in use, last 2026-08-01" in json.dumps(seen)
    assert "seen in use" not in json.dumps(plain)
