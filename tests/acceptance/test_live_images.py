"""`martello image scan --running`: what the pods of a real API server run, and their secrets."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.support import shop
from tests.support.apiserver import ApiServer
from tests.support.command import Done
from tests.support.forked import martello
from tests.support.images import Image, image, layer, write_layout
from tests.support.registry import Missing, running, skopeo

pytestmark = pytest.mark.apiserver

SPACE = "images-live"
USER, PASSWORD = "puller", "hunter2-not-shown"
OTHER = image(layer({"etc/os-release": shop.RELEASE, "var/lib/dpkg/status": shop.STATUS}))


class Live(NamedTuple):
    """A cluster, a registry that wants a password, a directory with a database."""

    server: ApiServer
    place: Path
    registry: str

    def run(self, *words: str, user: str = "admin", env: Mapping[str, str] | None = None) -> Done:
        """An image command against the cluster."""
        own = {
            "MARTELLO_DATABASE": str(self.place / "advisories.db"),
            "MARTELLO_STATE": f"sqlite:///{self.place / 'state.db'}",
            "HOME": str(self.place / "home"),
            **(env or {}),
        }
        config = self.server.kubeconfig(user)
        return martello(*words, kubeconfig=config, cwd=self.place, env=own)


@pytest.fixture(scope="module")
def live(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    place = tmp_path_factory.mktemp("live-images")
    shop.database(place)
    images: dict[str, Image] = {"api:1": shop.both(), "web:1": OTHER, "mail:1": shop.shop()}
    try:
        with running(users={USER: PASSWORD}) as registry:
            for name, made in images.items():
                write_layout(place / "build", {"1": made})
                skopeo(
                    *("copy", "--all", "--dest-tls-verify=false"),
                    *("--dest-creds", f"{USER}:{PASSWORD}"),
                    f"oci:{place / 'build'}:1",
                    f"docker://{registry.url}/shop/{name}",
                )
            fill(apiserver, registry.url)
            yield Live(apiserver, place, registry.url)
    except Missing as missing:
        pytest.skip(str(missing))


def fill(server: ApiServer, registry: str) -> None:
    """Pods whose nodes name an index, an image and a configuration; two of a ReplicaSet."""
    wrong = pull_secret("wrong", registry, "somebody", "else")
    right = pull_secret("right", registry, USER, PASSWORD)
    server.apply(
        [
            wrong,
            right,
            _object("ServiceAccount", "mailer", imagePullSecrets=[{"name": "right"}]),
            _object("Secret", "broken", type="Opaque", data={"x": "eA=="}),
            {
                **_object("ReplicaSet", "api", version="apps/v1"),
                "spec": {
                    "replicas": 2,
                    "selector": {"matchLabels": {"app": "api"}},
                    "template": {
                        "metadata": {"labels": {"app": "api"}},
                        "spec": {"containers": [{"name": "c", "image": f"{registry}/shop/api:1"}]},
                    },
                },
            },
        ]
    )
    owner = server.request("GET", f"/apis/apps/v1/namespaces/{SPACE}/replicasets/api")
    index, child = shop.both().digest, shop.shop().digest
    secrets = ["wrong", "right"]  # both are tried, in order
    for number in (1, 2):
        name = f"api-{number}"
        node_says = f"docker-pullable://{registry}/shop/api@{index if number == 1 else child}"
        pod(server, name, f"{registry}/shop/api:1", node_says, secrets, owner=owner["metadata"])
    config = OTHER.image.config.digest
    pod(server, "web", f"{registry}/shop/web:1", f"docker://{config}", ["right"])
    mail = f"{registry}/shop/mail@{child}"
    pod(server, "mail", f"{registry}/shop/mail:1", mail, [], account="mailer")
    gone = f"{registry}/shop/gone@sha256:{'9' * 64}"
    pod(server, "ended", f"{registry}/shop/gone:1", gone, [], phase="Succeeded")


def pod(
    server: ApiServer,
    name: str,
    image: str,
    node_says: str,
    secrets: list[str],
    *,
    owner: Mapping[str, Any] | None = None,
    account: str = "default",
    phase: str = "Running",
) -> None:
    """A pod, with the status that a kubelet would write."""
    body = _object("Pod", name)
    if owner is not None:
        reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": True}
        named = {"name": owner["name"], "uid": owner["uid"]}
        body["metadata"]["ownerReferences"] = [{**reference, **named}]
    body["spec"] = {
        "serviceAccountName": account,
        "imagePullSecrets": [{"name": secret} for secret in secrets],
        "containers": [{"name": "c", "image": image}],
    }
    server.apply([body])
    state = {"name": "c", "image": image, "imageID": node_says, "ready": True, "restartCount": 0}
    status = {"phase": phase, "containerStatuses": [state]}
    path = f"/api/v1/namespaces/{SPACE}/pods/{name}"
    there = server.request("GET", path)
    server.request("PUT", f"{path}/status", {**there, "status": status})


def pull_secret(name: str, registry: str, user: str, password: str) -> dict[str, Any]:
    """A Secret as `kubectl create secret docker-registry` makes it."""
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    content = json.dumps({"auths": {registry: {"auth": auth}}}).encode()
    packed = {".dockerconfigjson": base64.b64encode(content).decode()}
    return _object("Secret", name, type="kubernetes.io/dockerconfigjson", data=packed)


def _object(kind: str, name: str, *, version: str = "v1", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": SPACE}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def names(done: Done) -> dict[str, list[str]]:
    """The images of a report by digest, with what runs them."""
    return {one["digest"]: one["usedBy"] for one in done.report["images"]}


def test_each_digest_that_runs_is_scanned_once_with_what_runs_it(live: Live) -> None:
    done = live.run("image", "scan", "--running", "-n", SPACE, "-o", "json")
    assert done.code == 1, done
    assert done.report["unassessed"] == []
    found = names(done)
    arm = next(d for d in found if d not in (shop.shop().digest, OTHER.digest))
    assert found == {
        shop.shop().digest: [f"{SPACE}/ReplicaSet/api", f"{SPACE}/Pod/mail"],
        arm: [f"{SPACE}/ReplicaSet/api"],
        OTHER.digest: [f"{SPACE}/Pod/web"],
    }
    assert PASSWORD not in done.out + done.err
    screen = live.run("image", "scan", "--running", "-n", SPACE)
    assert f"runs in {SPACE}/ReplicaSet/api" in screen.out


def test_then_a_scan_of_the_cluster_knows_what_its_pods_run(live: Live) -> None:
    assert live.run("image", "scan", "--running", "-n", SPACE).code == 1
    done = live.run("scan", "cluster", "-n", SPACE, "-o", "json")
    hit = {
        f["object"]["name"] for f in done.report["findings"] if f["check"] in ("IMG-001", "IMG-003")
    }
    assert hit == {"api", "mail", "web"}


def test_a_pull_secret_that_may_not_be_read_makes_its_image_unassessed(live: Live) -> None:
    rules = [
        {"apiGroups": [""], "resources": ["pods", "serviceaccounts"], "verbs": ["list"]},
        {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["list"]},
    ]
    rbac = "rbac.authorization.k8s.io"
    reference = {"apiGroup": rbac, "kind": "Role", "name": "pods"}
    subjects = [{"apiGroup": rbac, "kind": "User", "name": "half"}]
    role = _object("Role", "pods", version=f"{rbac}/v1", rules=rules)
    bound = {"roleRef": reference, "subjects": subjects}
    live.server.apply([role, _object("RoleBinding", "pods", version=f"{rbac}/v1", **bound)])
    done = live.run("image", "scan", "--running", "-n", SPACE, user="half")
    assert done.code in (3, 4), done
    text = done.out + done.err
    assert "get secret right in namespace images-live was refused (403)" in " ".join(text.split())
    assert "half holds no rule for it" in " ".join(text.split())


def test_what_cannot_be_pulled_is_unassessed_and_the_rest_is_told(live: Live) -> None:
    gone = f"{live.registry}/shop/gone@sha256:{'9' * 64}"
    pod(live.server, "gone", f"{live.registry}/shop/gone:1", gone, ["broken", "absent"])
    try:
        done = live.run(
            "image", "scan", "--running", "-n", SPACE, "-o", "json", "--fail-on", "never"
        )
    finally:
        live.server.request("DELETE", f"/api/v1/namespaces/{SPACE}/pods/gone?gracePeriodSeconds=0")
    assert done.code == 3
    assert len(done.report["images"]) == 3
    (missing,) = done.report["unassessed"]
    assert f"{SPACE}/absent" in missing["reason"]
    assert "neither .dockerconfigjson nor .dockercfg" in missing["reason"]
    assert missing["location"]["file"] == f"{live.registry}/shop/gone:1"
