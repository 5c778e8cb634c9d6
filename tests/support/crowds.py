"""Many objects of one kind beside each other, as hostile or large teams have them."""

from __future__ import annotations

from typing import Any, Final

Object = dict[str, Any]
_RBAC: Final = "rbac.authorization.k8s.io"


def _named(api: str, kind: str, name: str, namespace: str = "shop", **more: Any) -> Object:
    labels = {"app": name, "tier": "x"}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **more}


def _deployment(name: str, namespace: str = "shop") -> Object:
    container = {"name": "c", "image": "r.example.com/x:1", "ports": [{"containerPort": 80}]}
    labels = {"app": name, "tier": "x"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template}
    return _named("apps/v1", "Deployment", name, namespace, spec=spec)


def _policy(name: str, pods: Object, peer: Object, namespace: str = "shop") -> Object:
    port = {"port": "http"}
    spec = {
        "podSelector": pods,
        "ingress": [{"from": [peer], "ports": [port]}],
        "egress": [{"to": [peer], "ports": [port]}],
    }
    return _named("networking.k8s.io/v1", "NetworkPolicy", name, namespace, spec=spec)


def services(n: int) -> list[Object]:
    """Workloads, and Services that select one or all of them."""
    ports = [{"port": 80, "targetPort": "http"}]
    made = [_deployment(f"w{i}") for i in range(n)]
    for i in range(n):
        selector = {"app": f"w{i}"} if i % 2 else {"tier": "x"}
        made.append(_named("v1", "Service", f"w{i}", spec={"selector": selector, "ports": ports}))
        monitor = {"selector": {"matchLabels": {"app": f"w{i}"}}}
        made.append(_named("monitoring.coreos.com/v1", "ServiceMonitor", f"w{i}", spec=monitor))
    return made


def policies(n: int) -> list[Object]:
    """Workloads, and policies that select one or all of them."""
    made = [_deployment(f"w{i}") for i in range(n)]
    for i in range(n):
        pods = {"matchLabels": {"app": f"w{i}"}} if i % 2 else {}
        made.append(_policy(f"p{i}", pods, {"podSelector": {"matchLabels": {"app": f"w{i}"}}}))
    return made


def namespaces(n: int) -> list[Object]:
    """Namespaces, each with a policy that lets pods of all of them in."""
    made: list[Object] = []
    for i in range(n):
        space = f"s{i}"
        made.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}})
        made.append(_deployment(f"w{i}", space))
        peer = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": f"w{i}"}}}
        made.append(_policy("p", {}, peer, space))
    return made


def roles(n: int) -> list[Object]:
    """Roles, bound and aggregated, and one that has as many rules."""
    made: list[Object] = []
    secrets = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    for i in range(n):
        made.append(_named(f"{_RBAC}/v1", "ClusterRole", f"r{i}", "", rules=[secrets]))
        gathers = {"clusterRoleSelectors": [{"matchLabels": {"app": f"r{i}"}}]}
        made.append(_named(f"{_RBAC}/v1", "ClusterRole", f"a{i}", "", aggregationRule=gathers))
        reference = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": f"a{i}"}
        subjects = [{"kind": "ServiceAccount", "name": f"s{i}", "namespace": "shop"}]
        held: Object = {"roleRef": reference, "subjects": subjects}
        made.append(_named(f"{_RBAC}/v1", "RoleBinding", f"b{i}", **held))
        made.append(_named("v1", "ServiceAccount", f"s{i}"))
    many = [{**secrets, "resources": [f"x{i}", "secrets"]} for i in range(n)]
    made.append(_named(f"{_RBAC}/v1", "Role", "many", rules=many))
    return made


def budgets(n: int) -> list[Object]:
    """Workloads, each with a disruption budget and an autoscaler."""
    made: list[Object] = []
    for i in range(n):
        made.append(_deployment(f"w{i}"))
        spec: Object = {"minAvailable": 1, "selector": {"matchLabels": {"app": f"w{i}"}}}
        made.append(_named("policy/v1", "PodDisruptionBudget", f"w{i}", spec=spec))
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"w{i}"}
        spec = {"minReplicas": 2, "maxReplicas": 4, "scaleTargetRef": target}
        made.append(_named("autoscaling/v2", "HorizontalPodAutoscaler", f"w{i}", spec=spec))
    return made


def backends(n: int) -> list[Object]:
    """Ingresses of one host, each with a Service of its own."""
    made: list[Object] = []
    for i in range(n):
        backend = {"service": {"name": f"w{i}", "port": {"number": 80}}}
        path = {"path": f"/{i}", "pathType": "Prefix", "backend": backend}
        rule = {"host": "www.example.com", "http": {"paths": [path]}}
        made.append(_named("networking.k8s.io/v1", "Ingress", f"w{i}", spec={"rules": [rule]}))
        made.append(_named("v1", "Service", f"w{i}", spec={"ports": [{"port": 80}]}))
    return made


def containers(n: int) -> list[Object]:
    """One pod with many containers, each with a port, a variable and a mount."""
    made = [
        {
            "name": f"c{i}",
            "image": "r.example.com/x:1",
            "ports": [{"containerPort": i + 1, "name": f"p{i}"}],
            "env": [{"name": f"E{i}", "value": "v"}],
            "volumeMounts": [{"name": f"v{i % 5}", "mountPath": f"/{i}"}],
        }
        for i in range(n)
    ]
    volumes = [{"name": f"v{i}", "hostPath": {"path": f"/opt/{i}"}} for i in range(5)]
    return [_named("v1", "Pod", "wide", spec={"containers": made, "volumes": volumes})]


def sensors(n: int) -> list[Object]:
    """Nodes, and DaemonSets of which one is a sensor."""
    made: list[Object] = []
    taint = {"key": "x", "value": "y", "effect": "NoSchedule"}
    for i in range(n):
        made.append({**_deployment(f"w{i}"), "kind": "DaemonSet"})
        made.append(_named("v1", "Node", f"n{i}", "", spec={"taints": [taint]}))
    pod = made[0]["spec"]["template"]["spec"]
    pod["containers"][0]["image"] = "falcosecurity/falco:1"
    return made


CROWDS: Final = (
    backends,
    budgets,
    containers,
    namespaces,
    policies,
    roles,
    sensors,
    services,
)
