"""The daemon's figures are told while its threads go on counting."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("pyarrow")

from martello.cli.monitor.exposition import exposition
from martello.cli.monitor.jobs import Jobs
from martello.cli.monitor.missing import Missing
from martello.practices.monitor.engine.rule import Pack
from martello.practices.monitor.pipeline import Pipeline


def test_figures_are_told_while_new_ones_come() -> None:
    pipeline, missing, heard = Pipeline(Pack([])), Missing(), dict[str, int]()
    judge = SimpleNamespace(pipeline=pipeline, events=Counter(), alerts=Counter(), lag=0.0)
    keeper = SimpleNamespace(missing=missing, spool=SimpleNamespace(size=0), heard=heard)
    watch: Any = SimpleNamespace(judge=judge, keeper=keeper, jobs=Jobs())
    ended = threading.Event()

    def grow() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            heard[f"c/falco/{number % 2000}"] = number
            pipeline.silenced[f"R-{number % 2000}"] += 1
            missing.note(f"s{number % 2000}", "lost", "why", 1, 2)
            if number % 2000 == 0:
                for counts in (heard, pipeline.silenced, missing.counts):
                    counts.clear()

    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    thread = threading.Thread(target=grow)
    thread.start()
    try:
        for _ in range(100):
            assert "martello_monitor_own_events_total 0\n" in exposition(watch)
    finally:
        ended.set()
        thread.join()
        sys.setswitchinterval(before)
