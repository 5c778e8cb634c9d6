"""Records of the probes as events, without a kernel: lost ones, reused numbers, hostile bytes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.events import judged

from martello.adapters.sensors.containers import Containers
from martello.adapters.sensors.decode import Decoder
from martello.adapters.sensors.pods import Pods, template
from martello.adapters.sensors.records import name, path, result, unescaped
from martello.adapters.sensors.shape import Event, Place
from martello.adapters.sensors.tree import Process, Tree, inhabits, looked_up

HOST, MOUNT, BOOT = 4_026_531_832, 4_026_532_999, 1_700_000_000_000_000_000
ID = "ab" * 32
SEEN = BOOT + 10**12


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    for pid in (500, 501):
        made = tmp_path / str(pid)
        made.mkdir()
        (made / "cgroup").write_text(f"0::/kubepods/burstable/pod{UID}/{ID}\n")
        (made / "stat").write_text(f"{pid} (web (x)) S 1 " + "0 " * 40)
        (made / "comm").write_text("web (x)\n")
        (made / "cmdline").write_bytes(b"web\0serve\0")
    return tmp_path


UID = "11111111-2222-3333-4444-555555555555"


def decoder(proc: Path) -> Decoder:
    known = Containers(Pods(), states=(), proc=str(proc), cgroups=str(proc / "none"))
    return Decoder(
        Place("c", "n", "boot"), known, host=HOST, boot=BOOT, proc=str(proc), tree=Tree(100)
    )


def line(*fields: object) -> bytes:
    text = "|".join(str(one) for one in fields)
    return b'{"type": "printf", "data": "' + text.encode() + b'\\n"}'


def hexed(text: bytes, size: int = 40) -> str:
    return text.ljust(size, b"\0").hex(" ")


def executed(
    at: int,
    pid: int,
    argv: bytes,
    *,
    ppid: int = 1,
    start: int = 0,
    told: bool = True,
    mount: int = MOUNT,
) -> list[bytes]:
    names = [hexed(one) for one in (b"sh", b"bin", b"/", b"/", b"/")]
    found = [
        line("X", at, pid, ppid, mount, 1, 0, 0, -1, "20666", 1, 1, 0, len(argv), start,
             hexed(b"sh", 16), hexed(b"", 16)),
        line("D", at + 1, pid, 0, *names),
    ]  # fmt: skip
    if told:
        found.append(line("A", at + 2, pid, 0, argv.hex(" ")))
    return found


def fed(one: Decoder, lines: list[bytes], seen: int = SEEN) -> list[Event]:
    return [judged(event) for told in lines for event in one.feed(told, seen)]


def test_an_exec_is_one_event_of_its_records(proc: Path) -> None:
    one = decoder(proc)
    events = fed(one, executed(5, 500, b"sh\0-c\0id\0"))
    assert len(events) == 1
    event = events[0]
    assert event["proc_argv"] == ["sh", "-c", "id"]
    assert event["proc_exe"] == "/bin/sh"
    assert event["container_id"] == ID
    assert event["pod_uid"] == UID
    assert event["time"] == BOOT + 5
    assert event["raw"].startswith("X|5|500|1|")


def test_e1_reading_again_gives_the_same_ids(proc: Path) -> None:
    lines = [*executed(5, 500, b"sh\0"), opened(9, 500, "/tmp/x")]
    first = [event["id"] for event in fed(decoder(proc), lines)]
    assert first == [event["id"] for event in fed(decoder(proc), lines)]
    assert len(set(first)) == 2


def opened(
    at: int, pid: int, path: str, flags: str = "241", told: str = "181a4", mount: int = MOUNT
) -> bytes:
    return line("O", at, pid, pid, mount, 1, 0, 3, flags, told, path)


def test_a_file_that_is_opened_where_a_container_was_is_not_the_container_s(proc: Path) -> None:
    """The number of its mount namespace is used again at once."""
    one = decoder(proc)
    (ran,) = fed(one, executed(5, 500, b"sh\0"))
    assert ran["container_id"] == ID
    fed(one, [line("Q", 6, 500, 0)])
    other = "cd" * 32
    (proc / "501" / "cgroup").write_text(f"0::/kubepods/burstable/pod{UID}/{other}\n")
    (told,) = fed(one, [opened(9, 501, "/etc/shadow", "0")])
    assert told["container_id"] == other


def test_records_that_are_lost_are_said(proc: Path) -> None:
    one = decoder(proc)
    assert fed(one, executed(5, 500, b"sh\0-c\0id\0", told=False)) == []
    late = [judged(event) for event in one.late(SEEN + 2 * 10**9)]
    assert [event["flags"] for event in late] == [["truncated"]]
    assert "proc_argv" not in late[0]
    lost = fed(one, [b'{"type": "lost_events", "data": {"events": 268}}'])[0]
    assert (lost["kind"], lost["action"], lost["ev_count"]) == ("gap", "lost", 268)
    assert one.lost == 268


@pytest.mark.parametrize("told", [b"X|nothing", b"Z|1|2", b"", b"O|1", b"D|1|2|9"])
def test_records_that_cannot_be_read_are_gaps(told: bytes, proc: Path) -> None:
    one = decoder(proc)
    found = fed(one, [b'{"type": "printf", "data": "' + told + b'\\n"}'])
    assert [(event["kind"], event["action"]) for event in found] == [("gap", "unread")]
    assert one.unread == 1


@given(st.binary(max_size=300))
def test_any_line_is_an_event_a_gap_or_nothing(told: bytes) -> None:
    one = decoder(Path("/nonexistent"))
    for framed in (told, b'{"type": "printf", "data": "' + told + b'\\n"}'):
        for event in one.feed(framed, SEEN):
            judged(event)


@given(st.binary(min_size=1, max_size=150))
def test_p3_strings_come_back_as_they_were(raw: bytes) -> None:
    escaped = b"".join(_escaped(byte) for byte in raw)
    assert unescaped(escaped) == raw


def _escaped(byte: int) -> bytes:
    """As bpftrace 0.17 writes a byte of a string in JSON."""
    plain = {0x22: b'\\"', 0x5C: b"\\\\", 0x0A: b"\\n", 0x09: b"\\t", 0x0D: b"\\r"}
    plain |= {0x08: b"\\b", 0x0C: b"\\f"}
    if byte in plain:
        return plain[byte]
    if byte < 0x20 and byte not in (0x1E, 0x1F):
        return b"\\u%04x" % byte
    return b"\\uffffff%02x" % byte if byte >= 0x80 else bytes((byte,))


def test_p5_the_key_is_the_cgroup_unless_that_says_nothing(proc: Path) -> None:
    known = Containers(states=(), proc=str(proc))
    assert known.key(1, MOUNT, 500) == MOUNT
    assert known.key(77, MOUNT, 500) == 77
    (proc / "501" / "cgroup").write_text("0::/system.slice/containerd.service\n")
    assert known.key(78, MOUNT, 501) == MOUNT  # beside v1, where all containers share one
    assert known.key(78, MOUNT, 999) == MOUNT


def test_numbers_that_are_used_again_are_other_processes(proc: Path) -> None:
    one = decoder(proc)
    fed(one, executed(5, 500, b"sh\0"))
    fed(one, [line("K", 6, 500, 501, MOUNT, 1)])
    assert one.tree.get(501) is not None
    # 501 ends, unseen; another container's first process gets its number.
    events = fed(one, executed(900, 501, b"sh\0", ppid=1, start=800))
    assert events[0].get("proc_ppid") != 500


def test_children_name_their_parents_after_these_are_gone(proc: Path) -> None:
    one = decoder(proc)
    fed(one, executed(5, 500, b"sh\0-x\0"))
    fed(one, [line("K", 6, 500, 600, MOUNT, 1), line("K", 7, 600, 601, MOUNT, 1)])
    ends = fed(one, [line("Q", 8, 500, 0), line("Q", 9, 600, 0)])
    assert [event["action"] for event in ends] == ["exit"]
    event = fed(one, executed(10, 601, b"sh\0", ppid=1))[0]
    assert event["proc_ancestors"] == ["sh", "sh"]
    assert event["proc_parent_args"] == "sh -x"
    assert "proc_flags" not in event


def test_who_comes_in_is_entered_and_its_children_too(proc: Path) -> None:
    one = decoder(proc)
    assert "proc_flags" not in fed(one, executed(5, 500, b"sh\0"))[0]
    assert fed(one, executed(6, 501, b"sh\0"))[0]["proc_flags"] == ["entered"]
    fed(one, [line("K", 7, 501, 502, MOUNT, 1)])
    assert fed(one, executed(8, 502, b"sh\0"))[0]["proc_flags"] == ["entered"]


def test_who_comes_into_a_container_that_was_there_before_is_entered(proc: Path) -> None:
    groups = proc / "none"
    group = groups / f"kubepods/burstable/pod{UID}/{ID}"
    group.mkdir(parents=True)
    (groups / "cgroup.procs").touch()
    one = decoder(proc)
    assert one.containers.cgroup(500) == group.stat().st_ino
    one.begin(Process(500, MOUNT, "sleep"), 1, MOUNT)
    lines = [
        told.replace(f"|{MOUNT}|1|".encode(), f"|{MOUNT}|{group.stat().st_ino}|".encode())
        for told in executed(6, 501, b"sh\0")
    ]
    assert fed(one, lines)[0]["proc_flags"] == ["entered"]


def test_the_tree_is_bounded() -> None:
    tree = Tree(50)
    for pid in range(1000):
        tree.fork(pid, pid + 1, 7, pid)
    assert len(tree) == 50
    assert tree.forgotten == 950
    known = tree.get(1000)
    assert known is not None
    assert len(known.ancestors) <= 16


def test_a_container_whose_end_was_lost_lets_nobody_in() -> None:
    here: set[int] = {10}
    tree = Tree(50, lives=lambda pid, _: pid in here)
    tree.executed(10, 1, 7, None)
    assert tree.executed(20, 2, 7, None).entered
    here.clear()  # the namespace's number is used again
    assert not tree.executed(30, 2, 7, None).entered
    assert tree.first(7) == 30


def test_a_number_that_is_used_again_is_of_another_process() -> None:
    tree = Tree(50)
    tree.executed(10, 1, 7, None, at=100)
    tree.newer(10, 90)
    assert tree.holds(10), "it began before it was seen"
    tree.newer(10, 101)  # its end was lost
    assert not tree.holds(10)
    found, _, _ = looked_up(os.getpid(), 7)
    with open("/proc/uptime") as file:
        assert 0 < found.known <= float(file.read().split()[0]) * 1e9 + 1e9


def test_the_number_of_a_process_that_ended_is_no_parent() -> None:
    here: set[int] = {10}
    tree = Tree(50, lives=lambda pid, _: pid in here)
    server = tree.executed(10, 1, 7, None)
    server.name = "httpd"
    assert tree.holds(10)
    here.clear()  # its end was lost
    assert not tree.holds(10)
    shim = Process(10, 1, "shim")
    assert tree.executed(30, 10, 9, shim).ancestors == ("shim",)
    tree.exit(10)
    assert tree.executed(40, 10, 9, None).ancestors == ()
    assert tree.executed(41, 10, 7, None).ancestors == ("httpd",), "of its own container it is"


def test_a_process_inhabits_its_mount_namespace() -> None:
    own = os.stat("/proc/self/ns/mnt").st_ino
    assert inhabits("/proc", os.getpid(), own)
    assert not inhabits("/proc", os.getpid(), own + 1 if own < 0xFFFF_FFFF else own - 1)
    assert inhabits("/proc", os.getpid(), 12), "a control group: whether it is there"
    assert not inhabits("/proc", 1 << 22, 12)


def test_paths_are_the_kernels_or_absolute_and_normal(proc: Path) -> None:
    one = decoder(proc)
    os.symlink("/srv", proc / "500" / "cwd")
    names = [hexed(part) for part in (b"shadow", b"etc", b"/", b"/", b"/")]
    lines = [
        line("D", 3, 500, 0, *names),
        opened(4, 500, "/tmp/link", "0"),
        opened(5, 500, "/tmp/../etc//./x"),
        opened(6, 500, "relative"),
        opened(7, 999, "relative"),
        opened(8, 500, "/" + "a" * 250),
    ]
    events = fed(one, lines)
    assert [event.get("file_path") for event in events[:4]] == [
        "/etc/shadow",
        "/etc/x",
        "/srv/relative",
        "relative",
    ]
    assert [event.get("flags") for event in events] == [
        None,
        None,
        ["guessed"],
        ["partial"],
        ["truncated"],
    ]


def test_names_and_results() -> None:
    assert name(hexed(b"a\xffb").encode()) == b"a\xffb"
    assert path([b"x", b"y", b"/"]) == b"/y/x"
    assert path([b"x", b"y"]) is None
    assert path([b"x" * 40, b"/"]) is None
    assert (result(3), result(-13), result(-99_999)) == ("SUCCESS", "EACCES", "-99999")


def test_connections(proc: Path) -> None:
    one = decoder(proc)
    head = ("C", 5, 500, 500, MOUNT, 1, 0)
    port, v4 = int.from_bytes((443).to_bytes(2, "big"), "little"), 0x0100007F
    events = fed(
        one,
        [
            line(*head, -115, 2, 6, 40000, port, v4, 0, ""),
            line(*head, 0, 10, 17, 0, port, "0", f"{1 << 56:x}", ""),
            line(*head, 0, 1, 1, 0, 0, 0, 1, "hidden"),
        ],
    )
    told: list[dict[str, Any]] = [
        {key: one[key] for key in one if key.startswith("net_")} for one in events
    ]
    assert told == [
        {"net_proto": "tcp", "net_src_port": 40000, "net_dst_ip": "127.0.0.1", "net_dst_port": 443},
        {"net_proto": "udp", "net_dst_ip": "::1", "net_dst_port": 443},
        {"net_proto": "unix", "net_dst_name": "@hidden"},
    ]
    assert events[0]["sys_res"] == "EINPROGRESS"


def test_what_the_sensor_does_itself_is_no_event(proc: Path) -> None:
    one = decoder(proc)
    one.own, one.canaries = {500}, {501: 1 << 63}
    assert fed(one, [opened(5, 500, "/x"), opened(6, 501, "/y"), *executed(7, 501, b"sh\0")]) == []
    assert one.heard == {501}


def test_a_pod_that_becomes_known_names_what_began_before_and_what_is_gone(proc: Path) -> None:
    one = decoder(proc)
    assert "pod_workload" not in fed(one, executed(5, 500, b"sh\0"))[0]
    pod: dict[str, Any] = {"metadata": {"name": "web-1", "namespace": "shop", "uid": UID}}
    one.containers.pods.add(pod)
    assert fed(one, [opened(6, 500, "/x")])[0]["pod_workload"] == "pod/web-1"

    version = one.containers.pods.version
    one.containers.pods.add(pod)
    assert one.containers.pods.version == version  # it says nothing new
    (proc / "500" / "cgroup").unlink()  # too short a life to be asked again
    owner = {"kind": "StatefulSet", "name": "web", "controller": True}
    one.containers.pods.add({"metadata": {**pod["metadata"], "ownerReferences": [owner]}})
    assert fed(one, executed(7, 500, b"sh\0"))[0]["pod_workload"] == "sts/web"


def test_an_applet_that_a_shell_runs_by_itself_has_its_own_name(proc: Path) -> None:
    records = executed(5, 500, b"/bin/nc\0-l\0")
    records[0] = records[0].replace(hexed(b"sh", 16).encode(), hexed(b"exe", 16).encode())
    assert fed(decoder(proc), records)[0]["proc_name"] == "nc"


def test_pods_name_containers(tmp_path: Path) -> None:
    pod = {
        "metadata": {
            "name": "web-1-x",
            "namespace": "shop",
            "uid": UID,
            "labels": {"pod-template-hash": "1"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web-1", "controller": True}],
        },
        "spec": {"serviceAccountName": "sa", "containers": [{"name": "web", "image": "web:1"}]},
        "status": {
            "containerStatuses": [
                {
                    "name": "web",
                    "containerID": f"containerd://{ID}",
                    "image": "docker.io/web:1",
                    "imageID": f"docker.io/web@sha256:{'0' * 64}",
                }
            ]
        },
    }
    pods = Pods([pod])
    columns = Containers(pods, states=()).of_cgroup(
        f"1:name=systemd:/kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice/"
        f"cri-containerd-{ID}.scope"
    )
    assert columns["pod_workload"] == "deploy/web"
    assert columns["container_name"] == "web"
    assert columns["image_digest"] == f"sha256:{'0' * 64}"
    assert pods.container(ID[:31]) == pods.container(ID) != {}
    assert pods.container("no") == {}
    # A runtime's bundle names what no pod object does.
    bundle = tmp_path / ID
    bundle.mkdir()
    notes = {"io.kubernetes.cri.sandbox-name": "p", "io.kubernetes.cri.container-name": "c"}
    (bundle / "config.json").write_text(json.dumps({"annotations": notes}))
    known = Containers(states=(str(tmp_path),)).of_cgroup(f"0::/kubepods/pod{UID}/{ID}")
    assert (known["pod_name"], known["container_name"], known["pod_uid"]) == ("p", "c", UID)


@pytest.mark.parametrize(
    ("owner", "workload"),
    [
        (None, "pod/p"),
        ({"kind": "Node", "name": "n"}, "pod/p"),
        ({"kind": "DaemonSet", "name": "agent"}, "ds/agent"),
        ({"kind": "StatefulSet", "name": "db"}, "sts/db"),
        ({"kind": "Job", "name": "backup-28000000"}, "cronjob/backup"),
        ({"kind": "Job", "name": "once"}, "job/once"),
        ({"kind": "ReplicaSet", "name": "bare"}, "rs/bare"),
    ],
)
def test_workloads(owner: dict[str, Any] | None, workload: str) -> None:
    meta: dict[str, Any] = {"name": "p", "namespace": "n"}
    if owner:
        meta["ownerReferences"] = [{**owner, "controller": True}]
    assert Pods([{"metadata": meta}]).pod(namespace="n", name="p")["pod_workload"] == workload


def test_a_template_is_what_the_spec_says_from_the_first_moment() -> None:
    made = {"name": "web", "image": "web:1", "command": ["serve"]}
    pod: dict[str, Any] = {"metadata": {"name": "web-1"}, "spec": {"containers": [made]}}
    states = [{"name": "web", "imageID": "reg/web@sha256:" + "1" * 64, "containerID": "c://1"}]
    later = {**pod, "status": {"containerStatuses": states}}
    other = {**pod, "spec": {"containers": [{**made, "command": ["serve", "-v"]}]}}
    assert template(pod) == template(later) != template(other)
    assert template({}) == ""
