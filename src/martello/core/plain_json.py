"""JSON that can be read in one way only: what is judged must be what a container runtime runs.

Go's encoding/json, which runtimes use, takes `Layers` for `layers` and the last of both; others
tell them apart. A document that uses that shows one image to us and another to a runtime.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import msgspec

from martello.core.errors import BadInput, Refused


class Shape(msgspec.Struct, frozen=True):
    """The names that runtimes know in a mapping, or in each mapping of a list."""

    plain: frozenset[str] = frozenset()
    nested: tuple[tuple[str, Shape], ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """All of them."""
        return self.plain.union(name for name, _ in self.nested)


def _shape(plain: str, **nested: Shape) -> Shape:
    return Shape(frozenset(plain.split()), tuple(nested.items()))


_PLATFORM: Final = _shape("architecture os os.version os.features variant features")
_DESCRIPTOR: Final = _shape(
    "mediaType digest size urls annotations data artifactType", platform=_PLATFORM
)
MANIFEST: Final = _shape(
    "schemaVersion mediaType artifactType annotations",
    config=_DESCRIPTOR,
    layers=_DESCRIPTOR,
    manifests=_DESCRIPTOR,
    subject=_DESCRIPTOR,
)
CONFIGURATION: Final = _shape(
    "created author architecture os os.version os.features variant",
    config=_shape(
        "User ExposedPorts Env Entrypoint Cmd Volumes WorkingDir Labels StopSignal ArgsEscaped"
        " Healthcheck OnBuild Shell"
    ),
    rootfs=_shape("type diff_ids"),
    history=_shape("created author created_by comment empty_layer"),
)
DOCKER_ARCHIVE: Final = _shape("Config RepoTags Layers Parent LayerSources")


def read(raw: bytes, shape: Shape, where: str) -> Any:
    """The value. Raises BadInput for what is no JSON, Refused for what can be read in two ways."""
    try:
        twice = _repeated(raw)  # first, so that no two trees of a large document are held
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        raise BadInput(f"cannot read {where}", "it is no JSON") from None
    odd = twice or _other_spelling(value, shape)
    if odd:
        why = (
            f"{odd[:60]!r} is {'there twice' if twice else 'no name, but runtimes take it for one'}"
        )
        raise Refused(f"cannot trust {where}", f"{why}: it can be read in two ways")
    return value


def _repeated(raw: bytes) -> str:
    """A name that a mapping has twice."""
    found: list[str] = []

    def pairs(these: Sequence[tuple[str, Any]]) -> None:
        if len(these) > 1 and not found:
            seen: set[str] = set()
            for name, _ in these:
                if name in seen:
                    found.append(name)
                    return
                seen.add(name)

    json.loads(raw, object_pairs_hook=pairs, parse_int=len, parse_float=len)
    return found[0] if found else ""


def _other_spelling(value: Any, shape: Shape) -> str:
    """A name that is none of the known ones, and is equal to one but for upper and lower case."""
    if isinstance(value, list):
        return next(filter(None, (_other_spelling(one, shape) for one in value)), "")
    if not isinstance(value, Mapping):
        return ""
    names, folded = _names(shape)
    for name in value:
        if name not in names and name.casefold() in folded:
            return str(name)
    below = ((value[name], inner) for name, inner in shape.nested if name in value)
    return next(filter(None, (_other_spelling(one, inner) for one, inner in below)), "")


@cache
def _names(shape: Shape) -> tuple[frozenset[str], frozenset[str]]:
    return shape.names, frozenset(name.casefold() for name in shape.names)
