"""What of a workload's template advice changes: as a strategic merge patch, and as it is then; and
for custom kinds as the steps of a JSON patch (RFC 6902): there a merge replaces a list as a whole,
for neither the server nor kustomize knows by what its entries are told apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import msgspec

from martello.core.kinds import built_in
from martello.core.path import Path, look_up
from martello.core.resource import Ref, Resource
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


def merges(ref: Ref) -> bool:
    """Whether lists of objects of this kind are merged by name."""
    return built_in(ref.api_version, ref.kind) is not None


def steps(after: Resource, path: Path, pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The steps that make an object what it is `after`; `pod` says what of the pod's spec at the
    path changes. Each entry of a list is asked for its name before it is touched.
    """
    return list(_steps(look_up(after.raw, path), "/" + "/".join(map(str, path)), pod))


def _steps(spec: Any, at: str, pod: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for key, given in pod.items():
        if not isinstance(given, list):
            head = {"op": "remove" if given is None else "add", "path": f"{at}/{key}"}
            yield head if given is None else {**head, "value": given}
            continue
        named = {entry["name"]: entry for entry in given}
        for index, one in enumerate(spec.get(key) or ()):
            name = one.get("name") if isinstance(one, dict) else None
            entry = named.pop(name, None) if isinstance(name, str) else None
            if entry is not None:
                place = f"{at}/{key}/{index}"
                yield {"op": "test", "path": f"{place}/name", "value": name}
                for field in (field for field in entry if field != "name"):
                    yield {"op": "add", "path": f"{place}/{field}", "value": one[field]}


def _merged(old: Any, new: dict[str, Any]) -> dict[str, Any]:
    found = dict(old) if isinstance(old, dict) else {}
    for part, amounts in new.items():
        kept = found.get(part)
        both = {**(kept if isinstance(kept, dict) else {}), **amounts}
        found[part] = {key: value for key, value in both.items() if value is not None}
    return found
