"""Small worlds with values replaced, taken away or doubled: what somebody may hand to a verb."""

from __future__ import annotations

import json
from copy import deepcopy
from random import Random
from typing import Any, Final

import yaml
from tests.support.mutations import VALUES, nodes, removed, replaced

_IDENTITY: Final = (("apiVersion",), ("kind",))
_ODD: Final[tuple[Any, ...]] = (
    *("0", "1e400", "9" * 40 + "Ei", "-1", "1e-9", "NaN", "inf", "100%", "1e18", "\x1b[31m"),
    *(0.1, float("inf"), float("nan"), 10**400, 2**63, -(10**30)),
    *({"": ""}, {"cpu": "0"}, {"cpu": "-1", "memory": "1e30"}, ["x", "x"]),
)
_NOT_SAMPLES: Final = ("NaN", "inf", "-1", "1e308", "", "x", "0", "1e-320", "9" * 30)
_BEGIN: Final = 1_700_000_000

_OBJECTS: Final = """
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: a}}}
---
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {zone: a}}
spec: {taints: [{key: a, effect: NoSchedule, value: b}]}
status:
  nodeInfo: {kubeletVersion: v1.30.1}
  capacity: {cpu: "4", memory: 8Gi, pods: "110", ephemeral-storage: 100Gi}
  allocatable: {cpu: 3800m, memory: 7Gi, pods: "110", ephemeral-storage: 90Gi}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      priorityClassName: high
      serviceAccountName: sa
      nodeSelector: {zone: a}
      tolerations: [{key: a, operator: Exists}]
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms: [{matchExpressions: [{key: x, operator: NotIn, values: [y]}]}]
      runtimeClassName: kata
      initContainers:
        - {name: i, image: a, restartPolicy: Always, resources: {requests: {cpu: 1, memory: 1Mi}}}
      containers:
        - name: c
          image: a
          env: [{name: GOMEMLIMIT, value: 64MiB}]
          command: [java, -Xmx64m]
          securityContext: {readOnlyRootFilesystem: true}
          volumeMounts: [{name: v, mountPath: /v}]
          resources:
            requests: {cpu: 100m, memory: 64Mi}
            limits: {cpu: 200m, memory: 64Mi, ephemeral-storage: 1Gi}
      volumes: [{name: v, emptyDir: {medium: Memory, sizeLimit: 1Gi}}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: web, namespace: shop}
spec:
  jobTemplate:
    spec:
      parallelism: 1
      completions: 1
      template: {spec: {containers: [{name: c, image: a, resources: {limits: {cpu: 10m}}}]}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: l, namespace: shop}
spec:
  limits:
    - type: Container
      default: {cpu: 1, memory: 1Gi}
      defaultRequest: {cpu: 500m}
      max: {cpu: 2}
      min: {memory: 1Mi}
      maxLimitRequestRatio: {cpu: 10}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: q, namespace: shop}
spec:
  hard: {pods: 10, requests.cpu: 4, limits.memory: 10Gi, count/jobs.batch: 3}
  scopes: [NotTerminating]
  scopeSelector: {matchExpressions: [{scopeName: PriorityClass, operator: In, values: [high]}]}
status:
  hard: {pods: 10, requests.cpu: 4, limits.memory: 10Gi}
  used: {pods: 3, requests.cpu: 1, limits.memory: 1Gi}
---
{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: high}, value: 1000}
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: kata}
handler: kata
overhead: {podFixed: {cpu: 10m, memory: 10Mi}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 1
  maxReplicas: 5
  metrics:
    - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}
---
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
metadata: {name: f}
spec:
  matchingPrecedence: 100
  priorityLevelConfiguration: {name: p}
  distinguisherMethod: {type: ByUser}
  rules:
    - subjects: [{kind: ServiceAccount, serviceAccount: {name: sa, namespace: shop}}]
      resourceRules: [{verbs: ["*"], apiGroups: ["*"], resources: ["*"], namespaces: ["*"]}]
---
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: PriorityLevelConfiguration
metadata: {name: p}
spec:
  type: Limited
  limited:
    nominalConcurrencyShares: 5
    limitResponse: {type: Queue, queuing: {queues: 8, handSize: 2, queueLengthLimit: 5}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: r, namespace: shop}
rules: [{apiGroups: ["", apps], resources: [pods, deployments, serviceaccounts], verbs: [create]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: r, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}
subjects: [{kind: ServiceAccount, name: sa, namespace: shop}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: p, namespace: shop}
spec: {storageClassName: x, resources: {requests: {storage: 1Gi}}}
"""
_POD: Final = """
apiVersion: v1
kind: Pod
metadata:
  name: db-0
  namespace: shop
  ownerReferences: [{kind: StatefulSet, name: db, apiVersion: apps/v1, controller: true, uid: u}]
spec:
  nodeName: n1
  priority: 5
  resources: {requests: {memory: 1Gi}}
  containers: [{name: c, image: a, resources: {limits: {memory: 1Gi}}}]
status: {phase: Running, startTime: "2024-01-01T00:00:00Z", qosClass: Burstable}
"""
_KUBELET: Final = """
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
podPidsLimit: 1024
systemReserved: {cpu: 100m, memory: 1Gi, pid: "100"}
evictionHard: {memory.available: 10%, pid.available: 10%, nodefs.available: 1Gi}
evictionSoft: {memory.available: 1Gi}
featureGates: {MemoryQoS: true}
reservedSystemCPUs: 0-1
memorySwap: {swapBehavior: NoSwap}
enforceNodeAllocatable: [pods]
"""


def world(rng: Random) -> str:
    """A list of objects, as JSON."""
    objects = list(yaml.safe_load_all(_OBJECTS))
    if rng.random() < 0.4:
        objects.append(yaml.safe_load(_POD))
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        at = rng.randrange(len(objects))
        kind = rng.random()
        if kind < 0.08 and len(objects) > 1:
            del objects[at]
        elif kind < 0.15:
            objects.append(deepcopy(objects[at]))
        else:
            objects[at] = _wrong(objects[at], rng)
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def kubelet(rng: Random) -> str:
    """A kubelet's configuration, as JSON."""
    raw = yaml.safe_load(_KUBELET)
    return json.dumps(_wrong(raw, rng) if rng.random() < 0.3 else raw)


def samples(rng: Random) -> str:
    """Two days and a half of two pods, as CSV; some rows are none."""
    step = rng.choice((60, 240))
    flat = rng.choice((0.0, 1.0, 5e7, 1e17))
    rows = ["time,namespace,pod,container,metric,value,workload"]
    for at in range(_BEGIN, _BEGIN + rng.choice((0, 60, 90_000, 216_000)), step):
        for metric, value in (("cpu", (at - _BEGIN) * 0.01), ("memory", flat)):
            for pod in ("web-a", "web-b"):
                time, seen = str(at), str(value)
                if rng.random() < 0.01:
                    time, seen = rng.choice((time, "x", "-1")), rng.choice(_NOT_SAMPLES)
                rows.append(f"{time},shop,{pod},c,{metric},{seen},deploy/web")
    return "\n".join(rows)


def _wrong(raw: dict[str, Any], rng: Random) -> dict[str, Any]:
    """A copy with one value that is another one, or gone."""
    places = [one for one in nodes(raw) if one not in _IDENTITY]
    if not places:
        return raw
    path = rng.choice(places)
    gone = rng.random() < 0.25
    made = removed(raw, path) if gone else replaced(raw, path, rng.choice((*VALUES, *_ODD)))
    assert isinstance(made, dict)
    return made
