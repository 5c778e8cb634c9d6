"""Amounts of resources in thousandths, exact: the API server rounds every amount up to milli."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from martello.cel.lib.quantity import (
    BINARY,
    DECIMAL,
    EXPONENT,
    Quantity,
    canonical,
    is_quantity,
    parse,
)
from martello.core.defaults import quantity_text
from martello.core.path import Path
from martello.core.workload import Workload

Amounts = dict[str, int]  # resource name → thousandths
_MOST: Final = ((1 << 63) - 1) * 1000
_LONGEST: Final = 200  # characters of an amount that are quoted
FORM: Final = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)


class Binary(int):
    """An amount that the server prints by powers of 1024: it was written as `64Mi`."""


class Exponent(int):
    """An amount that the server prints with an exponent: it was written as `1e3`."""


class Spelled(int):
    """An amount that the server keeps as it was written, though it would print it otherwise: `+2`,
    `1E3`.
    """

    written: str
    kind: type[int]

    @classmethod
    def of(cls, milli: int, written: str, kind: type[int]) -> Spelled:
        """The amount with its text; sums of it are printed as `kind`."""
        found = cls(milli)
        found.written, found.kind = written, kind
        return found


_KINDS: Final[Mapping[str, type[int]]] = {DECIMAL: int, BINARY: Binary, EXPONENT: Exponent}
_FORMATS: Final[Mapping[type[int], str]] = {kind: name for name, kind in _KINDS.items()}


class Malformed(ValueError):
    """Something that the API server would refuse; `path` is where it lies."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(reason)
        self.path = path


class Need(msgspec.Struct, frozen=True):
    """Requests and limits of one container; requests hold the limits where nothing else is said.

    `path` leads to its resources in the object.
    """

    name: str
    path: Path
    role: str  # regular, init, or sidecar: an init container that stays
    requests: Amounts
    limits: Amounts

    @property
    def init(self) -> bool:
        """Whether it stands among the init containers."""
        return self.role != "regular"


@lru_cache(maxsize=65_536)
def _amount(text: str) -> int | None:
    if not is_quantity(text):
        return None
    read = parse(text)
    kind = _KINDS[read.format]
    milli = kind(read.ceil(-3))
    if read.scale >= -3 and str(read) != _canonical(milli):
        return Spelled.of(milli, str(read), kind)
    return milli


def _canonical(milli: int) -> str:
    return canonical(Quantity(int(milli), -3, _FORMATS.get(type(milli), DECIMAL)))


def amount(raw: Any) -> int | None:
    """A quantity in thousandths, rounded up; None for what is no quantity. It remembers how the
    server prints it (see `text`). As for the server, null is 0, and spaces around do not count.
    """
    written = quantity_text(raw)
    if isinstance(written, str):
        return _amount(written.strip())
    return 0 if written is None else None


def text(milli: int) -> str:
    """An amount as the API server prints it."""
    return milli.written if isinstance(milli, Spelled) else _canonical(milli)


def like(model: int, milli: int) -> int:
    """An amount that is printed as another is."""
    kind = model.kind if isinstance(model, Spelled) else type(model)
    return milli if kind is int else kind(milli)


def plus(one: int, other: int) -> int:
    """The sum, printed as the first is, or as the second where the first is 0: the server's way."""
    return like(one if one else other, one + other)


def read(value: Any, path: Path = ()) -> Amounts:
    """A mapping of resource names to quantities, which may be negative. Raises Malformed."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(path, "amounts are a mapping")
    found: Amounts = {}
    for name, raw in value.items():
        milli = amount(raw)
        if milli is None or not isinstance(name, str):
            told = f"{str(name)[:_LONGEST]}: {str(raw)[:_LONGEST]!r} is no quantity: {FORM}"
            raise Malformed((*path, str(name)), told)
        found[name] = milli
    return found


def amounts(value: Any, path: Path = ()) -> Amounts:
    """A mapping of resource names to quantities of 0 or more. Raises Malformed."""
    found = read(value, path)
    for name, milli in found.items():
        if milli < 0:
            raise Malformed((*path, name), f"{name} is negative")
    return found


def countable(found: Amounts) -> Amounts:
    """The same in 64 bits of whole units, as schedulers, kubelets and kernels count."""
    if all(milli <= _MOST for milli in found.values()):
        return found
    return {name: min(milli, _MOST) for name, milli in found.items()}


def divided(one: int, other: int) -> float:
    """A quotient of numbers of any size, as floating-point numbers have it."""
    try:
        return one / other
    except OverflowError:
        return math.inf


def needs(workload: Workload) -> tuple[Need, ...]:
    """The needs of the containers that count: all but ephemeral ones. Raises Malformed."""
    found: list[Need] = []
    for container in workload.containers:
        if container.role == "ephemeral":
            continue
        resources = container.raw.get("resources")
        path = (*container.path, "resources")
        if not isinstance(resources, dict):
            raise Malformed(path, "resources is no mapping")
        limits = amounts(resources.get("limits"), (*path, "limits"))
        requests = amounts(resources.get("requests"), (*path, "requests"))
        given = {**limits, **requests}
        found.append(Need(container.name, path, container.role, given, limits))
    return tuple(found)


def added(parts: Iterable[Amounts]) -> Amounts:
    """The sum by resource."""
    found: Amounts = {}
    for part in parts:
        for name, milli in part.items():
            found[name] = plus(found[name], milli) if name in found else milli
    return found


def most(one: Amounts, other: Amounts) -> Amounts:
    """The greater of both by resource; the second where they are equal."""
    found = dict(one)
    for name, milli in other.items():
        if name not in found or milli >= found[name]:
            found[name] = milli
    return found


def show(milli: int) -> str:
    """An amount in plain decimals."""
    whole, rest = divmod(milli, 1000)
    return f"{milli}m" if rest else str(whole)
