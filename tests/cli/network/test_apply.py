"""A filter loaded by command, in a network namespace of the test: for a time, kept, or taken back;
and what open connections it ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.command import SRC
from tests.support.network.room import missing, routed

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())
WEB, DB = "10.94.0.1", "10.94.0.2"
WORLD = f"""
{{apiVersion: v1, kind: Node, metadata: {{name: n1}},
  status: {{addresses: [{{type: InternalIP, address: 10.94.9.1}}]}}}}
---
{{apiVersion: v1, kind: Namespace, metadata: {{name: shop}}}}
---
{{apiVersion: v1, kind: Pod, metadata: {{name: web, namespace: shop, labels: {{app: web}}}},
  spec: {{nodeName: n1, containers: [{{name: c, image: i}}]}}, status: {{podIP: {WEB}}}}}
---
{{apiVersion: v1, kind: Pod, metadata: {{name: db, namespace: shop, labels: {{app: db}}}},
  spec: {{nodeName: n1, containers: [{{name: c, image: i}}]}}, status: {{podIP: {DB}}}}}
---
{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: db, namespace: shop}},
  spec: {{podSelector: {{matchLabels: {{app: db}}}}, ingress: [{{ports: [{{port: 5432}}]}}]}}}}
"""
Firewall = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[tuple[str, list[str], Firewall]]:
    """A node with two pods, and the command run on it; what it keeps under /run lies elsewhere."""
    (tmp_path / "world.yaml").write_text(WORLD)
    (tmp_path / "run").mkdir()
    with routed([WEB, DB]) as (name, pods):

        def firewall(*words: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "martello.cli.main", "network", "firewall", *words]
            place = ["nsenter", f"--net=/run/netns/{name}", "unshare", "-m"]
            mounted = ["sh", "-c", 'mount --bind run /run && exec "$@"', "sh"]
            return subprocess.run(
                [*place, *mounted, *command],
                cwd=tmp_path,
                env={"PYTHONPATH": str(SRC), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )

        yield name, pods, firewall


def _tables(name: str) -> str:
    done = subprocess.run(
        ["ip", "netns", "exec", name, "nft", "-j", "list", "tables"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)["nftables"]
    return " ".join(sorted(one["table"]["name"] for one in found if "table" in one))


LOAD = ("n1", "--pods", "-f", "world.yaml", "--cni", "martello", "--apply")


def test_loaded_kept_and_taken_back(node: tuple[str, list[str], Firewall]) -> None:
    name, _, firewall = node
    loaded = firewall(*LOAD, "--confirm-within", "60s")
    assert loaded.returncode == 0, loaded.stderr
    assert "it is taken back in 60 s" in loaded.stderr
    assert _tables(name) == "martello"
    assert firewall(*LOAD).returncode == 1  # another change is pending
    back = firewall("--rollback")
    assert back.returncode == 0, back.stderr
    assert _tables(name) == ""
    assert firewall(*LOAD).returncode == 0
    assert firewall("--confirm").returncode == 0
    assert _tables(name) == "martello"
    assert firewall("--confirm").returncode == 1  # nothing is pending


def test_strict_ends_what_the_rules_deny(node: tuple[str, list[str], Firewall]) -> None:
    """An open connection to a port that is closed now; the one to the allowed port goes on."""
    name, (web, db), firewall = node
    # the kernel tracks connections only where some rule asks for their state
    subprocess.run(
        ["ip", "netns", "exec", name, "nft", "add table inet t; add chain inet t f"
         " { type filter hook forward priority 9 ; } ; add rule inet t f ct state new accept"],
        check=True,
    )  # fmt: skip
    held = "import socket, sys\n"
    serve = (
        held + "s = [socket.create_server(('', p)) for p in (5432, 9999)]\nprint('.', flush=1)\n"
    )
    talk = (
        held + f"c = [socket.create_connection(('{DB}', p), 5) for p in (5432, 9999)]\n"
        "print('.', flush=1)\nsys.stdin.read()\n"
    )
    opened = []
    try:
        for place, text in (
            (db, serve + "a = [x.accept() for x in s]\nsys.stdin.read()"),
            (web, talk),
        ):
            opened.append(
                subprocess.Popen(
                    ["ip", "netns", "exec", place, sys.executable, "-c", text],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            assert opened[-1].stdout is not None
            assert opened[-1].stdout.readline() == ".\n"
        loaded = firewall(*LOAD, "--strict")
        assert loaded.returncode == 0, loaded.stderr
        assert "ended: 1 open connections that the rules deny" in loaded.stderr
        tracked = subprocess.run(
            ["ip", "netns", "exec", name, "conntrack", "-L", "-p", "tcp"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert "dport=5432" in tracked
        assert "dport=9999" not in tracked
        assert firewall("--rollback").returncode == 0
    finally:
        for process in opened:
            process.kill()
            process.communicate()


def test_strict_is_for_pods(node: tuple[str, list[str], Firewall]) -> None:
    _, _, firewall = node
    refused = firewall("n1", "-f", "world.yaml", "--apply", "--strict")
    assert refused.returncode == 2
    assert refused.stderr.startswith("--strict goes with --pods")
