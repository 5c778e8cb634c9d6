"""What a kubelet's /stats/summary says of the use of pods and of its node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from martello.practices.resources.node.model import Use


def uses(summary: Mapping[str, Any]) -> dict[str, Use]:
    """The use of every pod and container, by `namespace/pod` and `namespace/pod/container`. What
    is missing or of the wrong kind is None.
    """
    raise NotImplementedError
