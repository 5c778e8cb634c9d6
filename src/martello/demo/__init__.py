"""The bundled demo cluster: real manifests of a small shop, with one honest fault a practice."""

from __future__ import annotations

from importlib.resources import files


def texts(fixed: bool = False) -> dict[str, bytes]:
    """The manifests by file name; `fixed` is the repaired cluster."""
    folder = files("martello.demo").joinpath("fixed" if fixed else "cluster")
    found = sorted(folder.iterdir(), key=lambda entry: entry.name)
    return {f"shop/{entry.name}": entry.read_bytes() for entry in found}
