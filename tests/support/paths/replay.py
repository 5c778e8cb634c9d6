"""Executes found paths on the simulated API server, step by step.

At each step only requests of the kind that its edge names are let through, made by whoever is held
by then; of what they yield, only what the step claims is kept. So a step cannot live on another's
gains, and one that gives more than its requests do is found out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tests.support.paths.attacker import Attacker
from tests.support.paths.guarded import PLURALS, armed, exempt
from tests.support.paths.server import ENFORCE, RBAC, Key, Request, Server, Who, applies, node
from tests.support.paths.things import every_account, named

from martello.paths.model import Path, Proposition, Step

_MADE: Final = "pods deployments.apps jobs.batch"
_CSR: Final = "certificatesigningrequests.certificates.k8s.io"
_CERTIFIED: Final = f"create update patch/{_CSR} {_CSR}/approval"
_BOUND: Final = f"create update patch/rolebindings.{RBAC} clusterrolebindings.{RBAC}"
_WRITTEN: Final = f"create update patch/roles.{RBAC} clusterroles.{RBAC}"
# Edge → the verbs and resources of its requests.
REQUESTS: Final = {
    "pod-create": "create/pods",
    "pod-create-node": f"create/{_MADE}",
    "pod-mounts-secrets": f"create/{_MADE}",
    "workload-create": "create/deployments.apps jobs.batch",
    "workload-update": "update patch/deployments.apps",
    "workload-update-node": "update patch/deployments.apps",
    "workload-update-secrets": "update patch/deployments.apps",
    "pod-patch": "update patch/pods",
    "pod-debug": "update patch/pods/ephemeralcontainers",
    "pod-debug-node": "update patch/pods/ephemeralcontainers",
    "pod-exec": "create/pods/exec",
    "pod-exec-get": "get/pods/exec pods/attach",
    "pod-attach": "create/pods/attach",
    "nodes-proxy": "get create/nodes/proxy",
    "secret-read-named": "get/secrets",
    "secret-list": "list watch/secrets",
    "secret-issue-token": f"create get list watch/secrets {_MADE}",
    "secret-refill-token": "update patch/secrets",
    "token-request": "create/serviceaccounts/token",
    "phantom-account": "create update patch get list/"
    f"serviceaccounts serviceaccounts/token {_MADE} secrets",
    "impersonate-user": "impersonate/users",
    "impersonate-account": "impersonate/serviceaccounts",
    "impersonate-phantom": "impersonate/serviceaccounts",
    "impersonate-unknown": "impersonate/serviceaccounts",
    "impersonate-group": "impersonate/users groups",
    "impersonate-group-account": "impersonate/serviceaccounts groups",
    "impersonate-masters": "impersonate/users groups",
    "impersonate-masters-account": "impersonate/serviceaccounts groups",
    "csr-client-cert": _CERTIFIED,
    "csr-client-groups": _CERTIFIED,
    "csr-client-account": _CERTIFIED,
    "csr-client-node": _CERTIFIED,
    "csr-node-cert": _CERTIFIED,
    "node-authorizer": "get list watch create/secrets serviceaccounts/token",
    "namespace-psa": "update patch/namespaces",
    "admission-policy-off": f"update patch delete/{' '.join(PLURALS)}",
    "role-bind": _BOUND,
    "role-bind-named": _BOUND,
    "role-bind-clusterrole": _BOUND,
    "clusterrole-bind": _BOUND,
    "clusterrole-bind-named": _BOUND,
    "rolebinding-update": _BOUND,
    "clusterrolebinding-update": _BOUND,
    "binding-covered": _BOUND,
    "role-escalate": _WRITTEN,
    "clusterrole-escalate": _WRITTEN,
    "role-create-bind": f"{_BOUND}, {_WRITTEN}",
}
# What an administrator does to have all of something.
ADMINISTERED: Final = {
    "accounts": "create/serviceaccounts/token",
    "pods": "create/pods/exec",
    "secrets": "get/secrets",
    "nodes": "update/namespaces, create/pods",
    "users": "impersonate/users",
    "groups": "impersonate/users groups",
}
# Edges of which the API server knows nothing: what code in a container or on a node has.
BELOW: Final = frozenset(
    ("token-mounted", "pod-container", "secret-mounted", "token-secret", "privileged-mount")
) | frozenset(("load-module", "node-to-pod", "node-identity", "control-plane-node"))
# Edges that spell out what there is: checked against the state where it can be seen.
SAID: Final = frozenset(
    ("binding", "role", "scope", "one-request", "part", "group-member", "goal", "masters")
) | frozenset(("wildcard", "wildcard-namespace", "guard-off"))


class Replayed(Exception):
    """A step that could not be executed; the message says which."""


class Replay:
    """What an attacker holds while the steps of a path are executed."""

    def __init__(self, server: Server, foothold: Proposition, who: Who | None) -> None:
        self.held = Attacker(server)
        if who is not None:
            self.held.hold(who)
        else:
            space, _, name = foothold[1].partition("/")
            self.held.pods.add(("Pod", space, name))

    def run(self, path: Path) -> None:
        """Every step in order. Raises Replayed."""
        for step in path.steps:
            self._step(step)
        if not holds(self.held, path.goal):
            raise Replayed(f"{path.goal} is not held at the end")

    def _step(self, step: Step) -> None:
        tried = self._tried(step)
        if not holds(tried, step.gives):
            raise Replayed(f"{step.edge} does not give {step.gives}: {step.says}")
        self._keep(step.gives, tried)

    def _tried(self, step: Step) -> Attacker:
        held = self.held
        requests = ADMINISTERED.get(step.gives[0]) if step.edge == "role" else None
        if step.edge in SAID and requests is None:
            return held
        server = held.server.copy()
        tried = Attacker(server)
        tried.whos, tried.secrets = dict(held.whos), set(held.secrets)
        tried.admin = held.admin
        if step.edge in BELOW:
            for key in held.pods:
                tried.run(server.objects[key])
            for name in held.nodes:
                tried.take(name)
            for _, space, name in held.secrets:
                tried.read(space, name)
            return tried
        if step.edge == "secret-refill-token":  # the token that is in it already is one of them
            for _, space, name in held.secrets:
                tried.read(space, name)
        server.only = {
            (verb, one)
            for words in (requests or REQUESTS[step.edge]).split(", ")
            for verb in words.partition("/")[0].split()
            for one in words.partition("/")[2].split()
        }
        for _ in range(3):  # one makes what another reads
            for who in list(tried.whos):
                tried.attempt(who)
            if "escalate" in step.edge:
                while tried.fill():
                    pass
        server.only = None
        return tried

    def _keep(self, gives: Proposition, tried: Attacker) -> None:
        held = self.held
        held.server = tried.server
        if tried is held:
            return
        held.admin = held.admin or tried.admin  # his credentials say so
        for who in tried.whos:
            if any(one(who) for one in _whos(gives, held.server)):
                held.hold(who)
        held.pods |= {key for key in tried.pods if _pod(gives, key, held.server)}
        held.nodes |= {name for name in tried.nodes if _node(gives, name, held.server)}
        held.secrets |= {
            key
            for key in tried.secrets
            if gives in (("secret", *key[1:]), ("secrets", key[1]), ("accounts", key[1]))
        }


def _whos(gives: Proposition, server: Server) -> Iterable:  # type: ignore[type-arg]
    kind = gives[0]
    if kind == "account":
        yield lambda who: who.user == f"system:serviceaccount:{gives[1]}:{gives[2]}"
    elif kind in ("accounts", "names", "member"):
        yield lambda who: who.user.startswith(f"system:serviceaccount:{gives[1]}:")
    elif kind == "kubelet":
        yield lambda who: who == node(gives[1])
    elif kind == "kubelets":
        yield lambda who: "system:nodes" in who.groups
    elif kind == "user":
        yield lambda who: who.user == gives[1]
    elif kind == "users":
        yield lambda who: ":" not in who.user
    elif kind == "group":
        yield lambda who: gives[1] in who.groups
    elif kind == "groups":
        yield lambda who: True
    elif gives == ("admin", ""):
        yield lambda who: "system:masters" in who.groups


def _pod(gives: Proposition, key: Key, server: Server) -> bool:
    kind, name = gives[0], f"{key[1]}/{key[2]}"
    if kind in ("pods-of", "pod", "code"):
        return gives[1] == name
    if key[0] != "Pod":
        return False
    if kind == "podsat":
        return bool(server.objects[key]["spec"]["nodeName"] == gives[1])
    return kind == "podsats" or gives == ("pods", key[1])


def _node(gives: Proposition, name: str, server: Server) -> bool:
    if gives[0] == "nodesof":
        space, _, pod = gives[1].partition("/")
        return bool(server.objects[("Pod", space, pod)]["spec"]["nodeName"] == name)
    return gives in (("node", name), ("nodes", ""))


def holds(held: Attacker, what: Proposition) -> bool:
    """Whether an attacker has what a proposition says."""
    server, kind, rest = held.server, what[0], what[1:]
    if held.admin:
        return True
    if kind in ("can", "one", "has", "anybody", "anywhere"):
        return True  # the next request tells
    if kind == "holds" or kind == "gained":
        return any(_bound(server, who, rest) for who in held.whos)
    if kind == "member":
        group = f"system:serviceaccounts:{rest[0]}"
        return any(group in who.groups for who in held.whos)
    if kind in ("off", "policies"):
        return not armed(server)
    if kind == "admits" and exempt(server, rest[1]):
        return True
    if kind == "admits":
        labels = server.objects[("Namespace", "", rest[1])]["metadata"].get("labels", {})
        levels = ("restricted", "baseline", "privileged")
        return levels.index(labels.get(ENFORCE, "privileged")) >= levels.index(rest[0])
    if kind == "admin":
        return any(server.allowed(Request(who, "*", "*.*", rest[0], "*")) for who in held.whos)
    if kind == "goal":
        return bool(held.nodes) if rest[0] == "node" else True
    wanted = _members(server, what)
    if kind in ("pods-of", "pod", "code", "pods", "podsat", "podsats"):
        return all(key in held.pods for key in server.objects if _pod(what, key, server))
    if kind in ("node", "nodes", "nodesof"):
        every = [one["metadata"]["name"] for one in server.of("Node")]
        return all(name in held.nodes for name in every if _node(what, name, server))
    if kind in ("secret", "secrets"):
        return all(key in held.secrets for key in wanted)
    return all(any(who in (w.user, *w.groups) for w in held.whos) for who in wanted)


def _members(server: Server, what: Proposition) -> list:  # type: ignore[type-arg]
    """The single things that a proposition stands for, by name."""
    kind, rest = what[0], what[1:]
    if kind == "secret":
        return [("Secret", *rest)]
    if kind == "secrets":
        return [
            key
            for key in server.objects
            if key[:2] == ("Secret", rest[0]) and not key[2].startswith("token-")
        ]
    if kind == "account":
        return [f"system:serviceaccount:{rest[0]}:{rest[1]}"]
    if kind == "accounts":
        here = [one["metadata"]["name"] for one in server.of("ServiceAccount", rest[0])]
        return [f"system:serviceaccount:{rest[0]}:{name}" for name in here]
    if kind == "names":
        return [f"system:serviceaccount:{rest[0]}:{n}" for n in every_account(server, rest[0])]
    if kind in ("user", "group"):
        return [rest[0]]
    if kind == "users":
        return named(server)[0]
    if kind == "groups":
        return [one for one in named(server)[1] if one != "system:masters"]
    if kind == "kubelet":
        return [f"system:node:{rest[0]}"]
    if kind == "kubelets":
        return [f"system:node:{one['metadata']['name']}" for one in server.of("Node")]
    return []


def _bound(server: Server, who: Who, role: Proposition) -> bool:
    """Whether somebody is bound to a role (kind, namespace, name) in a scope."""
    kind, home, name, scope = role
    for binding in server.of_rbac():
        reference = binding.get("roleRef")
        if reference is None or (reference["kind"], reference["name"]) != (kind, name):
            continue
        here = binding["metadata"].get("namespace", "") == scope and home in ("", scope)
        if here and any(applies(one, who) for one in binding["subjects"]):
            return True
    return False
