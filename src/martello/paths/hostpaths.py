"""Which paths of a node give it away, by what lies there."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Final

SOCKETS: Final = (
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/docker.sock",
    "/run/dockershim.sock",
    "/run/cri-dockerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/buildkit/buildkitd.sock",
)
# Written, each of these gives code or credentials of root on the node.
WRITTEN: Final = (
    *("/etc", "/root", "/home", "/boot", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/dev"),
    *("/etc/cni", "/etc/cron.d", "/etc/kubernetes", "/etc/ld.so.preload", "/etc/pam.d"),
    *("/etc/passwd", "/etc/profile.d", "/etc/shadow", "/etc/ssh", "/etc/sudoers.d", "/etc/systemd"),
    *("/opt/cni/bin", "/proc", "/run/systemd", "/sys", "/usr/bin", "/usr/local/bin", "/usr/sbin"),
    *("/usr/lib/systemd", "/usr/libexec/kubernetes", "/var/lib/cloud", "/var/lib/containerd"),
    *("/var/lib/docker", "/var/lib/etcd", "/var/lib/kubelet", "/var/lib/rancher"),
    *("/var/spool/cron", "/etc/crontab", "/etc/sudoers", "/var/lib/containers"),
)
# Read, each of these shows a credential of the node or of its administrators.
READ: Final = (
    *("/etc", "/root", "/home", "/etc/kubernetes", "/etc/shadow", "/etc/ssh", "/proc", "/dev"),
    *("/var/lib/kubelet", "/var/lib/etcd", "/var/lib/rancher", "/root/.kube", "/root/.ssh"),
    *("/var/lib/cloud", "/var/lib/docker", "/var/lib/containerd", "/root/.aws", "/run/secrets"),
)
# What is inside of these is as telling as they are.
_DEEP: Final = (
    *("/root", "/home", "/etc/kubernetes", "/etc/ssh", "/etc/cron.d", "/etc/systemd"),
    *("/var/lib/etcd", "/var/lib/rancher", "/etc/pam.d", "/etc/sudoers.d", "/opt/cni/bin"),
    *("/usr/bin", "/usr/sbin", "/usr/local/bin", "/bin", "/sbin", "/boot", "/var/spool/cron"),
    *("/var/lib/kubelet/pki", "/var/lib/docker", "/etc/cni", "/usr/lib/systemd", "/run/systemd"),
)
PODS: Final = "/var/lib/kubelet/pods"


def normal(path: str) -> str:
    """A path without dots and doubled slashes; /var/run is /run."""
    found = posixpath.normpath("/" + path.lstrip("/"))
    if found == "/var/run" or found.startswith("/var/run/"):
        found = found[4:]
    return found


def holds(path: str, target: str) -> bool:
    """Whether the target is the path or lies beneath it."""
    return path == "/" or target == path or target.startswith(path + "/")


def traits_of(path: str, written: bool) -> Iterator[str]:
    """What a mount of this path is good for. A socket needs no writable mount."""
    path = normal(path)
    sockets = [normal(one) for one in SOCKETS]
    if any(holds(path, one) or path == one for one in sockets):
        yield "runtime socket"
    if holds(path, PODS) or holds(PODS, path):
        yield "kubelet pods"
    inside = any(holds(one, path) for one in _DEEP)
    if any(holds(path, normal(one)) for one in READ) or inside:
        yield "reads the node"
    if not written:
        return
    if holds(path, "/proc/sys/kernel"):
        yield "core pattern"
    if holds(path, "/var/log"):
        yield "node logs"
    if any(holds(path, normal(one)) for one in WRITTEN) or inside:
        yield "writes the node"
