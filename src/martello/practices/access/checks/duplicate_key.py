"""POD-048: keys that are written twice in one mapping."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.path import show
from martello.core.resource import Resource


@check(
    "POD-048",
    severity="medium",
    kinds=("*",),
    fix="Keep one of the two entries.",
    frameworks={"owasp-k8s": ("K01",)},
    examples=(
        Example(
            good=True,
            text="""\
apiVersion: v1
kind: ConfigMap
metadata: {name: fine}
data: {a: x, b: x}
""",
        ),
        Example(
            good=True,
            text="""\
apiVersion: v1
kind: Pod
metadata: {name: same-key-elsewhere}
spec: {containers: [{name: c, image: x}, {name: d, image: x}]}
""",
        ),
        Example(
            good=False,
            at="spec.hostNetwork",
            text="""\
apiVersion: v1
kind: Pod
metadata: {name: twice}
spec:
  hostNetwork: false
  containers: [{name: c, image: x}]
  hostNetwork: true
""",
        ),
        Example(
            good=False,
            at="spec.containers[0].securityContext",
            text="""\
apiVersion: v1
kind: Pod
metadata: {name: two-contexts}
spec:
  containers:
    - name: c
      image: x
      securityContext: {runAsNonRoot: true}
      securityContext: {allowPrivilegeEscalation: false}
""",
        ),
    ),
)
def duplicate_key(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Key written twice

    The last entry wins and the first is dropped without a word, so what a reader sees at the
    top is not what runs. Tools differ in which one they take: the one that was reviewed may be
    the other.
    """
    for duplicate in resource.origin.duplicates():
        where = show(duplicate.path)
        message = f"{where} is written at {duplicate.first} and again at {duplicate.last}"
        yield Hit(resource, duplicate.path, f"{message}: the last one counts", where)
