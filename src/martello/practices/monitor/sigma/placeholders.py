"""Values for the placeholders of `|expand`, where the user gives some."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sigma.exceptions import SigmaError
from sigma.rule import SigmaDetection, SigmaDetectionItem
from sigma.types import Placeholder, SigmaRegularExpression, SigmaString

from martello.practices.monitor.problems import shown
from martello.practices.monitor.sigma.lower import Unassessable

_MOST: Final = 1_000
_Part = SigmaDetection | SigmaDetectionItem


def filled(one: SigmaDetection, values: Mapping[str, Sequence[str]]) -> SigmaDetection:
    """The detection with its placeholders replaced; those without values stay, and make the rule
    unassessed where they are asked for. Raises Unassessable where values multiply too far.
    """
    if not values:
        return one
    stack: list[_Part] = [one]
    while stack:
        part = stack.pop()
        if isinstance(part, SigmaDetection):
            stack.extend(part.detection_items)
        else:
            part.value = [made for value in part.value for made in _made(value, values)]
            if len(part.value) > _MOST:
                raise Unassessable(f"its placeholders make more than {_MOST:,} values")
    return one


def _made(value: Any, values: Mapping[str, Sequence[str]]) -> list[Any]:
    text = value.regexp if isinstance(value, SigmaRegularExpression) else value
    if not isinstance(text, SigmaString) or not text.contains_placeholder(include=list(values)):
        return [value]

    def chosen(place: Placeholder) -> Iterator[Any]:
        yield from values.get(place.name, (place,))

    try:
        made = list(value.replace_placeholders(chosen))
    except SigmaError as error:
        raise Unassessable(f"its placeholders cannot be filled: {shown(error)}") from None
    if isinstance(value, SigmaString):  # a cased one stays cased
        for each in made:
            each.__class__ = value.__class__
    return made
