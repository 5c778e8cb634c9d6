"""An attacker on the simulated API server: what he holds, and everything that he can try.

All that is tried only adds (objects, subjects, rules, credentials) or takes guards off, and neither
RBAC nor what guards are left refuses for that. So what can be done stays possible, in whatever
order: trying everything until nothing is new is the exhaustive search.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from itertools import chain, product

from tests.support.paths.guarded import armed, harmless
from tests.support.paths.server import (
    BINDINGS,
    ENFORCE,
    OWNER,
    RBAC,
    TOKEN_TYPE,
    Key,
    Raw,
    Request,
    Server,
    Who,
    account,
    applies,
    node,
    person,
    secrets_of,
)
from tests.support.paths.things import (
    APIS,
    CONTROL,
    CREATED,
    EVERYTHING,
    PLAIN,
    PRIVILEGED,
    bound_accounts,
    certificate,
    certified,
    debugged,
    every_account,
    imaged,
    named,
    specs,
    subject_of,
    thing,
    token_secret,
)


class Attacker:
    """What somebody holds: credentials, pods he runs code in, nodes, secrets that he has read."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.whos: dict[Who, None] = {}
        self.pods: set[Key] = set()
        self.nodes: set[str] = set()
        self.secrets: set[Key] = set()
        self.admin = False
        self.filled = 0  # roles into which all rules were written

    @property
    def size(self) -> tuple[int, ...]:
        """Grows with whatever is gained or changed."""
        rules = sum(len(o.get("subjects") or o.get("rules") or ()) for o in self.server.of_rbac())
        spaces = [o["metadata"].get("labels") for o in self.server.of("Namespace")]
        server = self.server
        held = (self.whos, self.pods, self.nodes, self.secrets, armed(server), server.objects)
        return (
            *map(len, held),
            self.filled,
            rules,
            sum(not one or one[ENFORCE] == "privileged" for one in spaces),
        )

    def hold(self, who: Who) -> None:
        """Gains a credential."""
        self.whos.setdefault(who)
        if "system:masters" in who.groups:
            self.admin = True

    def run(self, pod: Raw, also: Iterable[str] = ()) -> None:
        """Gains code in a pod: its token, its secrets, and its node where nothing is between."""
        space, spec = pod["metadata"]["namespace"], pod["spec"]
        key = ("Pod", space, pod["metadata"]["name"])
        if key in self.pods:
            return
        self.pods.add(key)
        if spec.get("automountServiceAccountToken") is not False:
            self.hold(account(space, spec["serviceAccountName"]))
        for name in chain(secrets_of(pod), also):
            self.read(space, name)
        self._escape(pod)

    def _escape(self, pod: Raw) -> None:
        spec = pod["spec"]
        every = [*spec["containers"], *spec.get("ephemeralContainers", ())]
        if (spec.get("hostUsers") is not False or self.server.minor < 30) and any(
            (one.get("securityContext") or {}).get("privileged") for one in every
        ):
            self.take(spec["nodeName"])

    def read(self, space: str, name: str) -> None:
        """Reads a secret that is there, and has the token in it."""
        secret = self.server.objects.get(("Secret", space, name))
        if secret is None:
            return
        self.secrets.add(("Secret", space, name))
        if secret["type"] == TOKEN_TYPE:
            self.hold(account(space, secret["metadata"]["annotations"][OWNER]))

    def take(self, name: str) -> None:
        """Gains a node: its identity, and the pods on it."""
        if name in self.nodes:
            return
        self.nodes.add(name)
        self.hold(node(name))
        found = self.server.objects.get(("Node", "", name))
        if found is not None and CONTROL in found["metadata"].get("labels", {}):
            self.hold(person("kubernetes-admin", "system:masters"))
        for pod in self.server.of("Pod"):
            if pod["spec"]["nodeName"] == name:
                self.run(pod)

    # Search ------------------------------------------------------------------------------------

    def search(self) -> None:
        """Everything that can be gained."""
        before: object = None
        while before != self.size and not self.admin:
            before = self.size
            for who in list(self.whos):
                self.attempt(who)
            if before == self.size:
                self.fill()

    def _ask(self, *words: object) -> object:
        return self.server.request(Request(*words))  # type: ignore[arg-type]

    def attempt(self, who: Who) -> None:
        """Everything that one credential can do now."""
        server = self.server
        if self.admin:
            return
        if server.allowed(Request(who, "*", "*.*", "", "")) and any(
            rule["verbs"] == rule["resources"] == ["*"] and not rule.get("resourceNames")
            for rule in server.rules_for(who, "")
        ):
            self.admin = True
            return
        for namespace in server.of("Namespace"):
            space = namespace["metadata"]["name"]
            self._levels(who, namespace)
            self._accounts(who, space)
            self._make(who, space)
            self._enter(who, space)
            self._secrets(who, space)
            self._roles(who, space)
        self._roles(who, "")
        self._proxy(who)
        self._impersonate(who)
        self._certificates(who)
        for verb, resource, name, body in harmless(server):
            self._ask(who, verb, resource, "", name, body)

    def _levels(self, who: Who, namespace: Raw) -> None:
        name = namespace["metadata"]["name"]
        labels = namespace["metadata"].get("labels", {})
        if labels.get(ENFORCE, "privileged") == "privileged":
            return
        body = copy.deepcopy(namespace)
        body["metadata"]["labels"][ENFORCE] = "privileged"
        for verb in ("update", "patch"):
            if self._ask(who, verb, "namespaces", name, name, body):
                return

    def _accounts(self, who: Who, space: str) -> None:
        server = self.server
        for name in bound_accounts(server, space):
            if ("ServiceAccount", space, name) not in server.objects:
                body = thing("ServiceAccount", name, space)
                self._ask(who, "create", "serviceaccounts", space, "", body)
        for one in server.of("ServiceAccount", space):
            name = one["metadata"]["name"]
            if self._ask(who, "create", "serviceaccounts/token", space, name):
                self.hold(account(space, name))

    def _make(self, who: Who, space: str) -> None:
        """Pods as any account, with any secret, on any node; by themselves or by workloads."""
        server = self.server
        every = [o["metadata"]["name"] for o in server.of("Secret", space)]
        for resource in CREATED:
            if server.allowed(Request(who, "create", resource, space)):
                for spec in specs(server, space):
                    self._one_pod(who, resource, space, spec)
        for kind in ("Deployment", "Job"):
            for one in server.of(kind, space):
                self._change(who, one, every)

    def _one_pod(self, who: Who, resource: str, space: str, spec: Raw) -> None:
        server = self.server
        name = f"made-{len(server.objects)}"
        kind = {"pods": "Pod", "deployments.apps": "Deployment", "jobs.batch": "Job"}[resource]
        body = thing(kind, name, space, APIS[kind], spec=spec)
        if kind != "Pod":
            body["spec"] = {"template": {"spec": spec}}
        made = server.copy()
        if made.request(Request(who, "create", resource, space, "", body)):
            pod = made.objects.get(("Pod", space, name if kind == "Pod" else f"{name}-made"))
            if pod is not None:
                self._use(pod)

    def _use(self, pod: Raw) -> None:
        """Has what a pod of one's own gives. The pod itself is not kept: it grants nothing."""
        space, spec = pod["metadata"]["namespace"], pod["spec"]
        self.hold(account(space, spec["serviceAccountName"]))
        for name in secrets_of(pod):
            self.read(space, name)
        self._escape(pod)

    def _change(self, who: Who, workload: Raw, every: Sequence[str]) -> None:
        server = self.server
        space, name = workload["metadata"]["namespace"], workload["metadata"]["name"]
        resource = "deployments.apps" if workload["kind"] == "Deployment" else "jobs.batch"
        for verb in ("update", "patch"):
            if not server.allowed(Request(who, verb, resource, space, name)):
                continue
            for spec in specs(server, space):
                made = server.copy()
                body = {**workload, "spec": {**workload["spec"], "template": {"spec": spec}}}
                if made.request(Request(who, verb, resource, space, name, body)):
                    pod = made.objects.get(("Pod", space, f"{name}-made"))
                    if (
                        pod is not None
                        and pod["spec"]["serviceAccountName"] == (spec["serviceAccountName"])
                    ):
                        self._use(pod)
            return

    def _enter(self, who: Who, space: str) -> None:
        server = self.server
        for pod in server.of("Pod", space):
            name = pod["metadata"]["name"]
            for verb, sub in product(("create", "get"), ("exec", "attach")):
                if self._ask(who, verb, f"pods/{sub}", space, name):
                    self.run(pod)
            for verb in ("update", "patch"):
                if server.copy().request(Request(who, verb, "pods", space, name, imaged(pod))):
                    self.run(pod)
                for container in (PLAIN, PRIVILEGED):
                    body = debugged(pod, container)
                    asked = Request(who, verb, "pods/ephemeralcontainers", space, name, body)
                    if server.copy().request(asked):
                        self.run(pod)
                        self._escape(body)

    def _secrets(self, who: Who, space: str) -> None:
        server = self.server
        for one in server.of("ServiceAccount", space):
            name = one["metadata"]["name"]
            body = token_secret(space, f"token-{name}", name)
            if ("Secret", space, f"token-{name}") not in server.objects:
                self._ask(who, "create", "secrets", space, "", body)
            for there in server.of("Secret", space):
                if there["type"] == TOKEN_TYPE and there["metadata"]["annotations"][OWNER] != name:
                    self._refill(who, there, name)
        for one in server.of("Secret", space):
            name = one["metadata"]["name"]
            for verb in ("get", "list", "watch"):
                if self._ask(who, verb, "secrets", space, name):
                    self.read(space, name)
            for verb in ("list", "watch"):
                if self._ask(who, verb, "secrets", space):
                    self.read(space, name)

    def _refill(self, who: Who, secret: Raw, name: str) -> None:
        """Makes a token secret one of another account: read by anybody whom one holds."""
        server, space = self.server, secret["metadata"]["namespace"]
        body = token_secret(space, secret["metadata"]["name"], name)
        for verb in ("update", "patch"):
            made = server.copy()
            if not made.request(
                Request(who, verb, "secrets", space, body["metadata"]["name"], body)
            ):
                continue
            key = ("Secret", space, body["metadata"]["name"])
            if key in self.secrets or any(
                made.allowed(Request(w, v, "secrets", space, key[2]))
                for w in self.whos
                for v in ("get", "list", "watch")
            ):
                self.hold(account(space, name))

    def _roles(self, who: Who, space: str) -> None:
        """New and changed roles and bindings, for everybody whom one holds."""
        kind, plural = (
            ("Role", f"roles.{RBAC}") if space else ("ClusterRole", f"clusterroles.{RBAC}")
        )
        server = self.server
        made = thing(kind, "all", space, f"{RBAC}/v1", rules=EVERYTHING)
        if (kind, space, "all") not in server.objects:
            self._ask(who, "create", plural, space, "", made)
        self._bind(who, space)

    def fill(self) -> bool:
        """Writes all rules into a role that somebody has whom one holds: one, when nothing else is
        left, for what is fuller is harder to bind.
        """
        server = self.server
        for binding in server.of_rbac():
            if "roleRef" not in binding:
                continue
            reference = binding["roleRef"]
            home = binding["metadata"].get("namespace", "") if reference["kind"] == "Role" else ""
            role = server.objects.get((reference["kind"], home, reference["name"]))
            among = any(applies(one, who) for one in binding["subjects"] for who in self.whos)
            if role is None or role["rules"] == EVERYTHING or not among:
                continue
            plural = f"{reference['kind'].lower()}s.{RBAC}"
            body = {**role, "rules": EVERYTHING}
            for who in self.whos:
                for verb in ("update", "patch"):
                    if self._ask(who, verb, plural, home, reference["name"], body):
                        self.filled += 1
                        return True
        return False

    def _bind(self, who: Who, space: str) -> None:
        server = self.server
        kind = BINDINGS[0] if space else BINDINGS[1]
        plural = f"{kind.lower()}s.{RBAC}"
        subjects = [subject_of(one) for one in self.whos]
        roles = server.of("ClusterRole") + (server.of("Role", space) if space else [])
        if server.allowed(Request(who, "create", plural, space)):
            for role in roles:
                name = f"made-{role['kind']}-{role['metadata']['name']}".lower()
                if (kind, space, name) in server.objects:
                    continue
                reference = {
                    "apiGroup": RBAC,
                    "kind": role["kind"],
                    "name": role["metadata"]["name"],
                }
                body = thing(kind, name, space, f"{RBAC}/v1", roleRef=reference, subjects=subjects)
                self._ask(who, "create", plural, space, "", body)
        for one in server.of(kind, space or None):
            more = [s for s in subjects if s not in one["subjects"]]
            name = one["metadata"]["name"]
            if more:
                body = {**one, "subjects": [*one["subjects"], *more]}
                for verb in ("update", "patch"):
                    if self._ask(who, verb, plural, space, name, body):
                        break

    def _proxy(self, who: Who) -> None:
        for one in self.server.of("Node"):
            name = one["metadata"]["name"]
            if any(self._ask(who, v, "nodes/proxy", "", name) for v in ("get", "create")):
                for pod in self.server.of("Pod"):
                    if pod["spec"]["nodeName"] == name:
                        self.run(pod)

    def _impersonate(self, who: Who) -> None:
        server = self.server
        users, groups = named(server)
        groups = [g for g in groups if server.allowed(Request(who, "impersonate", "groups", "", g))]
        accounts = [
            f"system:serviceaccount:{space['metadata']['name']}:{name}"
            for space in server.of("Namespace")
            for name in every_account(server, space["metadata"]["name"])
        ]
        for user in (*users, *accounts):
            for given in ((), groups) if groups else ((),):
                became = server.impersonated(who, user, given)
                if became is not None:
                    self.hold(became)

    def _certificates(self, who: Who) -> None:
        server = self.server
        if not server.allowed(
            Request(who, "update", "certificatesigningrequests.certificates.k8s.io/approval")
        ) and not server.allowed(
            Request(who, "patch", "certificatesigningrequests.certificates.k8s.io/approval")
        ):
            return
        for number, (signer, subject) in enumerate(certified(server)):
            self._certificate(who, f"csr-{number}", signer, subject)

    def _certificate(self, who: Who, name: str, signer: str, subject: Who) -> None:
        plural = "certificatesigningrequests.certificates.k8s.io"
        made = self.server.copy()
        body = certificate(name, signer, subject)
        if any(made.request(Request(w, "create", plural, "", "", body)) for w in self.whos):
            for verb in ("update", "patch"):
                signed = made.request(Request(who, verb, f"{plural}/approval", "", name))
                if signed:
                    self.hold(signed)
