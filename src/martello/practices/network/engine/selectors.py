"""Labels as numbers: what no selector tells apart is one class, and a selector is asked once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from martello.practices.network.model import Requirement, Selector

Index = NDArray[np.intp]
UNNAMED: Final = 0  # a value that no selector names
ABSENT: Final = -1
UNKNOWN: Final = -2
NAME: Final = "kubernetes.io/metadata.name"


class Vocabulary:
    """The keys that selectors ask for, and for each the values that they name."""

    __slots__ = ("keys",)

    def __init__(self, keys: Mapping[str, Mapping[str, int]] | None = None) -> None:
        self.keys: dict[str, dict[str, int]] = {k: dict(v) for k, v in (keys or {}).items()}

    def with_(self, selectors: Iterable[Selector]) -> Vocabulary:
        """The vocabulary that knows more selectors; itself where it knew them all."""
        grown: Vocabulary | None = None
        for requirement in sorted({r for s in selectors for r in s.requirements}):
            held = (grown or self).keys.get(requirement.key)
            if held is not None and all(v in held for v in requirement.values):
                continue
            grown = grown or Vocabulary(self.keys)
            values = grown.keys.setdefault(requirement.key, {})
            for value in requirement.values:
                values.setdefault(value, len(values) + 1)
        return grown or self

    def number(self, key: str, labels: Mapping[str, str]) -> int:
        """The number of what labels say of a key."""
        value = labels.get(key)
        return ABSENT if value is None else self.keys[key].get(value, UNNAMED)

    def column(self, key: str, all_labels: Iterable[Mapping[str, str]]) -> NDArray[np.int64]:
        """The numbers of a key for many labels."""
        values = self.keys[key].get
        found = [labels.get(key) for labels in all_labels]
        numbers = [ABSENT if value is None else values(value, UNNAMED) for value in found]
        return np.array(numbers, dtype=np.int64)

    def of_namespace(self, name: str, labels: Mapping[str, str] | None) -> tuple[int, ...]:
        """The numbers of a namespace for all keys. Where its labels are not known (None), its name
        is.
        """
        known = {**(labels or {}), NAME: name}
        if labels is not None:
            return tuple(self.number(key, known) for key in self.keys)
        return tuple(self.number(k, known) if k == NAME else UNKNOWN for k in self.keys)


class LabelClasses:
    """Classes of labels, as a column of numbers for each key, and the answers of selectors.

    `asked` counts the selectors that were evaluated.
    """

    __slots__ = ("_answers", "_columns", "_doubts", "_orders", "_vocabulary", "asked", "count")

    def __init__(
        self, vocabulary: Vocabulary, columns: Mapping[str, NDArray[np.int64]], count: int
    ) -> None:
        self._vocabulary = vocabulary
        self._columns = columns
        self.count = count
        self.asked = 0
        self._doubts = any((numbers == UNKNOWN).any() for numbers in columns.values())
        self._answers: dict[Selector, tuple[Index, Index]] = {}
        self._orders: dict[str, tuple[Index, NDArray[np.int64]]] = {}

    def select(self, selector: Selector) -> tuple[Index, Index]:
        """The classes that a selector surely takes, and those that it may take (the same object
        where nothing is in doubt).
        """
        found = self._answers.get(selector)
        if found is None:
            self.asked += 1
            found = self._answers[selector] = self._evaluate(selector)
        return found

    def _evaluate(self, selector: Selector) -> tuple[Index, Index]:
        left = sorted(selector.requirements, key=lambda r: (r.operator != "In", len(r.values)))
        posted = bool(left) and left[0].operator == "In"
        taken = self._posted(left[0]) if posted else np.arange(self.count)
        for requirement in left[1:] if posted else left:
            taken = taken[self._meets(requirement, self._columns[requirement.key][taken])]
        taken = np.sort(taken)
        if not self._doubts:
            return taken, taken
        unknown = np.zeros(len(taken), dtype=bool)
        for requirement in left:
            unknown |= self._columns[requirement.key][taken] == UNKNOWN
        return (taken[~unknown] if unknown.any() else taken), taken

    def _posted(self, requirement: Requirement) -> Index:
        """The classes whose label has, or may have, one of the values."""
        if requirement.key not in self._orders:
            numbers = self._columns[requirement.key]
            order = np.argsort(numbers, kind="stable")
            self._orders[requirement.key] = order, numbers[order]
        order, numbers = self._orders[requirement.key]
        values = self._vocabulary.keys[requirement.key]
        wanted = [values[value] for value in requirement.values]
        if self._doubts:
            wanted.append(UNKNOWN)
        begins = np.searchsorted(numbers, wanted, "left")
        ends = np.searchsorted(numbers, wanted, "right")
        return np.concatenate([order[a:b] for a, b in zip(begins, ends, strict=True)])

    def _meets(self, requirement: Requirement, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Where a requirement holds, or may hold."""
        if requirement.operator == "Exists":
            found: NDArray[np.bool_] = numbers != ABSENT
        elif requirement.operator == "DoesNotExist":
            found = numbers == ABSENT
        else:
            values = self._vocabulary.keys[requirement.key]
            wanted = [values[value] for value in requirement.values]
            found = numbers == wanted[0] if len(wanted) == 1 else np.isin(numbers, wanted)
            if requirement.operator == "NotIn":
                found = ~found
        found |= numbers == UNKNOWN
        return found


def factor(arrays: Iterable[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Numbers that are equal where all arrays are; they grow with the first array."""
    code: NDArray[np.int64] | None = None
    width = 1
    for array in arrays:
        low, high = (int(array.min()), int(array.max())) if len(array) else (0, 0)
        if low == high and code is not None:
            continue
        if width * (high - low + 1) >= 2**62 and code is not None:
            code = np.unique(code, return_inverse=True)[1]
            width = int(code.max()) + 1
        code = array - low if code is None else code * (high - low + 1) + (array - low)
        width *= high - low + 1
    if code is None:
        raise ValueError("nothing to factor")
    return np.unique(code, return_inverse=True)[1].astype(np.int64)
