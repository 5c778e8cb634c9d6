"""A real API server writes the names of our own requests into its audit log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.apiserver import Missing, run

from martello.adapters.audit.columns import Origin, read
from martello.adapters.cluster.read import read_cluster
from martello.core.own import Own

pytestmark = pytest.mark.apiserver


def test_every_request_of_a_reading_is_known_in_the_log(tmp_path: Path) -> None:
    policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    log = tmp_path / "audit.log"
    arguments = [f"--audit-policy-file={tmp_path / 'policy.json'}", f"--audit-log-path={log}"]
    own = Own(b"k" * 32)
    try:
        with run(arguments=arguments) as server:
            read_cluster(kubeconfig=str(server.kubeconfig()), own=own)
            server.request("GET", "/api/v1/secrets")
    except Missing as missing:
        pytest.skip(str(missing))
    told = [
        event for line in log.read_bytes().splitlines() for event in read(line, Origin(b"k" * 32))
    ]
    events = [one for one in told if isinstance(one, dict)]
    ours = [one for one in events if one.get("actor_agent", "").startswith("martello/")]
    assert len(ours) > 30
    for one in events:
        asked = (one["api_id"], one["api_verb"], one["api_uri"], one["api_stage"], one["time"])
        assert own.made(*asked) == (one in ours), one
