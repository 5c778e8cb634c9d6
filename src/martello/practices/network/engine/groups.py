"""Groups: classes of endpoints that the same policies select."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from martello.practices.network.engine.classes import Universe
from martello.practices.network.engine.columns import Numbers
from martello.practices.network.engine.match import PodIndex
from martello.practices.network.engine.rows import Key
from martello.practices.network.engine.rules import INGRESS, names_ports, rules_of
from martello.practices.network.model import Policy


class Groups(msgspec.Struct, frozen=True, eq=False):
    """The groups of one direction: `of` is the group of each class of endpoints."""

    of: Numbers
    keys: tuple[Key, ...]


def groups(universe: Universe, policies: Mapping[int, Policy], way: str) -> Groups:
    """Who is selected by what in one direction. Group 0 is selected by nothing."""
    index = PodIndex(universe, universe.base_space, universe.base_label)
    classes: list[Numbers] = []
    codes: list[Numbers] = []
    naming = np.zeros(max(policies, default=0) + 1, dtype=bool)
    for serial, policy in policies.items():
        if rules_of(policy, way) is None:
            continue
        naming[serial] = way == INGRESS and names_ports(policy)
        sure, perhaps = index.find(policy.subject)
        if sure is not perhaps:
            doubtful = np.setdiff1d(perhaps, sure)
            classes.append(doubtful)
            codes.append(np.full(len(doubtful), serial * 2 + 1))
        classes.append(sure)
        codes.append(np.full(len(sure), serial * 2))
    of = np.zeros(len(universe.base_space), dtype=np.int64)
    keys: dict[Key, int] = {Key(): 0}
    if classes:
        of_class, of_code = np.concatenate(classes), np.concatenate(codes)
        order = np.lexsort((of_code, of_class))
        of_class, of_code = of_class[order], of_code[order]
        selected, begins = np.unique(of_class, return_index=True)
        ends = np.append(begins, len(of_class))[1:]
        for number, begin, end in zip(selected, begins, ends, strict=True):
            mine = of_code[begin:end]
            shape = int(universe.base_shape[number]) if naming[mine >> 1].any() else -1
            key = Key(tuple(mine.tolist()), _shape(way, shape))
            of[number] = keys.setdefault(key, len(keys))
    return Groups(of, tuple(keys))


def _shape(way: str, shape: int) -> int:
    """On the way in a shape is always given: names are those of the subject, never of the peer."""
    return max(shape, 0) if way == INGRESS else -1
