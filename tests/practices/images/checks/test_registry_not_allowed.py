"""IMG-006: one low finding for public registries without a list, high ones with it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.objects import TODAY, reading

from martello.catalogue.load import load
from martello.catalogue.scan import scan
from martello.core.finding import Scan

(CHECK,) = (check for check in load(cache=False) if check.id == "IMG-006")
POD = """
---
{apiVersion: v1, kind: Pod, metadata: {name: NAME}, spec: {containers: [
  {name: c, image: "IMAGE"}]}}
"""


def pods(*images: str) -> str:
    """A pod for each image."""
    return "".join(POD.replace("NAME", f"p{n}").replace("IMAGE", i) for n, i in enumerate(images))


def judged(text: str, **params: Any) -> Scan:
    """The scan of a text with the parameters of the check."""
    given = {"IMG-006": params} if params else None
    return scan(reading(text), [CHECK], today=TODAY, params=given)


def test_public_registries_without_a_list_are_one_low_finding_that_names_them() -> None:
    result = judged(pods("web:1", "quay.io/a/b:1", "docker.io/x/y", "reg.internal/z:1", "nginx"))
    (finding,) = result.findings
    assert finding.severity == "low"
    assert finding.ref.name == "p0"
    assert finding.message.count("a public registry") == 2
    assert "docker.io" in finding.message
    assert "quay.io" in finding.message
    assert finding.evidence == ("so do Pod/p1, Pod/p2, Pod/p4",)
    assert len(result.groups) == 1


@pytest.mark.parametrize(
    "params", [{"allowed": ["reg.internal"]}, {"repositories": ["reg.internal/z"]}]
)
def test_with_a_list_each_that_it_does_not_hold_is_high(params: dict[str, Any]) -> None:
    result = judged(pods("web:1", "quay.io/a/b:1", "reg.internal/z:1"), **params)
    assert [(f.ref.name, f.severity) for f in result.findings] == [("p0", "high"), ("p1", "high")]


def test_a_waiver_of_one_leaves_the_finding_of_the_others() -> None:
    annotation = (
        'metadata: {name: p0, annotations: {martello/waive: "IMG-006 until 2026-12-31: ok"}}'
    )
    text = pods("web:1", "web:2").replace("metadata: {name: p0}", annotation)
    findings = judged(text).findings
    assert sorted((f.ref.name, f.waived is None) for f in findings) == [("p0", False), ("p1", True)]


def test_what_is_no_reference_does_not_slip_past_the_list() -> None:
    text = pods("reg.internal/Web:1")
    assert [f.severity for f in judged(text, repositories=["reg.internal"]).findings] == ["high"]
    assert judged(text, allowed=["reg.internal"]).findings == ()


def test_pods_that_an_owner_made_are_not_named_beside_it() -> None:
    text = """
    {apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: web, uid: u1}, spec: {template: {
      spec: {containers: [{name: c, image: "web:1"}]}}}}
    ---
    {apiVersion: v1, kind: Pod, metadata: {name: web-1, ownerReferences: [
      {apiVersion: apps/v1, kind: ReplicaSet, name: web, uid: u1, controller: true}]},
      spec: {containers: [{name: c, image: "web:1"}]}}
    """
    (finding,) = judged(text).findings
    assert finding.evidence == ()
