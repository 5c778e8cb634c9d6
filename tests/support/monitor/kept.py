"""What a part of the daemon hands over to be kept, and the kubeconfig of a small server."""

from __future__ import annotations

import json
from typing import Any

from martello.core.errors import Unreachable


class Kept:
    """What was handed over, where there is room."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.full = False

    def __call__(self, source: str, body: bytes) -> None:
        if self.full:
            raise Unreachable("no room", "the spool is full", "")
        assert source == "columns"
        self.events += map(json.loads, body.splitlines())


def kubeconfig(url: str) -> dict[str, Any]:
    """Of one server that asks for no credentials."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": url}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "users": [{"name": "x", "user": {}}],
    }
