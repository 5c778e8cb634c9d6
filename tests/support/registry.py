"""A real registry (Debian's docker-registry) on loopback, in a directory of its own, for tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest
from tests.support.certificates import Authority
from tests.support.ports import free_port

_READY_SECONDS: Final = 20.0


class Missing(Exception):
    """A program is not here; the message says which Debian package holds it."""


class RealRegistry:
    """A running registry: `url` is host:port; `ca` what clients trust where it speaks TLS."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.port = port
        self.url = f"127.0.0.1:{port}"
        self.ca: Path | None = None
        self.log = directory / "registry.log"

    def asked(self, method: str) -> int:
        """How many requests of a method it has answered, by its own log."""
        text = self.log.read_text(errors="replace")
        return text.count(f'] "{method} ')


@contextlib.contextmanager
def running(*, users: Mapping[str, str] | None = None, tls: bool = False) -> Iterator[RealRegistry]:
    """Starts a registry that allows deletes, waits until it answers, and ends it by process id.

    `users` (name → password) are asked for by htpasswd. Raises Missing without the programs.
    """
    program = need("docker-registry", "docker-registry")
    with tempfile.TemporaryDirectory(prefix="martello-registry-") as name:
        directory = Path(name)
        registry = RealRegistry(directory, free_port())
        lines = [
            "version: 0.1",
            "log: {level: warn, accesslog: {disabled: false}}",
            "storage:",
            f"  filesystem: {{rootdirectory: {directory / 'data'}}}",
            "  delete: {enabled: true}",
            "http:",
            f"  addr: {registry.url}",
        ]
        if tls:
            authority = Authority(directory)
            certificate, key = authority.server("registry", "127.0.0.1", "localhost")
            registry.ca = authority.file
            lines.append(f"  tls: {{certificate: {certificate}, key: {key}}}")
        if users:
            (directory / "htpasswd").write_text("".join(_entry(u, p) for u, p in users.items()))
            lines.append(f"auth: {{htpasswd: {{realm: test, path: {directory / 'htpasswd'}}}}}")
        (directory / "config.yml").write_text("\n".join(lines) + "\n")
        with registry.log.open("wb") as out:
            process = subprocess.Popen(
                [program, "serve", str(directory / "config.yml")],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=directory,
                env={"PATH": os.environ.get("PATH", os.defpath), "OTEL_TRACES_EXPORTER": "none"},
            )
        try:
            _wait(registry, process)
            yield registry
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def skopeo(*arguments: str) -> str:
    """What skopeo prints; a refusal fails the test. Raises Missing where it is not here."""
    program = need("skopeo", "skopeo")
    done = subprocess.run(
        [program, "--insecure-policy", *arguments], capture_output=True, text=True, timeout=60
    )
    if done.returncode:
        raise AssertionError(f"skopeo {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def need(program: str, package: str) -> str:
    """The path of a program. Raises Missing with the Debian package that holds it."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if found is None:
        raise Missing(f"no {program}: apt-get install {package}")
    return found


def or_skip(program: str, package: str) -> None:
    """Skips the test with a line that says what to install, where a program is not here."""
    try:
        need(program, package)
    except Missing as missing:
        pytest.skip(str(missing))


def _entry(user: str, password: str) -> str:
    program = need("htpasswd", "apache2-utils")
    command = [program, "-Bbn", user, password]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() + "\n"


def _wait(registry: RealRegistry, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", registry.port)):
            return
        time.sleep(0.02)
    tail = registry.log.read_text(errors="replace")[-2000:]
    raise AssertionError(f"docker-registry did not become ready:\n{tail}")
