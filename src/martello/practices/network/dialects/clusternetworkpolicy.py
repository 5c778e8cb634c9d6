"""ClusterNetworkPolicy `policy.networking.k8s.io/v1alpha2`.

Source: `apis/v1alpha2/clusternetworkpolicy_types.go` of kubernetes-sigs/network-policy-api (commit
0eec1b0, July 2026). The start of a range must be *less* than its end; `networks` take in pods.
"""

from __future__ import annotations

from typing import Any, Final

from martello.core.path import Path
from martello.core.resource import Resource
from martello.practices.network.dialects.form import Form, Port, one, whole
from martello.practices.network.dialects.tiered import (
    Dialect,
    form_of,
    read_tiered,
)
from martello.practices.network.model import ACCEPT, ADMIN, BASELINE, DENY, PASS, NamedPort, Policy

KIND: Final = "ClusterNetworkPolicy.policy.networking.k8s.io"
FAMILY: Final = "policy.networking.k8s.io/v1alpha2"
_SPEC: Final = frozenset(("tier", "priority", "subject", "ingress", "egress"))
_TIERS: Final = {"Admin": ADMIN, "Baseline": BASELINE}
_PROTOCOLS: Final = {"tcp": "TCP", "udp": "UDP", "sctp": "SCTP"}
_NAMED: Final = "destinationNamedPort"


def read_policy(resource: Resource) -> tuple[Policy, Form]:
    """The policy, and what is wrong with it: then it has a `doubt` and no rules."""
    form, spec = form_of(resource, _SPEC)
    tier = spec.get("tier")
    if not isinstance(tier, str) or tier not in _TIERS:
        wrong = "is required" if tier is None else f"{tier!r} is neither Admin nor Baseline"
        form.refuse(("spec", "tier"), wrong)
    return read_tiered(form, spec, DIALECT, _TIERS.get(str(tier), ADMIN)), form


def _protocol(form: Form, raw: Any, path: Path) -> tuple[Port, ...]:
    """One element of `protocols`: exactly one of tcp, udp, sctp and destinationNamedPort."""
    if not isinstance(raw, dict) or len(raw) != 1:
        form.refuse(path, "must have exactly one field")
        return ()
    name, value = next(iter(raw.items()))
    where = (*path, str(name))
    if name == _NAMED:
        return (NamedPort(form.name(value, where) or ""),)
    if name not in _PROTOCOLS:
        form.doubtful(where, "is a field that is not understood")
        return ()
    protocol = _PROTOCOLS[name]
    fields = form.mapping(value, where, ("destinationPort",))
    if not fields:
        form.refuse(where, "must have a destinationPort")
        return (whole(protocol),)
    return (_port(form, fields.get("destinationPort"), protocol, (*where, "destinationPort")),)


def _port(form: Form, raw: Any, protocol: str, path: Path) -> Port:
    port = form.mapping(raw, path, ("number", "range"))
    if len(port) != 1:
        form.refuse(path, "must have exactly one of number and range")
        return whole(protocol)
    if "number" in port:
        return one(protocol, form.port(port["number"], (*path, "number")) or 1)
    where = (*path, "range")
    span = form.mapping(port.get("range"), where, ("start", "end"))
    found = form.span(protocol, span.get("start"), span.get("end"), where, ("start", "end"))
    if found.first == found.last:
        form.refuse((*where, "start"), "must be less than end")
    return found


DIALECT: Final = Dialect(
    FAMILY,
    {"Accept": ACCEPT, "Deny": DENY, "Pass": PASS},
    25,
    "protocols",
    _protocol,
)
