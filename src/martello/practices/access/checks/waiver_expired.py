"""POD-090: waivers that have run out, as objects and as annotations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.resource import Resource
from martello.core.waiver import KIND, inline_of, waiver_of


@check(
    "POD-090",
    severity="medium",
    kinds=("*",),
    facts=("today",),
    fix="Mend what was waived and delete the waiver, or let its owner set a new date.",
    frameworks={"nsa-cisa": ("pod-security",), "owasp-k8s": ("K04",)},
    examples=(
        Example(
            good=True,
            text="""\
apiVersion: martello.dev/v1alpha1
kind: Waiver
metadata: {name: still-good}
spec: {checks: [POD-006], reason: reads logs, owner: sre@example.com, until: 2026-07-01}
""",
        ),
        Example(
            good=True,
            text="""\
apiVersion: v1
kind: Pod
metadata:
  name: a
  annotations: {martello/waive: "POD-006 until 2026-12-31: reads logs"}
spec: {containers: [{name: c, image: x}]}
""",
        ),
        Example(
            good=False,
            at="spec.until",
            text="""\
apiVersion: martello.dev/v1alpha1
kind: Waiver
metadata: {name: forgotten}
spec: {checks: [POD-006], reason: reads logs, owner: sre@example.com, until: 2026-06-30}
""",
        ),
        Example(
            good=False,
            at='metadata.annotations["martello/waive"]',
            message="POD-006 ran out on 2025-12-31",
            text="""\
apiVersion: v1
kind: Pod
metadata:
  name: a
  annotations: {martello/waive: "POD-006 until 2025-12-31: reads logs"}
spec: {containers: [{name: c, image: x}]}
""",
        ),
    ),
)
def waiver_expired(
    resource: Resource, cluster: Cluster, *, facts: Mapping[str, Any]
) -> Iterator[Hit]:
    """Waiver that has run out

    A waiver is a promise to look again by a date. This one is past: it hides nothing any more, and
    whoever owns it has either forgotten the risk or has mended it and left the paper behind.
    """
    today = facts["today"].isoformat()
    if resource.ref.group_kind == KIND:
        try:
            waiver = waiver_of(resource)
        except BadInput:
            return  # a scan reports it as unassessed
        if waiver.until < today:
            message = f"the waiver of {waiver.owner} for {', '.join(waiver.checks)} ran out on"
            yield Hit(resource, ("spec", "until"), f"{message} {waiver.until}")
    for entry in inline_of(resource):
        if not isinstance(entry, BadInput) and entry.until < today:
            message = f"the waiver for {', '.join(entry.checks)} ran out on {entry.until}"
            yield Hit(resource, entry.path, message)
