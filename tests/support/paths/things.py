"""The objects that worlds are made of, and those that an attacker makes or changes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Final

from tests.support.paths.server import (
    CLIENT,
    KUBELET,
    OWNER,
    RBAC,
    TOKEN_TYPE,
    Raw,
    Server,
    Who,
    account,
    node,
)

EVERYTHING: Final[list[Raw]] = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
CREATED: Final = ("pods", "deployments.apps", "jobs.batch")
APIS: Final = {"Pod": "v1", "Deployment": "apps/v1", "Job": "batch/v1"}
CONTROL: Final = "node-role.kubernetes.io/control-plane"
PLAIN: Final[Raw] = {
    "name": "main",
    "image": "registry.example/tool:1",
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}
PRIVILEGED: Final[Raw] = {**PLAIN, "securityContext": {"privileged": True}}


def thing(kind: str, name: str, space: str = "", api: str = "v1", **fields: object) -> Raw:
    """An object."""
    metadata: Raw = {"name": name}
    if space:
        metadata["namespace"] = space
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **fields}


def token_secret(space: str, name: str, of: str) -> Raw:
    """A secret that the controller fills with a token."""
    found = thing("Secret", name, space, type=TOKEN_TYPE)
    found["metadata"]["annotations"] = {OWNER: of}
    return found


def certificate(name: str, signer: str, subject: Who) -> Raw:
    """A request for a certificate; its subject is written in words."""
    spec = {"signerName": signer, "subject": [subject.user, list(subject.groups)]}
    return thing("CertificateSigningRequest", name, "", "certificates.k8s.io/v1", spec=spec)


def certified(server: Server) -> list[tuple[str, Who]]:
    """The certificates that are worth asking for: the signer and whose name is in it."""
    users, groups = named(server)
    groups = [g for g in groups if g != "system:masters"]
    everyone = [
        account(space["metadata"]["name"], name)
        for space in server.of("Namespace")
        for name in every_account(server, space["metadata"]["name"])
    ]
    asked = [(CLIENT, Who(user, tuple(groups))) for user in users]
    asked += [(CLIENT, Who(one.user, (*one.groups, *groups))) for one in everyone]
    asked += [(KUBELET, node(one["metadata"]["name"])) for one in server.of("Node")]
    asked += [(CLIENT, node(one["metadata"]["name"])) for one in server.of("Node")]
    return asked


def imaged(pod: Raw) -> Raw:
    """A pod with another image."""
    body = copy.deepcopy(pod)
    body["spec"]["containers"][0]["image"] = "registry.example/evil:1"
    return body


def debugged(pod: Raw, container: Raw) -> Raw:
    """A pod with a debug container more."""
    body = copy.deepcopy(pod)
    debug = {**container, "name": "debug"}
    body["spec"]["ephemeralContainers"] = [debug]
    return body


def specs(server: Server, space: str) -> Iterator[Raw]:
    """The pods that are worth making: as each account with each secret, and one for each node."""
    secrets = [o["metadata"]["name"] for o in server.of("Secret", space)]
    volumes = [{"name": name, "secret": {"secretName": name}} for name in secrets]
    mounts = [{"name": name, "mountPath": f"/{name}"} for name in secrets]
    plain = {**PLAIN, "volumeMounts": mounts}
    accounts = [one["metadata"]["name"] for one in server.of("ServiceAccount", space)]
    for name in accounts:
        yield {
            "serviceAccountName": name,
            "nodeName": "n1",
            "containers": [plain],
            "volumes": volumes,
        }
    for one in server.of("Node") if accounts else ():
        yield {
            "serviceAccountName": accounts[0],
            "nodeName": one["metadata"]["name"],
            "containers": [PRIVILEGED],
        }


def subject_of(who: Who) -> Raw:
    """The subject that is somebody."""
    parts = who.user.split(":")
    if who.user.startswith("system:serviceaccount:"):
        return {"kind": "ServiceAccount", "namespace": parts[2], "name": parts[3]}
    return {"kind": "User", "name": who.user, "apiGroup": RBAC}


def named(server: Server) -> tuple[list[str], list[str]]:
    """The users and groups that bindings name."""
    found: tuple[dict[str, None], dict[str, None]] = ({}, {"system:masters": None})
    for binding in server.of_rbac():
        for one in binding.get("subjects") or ():
            if one["kind"] == "User":
                found[0].setdefault(one["name"])
            elif one["kind"] == "Group":
                found[1].setdefault(one["name"])
    found[0].update(dict.fromkeys(("alice", "bob")))  # rules name them
    return list(found[0]), list(found[1])


def bound_accounts(server: Server, space: str) -> list[str]:
    """The accounts of a namespace that bindings name."""
    return sorted(
        {
            one["name"]
            for binding in server.of_rbac()
            for one in binding.get("subjects") or ()
            if one["kind"] == "ServiceAccount" and one["namespace"] == space
        }
    )


def every_account(server: Server, space: str) -> list[str]:
    """The accounts of a namespace, those that are only bound, and those that rules name."""
    there = {one["metadata"]["name"] for one in server.of("ServiceAccount", space)}
    return sorted(there | set(bound_accounts(server, space)) | {"ghost", "sa"})
