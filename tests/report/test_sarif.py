"""SARIF as code scanning takes it: what 2.1.0 requires, and nothing that it refuses."""

from __future__ import annotations

import io
import json
from typing import Any

import jsonschema
from hypothesis import given
from hypothesis import strategies as st
from tests.support.reports import finding, report

from martello.core.finding import Unassessed, Waived
from martello.core.resource import Location
from martello.report import sarif
from martello.report.model import Report

MESSAGE = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
PLACE = {
    "type": "object",
    "required": ["artifactLocation"],
    "properties": {
        "artifactLocation": {
            "type": "object",
            "required": ["uri"],
            "properties": {"uri": {"type": "string", "pattern": "^[^ \\\\#?]*$"}},
        },
        "region": {
            "type": "object",
            "properties": {
                "startLine": {"type": "integer", "minimum": 1},
                "startColumn": {"type": "integer", "minimum": 1},
            },
        },
    },
}
# The part of the standard that we write, transcribed from its text (sections 3.13 to 3.58).
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {"driver": {"type": "object", "required": ["name"]}},
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message"],
                            "properties": {
                                "message": MESSAGE,
                                "kind": {"const": "fail"},
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "baselineState": {"enum": ["unchanged"]},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "suppressions": {
                                    "type": "array",
                                    "items": {
                                        "type": "object",
                                        "required": ["kind"],
                                        "properties": {"kind": {"enum": ["inSource", "external"]}},
                                    },
                                },
                                "locations": {
                                    "type": "array",
                                    "items": {"properties": {"physicalLocation": PLACE}},
                                },
                            },
                        },
                    },
                    "invocations": {
                        "type": "array",
                        "items": {"type": "object", "required": ["executionSuccessful"]},
                    },
                },
            },
        },
    },
}


def written(what: Report) -> Any:
    """The document, checked against the schema."""
    out = io.StringIO()
    sarif.write(what, out)
    document = json.loads(out.getvalue())
    jsonschema.validate(document, SCHEMA)
    return document


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_valid(file: str, message: str) -> None:
    run = written(report(finding(message=message, file=f"deploy/{file}")))["runs"][0]
    assert run["results"][0]["message"]["text"].endswith(message)


def test_waived_is_suppressed_and_known_is_unchanged() -> None:
    waived = Waived("sre", "why", "2026-12-31", "waivers.yaml")
    results = written(report(finding(waived=waived), finding("b", known=True)))["runs"][0][
        "results"
    ]
    assert results[0]["suppressions"][0]["justification"].startswith("sre until 2026-12-31: why")
    assert results[1]["baselineState"] == "unchanged"
    assert "suppressions" not in results[1]


def test_unassessed_is_a_notification_and_no_success() -> None:
    broken = Unassessed("a tab", Location("x.yaml", 3, 1))
    invocation = written(report(unassessed=(broken,)))["runs"][0]["invocations"][0]
    assert invocation["executionSuccessful"] is False
    note = invocation["toolExecutionNotifications"][0]
    assert note["message"]["text"] == "unassessed: a tab"
    assert note["locations"][0]["physicalLocation"]["region"]["startLine"] == 3


def test_rules_are_found_by_index_and_carry_a_score() -> None:
    run = written(report(finding()))["runs"][0]
    rule = run["tool"]["driver"]["rules"][run["results"][0]["ruleIndex"]]
    assert rule["id"] == "POD-001"
    assert rule["properties"]["security-severity"] == "9.5"
    assert "mitre-attack/T1611" in rule["properties"]["tags"]


def test_a_live_object_has_no_region() -> None:
    run = written(report(finding(line=0, file="cluster:prod")))["runs"][0]
    assert "region" not in run["results"][0]["locations"][0]["physicalLocation"]


def test_the_fingerprint_does_not_know_lines() -> None:
    prints = [
        written(report(finding(line=n)))["runs"][0]["results"][0]["partialFingerprints"]
        for n in (3, 300)
    ]
    assert prints[0] == prints[1]
