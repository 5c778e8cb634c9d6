"""The parameter objects with which a binding has its policy evaluated, one evaluation each.

Source: the API server's CollectParams.
"""

from __future__ import annotations

from typing import Any

from martello.catalogue.policy.model import Binding, Policy, Request
from martello.catalogue.policy.world import NotKnown, World
from martello.core.selector import MalformedSelector

Params = dict[str, Any] | None


class Misconfigured(Exception):
    """The policy and its binding cannot be used together; failurePolicy decides what that does."""


def params_for(
    policy: Policy, binding: Binding, request: Request, world: World
) -> tuple[Params, ...]:
    """What `params` is bound to, once per evaluation: null where the policy or the binding names
    none; nothing at all where none was found and that is allowed. Raises Misconfigured, NotKnown.
    """
    if binding.parameters is not None:
        return (dict(binding.parameters),)
    if policy.param_kind is None or binding.param_ref is None:
        return (None,)
    api_version, kind = policy.param_kind
    reference = binding.param_ref
    namespaced = world.namespaced(api_version, kind)
    if namespaced is None:
        if world.complete:
            raise Misconfigured(f"paramKind kind `{api_version}, Kind={kind}` not known")
        raise NotKnown(f"no {kind} is in view, which '{policy.name}' takes as its parameter")
    namespace: str | None = None
    if namespaced:
        namespace = reference.namespace or request.namespace
        if not namespace:
            raise Misconfigured(
                "cannot use namespaced paramRef in policy binding that matches "
                "cluster-scoped resources"
            )
    elif reference.namespace:
        raise Misconfigured(
            "paramRef.namespace must not be provided for a cluster-scoped `paramKind`"
        )
    if reference.name and reference.selector is not None:
        raise Misconfigured("paramRef.name and paramRef.selector are mutually exclusive")
    if not reference.name and reference.selector is None:
        raise Misconfigured("one of name or selector must be provided")
    group = api_version.rpartition("/")[0]
    full = f"{kind}.{group}" if group else kind
    try:
        found = tuple(world.find(full, namespace, reference.name, reference.selector))
    except MalformedSelector as error:
        raise Misconfigured(str(error)) from error
    if not found and reference.deny_missing:
        raise Misconfigured(
            "no params found for policy binding with `Deny` parameterNotFoundAction"
        )
    return tuple(f.raw for f in found)
