"""Paths against a real API server: every request of a found path succeeds under impersonation, and
what is refuted is refused.
"""

from __future__ import annotations

import copy
import json
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.support.access.reviews import LABEL, review
from tests.support.apiserver import ApiServer
from tests.support.paths.exact import Compared
from tests.support.paths.replay import Replay
from tests.support.paths.server import RBAC, Request, Server, Who, account, person
from tests.support.paths.small import Small

from martello.paths.facts import facts
from martello.paths.model import Path, Proposition
from martello.paths.proof import Proofs
from martello.paths.reach import reach

pytestmark = pytest.mark.apiserver

WORLDS = range(20)
PATHS = 8  # of each world
_KEY = ec.generate_private_key(ec.SECP256R1())
_ASKED_ONLY = ("impersonate",)  # by a review: headers cannot be nested
_NO_KUBELET = ("pods/exec", "pods/attach", "nodes/proxy")
_ABSENT = ("pods/ephemeralcontainers",)  # not served by the oldest server that is tested
_SIGN = [{"type": "Approved", "status": "True", "reason": "test", "message": "test"}]


class Real:
    """A world in a real API server."""

    def __init__(self, server: ApiServer, small: Small) -> None:
        self.server = server
        self.small = small

    def reset(self) -> None:
        """The objects as they are in the world, and no others."""
        self.clear()
        for one in self.small.objects:
            if one["kind"] == "Namespace" or one["metadata"]["name"] == "cluster-admin":
                continue
            self.server.request("POST", _collection(one), _bodied(one))

    def clear(self) -> None:
        """Removes what tests have made."""
        api = f"/apis/{RBAC}/v1"
        places = [f"{api}/clusterrolebindings", f"{api}/clusterroles"]
        for space in ("a", "b"):
            self.server.request("POST", "/api/v1/namespaces", _namespace(space), check=False)
            here = f"/api/v1/namespaces/{space}"
            places += [f"{api}/namespaces/{space}/{one}" for one in ("rolebindings", "roles")]
            places += [f"{here}/{one}" for one in ("pods", "secrets", "serviceaccounts")]
            places += [f"/apis/apps/v1/namespaces/{space}/deployments"]
            places += [f"/apis/batch/v1/namespaces/{space}/jobs"]
        places += ["/apis/certificates.k8s.io/v1/certificatesigningrequests", "/api/v1/nodes"]
        for place in places:
            self.server.request(
                "DELETE",
                f"{place}?labelSelector={LABEL}&gracePeriodSeconds=0&propagationPolicy=Background",
            )

    def see(self, request: Request) -> bool:
        """Whether the authorizer has seen that a request is allowed; it watches."""
        return any(
            review(self.server, request.who.user, request.who.groups, request.attributes)
            for _ in range(20)
        )

    def send(self, request: Request) -> int:
        """The status of a request under impersonation."""
        method = {"create": "POST", "update": "PUT", "patch": "PATCH"}.get(request.verb, "GET")
        path, body = _path(request), None
        if request.body is not None:
            body = _bodied(request.body)
            if request.verb == "update":
                there = self.server.request("GET", path.removesuffix("/approval"), check=False)
                body = _merged(there, body)
        if request.resource == "serviceaccounts/token":
            body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
            body["spec"] = {"audiences": ["https://kubernetes.default.svc"]}
        if request.resource.endswith("/approval"):
            there = self.server.request("GET", path.removesuffix("/approval"), check=False)
            body = {**there, "status": {"conditions": _SIGN}}
        headers = [("Impersonate-User", request.who.user)]
        headers += [("Impersonate-Group", group) for group in request.who.groups]
        headers += [("Content-Type", "application/merge-patch+json")] if method == "PATCH" else []
        headers += [("Content-Type", "application/json")] if method in ("POST", "PUT") else []
        content = json.dumps(body) if body is not None else None
        client = self.server._client
        return client.request(method, path, headers=headers, content=content).status_code


def _namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _root(api: str) -> str:
    return f"/apis/{api}" if "/" in api else f"/api/{api}"


def _collection(one: dict[str, Any]) -> str:
    space = one["metadata"].get("namespace", "")
    where = f"/namespaces/{space}" if space else ""
    return f"{_root(one['apiVersion'])}{where}/{one['kind'].lower()}s"


def _path(request: Request) -> str:
    head, _, sub = request.resource.partition("/")
    plural, _, group = head.partition(".")
    where = f"/namespaces/{request.namespace}" if request.namespace else ""
    if plural == "namespaces":
        where = ""
    path = f"{_root(f'{group}/v1' if group else 'v1')}{where}/{plural}"
    if request.verb in ("list", "watch"):
        path += f"?fieldSelector=metadata.name%3D{request.name}&" if request.name else "?"
        return path + ("watch=1&timeoutSeconds=1" if request.verb == "watch" else "limit=5")
    path += f"/{request.name}" if request.name else ""
    path += f"/{sub}" if sub else ""
    return path + ("?command=id&container=main&stdout=1" if sub in ("exec", "attach") else "")


def _bodied(one: dict[str, Any]) -> dict[str, Any]:
    body = copy.deepcopy(one)
    labels = body["metadata"].get("labels") or {}
    body["metadata"]["labels"] = {**labels, LABEL: "yes"}
    if body["kind"] == "CertificateSigningRequest":
        user, groups = body["spec"]["subject"]
        body["spec"] = _signing(body["spec"]["signerName"], user, groups)
    if body["kind"] == "Deployment":
        body["spec"]["selector"] = {"matchLabels": {"app": "x"}}
        body["spec"]["template"]["metadata"] = {"labels": {"app": "x"}}
    if body["kind"] == "Job":
        body["spec"].pop("replicas", None)
        body["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    return body


def _signing(signer: str, user: str, groups: list[str]) -> dict[str, Any]:
    named = [x509.NameAttribute(x509.NameOID.COMMON_NAME, user)]
    named += [x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, group) for group in groups]
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(named))
    pem = made.sign(_KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    usages = ["digital signature", "key encipherment", "client auth"]
    return {"request": b64encode(pem).decode(), "signerName": signer, "usages": usages}


def _merged(there: Any, wish: Any) -> Any:
    """What is there with what is wished: lists of things by their place."""
    if isinstance(there, dict) and isinstance(wish, dict):
        return {**there, **{k: _merged(there.get(k), v) for k, v in wish.items()}}
    if isinstance(there, list) and isinstance(wish, list) and "image" in (wish or ({},))[0]:
        return [_merged(a, b) for a, b in zip(there, wish, strict=False)]
    return wish


def _paths(compared: Compared) -> Iterator[tuple[Path, list[Request]]]:
    """Paths of a world with many kinds of steps, and the requests of their execution."""
    known, doubts = compared.found()
    chosen: list[tuple[int, Path, list[Request]]] = []
    seen: Counter[str] = Counter()
    for name, who in compared.footholds.items():
        start = known.program.find(name)
        if start is None:
            continue
        proofs = Proofs(known.program, [start], without=doubts)
        for thing in compared.things:
            end = known.program.find(thing)
            if end is None or end == start or end not in proofs.cost:
                continue
            path = proofs.path(end)
            edges = {step.edge for step in path.steps}
            if all(seen[edge] > 1 for edge in edges):
                continue
            seen.update(edges)
            server = Server(compared.small.objects, compared.small.minor)
            Replay(server, name, who).run(path)
            chosen.append((len(edges), path, list(dict.fromkeys(map(_frozen, server.log)))))
    chosen.sort(key=lambda one: -one[0])
    yield from ((path, requests) for _, path, requests in chosen[:PATHS])


class _Frozen(Request):
    """A request that is the same as another by its words."""

    def __hash__(self) -> int:
        name = (self.body or {}).get("metadata", {}).get("name")
        return hash((*self[:5], name))

    def __eq__(self, other: object) -> bool:
        return hash(self) == hash(other)


def _frozen(request: Request) -> Request:
    return _Frozen(*request)


@pytest.fixture
def made(apiserver: ApiServer) -> Iterator[Callable[[Small], Real]]:
    """Puts worlds into the server; they are gone afterwards."""
    worlds: list[Real] = []

    def make(small: Small) -> Real:
        worlds.append(Real(apiserver, small))
        return worlds[-1]

    yield make
    for one in worlds:
        one.clear()


def test_the_paths_have_requests_of_many_kinds() -> None:
    worlds = [Compared(f"real{number}") for number in WORLDS]
    sent = [one for world in worlds for _, requests in _paths(world) for one in requests]
    assert len(sent) > 200
    assert len({(one.verb, one.resource) for one in sent}) >= 20


@pytest.mark.parametrize("number", WORLDS)
def test_requests_of_paths_succeed(made: Callable[[Small], Real], number: int) -> None:
    compared = Compared(f"real{number}")
    real = made(compared.small)
    for path, requests in _paths(compared):
        real.reset()
        for request in requests:
            node = request.who.user.startswith("system:node:")
            if request.resource in _ABSENT or node or request.resource == "nodes":
                continue
            asked = f"{path.foothold} to {path.goal}: {request}"
            assert real.see(request), asked
            if request.verb in _ASKED_ONLY:
                continue
            status = real.send(request)
            kubelet = request.resource in _NO_KUBELET
            done = status not in (401, 403) if kubelet else status in (200, 201, 409)
            assert done, f"{status} {asked}"


@pytest.mark.parametrize("number", WORLDS)
def test_what_is_refuted_is_refused(made: Callable[[Small], Real], number: int) -> None:
    """Whoever is held by a foothold gets nothing that is said to be out of its reach."""
    compared = Compared(f"real{number}")
    real = made(compared.small)
    real.reset()
    known = facts(compared.small.cluster())
    names = list(compared.footholds)
    who = reach(known.program, [known.program.id(one) for one in names])
    refused = 0
    for bit, _ in enumerate(names):
        held = [t for t in compared.things if _holds(known, who, t, bit)]
        if ("admin", "") in held:
            continue
        for thing in set(compared.things) - set(held):
            for one in held:
                caller, request = _whose(one), None
                if caller is not None:
                    request = _taking(caller, thing)
                if request is not None:
                    assert real.send(request) == 403, request
                    refused += 1
    assert refused


def _holds(known: Any, who: list[int], thing: Proposition, bit: int) -> bool:
    number = known.program.find(thing)
    return number is not None and bool(who[number] >> bit & 1)


def _whose(held: Proposition) -> Who | None:
    if held[0] == "account":
        return account(held[1], held[2])
    return person(held[1]) if held[0] == "user" else None


def _taking(who: Who, thing: Proposition) -> Request | None:
    """The plainest request that would give a thing."""
    if thing[0] == "secret":
        return Request(who, "get", "secrets", thing[1], thing[2])
    if thing[0] == "account":
        return Request(who, "create", "serviceaccounts/token", thing[1], thing[2])
    if thing[0] == "pods-of":
        space, _, name = thing[1].partition("/")
        return Request(who, "create", "pods/exec", space, name)
    return None
