"""Images that a container engine on this machine holds: Docker's and Podman's, by their sockets."""

from __future__ import annotations

import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

import httpx
import msgspec

from martello.adapters.archive import DockerArchive, archive_of
from martello.adapters.files import PART, spooled
from martello.adapters.layout import Layout
from martello.core.errors import BadInput, MartelloError, NotPermitted, Unreachable
from martello.core.image import parse_image

Engine = Literal["docker", "podman"]
_TITLES: Final[Mapping[Engine, str]] = {"docker": "Docker", "podman": "Podman"}
_HOSTS: Final[Mapping[Engine, str]] = {"docker": "DOCKER_HOST", "podman": "CONTAINER_HOST"}
_TIMEOUT: Final = httpx.Timeout(300.0, connect=10.0)  # an engine packs a while before it sends
_LONGEST_WORDS: Final = 300


def open_engine(engine: Engine, name: str, environ: Mapping[str, str]) -> DockerArchive | Layout:
    """An image of a local engine, fetched whole into a temporary file without a name. It is the
    only image there: ask for it by the empty reference. Raises Unreachable where there is no
    engine, BadInput where it has no such image, NotPermitted.
    """
    identity = name.removeprefix("sha256:")
    is_id = 4 <= len(identity) <= 64 and not identity.strip("0123456789abcdef")
    if not is_id and parse_image(name) is None:
        raise BadInput(f"cannot read {engine}:{name[:200]}", "that is no name of an image")
    path = _socket(engine, environ)
    program = shutil.which("podman", path=environ.get("PATH")) if engine == "podman" else None
    where = f"{engine}:{name}"
    if path is not None:
        try:
            return archive_of(spooled(_asked(engine, path, name), where))
        except Unreachable:
            if program is None:
                raise
    if program is not None:
        return archive_of(spooled(_saved(program, name, environ), where))
    tried = ", ".join(_places(engine, environ))
    raise Unreachable(
        f"no {_TITLES[engine]} engine answers",
        f"there is no socket at {tried}"
        + (", and no podman on PATH" if engine == "podman" else ""),
        f"start it, set {_HOSTS[engine]}=unix://SOCKET, or save the image: {engine} save {name} |"
        " martello image scan docker-archive:-",
    )


def _places(engine: Engine, environ: Mapping[str, str]) -> list[str]:
    """Where its socket may be: where the environment says so, only there."""
    host = environ.get(_HOSTS[engine], "")
    if host:
        scheme, _, path = host.partition("://")
        if scheme != "unix" or not path.startswith("/"):
            raise BadInput(
                f"cannot use {_HOSTS[engine]}",
                "only sockets of this machine are read (unix:///…)",
                f"save it instead: {engine} save NAME | martello image scan docker-archive:-",
            )
        return [path]
    runtime, home = environ.get("XDG_RUNTIME_DIR", ""), environ.get("HOME", "")
    own = [f"{runtime}/{'podman/podman' if engine == 'podman' else 'docker'}.sock"]
    own = own if runtime else []
    if engine == "podman":
        return [*own, "/run/podman/podman.sock"]
    desktop = [f"{home}/.docker/run/docker.sock"] if home else []
    return ["/var/run/docker.sock", *own, *desktop]


def _socket(engine: Engine, environ: Mapping[str, str]) -> str | None:
    for path in _places(engine, environ):
        try:
            if stat.S_ISSOCK(Path(path).stat().st_mode):
                return path
        except (OSError, ValueError):
            continue
    return None


def _asked(engine: Engine, path: str, name: str) -> Iterator[bytes]:
    """What the engine's API answers to `GET /images/NAME/get`, which Podman serves as well."""
    where = f"{_TITLES[engine]} at {path}"
    address = f"http://localhost/images/{quote(name, safe='/:@')}/get"
    headers = {"Accept-Encoding": "identity"}
    _reached(where, path)
    try:
        transport = httpx.HTTPTransport(uds=path)
        with (
            httpx.Client(transport=transport, timeout=_TIMEOUT, trust_env=False) as client,
            client.stream("GET", address, headers=headers) as answer,
        ):
            if answer.status_code != 200:
                raise _refusal(where, name, answer)
            yield from answer.iter_raw(PART)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = str(error)[:_LONGEST_WORDS] or type(error).__name__
        raise Unreachable(f"{where} does not answer", why.lower()) from None


def _reached(where: str, path: str) -> None:
    """Whether anybody listens: the reason is plainer here than where the request fails."""
    with socket.socket(socket.AF_UNIX) as tried:
        tried.settimeout(10.0)
        try:
            tried.connect(path)
        except PermissionError:
            why = "its socket is not open to this user"
            raise NotPermitted(f"cannot ask {where}", why) from None
        except OSError as error:
            why = (error.strerror or str(error) or type(error).__name__).lower()
            raise Unreachable(f"{where} does not answer", why) from None


def _refusal(where: str, name: str, answer: httpx.Response) -> MartelloError:
    told = b""
    for part in answer.iter_raw():
        told += part
        if len(told) > 4096:
            break
    try:
        words = str(msgspec.json.decode(told)["message"])
    except (msgspec.MsgspecError, UnicodeDecodeError, LookupError, TypeError):
        words = ""
    why = f"it says {answer.status_code}{': ' + words[:_LONGEST_WORDS] if words else ''}"
    if answer.status_code in (401, 403):
        return NotPermitted(f"{where} does not hand out {name}", why)
    if answer.status_code == 404 or "no such image" in words.lower():
        return BadInput(f"{where} has no image {name}", why, "look at its list of images")
    return Unreachable(f"{where} cannot hand out {name}", why)


def _saved(program: str, name: str, environ: Mapping[str, str]) -> Iterator[bytes]:
    """What `podman save` writes."""
    command = [program, "save", "--format", "docker-archive", "--", name]
    with tempfile.TemporaryFile(prefix="martello-") as said:
        try:
            running = subprocess.Popen(  # noqa: S603  the user's own podman
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                env=dict(environ),
            )
        except OSError as error:
            why = (error.strerror or type(error).__name__).lower()
            raise Unreachable(f"cannot start {program}", why) from None
        with running:
            assert running.stdout is not None
            try:
                while part := running.stdout.read(PART):
                    yield part
            except BaseException:
                running.kill()
                raise
        if running.returncode:
            said.seek(0)
            words = said.read(4096).decode("utf-8", "replace").strip()[-_LONGEST_WORDS:]
            why = f"it says: {words}" if words else f"it ended with {running.returncode}"
            if "not known" in words or "no such image" in words.lower():
                raise BadInput(f"Podman has no image {name}", why, "look at its list of images")
            raise Unreachable(f"podman cannot save {name}", why)
