"""Small worlds with more guards than labels: exempt namespaces, and policies against privileged
containers. Their meaning is spelled out here in Python, beside the expressions that the engine
reads.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.support.paths.server import Raw, Server

GROUP: Final = "admissionregistration.k8s.io"
POLICY: Final = "ValidatingAdmissionPolicy"
EXEMPT: Final = "PodSecurityConfiguration"
PLURALS: Final = (
    f"validatingadmissionpolicies.{GROUP}",
    f"validatingadmissionpolicybindings.{GROUP}",
)
_CONTAINERS: Final = (
    "object.spec.containers.all(c, !has(c.securityContext)"
    " || !has(c.securityContext.privileged) || !c.securityContext.privileged)"
)
_DEBUG: Final = _CONTAINERS.replace(
    "object.spec.containers.all",
    "!has(object.spec.ephemeralContainers) || object.spec.ephemeralContainers.all",
)
# What no attacker here makes, but the engine tries: other ways to a node.
_OTHERS: Final = (
    "!has(object.spec.volumes) || object.spec.volumes.all(v, !has(v.hostPath))",
    "object.spec.containers.all(c, !has(c.securityContext)"
    " || !has(c.securityContext.capabilities) || !has(c.securityContext.capabilities.add))",
)
RIGHTS: Final = (
    (("create",), "", "pods"),
    (("create",), "apps", "deployments"),
    (("update",), "", "pods/ephemeralcontainers"),
    (("patch",), "", "pods"),
    (("patch",), "", "namespaces"),
    (("delete",), GROUP, "validatingadmissionpolicies"),
    (("patch",), GROUP, "validatingadmissionpolicybindings"),
)


def guards(random: Random, spaces: list[str]) -> list[Raw]:
    """One policy or two with their bindings, and now and then a namespace that is exempt."""
    found = [one for number in range(random.randint(1, 2)) for one in _policy(random, number)]
    if random.random() < 0.3:
        api = "pod-security.admission.config.k8s.io/v1"
        exemptions = {"namespaces": [random.choice(spaces)]}
        found.append(_thing(EXEMPT, "security", apiVersion=api, exemptions=exemptions))
    return found


def _policy(random: Random, number: int) -> list[Raw]:
    name = f"guard-{number}"
    resources, operations = ["pods"], random.choice((["CREATE"], ["CREATE", "UPDATE"]))
    if random.random() < 0.5:
        resources.append("pods/ephemeralcontainers")
    expressions = [_CONTAINERS, *_OTHERS, *([_DEBUG] if random.random() < 0.7 else [])]
    rule = {
        "operations": operations,
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": resources,
    }
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": one} for one in expressions],
    }
    actions = random.choice((["Deny"], ["Deny"], ["Deny", "Audit"], ["Warn"], ["Audit"]))
    bound: Raw = {"policyName": name, "validationActions": actions}
    if random.random() < 0.4:
        chosen = {"kubernetes.io/metadata.name": random.choice("ab")}
        bound["matchResources"] = {"namespaceSelector": {"matchLabels": chosen}}
    return [
        _thing(POLICY, name, spec=spec),
        _thing(f"{POLICY}Binding", f"{name}-bound", spec=bound),
    ]


def _thing(kind: str, name: str, **fields: object) -> Raw:
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": name}, **fields}


def armed(server: Server) -> list[tuple[Raw, Raw]]:
    """The policies that deny, with the binding by which they do."""
    return [
        (server.objects[(POLICY, "", bound["spec"]["policyName"])], bound)
        for bound in server.of(f"{POLICY}Binding")
        if "Deny" in bound["spec"]["validationActions"]
        and (POLICY, "", bound["spec"]["policyName"]) in server.objects
        and server.minor >= 26
    ]


def refuses(server: Server, pod: Raw, operation: str, resource: str) -> bool:
    """Whether a policy refuses a pod."""
    space = pod["metadata"]["namespace"]
    for policy, bound in armed(server):
        (rule,) = policy["spec"]["matchConstraints"]["resourceRules"]
        if operation not in rule["operations"] or resource not in rule["resources"]:
            continue
        selected = bound["spec"].get("matchResources", {}).get("namespaceSelector")
        if selected and selected["matchLabels"]["kubernetes.io/metadata.name"] != space:
            continue
        looked = list(pod["spec"]["containers"])
        if any(one["expression"] == _DEBUG for one in policy["spec"]["validations"]):
            looked += pod["spec"].get("ephemeralContainers", ())
        if any((one.get("securityContext") or {}).get("privileged") for one in looked):
            return True
    return False


def exempt(server: Server, space: str) -> bool:
    """Whether Pod Security does not look at a namespace."""
    return any(space in one["exemptions"]["namespaces"] for one in server.of(EXEMPT))


def harmless(server: Server) -> list[tuple[str, str, str, Raw | None]]:
    """The requests that disarm policies: verb, resource, name, object."""
    found: list[tuple[str, str, str, Raw | None]] = []
    for policy, bound in armed(server):
        name = bound["metadata"]["name"]
        found += [("delete", PLURALS[0], policy["metadata"]["name"], None)]
        found += [("delete", PLURALS[1], name, None)]
        body = {**bound, "spec": {**bound["spec"], "validationActions": ["Audit"]}}
        found += [(verb, PLURALS[1], name, body) for verb in ("update", "patch")]
    return found
