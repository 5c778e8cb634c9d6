"""Credentials from an exec plugin: client.authentication.k8s.io v1 and v1beta1.

Source: Kubernetes' documentation of client-go credential plugins.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from martello.adapters.cluster.credentials import Credentials, text
from martello.core.errors import BadInput, MartelloError, NotPermitted
from martello.core.secret import NOTHING, Secret

VERSIONS: Final = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


def credentials(
    stanza: Mapping[str, Any],
    *,
    base: Path,
    where: str,
    cluster: Mapping[str, Any],
    environ: Mapping[str, str],
    seconds: float,
) -> Credentials:
    """Runs the plugin that a user's `exec:` stanza names and reads the ExecCredential it prints.

    Raises NotPermitted where it is missing, fails, hangs for `seconds` or prints something else.
    """
    version = text(stanza, "apiVersion", where)
    if version not in VERSIONS:
        raise NotPermitted(
            f"cannot sign in with {where}",
            f"its exec plugin speaks {version or 'no apiVersion'}, not {' or '.join(VERSIONS)}",
            "update the plugin and the apiVersion in the kubeconfig",
        )
    command = _command(stanza, base, where, environ)
    interactive = _interactive(stanza, where)
    spec: dict[str, Any] = {"interactive": interactive}
    if stanza.get("provideClusterInfo") is True:
        spec["cluster"] = dict(cluster)
    info = {"kind": "ExecCredential", "apiVersion": version, "spec": spec}
    environment = {**environ, **_environment(stanza, where)}
    environment["KUBERNETES_EXEC_INFO"] = json.dumps(info)
    answer = _run(command, environment, interactive=interactive, seconds=seconds)
    return _parse(answer, version, Path(command[0]).name)


def _command(
    stanza: Mapping[str, Any], base: Path, where: str, environ: Mapping[str, str]
) -> list[str]:
    name = text(stanza, "command", where)
    arguments = stanza.get("args") or []
    if not name:
        raise BadInput(f"cannot read {where}", "its exec stanza names no command")
    if not isinstance(arguments, list) or not all(isinstance(a, str) for a in arguments):
        raise BadInput(f"cannot read {where}", "args is not a list of strings")
    # A name with a separator is relative to the kubeconfig, one without is looked up on PATH.
    wanted = str(base / name) if os.sep in name else name
    found = shutil.which(wanted, path=environ.get("PATH", os.defpath))
    if found is None:
        hint = " ".join(text(stanza, "installHint", where).split())[:300]
        raise NotPermitted(
            f"cannot sign in with {where}",
            f"its exec plugin {name} is not installed or not executable",
            hint or f"install {name}, or use another context",
        )
    return [found, *arguments]


def _environment(stanza: Mapping[str, Any], where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in stanza.get("env") or []:
        if not isinstance(entry, dict):
            raise BadInput(f"cannot read {where}", "env is not a list of name and value")
        found[text(entry, "name", where)] = text(entry, "value", where)
    found.pop("", None)
    return found


def _interactive(stanza: Mapping[str, Any], where: str) -> bool:
    mode = text(stanza, "interactiveMode", where) or "IfAvailable"
    terminal = sys.stdin is not None and sys.stdin.isatty()
    if mode == "Always" and not terminal:
        raise NotPermitted(
            f"cannot sign in with {where}",
            "its exec plugin wants to ask questions, and there is no terminal",
            "sign in with the plugin first, or use another context",
        )
    return terminal and mode != "Never"


def _run(
    command: list[str], environment: dict[str, str], *, interactive: bool, seconds: float
) -> bytes:
    name = Path(command[0]).name
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own kubeconfig names it
            command,
            env=environment,
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if interactive else subprocess.PIPE,
            start_new_session=not interactive,
        )
    except OSError as error:
        raise _failed(name, f"it cannot be started: {error.strerror or error}") from None
    with process:
        try:
            out, complaints = process.communicate(timeout=seconds)
        except BaseException as error:
            _end(process, group=not interactive)
            if isinstance(error, subprocess.TimeoutExpired):
                raise _failed(name, f"it did not answer within {seconds:g} s") from None
            raise
    if process.returncode != 0:
        why = f"it ended with code {process.returncode}"
        last = _last_line(complaints or b"")
        raise _failed(name, f"{why}: {last}" if last else why)
    return out


def _end(process: subprocess.Popen[bytes], *, group: bool) -> None:
    with contextlib.suppress(ProcessLookupError):
        if group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _last_line(complaints: bytes) -> str:
    lines = complaints.decode("utf-8", "replace").strip().splitlines()
    if not lines:
        return ""
    return "".join(c for c in lines[-1] if c.isprintable())[:300]


def _parse(answer: bytes, version: str, name: str) -> Credentials:
    try:
        parsed = json.loads(answer)
    except (ValueError, RecursionError):
        raise _failed(name, "what it printed is no JSON") from None
    if not isinstance(parsed, dict) or parsed.get("kind") != "ExecCredential":
        raise _failed(name, "what it printed is no ExecCredential")
    if parsed.get("apiVersion") != version:
        raise _failed(name, f"it answered in another version than {version}")
    status = parsed.get("status")
    if not isinstance(status, dict):
        raise _failed(name, "its ExecCredential has no status")
    words = {k: status.get(k) or "" for k in ("token", "clientCertificateData", "clientKeyData")}
    if not all(isinstance(word, str) for word in words.values()):
        raise _failed(name, "a part of its ExecCredential is no string")
    certificate, key = words["clientCertificateData"], words["clientKeyData"]
    if not words["token"] and not certificate:
        raise _failed(name, "its ExecCredential holds neither token nor certificate")
    if bool(certificate) != bool(key):
        raise _failed(name, "its ExecCredential holds only half of certificate and key")
    return Credentials(
        Secret(words["token"]),
        NOTHING,
        certificate.encode(),
        Secret(key),
        source=f"what the exec plugin {name} gave",
    )


def _failed(name: str, why: str) -> MartelloError:
    next = f"run {name} by hand, sign in again, or use another context"
    return NotPermitted(f"the exec plugin {name} gave no credentials", why, next)
