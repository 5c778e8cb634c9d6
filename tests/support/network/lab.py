"""The network of a cluster, built of network namespaces: packets decide what passes.

Pods, a second node and a host outside are namespaces with a routed veth to the node in the middle,
as a plugin without overlay makes them: 169.254.1.1 and fe80::1 are the next hops, every address is
a route of its own. In each sits an agent that tries connections. One lab serves many rule sets.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

_PREFIX: Final = "mlab"
AGENT: Final = Path(__file__).with_name("probe_agent.py")
NODE: Final = "node"  # the place in the middle, on which the pods run
_PACKAGES: Final = {"nft": "nftables", "ip": "iproute2", "conntrack": "conntrack"}
_SYSCTLS: Final = """
net.ipv4.ip_forward=1
net.ipv6.conf.all.forwarding=1
net.ipv4.conf.all.rp_filter=0
net.ipv4.conf.default.rp_filter=0
net.ipv6.conf.all.accept_dad=0
net.ipv6.conf.default.accept_dad=0
net.ipv6.conf.default.addr_gen_mode=1
"""


class Probe(NamedTuple):
    """One connection to try: from a place, by one of its addresses, to an address and port."""

    place: str
    source: str
    protocol: str
    target: str
    port: int


class Redirect(NamedTuple):
    """A Service: what goes to its address and port goes to a backend instead."""

    protocol: str
    address: str
    port: int
    backend: str
    target: int


class Wrong(Exception):
    """The lab itself does not work as it should."""


def missing() -> str:
    """Why there can be no lab here, in one line; empty where there can be."""
    if os.geteuid() != 0:
        return "network namespaces: needs root"
    gone = [package for name, package in _PACKAGES.items() if shutil.which(name) is None]
    if gone:
        return f"packets need {' '.join(gone)} (Debian packages)"
    tried = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "network namespaces are not permitted here"


class Lab:
    """A built network. `places` maps each place to its addresses; NODE is the one in the middle."""

    def __init__(self, places: Mapping[str, Sequence[str]], ports: Sequence[int]) -> None:
        self.places = places
        self._names = {place: f"{_PREFIX}{os.getpid()}-{n}" for n, place in enumerate(places)}
        self._agents: dict[str, subprocess.Popen[str]] = {}
        self._home: dict[str, str] = {ip: place for place, ips in places.items() for ip in ips}
        self._tag = 0
        self._ports = ports

    def build(self) -> None:
        """Makes the namespaces, the routes and the agents."""
        _sweep()
        node, leaves = self._names[NODE], [p for p in self.places if p != NODE]
        _batch([], [f"netns add {name}" for name in self._names.values()])
        for name in self._names.values():
            settings = "".join(f"{line}\n" for line in _SYSCTLS.split())
            _run(["ip", "netns", "exec", name, "sysctl", "-q", "-p", "-"], settings)
        middle = ["link set lo up", *(f"addr add {ip} dev lo" for ip in self.places[NODE])]
        for n, place in enumerate(leaves):
            middle += _host_side(n, self._names[place], self.places[place])
        # Service addresses need some route before they are translated
        middle += [f"route add {ip} dev v{len(leaves) - 1}" for ip in ("0.0.0.0/0", "::/0")]
        _batch(["-n", node], middle)
        for n, place in enumerate(leaves):
            _batch(["-n", self._names[place]], _leaf_side(n, self.places[place]))
        for place, name in self._names.items():
            self._agents[place] = subprocess.Popen(
                ["ip", "netns", "exec", name, sys.executable, "-I", "-S", str(AGENT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                bufsize=1,
            )
        ports = list(self._ports)
        self._ask({place: {"listen": [list(ips), ports]} for place, ips in self.places.items()})

    def close(self) -> None:
        """Ends the agents and removes the namespaces, however far the building came."""
        for agent in self._agents.values():
            if agent.stdin is not None:
                agent.stdin.close()
        for agent in self._agents.values():
            agent.kill()
            agent.wait()
            if agent.stdout is not None:
                agent.stdout.close()
        for name in self._names.values():
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def nft(self, ruleset: str) -> None:
        """Loads a rule set on the node, in one transaction, and forgets every connection."""
        name = self._names[NODE]
        _run(["ip", "netns", "exec", name, "nft", "-f", "-"], ruleset)
        _run(["ip", "netns", "exec", name, "conntrack", "-F"], "")

    def probe(self, probes: Sequence[Probe]) -> list[bool]:
        """Whether each connection passes; all are tried at once. Raises Wrong for an answer that no
        filter gives.
        """
        wanted: dict[str, list[list[Any]]] = {}
        first = self._tag + 1
        for one in probes:
            self._tag += 1
            line = [self._tag, one.protocol, one.source, one.target, one.port]
            wanted.setdefault(one.place, []).append(line)
        answers: dict[int, str] = {}
        for reply in self._ask({p: {"probe": lines} for p, lines in wanted.items()}).values():
            answers.update((int(tag), answer) for tag, answer in reply.items())
        if any(one.protocol == "SCTP" for one in probes):
            for seen in self._ask({place: {"arrived": True} for place in self.places}).values():
                answers.update((tag, "open") for tag in seen)
        odd = [
            f"{one}: {answers[first + n]}"
            for n, one in enumerate(probes)
            if answers[first + n] not in ("open", "silent")
        ]
        if odd:
            raise Wrong("\n".join(odd[:10]))
        return [answers[first + n] == "open" for n in range(len(probes))]

    def _ask(self, commands: Mapping[str, Any]) -> dict[str, Any]:
        """Tells several agents something at once; their replies."""
        for place, command in commands.items():
            stdin = self._agents[place].stdin
            assert stdin is not None
            stdin.write(json.dumps(command) + "\n")
            stdin.flush()
        replies = {}
        for place in commands:
            stdout = self._agents[place].stdout
            assert stdout is not None
            line = stdout.readline()
            if not line:
                raise Wrong(f"the agent of {place} has ended")
            replies[place] = json.loads(line)
        return replies


@contextmanager
def lab(places: Mapping[str, Sequence[str]], ports: Sequence[int]) -> Iterator[Lab]:
    """A network of some places, removed at the end."""
    built = Lab(places, ports)
    try:
        built.build()
        yield built
    finally:
        built.close()


def services(redirects: Sequence[Redirect]) -> str:
    """The rule set that sends Service addresses to their backends, for pods and for the node."""
    lines = []
    for family, version in (("ip", 4), ("ip6", 6)):
        for protocol in ("tcp", "udp"):
            mapped = ", ".join(
                f"{one.address} . {one.port} : {one.backend} . {one.target}"
                for one in redirects
                if one.protocol.lower() == protocol and (6 if ":" in one.address else 4) == version
            )
            if mapped:
                at = f"{family} daddr . {protocol} dport"
                lines.append(f"dnat {family} to {at} map {{ {mapped} }}")
    rules = "\n".join(lines)
    chains = "".join(
        f"chain {hook} {{\ntype nat hook {hook} priority -100\n{rules}\n}}\n"
        for hook in ("prerouting", "output")
    )
    table = "table inet lab_services"
    return f"{table}\ndelete {table}\n{table} {{\n{chains}}}\n"


def _host_side(n: int, peer: str, addresses: Sequence[str]) -> list[str]:
    name, mac = f"v{n}", f"02:00:00:00:01:{n:02x}"
    lines = [
        f"link add {name} address 02:00:00:00:02:{n:02x} type veth "
        f"peer name eth0 address {mac} netns {peer}",
        f"addr add 169.254.1.1/32 dev {name}",
        f"addr add fe80::1/64 dev {name} nodad",
        f"link set {name} up",
    ]
    for ip in addresses:
        lines.append(f"route add {ip} dev {name}")
        lines.append(f"neigh replace {ip} lladdr {mac} dev {name} nud permanent")
    return lines


def _leaf_side(n: int, addresses: Sequence[str]) -> list[str]:
    mac = f"02:00:00:00:02:{n:02x}"
    return [
        "link set lo up",
        "link set eth0 up",
        *(f"addr add {ip} dev eth0{' nodad' if ':' in ip else ''}" for ip in addresses),
        "route add default via 169.254.1.1 dev eth0 onlink",
        "route add default via fe80::1 dev eth0",
        f"neigh replace 169.254.1.1 lladdr {mac} dev eth0 nud permanent",
        f"neigh replace fe80::1 lladdr {mac} dev eth0 nud permanent",
    ]


def _sweep() -> None:
    """Removes what a killed run of ours has left: the process of its name is no more."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False)
    for name in (line.split()[0] for line in listed.stdout.splitlines() if line.strip()):
        pid = name.removeprefix(_PREFIX).partition("-")[0]
        if name.startswith(_PREFIX) and pid.isdigit() and not Path(f"/proc/{pid}").exists():
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _batch(options: Sequence[str], lines: Sequence[str]) -> None:
    _run(["ip", *options, "-batch", "-"], "\n".join(lines) + "\n")


def _run(command: Sequence[str], text: str) -> None:
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    if done.returncode:
        raise Wrong(f"{' '.join(command)}: {done.stderr.strip()[:2000]}")
