"""What rules are asked about: a column is a class of endpoints, of nodes, or an atom of addresses.

An endpoint whose addresses rules treat differently by family has a column for each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
POD: Final = 0
NODE: Final = 1
ADDRESS: Final = 2
KNOWN: Final = 0  # whether addresses are known, and if not, for which family one asks
ALIKE: Final = 1  # not known, both families alike
HIDDEN: Final = {4: 2, 6: 3}  # not known, but inside the ranges of the profile


class Columns(msgspec.Struct, frozen=True, eq=False):
    """Numbers of each column. `atom` is that of its one address of family `version`, -1 where there
    is none; nodes of several addresses are in `several`.
    """

    kind: Numbers
    space: Numbers
    label: Numbers  # of pods: class of labels; of nodes: class of labels of nodes
    shape: Numbers
    version: Numbers
    atom: Numbers
    hidden: Numbers
    several: Mapping[int, tuple[int, tuple[int, ...]]]  # column → version, atoms

    @property
    def count(self) -> int:
        """How many columns there are."""
        return len(self.kind)

    def only(self, kept: Numbers) -> Columns:
        """Some of the columns by themselves, numbered anew."""
        place = {int(column): at for at, column in enumerate(kept)}
        return Columns(
            self.kind[kept],
            self.space[kept],
            self.label[kept],
            self.shape[kept],
            self.version[kept],
            self.atom[kept],
            self.hidden[kept],
            {place[c]: atoms for c, atoms in self.several.items() if c in place},
        )


class Column(msgspec.Struct, frozen=True):
    """One column by itself, as it is made for nodes and addresses."""

    kind: int
    label: int = 0
    version: int = 0
    atoms: tuple[int, ...] = ()
    hidden: int = KNOWN


def joined(pods: Columns, more: list[Column]) -> Columns:
    """The columns of pods, and after them others."""
    first = pods.count

    def numbers(before: Numbers, found: list[int]) -> Numbers:
        return np.concatenate([before, np.array(found, dtype=np.int64)])

    return Columns(
        numbers(pods.kind, [c.kind for c in more]),
        numbers(pods.space, [-1] * len(more)),
        numbers(pods.label, [c.label for c in more]),
        numbers(pods.shape, [0] * len(more)),
        numbers(pods.version, [c.version for c in more]),
        numbers(pods.atom, [c.atoms[0] if len(c.atoms) == 1 else -1 for c in more]),
        numbers(pods.hidden, [c.hidden for c in more]),
        {first + at: (c.version, c.atoms) for at, c in enumerate(more) if len(c.atoms) > 1},
    )
