"""Attack paths in a large made cluster: facts, all footholds, classes of paths, the cheapest cut.

`python -m bench.paths [PODS NODES SUBJECTS]`; seconds are of CPU, memory is the peak.
"""

from __future__ import annotations

import resource as system
import sys
import time
from collections.abc import Iterator
from random import Random
from typing import Any

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.paths import Options, cut, facts, find

Raw = dict[str, Any]
RBAC = "rbac.authorization.k8s.io"
SPACES = 500
LIMIT_SECONDS, LIMIT_MEMORY = 25.0, 2048.0
RULES: tuple[Raw, ...] = (
    {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["db"]},
    {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["*"]},
    {"apiGroups": [RBAC], "resources": ["rolebindings"], "verbs": ["create"]},
    {"apiGroups": ["example.com"], "resources": ["things"], "verbs": ["*"]},
)


def made(pods: int, nodes: int, subjects: int, seed: int = 1) -> Iterator[Raw]:
    """The objects of a cluster of 500 namespaces: DaemonSets on every node, workloads, roles."""
    random = Random(seed)
    for number in range(nodes):
        labels = {"node-role.kubernetes.io/control-plane": ""} if number < 3 else {}
        yield _object("v1", "Node", f"node-{number}", labels=labels)
    for number in range(SPACES):
        level = random.choice(("restricted", "baseline", "privileged"))
        labels = {"pod-security.kubernetes.io/enforce": level} if number % 10 else {}
        yield _object("v1", "Namespace", f"ns-{number}", labels=labels)
        yield _object("v1", "Secret", "db", f"ns-{number}")
    accounts = [(f"ns-{n % SPACES}", f"account-{n}") for n in range(subjects)]
    for space, name in accounts:
        yield _object("v1", "ServiceAccount", name, space)
    yield from _pods(random, pods, nodes, accounts)
    yield from _grants(random, accounts)


def _pods(random: Random, pods: int, nodes: int, accounts: list[tuple[str, str]]) -> Iterator[Raw]:
    count = 0
    for agent in range(4):
        yield _owner("DaemonSet", f"agent-{agent}", "ns-0")
        spec: Raw = {"containers": [{"name": "main", "image": "agent"}]}
        if agent < 2:
            spec["containers"][0]["securityContext"] = {"privileged": True}
        for node in range(nodes):
            yield _pod(f"agent-{agent}-{node}", "ns-0", f"agent-{agent}", node, spec)
            count += 1
    workload = 0
    while count < pods:
        space, account = random.choice(accounts)
        name = f"app-{workload}"
        workload += 1
        yield _owner("ReplicaSet", name, space)
        spec = {"serviceAccountName": account, "containers": [{"name": "main", "image": "app"}]}
        if random.random() < 0.5:
            spec["automountServiceAccountToken"] = False
        for replica in range(min(random.randint(5, 60), pods - count)):
            yield _pod(f"{name}-{replica}", space, name, random.randrange(nodes), spec)
            count += 1


def _grants(random: Random, accounts: list[tuple[str, str]]) -> Iterator[Raw]:
    roles = 2000
    for number in range(roles):
        rules = random.sample(RULES, random.randint(1, 3))
        yield {**_object(f"{RBAC}/v1", "ClusterRole", f"role-{number}"), "rules": rules}
    everything = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    yield {**_object(f"{RBAC}/v1", "ClusterRole", "everything"), "rules": everything}
    for number in range(3 * len(accounts)):
        space, name = random.choice(accounts)
        where = space if random.random() < 0.8 else f"ns-{random.randrange(SPACES)}"
        yield _binding(
            "RoleBinding", f"b-{number}", where, f"role-{random.randrange(roles)}", space, name
        )
    for number in range(20):
        space, name = random.choice(accounts)
        yield _binding("ClusterRoleBinding", f"c-{number}", "", f"role-{number}", space, name)
    for number in range(3):
        space, name = random.choice(accounts)
        yield _binding("ClusterRoleBinding", f"admin-{number}", "", "everything", space, name)


def _binding(kind: str, name: str, where: str, role: str, space: str, account: str) -> Raw:
    subject = {"kind": "ServiceAccount", "name": account, "namespace": space}
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}
    found = _object(f"{RBAC}/v1", kind, name, where)
    return {**found, "subjects": [subject], "roleRef": reference}


def _object(version: str, kind: str, name: str, namespace: str = "", **metadata: Any) -> Raw:
    found: Raw = {"apiVersion": version, "kind": kind, "metadata": {"name": name, **metadata}}
    if namespace:
        found["metadata"]["namespace"] = namespace
    return found


def _owner(kind: str, name: str, space: str) -> Raw:
    template = {"spec": {"containers": [{"name": "main", "image": "app"}]}}
    found = _object("apps/v1", kind, name, space, uid=f"{space}/{name}")
    return {**found, "spec": {"template": template}}


def _pod(name: str, space: str, owner: str, node: int, spec: Raw) -> Raw:
    reference = {"kind": "ReplicaSet", "name": owner, "uid": f"{space}/{owner}", "controller": True}
    found = _object("v1", "Pod", name, space, ownerReferences=[reference])
    return {**found, "spec": {**spec, "nodeName": f"node-{node}"}}


def main() -> int:
    """Prints the figures; 1 where one misses its limit."""
    given = [int(word) for word in sys.argv[1:]] or [100_000, 5_000, 10_000]
    pods, nodes, subjects = given
    cluster = Cluster([resource_of(one, Nowhere()) for one in made(pods, nodes, subjects)])
    before = system.getrusage(system.RUSAGE_SELF).ru_maxrss / 1024
    marks = [time.process_time()]
    read = facts(cluster)
    marks.append(time.process_time())
    found = find(read, options=Options(limit=20))
    marks.append(time.process_time())
    closed = cut(read, options=Options(budget=20_000))
    marks.append(time.process_time())
    peak = system.getrusage(system.RUSAGE_SELF).ru_maxrss / 1024
    whole = marks[-1] - marks[0]
    program = read.program
    print(f"  paths: {pods:,} pods, {nodes:,} nodes, {subjects:,} subjects")
    print(f"    {len(program.names):,} propositions, {len(program.heads):,} rules")
    print(f"    facts {marks[1] - marks[0]:.1f} s, paths {marks[2] - marks[1]:.1f} s,", end=" ")
    print(f"cut {marks[3] - marks[2]:.1f} s; together {whole:.1f} s of {LIMIT_SECONDS:.0f}")
    print(f"    {len(found)} classes; cut of {len(closed.edits)}, gap {closed.gap}, ", end="")
    print(f"{len(closed.open)} open; peak {peak:.0f} MiB (objects {before:.0f})")
    return int(whole > LIMIT_SECONDS or peak > LIMIT_MEMORY)


if __name__ == "__main__":
    sys.exit(main())
