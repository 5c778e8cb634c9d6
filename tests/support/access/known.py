"""What the examples of the checks of paths are told from outside the objects."""

from __future__ import annotations

from typing import Any, Final

from martello.core.resource import Ref
from martello.practices.access.ways import Way

BINDING: Final = Ref("", "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", "deployers")
CHECKS: Final = ("ACC-900", "ACC-901", "ACC-902", "ACC-903")


def facts() -> dict[str, Any]:
    """One path for each check, all by the same binding."""
    message = "leads from internet to the goal in 2 steps"
    steps = ("1 internet reaches shop/web", "2 uses the token of shop/deployer")
    place = ("subjects", 0)
    return {
        "paths": tuple(Way(id, BINDING, place, "internet", message, "high", steps) for id in CHECKS)
    }
