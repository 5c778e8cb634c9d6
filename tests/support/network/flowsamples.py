"""One good line of each format."""

from __future__ import annotations

from typing import Any, Final

_ENDS: Final = {"src_ip": "10.0.0.1", "dest_ip": "10.0.0.2", "src_port": 4000, "dest_port": 443}
_SOCK: Final = {"saddr": "10.0.1.1", "daddr": "10.0.2.2", "sport": 4000, "dport": 443}

SAMPLES: Final[dict[str, dict[str, Any] | str]] = {
    "hubble": {
        "flow": {
            "time": "2026-03-01T10:00:00.5Z",
            "verdict": "FORWARDED",
            "IP": {"source": "10.0.1.1", "destination": "10.0.2.2"},
            "l4": {"TCP": {"source_port": 40000, "destination_port": 80, "flags": {"SYN": True}}},
            "source": {"namespace": "shop", "pod_name": "web-1", "workloads": [{"name": "web"}]},
            "destination": {"identity": 8, "cluster_name": "prod"},
            "destination_names": ["a.example"],
            "destination_service": {"name": "db", "namespace": "shop"},
            "Type": "L3_L4",
            "is_reply": None,
        }
    },
    "goldmane": {
        "start_time": "2026-03-01T10:00:00Z",
        "action": "Allow",
        "source_name": "web-755cdc7957-*",
        "source_namespace": "shop",
        "dest_name": "pub",
        "protocol": "tcp",
        "dest_port": 443,
    },
    "calico": {
        "start_time": 1659621542,
        "source_name_aggr": "web-*",
        "source_namespace": "shop",
        "source_type": "wep",
        "dest_ip": "10.48.1.2",
        "dest_name": "db-0",
        "dest_name_aggr": "db-*",
        "dest_namespace": "shop",
        "dest_port": 5432,
        "dest_domains": ["a.example"],
        "proto": "tcp",
        "action": "deny",
        "num_flows": 9,
    },
    "netobserv": {
        "SrcAddr": "10.0.1.1",
        "SrcK8S_Name": "web-1",
        "SrcK8S_Type": "Pod",
        "DstAddr": "10.96.0.9",
        "DstPort": 80,
        "Proto": 6,
        "Flags": 2,
        "XlatDstAddr": "10.0.2.2",
        "XlatDstPort": 8080,
        "TimeFlowStartMs": 1772359200500,
    },
    "conntrack": (
        "[1772359200.5     ]\t [NEW] ipv4 2 tcp 6 120 SYN_SENT src=10.0.1.1 dst=10.96.0.9 "
        "sport=40000 dport=80 [UNREPLIED] src=10.0.2.2 dst=10.0.1.1 sport=8080 dport=40000"
    ),
    "vpc": "2 1234567890 eni-1 10.0.0.1 10.0.0.2 20641 22 6 20 42 1418530010 1418530070 ACCEPT OK",
    "cloud": {
        "jsonPayload": {
            "connection": _ENDS | {"protocol": 6},
            "start_time": "2026-03-01T10:00:00.25Z",
            "src_gke_details": {"pod": {"pod_name": "web-1", "pod_namespace": "shop"}},
        }
    },
    "envoy": {
        "start_time": "2026-03-01T10:00:00.162Z",
        "downstream_remote_address": "10.0.1.38:35842",
        "downstream_local_address": "172.16.22.210:8000",
        "upstream_local_address": "10.0.1.38:41142",
        "upstream_host": "10.0.1.41:80",
        "upstream_cluster": "outbound|8000||httpbin.default.svc.cluster.local",
    },
    "tetragon": {
        "process_kprobe": {
            "process": {"pod": {"namespace": "shop", "name": "web-1", "workload": "web"}},
            "function_name": "tcp_connect",
            "args": [{"sock_arg": _SOCK | {"protocol": "IPPROTO_TCP"}}],
        },
        "time": "2026-03-01T10:00:00.5Z",
    },
    "falco": {
        "rule": "r",
        "time": "2026-03-01T10:00:00.5Z",
        "output_fields": {
            "evt.type": "connect",
            "fd.name": "10.0.1.1:4000->10.0.2.2:80",
            "fd.l4proto": "tcp",
            "k8s.ns.name": "shop",
            "k8s.pod.name": "web-1",
        },
    },
    "gadget": {
        "k8s": {"namespace": "shop", "podName": "web-1"},
        "src": {"addr": "10.0.1.1", "port": 40000, "proto": "TCP"},
        "dst": {"addr": "10.0.2.2", "port": 80, "proto": "TCP", "k8s": {"kind": "svc"}},
        "type": "connect",
        "timestamp": "2026-03-01T10:00:00.5Z",
    },
}
