"""Falco's rules decide the same by columns as on one event."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
import yaml

from martello.adapters import batch
from martello.practices.monitor.engine.detect import detect
from martello.practices.monitor.engine.rule import Pack
from martello.practices.monitor.engine.scalar import Sieve
from martello.practices.monitor.falco.load import load

HOST = (
    "evt.type in (open, openat) and evt.is_open_write = true and fd.num >= 0",
    "evt.type = execve and proc.cmdline contains ' -c '",
    "proc.args startswith -c or proc.pcmdline endswith -l",
    "not fd.directory in (/etc, /root) and fd.filename endswith .conf",
    "fd.name pmatch (/etc, /home/*/.ssh)",
    "fd.net in (10.0.0.0/8) or fd.sport = 22",
    "fd.typechar = 4 and not fd.sip = 10.0.0.1",
    "proc.aname in (sshd, bash) and proc.aname[2] = sshd",
    "container.id != host and container.image.repository = docker.io/a/b",
    "proc.tty != 0 and user.loginuid = -1",
    "evt.rawres < 0 and not evt.failed = false",
    "len(proc.name) > 3 and toupper(proc.name) = anyof (BASH, SSHD)",
    "proc.name regex 'b.*|n[a-z]x' or proc.name glob '[a-c]*'",
    "proc.name != oneof (bash, sshd)",
    "user.name = root or thread.tid = 7",
    "proc.exepath = val(proc.pexepath) or proc.name in val(proc.pname)",
)
AUDIT = (
    "ka.verb in (create, update) and ka.target.resource = pods",
    "ka.user.groups intersects (a) and not ka.user.groups in (a, b)",
    "ka.response.code = 403 or ka.uri.param[x] = 1",
    "ka.req.pod.containers.privileged intersects (true)",
    "ka.req.pod.containers.image.repository in (r:5000/x, y)",
    "ka.req.role.rules.verbs[0] intersects (get, '*')",
    "ka.req.pod.containers.eff_run_as_user in (0)",
    "ka.target.pod.name exists or ka.req.container.privileged = false",
    "jevt.value[/requestObject/n] = 7 and ka.auth.reason startswith RBAC",
)


def _pack(source: str, conditions: tuple[str, ...]) -> Pack:
    items = [
        {
            "rule": f"{number}",
            "desc": "d",
            "condition": condition,
            "output": "o",
            "priority": "INFO",
            "source": source,
        }
        for number, condition in enumerate(conditions)
    ]
    found = load([("f.yaml", yaml.safe_dump(items))], strict=True)
    assert not found.errors, [*map(str, found.errors)]
    return found.pack


def _some(draw: random.Random, **columns: list[Any]) -> dict[str, Any]:
    """An event that has some of the columns."""
    return {name: draw.choice(values) for name, values in columns.items() if draw.random() < 0.7}


def _host(draw: random.Random, kind: str) -> dict[str, Any]:
    names = ["bash", "sshd", "nginx", "é"]
    more: dict[str, list[Any]] = {}
    if kind == "file":
        more["file_path"] = ["/etc/x.conf", "/home/a/.ssh/k", "/x", "/root/.conf"]
        more["file_flags"] = [["write"], ["read"], ["read", "write"]]
    if kind == "network":
        more["net_dst_ip"] = ["10.0.0.1", "1.2.3.4", "::1", "bad"]
        more["net_src_ip"], more["net_dst_port"] = ["10.0.0.2"], [22, 80]
    return _some(
        draw,
        sys_call=["open", "openat", "execve", "connect"],
        action=["exec", "open"],
        sys_res=["SUCCESS", "EACCES", "3", "odd"],
        proc_name=names,
        proc_parent_name=names,
        proc_args=["bash -c id", "sshd", "-bash -l"],
        proc_parent_args=["bash -l", "x"],
        proc_exe=["/bin/a", "/bin/b"],
        proc_parent_exe=["/bin/a"],
        proc_ancestors=[["bash", "sshd"], ["sshd"], []],
        proc_tty=["pts/0", "34816"],
        proc_auid=[4294967295, 0],
        container_id=["c"],
        image_ref=["docker.io/a/b:1", "x"],
        raw=[json.dumps({"output_fields": {"user.name": "root", "thread.tid": 7}}), "", "{}"],
        **more,
    )


def _audit(draw: random.Random) -> dict[str, Any]:
    container = {"image": "r:5000/x:1", "securityContext": {"privileged": True}}
    bodies: list[Any] = [
        {"spec": {"containers": [container, {"image": "y"}]}},
        {"spec": {"containers": [{"securityContext": {"runAsUser": 5}}]}},
        {"rules": [{"verbs": ["*"]}], "n": 7},
        [{"op": "add"}],
        None,
    ]
    raw = [json.dumps({"requestObject": body}) for body in bodies]
    return _some(
        draw,
        api_id=["1"],
        api_verb=["create", "get", "update"],
        k8s_resource=["pods", "roles"],
        actor_groups=[["a"], ["a", "b"], ["a", "c"], []],
        api_code=[403, 200],
        api_uri=["/a?x=1", "/a"],
        api_annotations=[{"authorization.k8s.io/reason": "RBAC: x"}, {}],
        raw=[*raw, "{"],
    )


@pytest.mark.parametrize("kind", ["audit", "process", "file", "network"])
def test_i8_columns_and_events_agree(kind: str) -> None:
    audit = kind == "audit"
    pack = _pack("k8s_audit", AUDIT) if audit else _pack("syscall", HOST)
    draw = random.Random(7)
    made = [_audit(draw) if audit else _host(draw, kind) for _ in range(400)]
    events = [{**one, "id": str(number), "kind": kind} for number, one in enumerate(made)]
    sieve = Sieve(pack.usable(kind))
    expected = {(rule.id, one["id"]) for one in events for rule in sieve.hits(one)}
    found = {(hit.rule, str(hit.event["id"])) for hit in detect(pack, batch.table(kind, events))}
    assert found == expected
    assert len({rule for rule, _ in expected}) > len(pack) // 2
