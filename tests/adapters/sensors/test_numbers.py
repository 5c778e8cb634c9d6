"""Numbers that the kernel uses again, of processes and of namespaces: nobody becomes another."""

from __future__ import annotations

from pathlib import Path

from tests.adapters.sensors.test_decode import (
    ID,
    MOUNT,
    UID,
    decoder,
    executed,
    fed,
    line,
    opened,
    proc,  # noqa: F401
)

from martello.adapters.sensors.containers import Containers
from martello.adapters.sensors.decode import Decoder
from martello.adapters.sensors.pods import Pods
from martello.adapters.sensors.tree import LONGEST_ARGS, looked_up

OTHER = "cd" * 32


def moved(proc: Path, pid: int, id_: str = OTHER) -> None:  # noqa: F811
    (proc / str(pid) / "cgroup").write_text(f"0::/kubepods/burstable/pod{UID}/{id_}\n")


def ended(one: Decoder) -> None:
    """A container comes and goes; the number of its mount namespace is free."""
    (ran,) = fed(one, executed(5, 500, b"sh\0"))
    assert ran["container_id"] == ID
    fed(one, [line("Q", 6, 500, 0)])


def test_who_makes_a_namespace_is_not_of_the_container_that_had_its_number(
    proc: Path,  # noqa: F811
) -> None:
    one = decoder(proc)
    ended(one)
    moved(proc, 501)
    (before,) = fed(one, executed(7, 501, b"sh\0", mount=MOUNT + 1))
    (after,) = fed(one, executed(9, 501, b"sh\0", mount=MOUNT))
    assert before["container_id"] == after["container_id"] == OTHER
    assert "entered" not in after.get("proc_flags", ())
    fed(one, [line("K", 10, 501, 502, MOUNT, 1)])
    (child,) = fed(one, executed(11, 502, b"sh\0", ppid=501, mount=MOUNT))
    assert child["container_id"] == OTHER
    assert child["proc_parent_exe"] == "/bin/sh"


def test_a_child_is_not_of_who_had_its_parent_s_number(proc: Path) -> None:  # noqa: F811
    """The exec of the parent is lost."""
    one = decoder(proc)
    ended(one)
    moved(proc, 500)
    moved(proc, 501)
    fed(one, [line("K", 8, 500, 501, MOUNT + 1, 1)])
    (told,) = fed(one, [opened(9, 501, "/tmp/x", mount=MOUNT + 1)])
    assert told["container_id"] == OTHER
    assert one.tree.first(MOUNT + 1) == 500


def test_who_is_elsewhere_may_be_another_one(proc: Path) -> None:  # noqa: F811
    """The end of one process and the exec of the next of its number are lost."""
    one = decoder(proc)
    fed(one, executed(5, 500, b"sh\0"))
    moved(proc, 500)
    (proc / "500" / "stat").write_text("500 (web) S 1 " + "0 " * 17 + "700 " + "0 " * 20)
    (told,) = fed(one, [opened(8 * 10**9, 500, "/etc/shadow", mount=MOUNT + 1)])
    assert told["container_id"] == OTHER
    # One that goes elsewhere is who it was.
    (proc / "501" / "stat").write_text("501 (web) S 1 " + "0 " * 17 + "700 " + "0 " * 20)
    fed(one, executed(8 * 10**9, 501, b"sh\0", mount=MOUNT + 2, start=7 * 10**9))
    before = one.tree.get(501)
    fed(one, [opened(9 * 10**9, 501, "/etc/shadow", mount=MOUNT + 1)])
    assert one.tree.get(501) is before


def test_a_sensor_that_begins_again_knows_who_is_another_one(proc: Path) -> None:  # noqa: F811
    one = decoder(proc)
    fed(one, executed(5, 500, b"sh\0"))
    moved(proc, 500)
    (proc / "500" / "stat").write_text("500 (web) S 1 " + "0 " * 17 + "700 " + "0 " * 20)
    found, ppid, _ = looked_up(500, MOUNT + 1, str(proc))
    one.begin(found, ppid, MOUNT + 1)
    known = one.tree.get(500)
    assert known is not None
    assert (known.entered, known.columns["container_id"]) == (False, OTHER)
    assert one.tree.first(MOUNT + 1) == 500


def test_long_arguments_are_told_and_not_remembered(proc: Path) -> None:  # noqa: F811
    one = decoder(proc)
    argv = b"a\0" * 65_000
    (proc / "500" / "cmdline").write_bytes(argv)
    records = executed(5, 500, argv, told=False)
    for at in range(0, 3200, 200):
        records.append(line("A", 7, 500, at, argv[at : at + 200].hex(" ")))
    (event,) = fed(one, [*records, line("K", 30, 500, 501, MOUNT, 1)])
    (exit_,) = fed(one, [line("Q", 31, 500, 0)])
    assert len(event["proc_args"]) == len(exit_["proc_args"]) == 65_536
    dead, child = one.tree.get(500), one.tree.get(501)
    assert dead is not None
    assert child is not None
    assert len(child.parent[3]) <= LONGEST_ARGS
    assert len(dead.args) <= LONGEST_ARGS
    assert not dead.columns


def test_a_group_within_a_container_is_of_the_container() -> None:
    """Who may make control groups in it could name another container there."""
    known = Containers(Pods(), states=())
    slice_ = f"kubepods-besteffort-pod{UID.replace('-', '_')}.slice"
    for path in (
        f"0::/kubepods/burstable/pod{UID}/{ID}/{OTHER}",
        f"0::/docker/{OTHER}/kubelet/kubepods/pod{UID}/{ID}",  # a node that is a container
        f"0::/kubepods.slice/{slice_}/cri-containerd-{ID}.scope/docker-{OTHER}.scope",
    ):
        assert known.of_cgroup(path)["container_id"] == ID
        assert known.of_cgroup(path)["pod_uid"] == UID
    assert known.of_cgroup(f"1:cpu:/docker/{OTHER}\n0::/docker/{ID}")["container_id"] == ID


def test_who_gets_the_number_of_a_canary_is_seen(proc: Path) -> None:  # noqa: F811
    one = decoder(proc)
    one.canaries[500] = 20
    assert fed(one, executed(10, 500, b"sh\0")) == []
    assert fed(one, [line("Q", 20, 500, 0)]) == []
    assert one.heard == {500}
    (event,) = fed(one, executed(30, 500, b"sh\0"))
    assert event["proc_pid"] == 500
    assert [
        each["action"] for each in fed(one, [opened(40, 500, "/etc/shadow"), line("Q", 50, 500, 0)])
    ] == ["open", "exit"]
