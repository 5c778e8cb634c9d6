"""AdminNetworkPolicy and BaselineAdminNetworkPolicy `policy.networking.k8s.io/v1alpha1`.

Source: `apis/v1alpha1` of kubernetes-sigs/network-policy-api. Lists may have 100 elements; there is
one baseline, and its name is `default`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from martello.core.path import Path
from martello.core.resource import Resource
from martello.practices.network.dialects.form import Form, Port, one
from martello.practices.network.dialects.tiered import (
    Dialect,
    form_of,
    read_tiered,
)
from martello.practices.network.model import ACCEPT, ADMIN, BASELINE, DENY, PASS, NamedPort, Policy

KIND: Final = "AdminNetworkPolicy.policy.networking.k8s.io"
BASELINE_KIND: Final = "BaselineAdminNetworkPolicy.policy.networking.k8s.io"
FAMILY: Final = "policy.networking.k8s.io/v1alpha1"
_SPEC: Final = frozenset(("priority", "subject", "ingress", "egress"))
_BASELINE_SPEC: Final = _SPEC - {"priority"}
_BASELINE_NAME: Final = "default"
_FIELDS: Final = {
    "portNumber": ("protocol", "port"),
    "portRange": ("protocol", "start", "end"),
}


def read_policy(resource: Resource) -> tuple[Policy, Form]:
    """An AdminNetworkPolicy, and what is wrong with it: then it has a `doubt` and no rules."""
    form, spec = form_of(resource, _SPEC)
    return read_tiered(form, spec, DIALECT, ADMIN), form


def read_baseline(resource: Resource) -> tuple[Policy, Form]:
    """The BaselineAdminNetworkPolicy, likewise."""
    form, spec = form_of(resource, _BASELINE_SPEC)
    if resource.ref.name != _BASELINE_NAME:
        form.refuse(("metadata", "name"), f"must be {_BASELINE_NAME}")
    return read_tiered(form, spec, BASELINE_DIALECT, BASELINE), form


def _port(form: Form, raw: Any, path: Path) -> tuple[Port, ...]:
    """One element of `ports`: exactly one of portNumber, portRange and namedPort. A name matches
    whatever protocol the pod declares it with.
    """
    if not isinstance(raw, dict) or len(raw) != 1:
        form.refuse(path, "must have exactly one field")
        return ()
    name, value = next(iter(raw.items()))
    where = (*path, str(name))
    if name == "namedPort":
        return (NamedPort(form.name(value, where) or ""),)
    if name not in _FIELDS:
        form.doubtful(where, "is a field that is not understood")
        return ()
    fields = form.mapping(value, where, _FIELDS[name])
    protocol = form.protocol(fields.get("protocol"), (*where, "protocol"))
    if name == "portNumber":
        return (one(protocol, form.port(fields.get("port"), (*where, "port")) or 1),)
    return (form.span(protocol, fields.get("start"), fields.get("end"), where, ("start", "end")),)


DIALECT: Final = Dialect(
    FAMILY,
    {"Allow": ACCEPT, "Deny": DENY, "Pass": PASS},
    100,
    "ports",
    _port,
)
BASELINE_DIALECT: Final = msgspec.structs.replace(
    DIALECT, actions={"Allow": ACCEPT, "Deny": DENY}, domains=False, ranked=False
)
