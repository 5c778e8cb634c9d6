"""POD-047: objects that the API server's decoder or schema refuses."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.path import show
from martello.core.resource import Resource
from martello.core.schema import (
    MALFORMED,
    MISSING_REQUIRED,
    UNKNOWN_FIELD,
    Violation,
    violations,
)


@check(
    "POD-047",
    severity="medium",
    profile="strict",
    kinds=("*",),
    fix="Give the field the type and the name that the API has for it.",
    frameworks={"owasp-k8s": ("K01",)},
    aliases={"kube-linter": ("schema-validation",)},
    examples=(
        Example(
            good=True,
            text="""\
apiVersion: v1
kind: Pod
metadata: {name: fine, creationTimestamp: null}
spec: {hostPID: false, containers: [{name: c, image: x, resources: {limits: {cpu: 0.5}}}]}
""",
        ),
        Example(
            good=True,
            text="""\
apiVersion: example.com/v1
kind: Pod
metadata: {name: a-custom-kind}
spec: {anything: [1, two]}
""",
        ),
        Example(
            good=False,
            at="spec.containers[0].ImagePullPolicy",
            text="""\
apiVersion: v1
kind: Pod
metadata: {name: misspelled}
spec: {containers: [{name: c, image: x, ImagePullPolicy: Always}]}
""",
        ),
        Example(
            good=False,
            at="spec.containers[0].env[0].value",
            text="""\
apiVersion: v1
kind: Pod
metadata: {name: unquoted}
spec: {containers: [{name: c, image: x, env: [{name: DEBUG, value: true}]}]}
""",
        ),
        Example(
            good=False,
            at="spec",
            text="""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: no-selector}
spec: {template: {spec: {containers: [{name: c, image: x}]}}}
""",
        ),
    ),
)
def schema_violation(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Object does not fit its API

    A field of the wrong type is refused by the API server; a field that it does not know is
    dropped without a word unless the client asks for strict validation, and a misspelled
    security setting is then not set.
    """
    for violation in violations(resource.raw):
        yield Hit(resource, violation.path, _message(violation), show(violation.path))


def _message(violation: Violation) -> str:
    where = show(violation.path)
    if violation.kind == UNKNOWN_FIELD:
        meant = f"; {violation.expected} is probably meant" if violation.expected else ""
        return f"{where} is no field of this API{meant}"
    if violation.kind == MISSING_REQUIRED:
        return f"{where} is required"
    if violation.kind == MALFORMED:
        return f"{where} is no {violation.expected}"
    return f"{where} must be a {violation.expected}, not a {violation.found}"
