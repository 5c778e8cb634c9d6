"""N4: patterns of an allow-list cover images component by component."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.core.image import covers, parse_image


@pytest.mark.parametrize(
    ("pattern", "name", "covered"),
    [
        ("reg.local", "reg.local/shop/api:1", True),
        ("reg.local", "reg.local.evil.example/shop/api", False),
        ("reg.local", "reg.local:5000/shop/api", False),
        ("reg.local/", "reg.local/shop/api", True),
        ("reg.local/shop/*", "reg.local/shop/api:1.4", True),
        ("reg.local/shop/*", "reg.local/shop/deep/api", True),
        ("reg.local/shop/*", "reg.local/shop", False),
        ("reg.local/shop/*", "reg.local/shop-x/api", False),
        ("reg.local/team", "reg.local/team-x/api", False),
        ("reg.local/team*", "reg.local/team-x/api", True),
        ("reg.local/shop", "reg.local/shop@sha256:" + "a" * 64, True),
        ("reg.local/*/api", "reg.local/shop/api", True),
        ("reg.local/*/api", "reg.local/shop/deep/api", False),
        ("reg.local/**/api", "reg.local/shop/deep/api", True),
        ("reg.local/**/api", "reg.local/api", True),
        ("reg.local/**/api", "reg.local/shop/deep/web", False),
        ("*.local/shop", "reg.local/shop/a", True),
        ("*.local/shop", "reg.local.evil/shop/a", False),
        ("*", "reg.local/a", True),
        ("**", "nginx", True),
        ("*/shop", "reg.local/shop/a", True),
        ("nginx", "nginx:1", True),
        ("nginx", "docker.io/library/nginx", True),
        ("docker.io/library", "nginx", True),
        ("index.docker.io/library", "nginx", True),
        ("team/*", "team/app", True),
        ("team/*", "reg.local/team/app", False),
        ("localhost", "localhost/a", True),
        ("reg.local:5000/a?c", "reg.local:5000/abc", True),
        ("reg.local/a.c", "reg.local/abc", False),
        ("REG.local/shop", "reg.local/shop/a", True),
        ("reg.local//shop", "reg.local/shop", False),
        ("", "nginx", False),
        ("reg.local", "", False),
        ("[::1]:5000", "[::1]:5000/a", True),
    ],
)
def test_N4_patterns(pattern: str, name: str, covered: bool) -> None:
    assert covers(pattern, name) is covered


@given(st.text(alphabet="ab.:/*?-", max_size=20), st.text(alphabet="ab.:/-", max_size=20))
def test_N4_nothing_raises_and_a_name_covers_itself(pattern: str, name: str) -> None:
    covers(pattern, name)
    image = parse_image(name)
    if image is not None:
        assert covers(image.name, name)
        assert covers(image.registry, name) or "." not in image.registry
