"""N5: signing in, with every kind of credential, against the fake token service."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.fake_registry import FakeRegistry, fake
from tests.support.registry_settings import settings

from martello.adapters.registry.challenge import Challenge, parse
from martello.adapters.registry.client import Registry, connect
from martello.adapters.registry.credentials import Given
from martello.adapters.registry.network import Network
from martello.adapters.registry.settings import Credential
from martello.core.artifact import OCI_MANIFEST, Descriptor
from martello.core.errors import MartelloError, NotPermitted, Unreachable
from martello.core.secret import Secret

RAW = b'{"schemaVersion": 2, "config": {}, "layers": []}'
PASSWORD = "correct-horse-battery"


@pytest.fixture
def there() -> Iterator[FakeRegistry]:
    with fake() as registry:
        registry.put("a/b", "1", RAW, OCI_MANIFEST)
        registry.bearer = True
        yield registry


def at(registry: FakeRegistry, *credentials: Credential, **more: Any) -> Registry:
    """A client of a/b with these credentials."""
    keyrings = tuple(Given(registry.url, credential) for credential in credentials)
    return connect(f"{registry.url}/a/b:1", settings(keyrings=keyrings, **more))


def ann(source: str = "a file", password: str = PASSWORD) -> Credential:
    """A user with a password."""
    return Credential(source, "ann", Secret(password))


@pytest.mark.parametrize("name", ["token", "access_token"])
def test_an_anonymous_token_is_fetched_once(there: FakeRegistry, name: str) -> None:
    there.token_name = name
    with at(there) as ours:
        for _ in range(3):
            assert ours.manifest()[0] == RAW
    [asked] = [a for a in there.asked if a.path == "/token"]
    assert asked.query["service"] == ["a, fake"]
    assert asked.query["scope"] == ["repository:a/b:pull"]
    assert "authorization" not in asked.headers


def test_a_token_serves_until_it_expires(there: FakeRegistry) -> None:
    now = [0.0]
    there.token_life = 100
    with at(there, ticks=lambda: now[0]) as ours:
        for moment in (0.0, 80.0, 95.0, 120.0):
            now[0] = moment
            ours.manifest()
    assert there.count("GET", "/token") == 2


def test_a_token_that_was_revoked_is_renewed_once(there: FakeRegistry) -> None:
    with at(there) as ours:
        ours.manifest()
        there.tokens.clear()
        ours.manifest()
        assert there.count("GET", "/token") == 2
        there.answer = lambda asked: (
            (401, {"WWW-Authenticate": f'Bearer realm="http://{there.url}/token"'}, b"")
            if "manifests" in asked.path
            else None
        )
        with pytest.raises(NotPermitted):
            ours.manifest()
    assert there.count("GET", "/token") == 3


def test_passwords_go_to_the_token_service_only(there: FakeRegistry) -> None:
    there.users = {"ann": PASSWORD}
    with at(there, ann()) as ours:
        assert ours.manifest()[0] == RAW
    for asked in there.asked:
        basic = asked.headers.get("authorization", "").startswith("Basic")
        assert basic == (asked.path == "/token")


def test_an_identity_token_is_exchanged_by_post(there: FakeRegistry) -> None:
    there.users = {"ann": PASSWORD}
    there.identity = {"refresh-me": "ann"}
    with at(there, Credential("a file", identity=Secret("refresh-me"))) as ours:
        assert ours.manifest()[0] == RAW
    [asked] = [a for a in there.asked if a.path == "/token"]
    assert asked.method == "POST"
    assert asked.query == {}


def test_a_ready_token_is_used_as_it_is(there: FakeRegistry) -> None:
    there.users = {"ann": PASSWORD}
    there.tokens["ready"] = "ann"
    with at(there, Credential("a file", bearer=Secret("ready"))) as ours:
        assert ours.manifest()[0] == RAW
    assert there.count("GET", "/token") == 0


def test_keyrings_are_tried_in_order_then_nobody(there: FakeRegistry) -> None:
    there.users = {"ann": PASSWORD, "bob": "bobs-password"}
    there.forbidden = {"bob"}
    bob = Credential("bobs file", "bob", Secret("bobs-password"))
    with at(there, ann("old", "expired-password"), bob, ann("new")) as ours:
        assert ours.manifest()[0] == RAW
    there.users = {}
    there.forbidden = set()
    with at(there, ann("old", "expired-password")) as ours:
        assert ours.manifest()[0] == RAW


def test_a_refusal_names_the_sources_and_no_secret(there: FakeRegistry) -> None:
    there.users = {"ann": "another"}
    told = json.dumps({"errors": [{"code": "X", "message": f"no {PASSWORD} here"}]}).encode()
    realm = f'Bearer realm="http://{there.url}/token"'
    there.answer = lambda asked: (
        (401, {"WWW-Authenticate": realm}, told) if "manifests" in asked.path else None
    )
    with at(there, ann("first file"), ann("second file")) as ours:
        with pytest.raises(NotPermitted) as caught:
            ours.manifest()
        shown = f"{caught.value} {caught.value!r} {caught.value.args} {ours._lines}"
    assert "first file, second file" in shown
    assert "401" in shown
    assert there.url in shown
    assert PASSWORD not in shown


def test_403_is_told_as_such(there: FakeRegistry) -> None:
    there.users = {"ann": PASSWORD}
    there.forbidden = {"ann"}
    with at(there, ann()) as ours, pytest.raises(NotPermitted) as caught:
        ours.manifest()
    assert "403" in caught.value.why


def test_basic_is_sent_ahead_once_it_was_asked_for(there: FakeRegistry) -> None:
    there.bearer = False
    there.users = {"ann": PASSWORD}
    with at(there, ann()) as ours:
        ours.manifest()
        ours.manifest()
    bare = [a for a in there.asked if "manifests" in a.path and "authorization" not in a.headers]
    assert len(bare) == 1


def test_a_token_of_one_repository_is_not_sent_to_another(there: FakeRegistry) -> None:
    there.put("c/d", "1", RAW, OCI_MANIFEST)
    with Network(settings()) as network:
        for name in ("a/b", "c/d"):
            connect(f"{there.url}/{name}:1", network=network).manifest()
    sent = {a.headers["authorization"]: a.path for a in there.asked if "authorization" in a.headers}
    assert len(sent) == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"{}",
        b'{"token": 5}',
        b'{"token": "a\\nb"}',
        b'{"token": "%s"}' % (b"x" * 99999),
    ],
)
def test_a_nonsense_token_is_unreachable(there: FakeRegistry, answer: bytes) -> None:
    there.token_answer = answer
    with at(there) as ours, pytest.raises(Unreachable, match="cannot sign in"):
        ours.manifest()


@pytest.mark.parametrize("life", [None, "x", -1, True, 1e300, [], 0])
def test_nonsense_lifetimes_are_survived(there: FakeRegistry, life: Any) -> None:
    there.token_life = life
    with at(there) as ours:
        assert ours.manifest()[0] == RAW


@pytest.mark.parametrize("realm", ["", "ftp://x/", "http://[", "nothing", "//x"])
def test_nonsense_realms(there: FakeRegistry, realm: str) -> None:
    there.answer = lambda asked: (
        (401, {"WWW-Authenticate": f'Bearer realm="{realm}"'}, b"")
        if "manifests" in asked.path
        else None
    )
    with at(there, ann()) as ours, pytest.raises(MartelloError) as caught:
        ours.manifest()
    assert caught.value.exit_code == 4


def test_the_token_service_is_given_patience_too(there: FakeRegistry) -> None:
    left = [429, 503]
    slept: list[float] = []
    there.answer = lambda asked: (
        (left.pop(), {"Retry-After": "3"}, b"") if left and asked.path == "/token" else None
    )
    with connect(f"{there.url}/a/b:1", settings(slept)) as ours:
        assert ours.manifest()[0] == RAW
    assert slept == [3.0, 3.0]


def test_a_redirected_token_service_loses_the_password(there: FakeRegistry) -> None:
    there.users = {"ann": PASSWORD}
    with fake() as other:
        there.answer = lambda asked: (
            (302, {"Location": f"http://{other.url}/token"}, b"")
            if asked.path == "/token"
            else None
        )
        with at(there, ann()) as ours, pytest.raises(MartelloError):
            ours.manifest()
        assert other.asked
        assert not [a for a in other.asked if "authorization" in a.headers]


@pytest.mark.parametrize("status", [401, 403])
def test_who_is_redirected_to_names_no_token_service(there: FakeRegistry, status: int) -> None:
    there.users = {"ann": PASSWORD}
    content = b"a layer"
    digest = there.put_blob("a/b", content)
    with fake() as other, fake() as thief:
        realm = f'Bearer realm="http://{thief.url}/token",service="x", Basic realm="y"'
        other.answer = lambda asked: (status, {"WWW-Authenticate": realm}, b"")
        there.redirect = lambda path: f"http://{other.url}{path}"
        with at(there, ann()) as ours:
            described = Descriptor("", digest, len(content))
            with pytest.raises(NotPermitted):
                list(ours.blob(described))
            there.redirect = None
            assert b"".join(ours.blob(described)) == content  # what was granted still holds
        assert other.asked
        assert not thief.asked
        assert not [a for a in other.asked if "authorization" in a.headers]


def test_challenges_with_quotes_and_commas() -> None:
    text = (
        'Bearer realm="https://a/t?x=1,2", service="a \\"b\\", c" ,scope=repository, Basic realm=x'
    )
    assert parse([text, "Negotiate"]) == (
        Challenge(
            "bearer",
            {"realm": "https://a/t?x=1,2", "service": 'a "b", c', "scope": "repository"},
        ),
        Challenge("basic", {"realm": "x"}),
        Challenge("negotiate"),
    )


@pytest.mark.parametrize("text", ['a="' + "\\" * 16000, " ," * 8000, "a =" * 5000, '"\\' * 8000])
def test_long_challenges_take_no_time(text: str) -> None:
    started = time.process_time()
    parse([text])
    assert time.process_time() - started < 1


@given(st.lists(st.text(max_size=80), max_size=4))
def test_no_challenge_raises(texts: list[str]) -> None:
    for challenge in parse(texts):
        assert challenge.scheme == challenge.scheme.lower()


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}", fullmatch=True),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
        min_size=1,
        max_size=4,
    )
)
def test_what_is_quoted_comes_back(params: dict[str, str]) -> None:
    quoted = {k: v.replace("\\", "\\\\").replace('"', '\\"') for k, v in params.items()}
    text = "Bearer " + ", ".join(f'{name}="{value}"' for name, value in quoted.items())
    assert parse([text]) == (Challenge("bearer", params),)
