"""Random namespaces with LimitRanges and quotas, and the objects that are sent into them."""

from __future__ import annotations

import random
from typing import Any, Final

import msgspec

Raw = dict[str, Any]

CPU: Final = (
    "0",
    "1m",
    "100m",
    "250m",
    "0.5",
    "1",
    "1.5",
    1,
    0.1,
    "2",
    "+2",
    "1e-10",
    "3e-1",
    "7n",
)
MEMORY: Final = (
    *("0", "1", "64Mi", "128974848", "129M", "123Mi", "0.1Gi", "1Gi", "1.5Gi", "1e3", "12E2"),
    *(
        None,
        " 2Mi ",
        "1k",
        "5000000000",
        "500m",
        "2048Ki",
        "1.000000001",
        ".5",
        "4096",
        4096,
        "1Ti",
    ),
)
STORAGE: Final = ("0", "1Mi", "10Mi", "1Gi", "2G", "1.1", "1536Ki")
WHOLE: Final = ("0", "1", "2", "3", 4)
VALUES: Final[dict[str, tuple[Any, ...]]] = {
    "cpu": CPU,
    "memory": MEMORY,
    "ephemeral-storage": STORAGE,
}
EXTENDED: Final = "example.com/gpu"
HUGE: Final = "hugepages-2Mi"
CLASSES: Final = ("high", "low", "never")
NAMESPACED: Final = {
    "Pod": "pods",
    "Service": "services",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "LimitRange": "limitranges",
    "ResourceQuota": "resourcequotas",
    "Deployment": "deployments",
    "ReplicaSet": "replicasets",
}


class Step(msgspec.Struct):
    """One thing that is sent: `create` an object, make `pods` of a Deployment, or change one."""

    do: str  # create, pods, update, finish
    raw: Raw
    count: int = 1


class World(msgspec.Struct):
    """One namespace: what bounds it, and what is sent into it."""

    namespace: str
    ranges: list[Raw]
    quotas: list[Raw]
    steps: list[Step]


def thing(kind: str, name: str, space: str, spec: Raw | None, **more: Any) -> Raw:
    """An object of the core group, or of apps."""
    version = "apps/v1" if kind in ("Deployment", "ReplicaSet") else "v1"
    raw: Raw = {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": space}}
    if spec is not None:
        raw["spec"] = spec
    return {**raw, **more}


def world(seed: int, namespace: str) -> World:
    """The world of a seed."""
    choice = random.Random(seed)
    amount = choice.choice((0, 1, 1, 1, 2, 2, 3))
    ranges = [
        thing("LimitRange", f"limits-{i}", namespace, {"limits": _items(choice)})
        for i in range(amount)
    ]
    quotas = [
        thing("ResourceQuota", f"quota-{i}", namespace, _quota(choice))
        for i in range(choice.choice((0, 1, 1, 2, 3)))
    ]
    steps = [_step(choice, namespace, i) for i in range(choice.randint(5, 9))]
    return World(namespace, ranges, quotas, steps)


def _some(choice: random.Random, odds: float, *, odd: float = 0.04) -> Raw:
    found = {name: choice.choice(VALUES[name]) for name in VALUES if choice.random() < odds}
    if "ephemeral-storage" in found and choice.random() < 0.6:
        del found["ephemeral-storage"]
    if choice.random() < odd:
        found[
            choice.choice(
                (EXTENDED, HUGE, "gpu", "storage", "a b", "x/y/z", "/x", "kubernetes.io/a")
            )
        ] = choice.choice(("1", "2", "4Mi", "1500m", "-1"))
    return found


def _items(choice: random.Random) -> list[Raw]:
    kinds = choice.sample(
        ("Container", "Pod", "PersistentVolumeClaim"), choice.choice((1, 1, 2, 3))
    )
    if choice.random() < 0.05:
        kinds.append(kinds[0])
    if choice.random() < 0.03:
        kinds.append(choice.choice(("Node", "example.com/Thing")))
    return [_item(choice, kind) for kind in kinds]


def _item(choice: random.Random, kind: str) -> Raw:
    item: Raw = {"type": kind}
    if kind == "PersistentVolumeClaim":
        for side in ("min", "max"):
            if choice.random() < 0.7:
                item[side] = {"storage": choice.choice(("1", "1Mi", "1Gi", "5G"))}
        return item
    if choice.random() < 0.25:  # whatever may be
        sides = ("default", "defaultRequest", "min", "max", "maxLimitRequestRatio")
        for side in sides:
            if choice.random() < 0.4:
                item[side] = _some(choice, 0.5)
        return item
    for name, values in (
        ("cpu", ("10m", "100m", "250m", "0.5", "1", "2")),
        ("memory", ("1Ki", "64Mi", "123Mi", "0.5Gi", "1Gi", "3G")),
        ("ephemeral-storage", ("1Mi", "1Gi")),
    ):
        if choice.random() < 0.35:
            continue
        low, middle, high = sorted(choice.choices(range(len(values)), k=3))
        ends = [("min", low), ("max", high)]
        if kind == "Container":
            ends += [("defaultRequest", low), ("default", middle)]
        for side, index in ends:
            if choice.random() < (0.3 if side in ("min", "max") else 0.5):
                item.setdefault(side, {})[name] = values[index]
        if choice.random() < 0.1:
            ratio = choice.choice(("1", "1.5", "2", "3", "10"))
            item.setdefault("maxLimitRequestRatio", {})[name] = ratio
    return item


_HARD: Final[dict[str, tuple[Any, ...]]] = {
    "cpu": ("1", "2", "2500m", "4"),
    "memory": ("256Mi", "1Gi", "3e9", "2Gi"),
    "requests.cpu": ("1", "2", "3"),
    "requests.memory": ("300M", "1Gi", "4Gi"),
    "limits.cpu": ("1", "2", "5"),
    "limits.memory": ("512Mi", "2Gi", "1Ti"),
    "ephemeral-storage": ("1Gi", "3Gi"),
    "limits.ephemeral-storage": ("2Gi", "3G"),
    "pods": ("1", "2", "3", "5"),
    "count/pods": ("2", "3", "5"),
    "services": ("1", "2"),
    "services.nodeports": ("1", "2", "3"),
    "services.loadbalancers": ("0", "1"),
    "count/services": ("1", "3"),
    "persistentvolumeclaims": ("1", "2"),
    "requests.storage": ("1Gi", "3G"),
    "fast.storageclass.storage.k8s.io/requests.storage": ("1Gi",),
    "fast.storageclass.storage.k8s.io/persistentvolumeclaims": ("1",),
    "count/configmaps": ("1", "2"),
    "configmaps": ("1", "2"),
    "secrets": ("1",),
    "count/deployments.apps": ("1",),
    "count/replicasets.apps": ("1", "2"),
    f"requests.{EXTENDED}": ("1", "3"),
    HUGE: ("4Mi",),
}
_PLAIN: Final = ("Terminating", "NotTerminating", "BestEffort", "NotBestEffort")


def _quota(choice: random.Random) -> Raw:
    wild = choice.random() < 0.08
    scoped = choice.random()
    keys = list(_HARD)
    spec: Raw = {}
    if scoped < 0.2:
        spec["scopes"] = choice.sample(_PLAIN, 2 if choice.random() < 0.3 else 1)
        keys = ["pods"] if "BestEffort" in spec["scopes"] else [*keys[:6], "pods"]
    elif scoped < 0.4:
        spec["scopeSelector"] = {"matchExpressions": [_expression(choice, wild=wild)]}
        keys = [*keys[:6], "pods"]
        if spec["scopeSelector"]["matchExpressions"][0]["scopeName"] == "BestEffort":
            keys = ["pods"]
    if wild:
        keys = [
            *_HARD,
            "storage",
            "gpu",
            "requests.example.com/gpu",
            "limits.example.com/gpu",
            "x/y/z",
        ]
        chosen = choice.sample(keys, 3)
        spec["hard"] = {
            key: choice.choice((*_HARD.get(key, ("1",)), "-1", "1.5")) for key in chosen
        }
        return spec
    chosen = choice.sample(keys, min(len(keys), choice.choice((1, 2, 3, 5))))
    spec["hard"] = {key: choice.choice(_HARD[key]) for key in chosen}
    return spec


def _expression(choice: random.Random, *, wild: bool) -> Raw:
    if wild:
        return {
            "scopeName": choice.choice((*_PLAIN, "PriorityClass", "Mine")),
            "operator": choice.choice(("In", "NotIn", "Exists", "DoesNotExist", "Near")),
            "values": choice.choice(([], ["high"])),
        }
    if choice.random() < 0.3:
        return {"scopeName": choice.choice(_PLAIN), "operator": "Exists"}
    operator = choice.choice(("In", "In", "NotIn", "Exists", "DoesNotExist"))
    found: Raw = {"scopeName": "PriorityClass", "operator": operator}
    if operator in ("In", "NotIn"):
        found["values"] = choice.sample(CLASSES, choice.randint(1, 2))
    return found


def _step(choice: random.Random, space: str, index: int) -> Step:
    dice = choice.random()
    if dice < 0.62:
        return Step("create", pod(choice, space, f"pod-{index}"))
    if dice < 0.72:
        return Step("pods", _deployment(choice, space, f"web-{index}"), choice.randint(1, 4))
    if dice < 0.8:
        return Step("create", _service(choice, space, f"svc-{index}"))
    if dice < 0.87:
        return Step("create", _claim(choice, space, f"claim-{index}"))
    if dice < 0.92:
        kind = choice.choice(("ConfigMap", "Secret"))
        return Step("create", thing(kind, f"other-{index}", space, None))
    return Step(choice.choice(("update", "finish")), {}, choice.randint(0, 9))


def _resources(choice: random.Random) -> Raw:
    found: Raw = {}
    style = choice.random()
    if style < 0.1:
        return found
    names = [
        name for name in VALUES if choice.random() < (0.85 if name != "ephemeral-storage" else 0.15)
    ]
    for name in names:
        values = VALUES[name]
        one, two = choice.choice(values), choice.choice(values)
        if choice.random() < 0.75:
            found.setdefault("limits", {})[name] = one
        if choice.random() < 0.5:
            found.setdefault("requests", {})[name] = one if choice.random() < 0.4 else two
    if choice.random() < 0.05:
        found.setdefault("limits", {})[EXTENDED] = choice.choice(WHOLE)
    if choice.random() < 0.05:
        for side in ("requests", "limits"):
            found.setdefault(side, {}).update(_some(choice, 0.1, odd=0.6))
    if choice.random() < 0.01:
        found.setdefault("requests", {})["cpu"] = choice.choice(("1 Gi", "", "-", "1ee3", "-5"))
    return found


def _containers(choice: random.Random, prefix: str, least: int, most: int) -> list[Raw]:
    return [
        {"name": f"{prefix}{i}", "image": "web:1", "resources": _resources(choice)}
        for i in range(choice.choice((least, choice.randint(least, most))))
    ]


def pod_spec(choice: random.Random) -> Raw:
    """A random pod spec with one to four containers."""
    spec: Raw = {"containers": _containers(choice, "c", 1, 4)}
    init = _containers(choice, "i", 0, 2)
    if init:
        spec["initContainers"] = init
    if choice.random() < 0.15:
        spec["activeDeadlineSeconds"] = 60
    if choice.random() < 0.35:
        spec["priorityClassName"] = choice.choice((*CLASSES, "system-node-critical", "lost"))
    if choice.random() < 0.03:
        spec["priority"] = choice.choice((0, 7, 1000))
    if choice.random() < 0.12:
        spec["runtimeClassName"] = choice.choice(("heavy", "heavy", "plain", "lost"))
    if choice.random() < 0.03:
        spec["overhead"] = {"cpu": choice.choice(("250m", "1"))}
    return spec


def pod(choice: random.Random, space: str, name: str) -> Raw:
    """A random pod."""
    return thing("Pod", name, space, pod_spec(choice))


def _deployment(choice: random.Random, space: str, name: str) -> Raw:
    labels = {"app": name}
    spec = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod_spec(choice)},
    }
    # A template may have no deadline.
    spec["template"]["spec"].pop("activeDeadlineSeconds", None)
    return thing("Deployment", name, space, spec)


def _service(choice: random.Random, space: str, name: str) -> Raw:
    ports = [{"name": f"p{i}", "port": 80 + i} for i in range(choice.randint(1, 3))]
    kind = choice.choice(("ClusterIP", "NodePort", "LoadBalancer"))
    return thing("Service", name, space, {"type": kind, "ports": ports})


def _claim(choice: random.Random, space: str, name: str) -> Raw:
    spec: Raw = {"accessModes": ["ReadWriteOnce"]}
    if choice.random() < 0.95:
        spec["resources"] = {"requests": {"storage": choice.choice(STORAGE)}}
    if choice.random() < 0.5:
        spec["storageClassName"] = choice.choice(("fast", "slow"))
    return thing("PersistentVolumeClaim", name, space, spec)
