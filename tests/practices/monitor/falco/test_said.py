"""An alert of a Falco rule says what Falco would have: fields that only raw holds too."""

from __future__ import annotations

import json

from martello.adapters.batch import table
from martello.practices.monitor.falco import load
from martello.practices.monitor.pipeline import Pipeline

RULE = """
- rule: Created role
  desc: A role was made
  condition: ka.verb=create and ka.target.resource=roles
  output: rules %ka.req.role.rules by %ka.user.name (%ka.response.code)
  priority: WARNING
  source: k8s_audit
"""


def test_fields_of_raw_are_shown_and_controls_escaped() -> None:
    raw = {
        "auditID": "x",
        "verb": "create",
        "requestObject": {"rules": [{"verbs": ["get\u001b[2J"], "resources": ["pods"]}]},
    }
    event = {
        "id": "1",
        "kind": "audit",
        "action": "create",
        "time": 10**18,
        "api_id": "x",
        "api_verb": "create",
        "api_stage": "ResponseComplete",
        "api_code": 201,
        "k8s_resource": "roles",
        "actor_user": "alice",
        "raw": json.dumps(raw),
    }
    pipeline = Pipeline(load.load([("rules.yaml", RULE)]).pack)
    (alert,) = pipeline.feed(table("audit", [event]))
    assert alert.says.startswith('rules ({"verbs":["get')
    assert alert.says.endswith("by alice (201)")
    assert "\x1b" not in alert.says
    assert '"auditID"' not in alert.says, "not the whole event"
