"""One copy of what many objects have in common: the pods of a Deployment hold the same containers.

Objects are never changed once read, so that equal parts may be one and the same.
"""

from __future__ import annotations

from typing import Any

import orjson


class Shared:
    """The parts seen so far."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: dict[int, Any] = {}

    def object(self, raw: dict[str, Any]) -> None:
        """Replaces the object's parts by equal ones seen before. The object itself stays its own,
        and so do its metadata, which no two objects have in common.
        """
        for owner in (raw, raw.get("metadata")):
            if isinstance(owner, dict):
                for key, part in owner.items():
                    if key != "metadata" and part and isinstance(part, dict | list):
                        owner[key] = self._part(part)

    def _part(self, part: Any) -> Any:
        try:
            key = hash(orjson.dumps(part))
        except orjson.JSONEncodeError:  # nested deeper than any serializer goes
            return part
        known = self._seen.get(key)
        if known is not None and known == part:
            return known
        if isinstance(part, dict):
            for name, inner in part.items():
                if inner and isinstance(inner, dict | list):
                    part[name] = self._part(inner)
        else:
            for index, inner in enumerate(part):
                if inner and isinstance(inner, dict | list):
                    part[index] = self._part(inner)
        self._seen[key] = part
        return part
