"""Objects that an API server answers with otherwise than they were written: defaults, other
versions, canonical quantities, dropped fields, secrets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import yaml

# Values that must never leave the cluster in a bundle.
VALUES: Final = ("c3VwZXItc2VjcmV0LWRhdGE", "Gh7-very-secret-word", "Zx9-in-a-config-map")
# What a container lacks by itself is told, though a LimitRange nobody may read might fill it in.
UNFILLED: Final = frozenset({"RES-001", "RES-002", "RES-003", "RES-005"})

_TEXT: Final = """
{apiVersion: v1, kind: Namespace, metadata: {name: corner}}
---
# no namespace: kubectl puts it into `default`
apiVersion: apps/v1
kind: Deployment
metadata: {name: homeless}
spec:
  selector: {matchLabels: {app: homeless}}
  template:
    metadata: {labels: {app: homeless}}
    spec:
      containers: [{name: c, image: "registry.example.com/c:1"}]
---
# numbers and long forms of quantities, the deprecated account field, fields that are null or empty
apiVersion: apps/v1
kind: Deployment
metadata: {name: written, namespace: corner, annotations: null}
spec:
  replicas: 2
  selector: {matchLabels: {app: written}}
  strategy: {}
  template:
    metadata: {labels: {app: written}, creationTimestamp: null}
    spec:
      serviceAccount: app
      securityContext: {}
      initContainers: []
      containers:
        - name: c
          image: registry.example.com/c
          resources: {limits: {cpu: 2000m, memory: 0.5Gi}, requests: {cpu: 0.1, memory: 1024Ki}}
          securityContext: {capabilities: {}, privileged: null}
          livenessProbe: {httpGet: {port: 8080}}
          ports: [{containerPort: 8080, hostPort: 0}]
          env:
            - {name: DB_PASSWORD, value: Gh7-very-secret-word}
            - {name: EMPTY}
      volumes:
        - {name: made}
        - {name: keys, secret: {secretName: keys}}
---
# the pods are on the host's network: the server fills in every hostPort
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: host, namespace: corner}
spec:
  selector: {matchLabels: {app: host}}
  template:
    metadata: {labels: {app: host}}
    spec:
      hostNetwork: true
      containers:
        - {name: c, image: "registry.example.com/c:1", ports: [{containerPort: 9100}]}
---
# no replicas: the server writes 1
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: one, namespace: corner}
spec:
  serviceName: one
  selector: {matchLabels: {app: one}}
  template:
    metadata: {labels: {app: one}}
    spec: {containers: [{name: c, image: "registry.example.com/c:1"}]}
---
# no policyTypes: the server fills them in
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: out, namespace: corner}
spec:
  podSelector: {matchLabels: {app: written}}
  egress: [{to: [{podSelector: {}}], ports: [{port: 443}]}]
---
apiVersion: v1
kind: Service
metadata: {name: out, namespace: corner}
spec: {type: LoadBalancer, selector: {app: written}, ports: [{port: 443, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: nobody, namespace: corner}
spec: {type: ExternalName, externalName: example.com}
---
# a version that was removed since: the server answers in the one it likes best
apiVersion: networking.k8s.io/v1beta1
kind: Ingress
metadata: {name: old, namespace: corner}
spec:
  rules:
    - {host: old.example.com, http: {paths: [{backend: {serviceName: out, servicePort: 443}}]}}
---
apiVersion: batch/v1beta1
kind: CronJob
metadata: {name: nightly, namespace: corner}
spec:
  schedule: "@daily"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: c, image: "registry.example.com/c:1"}]
---
apiVersion: policy/v1beta1
kind: PodDisruptionBudget
metadata: {name: all, namespace: corner}
spec: {minAvailable: 100%, selector: {matchLabels: {app: written}}}
---
# subjects without apiGroup and namespace
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: people, namespace: corner}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}
subjects: [{kind: Group, name: "system:authenticated"}, {kind: User, name: jo}]
---
# a role of the server's own
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reads-authentication, namespace: kube-system}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: extension-apiserver-authentication-reader
subjects: [{kind: ServiceAccount, name: app, namespace: corner}]
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: app, namespace: corner}}
---
apiVersion: v1
kind: Secret
metadata:
  name: keys
  namespace: corner
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: '{"data":{"k":"c3VwZXItc2VjcmV0LWRhdGE"}}'
stringData: {k: Gh7-very-secret-word}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: corner}
data: {DATABASE_PASSWORD: Zx9-in-a-config-map, level: debug}
---
{apiVersion: v1, kind: LimitRange, metadata: {name: l, namespace: corner},
  spec: {limits: [{type: Container, default: {memory: 1Gi}}]}}
---
{apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: corner},
  spec: {hard: {pods: "10"}}}
"""


def corners() -> Iterator[dict[str, Any]]:
    """The objects, as they were written."""
    yield from yaml.safe_load_all(_TEXT)
