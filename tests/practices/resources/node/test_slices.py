"""Shares of processor time against a scheduler that hands it out slice by slice."""

from __future__ import annotations

import math
import os
import random

import pytest
from tests.support.resources import slices
from tests.support.resources.attackers import world

from martello.practices.resources.node import share

ROUNDS = int(os.environ.get("ROUNDS") or 300) // 10
CHUNKS = 3


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_what_is_served_is_what_slices_come_to(chunk: int) -> None:
    """Every container of a node on which one wants all it can get: within 1.5 % of the node."""
    for seed in range(chunk, ROUNDS, CHUNKS):
        found = world(random.Random(seed))
        spinner = (found.attacker.key, found.part.name)
        demands = {
            (pod.key, part.name): float(part.use.cpu or 0)
            for pod in found.pods
            for part in pod.parts
        }
        told = share.served(found.node, found.pods, {**demands, spinner: math.inf})
        had = slices.run(found.node, found.pods, spinner, lambda now: True, ms=1500)
        capacity = found.node.capacity["cpu"]
        for key, served in had.items():
            assert served == pytest.approx(told[key], abs=0.015 * capacity), f"seed {seed}: {key}"
