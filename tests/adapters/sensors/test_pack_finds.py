"""What attackers do inside a real container is told by a rule of the pack; what looks like it and
is harmless is not told by that rule.
"""

from __future__ import annotations

import pytest
from tests.adapters.sensors.test_behaviours import BEHAVIOURS, Behaviour, listener
from tests.support.containers import Container, Watch

from martello.adapters.sensors.shape import Event
from martello.practices.monitor import packs
from martello.practices.monitor.engine.rule import Rule
from martello.practices.monitor.engine.scalar import holds

__all__ = ["listener"]  # somebody at the other end, for all tests here
# A connection, an open port and a map in the kernel are no attack by themselves; the ring is asked
# for in vain.
PLAIN = {"connection out", "tunnel listens", "bpf", "io_uring"}
FOUND_BY = {
    "shell by exec": "MON-131",
    "reverse shell": "MON-201",
    "memfd exec": "MON-203",
    "memfd made": "MON-280",
    "nsenter to the host": "MON-271",
    "release_agent written": "MON-240",
    "docker.sock connected": "MON-265",
    "shadow read": "MON-230",
    "shadow by a link": "MON-230",
    "shadow by a relative path": "MON-230",
    "token read": "MON-231",
    "ptrace": "MON-274",
    "package manager": "MON-207",
    "miner": "MON-209",
    "unshare user and mount": "MON-272",
    "mount": "MON-273",
    "setuid to root": "MON-281",
    "capset": "MON-277",
    "program written": "MON-241",
    "program written by a link": "MON-241",
    "cron": "MON-243",
    "ssh key": "MON-246",
    "history deleted": "MON-250",
    "setuid bit": "MON-252",
    "moved into place": "MON-243",
    "open by handle": "MON-278",
    "chroot": "MON-279",
    "environment of another": "MON-234",
}


def fires(rule: Rule, event: Event, container: Container) -> bool:
    """Whether a rule is true of an event of this container: others do the same beside it."""
    mine = event.get("container_id") == container.name and event.get("kind") in rule.kinds
    return mine and holds(rule.tree, event) is True


def test_every_behaviour_has_its_rule() -> None:
    assert {one.name for one in BEHAVIOURS} - PLAIN == set(FOUND_BY)


@pytest.mark.parametrize(
    "behaviour",
    [one for one in BEHAVIOURS if one.name in FOUND_BY],
    ids=lambda one: one.name.replace(" ", "-"),
)
def test_the_pack_tells_attacks_and_not_their_twins(
    behaviour: Behaviour, container: Container, watch: Watch
) -> None:
    rule = packs.default().rules[FOUND_BY[behaviour.name]]
    begun = len(watch.events)
    container.execute(*behaviour.benign)
    marker = f"told-of-{behaviour.name}"
    container.execute("/bin/true", marker)
    ended = watch.wait(lambda event: event.get("proc_argv", ["", ""])[1:] == [marker], 5, begun)
    assert ended is not None, "the marker behind the benign twin did not come"
    false = [event for event in watch.events[begun:] if fires(rule, event, container)]
    assert not false, f"the benign twin is told: {false[0]}"

    begun = len(watch.events)
    container.execute(*behaviour.attack)
    told = watch.wait(lambda event: fires(rule, event, container), 2, begun)
    assert told is not None, [
        {k: v for k, v in event.items() if k != "raw"} for event in watch.events[begun:]
    ]
