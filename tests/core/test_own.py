"""Martello knows its own requests, and nobody passes for it."""

from __future__ import annotations

import uuid

import pytest

from martello.core.own import VERSION, Own

URI = "/api/v1/secrets?limit=500"
STAGE = "ResponseComplete"
NOW = 1_900_000_000.25
SECOND = 1_000_000_000


def at(seconds: float) -> int:
    return int((NOW + seconds) * SECOND)


def test_what_was_named_here_is_known() -> None:
    own = Own(b"k" * 32)
    name = own.name("GET", URI, NOW)
    assert name[14] == VERSION
    assert uuid.UUID(name).variant == uuid.RFC_4122
    assert own.made(name, "list", URI, STAGE, at(0.1))
    assert own.made(name, "list", URI, STAGE, at(0.1)), "the same event from a second source"
    assert Own(b"k" * 32).made(name, "list", URI, STAGE, at(3)), "after a restart"
    assert name != own.name("GET", URI, NOW)


@pytest.mark.parametrize(
    ("uri", "seconds"), [("/api/v1/secrets", 1.0), (URI, 121.0), (URI, -122.0)]
)
def test_a_name_is_of_one_request_at_one_time(uri: str, seconds: float) -> None:
    own = Own(b"k" * 32)
    assert not own.made(own.name("GET", URI, NOW), "list", uri, STAGE, at(seconds))


def test_a_name_that_was_seen_is_good_for_nobody_else() -> None:
    own = Own(b"k" * 32)
    name = own.name("GET", URI, NOW)
    assert own.made(name, "list", URI, STAGE, at(1))
    assert not own.made(name, "list", URI, STAGE, at(2))
    assert own.made(name, "list", URI, "RequestReceived", at(0.9)), "another stage of it"


def test_a_name_is_of_one_method() -> None:
    """Who sees the name of a list deletes what it lists by it."""
    own = Own(b"k" * 32)
    name = own.name("GET", URI, NOW)
    for verb in ("deletecollection", "create", "patch", "delete", "", "GET"):
        assert not own.made(name, verb, URI, STAGE, at(1)), verb
    assert own.made(name, "watch", URI, STAGE, at(1))
    assert own.made(own.name("POST", URI, NOW), "create", URI, STAGE, at(1))


def test_a_watch_of_our_own_is_known_at_its_end() -> None:
    own = Own(b"k" * 32)
    name = own.name("GET", URI, NOW)
    assert own.made(name, "watch", URI, "ResponseStarted", at(0.1), 0.1)
    assert own.made(name, "watch", URI, STAGE, at(240), 239.9)
    assert not own.made(name, "watch", URI, STAGE, at(480), 239.9)


def test_names_of_others_are_not_known() -> None:
    own = Own(b"k" * 32)
    name = own.name("GET", URI, NOW)
    assert not Own(b"x" * 32).made(name, "list", URI, STAGE, at(1))
    assert not own.made("", "list", URI, STAGE, at(1))
    assert not own.made(str(uuid.UUID(int=7)), "list", URI, STAGE, at(1))
    forged = bytearray(uuid.UUID(name).bytes)
    for place in range(16):
        other = bytearray(forged)
        other[place] ^= 1
        assert not own.made(str(uuid.UUID(bytes=bytes(other))), "list", URI, STAGE, at(1)), place
