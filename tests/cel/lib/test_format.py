"""Named formats: what each takes and refuses, and what a check costs."""

from __future__ import annotations

from typing import Any

import pytest

from martello.cel.lib import format
from martello.cel.lib.format import FORMATS
from martello.cel.values import NONE

VALID = [
    ("dns1123Label", "my-label-1"),
    ("dns1123Label", "a" * 63),
    ("dns1123Subdomain", "api-extensions.k8s.io"),
    ("dns1035Label", "a1"),
    ("qualifiedName", "example.com/MyName"),
    ("qualifiedName", "My_Name.x"),
    ("dns1123LabelPrefix", "my-label-"),
    ("dns1123SubdomainPrefix", "sub.prefix-"),
    ("dns1035LabelPrefix", "a-"),
    ("labelValue", ""),
    ("labelValue", "A_b.c-1"),
    ("uri", "https://example.com/a?b#c"),
    ("uri", "/path"),
    ("uuid", "123E4567-e89b-12d3-a456-426614174000"),
    ("uuid", "123e4567e89b12d3a456426614174000"),
    ("byte", "aGVsbG8="),
    ("date", "2024-02-29"),
    ("date", "0000-12-31"),
    ("datetime", "2021-01-01T00:00:00Z"),
    ("datetime", "2021-01-01t23:59:59.123+05:30"),
]
INVALID = [
    ("dns1123Label", "", 1),
    ("dns1123Label", "a.b", 1),
    ("dns1123Label", "-a", 1),
    ("dns1123Label", "a" * 64, 1),
    ("dns1123Label", "A" * 64, 2),
    ("dns1123Label", "a\n", 1),
    ("dns1123Subdomain", "a..b", 1),
    ("dns1035Label", "1a", 1),
    ("qualifiedName", "", 2),
    ("qualifiedName", "/a", 1),
    ("qualifiedName", "a/b/c", 1),
    ("qualifiedName", "A/b", 1),
    ("dns1123LabelPrefix", "-", 1),
    ("dns1035LabelPrefix", "1-b-", 1),
    ("labelValue", "-a", 1),
    ("labelValue", "é" * 32, 2),
    ("uri", "relative", 1),
    ("uuid", "123", 1),
    ("byte", "", 1),
    ("byte", "a=", 1),
    ("date", "2023-02-29", 1),
    ("date", "2023-13-01", 1),
    ("date", "2023-1-1", 1),
    ("datetime", "2021-01-01", 1),
    ("datetime", "2021-01-01T24:00:00Z", 1),
    ("datetime", "2021-01-01T00:60:00Z", 1),
    ("datetime", "2021-01-01T00:00:00", 1),
    ("datetime", "2021-02-30T00:00:00Z", 1),
]


@pytest.mark.parametrize(("name", "text"), VALID)
def test_valid(name: str, text: str) -> None:
    assert not format.validate(FORMATS[name], text).present


@pytest.mark.parametrize(("name", "text", "problems"), INVALID)
def test_invalid(name: str, text: str, problems: int) -> None:
    wrong = format.validate(FORMATS[name], text)
    assert wrong.present
    assert len(wrong.value) == problems


def test_names() -> None:
    assert format.named("uuid").value == FORMATS["uuid"]
    assert not format.named("UUID").present
    overloads: dict[str, Any] = {item.name: item for item in format.LIBRARY.overloads}
    assert overloads["format.uuid"].function() is FORMATS["uuid"]
    assert len({*FORMATS.values(), FORMATS["uuid"]}) == 13


def test_cost() -> None:
    cost = format.LIBRARY.overloads[0].cost
    assert cost is not None
    assert cost(FORMATS["dns1123Label"], "my-name", NONE) == 8
