"""NetworkPolicy specs that the API server refuses, and where it does; and some that it takes."""

from __future__ import annotations

from typing import Any, Final

_PEER = "spec.ingress[0].from[0]"
_BAD_PORTS: tuple[Any, ...] = (0, 65536, -1, True, 1.5, "80", "HTTP", "", [])
_PORT = "spec.ingress[0].ports[0]"

REFUSED: Final[tuple[tuple[Any, str], ...]] = (
    ({"policyTypes": ["ingress"]}, "spec.policyTypes[0]"),
    ({"policyTypes": ["Ingress", "Egress", "Egress"]}, "spec.policyTypes"),
    ({"policyTypes": "Ingress"}, "spec.policyTypes"),
    ({"podSelector": []}, "spec.podSelector"),
    ({"ingress": {}}, "spec.ingress"),
    ({"egress": "all", "policyTypes": ["Ingress"]}, "spec.egress"),
    ({"ingress": [[]]}, "spec.ingress[0]"),
    ({"ingress": [{"from": {}}]}, "spec.ingress[0].from"),
    ({"ingress": [{"from": [{}]}]}, _PEER),
    ({"ingress": [{"from": [None]}]}, _PEER),
    ({"ingress": [{"from": [{"podSelector": None}]}]}, _PEER),
    (
        {"ingress": [{"from": [{"ipBlock": {"cidr": "::/0"}, "podSelector": {}}]}]},
        _PEER,
    ),
    ({"ingress": [{"from": [{"ipBlock": {}}]}]}, f"{_PEER}.ipBlock.cidr"),
    *(
        ({"ingress": [{"from": [{"ipBlock": {"cidr": cidr}}]}]}, f"{_PEER}.ipBlock.cidr")
        for cidr in (
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0.0/255.0.0.0",
            "10.0.0/8",
            "10.0.0.0/-1",
            "10.0.0.0/ 8",
            "10..0.0/8",
            "fe80::%1/64",
            "a/8",
            8,
            "1" * 99 + "/8",
        )
    ),
    *(
        (
            {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": [gone]}}]}]},
            f"{_PEER}.ipBlock.except[0]",
        )
        for gone in ("11.0.0.0/16", "10.0.0.0/8", "10.0.0.0/7", "::/0", "x")
    ),
    *(({"ingress": [{"ports": [{"port": port}]}]}, f"{_PORT}.port") for port in _BAD_PORTS),
    ({"ingress": [{"ports": [{"protocol": "ICMP"}]}]}, f"{_PORT}.protocol"),
    ({"ingress": [{"ports": [{"protocol": "tcp"}]}]}, f"{_PORT}.protocol"),
    ({"ingress": [{"ports": [{"port": 80, "endPort": 79}]}]}, f"{_PORT}.endPort"),
    ({"ingress": [{"ports": [{"port": 80, "endPort": 65536}]}]}, f"{_PORT}.endPort"),
    ({"ingress": [{"ports": [{"port": 80, "endPort": "90"}]}]}, f"{_PORT}.endPort"),
    ({"ingress": [{"ports": [{"port": "http", "endPort": 90}]}]}, f"{_PORT}.endPort"),
    ({"ingress": [{"ports": [{"endPort": 90}]}]}, f"{_PORT}.endPort"),
    ("x", "spec"),
)
TAKEN: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"podSelector": None, "policyTypes": None, "ingress": None},
    {"policyTypes": ["Ingress", "Ingress"]},
    {"egress": [{}]},
    {"egress": []},
    {"policyTypes": ["Egress"], "ingress": [{}]},
    {"ingress": [{"from": [], "ports": []}]},
    {"ingress": [None]},
    {"ingress": [{"ports": [None]}]},
    {"ingress": [{"ports": [{"protocol": "SCTP"}, {"port": 65535}, {"port": "a-b1"}]}]},
    {"ingress": [{"from": [{"podSelector": {}}, {"namespaceSelector": {}, "podSelector": {}}]}]},
    {"ingress": [{"from": [{"ipBlock": {"cidr": "10.1.2.3/8", "except": ["10.1.2.3/9"]}}]}]},
    {"ingress": [{"from": [{"ipBlock": {"cidr": "::/0", "except": ["fd00::/8"]}}]}]},
    {"ingress": [{"from": [{"ipBlock": {"cidr": "::ffff:10.0.0.0/104"}}]}]},
)
