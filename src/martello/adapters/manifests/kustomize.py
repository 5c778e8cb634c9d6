"""What kustomizations name: files that are parts of objects, not objects."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, Final

NAMES: Final = frozenset(("kustomization.yaml", "kustomization.yml", "Kustomization"))
_GROUP: Final = "kustomize.config.k8s.io/"
_PATHS: Final = (
    "patchesStrategicMerge",
    "transformers",
    "generators",
    "validators",
    "configurations",
)
_MAPPINGS: Final = ("patches", "patchesJson6902", "replacements")
_GENERATORS: Final = ("configMapGenerator", "secretGenerator")
_CHARTS: Final = ("helmCharts", "helmChartInflationGenerator")


def is_kustomization(path: str) -> bool:
    """Whether a file is a kustomization by its name."""
    return os.path.basename(path) in NAMES


def is_partial(api_version: str) -> bool:
    """Whether objects of this apiVersion tell kustomize what to do and never reach a server."""
    return api_version.startswith(_GROUP) or api_version == "builtin"


def named_files(value: Any, directory: str) -> Iterator[str]:
    """The paths of patches, transformers, generators' data and values that a kustomization names.
    Its `resources` are objects and not among them.
    """
    if not isinstance(value, dict):
        return
    for path in _mentioned(value):
        if path and "\n" not in path:
            yield os.path.normpath(os.path.join(directory, path))


def _mentioned(value: dict[str, Any]) -> Iterator[str]:
    for field in _PATHS:
        yield from _strings(value.get(field))
    for field in _MAPPINGS:
        for entry in _mappings(value.get(field)):
            yield from _strings([entry.get("path")])
    for field in _GENERATORS:
        for entry in _mappings(value.get(field)):
            for key in ("files", "envs"):
                for file in _strings(entry.get(key)):
                    yield file.partition("=")[2] or file
    for field in _CHARTS:
        for entry in _mappings(value.get(field)):
            yield from _strings([entry.get("valuesFile")])
            yield from _strings(entry.get("additionalValuesFiles"))
    openapi = value.get("openapi")
    if isinstance(openapi, dict):
        yield from _strings([openapi.get("path")])


def _strings(value: Any) -> Iterable[str]:
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def _mappings(value: Any) -> Iterable[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []
