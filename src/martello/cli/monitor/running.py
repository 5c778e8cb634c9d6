"""`monitor run` from its flags: the parts, put together, until a signal ends it."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from martello.adapters.intake.decode import Decoder
from martello.adapters.sensors.pods import Pods
from martello.adapters.sensors.shape import Place
from martello.cli.monitor import following, resuming, silence
from martello.cli.monitor.identity import holder, key
from martello.cli.monitor.keeping import Settings
from martello.cli.monitor.learned import EVERY, Learned
from martello.cli.monitor.live_pods import live_pods
from martello.cli.monitor.printing import printer, quiet
from martello.cli.monitor.reaching import reaching
from martello.cli.monitor.replaying import excepted
from martello.cli.monitor.serving import address, serve
from martello.cli.monitor.silence import Alive, Silence
from martello.cli.monitor.spending import Spending
from martello.cli.monitor.telling import telling
from martello.cli.monitor.using import Using, asked
from martello.cli.monitor.watch import Watch
from martello.cli.store.places import Places, places
from martello.core.cluster import Cluster
from martello.core.errors import BadInput, MartelloError
from martello.core.own import Own
from martello.practices.monitor import packs
from martello.practices.monitor.alerts.grouping import Raise
from martello.practices.monitor.baseline import Baselines
from martello.practices.monitor.pipeline import Pipeline
from martello.store.lake import Lake
from martello.store.state import State

_FIRST_LOOK: Final = 1.0  # seconds until use is read
_SWITCH: Final = 0.0005  # seconds that a thread keeps the others from running: the door is one


def run_command(flags: dict[str, Any]) -> int:
    """Runs until it is told to end; 0."""
    from martello.store.files import open_files
    from martello.store.spool import Spool
    from martello.store.state import open_state

    where = places(flags["state"], flags["lake"])
    followed = following.parsed(flags["follow"])
    used = asked(flags)
    if not (flags["listen"] or flags["sensor"] or followed or used):
        why = "no source was named"
        raise BadInput("nothing to watch", why, "name --listen, --follow, --sensor or --prometheus")
    if flags["listen"]:
        address(flags)  # what is mistyped is told before anything is begun
    teller = telling(flags)
    flags["own"] = Own(key(where))
    raised = reaching(flags)
    pipeline = _pipeline(flags, raised)
    place = Place(flags["cluster"], flags["node"])
    pods = Pods()
    followed_pods = live_pods(flags, teller.both(pods))
    decoder = Decoder(key(where), place, pods)
    sys.setswitchinterval(_SWITCH)
    with (
        open_state(where.state) as state,
        Spool(where.spool, flags["spool_limit"] << 20) as spool,
    ):
        lake = Lake(open_files(where.lake))
        told = quiet if teller.printed else printer()
        settings = Settings(
            flags["cluster"],
            flags["node"],
            sinks=tuple(teller.sinks),
            holder=holder(where),
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
        watch.jobs.run(alive.sign, "alive", silence.EVERY)
        if flags["silence"]:
            silent = Silence(watch, flags["silence"])
            watch.jobs.run(silent.look, "silence", silence.EVERY)
        if followed_pods is not None:
            followed_pods(watch.jobs)
        heard: list[Callable[[Cluster], None]] = [Spending(watch.keeper.keep, place)]
        if used is not None:
            using = Using(used, watch.keeper.keep, place, state)
            watch.jobs.run(using.look, "usage", used.every, first=_FIRST_LOOK)
            heard.append(used.hear)
        if raised is not None and raised.live:
            raised.follow(watch.jobs, lambda: pods.version, heard)
        _upkeep(watch, where, state, lake)
        teller.begin(watch, told)
        try:
            for kind, path in followed:
                following.begin(watch, kind, path, flags, place, pods)
            if flags["sensor"]:
                following.bpftrace(watch, place, pods)
            with _ending() as ended:
                serve(flags, watch, ended)
        finally:
            watch.stop()
            if learned is not None:
                learned.save()
    return 0


def _resumed(watch: Watch, state: State, lake: Lake) -> None:
    """The last of the lake, before what is new."""
    begun = time.monotonic()
    count = resuming.warm(watch.judge.pipeline, state, lake, watch.settings.cluster)
    if count:
        spent = time.monotonic() - begun
        print(f"resumed after {count:,} events of the lake in {spent:.1f} s", file=sys.stderr)


def _learned(watch: Watch, state: State) -> Learned | None:
    """What is normal, from an earlier run, and kept for the next one."""
    baselines = watch.judge.pipeline.baselines
    if baselines is None:
        return None
    learned = Learned(state, baselines, watch.judge.lock)
    learned.load()
    watch.jobs.run(learned.save, "baselines", EVERY)
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

    watch.jobs.run(tick, "upkeep", silence.EVERY)


def _pipeline(flags: dict[str, Any], raised: Raise | None) -> Pipeline:
    loaded = packs.named(flags["rules"])
    for error in loaded.errors:
        print(f"rules: {error}", file=sys.stderr)
    if not len(loaded.pack):
        why = str(loaded.errors[0]) if loaded.errors else "the files hold none"
        raise BadInput("there are no rules", why, "mend them, or name others by --rules")
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
