"""`monitor run` from its flags: the parts, put together, until a signal ends it."""

from __future__ import annotations

import contextlib
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from martello.adapters.intake.decode import Decoder
from martello.adapters.intake.door import Door
from martello.adapters.sensors.containers import Pods
from martello.adapters.sensors.shape import Place
from martello.cli.monitor.telling import Adds, telling
from martello.cli.monitor.watch import Settings, Watch
from martello.cli.store.places import Places, places
from martello.core.alert import Alert
from martello.core.errors import BadInput, Unreachable
from martello.practices.monitor import exceptions, packs
from martello.practices.monitor.baseline import Baselines
from martello.practices.monitor.pipeline import Pipeline

_KEY: Final = "redaction.key"
_PODS_EVERY: Final = 2.0  # seconds


def run_command(flags: dict[str, Any]) -> int:
    """Runs until it is told to end; 0."""
    from martello.store.files import open_files
    from martello.store.lake import Lake
    from martello.store.spool import Spool
    from martello.store.state import open_state

    where = places(flags["state"], flags["lake"])
    pipeline = _pipeline(flags)
    if not (flags["listen"] or flags["sensor"]):
        raise BadInput("nothing to watch", "no source was named", "name --listen or --sensor")
    place = Place(flags["cluster"], flags["node"])
    pods = Pods()
    teller = telling(flags)
    known = _pods(flags, teller.both(pods))
    if known is not None:
        known()
    decoder = Decoder(_key(where), place, pods)
    with (
        open_state(where.state) as state,
        Spool(where.spool) as spool,
    ):
        lake = Lake(open_files(where.lake))
        told = _quiet if teller.printed else _print
        settings = Settings(flags["cluster"], flags["node"], sinks=tuple(teller.sinks))
        watch = Watch(
            settings,
            state,
            lake,
            spool,
            decoder,
            pipeline,
            route=teller.route,
            told=told,
        )
        watch.start()
        if known is not None:
            watch.run(known, "pods", _PODS_EVERY)
        teller.begin(watch, told)
        if flags["sensor"]:
            _sensor(watch, place, pods)
        try:
            with _ending() as ended:
                _serve(flags, watch, ended)
        finally:
            watch.stop()
    return 0


def _pipeline(flags: dict[str, Any]) -> Pipeline:
    loaded = packs.named(flags["rules"])
    for error in loaded.errors:
        print(f"rules: {error}", file=sys.stderr)
    given = exceptions.load(packs.texts(flags["exceptions"]))
    if given.errors:
        raise BadInput("the exceptions cannot be read", str(given.errors[0]), "mend them")
    held = exceptions.Exceptions(given.exceptions, loaded.pack)
    for place, why in held.void.items():
        print(f"exception {place} does not hold: {why}", file=sys.stderr)
    baselines = None if flags["no_baselines"] else Baselines()
    return Pipeline(loaded.pack, cluster=flags["cluster"], exceptions=held, baselines=baselines)


def _key(where: Places) -> bytes:
    """The key of this installation that covers secrets: made once."""
    path = where.spool.parent / _KEY
    try:
        return path.read_bytes()[:32]
    except FileNotFoundError:
        pass
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = secrets.token_bytes(32)
    path.touch(mode=0o600)
    path.write_bytes(key)
    return key


def _pods(flags: dict[str, Any], pods: Adds) -> Callable[[], None] | None:
    """What reads the cluster's pods again; None where nobody said where they are. Raises what
    reading raises: the first time counts.
    """
    if flags["pods"]:
        return lambda: _pods_of(flags["pods"], pods)
    if not (flags["context"] or flags["kubeconfig"]):
        return None

    def read() -> None:
        import anyio

        from martello.adapters.cluster.client import Client
        from martello.adapters.cluster.kubeconfig import access

        async def listed() -> None:
            found = access(flags["context"], kubeconfig=flags["kubeconfig"])
            async with Client(found) as client:
                async for _, page in client.pages("/api/v1/pods", limit=500):
                    for one in page:
                        pods.add(one)

        anyio.run(listed)

    return read


def _pods_of(file: str, pods: Adds) -> None:
    """The pods of a file as `kubectl get pods -A -o json` writes it."""
    import msgspec

    try:
        told = msgspec.json.decode(Path(file).read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise BadInput(f"cannot read {file}", str(error), "kubectl get pods -A -o json") from None
    items = told.get("items") if isinstance(told, dict) else told
    for one in items if isinstance(items, list) else ():
        if isinstance(one, dict):
            pods.add(one)


def _sensor(watch: Watch, place: Place, pods: Pods) -> None:
    from martello.adapters.sensors.bpftrace import Sensor, boot_id
    from martello.adapters.sensors.containers import Containers

    sensor = Sensor(place._replace(boot=boot_id()), Containers(pods))
    watch.follow(sensor, "bpftrace", sensor.stop)


def _quiet(alert: Alert) -> None:
    """A sink prints it."""


def _print(alert: Alert) -> None:
    import msgspec

    sys.stdout.write(msgspec.json.encode(alert).decode() + "\n")
    sys.stdout.flush()


@contextlib.contextmanager
def _ending() -> Iterator[threading.Event]:
    """Set by the first signal that ends."""
    ended = threading.Event()
    before = {
        one: signal.signal(one, lambda *_: ended.set()) for one in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield ended
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _serve(flags: dict[str, Any], watch: Watch, ended: threading.Event) -> None:
    """The door, until the end; without one it only waits."""
    if not flags["listen"]:
        ended.wait()
        return
    import uvicorn

    host, _, port = flags["listen"].rpartition(":")
    if not port.isdigit():
        raise BadInput(f"no address: {flags['listen']}", "", "HOST:PORT or :PORT")
    host = host.strip("[]") or ("127.0.0.1" if flags["plain"] else "0.0.0.0")  # noqa: S104
    secured = bool(flags["tls_cert"])
    if not secured and not (flags["plain"] and host in ("127.0.0.1", "::1", "localhost")):
        raise BadInput(
            "the door has no certificate",
            "an audit log holds what nobody else may read",
            "--tls-cert and --tls-key, or --plain on loopback",
        )
    door = Door(
        watch.keep, watch.missed, tokens=_tokens(flags["token_file"]), trouble=lambda: watch.trouble
    )
    config = uvicorn.Config(
        door.app(),
        host=host,
        port=int(port),
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
            raise Unreachable(f"cannot listen on {flags['listen']}", "it is taken", "another port")
        time.sleep(0.02)
    print(f"listening on {host}:{port}", file=sys.stderr, flush=True)
    ended.wait()
    server.should_exit = True
    thread.join(timeout=10)


def _tokens(file: str) -> frozenset[str]:
    if not file:
        return frozenset()
    try:
        found = frozenset(Path(file).read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read {file}", str(error), "one token a line") from None
    if not found:
        raise BadInput(f"{file} holds no token", "", "one token a line")
    return found
