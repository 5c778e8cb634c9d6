"""The door of `monitor run`: where audit webhooks, OTLP and lines of JSON come in."""

from __future__ import annotations

import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from martello.adapters.intake.door import Door
from martello.cli.monitor.exposition import exposition
from martello.cli.monitor.watch import Watch
from martello.core.errors import BadInput, Unreachable


def address(flags: dict[str, Any]) -> tuple[str, int]:
    """Where the door is to be. Raises BadInput, also where its callers could be overheard."""
    host, _, port = flags["listen"].rpartition(":")
    if not (port.isascii() and port.isdecimal() and len(port) < 6 and int(port) < 65_536):
        raise BadInput(f"no address: {flags['listen']}", "", "HOST:PORT or :PORT")
    host = host.strip("[]") or ("127.0.0.1" if flags["plain"] else "0.0.0.0")  # noqa: S104
    secured = bool(flags["tls_cert"])
    if not secured and not (flags["plain"] and host in ("127.0.0.1", "::1", "localhost")):
        raise BadInput(
            "the door has no certificate",
            "an audit log holds what nobody else may read",
            "--tls-cert and --tls-key, or --plain on loopback",
        )
    return host, int(port)


def serve(flags: dict[str, Any], watch: Watch, ended: threading.Event) -> None:
    """The door, until the end; without one it only waits."""
    if not flags["listen"]:
        ended.wait()
        return
    import uvicorn

    host, port = address(flags)
    door = Door(
        watch.keeper.keep,
        watch.keeper.missed,
        tokens=_tokens(flags["token_file"]),
        trouble=lambda: watch.jobs.trouble,
        exposition=lambda: exposition(watch),
    )
    config = uvicorn.Config(
        door.app(),
        host=host,
        port=port,
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=120,
        ssl_certfile=flags["tls_cert"] or None,
        ssl_keyfile=flags["tls_key"] or None,
        ssl_ca_certs=flags["client_ca"] or None,
        ssl_cert_reqs=2 if flags["client_ca"] else 0,
    )
    try:
        config.load()
    except OSError as error:
        why = error.strerror or str(error)
        raise BadInput("the door's certificate cannot be read", why, "check the files") from None
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="door", daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            why = _refusal(host, port)
            raise Unreachable(f"cannot listen on {flags['listen']}", why, "another address or port")
        time.sleep(0.02)
    print(f"listening on {host}:{port}", file=sys.stderr, flush=True)
    ended.wait()
    server.should_exit = True
    thread.join(timeout=10)


def _refusal(host: str, port: int) -> str:
    """What the system says to a door that could not be opened."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.bind((host, port))
    except OSError as error:
        return error.strerror or str(error)
    return "it was taken"


def _tokens(file: str) -> frozenset[str]:
    if not file:
        return frozenset()
    try:
        found = frozenset(Path(file).read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", "") or "it is no text"
        raise BadInput(f"cannot read {file}", why, "a file with one token a line") from None
    if not found:
        raise BadInput(f"{file} holds no token", "", "a file with one token a line")
    return found
