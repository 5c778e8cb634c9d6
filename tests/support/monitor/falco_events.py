"""Falco's flat events as scalar events: the table of its fields, read backwards."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from martello.practices.monitor.falco.fields import COLUMN

_MORE = {
    "evt.type": "sys_call",
    "evt.rawres": "sys_res",
    "proc.cmdline": "proc_args",
    "proc.pcmdline": "proc_parent_args",
    "proc.tty": "proc_tty",
    "user.loginuid": "proc_auid",
    "container.id": "container_id",
    "container.image.repository": "image_ref",
}
_TEXTS = frozenset(("sys_res", "proc_tty"))
_ANCESTOR = re.compile(r"proc\.aname\[([1-9])\]")


def scalar(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The scalar event of one flat event. What has no column stays where Falco prints it."""
    found: dict[str, Any] = {}
    for key, value in flat.items():
        column = _MORE.get(key) or COLUMN.get(key)
        if column is not None and key != "proc.aname":
            found[column] = str(value) if column in _TEXTS else value
    if "fd.sip" in flat or "fd.cip" in flat:
        found.pop("file_path", None)
    elif "fd.name" in flat:
        found["file_path"] = flat["fd.name"]
    elif "fd.filename" in flat or "fd.directory" in flat:
        found["file_path"] = f"{flat.get('fd.directory', '')}/{flat.get('fd.filename', '')}"
    if "proc.args" in flat and "proc.cmdline" not in flat:
        found["proc_args"] = f"{flat.get('proc.name', '-')} {flat['proc.args']}".rstrip()
    if "proc.exe" in flat:
        found["proc_argv"] = [flat["proc.exe"], *str(flat.get("proc.args", "")).split()]
    ancestors = {int(m[1]): flat[key] for key in flat if (m := _ANCESTOR.fullmatch(key))}
    if "proc.pname" in flat:
        ancestors.setdefault(1, flat["proc.pname"])
    if ancestors:
        found["proc_ancestors"] = [ancestors.get(n) for n in range(1, max(ancestors) + 1)]
    kind = "network" if "fd.sip" in flat else "file" if "fd.name" in flat else "process"
    return {**found, "kind": kind, "raw": json.dumps({"output_fields": dict(flat)})}
