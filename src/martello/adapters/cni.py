"""The network plugin of this node as its files tell: which one, which pod ranges, and whether our
packet filter sees what pods send.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

_DIRECTORY: Final = "etc/cni/net.d"
_ENDINGS: Final = (".conf", ".conflist", ".json")
_LARGEST: Final = 1 << 20
_FILES: Final = 100
_DEEP: Final = 8
# What a plugin's binary is called → the profile of its semantics.
_PLUGINS: Final = {
    "calico": "calico",
    "cilium-cni": "cilium",
    "antrea": "antrea",
    "ovn-k8s-cni-overlay": "ovn",
    "aws-cni": "aws-vpc",
    "flannel": "flannel",
}
_SWITCHES: Final = {
    4: ("proc/sys/net/bridge/bridge-nf-call-iptables", "proc/sys/net/ipv4/ip_forward"),
    6: ("proc/sys/net/bridge/bridge-nf-call-ip6tables", "proc/sys/net/ipv6/conf/all/forwarding"),
}


class Local(msgspec.Struct, frozen=True):
    """What a node's files tell. `plugin` is a profile's name, empty where it is another's; `types`
    are the plugins of the chain. `bridged` says that pods share a bridge; the switches say, by
    family, whether bridged packets are filtered and packets forwarded at all (None: not known).
    """

    plugin: str = ""
    types: tuple[str, ...] = ()
    pod_ranges: tuple[str, ...] = ()
    bridged: bool = False
    filtered: dict[int, bool | None] = {}
    forwarding: dict[int, bool | None] = {}


def local(root: Path = Path("/")) -> Local:
    """Read the first network configuration, in the order of names as the runtime does. A directory
    that is not there or not readable gives an empty answer.
    """
    configuration = _first(root / _DIRECTORY)
    plugins = configuration.get("plugins", [configuration])
    chain = [one for one in plugins if isinstance(one, dict)] if isinstance(plugins, list) else []
    types = tuple(kind for one in chain if isinstance(kind := one.get("type"), str))
    return Local(
        next((_PLUGINS[kind] for kind in types if kind in _PLUGINS), ""),
        types,
        tuple(dict.fromkeys(_subnets([one.get("ipam") for one in chain], 0))),
        "bridge" in types or "flannel" in types,
        {version: _switch(root / files[0]) for version, files in _SWITCHES.items()},
        {version: _switch(root / files[1]) for version, files in _SWITCHES.items()},
    )


def obstacles(found: Local) -> tuple[str, ...]:
    """Why the filter of pods would not do what it says on this node, each with what to do."""
    told = []
    if found.bridged and found.filtered.get(4) is not True:
        told.append(
            "pods share a bridge, and bridged packets are not filtered: "
            "load br_netfilter and set net.bridge.bridge-nf-call-iptables=1"
        )
    if found.bridged and found.filtered.get(6) is False:
        told.append("bridged IPv6 packets are not filtered: bridge-nf-call-ip6tables=1")
    if found.forwarding.get(4) is False:
        told.append("this node forwards no packets: no pod is reached through it")
    if found.plugin in ("cilium", "antrea", "ovn"):
        told.append(f"packets of {found.plugin} go around nftables: use its own policies")
    return tuple(told)


def _first(directory: Path) -> dict[str, Any]:
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith(_ENDINGS))
    except OSError:
        return {}
    for name in names[:_FILES]:
        try:
            with open(directory / name, "rb") as file:
                read = msgspec.json.decode(file.read(_LARGEST))
        except (OSError, msgspec.DecodeError, RecursionError):
            continue
        if isinstance(read, dict):
            return read
    return {}


def _subnets(value: Any, depth: int) -> Iterator[str]:
    if depth > _DEEP:
        return
    if isinstance(value, list):
        for one in value:
            yield from _subnets(one, depth + 1)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key == "subnet" and isinstance(one, str):
                yield one
            else:
                yield from _subnets(one, depth + 1)


def _switch(file: Path) -> bool | None:
    try:
        return file.read_text().strip() == "1"
    except OSError:
        return None
