"""A simulated API server for paths: literal RBAC, the Node authorizer, Pod Security, escalation
checks, and the controllers that make pods and fill in token secrets. It shares no line with the
engine of paths: it is what found paths are executed on, and what is searched for missed ones.

A request is refused (None) or changes the objects and answers.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from tests.support.access.naive import Naive
from tests.support.paths.guarded import POLICY, exempt, refuses

Raw = dict[str, Any]
Key = tuple[str, str, str]  # kind, namespace, name
RBAC: Final = "rbac.authorization.k8s.io"
ENFORCE: Final = "pod-security.kubernetes.io/enforce"
TOKEN_TYPE: Final = "kubernetes.io/service-account-token"
OWNER: Final = "kubernetes.io/service-account.name"
CLIENT: Final = "kubernetes.io/kube-apiserver-client"
KUBELET: Final = "kubernetes.io/kube-apiserver-client-kubelet"
KINDS: Final = {
    "pods": "Pod",
    "secrets": "Secret",
    "serviceaccounts": "ServiceAccount",
    "namespaces": "Namespace",
    "nodes": "Node",
    "deployments": "Deployment",
    "jobs": "Job",
    "roles": "Role",
    "clusterroles": "ClusterRole",
    "rolebindings": "RoleBinding",
    "clusterrolebindings": "ClusterRoleBinding",
    "certificatesigningrequests": "CertificateSigningRequest",
    "validatingadmissionpolicies": POLICY,
    "validatingadmissionpolicybindings": f"{POLICY}Binding",
}
ROLES: Final = ("Role", "ClusterRole")
BINDINGS: Final = ("RoleBinding", "ClusterRoleBinding")
WORKLOADS: Final = ("Deployment", "Job")


class Who(NamedTuple):
    """Somebody with a credential."""

    user: str
    groups: tuple[str, ...]


class Request(NamedTuple):
    """A request as the authorizer sees it; `body` is the object that is sent."""

    who: Who
    verb: str
    resource: str  # pods/exec, deployments.apps
    namespace: str = ""
    name: str = ""
    body: Raw | None = None

    @property
    def attributes(self) -> dict[str, str]:
        """Its words, as the literal evaluator takes them."""
        head, _, sub = self.resource.partition("/")
        plural, _, group = head.partition(".")
        return {
            "verb": self.verb,
            "group": group,
            "resource": plural,
            "subresource": sub,
            "namespace": self.namespace,
            "name": self.name,
        }


def account(namespace: str, name: str) -> Who:
    """The credential of a service account."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    who = f"system:serviceaccount:{namespace}:{name}"
    return Who(who, (*groups, "system:authenticated"))


def person(name: str, *groups: str) -> Who:
    """The credential of a user in groups."""
    return Who(name, (*sorted(groups), "system:authenticated"))


def node(name: str) -> Who:
    """The credential of a node."""
    return Who(f"system:node:{name}", ("system:nodes", "system:authenticated"))


def key_of(raw: Raw) -> Key:
    """What an object is kept under."""
    metadata = raw["metadata"]
    return (raw["kind"], metadata.get("namespace", ""), metadata["name"])


class Server:
    """Objects, and what requests do to them."""

    def __init__(self, objects: Iterable[Raw], minor: int) -> None:
        self.minor = minor
        self.objects: dict[Key, Raw] = {key_of(one): one for one in objects}
        self.log: list[Request] = []
        self.only: set[tuple[str, str]] | None = None  # what requests are let through
        self._rbac: Naive | None = None
        self._known: dict[tuple[str, ...], bool] = {}

    def copy(self) -> Server:
        """Another one with the same objects; objects are replaced, never changed."""
        made = Server((), self.minor)
        made.objects = dict(self.objects)
        made.only, made.log = self.only, self.log
        made._rbac, made._known = self._rbac, self._known
        return made

    def of(self, kind: str, namespace: str | None = None) -> list[Raw]:
        """The objects of a kind, of a namespace or of all."""
        return [
            one
            for (k, space, _), one in self.objects.items()
            if k == kind and namespace in (None, space)
        ]

    def of_rbac(self) -> list[Raw]:
        """Roles and bindings."""
        return [one for key, one in self.objects.items() if key[0] in (*ROLES, *BINDINGS)]

    def put(self, raw: Raw) -> None:
        """Stores an object."""
        self.objects[key_of(raw)] = raw
        if raw["kind"] in (*ROLES, *BINDINGS):
            self._rbac, self._known = None, {}

    # Who may ---------------------------------------------------------------------------------

    def allowed(self, request: Request) -> bool:
        """Node authorizer, then RBAC."""
        if request.who.user.startswith("system:node:") and self._node_allows(request):
            return True
        asked = request.attributes
        known = (*request.who.groups, "", request.who.user, *asked.values())
        if known not in self._known:
            if self._rbac is None:
                kept = [o for o in self.objects.values() if o["kind"] in (*ROLES, *BINDINGS)]
                self._rbac = Naive(kept)
            self._known[known] = self._rbac.allowed(request.who.user, request.who.groups, asked)
        return self._known[known]

    def _node_allows(self, request: Request) -> bool:
        """What a pod of the node refers to; NodeRestriction keeps it from other nodes."""
        if "system:nodes" not in request.who.groups:
            return False
        name = request.who.user.removeprefix("system:node:")
        pods = [p for p in self.of("Pod", request.namespace) if p["spec"]["nodeName"] == name]
        if (request.verb, request.resource) == ("create", "serviceaccounts/token"):
            return request.name in {p["spec"]["serviceAccountName"] for p in pods}
        if request.resource == "secrets" and request.verb in ("get", "list", "watch"):
            return request.name in {s for p in pods for s in secrets_of(p)}
        return False

    def rules_for(self, who: Who, namespace: str) -> list[Raw]:
        """All rules that somebody has in a namespace, or (empty) for the whole cluster."""
        naive = Naive(self.objects.values())
        found: list[Raw] = []
        for binding in self.of("ClusterRoleBinding") + (
            self.of("RoleBinding", namespace) if namespace else []
        ):
            if any(applies(subject, who) for subject in binding.get("subjects") or ()):
                found.extend(dict(rule) for rule in naive.rules(binding))
        return found

    def _covers(self, who: Who, rules: Iterable[Raw], namespace: str) -> bool:
        if "system:masters" in who.groups:
            return True
        own = self.rules_for(who, namespace)
        return all(any(_covered(rule, single) for rule in own) for single in singles(rules))

    def _may_write(self, request: Request, raw: Raw) -> bool:
        """The checks of role and binding writes."""
        who, space = request.who, raw["metadata"].get("namespace", "")
        plural = request.resource.partition("/")[0]
        if raw["kind"] in ROLES:
            there = self.objects.get(key_of(raw))
            if there is not None and there["rules"] == raw["rules"]:
                return True
            name = "" if request.verb == "create" else raw["metadata"]["name"]
            asked = Request(who, "escalate", plural, space, name)
            return self.allowed(asked) or self._covers(who, raw["rules"], space)
        if raw["kind"] in BINDINGS:
            there = self.objects.get(key_of(raw))
            role = raw["roleRef"]
            if there is not None and there["roleRef"] != role:
                return False
            of = {"Role": "roles", "ClusterRole": "clusterroles"}[role["kind"]]
            if self.allowed(Request(who, "bind", f"{of}.{RBAC}", space, role["name"])):
                return True
            home = space if role["kind"] == "Role" else ""
            known = self.objects.get((role["kind"], home, role["name"]))
            return known is not None and self._covers(who, known["rules"], space)
        return True

    # What it does ------------------------------------------------------------------------------

    def _let(self, request: Request) -> bool:
        return self.only is None or (request.verb, request.resource) in self.only

    def request(self, request: Request) -> Any:
        """Authorizes, admits, does. None where it is refused."""
        if not self._let(request) or not self.allowed(request):
            return None
        done = self._do(request)
        if done is not None:
            self.log.append(request)
        return done

    def _do(self, request: Request) -> Any:
        head, _, sub = request.resource.partition("/")
        kind = KINDS[head.partition(".")[0]]
        there = self.objects.get((kind, request.namespace, request.name))
        if kind in ("Namespace", "Node"):
            there = self.objects.get((kind, "", request.name))
        if sub == "token":
            return account(request.namespace, request.name) if there else None
        if sub == "proxy":
            return there
        if sub in ("exec", "attach"):
            return there if request.verb == "create" or self.minor < 35 else None
        if sub == "approval":
            return self._sign(request, there)
        if request.verb in ("get", "list", "watch"):
            if request.verb != "get" and not request.name:
                return self.of(kind, request.namespace)
            return there
        if request.verb == "delete":
            return self.objects.pop((kind, request.namespace, request.name), None)
        raw = request.body
        assert raw is not None
        if request.verb == "create":
            if key_of(raw) in self.objects:
                return None
        elif there is None or key_of(there) != key_of(raw):
            return None
        return self._store(request, raw, there, sub)

    def _store(self, request: Request, raw: Raw, there: Raw | None, sub: str) -> Any:
        kind, space = raw["kind"], raw["metadata"].get("namespace", "")
        if not self._may_write(request, raw):
            return None
        if kind == "Pod" and not self._admits(raw, there, sub):
            return None
        if kind == "Job" and there is not None and raw["spec"] != there["spec"]:
            return None  # the template of a Job is immutable
        if kind == "Secret" and there is not None and there.get("type") != raw.get("type"):
            return None
        if kind == "Secret" and raw.get("type") == TOKEN_TYPE:
            name = raw["metadata"].get("annotations", {}).get(OWNER, "")
            if ("ServiceAccount", space, name) not in self.objects:
                return None
        self.put(raw)
        if kind in WORKLOADS:
            self._control(raw)
        return raw

    def _admits(self, pod: Raw, there: Raw | None, sub: str) -> bool:
        """Pod Security looks at the whole pod, at a change of an image and at a debug container
        too. The account must be there.
        """
        space = pod["metadata"]["namespace"]
        if ("ServiceAccount", space, pod["spec"]["serviceAccountName"]) not in self.objects:
            return False
        if there is not None:
            same = {**pod["spec"], "ephemeralContainers": 0, "containers": 0}
            if same != {**there["spec"], "ephemeralContainers": 0, "containers": 0}:
                return False
            if not sub and pod["spec"].get("ephemeralContainers") != there["spec"].get(
                "ephemeralContainers"
            ):
                return False
            for new, old in zip(
                pod["spec"]["containers"], there["spec"]["containers"], strict=True
            ):
                if {**new, "image": 0} != {**old, "image": 0}:
                    return False
        what = f"pods/{sub}" if sub else "pods"
        if refuses(self, pod, "CREATE" if there is None else "UPDATE", what):
            return False
        if exempt(self, space):
            return True
        labels = self.objects[("Namespace", "", space)]["metadata"].get("labels", {})
        return level(pod) <= ("restricted", "baseline", "privileged").index(
            labels.get(ENFORCE, "privileged")
        )

    def _control(self, workload: Raw) -> None:
        """The controller makes the pod of a template, if it is let in."""
        name, space = workload["metadata"]["name"], workload["metadata"]["namespace"]
        spec = copy.deepcopy(workload["spec"]["template"]["spec"])
        made = {"name": f"{name}-made", "namespace": space}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": made, "spec": spec}
        spec.setdefault("nodeName", "n1")
        if self._admits(pod, None, ""):
            self.put(pod)

    def _sign(self, request: Request, there: Raw | None) -> Any:
        if there is None:
            return None
        signer = there["spec"]["signerName"]
        names = (signer, signer.partition("/")[0] + "/*")
        who = request.who
        if not any(
            self.allowed(Request(who, "approve", "signers.certificates.k8s.io", "", name))
            for name in names
        ):
            return None
        user, groups = there["spec"]["subject"]
        return None if "system:masters" in groups else Who(user, (*groups, "system:authenticated"))

    def impersonated(self, who: Who, user: str, groups: Iterable[str] = ()) -> Who | None:
        """Who somebody becomes by headers. A user is mandatory; given groups replace its own."""
        asked: list[Request] = []
        parts = user.split(":")
        if user.startswith("system:serviceaccount:") and len(parts) == 4:
            asked.append(Request(who, "impersonate", "serviceaccounts", parts[2], parts[3]))
        else:
            asked.append(Request(who, "impersonate", "users", "", user))
        asked += [Request(who, "impersonate", "groups", "", group) for group in groups]
        if not all(self._let(one) and self.allowed(one) for one in asked):
            return None
        self.log.extend(asked)
        given = tuple(sorted(groups))
        if not given and asked[0].resource == "serviceaccounts":
            return account(parts[2], parts[3])
        return Who(user, (*given, "system:authenticated"))


def level(pod: Raw) -> int:
    """The level that a pod needs: 0 restricted, 1 baseline, 2 privileged."""
    worst = 0
    for one in [*pod["spec"]["containers"], *pod["spec"].get("ephemeralContainers", ())]:
        security = one.get("securityContext") or {}
        if security.get("privileged"):
            worst = 2
        elif security.get("allowPrivilegeEscalation") is not False:
            worst = max(worst, 1)
    return worst


def secrets_of(pod: Raw) -> Iterator[str]:
    """The secrets that a pod refers to."""
    for volume in pod["spec"].get("volumes", ()):
        if "secret" in volume:
            yield volume["secret"]["secretName"]


def singles(rules: Iterable[Raw]) -> Iterator[tuple[str, str, str, str | None]]:
    """Rules taken apart: verb, group, resource, name."""
    for rule in rules:
        for verb in rule["verbs"]:
            for group in rule.get("apiGroups", ()):
                for resource in rule.get("resources", ()):
                    for name in rule.get("resourceNames") or (None,):
                        yield verb, group, resource, name


def _covered(rule: Raw, single: tuple[str, str, str, str | None]) -> bool:
    verb, group, resource, name = single
    names, resources = rule.get("resourceNames"), rule.get("resources", ())
    _, slash, sub = resource.partition("/")
    return (
        bool({verb, "*"} & set(rule["verbs"]))
        and bool({group, "*"} & set(rule.get("apiGroups", ())))
        and bool({resource, "*", *([f"*/{sub}"] if slash else [])} & set(resources))
        and (not names or name in names)
    )


def applies(subject: Raw, who: Who) -> bool:
    """Whether a subject of a binding is somebody."""
    if subject["kind"] == "User":
        return bool(subject["name"] == who.user)
    if subject["kind"] == "Group":
        return subject["name"] in who.groups
    return who.user == f"system:serviceaccount:{subject['namespace']}:{subject['name']}"
