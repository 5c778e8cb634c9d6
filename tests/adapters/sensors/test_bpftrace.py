"""The sensor on a real container: what the specification numbers P1 to P7, and its failures."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.containers import INTERPRETER, Container, Watch
from tests.support.events import judged

from martello.adapters.sensors import bpftrace, probes
from martello.adapters.sensors.shape import SECOND, Event
from martello.core.errors import BadInput, NotPermitted


def sh(container: Container, text: str) -> None:
    container.execute("/bin/sh", "-c", text)


def until(watch: Watch, container: Container, marker: str, begun: int) -> list[Event]:
    """Everything up to a marker that is executed now."""
    container.execute("/bin/true", marker)
    found = watch.wait(lambda event: event.get("proc_argv", ["", ""])[1:] == [marker], 10, begun)
    assert found is not None, "the marker did not come"
    # Others may watch containers of theirs on this machine.
    return [one for one in watch.events[begun:] if one.get("container_id") == container.name]


def test_p1_only_what_containers_do_and_what_writes_is_told(
    container: Container, watch: Watch, tmp_path: Path
) -> None:
    begun = len(watch.events)
    (tmp_path / "of-the-host").write_text("x")
    subprocess.run(["/bin/true", "of-the-host"], check=True)
    sh(container, "cat /etc/passwd /bin/busybox > /dev/null; echo > /tmp/written")
    told = until(watch, container, "p1", begun)
    assert not [one for one in watch.events[begun:] if "of-the-host" in str(one)]
    paths = {one["file_path"] for one in told if one["kind"] == "file"}
    assert "/tmp/written" in paths
    assert not paths & {"/etc/passwd", "/bin/busybox", "/dev/null"}


def test_p1_what_a_runtime_does_on_the_way_in_is_not_the_containers(
    container: Container, watch: Watch
) -> None:
    begun = len(watch.events)
    told = until(watch, container, "p1-runtime", begun)
    # runc joins namespaces and drops capabilities before it executes what was asked for.
    assert [one["action"] for one in told if one["kind"] in ("priv", "file", "network")] == []


def test_p2_arguments_arrive_as_they_are(container: Container, watch: Watch) -> None:
    begun = len(watch.events)
    argv = ["/bin/echo", "a b", "", "\x1e\x1f\x01", 'q"\\', "line\nline", r"\x41é", "|P|0|", "p2"]
    container.execute(*argv)
    event = watch.wait(lambda one: one.get("proc_argv", [""])[-1] == "p2", 5, begun)
    assert event is not None
    assert event["proc_argv"] == argv
    assert event["proc_args"] == " ".join(argv)
    assert "flags" not in event
    assert event["proc_exe"] == "/bin/busybox"
    assert event["proc_name"] == "echo"


@pytest.mark.parametrize(("size", "whole"), [(3000, True), (100_000, False)])
def test_p2_long_arguments_are_whole_or_flagged(
    size: int, whole: bool, container: Container, watch: Watch
) -> None:
    begun = len(watch.events)
    container.execute("/bin/true", f"p2-{size}", "x" * size)
    event = watch.wait(lambda one: one.get("proc_argv", ["", ""])[1:2] == [f"p2-{size}"], 5, begun)
    assert event is not None
    told = event["proc_argv"][-1]
    assert set(told) == {"x"}
    if whole or "truncated" not in event.get("flags", ()):
        assert len(told) == size  # of /proc, where the process was still there
    else:
        assert 3000 < len(told) < size


def test_p2_many_arguments(container: Container, watch: Watch) -> None:
    begun = len(watch.events)
    argv = ["/bin/true", "p2-many", *map(str, range(300))]
    container.execute(*argv)
    event = watch.wait(lambda one: one.get("proc_argv", ["", ""])[1:2] == ["p2-many"], 5, begun)
    assert event is not None
    assert event["proc_argv"] == argv


def test_p3_names_of_any_bytes(container: Container, watch: Watch) -> None:
    begun = len(watch.events)
    script = r"open(b'/tmp/p3-\xff\x1e\x1f\n\x01\"|\\x41-\xc3\xa9', 'w')"
    container.execute(INTERPRETER, "-I", "-S", "-c", script)
    event = watch.wait(lambda one: "p3-" in one.get("file_path", ""), 5, begun)
    assert event is not None
    assert event["file_path"] == '/tmp/p3-\\xff\x1e\x1f\n\x01"|\\x41-é'
    assert event["flags"] == ["bad_utf8"]
    judged(event)


def test_p4_what_failed_says_so(container: Container, watch: Watch) -> None:
    begun = len(watch.events)
    script = (
        "import os, socket\n"
        "try: os.execv('/etc/passwd', ['p4'])\nexcept OSError: pass\n"
        "try: socket.create_connection(('127.0.0.1', 1))\nexcept OSError: pass\n"
        "try: open('/no/such/file', 'w')\nexcept OSError: pass\n"
    )
    container.execute(INTERPRETER, "-I", "-S", "-c", script)
    told = until(watch, container, "p4", begun)
    results = {one["action"]: one["sys_res"] for one in told if one["action"] != "exit"}
    assert results["exec_failed"] == "EACCES"
    assert results["connect"] == "ECONNREFUSED"
    assert not [one for one in told if one.get("file_path") == "/no/such/file"]


def test_p4_a_path_that_is_changed_during_the_call_is_told_as_it_was_opened(
    container: Container, watch: Watch
) -> None:
    begun = len(watch.events)
    script = (
        "import ctypes, os, threading\n"
        "path = ctypes.create_string_buffer(b'/tmp/innocent-p4', 64)\n"
        "os.chdir('/etc')\n"
        "libc = ctypes.CDLL(None)\n"
        "fd = libc.open(b'../etc/./shadow', 0)\n"
    )
    container.execute(INTERPRETER, "-I", "-S", "-c", script)
    event = watch.wait(lambda one: one.get("file_path") == "/etc/shadow", 5, begun)
    assert event is not None
    assert event["file_flags"] == ["read"]


def test_p5_the_container_is_known_from_the_first_event_on(
    container: Container, watch: Watch
) -> None:
    begun = len(watch.events)
    told = until(watch, container, "p5", begun)
    assert {one.get("container_id") for one in told} == {container.name}
    assert {one.get("pod_uid") for one in told} == {"0a1b2c3d-0000-4000-8000-0123456789ab"}


def test_entered_is_inherited_and_the_first_process_is_not(
    container: Container, watch: Watch
) -> None:
    begun = len(watch.events)
    sh(container, "sh -c '/bin/cat /etc/shadow >/dev/null; true'; true")
    event = watch.wait(lambda one: one.get("file_path") == "/etc/shadow", 5, begun)
    assert event is not None
    assert event["proc_flags"] == ["entered"]
    assert event["proc_ancestors"][:2] == ["sh", "sh"]
    first = watch.sensor.decoder.tree.first(event_key(watch, event))
    known = watch.sensor.decoder.tree.get(first or 0)
    assert known is not None
    assert (known.name, known.entered) == ("sleep", False)


def event_key(watch: Watch, event: Event) -> int:
    process = watch.sensor.decoder.tree.get(event["proc_pid"])
    assert process is not None
    return process.key


def test_times_are_the_walls(container: Container, watch: Watch) -> None:
    begun, before = len(watch.events), time.time_ns()
    told = until(watch, container, "times", begun)
    assert all(before - SECOND < one["time"] < time.time_ns() + SECOND for one in told)
    assert all(one["time"] <= one["seen"] for one in told)


def test_e1_ids_differ_and_come_of_the_records(container: Container, watch: Watch) -> None:
    begun = len(watch.events)
    told = until(watch, container, "ids", begun)
    assert len({one["id"] for one in told}) == len(told) > 1
    for event in told:
        judged(event)


def test_p6_the_time_before_it_was_attached_is_a_gap(watch: Watch) -> None:
    gap = next(one for one in watch.events if one["kind"] == "gap")
    assert (gap["kind"], gap["action"]) == ("gap", "attach")
    assert 0 < gap["seen"] - gap["time"] < 60 * SECOND
    # Canaries run every second here, and are nobody's events.
    own = watch.sensor.decoder.canaries
    assert own
    assert not [one for one in watch.events if one.get("proc_pid") in own]


def test_p6_attached_but_silent_is_a_gap(watch: Watch) -> None:
    begun = len(watch.events)
    os.kill(watch.sensor.process, signal.SIGSTOP)
    try:
        time.sleep(5)
    finally:
        os.kill(watch.sensor.process, signal.SIGCONT)
    gap = watch.wait(lambda one: one["action"] == "silent", 10, begun)
    assert gap is not None
    assert gap["kind"] == "gap"
    assert gap["seen"] - gap["time"] > 3 * SECOND


def test_p6_a_machine_that_starts_no_process_is_a_gap_and_no_end(
    container: Container, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = len(watch.events)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/nowhere/python")
        time.sleep(2.5)
    gap = watch.wait(lambda one: one["action"] == "silent", 10, begun)
    assert gap is not None
    assert "could not be tried: No such file" in gap["raw"]
    assert gap["seen"] - gap["time"] > SECOND
    assert until(watch, container, "after-want", len(watch.events))


def test_a_machine_that_starts_no_sensor_again_is_a_gap_and_no_end(
    container: Container, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies while no process can be made."""
    begun, refused = len(watch.events), []
    start = watch.sensor._start

    def full(path: Path) -> None:
        refused.append(path)
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(watch.sensor, "_start", full)
    os.kill(watch.sensor.process, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while not refused and time.monotonic() < deadline:
        time.sleep(0.05)
    monkeypatch.setattr(watch.sensor, "_start", start)
    gap = watch.wait(lambda event: event.get("action") == "died", 40, begun)
    assert refused
    assert gap is not None
    assert until(watch, container, "again", len(watch.events))


def test_times_follow_a_clock_that_is_set(container: Container, watch: Watch) -> None:
    off = 3 * 3600 * SECOND
    watch.sensor._clock = lambda: time.time_ns() + off
    try:
        time.sleep(0.5)
        told = until(watch, container, "set", len(watch.events))
        assert abs(told[-1]["time"] - off - time.time_ns()) < 5 * SECOND
    finally:
        watch.sensor._clock = time.time_ns


def test_p7_absent_tracepoints_are_named(watch: Watch, tmp_path: Path) -> None:
    root = probes.tracefs()
    assert root is not None
    for one in watch.sensor.absent:
        assert not (root / "events" / one.replace(":", "/")).exists()
    text = probes.program(root).text
    assert all(f"tracepoint:{one}" not in text for one in watch.sensor.absent)
    (tmp_path / "events/sched/sched_process_exit").mkdir(parents=True)
    poor = probes.program(tmp_path)
    assert "capability:cap_capable" in poor.absent
    assert poor.text.count("\ntracepoint:") == 1


def test_a_killed_sensor_is_a_gap_and_comes_back(container: Container, watch: Watch) -> None:
    begun, dead = len(watch.events), watch.sensor.process
    os.kill(dead, signal.SIGKILL)
    gap = watch.wait(lambda one: one["kind"] == "gap" and one["action"] == "died", 60, begun)
    assert gap is not None
    assert watch.sensor.process != dead
    assert gap["seen"] > gap["time"]
    assert until(watch, container, "after-death", len(watch.events))


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NotPermitted, match="root"):
        bpftrace.usable()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(BadInput, match="no-such-program"):
        bpftrace.usable("no-such-program")
