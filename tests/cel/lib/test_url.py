"""URLs and semantic versions: the documented cases and the edges of their parsers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.cel.lib import semver, url
from martello.cel.values import EvalError


@pytest.mark.parametrize(
    ("text", "scheme", "host", "hostname", "port", "path"),
    [
        ("https://example.com:80/", "https", "example.com:80", "example.com", "80", "/"),
        ("https://[::1]:80/p", "https", "[::1]:80", "::1", "80", "/p"),
        ("HTTP://u:p@h/a b", "http", "h", "h", "", "/a%20b"),
        ("http://h/a%2Fb", "http", "h", "h", "", "/a%2Fb"),
        ("http://h/[x]^", "http", "h", "h", "", "/%5Bx%5D%5E"),
        ("/path/é?q#f", "", "", "", "", "/path/%C3%A9"),
        ("mailto:a@b", "mailto", "", "", "", ""),
        ("///a", "", "", "", "", "///a"),
        ("*", "", "", "", "", "*"),
        ("http://[fe80::1%25a%20b]/", "http", "[fe80::1%a b]", "fe80::1%a b", "", "/"),
        ("http://[::ffff:1.2.3.4]", "http", "[::ffff:1.2.3.4]", "::ffff:1.2.3.4", "", ""),
        ("http://:80/", "http", ":80", "", "80", "/"),
    ],
)
def test_parts(text: str, scheme: str, host: str, hostname: str, port: str, path: str) -> None:
    parsed = url.parse(text)
    found = (parsed.scheme, parsed.host, url.hostname(parsed), url.port(parsed))
    assert (*found, parsed.escaped_path) == (scheme, host, hostname, port, path)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "example.com",
            "../relative",
            "a/b:c",
            ":80",
            "http://h:port/",
            "http://a b/",
            "/%zz",
        ),
        *("http://[1.2.3.4]/", "http://[::1", "http://x[::1]/", "/a\n", "http://h%41/"),
        *("http://u^@h/", "http://[::1%25]/", "#f"),
    ],
)
def test_no_urls(text: str) -> None:
    assert url.is_url(text) is False
    with pytest.raises(EvalError):
        url.parse(text)


def test_a_bad_fragment_is_seen_when_parsing() -> None:
    assert url.is_url("/a?b#%") is True
    with pytest.raises(EvalError):
        url.parse("/a?b#%")


def test_queries() -> None:
    text = "https://h/?k1=a&k2=b&k2=%C3%A9+c&k3&bad=%zz&x;y=1&=e"
    expected = {"k1": ["a"], "k2": ["b", "é c"], "k3": [""], "": ["e"]}
    assert url.query(url.parse(text)) == expected
    assert url.query(url.parse("/path?")) == {}


def test_equality_of_urls() -> None:
    assert url.parse("HTTP://h/a") == url.parse("http://h/a")
    assert url.parse("http://h/a%2F") != url.parse("http://h/a/")
    assert len({url.parse("/a"), url.parse("/a")}) == 1


@given(st.text(alphabet="ah:/?#[]@%20&=é \x7f", max_size=16))
def test_any_text_is_answered(text: str) -> None:
    if url.is_url(text) and "#" not in text:
        assert url.parse(text) == url.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "v1.0.0", "1.0", "01.0.0", "1.0.0-", "1.0.0+", "1.0.0-01", "1.0.0-a..b", "1.0.0+a_b"),
        *("1.0.0-é", "18446744073709551616.0.0", "-1.0.0", "1.0.0.0", "1.0.\u0661", "1" * 1001),
    ],
)
def test_no_versions(text: str) -> None:
    assert semver.is_semver(text) is False
    with pytest.raises(EvalError):
        semver.parse(text)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("v1.0", "1.0.0"),
        ("1", "1.0.0"),
        ("v01.02.003", "1.2.3"),
        ("0.0.00", "0.0.0"),
        ("1.2.03-rc.1+b.01", "1.2.3-rc.1+b.01"),
        ("1.0-alpha", None),
        ("vv1.0.0", None),
        ("", None),
    ],
)
def test_normalizing(text: str, normal: str | None) -> None:
    assert semver.is_semver(text, True) is (normal is not None)
    if normal is not None:
        assert str(semver.parse(text, True)) == normal


def test_precedence() -> None:
    ordered = ["1.0.0-1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta"]
    ordered += ["1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.10.0", "2.0.0"]
    versions = [semver.parse(text) for text in ordered]
    for lower, higher in pairwise(versions):
        assert (semver.compare(lower, higher), semver.compare(higher, lower)) == (-1, 1)
        assert lower < higher
        assert higher > lower
        assert lower <= lower
        assert lower >= lower
    assert semver.parse("1.0.0+a") == semver.parse("1.0.0+b")
    assert hash(semver.parse("1.0.0+a")) == hash(semver.parse("1.0.0"))
