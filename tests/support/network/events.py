"""What happens to a cluster: random events for increments, and large clusters to measure with."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Final, NamedTuple

from tests.support.network.objects import Object, namespace, pod, policy
from tests.support.network.random_cluster import ANY, LABELS, SPACES, Making, Shape, pod_addresses

Key = tuple[str, str, str]  # kind, namespace, name
_APPS: Final = 10  # workloads of a namespace of a large cluster
POLICIES: Final = (
    "NetworkPolicy",
    "ClusterNetworkPolicy",
    "AdminNetworkPolicy",
    "BaselineAdminNetworkPolicy",
)


class Event(NamedTuple):
    """One change: the objects as they are now, those that are gone, and the whole state after."""

    name: str
    changed: list[Object]
    removed: list[Object]
    state: list[Object]


def key_of(one: Object) -> Key:
    """What tells an object from every other."""
    return one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]


def random_events(
    seed: int, objects: list[Object], count: int, shape: Shape = ANY
) -> Iterator[Event]:
    """Events on a random cluster, each from the state that the one before left."""
    random = Random(seed)
    making = Making(random, shape)
    making.spaces = sorted(
        {one["metadata"]["namespace"] for one in objects if one["kind"] == "Pod"}
    )
    state = {key_of(one): one for one in objects}
    doing = (
        (6, _write_policy),
        (4, _delete_policy),
        (3, _relabel_pod),
        (4, _new_pod),
        (3, _delete_pod),
        (3, _relabel_namespace),
        (1, _forget_namespace),
        (1, _end_pod),
    )
    weights, functions = zip(*doing, strict=True)
    for number in range(count):
        does = random.choices(functions, weights)[0]
        changed, removed = does(making, state, number)
        for one in removed:
            del state[key_of(one)]
        state.update((key_of(one), one) for one in changed)
        yield Event(does.__name__.strip("_"), changed, removed, list(state.values()))


Done = tuple[list[Object], list[Object]]
State = dict[Key, Object]


def _of(state: State, *kinds: str) -> list[Object]:
    return [one for key, one in state.items() if key[0] in kinds]


def _write_policy(making: Making, state: State, number: int) -> Done:
    """A new policy, or another content under an old name."""
    fresh = making.policies()
    if not fresh:
        return [], []
    one = making.random.choice(fresh)
    if not making.maybe(0.5) and one["metadata"]["name"] != "default":
        one["metadata"]["name"] += f"-{number}"
    return [one], []


def _delete_policy(making: Making, state: State, number: int) -> Done:
    here = _of(state, *POLICIES)
    return [], [making.random.choice(here)] if here else []


def _relabel_pod(making: Making, state: State, number: int) -> Done:
    one = deepcopy(making.random.choice(_of(state, "Pod")))
    one["metadata"]["labels"] = making.labels({**LABELS, f"new{number % 3}": ("1", "2")})
    return [one], []


def _new_pod(making: Making, state: State, number: int) -> Done:
    at = making.random.randrange(len(making.spaces))
    one = making.pod(at, 0)
    one["metadata"]["name"] = f"e{number}"
    ips = pod_addresses(16 + number // 200, number % 200)  # no address twice
    if one["status"].get("podIPs") and not one["spec"].get("hostNetwork"):
        one["status"] |= {"podIP": ips[0], "podIPs": [{"ip": ip} for ip in ips]}
    return [one], []


def _delete_pod(making: Making, state: State, number: int) -> Done:
    pods = _of(state, "Pod")
    return [], [making.random.choice(pods)] if len(pods) > 2 else []


def _end_pod(making: Making, state: State, number: int) -> Done:
    pods = _of(state, "Pod")
    if len(pods) < 3:
        return [], []
    one = deepcopy(making.random.choice(pods))
    one["status"]["phase"] = "Succeeded"
    return [one], []


def _relabel_namespace(making: Making, state: State, number: int) -> Done:
    name = making.random.choice(making.spaces)
    return [namespace(name, making.labels(SPACES))], []


def _forget_namespace(making: Making, state: State, number: int) -> Done:
    here = _of(state, "Namespace") if making.shape.missing_namespaces else []
    return [], [making.random.choice(here)] if here else []


def big_cluster(pods: int, namespaces: int, policies: int, seed: int = 1) -> list[Object]:
    """A cluster as companies run them: apps of several pods, policies for one app each, a default
    deny in every other namespace. Pods differ in `pod-template-hash`, which no policy uses.
    """
    random = Random(seed)
    made = [
        namespace(f"ns{n}", {"team": f"t{n % 20}", "env": ("dev", "test", "prod")[n % 3]})
        for n in range(namespaces)
    ]
    for n in range(pods):
        space, app = n % namespaces, (n // namespaces) % _APPS
        labels = {
            "app": f"app{app}",
            "tier": ("front", "back", "data")[app % 3],
            "pod-template-hash": f"{n:x}",
        }
        ip = f"10.{64 + (n >> 16)}.{n >> 8 & 255}.{n & 255}"
        ports = [{"name": "http", "containerPort": 8000 + app, "protocol": "TCP"}]
        made.append(pod(f"ns{space}", f"app{app}-{n}", labels, [ip], ports, f"node-{n % 100}"))
    made += [_big_policy(random, n, namespaces) for n in range(policies)]
    return made


def _big_policy(random: Random, number: int, namespaces: int) -> Object:
    space = f"ns{number % namespaces}"
    if number < namespaces and number % 2:
        spec: Object = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
        return policy("networking.k8s.io/v1", "NetworkPolicy", "default-deny", spec, space)

    def app() -> Object:
        return {"matchLabels": {"app": f"app{random.randrange(_APPS)}"}}

    peers: list[Object] = [
        {"podSelector": app()},
        {"podSelector": app(), "namespaceSelector": _team(random)},
        {"namespaceSelector": {"matchExpressions": [_operator(random)]}},
        {"ipBlock": {"cidr": f"192.168.{random.randrange(256)}.0/24"}},
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "169.254.169.254/32"]}},
    ]
    ports: list[Object] = [
        {"port": "http"},
        {"port": 8000 + random.randrange(_APPS)},
        {"port": 8000, "endPort": 8000 + random.randrange(1, _APPS)},
        {"port": 53, "protocol": "UDP"},
    ]
    spec = {"podSelector": app(), "policyTypes": ["Ingress"]}
    spec["ingress"] = [
        {"from": random.sample(peers, 2), "ports": random.sample(ports, random.randint(1, 2))}
        for _ in range(random.randint(1, 2))
    ]
    if random.random() < 0.5:
        spec["policyTypes"] = ["Ingress", "Egress"]
        spec["egress"] = [{"to": random.sample(peers, 2), "ports": random.sample(ports, 2)}]
    return policy("networking.k8s.io/v1", "NetworkPolicy", f"np{number}", spec, space)


def _team(random: Random) -> Object:
    return {"matchLabels": {"team": f"t{random.randrange(20)}"}}


def _operator(random: Random) -> Object:
    return {"key": "env", "operator": random.choice(("In", "NotIn")), "values": ["prod", "test"]}
