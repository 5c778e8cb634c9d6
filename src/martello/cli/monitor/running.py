"""`monitor run` from its flags: the parts, put together, until a signal ends it."""

from __future__ import annotations

import contextlib
import secrets
import signal
import socket
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
from martello.cli.monitor import following, resuming, silence
from martello.cli.monitor.exposition import exposition
from martello.cli.monitor.learned import EVERY, Learned
from martello.cli.monitor.reaching import reaching
from martello.cli.monitor.replaying import excepted
from martello.cli.monitor.silence import Alive, Silence
from martello.cli.monitor.telling import Adds, telling
from martello.cli.monitor.watch import Settings, Watch
from martello.cli.store.places import Places, places
from martello.core.alert import Alert
from martello.core.errors import BadInput, MartelloError, Unreachable
from martello.core.own import Own
from martello.practices.monitor import packs
from martello.practices.monitor.alerts.grouping import Raise
from martello.practices.monitor.baseline import Baselines
from martello.practices.monitor.pipeline import Pipeline
from martello.store.lake import Lake
from martello.store.state import State

_KEY: Final = "redaction.key"
_PODS_EVERY: Final = 2.0  # seconds
_SWITCH: Final = 0.0005  # seconds that a thread keeps the others from running: the door is one


def run_command(flags: dict[str, Any]) -> int:
    """Runs until it is told to end; 0."""
    from martello.store.files import open_files
    from martello.store.spool import Spool
    from martello.store.state import open_state

    where = places(flags["state"], flags["lake"])
    followed = following.parsed(flags["follow"])
    if not (flags["listen"] or flags["sensor"] or followed):
        why = "no source was named"
        raise BadInput("nothing to watch", why, "name --listen, --follow or --sensor")
    flags["own"] = Own(_key(where))
    raised = reaching(flags)
    pipeline = _pipeline(flags, raised)
    place = Place(flags["cluster"], flags["node"])
    pods = Pods()
    teller = telling(flags)
    known = _pods(flags, teller.both(pods))
    if known is not None:
        known()
    decoder = Decoder(_key(where), place, pods)
    sys.setswitchinterval(_SWITCH)
    with (
        open_state(where.state) as state,
        Spool(where.spool, flags["spool_limit"] << 20) as spool,
    ):
        lake = Lake(open_files(where.lake))
        told = _quiet if teller.printed else _print
        settings = Settings(
            flags["cluster"],
            flags["node"],
            sinks=tuple(teller.sinks),
            holder=_holder(where),
            flush=flags["flush"],
        )
        watch = Watch(
            settings,
            state,
            lake,
            spool,
            decoder,
            pipeline,
            route=teller.route,
            told=told,
            warm=lambda: _resumed(watch, state, lake),
        )
        pipeline.resume(resuming.open_alerts(state))
        learned = _learned(watch, state)
        alive = Alive(where.spool)
        alive.began(watch)
        watch.start()
        watch.run(alive.sign, "alive", silence.EVERY)
        if flags["silence"]:
            quiet = Silence(watch, flags["silence"])
            watch.run(quiet.look, "silence", silence.EVERY)
        if known is not None:
            watch.run(known, "pods", _PODS_EVERY)
        if raised is not None and raised.live:
            raised.follow(watch)
        _upkeep(watch, where, state, lake)
        teller.begin(watch, told)
        try:
            for kind, path in followed:
                following.begin(watch, kind, path, flags, place, pods)
            if flags["sensor"]:
                following.bpftrace(watch, place, pods)
            with _ending() as ended:
                _serve(flags, watch, ended)
        finally:
            watch.stop()
            if learned is not None:
                learned.save()
    return 0


def _resumed(watch: Watch, state: State, lake: Lake) -> None:
    """The last of the lake, before what is new."""
    begun = time.monotonic()
    count = resuming.warm(watch.pipeline, state, lake, watch.settings.cluster)
    if count:
        spent = time.monotonic() - begun
        print(f"resumed after {count:,} events of the lake in {spent:.1f} s", file=sys.stderr)


def _learned(watch: Watch, state: State) -> Learned | None:
    """What is normal, from an earlier run, and kept for the next one."""
    baselines = watch.pipeline.baselines
    if baselines is None:
        return None
    learned = Learned(state, baselines, watch.judging)
    learned.load()
    watch.run(learned.save, "baselines", EVERY)
    return learned


def _upkeep(watch: Watch, where: Places, state: State, lake: Lake) -> None:
    """Seals each minute, compacts each hour, retains each day."""
    from martello.store.sealkeys import open_key
    from martello.store.upkeep import Upkeep

    keeper = Upkeep(state, lake, open_key(where.key), watch.settings.holder)

    def tick() -> None:
        done = keeper.tick(time.monotonic())
        if done.failed:
            raise MartelloError("; ".join(done.failed))

    watch.run(tick, "upkeep", silence.EVERY)


def _holder(where: Places) -> str:
    """The name of this installation among those who write: the same after a restart, since nobody
    else can have its spool.
    """
    path = where.spool / "holder"
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        name = f"{socket.gethostname()}-{secrets.token_hex(6)}"
        path.write_text(name, encoding="utf-8")
        return name


def _pipeline(flags: dict[str, Any], raised: Raise | None) -> Pipeline:
    loaded = packs.named(flags["rules"])
    for error in loaded.errors:
        print(f"rules: {error}", file=sys.stderr)
    held = excepted(flags["exceptions"], loaded.pack)
    baselines = None if flags["no_baselines"] else Baselines(flags["surprise"])
    return Pipeline(
        loaded.pack,
        cluster=flags["cluster"],
        raised=raised,
        exceptions=held,
        baselines=baselines,
        clock=time.time_ns,
        own=flags["own"],
    )


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
        import msgspec

        from martello.adapters.cluster.client import Client
        from martello.adapters.cluster.kubeconfig import access

        async def listed() -> None:
            found = access(flags["context"], kubeconfig=flags["kubeconfig"])
            found = msgspec.structs.replace(found, own=flags["own"])
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
        watch.keep,
        watch.missed,
        tokens=_tokens(flags["token_file"]),
        trouble=lambda: watch.trouble,
        exposition=lambda: exposition(watch),
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
