"""The filter of pods on a real kernel: replaced under traffic, churned, and of the size that is
promised.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.support.network.room import bridged, inside, missing, room, routed
from tests.support.network.told import Told, node, pod, tcp

from martello.adapters import nft
from martello.adapters.nftlib import Session
from martello.core.reach import ALL, NONE, Conn
from martello.practices.network.firewall.pods import pod_rules
from martello.practices.network.firewall.render import change
from martello.practices.network.model import Endpoint, Place

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())
AGENT = Path("tests/support/network/stream.py").resolve()
A, B = "10.91.0.1", "10.91.0.2"
NUMBERS = {A: 0x0A5B0001, B: 0x0A5B0002}
NODES = (node("n1"), node("n2"))


@contextmanager
def _running(place: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    argv = ["ip", "netns", "exec", place, sys.executable, "-S", str(AGENT), *words]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def _ended(process: subprocess.Popen[str]) -> tuple[int, int, float]:
    said, _ = process.communicate("\n", timeout=10)
    good, bad, longest = said.split()
    return int(good), int(bad), float(longest)


def _pair(rest: int, *, opened: bool = True) -> Told:
    """a → b on 8080 only, and `rest` other pods whose rules change from one to the next."""
    a, b = (pod(name, (4, NUMBERS[at])) for name, at in (("a", A), ("b", B)))
    others = [pod(f"o{n}", (4, 0x0A5C0000 + n), app=f"o{(n + rest) % 7}") for n in range(1, 40)]

    def says(source: Place, to: Place) -> Conn:
        if to is b:
            return tcp(8080) if opened and source is a else NONE
        if to is a:
            return NONE
        assert isinstance(to, Endpoint)
        return tcp(int(to.labels["app"][1:]) + rest + 1) if source is not a else ALL

    everywhere = [a, b, *others]

    def safe(source: Place, to: Place) -> Conn:
        return says(source, to) if isinstance(to, Endpoint) else NONE

    return Told(everywhere, safe, NODES)


def test_f1_replacing_cuts_no_stream_and_leaves_no_gap() -> None:
    """30 replacements and 30 changes under a stream, a loop that may and a loop that may not."""
    with ExitStack() as stack:
        place, (one, other) = stack.enter_context(routed([A, B]))
        tool = inside(place)
        states = [pod_rules(_pair(rest), "n1") for rest in range(3)]
        nft.load(states[0].text, tool)
        for port in ("8080", "8081"):
            stack.enter_context(_running(other, "serve", port))
        stream = stack.enter_context(_running(one, "stream", B, "8080"))
        may = stack.enter_context(_running(one, "loop", B, "8080", "2"))
        must_not = stack.enter_context(_running(one, "loop", B, "8081", "0.05"))
        for turn in range(30):
            nft.load(states[(turn + 1) % 3].text, tool)
            nft.load(change(states[(turn + 1) % 3], states[(turn + 2) % 3]) or "\n", tool)
            nft.load(change(states[(turn + 2) % 3], states[(turn + 1) % 3]) or "\n", tool)
        sent, _, longest = _ended(stream)
        assert sent > 50
        assert longest < 0.2
        opened, failed, wait = _ended(may)
        assert (failed, opened > 50) == (0, True)
        assert wait < 0.9  # a lost SYN is sent again after one second
        slipped, kept_out, _ = _ended(must_not)
        assert (slipped, kept_out > 5) == (0, True)


def test_f6_pods_on_one_bridge_are_filtered_too() -> None:
    """Packets between them pass no route: family inet sees them by bridge-nf-call-iptables."""
    with ExitStack() as stack:
        place, (one, other) = stack.enter_context(bridged([A, B]))
        tool = inside(place)
        switch = ("sysctl", "-n", "net.bridge.bridge-nf-call-iptables")
        if nft.run(tool.argv(*switch), "").stdout.strip() != "1":
            pytest.skip("bridged packets are not filtered here: load br_netfilter")
        nft.load(pod_rules(_pair(0), "n1").text, tool)
        for port in ("8080", "8081"):
            stack.enter_context(_running(other, "serve", port))
        may = stack.enter_context(_running(one, "loop", B, "8080", "1"))
        must_not = stack.enter_context(_running(one, "loop", B, "8081", "0.1"))
        own_node = stack.enter_context(_running(place, "loop", B, "8081", "1"))
        time.sleep(0.4)
        assert _ended(may)[1] == 0
        assert _ended(must_not)[0] == 0
        assert _ended(own_node)[1] == 0  # P14


def test_f7_strict_mode_ends_what_the_new_rules_deny() -> None:
    """Without it an open connection outlives the rule that forbids it."""
    with ExitStack() as stack:
        place, (one, other) = stack.enter_context(routed([A, B]))
        tool = inside(place)
        nft.load(pod_rules(_pair(0), "n1").text, tool)
        stack.enter_context(_running(other, "serve", "8080"))
        stream = stack.enter_context(_running(one, "stream", B, "8080"))
        nft.load(pod_rules(_pair(0, opened=False), "n1").text, tool)
        time.sleep(0.3)
        assert stream.poll() is None
        said = nft.run(tool.argv("conntrack", "-L", "-p", "tcp"), "").stdout
        sport = int(said.partition("sport=")[2].split()[0])
        assert nft.drop_connections([("TCP", A, sport, B, 8080)], tool) == 1
        time.sleep(0.2)  # the stream is stuck in its next number
        with pytest.raises(subprocess.TimeoutExpired):
            stream.communicate("\n", timeout=1.0)


def test_f10_whoever_locks_himself_out_gets_in_again(tmp_path: Path) -> None:
    """Everything to the node is dropped, and the operator's session dies with the change."""
    program = (
        "import sys, time\nfrom pathlib import Path\n"
        "from martello.adapters import guard\nfrom martello.adapters.nft import Tool\n"
        "state, *enter = sys.argv[1:]\n"
        "guard.apply(sys.stdin.read(), 2.0, state=Path(state), tool=Tool(tuple(enter)))\n"
        "print('applied', flush=True)\ntime.sleep(60)\n"
    )
    shut = (
        "add table inet martello\ndelete table inet martello\ntable inet martello { chain m_in {"
        " type filter hook input priority filter; policy accept; drop; }; }\n"
    )
    with ExitStack() as stack:
        place, (one, _) = stack.enter_context(routed([A, B]))
        tool = inside(place)
        stack.enter_context(_running(place, "serve", "2222"))
        loop = stack.enter_context(_running(one, "loop", "169.254.1.1", "2222", "0.2"))
        argv = [sys.executable, "-c", program, str(tmp_path / "state"), *tool.enter]
        caller = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert caller.stdin is not None
        assert caller.stdout is not None
        caller.stdin.write(shut)
        caller.stdin.close()
        assert caller.stdout.readline() == "applied\n"
        os.killpg(caller.pid, signal.SIGKILL)
        caller.wait()
        caller.stdout.close()
        end = time.monotonic() + 10
        while nft.listed(tool=tool) and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(0.3)
        opened, failed, _ = _ended(loop)
        assert failed >= 3
        assert opened > 10
        again = stack.enter_context(_running(one, "stream", "169.254.1.1", "2222"))
        time.sleep(0.1)
        assert _ended(again)[0] > 0


def test_f2_a_hundred_pods_a_second() -> None:
    """Pods come and go by least changes; at the end the table is that of a fresh load."""
    count = 60
    with room() as place, _entered(place), Session() as session:
        held = pod_rules(_crowd(250, 20), "n1")
        session.load(held.text)
        spent = 0.0
        for turn in range(count):
            wanted = pod_rules(_crowd(240 + turn % 7, 20), "n1", previous=held)
            began = time.process_time()
            session.load(change(held, wanted) or "\n")
            spent += time.process_time() - began
            held = wanted
        print(f"one pod: {spent / count * 1000:.1f} ms of CPU")
        grown = _here()
        session.load(held.text)
        assert sorted(grown.replace(",", " ").split()) == sorted(_here().replace(",", " ").split())


def test_f2_the_promised_size_loads() -> None:
    """250 local pods, 10,000 peers: what is loaded is what was meant. The time is only printed."""
    ruleset = pod_rules(_crowd(10_000, 100), "n1")
    with room() as place:
        tool = inside(place)
        began = time.perf_counter()
        nft.load(ruleset.text, tool)
        print(f"checked and loaded in {time.perf_counter() - began:.2f} s")
        said = nft.run(tool.argv("nft", "list", "map", "inet", "martello", "m_class4"), "").stdout
        assert said.count("goto") == 10_000
        local = nft.run(tool.argv("nft", "list", "map", "inet", "martello", "m_from4"), "").stdout
        assert local.count("jump") == 250


def _crowd(pods: int, kinds: int) -> Told:
    """Every 40th pod is on n1; each of `kinds` reaches a few others, on a few ports."""
    made = [
        pod(
            f"p{n}",
            (4, 0x0A000001 + n),
            node="n1" if n % 40 == 0 else "n2",
            app=f"a{(n + n // 40) % kinds}",
            namespace=f"ns{n % 20}",
        )
        for n in range(pods)
    ]

    def number(place: Place) -> int:
        return int(place.labels["app"][1:]) if isinstance(place, Endpoint) else 0

    def says(source: Place, to: Place) -> Conn:
        near = (number(source) * 7 + number(to) * 3) % 11
        return (NONE, NONE, tcp(80), NONE, ALL, tcp(80, 443))[near % 6]

    return Told(made, says, NODES)


def _here() -> str:
    return nft.listed()


@contextmanager
def _entered(place: str) -> Iterator[None]:
    """This thread in a namespace; `setns` came to `os` in Python 3.12."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{place}", os.O_RDONLY)
    try:
        assert libc.setns(there, 0) == 0
        yield
    finally:
        libc.setns(home, 0)
        os.close(there)
        os.close(home)
