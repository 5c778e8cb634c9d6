"""Which labelled things a selector selects, from an index by label instead of a walk over all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from martello.core.selector import equal, matches, refuse

T = TypeVar("T")


class Labelled(Generic[T]):
    """Things with labels, in an order that answers keep. Each answer is computed once."""

    __slots__ = ("_answers", "_by_key", "_by_label", "_labels", "_same", "things")

    def __init__(self, things: Iterable[tuple[Mapping[str, str], T]]) -> None:
        given = tuple(things)
        self.things: tuple[T, ...] = tuple(thing for _, thing in given)
        self._labels = tuple(labels for labels, _ in given)
        self._answers: dict[tuple[bool, str], tuple[T, ...]] = {}
        self._same: dict[tuple[int, ...], tuple[T, ...]] = {}  # equal answers are one tuple
        self._by_key: dict[str, list[int]] = {}
        self._by_label: dict[tuple[str, str], list[int]] = {}
        for index, labels in enumerate(self._labels):
            for key, value in labels.items():
                self._by_key.setdefault(key, []).append(index)
                self._by_label.setdefault((key, value), []).append(index)

    def selected(self, selector: Any) -> tuple[T, ...]:
        """What a LabelSelector selects. Raises MalformedSelector for what the server refuses."""
        answer = (True, repr(selector))
        found = self._answers.get(answer)
        if found is None:
            refuse(selector)
            found = self._answers[answer] = self._select(selector)
        return found

    def mapped(self, wanted: Any) -> tuple[T, ...]:
        """What the plain map of a Service selects. Raises MalformedSelector as above."""
        answer = (False, repr(wanted))
        found = self._answers.get(answer)
        if found is None:
            equal(wanted, {})
            best = self._narrowed(wanted)
            found = tuple(self.things[i] for i in best if equal(wanted, self._labels[i]))
            self._answers[answer] = found
        return found

    def _select(self, selector: Any) -> tuple[T, ...]:
        if selector is None:
            return ()
        wanted, expressions = selector.get("matchLabels"), selector.get("matchExpressions") or ()
        best = self._narrowed(wanted)
        positive = len(wanted or ())
        for expression in expressions:
            found = self._with(expression)
            if found is not None:
                positive += 1
                best = found if len(found) < len(best) else best
        if positive > 1:
            kept = tuple(i for i in best if matches(selector, self._labels[i]))
        else:
            gone = self._without(expressions)
            kept = tuple(i for i in best if i not in gone) if gone else tuple(best)
        same = self._same.get(kept)
        if same is None:
            same = self._same[kept] = tuple(self.things[i] for i in kept)
        return same

    def _narrowed(self, wanted: Any) -> Sequence[int]:
        """The shortest list that holds everything with all these labels."""
        best: Sequence[int] = range(len(self.things))
        if isinstance(wanted, Mapping):
            for key, value in wanted.items():
                if not isinstance(value, str):
                    return ()
                found = self._by_label.get((key, value), ())
                if len(found) < len(best):
                    best = found
        return best

    def _with(self, expression: Mapping[str, Any]) -> Sequence[int] | None:
        """Everything that has what an expression asks for; None where it asks for an absence."""
        key = expression["key"]
        if expression["operator"] == "Exists":
            return self._by_key.get(key, ())
        if expression["operator"] != "In":
            return None
        values = {v for v in expression["values"] if isinstance(v, str)}
        return sorted(i for value in values for i in self._by_label.get((key, value), ()))

    def _without(self, expressions: Iterable[Mapping[str, Any]]) -> set[int]:
        """Everything that has a label which an expression wants absent: mostly nothing."""
        gone: set[int] = set()
        for expression in expressions:
            key = expression["key"]
            if expression["operator"] == "DoesNotExist":
                gone.update(self._by_key.get(key, ()))
            elif expression["operator"] == "NotIn":
                for value in expression["values"]:
                    if isinstance(value, str):
                        gone.update(self._by_label.get((key, value), ()))
        return gone
