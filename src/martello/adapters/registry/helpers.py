"""Credential helpers: programs named docker-credential-NAME that hand out credentials for a host.

Clouds work through theirs: `ecr-login`, `gcloud` or `gcr`, `acr-env`, `osxkeychain`, `pass`, and
whatever else is on PATH. Source: the docker-credential-helpers protocol.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping
from typing import IO, Final

import msgspec

from martello.adapters.registry.failure import words
from martello.adapters.registry.settings import Credential
from martello.core.errors import NotPermitted
from martello.core.secret import Secret

_LARGEST: Final = 1 << 20  # bytes that a helper may print
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_NOT_HERE: Final = ("credentials not found", "no credentials", "not found in")
# What loaders and interpreters would run on the way: a helper needs none of it.
_UNCLEAN: Final = re.compile(r"(LD_|DYLD_|PYTHON|BASH_FUNC_).*|BASH_ENV|ENV|IFS|SHELLOPTS")


class _Answer(msgspec.Struct):
    Username: str = ""
    Secret: str = ""


def ask(
    helper: str, host: str, environ: Mapping[str, str], seconds: float, wanted: str
) -> Credential | None:
    """What `docker-credential-<helper> get` says of a host; None where it has nothing for it.

    `wanted` names the file that asks for the helper. Raises NotPermitted where the program is
    missing, fails, hangs for `seconds` or prints something else; what it prints is never shown.
    """
    program = f"docker-credential-{helper}"
    if not re.fullmatch(_NAME, helper):
        raise NotPermitted(f"cannot sign in to {host}", f"{wanted} names a helper that is no name")
    found = shutil.which(program, path=environ.get("PATH", os.defpath))
    if found is None:
        raise NotPermitted(
            f"cannot sign in to {host}",
            f"{program}, which {wanted} asks for, is not on PATH",
            f"install {program}, or remove it from {wanted}",
        )
    clean = {name: value for name, value in environ.items() if not _UNCLEAN.fullmatch(name)}
    code, out = _run(found, host, clean, seconds)
    if code is None:
        raise _failed(program, host, f"it did not answer within {seconds:g} s")
    if len(out) > _LARGEST:
        raise _failed(program, host, "it printed more than 1 MiB")
    if code != 0:
        said = words(out.decode("utf-8", "replace")).lower()
        if any(phrase in said for phrase in _NOT_HERE):
            return None
        raise _failed(program, host, f"it ended with code {code}")
    try:
        answer = msgspec.json.decode(out, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _failed(program, host, "what it printed is no credential") from None
    if not answer.Secret:
        return None
    source = f"{program} ({wanted})"
    if answer.Username == "<token>":
        return Credential(source, identity=Secret(answer.Secret))
    return Credential(source, answer.Username, Secret(answer.Secret))


def _failed(program: str, host: str, why: str) -> NotPermitted:
    return NotPermitted(f"cannot sign in to {host}", f"{program} gave no credential: {why}")


def _run(
    program: str, host: str, environ: Mapping[str, str], seconds: float
) -> tuple[int | None, bytes]:
    """Exit code (None where it hung) and output. What it says on stderr is dropped unread."""
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own configuration names it
            [program, "get"],
            env=dict(environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
    except OSError as error:
        raise _failed(os.path.basename(program), host, f"{error.strerror}") from None
    out = bytearray()
    assert process.stdin
    assert process.stdout
    with process:
        reader = threading.Thread(target=_read, args=(process.stdout, out), daemon=True)
        reader.start()
        with contextlib.suppress(OSError):
            process.stdin.write(host.encode())
            process.stdin.close()
        reader.join(seconds)
        hung = reader.is_alive()
        if not hung:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(1.0, seconds))
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            reader.join(1)
    return None if hung else process.returncode, bytes(out)


def _read(pipe: IO[bytes], out: bytearray) -> None:
    with contextlib.suppress(OSError, ValueError):
        while part := pipe.read(1 << 16):
            out.extend(part)
            if len(out) > _LARGEST:
                return
