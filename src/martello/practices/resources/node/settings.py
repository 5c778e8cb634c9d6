"""Nodes and the settings of their kubelets: told by the node, by its configuration, or assumed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from martello.core.cluster import Cluster
from martello.practices.resources.node.model import Node


def nodes(
    world: Cluster,
    kubelets: Mapping[str, Mapping[str, Any]] | None = None,
    stats: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[Node, ...]:
    """Every Node object as a Node; without any, one assumed node of the name "" (4 cores, 16 GiB,
    100 GiB, 110 pods). `kubelets` (KubeletConfiguration) and `stats` (/stats/summary) are by node
    name; a configuration under "" holds for every node without one of its own. Raises BadInput.
    """
    raise NotImplementedError
