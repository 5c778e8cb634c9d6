"""The minimal world in which an edge is tried, made of an example of an edge file."""

from __future__ import annotations

from typing import Any

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.paths.facts import Facts, facts
from martello.paths.horn import closure
from martello.paths.model import Fact, Inputs, Proposition, Starving, Weakness
from martello.paths.network import Network

Raw = dict[str, Any]
RBAC = "rbac.authorization.k8s.io"
ATTACKER: Proposition = ("account", "shop", "attacker")
START = "shop/start"


def made(kind: str, name: str, namespace: str = "", version: str = "v1", **fields: Any) -> Raw:
    """An object."""
    metadata: Raw = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    metadata.update(fields.pop("metadata", {}))
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


def rule(text: str) -> Raw:
    """A rule of RBAC: `get,list secrets named a,b`, `create deployments.apps,jobs.batch/status`."""
    verbs, what = text.split(" ", 1)
    what, _, names = what.partition(" named ")
    groups: list[str] = []
    resources: list[str] = []
    for one in what.split(","):
        head, slash, sub = one.partition("/")
        name, _, group = head.partition(".")
        groups.append(group)
        resources.append(f"{name}{slash}{sub}")
    found: Raw = {
        "verbs": verbs.split(","),
        "apiGroups": list(dict.fromkeys(groups)),
        "resources": list(dict.fromkeys(resources)),
    }
    if names:
        found["resourceNames"] = names.split(",")
    return found


def subject(who: Proposition) -> Raw:
    """A subject of a binding."""
    if who[0] == "account":
        return {"kind": "ServiceAccount", "namespace": who[1], "name": who[2]}
    return {"kind": who[0].capitalize(), "name": who[1], "apiGroup": RBAC}


def bound(
    role: str, rules: list[Raw], who: Proposition, namespace: str = "", wide: bool | None = None
) -> list[Raw]:
    """A role and the binding that gives it to somebody: of a namespace, or cluster-wide."""
    local = bool(namespace)
    kind = "Role" if local and not wide else "ClusterRole"
    space = namespace if kind == "Role" else ""
    v1 = f"{RBAC}/v1"
    return [
        made(kind, role, space, v1, rules=rules),
        made(
            "RoleBinding" if local else "ClusterRoleBinding",
            role,
            namespace,
            v1,
            roleRef={"apiGroup": RBAC, "kind": kind, "name": role},
            subjects=[subject(who)],
        ),
    ]


def pod(name: str, spec: Raw | None = None, namespace: str = "shop", **fields: Any) -> Raw:
    """A pod on the node `worker`."""
    filled = {"containers": [{"name": "main", "image": "x"}], "nodeName": "worker", **(spec or {})}
    return made("Pod", name, namespace, spec=filled, **fields)


def _templates() -> list[Raw]:
    template = {"spec": {"containers": [{"name": "main", "image": "x"}]}}
    found = [
        made(kind, name, "shop", version, spec={"template": template})
        for kind, name, version in (
            ("Deployment", "web", "apps/v1"),
            ("DaemonSet", "agent", "apps/v1"),
            ("StatefulSet", "store", "apps/v1"),
            ("ReplicaSet", "set", "apps/v1"),
            ("ReplicationController", "old", "v1"),
            ("Job", "job", "batch/v1"),
        )
    ]
    spec = {"jobTemplate": {"spec": {"template": template}}, "schedule": "0 0 * * *"}
    return [*found, made("CronJob", "cron", "shop", "batch/v1", spec=spec)]


def base(labels: Raw | None = None, node: Raw | None = None) -> list[Raw]:
    """What is in every minimal world."""
    strong: Proposition = ("account", "shop", "strong")
    read = [rule("get configmaps")]
    return [
        made("Namespace", "shop", metadata={"labels": labels or {}}),
        made("Namespace", "kube-system"),
        made("Node", "worker", **(node or {})),
        made("ServiceAccount", "attacker", "shop"),
        made("ServiceAccount", "strong", "shop"),
        made("Secret", "db", "shop", type="Opaque"),
        made(
            "Secret",
            "strong-token",
            "shop",
            type="kubernetes.io/service-account-token",
            metadata={"annotations": {"kubernetes.io/service-account.name": "strong"}},
        ),
        made("ConfigMap", "aws-auth", "kube-system"),
        made("AzurePodIdentityException", "exception", "kube-system", "aadpodidentity.k8s.io/v1"),
        pod("web", {"serviceAccountName": "strong"}),
        pod("far", {"serviceAccountName": "strong", "nodeName": "second"}),
        *_templates(),
        *bound("strong", read, strong, "shop"),
        *bound("strong", read, ("user", "boss")),
        *bound("dev", read, ("group", "dev"), "shop"),
        *bound("strong-here", read, strong, "shop", wide=True),
    ]


def world(example: Raw) -> tuple[Cluster, Inputs, list[Proposition]]:
    """The cluster of an example, what is known besides, and the footholds."""
    node: Raw = {"metadata": {"labels": {}}}
    if example.get("control"):
        node["metadata"]["labels"]["node-role.kubernetes.io/control-plane"] = ""
    if "provider" in example:
        node["spec"] = {"providerID": example["provider"]}
    objects = base(example.get("labels"), node)
    for key, space in (("grant", "shop"), ("wide", ""), ("system", "kube-system")):
        if key in example:
            rules = [one if isinstance(one, dict) else rule(one) for one in example[key]]
            objects += bound(f"given-{key}", rules, ATTACKER, space)
    footholds = [ATTACKER]
    if "pod" in example:
        spec = {"serviceAccountName": "attacker", **example["pod"]}
        objects.append(pod("start", spec, metadata={"labels": {"app": "start"}}))
        footholds = [("pods-of", START)]
    if "node" in example:
        footholds.append(("node", example["node"]))
    if "phantom" in example:
        who = ("account", "shop", example["phantom"])
        objects += bound("ghost", [rule("get configmaps")], who, "shop")
    if "kind" in example:
        kind, _, group = example["kind"].partition(".")
        objects.append(made(kind, "one", "shop", f"{group}/v1"))
    if "cloud" in example:
        role = {"eks.amazonaws.com/role-arn": example["cloud"]}
        objects = [one for one in objects if one["metadata"]["name"] != "attacker"]
        objects.append(made("ServiceAccount", "attacker", "shop", metadata={"annotations": role}))
    if example.get("exposed"):
        footholds = [("internet",)]
        service = {
            "type": "LoadBalancer",
            "selector": {"app": "start"},
            "ports": [{"port": 80, "targetPort": 80}],
        }
        objects.append(made("Service", "start", "shop", spec=service))
    if example.get("egress") is False:
        closed = {"podSelector": {}, "policyTypes": ["Egress"], "egress": []}
        objects.append(made("NetworkPolicy", "closed", "shop", "networking.k8s.io/v1", spec=closed))
    objects += example.get("objects", ())
    cluster = Cluster(
        [resource_of(one, Nowhere()) for one in objects],
        kubernetes=example.get("kubernetes", 34),
        complete=True,
    )
    return cluster, _inputs(example, cluster), footholds


def _inputs(example: Raw, cluster: Cluster) -> Inputs:
    inputs = Inputs(cgroups=example.get("cgroup", 2))
    if "escape" in example:
        inputs = msgspec.structs.replace(inputs, escapes={"worker": "an old kernel"})
    if "weak" in example:
        weak = (Weakness("x", example["weak"]),)
        inputs = msgspec.structs.replace(inputs, weaknesses=weak)
    if "starves" in example:
        fact = Fact(example["starves"])
        inputs = msgspec.structs.replace(
            inputs, starving=(Starving(("Pod", "shop", "start"), "shop", fact),)
        )
    if "exposed" in example or "provider" in example:
        network = Network(cluster)
        inputs = msgspec.structs.replace(
            inputs, exposed=network.exposed(), metadata=network.metadata()
        )
    return inputs


def tried(example: Raw) -> tuple[Facts, dict[str, set[Proposition]]]:
    """The facts of an example, and what each edge gives there: edge → propositions."""
    cluster, inputs, footholds = world(example)
    found = facts(cluster, inputs)
    return found, fired(found, footholds)


def fired(found: Facts, footholds: list[Proposition]) -> dict[str, set[Proposition]]:
    """The edges whose conditions hold for somebody with these footholds, and what they give."""
    program = found.program
    known = closure(program, [program.id(one) for one in footholds])
    gives: dict[str, set[Proposition]] = {}
    for head, body, label in zip(program.heads, program.bodies, program.labels, strict=True):
        if all(known[one] for one in body):
            gives.setdefault(label.edge, set()).add(program.names[head])
    return gives
