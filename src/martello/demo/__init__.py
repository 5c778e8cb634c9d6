"""The bundled demo cluster: real manifests of a small shop, with one honest fault for each practice."""

from __future__ import annotations

from pathlib import Path


def directory(fixed: bool = False) -> Path:
    """Where the demo's manifests lie in the package; `fixed` is the repaired cluster."""
    return Path(__file__).parent / ("fixed" if fixed else "cluster")
