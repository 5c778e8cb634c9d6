"""The object as the API server presents it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.support.apiserver import ApiServer
from tests.support.policies import asked, binding, pod, resource, vap, world_of

from martello.catalogue.policy.admitted import admitted, request_for

# Set by the server for each object, or by what this server version lacks.
_SERVERS = ("uid", "creationTimestamp", "managedFields", "generation", "resourceVersion")


def deployment(**spec: Any) -> dict[str, Any]:
    labels = {"app": "web"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "c", "image": "nginx", "resources": {}}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }


def container(**fields: Any) -> dict[str, Any]:
    return pod(namespace="default", containers=[{"name": "c", "image": "nginx:1", **fields}])


SNIPPETS: list[dict[str, Any]] = [
    pod(namespace="default"),
    pod(namespace="default", hostNetwork=False, hostPID=False, nodeName=""),
    pod(namespace="default", hostNetwork=True),
    pod(namespace="default", shareProcessNamespace=False, automountServiceAccountToken=False),
    pod(namespace="default", tolerations=[], volumes=[], nodeSelector={}),
    pod(namespace="default", securityContext={"runAsNonRoot": False, "sysctls": []}),
    pod(namespace="default", volumes=[{"name": "a"}, {"name": "b", "emptyDir": {}}]),
    pod(
        namespace="default", volumes=[{"name": "a", "configMap": {"name": "x", "optional": False}}]
    ),
    container(securityContext={"privileged": False, "capabilities": {"add": [], "drop": ["ALL"]}}),
    container(tty=False, stdin=False, command=[], workingDir="", env=[]),
    container(ports=[{"containerPort": 80, "hostPort": 0, "name": ""}]),
    container(resources={"limits": {"cpu": 0.5, "memory": "1024Mi"}}),
    container(resources={"limits": {"cpu": "2000m"}, "requests": {"memory": "0.5Gi"}}),
    container(resources={"limits": {"cpu": 1, "memory": "1Gi"}}),
    container(livenessProbe={"httpGet": {"port": 80}, "initialDelaySeconds": 0}),
    container(readinessProbe={"exec": {"command": ["a"]}, "timeoutSeconds": 0}),
    container(env=[{"name": "a", "value": ""}, {"name": "b"}]),
    container(
        env=[{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    ),
    container(volumeMounts=[], terminationMessagePath="/x"),
    {**pod(namespace="default"), "status": {"phase": "Running"}},
    deployment(),
    deployment(replicas=0, paused=False, minReadySeconds=0),
    deployment(strategy={"type": "Recreate"}),
    deployment(strategy={"rollingUpdate": {"maxSurge": 1}}),
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {}},
    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"k": "v"}},
    {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "a", "annotations": {}, "labels": {"x": ""}},
        "automountServiceAccountToken": False,
        "secrets": [],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "a"},
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [
            {"kind": "User", "name": "u"},
            {"kind": "ServiceAccount", "name": "s", "namespace": "n"},
        ],
    },
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "a"},
        "spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80}], "from": []}]},
    },
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "a"},
        "spec": {"podSelector": {}, "egress": [{}]},
    },
]


def placed(raw: dict[str, Any]) -> dict[str, Any]:
    raw = copy.deepcopy(raw)
    raw["metadata"].setdefault("namespace", "default")
    return raw


def comparable(raw: Any, path: str = "") -> Any:
    """Without what only a running server knows, and what 1.20 does not have or still writes."""
    if isinstance(raw, list):
        return [comparable(v, path) for v in raw]
    if not isinstance(raw, dict):
        return raw
    left_out = {"creationTimestamp"}
    if path == ".metadata":
        left_out |= set(_SERVERS)
    if path == ".spec" and raw.get("containers") is not None:
        left_out |= {"serviceAccount", "serviceAccountName"}  # the plugin is off there
    return {k: comparable(v, f"{path}.{k}") for k, v in raw.items() if k not in left_out}


@pytest.mark.apiserver
def test_the_form_is_the_real_servers(apiserver: ApiServer) -> None:
    for raw in map(placed, SNIPPETS):
        answer = apiserver.request("POST", f"{apiserver.collection(raw)}?dryRun=All", raw)
        assert comparable(admitted(resource(raw))) == comparable(answer), raw


def test_zero_values_vanish_unless_they_are_pointers() -> None:
    raw = pod(hostNetwork=False, automountServiceAccountToken=False)
    raw["spec"]["containers"][0]["securityContext"] = {"privileged": False}
    spec = admitted(resource(raw))["spec"]
    assert "hostNetwork" not in spec
    assert spec["automountServiceAccountToken"] is False
    assert spec["containers"][0]["securityContext"] == {"privileged": False}
    assert spec["containers"][0]["resources"] == {}


def test_unknown_fields_are_gone() -> None:
    raw = {**pod(extra=1), "more": {}}
    shown = admitted(resource(raw))
    assert "more" not in shown
    assert "extra" not in shown["spec"]


def test_a_template_gets_less_than_a_pod() -> None:
    raw = deployment()
    limits = {"limits": {"cpu": 1}}
    raw["spec"]["template"]["spec"]["containers"][0]["resources"] = limits
    spec = admitted(resource(raw))["spec"]["template"]["spec"]
    assert spec["containers"][0]["resources"] == {"limits": {"cpu": "1"}}
    assert "serviceAccountName" not in spec
    alone = pod(containers=[{"name": "c", "image": "x", "resources": limits}])
    shown = admitted(resource(alone))["spec"]
    assert shown["containers"][0]["resources"]["requests"] == {"cpu": "1"}
    assert shown["serviceAccountName"] == "default"


def test_the_input_is_never_changed() -> None:
    for raw in SNIPPETS:
        before = copy.deepcopy(raw)
        admitted(resource(raw))
        assert raw == before


def test_what_no_server_would_read_and_custom_kinds_stay() -> None:
    for raw in (
        pod(hostNetwork="yes"),
        {
            "apiVersion": "example.com/v1",
            "kind": "Mesh",
            "metadata": {"name": "a"},
            "spec": {"a": ""},
        },
    ):
        assert admitted(resource(raw)) is raw


def test_policies_see_that_form() -> None:
    policy = vap(validations=[{"expression": "!has(object.spec.hostNetwork)"}])
    raw = pod(hostNetwork=False)
    assert len(asked([policy, binding()], raw).rulings) == 1
    request = request_for(resource(raw), world_of())
    assert request.object is not None
    assert "hostNetwork" not in request.object["spec"]


def test_an_object_without_namespace_lands_in_default() -> None:
    raw = pod()
    del raw["metadata"]["namespace"]
    request = request_for(resource(raw), world_of())
    assert request.namespace == "default"
    assert request.object is not None
    assert request.object["metadata"]["namespace"] == "default"
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}
    assert request_for(resource(node), world_of()).namespace == ""
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "s"}}
    assert request_for(resource(space), world_of()).namespace == "s"
