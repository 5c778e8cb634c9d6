"""Objects in any number, the same for the same seed: what a cluster of a few teams looks like."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

Object = dict[str, Any]


def objects(count: int, seed: int = 1) -> Iterator[Object]:
    """`count` objects that an API server from 1.20 on takes: namespaces first, ten workloads in
    each.
    """
    random = Random(seed)
    made = 0
    number = 0
    while made < count:
        for made_object in _team(f"team-{number}", random):
            if made == count:
                return
            made += 1
            yield made_object
        number += 1


def _team(namespace: str, random: Random) -> Iterator[Object]:
    yield _object("v1", "Namespace", "", namespace, labels=_level(random))
    if random.random() < 0.5:
        spec = {"podSelector": {}, "policyTypes": ["Ingress"]}
        yield _object("networking.k8s.io/v1", "NetworkPolicy", namespace, "deny", spec=spec)
    yield from _rights(namespace, random)
    for number in range(10):
        name = f"app-{number}"
        kind = random.choice(("Deployment", "Deployment", "StatefulSet", "DaemonSet", "Job"))
        yield _workload(kind, namespace, name, random)
        if kind != "Job":
            yield _service(namespace, name, random)
        if random.random() < 0.6:
            data = {"settings.ini": f"level = {random.choice(('debug', 'info'))}\nname = {name}\n"}
            yield {**_object("v1", "ConfigMap", namespace, name), "data": data}
        if random.random() < 0.2:
            yield _ingress(namespace, name, random)


def _object(api: str, kind: str, namespace: str, name: str, **more: Any) -> Object:
    metadata: Object = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if labels := more.pop("labels", None):
        metadata["labels"] = labels
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **more}


def _level(random: Random) -> dict[str, str]:
    level = random.choice(("", "baseline", "restricted"))
    return {"pod-security.kubernetes.io/enforce": level} if level else {}


def _rights(namespace: str, random: Random) -> Iterator[Object]:
    yield _object("v1", "ServiceAccount", namespace, "app")
    rules = [
        {
            "apiGroups": [""],
            "resources": random.choice((["pods"], ["secrets"], ["configmaps", "pods"], ["*"])),
            "verbs": random.choice((["get"], ["get", "list", "watch"], ["*"])),
        }
    ]
    rbac = "rbac.authorization.k8s.io"
    yield _object(f"{rbac}/v1", "Role", namespace, "app", rules=rules)
    yield _object(
        f"{rbac}/v1",
        "RoleBinding",
        namespace,
        "app",
        subjects=[{"kind": "ServiceAccount", "name": "app", "namespace": namespace}],
        roleRef={"apiGroup": rbac, "kind": "Role", "name": "app"},
    )


def _workload(kind: str, namespace: str, name: str, random: Random) -> Object:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": _pod(name, random)}
    if kind == "Job":
        template["spec"]["restartPolicy"] = "Never"
        return _object("batch/v1", "Job", namespace, name, spec={"template": template})
    spec: Object = {"selector": {"matchLabels": labels}, "template": template}
    if kind != "DaemonSet":
        spec["replicas"] = random.randint(1, 3)
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return _object("apps/v1", kind, namespace, name, spec=spec)


def _pod(name: str, random: Random) -> Object:
    pod: Object = {
        "containers": [
            _container(f"c{n}", random, 8080 + n) for n in range(random.choice((1, 1, 2)))
        ]
    }
    if random.random() < 0.3:
        pod["initContainers"] = [_container("init", random, 8090)]
    if random.random() < 0.5:
        pod["serviceAccountName"] = "app"
    if random.random() < 0.1:
        pod["hostNetwork"] = True
    if random.random() < 0.4:
        pod["securityContext"] = {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
    if random.random() < 0.2:
        pod["volumes"] = [
            {"name": "host", "hostPath": {"path": random.choice(("/var/log", "/etc"))}}
        ]
        pod["containers"][0]["volumeMounts"] = [{"name": "host", "mountPath": "/host"}]
    return pod


def _container(name: str, random: Random, port: int) -> Object:
    tag = random.choice(("latest", "1.2.3", "2026.11"))
    container: Object = {"name": name, "image": f"registry.example.com/{name}:{tag}"}
    if random.random() < 0.6:
        container["resources"] = {
            "requests": {"cpu": "100m", "memory": "64Mi"},
            "limits": {"memory": random.choice(("64Mi", "128Mi", "1Gi"))},
        }
    if random.random() < 0.5:
        container["securityContext"] = {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    elif random.random() < 0.1:
        container["securityContext"] = {"privileged": True}
    if random.random() < 0.7:
        container["ports"] = [{"containerPort": port}]
    if random.random() < 0.3:
        container["env"] = [{"name": "LEVEL", "value": "info"}]
    return container


def _service(namespace: str, name: str, random: Random) -> Object:
    spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]}
    if random.random() < 0.1:
        spec["type"] = "NodePort"
    return _object("v1", "Service", namespace, name, spec=spec)


def _ingress(namespace: str, name: str, random: Random) -> Object:
    host = f"{name}.{namespace}.example.com"
    backend = {"service": {"name": name, "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    spec: Object = {"rules": [{"host": host, "http": {"paths": [path]}}]}
    if random.random() < 0.5:
        spec["tls"] = [{"hosts": [host], "secretName": f"{name}-tls"}]
    return _object("networking.k8s.io/v1", "Ingress", namespace, name, spec=spec)
