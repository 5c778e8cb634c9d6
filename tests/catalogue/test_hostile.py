"""Any JSON value at any path: no check crashes, and what cannot be read never passes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.objects import judged, reading

from martello.catalogue.edits import edited
from martello.catalogue.load import load
from martello.core.path import Path, show
from martello.core.schema import unreadable

SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
CHECKS = load()
TEXT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app: web}, annotations: {a: b}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {seccomp.security.alpha.kubernetes.io/pod: x}}
    spec:
      hostNetwork: false
      serviceAccountName: web
      securityContext: {runAsNonRoot: true, sysctls: [{name: a, value: b}], seLinuxOptions: {}}
      initContainers: [{name: i, image: "x:1", restartPolicy: Always}]
      containers:
        - name: web
          image: registry.example.com/web:1.2.3
          args: [--port=80]
          env: [{name: A, value: b}, {name: B, valueFrom: {secretKeyRef: {name: s, key: k}}}]
          ports: [{containerPort: 8080, hostPort: 0, protocol: TCP}]
          resources: {limits: {memory: 1Gi}, requests: {cpu: 100m}}
          livenessProbe: {httpGet: {path: /, port: 8080, host: ""}}
          lifecycle: {preStop: {exec: {command: [x]}}}
          securityContext: {capabilities: {add: [CHOWN], drop: [ALL]}, privileged: false}
          volumeMounts: [{name: v, mountPath: /v, readOnly: true}]
      volumes: [{name: v, hostPath: {path: /var/log}}, {name: w, secret: {secretName: s}}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}], externalIPs: [1.2.3.4]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress, Egress]
  ingress: [{from: [{podSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]}]
  egress: [{ports: [{protocol: UDP, port: 53}]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: r, labels: {a: b}}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}
rules: [{apiGroups: [""], resources: [secrets], verbs: [get], resourceNames: [x]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: b}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r}
subjects: [{kind: ServiceAccount, name: web, namespace: shop}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: b, namespace: shop}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: q, namespace: shop}
spec: {hard: {limits.memory: 4Gi, pods: "10"}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i, namespace: shop}
spec:
  tls: [{hosts: [a.example.com]}]
  rules:
    - host: a.example.com
      http: {paths: [{path: /, backend: {service: {name: web, port: {number: 80}}}}]}
"""


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every path of an object."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield (*path, key)
        yield from paths(item, (*path, key))


OBJECTS = [r.raw for r in reading(TEXT).resources]
PLACES = [(index, path) for index, raw in enumerate(OBJECTS) for path in paths(raw)]
KEPT = {("apiVersion",), ("kind",)}
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(
        ["*", "", "0", "-1", "10.0.0.0/33", "ALL", "nginx@sha256:x", "\x00", "\ud83d"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "a", "path", "matchLabels", ""]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@SETTINGS
@given(st.sampled_from(PLACES), VALUES)
def test_any_value_at_any_path(place: tuple[int, Path], value: Any) -> None:
    index, path = place
    if path in KEPT:
        return
    objects = list(OBJECTS)
    objects[index] = edited(objects[index], (), [{"set": show(path), "value": value}])
    text = "\n---\n".join(json.dumps(o) for o in objects)
    result = judged(text, *CHECKS, ids=(), profile="all")
    internal = [u.reason for u in result.unassessed if u.reason.startswith("internal")]
    assert internal == []
    read = reading(text)
    wrong = [r for r in read.resources for _ in unreadable(r.raw)]
    if wrong or read.unassessed:
        assert any(u.asked for u in result.unassessed)
