"""Advice as JSON, in the shape of martello-resources-advice-v1.schema.json."""

from __future__ import annotations

from typing import IO, Any, Final

import msgspec

from martello.core.sizing import Advice, Backtest, Sizes
from martello.report.resources.advice.model import Told
from martello.report.text import encoded

SCHEMA: Final = "martello-resources-advice/v1"


def write(told: Told, out: IO[str]) -> None:
    """Writes everything that was found; cores and bytes are numbers."""
    body = {
        "schema": SCHEMA,
        "kind": "advice",
        "source": told.source,
        "samples": told.samples,
        "days": round(told.days, 3),
        "containers": [_advice(one) for one in told.advices],
        "kills": {who: told.kills(who) for who in ("advice", "today", "vpa", "krr")},
        "lost": list(told.lost),
        "missing": list(told.missing),
        "notes": list(told.notes),
        "written": list(told.written),
        "left": list(told.left),
        "exit": told.exit,
        "reason": told.reason,
    }
    out.write(encoded(body, indent=True) + "\n")


def _advice(one: Advice) -> dict[str, Any]:
    return {
        "namespace": one.key.namespace,
        "workload": one.key.workload,
        "container": one.key.container,
        "unassessed": one.unassessed or None,
        "refused": one.refused or None,
        "doubt": one.doubt or None,
        "now": _sizes(one.now),
        "advice": _sizes(one.sizes) if one.sizes is not None else None,
        "margin": round(one.margin, 4),
        "reasons": list(one.reasons),
        "backtest": _backtest(one.backtest) if one.backtest is not None else None,
        "confidence": {"level": one.level, "because": list(one.because)},
        "cautions": list(one.cautions),
        "autoscalers": [msgspec.to_builtins(target) for target in one.targets],
        "days": round(one.days, 3),
        "replicas": one.replicas,
        "samples": dict(one.counted),
    }


def _sizes(sizes: Sizes) -> dict[str, Any]:
    return {
        "requests": {"cpu": sizes.cores, "memory": sizes.memory},
        "limits": {"cpu": sizes.cores_limit, "memory": sizes.memory_limit},
    }


def _backtest(test: Backtest) -> dict[str, Any]:
    return {
        "learnedDays": round(test.learned, 3),
        "triedDays": round(test.tried, 3),
        "contenders": {
            one.who: {
                **_sizes(one.sizes),
                "kills": one.tried.kills,
                "aboveRequest": one.tried.above,
                "throttled": one.tried.throttled,
                "unusedCoreHours": one.tried.core_hours,
                "unusedGibHours": one.tried.gib_hours,
            }
            for one in test.contenders
        },
    }
