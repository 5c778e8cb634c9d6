"""Random small worlds: few of each thing, with grants of which many lead somewhere."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Final

from tests.support.paths.guarded import RIGHTS, guards
from tests.support.paths.server import ENFORCE, RBAC, Raw, Who, account, person
from tests.support.paths.things import CONTROL, EVERYTHING, PLAIN, PRIVILEGED, thing, token_secret

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.gate.pods import policies, security
from martello.paths.edge import Edge
from martello.paths.facts import Facts, facts
from martello.paths.model import Inputs, Proposition

MINORS: Final = (25, 30, 34, 36)
_BASELINE: Final[Raw] = {"name": "main", "image": "registry.example/app:1"}
_CSR: Final = "certificatesigningrequests"
# verbs, group, resources, names that may be given
_RIGHTS: Final = (
    ("create", "", "pods", ""),
    ("create", "apps", "deployments", ""),
    ("patch", "apps", "deployments", "web"),
    ("update", "batch", "jobs", "job"),
    ("patch", "", "pods", "one two"),
    ("update", "", "pods/ephemeralcontainers", "one two"),
    ("create", "", "pods/exec", "one"),
    ("get", "", "pods/exec", "two"),
    ("create", "", "pods/attach", "one"),
    ("get", "", "secrets", "db token"),
    ("list", "", "secrets", "db"),
    ("create", "", "secrets", ""),
    ("patch", "", "secrets", "token"),
    ("get create", "", "secrets", ""),
    ("create", "", "serviceaccounts/token", "sa default ghost"),
    ("create", "", "serviceaccounts", ""),
    ("impersonate", "", "serviceaccounts", "sa ghost"),
    ("impersonate", "", "users", "alice bob"),
    ("impersonate", "", "groups", "dev"),
    ("impersonate", "", "groups users", ""),
    ("impersonate", "", "groups users", "dev alice"),
    ("create", RBAC, "rolebindings", ""),
    ("create", RBAC, "clusterrolebindings", ""),
    ("create patch", RBAC, "rolebindings clusterrolebindings", ""),
    ("patch", RBAC, "rolebindings", "bind-0 bind-1"),
    ("update", RBAC, "clusterrolebindings", "bind-0 bind-1"),
    ("bind", RBAC, "clusterroles roles", "role-0 role-1"),
    ("bind", RBAC, "clusterroles", "cluster-admin role-1"),
    ("bind", RBAC, "roles", ""),
    ("escalate update", RBAC, "roles clusterroles", "role-0 role-1"),
    ("escalate create", RBAC, "roles clusterroles", ""),
    ("update", RBAC, "clusterroles roles", "role-0 role-1"),
    ("create", "certificates.k8s.io", _CSR, ""),
    ("update", "certificates.k8s.io", f"{_CSR}/approval", ""),
    ("approve", "certificates.k8s.io", "signers", "kubernetes.io/*"),
    ("approve", "certificates.k8s.io", "signers", "kubernetes.io/kube-apiserver-client"),
    ("approve", "certificates.k8s.io", "signers", "kubernetes.io/kube-apiserver-client-kubelet"),
    ("get", "", "nodes/proxy", "n1 n2"),
    ("patch", "", "namespaces", "a b"),
    ("get", "", "configmaps", ""),
)
# Rights that serve together only: a world often has all of a row, with one or several people.
_TOGETHER: Final = ((11, 9), (13,), (19,), (18, 17), (21, 26), (22, 27), (23, 26), (32, 33, 34))
_ALSO: Final = (
    *((32, 33, 35), (32, 33, 36), (32, 33, 36), (32, 33, 36), (15, 0), (15, 0), (15, 14)),
    *((15, 14), (21, 28), (29,), (30, 21, 28), (38, 0)),
)


class Small:
    """A world as objects, with its things by name. `guarded`: with policies and exemptions, too."""

    def __init__(self, seed: str, *, guarded: bool = False) -> None:
        self.random = random = Random(seed)
        self.minor = random.choice(MINORS)
        self.spaces = ["a", "b"][: random.choice((1, 2, 2))]
        self.nodes = ["n1", "n2"]
        self.objects: list[Raw] = []
        for space in self.spaces:
            self._namespace(space)
        for name in self.nodes:
            labels = {CONTROL: ""} if name == "n2" and random.random() < 0.5 else {}
            made = thing("Node", name)
            made["metadata"]["labels"] = labels
            self.objects.append(made)
        admin = thing("ClusterRole", "cluster-admin", "", f"{RBAC}/v1", rules=EVERYTHING)
        self.objects.append(admin)
        self._grants()
        if guarded:
            self._guard()

    def _guard(self) -> None:
        """Policies, and people who may make pods or take policies off."""
        self.objects += guards(self.random, self.spaces)
        for number in range(self.random.randint(1, 2)):
            chosen = self.random.sample(RIGHTS, self.random.randint(1, 3))
            rules = [
                {"verbs": [*verbs], "apiGroups": [group], "resources": [resource]}
                for verbs, group, resource in chosen
            ]
            self._role(7 + number, rules)

    def _namespace(self, space: str) -> None:
        random, objects = self.random, self.objects
        made = thing("Namespace", space)
        enforced = random.choice(("", "privileged", "baseline", "restricted", "restricted"))
        made["metadata"]["labels"] = {ENFORCE: enforced} if enforced else {}
        objects.append(made)
        accounts = ["default", *(["sa"] if random.random() < 0.8 else [])]
        objects.extend(thing("ServiceAccount", name, space) for name in accounts)
        secrets = []
        if random.random() < 0.7:
            objects.append(thing("Secret", "db", space, type="Opaque"))
            secrets.append("db")
        if random.random() < 0.4:
            objects.append(token_secret(space, "token", random.choice(accounts)))
        for name in ("one", "two")[: random.randint(0, 2)]:
            container = random.choice((PLAIN, PLAIN, _BASELINE, PRIVILEGED))
            spec: Raw = {
                "serviceAccountName": random.choice(accounts),
                "nodeName": random.choice(self.nodes),
                "containers": [container],
            }
            if secrets and random.random() < 0.4:
                mount = {"name": "v", "mountPath": "/v"}
                spec["volumes"] = [{"name": "v", "secret": {"secretName": "db"}}]
                spec["containers"] = [{**container, "volumeMounts": [mount]}]
            if random.random() < 0.3:
                spec["automountServiceAccountToken"] = False
            if random.random() < 0.2:
                spec["hostUsers"] = False
            objects.append(thing("Pod", name, space, spec=spec))
        for kind, name, api in (("Deployment", "web", "apps/v1"), ("Job", "job", "batch/v1")):
            if random.random() < 0.3:
                spec = {"serviceAccountName": "default", "containers": [PLAIN], "nodeName": "n1"}
                template = {"replicas": 0, "template": {"spec": spec}}
                objects.append(thing(kind, name, space, api, spec=template))

    def _grants(self) -> None:
        random = self.random
        chosen = list(random.choice(_TOGETHER + _ALSO)) if random.random() < 0.7 else []
        chosen += [random.randrange(len(_RIGHTS)) for _ in range(random.randint(1, 4))]
        random.shuffle(chosen)
        parts = [[] for _ in range(random.randint(1, 3))]  # type: list[list[int]]
        for one in chosen:
            random.choice(parts).append(one)
        for number, rights in enumerate(parts):
            self._role(number, [self._rule(one) for one in rights])

    def _rule(self, number: int) -> Raw:
        verbs, group, resources, names = _RIGHTS[number]
        rule: Raw = {
            "verbs": verbs.split(),
            "apiGroups": [group],
            "resources": resources.split(),
        }
        if names and (self.random.random() < 0.4 or "signers" in resources):
            chosen = names.split()
            rule["resourceNames"] = self.random.sample(chosen, self.random.randint(1, len(chosen)))
        return rule

    def _role(self, number: int, rules: list[Raw]) -> None:
        random, api = self.random, f"{RBAC}/v1"
        space = random.choice((*self.spaces, "", ""))
        kind = random.choice(("Role", "ClusterRole")) if space else "ClusterRole"
        home = space if kind == "Role" else ""
        self.objects.append(thing(kind, f"role-{number}", home, api, rules=rules))
        reference = {"apiGroup": RBAC, "kind": kind, "name": f"role-{number}"}
        subjects = [self._subject() for _ in range(random.choice((1, 1, 2)))]
        binding = "RoleBinding" if space else "ClusterRoleBinding"
        name = f"bind-{number}"
        self.objects.append(thing(binding, name, space, api, roleRef=reference, subjects=subjects))

    def _subject(self) -> Raw:
        random = self.random
        if random.random() < 0.25:
            name = random.choice(("dev", "system:serviceaccounts:a", "system:nodes"))
            return {"kind": "Group", "name": name, "apiGroup": RBAC}
        if random.random() < 0.4:
            return {"kind": "User", "name": random.choice(("alice", "bob")), "apiGroup": RBAC}
        name = random.choice(("default", "sa", "sa", "ghost"))
        return {"kind": "ServiceAccount", "namespace": random.choice(self.spaces), "name": name}

    def cluster(self) -> Cluster:
        """The world as Martello reads it."""
        found = [resource_of(one, Nowhere()) for one in self.objects]
        return Cluster(found, kubernetes=self.minor, complete=True)

    def facts(self, edges: Iterable[Edge] | None = None) -> Facts:
        """The world as the engine reads it, its guards judged."""
        cluster = self.cluster()
        inputs = Inputs(security=security(cluster)[0], policies=policies(cluster))
        return facts(cluster, inputs, edges=edges)

    def footholds(self) -> dict[Proposition, Who | None]:
        """Everybody whom an attacker may begin as; None stands for the pod of that name."""
        found: dict[Proposition, Who | None] = {
            ("user", "alice"): person("alice"),
            ("user", "bob"): person("bob"),
            ("group", "dev"): person("somebody else", "dev"),
        }
        for one in self.objects:
            name, space = one["metadata"]["name"], one["metadata"].get("namespace", "")
            if one["kind"] == "Pod":
                found[("pods-of", f"{space}/{name}")] = None
            elif one["kind"] == "ServiceAccount":
                found[("account", space, name)] = account(space, name)
        return found
