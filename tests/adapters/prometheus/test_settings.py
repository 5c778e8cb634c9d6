"""What options say of a Prometheus: read, refused, and never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from martello.adapters.prometheus.settings import Settings, authorization, settings
from martello.core.errors import BadInput, MartelloError, NotPermitted

SECRET = "wooden-horse-42"


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("http://localhost:9090", "http://localhost:9090"),
        ("http://localhost:9090/", "http://localhost:9090"),
        ("https://mimir.example/prometheus/", "https://mimir.example/prometheus"),
        ("https://vm.example/select/0/prometheus/api/v1/", None),
        ("https://[::1]:9090?x=1#y", "https://[::1]:9090"),
        (f"https://me:{SECRET}@prom.example:1", "https://prom.example:1"),
    ],
)
def test_an_address(given: str, address: str | None) -> None:
    expected = address or "https://vm.example/select/0/prometheus"
    assert settings(given).url == expected


@pytest.mark.parametrize(
    "given", ["", "localhost:9090", "ftp://x", "http://", "http://a:b:c", "http://x\n.example"]
)
def test_what_is_no_address(given: str) -> None:
    with pytest.raises(BadInput, match="no URL"):
        settings(given)


def _who(chosen: Settings) -> str:
    return authorization(chosen)[0].reveal()


def test_who_we_are(tmp_path: Path) -> None:
    token, user = tmp_path / "token", tmp_path / "user"
    token.write_text("tok-en\n")
    user.write_text("alice:pass:word\n")
    assert _who(settings("http://localhost")) == ""
    assert _who(settings("http://localhost", token_file=str(token))) == "Bearer tok-en"
    basic = "Basic YWxpY2U6cGFzczp3b3Jk"
    assert _who(settings("http://localhost", user_file=str(user))) == basic
    assert _who(settings("http://alice:pass%3Aword@localhost")) == basic


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("http://prom.example", {"token_file": "FILE"}),
        ("http://prom.example", {"user_file": "FILE"}),
        (f"http://me:{SECRET}@prom.example", {}),
        ("http://prom.example", {"headers": [f"Authorization: Bearer {SECRET}"]}),
        ("http://prom.example", {"headers": [f"cookie: {SECRET}"]}),
    ],
)
def test_credentials_are_not_sent_in_the_clear(
    tmp_path: Path, url: str, options: dict[str, Any]
) -> None:
    file = tmp_path / "file"
    file.write_text(f"me:{SECRET}")
    given: dict[str, Any] = {
        name: str(file) if value == "FILE" else value for name, value in options.items()
    }
    with pytest.raises(BadInput, match="in the clear") as raised:
        settings(url, **given)
    assert SECRET not in str(raised.value)
    assert settings(url, insecure=True, **given).insecure
    assert settings(url.replace("http:", "https:"), **given)
    assert settings(url.replace("prom.example", "127.0.0.1"), **given)


def test_a_tenant_is_no_credential() -> None:
    (header,) = settings("http://prom.example", headers=["X-Scope-OrgID: team-a"]).headers
    assert header[0] == "X-Scope-OrgID"
    assert header[1].reveal() == "team-a"


def test_a_header_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{SECRET}\n")
    chosen = settings("https://prom.example", headers=[f"X-Api-Key: @{file}"])
    assert chosen.headers[0][1].reveal() == SECRET
    assert SECRET not in repr(chosen)


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"{SECRET} x: y",
        "Host: other",
        "content-length: 5",
        "Accept-Encoding: br",
        f"X-Key: {SECRET}\r\nX: y",
        f"X-Key: {SECRET}é",
        ": value",
    ],
)
def test_a_header_that_cannot_be_sent(text: str) -> None:
    with pytest.raises(BadInput, match="cannot send") as raised:
        settings("https://prom.example", headers=[text])
    assert SECRET not in str(raised.value)


def test_two_answers_to_who_we_are(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="two answers"):
        settings("https://a:b@prom.example", token_file=str(tmp_path / "x"))


@pytest.mark.parametrize("content", [None, "", "\n", "two\nlines", "é", "x" * 70_000, "\x00"])
@pytest.mark.parametrize("option", ["token_file", "user_file"])
def test_a_file_that_holds_no_credential(tmp_path: Path, content: str | None, option: str) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_text(content)
    options: dict[str, Any] = {option: str(file)}
    with pytest.raises(NotPermitted, match="cannot read") as raised:
        settings("https://prom.example", **options)
    assert len(str(raised.value)) < 500


def test_a_user_without_a_password(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text(SECRET)
    with pytest.raises(NotPermitted, match="cannot read the user's file") as raised:
        settings("https://prom.example", user_file=str(file))
    assert SECRET not in str(raised.value)


def test_the_label_of_a_cluster() -> None:
    assert settings("https://p", cluster_label="cluster=a=b").cluster == ("cluster", "a=b")
    for wrong in ("prod", "=prod", "1x=prod", 'a"=prod'):
        with pytest.raises(MartelloError, match="no label of a cluster"):
            settings("https://p", cluster_label=wrong)
