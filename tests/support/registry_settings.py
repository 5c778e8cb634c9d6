"""Settings for registry tests: nothing of this machine, and waits that take no time."""

from __future__ import annotations

from typing import Any

from martello.adapters.registry.settings import Settings


def settings(slept: list[float] | None = None, **more: Any) -> Settings:
    """No keyrings, files or environment unless named; what would be slept is kept in `slept`."""
    kept: list[float] = [] if slept is None else slept
    basic: dict[str, Any] = {"keyrings": (), "registries": "", "certificates": (), "environ": {}}
    return Settings(**{**basic, "sleep": kept.append, "chance": lambda: 1.0, **more})
