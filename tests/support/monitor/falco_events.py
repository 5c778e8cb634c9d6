"""Falco's flat events as scalar events: the table of its fields, read backwards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_PLAIN = {
    "evt.type": "sys_call",
    "evt.rawtime": "time",
    "proc.name": "proc_name",
    "proc.cmdline": "proc_args",
    "proc.exepath": "proc_exe",
    "proc.pid": "proc_pid",
    "proc.ppid": "proc_ppid",
    "proc.pname": "proc_parent_name",
    "proc.cwd": "proc_cwd",
    "user.uid": "proc_uid",
    "user.loginuid": "proc_auid",
    "container.id": "container_id",
    "k8s.ns.name": "k8s_ns",
    "k8s.pod.name": "pod_name",
    "fd.cip": "net_src_ip",
    "fd.cport": "net_src_port",
    "fd.sip": "net_dst_ip",
    "fd.sport": "net_dst_port",
    "fd.l4proto": "net_proto",
}


def scalar(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The scalar event of one flat event. What has no column stays where Falco prints it."""
    found = {_PLAIN[key]: value for key, value in flat.items() if key in _PLAIN}
    if "fd.name" in flat and "fd.sip" not in flat:
        found["file_path"] = flat["fd.name"]
    if "proc.args" in flat and "proc.cmdline" not in flat:
        found["proc_args"] = f"{flat.get('proc.name', '-')} {flat['proc.args']}".rstrip()
    if "proc.exe" in flat:
        found["proc_argv"] = [flat["proc.exe"], *str(flat.get("proc.args", "")).split()]
    if "evt.rawres" in flat:
        found["sys_res"] = str(flat["evt.rawres"])
    kind = "network" if "fd.sip" in flat else "file" if "fd.name" in flat else "process"
    return {**found, "kind": kind, "raw": json.dumps({"output_fields": dict(flat)})}
