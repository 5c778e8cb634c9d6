"""A real kube-apiserver with its etcd, on loopback, in a directory of its own, for tests.

The binaries are found as envtest finds them: KUBEBUILDER_ASSETS names their directory.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
from tests.support.certificates import Authority, write_signing_key
from tests.support.ports import free_port

HOW: Final = (
    "no kube-apiserver: set KUBEBUILDER_ASSETS to a directory with kube-apiserver and etcd "
    "(`setup-envtest use -p path` prints one)"
)
# Users of the token file. What they may do is up to the test: RBAC knows none of them yet.
USERS: Final[Mapping[str, tuple[str, ...]]] = {
    "admin": ("system:masters",),
    "reader": ("readers",),
    "half": (),
    "nobody": (),
}
_READY_SECONDS: Final = 60.0


class Missing(Exception):
    """There are no control-plane binaries here; the message says how to get them."""


class ApiServer:
    """A running API server. `request` and `apply` act as the administrator."""

    def __init__(self, directory: Path, url: str, tokens: Mapping[str, str]) -> None:
        self.directory = directory
        self.url = url
        self.tokens = tokens
        self.authority: Authority
        self.pid = 0
        self.etcd_pid = 0
        self._client: httpx.Client
        self._plurals: dict[tuple[str, str], tuple[str, bool]] = {}

    @property
    def ca(self) -> Path:
        """The certificate file that clients trust."""
        return self.authority.file

    def open(self) -> None:
        """Opens the administrator's connection."""
        import ssl

        trust = ssl.create_default_context(cafile=str(self.ca))
        headers = {"Authorization": f"Bearer {self.tokens['admin']}"}
        self._client = httpx.Client(
            base_url=self.url, headers=headers, verify=trust, timeout=30, trust_env=False
        )

    def close(self) -> None:
        """Closes the administrator's connection."""
        self._client.close()

    def request(self, method: str, path: str, body: Any = None, *, check: bool = True) -> Any:
        """One call as the administrator; the parsed answer. A refusal fails the test."""
        answer = self._client.request(method, path, json=body)
        if check and answer.is_error:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    def apply(self, objects: Iterable[Mapping[str, Any]]) -> None:
        """Creates the objects, or replaces those that are there; makes their namespaces first."""
        wanted = [dict(o) for o in objects]
        wanted.sort(key=lambda o: o["kind"] not in ("Namespace", "CustomResourceDefinition"))
        here = {n["metadata"]["name"] for n in self.request("GET", "/api/v1/namespaces")["items"]}
        here.update(o["metadata"]["name"] for o in wanted if o["kind"] == "Namespace")
        for space in {o["metadata"].get("namespace", "default") for o in wanted} - here:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}
            self._write("/api/v1/namespaces", body)
        for wish in wanted:
            self._write(self.collection(wish), wish)

    def collection(self, wish: Mapping[str, Any]) -> str:
        """The path of the collection in which an object of this kind and namespace lies."""
        plural, namespaced = self._plural(wish["apiVersion"], wish["kind"])
        version = wish["apiVersion"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if namespaced:
            root += f"/namespaces/{wish['metadata'].get('namespace', 'default')}"
        return f"{root}/{plural}"

    def service_account_token(self, namespace: str, name: str) -> str:
        """A token of an existing service account, good for an hour."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": ["https://kubernetes.default.svc"], "expirationSeconds": 3600},
        }
        return str(self.request("POST", path, body)["status"]["token"])

    def kubeconfig(
        self,
        user: str | Mapping[str, Any] = "admin",
        *,
        context: str = "test",
        file: str = "",
        cluster: Mapping[str, Any] | None = None,
    ) -> Path:
        """Writes a kubeconfig: for a user of the token file, or with a `user:` stanza as given."""
        stanza = {"token": self.tokens[user]} if isinstance(user, str) else dict(user)
        server = {"server": self.url, "certificate-authority": str(self.ca)}
        text = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [{"name": context, "cluster": dict(cluster or server)}],
            "users": [{"name": f"{context}-user", "user": stanza}],
            "contexts": [
                {"name": context, "context": {"cluster": context, "user": f"{context}-user"}}
            ],
        }
        if not file:
            file = f"kubeconfig-{len(list(self.directory.glob('kubeconfig-*')))}"
        path = self.directory / file
        path.write_text(json.dumps(text))
        return path

    def _plural(self, version: str, kind: str) -> tuple[str, bool]:
        deadline = time.monotonic() + 10
        while (version, kind) not in self._plurals:
            root = f"/apis/{version}" if "/" in version else f"/api/{version}"
            known = self.request("GET", root, check=False)
            for entry in known.get("resources", ()):
                if "/" not in entry["name"]:
                    key = (version, entry["kind"])
                    self._plurals[key] = (entry["name"], entry["namespaced"])
            if time.monotonic() > deadline:
                raise AssertionError(f"{version} {kind} is not served")
            if (version, kind) not in self._plurals:  # a CRD is served a moment after its creation
                time.sleep(0.1)
        return self._plurals[(version, kind)]

    def _write(self, collection: str, body: Mapping[str, Any]) -> None:
        answer = self._client.post(collection, json=body)
        if answer.status_code == 409:
            path = f"{collection}/{body['metadata']['name']}"
            there = self.request("GET", path)
            revision = there["metadata"]["resourceVersion"]
            metadata = {**body["metadata"], "resourceVersion": revision}
            if body["kind"] == "Service":
                body = {**body, "spec": {**body["spec"], "clusterIP": there["spec"]["clusterIP"]}}
            self.request("PUT", path, {**body, "metadata": metadata})
        elif answer.is_error:
            raise AssertionError(f"{collection}: {answer.status_code} {answer.text}")


@contextlib.contextmanager
def run(
    *,
    users: Mapping[str, Sequence[str]] | None = None,
    arguments: Sequence[str] = (),
) -> Iterator[ApiServer]:
    """Starts etcd and kube-apiserver, waits until they are ready, and ends them by process id.

    `users` (name → groups) are added to USERS; `arguments` go to kube-apiserver. The admission
    plugin ServiceAccount is off, because nothing here makes the `default` accounts.
    """
    assets = binaries()
    with tempfile.TemporaryDirectory(prefix="martello-api-") as name, contextlib.ExitStack() as end:
        directory = Path(name)
        etcd_port, peer_port, port = (free_port() for _ in range(3))
        everybody = {**USERS, **(users or {})}
        tokens = {user: f"token-of-{user}-{os.urandom(8).hex()}" for user in everybody}
        server = ApiServer(directory, f"https://127.0.0.1:{port}", tokens)
        server.authority = Authority(directory)
        certificate, key = server.authority.server("apiserver", "127.0.0.1", "localhost")
        write_signing_key(directory / "sa.key")
        lines = [f'{tokens[u]},{u},{u},"{",".join(groups)}"\n' for u, groups in everybody.items()]
        (directory / "tokens.csv").write_text("".join(lines))
        server.etcd_pid = end.enter_context(
            _process(directory / "etcd.log", _etcd(assets, directory, etcd_port, peer_port))
        ).pid
        command = [
            str(assets / "kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{etcd_port}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            "--advertise-address=192.0.2.1",
            "--endpoint-reconciler-type=none",
            f"--cert-dir={directory}",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--client-ca-file={server.ca}",
            f"--token-auth-file={directory / 'tokens.csv'}",
            f"--service-account-key-file={directory / 'sa.key'}",
            f"--service-account-signing-key-file={directory / 'sa.key'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--api-audiences=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",
            "--allow-privileged=true",
            *arguments,
        ]
        log = directory / "apiserver.log"
        process = end.enter_context(_process(log, command))
        server.pid = process.pid
        server.open()
        end.callback(server.close)
        _wait(server, process, log)
        yield server


def binaries() -> Path:
    """The directory of kube-apiserver and etcd. Raises Missing where there is none."""
    named = os.environ.get("KUBEBUILDER_ASSETS")
    if not named:
        raise Missing(HOW)
    directory = Path(named)
    for binary in ("kube-apiserver", "etcd"):
        if shutil.which(binary, path=str(directory)) is None:
            raise Missing(f"{HOW}; {binary} is not in {directory}")
    return directory


def _etcd(assets: Path, directory: Path, port: int, peer_port: int) -> list[str]:
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
    return [
        str(assets / "etcd"),
        f"--data-dir={directory / 'etcd'}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
    ]


@contextlib.contextmanager
def _process(log: Path, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=log.parent
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(server: ApiServer, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(httpx.TransportError):
            # It says that it is ready before its own namespaces are there.
            asked = ("/readyz", "/api/v1/namespaces/default")
            if all(server._client.get(path).status_code == 200 for path in asked):
                return
        time.sleep(0.1)
    tail = log.read_text(errors="replace")[-2000:]
    raise AssertionError(f"kube-apiserver did not become ready:\n{tail}")
