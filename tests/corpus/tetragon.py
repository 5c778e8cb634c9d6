"""Samples of Tetragon, Falco, Hubble and of containers' logs: every record is read, completely."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.events import judged

from martello.adapters.sensors import cri, falco, hubble, tetragon
from martello.adapters.sensors.pods import Pods
from martello.adapters.sensors.shape import NOWHERE, NotRead
from martello.core.event import Gap

SEEN = 1_900_000_000_000_000_000
Case = tuple[str, bool, str]


def replay(path: Path) -> Iterator[Case]:
    """One case a record."""
    yield from _tetragon(path)
    for case, raw in _lines(path / "falco.jsonl"):
        event = falco.alert(_encoded(raw["alert"]), SEEN, NOWHERE, Pods())[0]
        judged(event)
        wanted = {
            "rule_name": raw["alert"]["rule"],
            "rule_output": raw["alert"]["output"],
            "proc_args": raw["alert"]["output_fields"].get("proc.cmdline"),
            "proc_name": raw["alert"]["output_fields"].get("proc.name"),
        }
        yield _compared(case, event, wanted)
    for case, raw in _lines(path / "hubble.jsonl"):
        found = hubble.flow(_encoded(raw["flow"]), SEEN, NOWHERE, Pods())
        flow = raw["flow"].get("flow", raw["flow"])
        if flow.get("is_reply") or flow.get("reply"):
            yield case, not found, f"a reply gave {found}"
            continue
        wanted = {"net_dst_ip": flow["IP"]["destination"], "action": flow["verdict"].lower()}
        yield _compared(case, judged(found[0]), wanted)
    for case, raw in _lines(path / "container-logs.jsonl"):
        yield _line(case, raw) if raw["kind"] == "line" else _file(case, raw)


def _tetragon(path: Path) -> Iterator[Case]:
    reader = tetragon.Reader()
    for case, raw in _lines(path / "tetragon.jsonl"):
        event = judged(reader.line(_encoded(raw["event"]), SEEN)[0])
        told = raw["event"][raw["kind"]]
        process, pod = told["process"], told["process"].get("pod", {})
        wanted = {
            "proc_exe": process["binary"],
            "proc_pid": process.get("pid"),
            "proc_uid": process.get("uid"),
            "proc_exec_id": process.get("exec_id") or None,
            "proc_parent_exe": told.get("parent", {}).get("binary"),
            "pod_name": pod.get("name"),
            "k8s_ns": pod.get("namespace"),
            "container_name": pod.get("container", {}).get("name"),
            "net_dst_ip": told.get("destination_ip"),
        }
        yield _compared(case, event, wanted)


def _line(case: str, raw: dict[str, Any]) -> Case:
    expect = raw["expect"]
    try:
        line = cri.line_of(raw["line"].encode().rstrip(b"\n"))
    except NotRead as error:
        return case, expect is None, str(error)
    if expect is None:
        return case, False, "it was read, and must be refused"
    # What the kubelet keeps at the end of a CRI line is not of the text.
    told = {
        "time": line.time,
        "stream": line.stream,
        "log": line.text.decode(),
        "partial": raw["format"] == "cri" and line.partial,
    }
    wanted = {**expect, "log": expect["log"].removesuffix("\n")}
    return case, told == wanted, f"{told} and not {wanted}"


def _file(case: str, raw: dict[str, Any]) -> Case:
    """`tail` and `limit_bytes` are of who shows a log; `since` is asked of its times."""
    found = list(cri.Log("x").read([raw["file"].encode()], SEEN))
    told = [one["log_text"] + "\n" for one in found if not isinstance(one, Gap)]
    whole = "".join(json.loads(line)["log"] for line in raw["file"].splitlines())
    return case, "".join(told) == whole, f"{told}"


def _compared(case: str, event: dict[str, Any], wanted: dict[str, Any]) -> Case:
    wrong = {key: event.get(key) for key, value in wanted.items() if event.get(key) != value}
    return case, not wrong, f"{wrong} and not {wanted}"


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        yield f"{path.name}:{number}", json.loads(line)


def _encoded(raw: Any) -> bytes:
    return json.dumps(raw).encode()
