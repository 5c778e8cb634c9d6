"""What a node's files tell of its network plugin, hostile ones too."""

from __future__ import annotations

import json
from pathlib import Path

from martello.adapters.cni import Local, local, obstacles

BRIDGE = {
    "plugins": [
        {
            "type": "bridge",
            "ipam": {"ranges": [[{"subnet": "10.1.0.0/24"}], [{"subnet": "fd::/64"}]]},
        },
        {"type": "portmap"},
    ]
}


def _root(tmp_path: Path, **files: str) -> Path:
    (tmp_path / "etc/cni/net.d").mkdir(parents=True)
    for name, text in files.items():
        (tmp_path / "etc/cni/net.d" / f"{name}.conflist").write_text(text)
    return tmp_path


def _switch(root: Path, name: str, value: str) -> None:
    file = root / "proc/sys/net" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{value}\n")


def test_the_first_readable_file_counts(tmp_path: Path) -> None:
    calico = json.dumps({"plugins": [{"type": "calico", "ipam": {"type": "calico-ipam"}}]})
    root = _root(tmp_path, a="{", b=json.dumps(BRIDGE), c=calico)
    found = local(root)
    assert (found.plugin, found.types) == ("", ("bridge", "portmap"))
    assert found.pod_ranges == ("10.1.0.0/24", "fd::/64")
    assert found.bridged
    (root / "etc/cni/net.d/b.conflist").unlink()
    assert local(root).plugin == "calico"


def test_nothing_is_no_fault(tmp_path: Path) -> None:
    found = local(tmp_path)
    assert found == Local(filtered={4: None, 6: None}, forwarding={4: None, 6: None})
    assert obstacles(found) == ()


def test_rubbish_is_no_fault(tmp_path: Path) -> None:
    deep = '{"ipam": ' + "[" * 5000 + "]" * 5000 + "}"
    root = _root(tmp_path, a="[]", b='{"plugins": 7}', c=deep)
    assert local(root).types == ()
    (root / "etc/cni/net.d/b.conflist").unlink()
    assert local(root).pod_ranges == ()


def test_what_stands_in_the_way_is_told(tmp_path: Path) -> None:
    root = _root(tmp_path, a=json.dumps(BRIDGE))
    assert "br_netfilter" in obstacles(local(root))[0]
    _switch(root, "bridge/bridge-nf-call-iptables", "1")
    _switch(root, "ipv4/ip_forward", "1")
    assert obstacles(local(root)) == ()
    _switch(root, "bridge/bridge-nf-call-ip6tables", "0")
    _switch(root, "ipv4/ip_forward", "0")
    assert len(obstacles(local(root))) == 2
    assert "go around nftables" in obstacles(Local("cilium"))[0]
