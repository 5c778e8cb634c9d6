"""What each source says, and its traps: loss notices, parts, series, serials, sequences."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.events import events_of, judged

from martello.adapters.sensors import (
    auditd,
    cri,
    events,
    falco,
    hubble,
    kmsg,
    ndjson,
    otlp,
    tetragon,
)
from martello.adapters.sensors.pods import Pods
from martello.adapters.sensors.shape import NOWHERE, Event, NotRead, Place
from martello.core.event import Gap

SEEN = 1_800_000_000_000_000_000
AT = "2026-01-01T00:00:00.000000001Z"
ID = "cd" * 32
UID = "11111111-2222-3333-4444-555555555555"


def encoded(raw: object) -> bytes:
    return json.dumps(raw).encode()


def told(type_: str, **fields: Any) -> Event:
    raw = {type_: fields, "time": AT, "node_name": "n1"}
    return judged(tetragon.Reader().line(encoded(raw), SEEN)[0])


def test_tetragon_links_parents_and_marks_processes() -> None:
    reader = tetragon.Reader()
    chain = [("1", "", "/sbin/init"), ("2", "1", "/bin/sh"), ("3", "2", "/usr/bin/curl")]
    event: Event = {}
    for own, above, binary in chain:
        process = {"exec_id": own, "parent_exec_id": above, "binary": binary, "auid": 4294967295}
        event = reader.line(encoded({"process_exec": {"process": process}, "time": AT}), SEEN)[0]
    assert event["proc_ancestors"] == ["sh", "init"]
    assert "proc_auid" not in event
    marked = told(
        "process_exec",
        process={
            "binary": "/proc/self/fd/3",
            "docker": ID[:31],
            "in_init_tree": False,
            "binary_properties": {"setuid": 0, "file": {"inode": {"number": "5"}}},
        },
    )
    assert marked["proc_flags"] == ["entered", "memfd", "setuid"]
    assert marked["container_id"] == ID[:31]


@pytest.mark.parametrize(
    ("type_", "fields", "wanted"),
    [
        ("process_exit", {"signal": "SIGKILL"}, ("process", "exit", "sys_res", "signal SIGKILL")),
        (
            "process_kprobe",
            {
                "function_name": "security_file_permission",
                "args": [{"file_arg": {"path": "/etc/shadow"}}, {"int_arg": 2}],
            },
            ("file", "open", "file_flags", ["write"]),
        ),
        (
            "process_kprobe",
            {
                "function_name": "__x64_sys_setns",
                "args": [{"int_arg": 5}],
                "return": {"int_arg": -1},
            },
            ("priv", "setns", "sys_res", "EPERM"),
        ),
        (
            "process_kprobe",
            {
                "function_name": "tcp_connect",
                "args": [{"sock_arg": {"daddr": "1.2.3.4", "dport": 53}}],
            },
            ("network", "connect", "net_dst_port", 53),
        ),
        (
            "process_tracepoint",
            {"subsys": "syscalls", "event": "sys_enter_ptrace", "args": [{"long_arg": "16"}]},
            ("priv", "ptrace", "priv_arg", ["subsys=syscalls", "long=16"]),
        ),
        (
            "process_lsm",
            {
                "function_name": "bprm_check_security",
                "args": [{"linux_binprm_arg": {"path": "/x"}}],
            },
            ("file", "bprm_check_security", "file_path", "/x"),
        ),
        ("process_loader", {"path": "/lib/x.so"}, ("file", "load", "file_path", "/lib/x.so")),
        (
            "process_uprobe",
            {"path": "/bin/bash", "symbol": "readline"},
            ("priv", "readline", "priv_arg", ["path=/bin/bash"]),
        ),
        (
            "process_usdt",
            {"path": "/bin/x", "provider": "p", "name": "probe"},
            ("priv", "probe", "priv_arg", ["path=/bin/x", "provider=p"]),
        ),
        ("process_throttle", {"type": "THROTTLE_START"}, ("gap", "throttled", "raw", None)),
        (
            "rate_limit_info",
            {"number_of_dropped_process_events": "1234"},
            ("gap", "lost", "ev_count", 1234),
        ),
        ("process_new_thing", {}, ("priv", "process_new_thing", "flags", ["partial"])),
    ],
)
def test_tetragon_every_type(type_: str, fields: dict[str, Any], wanted: tuple[Any, ...]) -> None:
    event = told(type_, **fields)
    kind, action, column, value = wanted
    assert (event["kind"], event["action"]) == (kind, action)
    assert value is None or event[column] == value


def test_tetragon_takes_what_early_events_lack_from_the_pods() -> None:
    status = {"name": "web", "containerID": f"containerd://{ID}"}
    pod = {
        "metadata": {"name": "p", "namespace": "n", "uid": UID},
        "status": {"containerStatuses": [status]},
    }
    raw = {"process_exec": {"process": {"binary": "/x", "docker": ID[:31]}}, "time": AT}
    event = tetragon.Reader(pods=Pods([pod])).line(encoded(raw), SEEN)[0]
    assert (event["pod_name"], event["container_name"]) == ("p", "web")


def test_falco_fields_fill_columns_and_drops_are_gaps() -> None:
    fields = {
        "proc.name": "nc",
        "proc.aname[2]": "init",
        "proc.pname": "sh",
        "fd.name": "10.0.0.1:4000->10.0.0.2:443",
        "fd.type": "ipv4",
        "user.loginuid": -1,
        "proc.tty": 34816,
        "container.image.repository": "web",
        "container.image.tag": "1",
        "container.id": "host",
        "proc.pid": "x",
    }
    raw = {"rule": "R", "priority": "Error", "output": "o", "time": AT, "output_fields": fields}
    event = judged(falco.alert(encoded(raw), SEEN, NOWHERE, Pods())[0])
    assert event["proc_ancestors"] == ["sh", "init"]
    assert (event["net_dst_ip"], event["net_dst_port"]) == ("10.0.0.2", 443)
    assert (event["proc_tty"], event["image_ref"]) == ("34816", "web:1")
    assert event["flags"] == ["partial"]  # of the number that is none
    assert not {"file_path", "proc_auid", "container_id", "proc_pid"} & set(event)
    drops = {"rule": "Falco internal: syscall event drop", "time": AT}
    drops["output_fields"] = {"n_drops": 56}  # type: ignore[assignment]
    gap = judged(falco.alert(encoded(drops), SEEN, NOWHERE, Pods())[0])
    assert (gap["kind"], gap["ev_count"]) == ("gap", 56)


def test_cri_parts_are_joined_for_each_stream_and_bounded() -> None:
    log = cri.Log(f"/var/log/pods/shop_web-1_{UID}/web/0.log")
    text = (
        f"{AT} stdout P a\n{AT} stderr P x\n{AT} stdout P:tag b\n{AT} stdout F c\n{AT} stderr F\n"
        f"{AT} stdout P rest\n"
    )
    found = events_of(list(log.read([text.encode()], SEEN)))
    assert [(one["log_stream"], one["log_text"]) for one in found] == [
        ("stdout", "abc"),
        ("stderr", "x"),
        ("stdout", "rest"),
    ]
    assert found[2]["flags"] == ["partial"]
    assert found[0]["pod_name"] == "web-1"
    assert (found[0]["k8s_ns"], found[0]["pod_uid"]) == ("shop", UID)
    part = f"{AT} stdout P {'y' * 16_000}\n".encode()
    big = [part] * 40 + [f"{AT} stdout F end\n".encode()]
    event = events_of(list(log.read(big, SEEN)))[0]
    assert len(event["log_text"]) == cri.LONGEST_LOG
    assert event["flags"] == ["partial"]


def test_cri_rotation_loses_and_repeats_nothing(tmp_path: Path) -> None:
    directory = tmp_path / f"shop_web-1_{UID}" / "web"
    directory.mkdir(parents=True)
    path = directory / "0.log"
    logs = cri.Logs(str(tmp_path), from_start=True)
    numbers = itertools.count()

    def write(count: int) -> None:
        with path.open("a") as file:
            file.writelines(f"{AT} stdout F {next(numbers)}\n" for _ in range(count))

    def poll() -> list[Event | Gap]:
        return list(logs.poll(SEEN))

    got: list[Event | Gap] = []
    write(5)
    got += poll()
    with path.open("a") as file:
        file.write(f"{AT} stdout F half")  # an unfinished line waits
    got += poll()
    with path.open("a") as file:
        file.write("-whole\n")
    write(2)
    path.rename(directory / "0.log.20260101-000000")
    write(3)
    got += poll()
    (directory / "0.log.20260101-000000").unlink()
    with gzip.open(directory / "0.log.20260101-000000.gz", "wb") as packed:
        packed.write(b"what was read")
    got += poll()
    texts = [one["log_text"] for one in events_of(got)]
    assert sorted(texts) == sorted([*map(str, range(10)), "half-whole"])
    path.write_text(f"{AT} stdout F new\n")  # cut and written anew
    cut = poll()
    assert [type(one) for one in cut] == [Gap, dict]


OOM = (
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0,"
    f"oom_memcg=/kubepods/pod{UID},task_memcg=/kubepods/pod{UID}/{ID},task=java (x),pid=77,uid=1000"
)
SECCOMP = (
    'audit: type=1326 audit(1.2:3): auid=4294967295 uid=0 gid=0 ses=1 pid=9 comm="a b" '
    'exe="/bin/x" sig=31 arch=c000003e syscall=165 compat=0 ip=0x0 code=0x80000000'
)
APPARMOR = (
    'audit: type=1400 audit(1.2:4): apparmor="DENIED" operation="open" profile="cri" '
    'name="/etc/shadow" pid=8 comm=2F62696EFF requested_mask="r" denied_mask="r" fsuid=0 ouid=0'
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (OOM, {"action": "oom_kill", "proc_name": "java (x)", "proc_pid": 77, "container_id": ID}),
        (
            "Memory cgroup out of memory: Killed process 77 (java) total-vm:1kB",
            {"action": "oom_kill", "proc_name": "java"},
        ),
        (
            SECCOMP,
            {"action": "seccomp", "sys_call": "mount", "sys_res": "SIGSYS", "proc_name": "a b"},
        ),
        (APPARMOR, {"action": "apparmor", "sys_res": "DENIED", "proc_pid": 8}),
        (
            "traps: app[12] general protection fault ip:1 sp:2 error:0",
            {"action": "segfault", "proc_pid": 12, "proc_name": "app"},
        ),
        ("app[x][12]: segfault at 0 ip 0", {"action": "segfault", "proc_name": "app[x]"}),
        ("eth0: link up", {"action": "message", "log_stream": "info"}),
    ],
)
def test_kmsg_types(text: str, wanted: dict[str, Any]) -> None:
    reader = kmsg.Reader(Place(node="n", boot="b"), boot=SEEN - 10**12)
    event = judged(reader.record(f"6,5,1000000,-;{text}\n SUBSYSTEM=x\n".encode(), SEEN)[0])
    assert {key: event.get(key) for key in wanted} == wanted
    assert event["time"] == SEEN - 10**12 + 10**9
    assert event["log_text"] == text


def test_kmsg_jumps_are_gaps() -> None:
    reader = kmsg.Reader()
    assert len(reader.record(b"6,5,1,-;a", SEEN)) == 1
    gap, event = reader.record(b"6,9,2,-;b", SEEN)
    assert (judged(gap)["kind"], gap["ev_count"], judged(event)["log_text"]) == ("gap", 3, "b")


def test_kmsg_of_this_kernel() -> None:
    if not os.access("/dev/kmsg", os.R_OK | os.W_OK):
        pytest.skip("/dev/kmsg may not be written: run as root")
    boot = time.time_ns() - time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    watch = kmsg.watch(kmsg.Reader(boot=boot), time.time_ns)
    assert next(watch) is None
    Path("/dev/kmsg").write_text("martello: a \x01 test[1]: segfault at 0\n")
    end = time.monotonic() + 5
    found = next(one for one in watch if one or time.monotonic() > end)
    watch.close()  # type: ignore[attr-defined]
    assert found is not None
    assert judged(found)["log_text"] == "martello: a \x01 test[1]: segfault at 0"


AUDIT = b"""\
type=SYSCALL msg=audit(1700000000.500:7): arch=c000003e syscall=59 success=yes exit=0 \
a0=10 a1=20 a2=30 ppid=4 pid=5 auid=4294967295 uid=0 tty=(none) comm="sh" exe="/bin/dash" key="k"
type=SYSCALL msg=audit(1700000000.600:8): arch=c000003e syscall=257 success=no exit=-13 \
a0=ffffff9c a1=7f a2=241 ppid=4 pid=6 auid=1000 uid=99 tty=pts0 comm="cp" exe="/bin/cp" key=(null)
type=EXECVE msg=audit(1700000000.500:7): argc=3 a0="sh" a1=2D63 a2[0]=6563 a2[1]=686F2022FF
type=CWD msg=audit(1700000000.600:8): cwd="/srv"
type=PATH msg=audit(1700000000.600:8): item=0 name="/srv" nametype=PARENT
type=PATH msg=audit(1700000000.600:8): item=1 name=782079 nametype=CREATE
type=PROCTITLE msg=audit(1700000000.600:8): proctitle=6370007820
type=EOE msg=audit(1700000000.500:7):
node=n2 type=SYSCALL msg=audit(1700000000.700:9): arch=c000003e syscall=42 success=yes exit=0 pid=7
node=n2 type=SOCKADDR msg=audit(1700000000.700:9): saddr=020001BB0A000001000000000000
"""


def test_auditd_by_serial_with_hex_arguments() -> None:
    found = events_of(list(auditd.Reader().read([AUDIT], "audit.log", SEEN)))
    opened, executed, connected = found
    assert executed["proc_argv"] == ["sh", "-c", 'echo "\\xff']
    assert executed["flags"] == ["bad_utf8"]
    assert "proc_auid" not in executed
    assert "proc_tty" not in executed
    assert (opened["kind"], opened["action"], opened["sys_res"]) == ("file", "open", "EACCES")
    assert opened["file_path"] == "/srv/x y"
    assert opened["file_flags"] == ["write", "create", "truncate"]
    assert (connected["net_dst_ip"], connected["net_dst_port"]) == ("10.0.0.1", 443)
    assert (connected["node"], connected["seq"]) == ("n2", 9)


def test_auditd_mixed_serials_are_bounded() -> None:
    text = b"".join(
        b'type=CWD msg=audit(1700000000.500:%d): cwd="/"\n' % serial for serial in range(500)
    )
    reader = auditd.Reader()
    found = events_of(list(reader.read([text], "a", SEEN)))
    assert sorted(one["seq"] for one in found) == list(range(500))


def test_events_of_both_apis_and_their_series() -> None:
    about = {"kind": "Pod", "name": "p", "namespace": "n", "uid": UID, "apiVersion": "v1"}
    old = {
        "metadata": {"uid": "e1"},
        "involvedObject": {**about, "fieldPath": "spec.containers{web}"},
        "reason": "BackOff",
        "message": "Back-off restarting",
        "type": "Warning",
        "count": 7,
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "source": {"component": "kubelet", "host": "node-1"},
    }
    new = {
        "metadata": {"uid": "e2"},
        "regarding": {**about, "kind": "NetworkPolicy", "apiVersion": "networking.k8s.io/v1"},
        "reason": "R",
        "note": "N",
        "eventTime": "2026-01-01T00:00:00.000001Z",
        "series": {"count": 3, "lastObservedTime": "2026-01-01T00:01:00.000000Z"},
        "deprecatedCount": 1,
    }
    body = {"kind": "EventList", "items": [old, new]}
    first, second = events_of(list(events.read([encoded(body)], "e", SEEN)))
    assert (first["ev_count"], first["container_name"], first["node"]) == (7, "web", "node-1")
    assert (first["pod_name"], first["log_text"]) == ("p", "Back-off restarting")
    assert (second["ev_count"], second["k8s_resource"]) == (3, "networkpolicies")
    assert second["k8s_group"] == "networking.k8s.io"
    later = events_of(
        list(events.read([encoded({"type": "MODIFIED", "object": {**old, "count": 8}})], "e", SEEN))
    )[0]
    assert later["id"] != first["id"]
    assert list(events.read([encoded({"type": "DELETED", "object": old})], "e", SEEN)) == []


def test_hubble_verdicts_losses_and_replies() -> None:
    flow = {
        "time": AT,
        "verdict": "DROPPED",
        "IP": {"source": "10.0.0.1", "destination": "10.0.0.2"},
        "l4": {"TCP": {"source_port": 1, "destination_port": 443}},
        "source": {
            "namespace": "n",
            "pod_name": "p",
            "workloads": [{"kind": "Deployment", "name": "web"}],
        },
        "destination": {},
        "destination_names": ["db.example"],
        "traffic_direction": "EGRESS",
        "node_name": "n1",
    }
    event = judged(hubble.flow(encoded({"flow": flow}), SEEN, NOWHERE, Pods())[0])
    assert (event["action"], event["pod_workload"], event["net_proto"]) == (
        "dropped",
        "deploy/web",
        "tcp",
    )
    assert event["net_dst_name"] == "db.example"
    assert hubble.flow(encoded({**flow, "is_reply": True}), SEEN, NOWHERE, Pods()) == []
    lost = {"lost_events": {"source": "PERF_EVENT_RING_BUFFER", "num_events_lost": "5"}}
    gap = judged(hubble.flow(encoded(lost), SEEN, NOWHERE, Pods())[0])
    assert (gap["kind"], gap["ev_count"]) == ("gap", 5)


def test_ndjson_is_by_column_and_keeps_what_does_not_fit_raw() -> None:
    line = encoded({"kind": "file", "time": AT, "file.path": "/x", "net_dst_ip": 5, "who": 1})
    event = judged(ndjson.event(line, SEEN, NOWHERE)[0])
    assert event["file_path"] == "/x"
    assert event["flags"] == ["partial"]
    assert event["raw"] == line.decode()
    with pytest.raises(NotRead, match="kind"):
        ndjson.event(encoded({"kind": "file2"}), SEEN, NOWHERE)


def test_otlp_in_json_and_in_protocol_buffers_is_the_same() -> None:
    resource = {"k8s.namespace.name": "n", "k8s.pod.name": "p", "k8s.deployment.name": "web"}
    at = 1_700_000_000_123_456_789
    body = {
        "resourceLogs": [
            {
                "resource": {
                    "attributes": [
                        {"key": key, "value": {"stringValue": value}}
                        for key, value in resource.items()
                    ]
                },
                "scopeLogs": [
                    {
                        "logRecords": [
                            {
                                "timeUnixNano": str(at),
                                "severityText": "WARN",
                                "body": {"stringValue": "hello \u00e9"},
                                "attributes": [
                                    {"key": "log.iostream", "value": {"stringValue": "stderr"}},
                                    {"key": "n", "value": {"intValue": "-5"}},
                                    {"key": "d", "value": {"doubleValue": 0.5}},
                                ],
                            }
                        ]
                    }
                ],
            }
        ]
    }
    pairs = b"".join(pair(1, key, wire(1, value.encode())) for key, value in resource.items())
    record = (
        b"\x09" + struct.pack("<Q", at)
        + wire(3, b"WARN")
        + wire(5, wire(1, "hello \u00e9".encode()))
        + pair(6, "log.iostream", wire(1, b"stderr"))
        + pair(6, "n", b"\x18" + varint((1 << 64) - 5))
        + pair(6, "d", b"\x21" + struct.pack("<d", 0.5))
    )  # fmt: skip
    message = wire(1, wire(1, pairs) + wire(2, wire(2, record)))
    by_json = otlp.read(encoded(body), SEEN, json=True)
    by_wire = otlp.read(message, SEEN, json=False)
    assert by_json == by_wire
    event = judged(by_json[0])
    assert (event["pod_workload"], event["log_text"]) == ("deploy/web", "hello \u00e9")
    assert (event["time"], event["log_stream"], event["action"]) == (at, "stderr", "warn")
    value = wire(1, b"x")
    for _ in range(100):
        value = wire(5, wire(1, value))
    deep = wire(1, wire(2, wire(2, wire(5, value))))
    for bad in (deep, message[:-1], b"\xff" * 20):
        with pytest.raises(NotRead):
            otlp.read(bad, SEEN, json=False)


def varint(value: int) -> bytes:
    found = b""
    while value > 0x7F:
        found += bytes((value & 0x7F | 0x80,))
        value >>= 7
    return found + bytes((value,))


def wire(number: int, inner: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(inner)) + inner


def pair(number: int, key: str, value: bytes) -> bytes:
    return wire(number, wire(1, key.encode()) + wire(2, value))
