"""What a cluster needs to ask the gate: webhook configurations, and the files for the API server's
own plug-in ImagePolicyWebhook. Written, never applied from here.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from martello.core.errors import BadInput

NAME: Final = "martello-images"
HOOK: Final = "images.martello.dev"
NAMESPACE: Final = "martello"
TIMEOUT: Final = 3  # seconds: leader election must fit two requests into ten
_SPACE: Final = "kubernetes.io/metadata.name"  # set by the API server from 1.21 on
# What brings images, and nothing else: groups, versions, resources, operations. Subresources are
# named, for a rule without them lets them pass: a Scale, a status brings no images.
_RULES: Final = (
    ("", ("v1",), ("pods", "replicationcontrollers", "podtemplates"), ("CREATE", "UPDATE")),
    ("", ("v1",), ("pods/ephemeralcontainers",), ("UPDATE",)),
    (
        "apps",
        ("v1",),
        ("deployments", "statefulsets", "daemonsets", "replicasets"),
        ("CREATE", "UPDATE"),
    ),
    ("batch", ("v1", "v1beta1"), ("jobs", "cronjobs"), ("CREATE", "UPDATE")),
)


class Where(msgspec.Struct, frozen=True):
    """Where the gate answers: a URL, or a Service (`namespace/name:port`)."""

    url: str = ""
    service: tuple[str, str, int] | None = None

    def client(self, path: str, authority: bytes) -> dict[str, Any]:
        """The clientConfig of a webhook."""
        bundle = {"caBundle": base64.b64encode(authority).decode()} if authority else {}
        if self.service is not None:
            namespace, name, port = self.service
            service = {"namespace": namespace, "name": name, "path": path, "port": port}
            return {"service": service, **bundle}
        return {"url": f"{self.url.rstrip('/')}{path}", **bundle}


def at_url(url: str) -> Where:
    """A gate outside the cluster. Raises BadInput: the API server takes https only."""
    try:
        parts = urlsplit(url)
        fine = parts.scheme == "https" and parts.hostname and parts.port != 0
    except ValueError:
        fine, parts = False, urlsplit("")
    if not fine or parts.query or parts.fragment or "@" in parts.netloc:
        why = "webhooks are called by https://HOST[:PORT], without user, query and fragment"
        raise BadInput(f"cannot use the URL {url[:200]!r}", why)
    return Where(url)


def at_service(text: str) -> Where:
    """A gate behind a Service, `namespace/name[:port]`. Raises BadInput."""
    namespace, slash, rest = text.partition("/")
    name, _, port = rest.partition(":")
    if not (namespace and slash and name and (port or "443").isdecimal()):
        raise BadInput(f"cannot use the service {text[:200]!r}", "NAMESPACE/NAME[:PORT] is meant")
    return Where(service=(namespace, name, int(port or "443")))


def webhooks(
    where: Where,
    authority: bytes,
    *,
    exempt: Sequence[str],
    fail_open: bool = False,
    pin: bool = True,
) -> tuple[dict[str, Any], ...]:
    """The webhook configurations: the validating one, and with `pin` the mutating one before it."""
    hooks = [("ValidatingWebhookConfiguration", "/validate")]
    if pin:
        hooks.insert(0, ("MutatingWebhookConfiguration", "/mutate"))
    return tuple(_hook(kind, where.client(p, authority), exempt, fail_open) for kind, p in hooks)


def _hook(
    kind: str, client: Mapping[str, Any], exempt: Sequence[str], fail_open: bool
) -> dict[str, Any]:
    hook: dict[str, Any] = {
        "name": HOOK,
        "clientConfig": dict(client),
        "rules": [_rule(*rule) for rule in _RULES],
        "matchPolicy": "Equivalent",
        "failurePolicy": "Ignore" if fail_open else "Fail",
        "sideEffects": "NoneOnDryRun",
        "timeoutSeconds": TIMEOUT,
        "admissionReviewVersions": ["v1"],
        "namespaceSelector": {
            "matchExpressions": [{"key": _SPACE, "operator": "NotIn", "values": sorted(exempt)}]
        },
    }
    if kind.startswith("Mutating"):
        hook["reinvocationPolicy"] = "IfNeeded"
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": NAME, "labels": {"app.kubernetes.io/name": "martello"}},
        "webhooks": [hook],
    }


def _rule(
    group: str, versions: Sequence[str], resources: Sequence[str], operations: Sequence[str]
) -> dict[str, Any]:
    return {
        "apiGroups": [group],
        "apiVersions": list(versions),
        "resources": list(resources),
        "operations": list(operations),
        "scope": "Namespaced",
    }


def admission_configuration(kubeconfig: str, *, fail_open: bool = False) -> dict[str, Any]:
    """The file for the API server's flag `--admission-control-config-file`; times are seconds, and
    milliseconds between tries. The answers are cached for so long: keep it short.
    """
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": [
            {
                "name": "ImagePolicyWebhook",
                "configuration": {
                    "imagePolicy": {
                        "kubeConfigFile": kubeconfig,
                        "allowTTL": 30,
                        "denyTTL": 5,
                        "retryBackoff": 500,
                        "defaultAllow": fail_open,
                    }
                },
            }
        ],
    }


def kubeconfig(where: Where, authority: bytes) -> dict[str, Any]:
    """The kubeconfig that the plug-in finds the gate by. It needs a URL: the API server resolves no
    Service here. Raises BadInput.
    """
    if not where.url:
        raise BadInput("ImagePolicyWebhook cannot call a Service", "", "name the gate by --url")
    server = where.client("/imagereview", authority)
    cluster = {"server": server["url"]}
    if authority:
        cluster["certificate-authority-data"] = server["caBundle"]
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "gate",
        "clusters": [{"name": "gate", "cluster": cluster}],
        "users": [{"name": "apiserver", "user": {}}],
        "contexts": [{"name": "gate", "context": {"cluster": "gate", "user": "apiserver"}}],
    }
