"""A gate as people run it, a ledger to judge by, and objects and reviews to judge."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
from tests.support.command import SRC
from tests.support.ports import free_port as free_port

from martello.cli.images.keeping import issuer_of
from martello.core.approval import APPROVE, DENY, NEVER, Judgement, Reason
from martello.core.vulnerability import Data
from martello.practices.images.attest.keys import PrivateKey, new_key, private_key
from martello.practices.images.policy import ImagePolicy
from martello.store import approvals
from martello.store.state import open_state

LATER: Final = 4_000_000_000_000_000
GOOD, BAD, NEW, NEXT = (f"sha256:{c * 64}" for c in "abcd")
KINDS: Final = {
    "Pod": ("v1", ()),
    "ReplicationController": ("v1", ("spec", "template")),
    "PodTemplate": ("v1", ("template",)),
    "Deployment": ("apps/v1", ("spec", "template")),
    "StatefulSet": ("apps/v1", ("spec", "template")),
    "DaemonSet": ("apps/v1", ("spec", "template")),
    "ReplicaSet": ("apps/v1", ("spec", "template")),
    "Job": ("batch/v1", ("spec", "template")),
    "CronJob": ("batch/v1beta1", ("spec", "jobTemplate", "spec", "template")),
}


class Ledger:
    """A ledger in a directory, with the key that writes it."""

    def __init__(self, directory: Path, policy: ImagePolicy) -> None:
        self.file = directory / "state.db"
        self.url = f"sqlite:///{self.file}"
        self.policy = policy
        pem, public = new_key()
        self.key: PrivateKey = private_key(pem, "release.pem")
        self.public = directory / "release.pub"
        self.public.write_bytes(public)
        self.issuer = issuer_of(self.key.public)
        self.trusted = {self.issuer: (self.key.public,)}

    def decide(self, digest: str, outcome: str = APPROVE, why: str = "") -> None:
        """Adds a row."""
        reasons = (Reason("IMG-001", "openssl", why),) if why else ()
        judgement = Judgement(
            image="web",
            digest=digest,
            policy=self.policy.name,
            policy_hash=self.policy.hash,
            outcome=outcome,
            reasons=reasons,
            at=1,
            not_after=NEVER if outcome == DENY else LATER,
            data=Data("sha256:1"),
        )
        with open_state(self.url) as state:
            approvals.append(state, self.issuer, [judgement], self.key)

    def resolve(self, name: str, digest: str) -> None:
        """Says what a tag means."""
        with open_state(self.url) as state:
            approvals.resolved(state, name, digest, LATER)


def made(kind: str, spec: dict[str, Any], name: str = "web", space: str = "shop") -> dict[str, Any]:
    """An object of a kind with this pod spec, as the API server takes it."""
    version, path = KINDS[kind]
    metadata: dict[str, Any] = {"name": name, "namespace": space}
    head = {"apiVersion": version, "kind": kind, "metadata": metadata}
    if not path:
        return {**head, "spec": spec}
    if kind in ("Job", "CronJob"):
        spec = {"restartPolicy": "Never", **spec}
    labels = {"app": name}
    inner: dict[str, Any] = {"metadata": {"labels": labels}, "spec": spec}
    if kind == "PodTemplate":
        return {**head, "template": inner}
    if kind == "CronJob":
        return {
            **head,
            "spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": inner}}},
        }
    outer: dict[str, Any] = {"template": inner}
    if kind == "ReplicationController":
        outer["selector"] = labels
    elif kind != "Job":
        outer["selector"] = {"matchLabels": labels}
    if kind == "StatefulSet":
        outer["serviceName"] = name
    return {**head, "spec": outer}


def containers(*images: str, key: str = "containers") -> dict[str, Any]:
    """A pod spec with these images."""
    return {key: [{"name": f"{key[0]}{n}", "image": image} for n, image in enumerate(images)]}


def review(
    raw: dict[str, Any] | None,
    operation: str = "CREATE",
    old: dict[str, Any] | None = None,
    **parts: Any,
) -> dict[str, Any]:
    """An AdmissionReview of an object."""
    some = raw or old or {}
    group, _, version = some["apiVersion"].rpartition("/")
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "operation": operation,
        "kind": {"group": group, "version": version, "kind": some["kind"]},
        "resource": {"group": group, "version": version, "resource": some["kind"].lower() + "s"},
        "name": some["metadata"].get("name", ""),
        "namespace": some["metadata"].get("namespace", ""),
        "userInfo": {"username": "ana", "groups": ["dev"]},
        "object": raw,
        "oldObject": old,
        "dryRun": False,
        **parts,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def encoded(value: Any) -> bytes:
    """JSON as bytes."""
    return json.dumps(value).encode()


class Gate:
    """`martello gate serve` as a process."""

    def __init__(self, directory: Path, words: Sequence[str], port: int) -> None:
        self.data = directory
        self.port = port
        self.url = f"https://127.0.0.1:{port}"
        self._log = directory / "gate.log"
        self._words = [
            *("gate", "serve", "--listen", f"127.0.0.1:{port}", "--name", "127.0.0.1"),
            *("--data", str(directory), *words),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Starts it, and waits until it is ready."""
        dead = "http://127.0.0.1:9"  # where no registry could ever be asked
        environment = {
            **os.environ,
            "PYTHONPATH": str(SRC),
            "HTTPS_PROXY": dead,
            "HTTP_PROXY": dead,
            "HOME": str(self.data),
        }
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "martello.cli.main", *self._words],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(httpx.TransportError, FileNotFoundError, ssl.SSLError):
                if self.get("/readyz").status_code == 200:
                    return
            time.sleep(0.1)
        raise AssertionError(f"the gate did not become ready:\n{self.log}")

    @property
    def log(self) -> str:
        """What it has said."""
        return self._log.read_text()

    def get(self, path: str) -> httpx.Response:
        """A page of it."""
        trust = ssl.create_default_context(cafile=str(self.data / "ca.crt"))
        with httpx.Client(verify=trust, trust_env=False, timeout=5) as client:
            return client.get(self.url + path)

    def send(self, sig: int) -> None:
        """Sends it a signal."""
        assert self._process is not None
        self._process.send_signal(sig)

    def end(self, sig: int = signal.SIGKILL) -> int:
        """Ends it; the exit code."""
        assert self._process is not None
        self._process.send_signal(sig)
        return self._process.wait(20)


@contextlib.contextmanager
def running(directory: Path, *words: str) -> Iterator[Gate]:
    """A gate for as long as it is needed."""
    directory.mkdir(parents=True, exist_ok=True)
    gate = Gate(directory, words, free_port())
    try:
        yield gate
    finally:
        gate.end()
