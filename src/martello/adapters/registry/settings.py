"""How registries are spoken to: patience, limits, credentials, where a machine's own configuration
lies. Time, chance and the environment are arguments.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from martello.core.secret import NOTHING, Secret


class Credential(msgspec.Struct, frozen=True):
    """Who we are to one registry. `source` names where that was found, and is all that is shown."""

    source: str
    user: str = ""
    password: Secret = NOTHING
    identity: Secret = NOTHING  # a refresh token: exchanged by POST at the token service
    bearer: Secret = NOTHING  # a ready token of the registry itself


class Keyring(Protocol):
    """A place that holds credentials."""

    def find(self, name: str) -> tuple[Credential, ...]:
        """The credentials for `host/repository`, most fitting first. Raises NotPermitted where a
        credential helper fails.
        """
        ...


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All that may differ between two runs. Durations are seconds, sizes bytes."""

    keyrings: tuple[Keyring, ...] | None = None  # None: the files that docker and podman use
    insecure: tuple[str, ...] = ()  # host[:port] without TLS or with a certificate nobody checks
    authority: str = ""  # a PEM file of certificate authorities that are trusted besides
    registries: str | None = None  # a registries.conf; None: the machine's; empty: none
    certificates: tuple[str, ...] | None = None  # directories like certs.d; None: the machine's
    environ: Mapping[str, str] = os.environ
    silence: float = 30.0  # the longest wait for the next byte
    connect: float = 10.0
    exchange: float = 60.0  # one whole request and its answer, blobs aside
    slowest: int = 32 << 10  # bytes a second that a blob must come with, on the whole
    longest: float = 4 * 3600.0  # one blob, however large
    budget: float = 60.0  # waiting for a registry that asks for patience, by request
    tries: int = 6
    helper: float = 30.0  # a credential helper
    chunk: int = 8 << 20  # where a registry wants uploads in parts
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    now: Callable[[], float] = time.time
    ticks: Callable[[], float] = time.monotonic
