"""What of a workload's template advice changes: as a strategic merge patch, and as it is then."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import msgspec

from martello.core.path import Path, look_up
from martello.core.resource import Resource
from martello.core.sizing import Advice, Sizes, bytes_text, cores_text


def resources_of(now: Sizes, sizes: Sizes | None) -> dict[str, Any]:
    """Requests and limits; a limit that goes is None, as strategic merge wants it."""
    requests: dict[str, Any] = {}
    limits: dict[str, Any] = {}
    if sizes is None:
        return {}
    if sizes.cores is not None:
        requests["cpu"] = cores_text(sizes.cores)
        if sizes.cores_limit is not None:
            limits["cpu"] = cores_text(sizes.cores_limit)
        elif now.cores_limit is not None:
            limits["cpu"] = None
    if sizes.memory is not None:
        requests["memory"] = limits["memory"] = bytes_text(sizes.memory)
    return {"requests": requests, "limits": limits}


def lists(group: Iterable[Advice]) -> dict[str, list[Any]]:
    """The containers of one workload that change, by the list of the pod's spec they stand in."""
    found: dict[str, list[Any]] = {}
    for one in group:
        place = "initContainers" if one.today and one.today.sidecar else "containers"
        resources = resources_of(one.now, one.sizes)
        found.setdefault(place, []).append({"name": one.key.container, "resources": resources})
    return found


def resized(resource: Resource, path: Path, group: Iterable[Advice]) -> Resource:
    """The object once the patch is applied; `path` is where the pod's spec lies in it."""
    raw = deepcopy(resource.raw)
    spec = look_up(raw, path)
    for place, changed in lists(group).items():
        new = {one["name"]: one["resources"] for one in changed}
        listed = spec.get(place) if isinstance(spec, dict) else None
        for container in listed if isinstance(listed, list) else ():
            if isinstance(container, dict) and container.get("name") in new:
                container["resources"] = _merged(container.get("resources"), new[container["name"]])
    return msgspec.structs.replace(resource, raw=raw)


def _merged(old: Any, new: dict[str, Any]) -> dict[str, Any]:
    found = dict(old) if isinstance(old, dict) else {}
    for part, amounts in new.items():
        kept = found.get(part)
        both = {**(kept if isinstance(kept, dict) else {}), **amounts}
        found[part] = {key: value for key, value in both.items() if value is not None}
    return found
