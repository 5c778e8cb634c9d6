"""`learn` and `firewall`: the proof line, nothing written or loaded unasked, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.network.asked import ask

NODES = """
{apiVersion: v1, kind: Node, metadata: {name: n1,
  labels: {node-role.kubernetes.io/control-plane: ""}}, spec: {podCIDR: 10.244.0.0/24},
  status: {addresses: [{type: InternalIP, address: 192.168.0.11}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n2}, spec: {podCIDR: 10.244.1.0/24},
  status: {addresses: [{type: InternalIP, address: 192.168.0.12}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop, labels: {app: a}},
  spec: {nodeName: n2, containers: [{name: c, image: x}]},
  status: {podIP: 10.244.1.5, phase: Running}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: shop},
  spec: {podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}]}}
"""


def flow(minute: int, source: str, destination: str, port: int, verdict: str = "FORWARDED") -> str:
    """One line of Hubble between two workloads of the demo."""

    def end(name: str) -> dict[str, Any]:
        space, _, workload = name.partition("/")
        kind = "StatefulSet" if workload == "db" else "Deployment"
        return {
            "namespace": space,
            "pod_name": f"{workload}-0",
            "workloads": [{"name": workload, "kind": kind}],
        }

    return json.dumps(
        {
            "flow": {
                "time": f"2026-11-01T10:{minute:02d}:00Z",
                "verdict": verdict,
                "IP": {"source": "10.0.0.1", "destination": "10.0.0.2", "ipVersion": "IPv4"},
                "l4": {"TCP": {"source_port": 40000, "destination_port": port}},
                "source": end(source),
                "destination": end(destination),
                "is_reply": False,
                "Type": "L3_L4",
            }
        }
    )


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    lines = [
        line
        for minute in range(20)
        for line in (
            flow(minute, "shop/web", "shop/cart", 8081),
            flow(minute, "shop/cart", "shop/checkout", 8082),
        )
    ]
    lines.append(flow(40, "shop/checkout", "shop/mail", 8083))
    lines.append(flow(41, "shop/web", "shop/mail", 8083, "DROPPED"))
    (tmp_path / "flows.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_learn_ends_with_its_proof_and_writes_nothing(flows: Path) -> None:
    words = ("learn", "-f", "demo", "--flows", "flows.jsonl", "-n", "shop")
    done = ask(*words, cwd=flows, columns=0)
    assert done.code == 0, done
    proof = next(line for line in done.out.splitlines() if line.startswith("proof: "))
    assert proof.startswith("proof: 41 flows allowed, 0 denied · open pairs 21 → 3")
    assert "trained on the first 80 % of time, it misses 1 flow of the rest" in proof
    assert "shop/web → shop/mail TCP 8083" in done.out, "what was dropped is shown, not learned"
    assert [p.name for p in flows.iterdir()] == ["flows.jsonl"]


def test_learned_policies_allow_what_was_seen_and_nothing_else(flows: Path) -> None:
    words = ("learn", "-f", "demo", "--flows", "flows.jsonl", "-n", "shop")
    assert ask(*words, "--write", "policies", cwd=flows).code == 0
    assert ask(*words, "-o", "yaml", cwd=flows).code == 0
    for end, code in (("shop/cart:8081", 0), ("shop/mail:8083", 1), ("data/db:5432", 1)):
        asked = ask("can", "shop/web", end, "-f", "demo", "-f", "policies", cwd=flows)
        assert asked.code == code, (end, asked.out)
    written = {p.name for p in (flows / "policies").iterdir()}
    again = yaml.safe_load_all(ask(*words, "-o", "yaml", cwd=flows).out)
    assert written == {f"shop-{d['metadata']['name']}.yaml" for d in again}


def test_shadow_tells_what_would_be_dropped(flows: Path) -> None:
    words = ("learn", "-f", "demo", "--flows", "flows.jsonl", "-n", "shop")
    ask(*words, "--write", "policies", cwd=flows)
    asked = ("learn", "-f", "demo", "--flows", "flows.jsonl", "--shadow", "policies")
    done = ask(*asked, cwd=flows)
    assert done.code == 0, done
    assert "0 of them would be dropped" in done.out
    (flows / "policies" / "shop-learned-web-egress.yaml").unlink()
    done = ask(*asked, cwd=flows)
    assert done.code == 1
    assert done.out.startswith("would drop  shop/web → shop/cart TCP 8081")
    assert all(len(line) <= 80 for line in done.out.splitlines())


def test_drift_tells_what_is_denied_and_what_is_unused(flows: Path) -> None:
    asked = ("learn", "-f", "demo", "--flows", "flows.jsonl", "--drift", "--days", "3650")
    done = ask(*asked, "-o", "text", "-o", "sarif=d.sarif", cwd=flows, columns=0)
    assert done.code == 1
    assert "  shop/web → shop/mail TCP 8083  denied on the way in" in done.out
    assert "  data/backup → data/db TCP 5432  allowed, never used" in done.out
    results = json.loads((flows / "d.sarif").read_text())["runs"][0]["results"]
    assert {r["ruleId"] for r in results} == {"NET-022", "NET-023"}


def test_drift_says_nothing_of_policies_where_no_flow_counts(flows: Path) -> None:
    """Old flows, or none: then "never used" would be no news, and no reason to take rules away."""
    old = (flows / "flows.jsonl").read_text().replace('"2026-', '"2021-')
    (flows / "old.jsonl").write_text(old)
    asked = ("learn", "-f", "demo", "--flows", "old.jsonl", "--drift")
    done = ask(*asked, "-o", "text", "-o", "sarif=d.sarif", cwd=flows, columns=0)
    assert done.code == 3
    told = "no flow of the last 30 days (42 older: --days counts more): nothing can be said"
    assert done.out.splitlines() == [told]
    assert json.loads((flows / "d.sarif").read_text())["runs"][0]["results"] == []


def test_what_comes_next_is_told(flows: Path) -> None:
    words = ("learn", "-f", "demo", "--flows", "flows.jsonl", "-n", "shop")
    assert ask(*words, cwd=flows).out.endswith("nothing is written: --write DIR\n")
    last = ask(*words, "--write", "policies", cwd=flows).out.splitlines()[-1]
    assert last == "next: learn --shadow policies with other flows, then kubectl apply"
    (flows / "empty").write_text("")
    done = ask("learn", "-f", "demo", "--flows", "empty", cwd=flows)
    assert (done.code, done.err) == (3, "no policy: no flows\n")
    assert "--write" not in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--write", "a", "--drift"), "--write, --shadow and --drift exclude each other"),
        (("--reader", "hubbel"), "there is no reader hubbel"),
        (("--max-bad", "x"), "no share: x"),
        (("--shadow", "nowhere"), "cannot read nowhere"),
    ],
)
def test_learn_refuses(words: tuple[str, ...], said: str, flows: Path) -> None:
    done = ask("learn", "-f", "demo", "--flows", "flows.jsonl", *words, cwd=flows)
    assert done.code == 2, done
    assert done.err.startswith(said)


def test_a_filter_is_printed_and_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "nodes.yaml").write_text(NODES)
    done = ask("firewall", "n1", "-f", "nodes.yaml", "--admin", "10.9.0.0/16", cwd=tmp_path)
    assert done.code == 0
    assert done.out.startswith("add table inet martello_host\n")
    assert "10.9.0.0/16" in done.out
    assert "nothing is changed: --apply loads it" in done.err
    pods = ask("firewall", "n2", "-f", "nodes.yaml", "--pods", "--cni", "martello", cwd=tmp_path)
    assert pods.out.startswith("add table inet martello\n")
    rows = json.loads(ask("firewall", "n2", "-f", "nodes.yaml", "-o", "json", cwd=tmp_path).out)
    assert rows["role"] == "worker"
    calico = ask("firewall", "n2", "-f", "nodes.yaml", "-o", "calico", cwd=tmp_path).out
    assert next(d["kind"] for d in yaml.safe_load_all(calico)) == "HostEndpoint"


def test_the_edge_of_a_cluster_by_a_fleet(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "nodes.yaml").write_text(NODES)
    fleet = {
        "clusters": {
            "a": {"files": "a", "pods": ["10.244.0.0/16"], "nodes": ["192.168.0.0/24"]},
            "b": {"files": "b", "pods": ["10.245.0.0/16"], "nodes": ["192.168.1.0/24"]},
        }
    }
    file = tmp_path / "fleet.yaml"
    file.write_text(yaml.safe_dump(fleet))
    words = ("firewall", "a", "--perimeter", "--fleet", str(file))
    done = ask(*words)
    assert done.code == 0, done
    assert done.out.startswith("add table inet martello_perimeter\n")
    assert "10.245.0.0/16" in done.out
    asked = ask("can", "a/shop/a", "b/shop/a:80", "--fleet", str(file))
    assert asked.code in (1, 3), asked
    assert ask("can", "c/shop/a", "b/shop/a:80", "--fleet", str(file)).code == 2
    fleet["clusters"]["b"]["pods"] = ["10.244.0.0/16"]
    file.write_text(yaml.safe_dump(fleet))
    done = ask(*words)
    assert done.code == 2
    assert "clusters a and b both use 10.244.0.0/16" in done.err
    linted = ask("lint", "--fleet", str(file), "-o", "json")
    messages = [f["message"] for f in json.loads(linted.out)["findings"] if f["check"] == "NET-021"]
    assert any("clusters a and b both use 10.244.0.0/16" in m for m in messages), linted


def test_confirm_without_a_change_is_refused() -> None:
    done = ask("firewall", "n1", "--confirm")
    assert done.code == 2
