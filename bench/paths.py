"""Attack paths in a large made cluster: facts, all footholds, classes of paths, the cheapest cut.

`python -m bench.paths [PODS NODES SUBJECTS]`; seconds are of CPU, memory is the peak of the process
with the objects. What all footholds reach is compared with one fixpoint for each of them, the plain
way, measured on some.
"""

from __future__ import annotations

import gc
import resource as system
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import Any

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.paths import Options, cut, facts, find
from martello.paths.facts import Facts
from martello.paths.find import GOALS, footholds_of
from martello.paths.horn import closure, relevant
from martello.paths.reach import reach

Raw = dict[str, Any]
RBAC = "rbac.authorization.k8s.io"
SPACES = 500
SECONDS = 25.0  # of CPU for facts and classes of paths, and as many for the cut
MEMORY = 2048  # MiB
LEAST = 100  # times faster than a fixpoint for each foothold
SAMPLE = 20  # footholds of which the plain way is measured
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
    pods, nodes, subjects = [int(word) for word in sys.argv[1:]] or [100_000, 5_000, 10_000]
    cluster = Cluster([resource_of(one, Nowhere()) for one in made(pods, nodes, subjects)])
    objects = _peak()
    gc.disable()  # as the commands do
    marks = [time.process_time()]
    read = facts(cluster)
    marks.append(time.process_time())
    found = find(read, options=Options(limit=20))
    marks.append(time.process_time())
    closed = cut(read)
    marks.append(time.process_time())
    peak = _peak()
    begun, all_at_once, plain = _reached(read)
    ratio = plain * begun / all_at_once
    seconds = [after - before for before, after in pairwise(marks)]
    program = read.program
    print(f"  paths: {pods:,} pods, {nodes:,} nodes, {subjects:,} subjects")
    print(f"    {len(program.names):,} propositions, {len(program.heads):,} rules", end="")
    print(f", {begun:,} footholds")
    print(f"    facts                    {seconds[0]:8.2f} s CPU")
    print(f"    paths                    {seconds[1]:8.2f} s CPU   {len(found)} classes")
    print(
        f"    cheapest cut             {seconds[2]:8.2f} s CPU   {len(closed.edits):,} edits,",
        end="",
    )
    print(f" cost {closed.cost:,}, gap {closed.gap}, {len(closed.open)} goals open")
    print(f"    memory                   {peak:8.0f} MiB     objects alone {objects:.0f}")
    print(f"    reach of all footholds   {all_at_once:8.2f} s CPU")
    print(f"    one fixpoint each        {plain:8.3f} s CPU a foothold   {ratio:,.0f} x")
    kept = seconds[0] + seconds[1] <= SECONDS and seconds[2] <= SECONDS and peak <= MEMORY
    kept = kept and ratio >= LEAST and closed.optimal and bool(found)
    said = f"{SECONDS:.0f} s for paths, {SECONDS:.0f} s for a cut without gap, {MEMORY} MiB"
    print(f"    within {said}, {LEAST} x: {'kept' if kept else 'missed'}\n")
    return int(not kept)


def _reached(read: Facts) -> tuple[int, float, float]:
    """How many footholds there are, seconds for what all of them reach, and for one as it is
    defined; the answers are compared.
    """
    program = read.program
    starts = [n for one in footholds_of(read) if (n := program.find(one)) is not None]
    ends = [n for one in GOALS if (n := program.find(one)) is not None]
    rules = relevant(program, ends, closure(program, starts))
    before = time.process_time()
    who = reach(program, starts, rules)
    between = time.process_time()
    picked = Random(1).sample(range(len(starts)), min(SAMPLE, len(starts)))
    known = [closure(program, [starts[bit]], rules=rules) for bit in picked]
    after = time.process_time()
    for bit, one in zip(picked, known, strict=True):
        assert all(bool(who[end] >> bit & 1) is bool(one[end]) for end in ends)
    return len(starts), between - before, (after - between) / len(picked)


def _peak() -> float:
    return system.getrusage(system.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
