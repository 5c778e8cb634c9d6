"""A whole Kubernetes with running pods, for the tests of `make test-cluster`.

`MARTELLO_CLUSTER` names the program that makes one: `up DIR --nodes N` prints the kubeconfig,
`exec DIR NODE COMMAND…` runs inside a node's network, `down DIR` ends it all; `CLUSTER_NAME` and
`CLUSTER_NET` keep two of them apart.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

# Connects to each address and port of its input, all at once: a refusal got there and back.
_PROBE = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def probe(target):
    try:
        with socket.create_connection(tuple(target), timeout=0.7):
            return "open"
    except ConnectionRefusedError:
        return "open"
    except OSError as error:
        return "shut" if isinstance(error, TimeoutError) else repr(error)
targets = json.load(sys.stdin)
with ThreadPoolExecutor(64) as pool:
    json.dump(list(pool.map(probe, targets)), sys.stdout)
"""


class Pod:
    """One running pod: what it is called, where it is, and the network namespace it lives in."""

    def __init__(self, raw: dict[str, Any], namespace_of: str) -> None:
        self.namespace: str = raw["metadata"]["namespace"]
        self.name: str = raw["metadata"]["name"]
        self.key = f"{self.namespace}/{self.name}"
        self.ip: str = raw["status"]["podIP"]
        self.node: str = raw["spec"]["nodeName"]
        self.host_network: bool = raw["spec"].get("hostNetwork", False)
        self.network = namespace_of

    def probe(self, targets: Sequence[tuple[str, int]]) -> list[str]:
        """`open` or `shut` for each address and port, tried from inside this pod's network."""
        done = subprocess.run(
            ["nsenter", f"--net={self.network}", sys.executable, "-c", _PROBE],
            input=json.dumps(list(targets)),
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        answers: list[str] = json.loads(done.stdout)
        return answers


class RealCluster:
    """One cluster that runs, until `real_cluster` ends it."""

    def __init__(self, program: Path, place: Path, name: str, net: str, nodes: int) -> None:
        self.program, self.place, self.name, self.net = program, place, name, net
        self.nodes = range(1, nodes + 1)
        self.env = {**os.environ, "CLUSTER_NAME": name, "CLUSTER_NET": net}
        self.kubeconfig = place / "kubeconfig"
        self.children: list[subprocess.Popen[bytes]] = []

    def call(self, *words: str, text: str = "") -> str:
        """Runs the program that makes clusters."""
        return _run([str(self.program), words[0], str(self.place), *words[1:]], text, self.env)

    def node(self, number: int, *command: str, text: str = "") -> str:
        """Runs a command in the network of a node."""
        return self.call("exec", str(number), *command, text=text)

    def kubectl(self, *words: str, text: str = "", config: Path | None = None) -> str:
        """Runs kubectl against this cluster, as its administrator or somebody else."""
        known = config or self.kubeconfig
        for _ in range(40):
            try:
                return _run(["kubectl", f"--kubeconfig={known}", *words], text, self.env)
            except AssertionError as error:
                if not refused(str(error)):
                    raise
                time.sleep(1)  # it is started again
        return _run(["kubectl", f"--kubeconfig={known}", *words], text, self.env)

    def person(self, name: str, role: str = "cluster-admin") -> Path:
        """A kubeconfig of somebody with a client certificate of the cluster's own authority, who
        may do what a role allows.
        """
        found = self.identity(name)
        rbac = "rbac.authorization.k8s.io"
        self.apply(
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": name},
                "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": role},
                "subjects": [{"apiGroup": rbac, "kind": "User", "name": name}],
            }
        )
        return found

    def identity(self, name: str, group: str = "", server: str = "") -> Path:
        """The kubeconfig of a user, by a certificate of the cluster's own authority."""
        certs = self.place / "certs"
        file = name.replace(":", "-")
        key, request, certificate = (certs / f"{file}.{end}" for end in ("key", "csr", "crt"))
        subject = f"/O={group}/CN={name}" if group else f"/CN={name}"
        new = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", subject]
        _run([*new, "-keyout", str(key), "-out", str(request)], "", self.env)
        sign = ["openssl", "x509", "-req", "-in", str(request), "-CA", str(certs / "ca.crt")]
        sign += ["-CAkey", str(certs / "ca.key"), "-set_serial", str(time.time_ns()), "-days", "2"]
        _run([*sign, "-out", str(certificate)], "", self.env)
        raw = json.loads(self.kubectl("config", "view", "--raw", "-o", "json"))
        user = {"client-certificate": str(certificate), "client-key": str(key)}
        raw["users"] = [{"name": "admin", "user": user}]
        if server:
            raw["clusters"][0]["cluster"]["server"] = server
        found = self.place / f"kubeconfig-{file}"
        found.write_text(json.dumps(raw))
        return found

    def identities(self) -> None:
        """Gives each part of the control plane an identity of its own, as clusters have it: they
        begin with the administrator's.
        """
        users = {"controller-manager": "kube-controller-manager", "scheduler": "kube-scheduler"}
        names = {part: (f"system:{user}", "") for part, user in users.items()}
        names |= {f"kubelet{n}": (f"system:node:node{n}", "system:nodes") for n in self.nodes}
        for part, (user, group) in names.items():
            told = self.place / "pid" / part
            pid = int(told.read_text())
            own = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
            config = self.identity(user, group, f"https://{self.net}.1.1:6443")
            place = f"n{part[-1]}" if group else "cp"
            command = ["nsenter", f"--net=/run/netns/{self.name}-{place}"]
            command += [
                f"--kubeconfig={config}" if w.startswith("--kubeconfig=") else w for w in own
            ]
            os.kill(pid, signal.SIGTERM)
            time.sleep(1)
            with (self.place / "log" / f"{part}.log").open("ab") as log:
                begun = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
            self.children.append(begun)
            told.write_text(str(begun.pid))

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Creates or changes objects."""
        kept = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "-f", "-", text=json.dumps(kept))

    def pods(self, wanted: int) -> list[Pod]:
        """The pods, once so many of them run."""
        for _ in range(120):
            raw = json.loads(self.kubectl("get", "pods", "-A", "-o", "json"))["items"]
            ready = [p for p in raw if _runs(p)]
            if len(ready) == wanted == len(raw):
                return [Pod(p, f"/proc/{self._pid(p)}/ns/net") for p in ready]
            time.sleep(1)
        raise AssertionError(
            f"{len(ready)} of {wanted} pods run: {self.kubectl('get', 'pods', '-A')}"
        )

    def _pid(self, raw: dict[str, Any]) -> str:
        container = raw["status"]["containerStatuses"][0]["containerID"].removeprefix(
            "containerd://"
        )
        node = raw["spec"]["nodeName"].removeprefix("node")
        socket = f"/run/{self.name}-n{node}/containerd.sock"
        tasks = _run(["ctr", "-a", socket, "-n", "k8s.io", "tasks", "ls"], "", self.env)
        return next(line.split()[1] for line in tasks.splitlines() if line.startswith(container))


def refused(text: str) -> bool:
    """Whether kubectl found no API server, or none that had time for it."""
    words = ("connection refused", "was refused", "handshake timeout", "reset by peer", "EOF")
    return any(one in text for one in words)


@contextmanager
def _kept_running(place: Path, network: str) -> Iterator[None]:
    """Starts the API server again where it ends: that of 1.20, built by a younger Go than its own,
    ends now and then while it writes JSON.
    """
    told = place / "pid" / "apiserver"
    first = int(told.read_text())
    own = Path(f"/proc/{first}/cmdline").read_bytes().decode().split("\0")[:-1]
    command = ["nsenter", f"--net=/run/netns/{network}", *own]
    ending = threading.Event()
    later: list[subprocess.Popen[bytes]] = []

    def alive() -> bool:
        if later:
            return later[-1].poll() is None
        try:
            return b"\nState:\tZ" not in Path(f"/proc/{first}/status").read_bytes()
        except OSError:
            return False

    def watch() -> None:
        while not ending.wait(0.2):
            if not alive():
                with (place / "log" / "apiserver.log").open("ab") as log:
                    begun = subprocess.Popen(
                        command, stdout=log, stderr=log, stdin=subprocess.DEVNULL
                    )
                later.append(begun)
                told.write_text(str(begun.pid))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
        for one in later:
            one.kill()
            one.wait()


@contextmanager
def real_cluster(
    place: Path, *, nodes: int, name: str, net: str, arguments: Sequence[str] = ()
) -> Iterator[RealCluster]:
    """A cluster for the time of a test, whose API server has more arguments. What lies in its
    directory before (audit-policy.yaml) is used. Skips where nothing can make one.
    """
    program = Path(os.environ.get("MARTELLO_CLUSTER") or "/nonexistent")
    if not program.is_file():
        pytest.skip("no real cluster: make test-cluster, with MARTELLO_CLUSTER=PROGRAM")
    if os.geteuid() != 0:
        pytest.skip("a real cluster needs root")
    cluster = RealCluster(program, place, name, net, nodes)
    try:
        more = [f"--apiserver-arg={one}" for one in arguments]
        cluster.call("up", "--nodes", str(nodes), *more)
        with _kept_running(place, f"{name}-cp"):
            yield cluster
    finally:
        cluster.call("down")
        for one in cluster.children:
            one.kill()
            one.wait()
        shutil.rmtree(place, ignore_errors=True)


def _runs(raw: dict[str, Any]) -> bool:
    statuses = raw.get("status", {}).get("containerStatuses") or [{}]
    return all(status.get("ready") for status in statuses) and "podIP" in raw["status"]


def _run(command: list[str], text: str, env: Mapping[str, str]) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
