"""The judge of images: is every image of this object approved, by digest, here, still?

From memory only. Images of all kinds of containers and of image volumes, of pods and of whatever
makes pods.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from martello.core.approval import Ruling as ImageRuling
from martello.core.path import Path, look_up, show
from martello.core.resource import Nowhere, Ref, Resource, strings
from martello.core.workload import template_path
from martello.gate.judge import (
    AUDIT,
    DENY,
    UNASSESSED,
    WARN,
    Moment,
    Opinion,
    Request,
    Ruling,
    Snapshot,
)
from martello.practices.images.admit import admit

JUDGE: Final = "images"
BREAK_GLASS: Final = "martello/break-glass"  # annotation of the object: why
# Namespaces that nothing here may stop, besides the gate's own: a cluster must be able to start.
BOOTSTRAP: Final = ("kube-system", "kube-node-lease")
MOST: Final = 256  # different images of one object
_MIRROR: Final = "kubernetes.io/config.mirror"  # of the pod that shows a node's static pod
_LISTS: Final = ("initContainers", "containers", "ephemeralContainers")
_ACTIONS: Final = {"deny": DENY, "warn": WARN}


class Place(msgspec.Struct, frozen=True):
    """One image of an object, and where it is written."""

    path: Path
    image: str


def judge(request: Request, snapshot: Snapshot, moment: Moment) -> Opinion:
    """What is to be said of the images that a request brings. An update is judged for those that
    its old object does not have: what is in stays in, and can be repaired.
    """
    if request.operation not in ("CREATE", "UPDATE") or request.object is None:
        return Opinion()
    if request.namespace and request.namespace in snapshot.exempt:
        return Opinion(annotations={JUDGE: "exempt namespace"})
    if _static(request):
        return Opinion(annotations={JUDGE: "static pod, reported by its node"})
    places, malformed = images_of(request.object, request)
    if request.operation == "UPDATE" and request.old is not None:
        known, unread = images_of(request.old, request)
        before = {place.image for place in known}
        places = [place for place in places if place.image not in before]
        malformed = [one for one in malformed if one not in unread]
    rulings = [Ruling(JUDGE, "", UNASSESSED, why, path) for path, why in malformed]
    return _opened(_judged(places, rulings, request, snapshot, moment), request, snapshot)


def images_of(raw: dict[str, Any], request: Request) -> tuple[list[Place], list[tuple[Path, str]]]:
    """The images of an object of the request's kind, and what cannot be read, with the reason."""
    if (request.group, request.kind) == ("", "EphemeralContainers"):  # until Kubernetes 1.21
        return _gathered(raw, (), ("ephemeralContainers",))
    ref = Ref("", request.api_version, request.kind, request.namespace, request.name)
    template = template_path(Resource(raw, ref, Nowhere()))
    if template is None:
        return [], []
    path = (*template, "spec")
    spec = look_up(raw, path)
    if not isinstance(spec, dict):
        return [], [(path, f"{show(path)} is no mapping: its images are not known")]
    return _gathered(spec, path, _LISTS)


def _gathered(
    spec: dict[str, Any], path: Path, lists: Sequence[str]
) -> tuple[list[Place], list[tuple[Path, str]]]:
    places: list[Place] = []
    malformed: list[tuple[Path, str]] = []
    for where, image in _written(spec, path, lists):
        if isinstance(image, str):
            places.append(Place(where, image))
        else:
            malformed.append((where, f"{show(where)} is no text: the image is not known"))
    return places, malformed


def _written(spec: dict[str, Any], path: Path, lists: Sequence[str]) -> Iterator[tuple[Path, Any]]:
    """Where images are written, and what is there. None stands for what cannot be followed."""
    for key in lists:
        for where, container in _elements(spec, path, key):
            is_one = isinstance(container, dict)
            yield (*where, "image"), container.get("image") if is_one else None
    if "containers" in lists:
        for where, volume in _elements(spec, path, "volumes"):
            source = volume.get("image") if isinstance(volume, dict) else None
            if source is not None:
                is_one = isinstance(source, dict)
                yield (*where, "image", "reference"), source.get("reference") if is_one else None


def _elements(spec: dict[str, Any], path: Path, key: str) -> Iterator[tuple[Path, Any]]:
    elements = spec.get(key)
    if elements is None:
        return
    if not isinstance(elements, list):
        yield (*path, key), None
        return
    for index, element in enumerate(elements):
        yield (*path, key, index), element


def _judged(
    places: Sequence[Place],
    rulings: list[Ruling],
    request: Request,
    snapshot: Snapshot,
    moment: Moment,
) -> Opinion:
    """One decision for each image that is named, for as long as there is time."""
    decided: dict[str, ImageRuling | None] = {}
    ask: list[str] = []
    patch: list[dict[str, Any]] = []
    for path, image in ((place.path, place.image) for place in places):
        if image not in decided:
            found = None
            if len(decided) < MOST and not moment.late():
                found = admit(
                    (image,),
                    snapshot.approvals,
                    snapshot.policies,
                    moment.at,
                    namespace=request.namespace,
                    bootstrap=snapshot.exempt,
                ).rulings[0]
            decided[image] = found
            rulings += _told(image, found, path)
            if found is not None and found.ask:
                ask.append(image)
        said = decided[image]
        if said is not None and said.outcome in ("allow", "warn") and _by_tag(image, said):
            value = f"{image}@{said.digest}"
            patch.append({"op": "replace", "path": _pointer(path), "value": value})
    return Opinion(tuple(rulings), tuple(ask), tuple(patch), _audited(len(decided), rulings))


def _audited(judged: int, rulings: Sequence[Ruling]) -> dict[str, str]:
    """What the audit log keeps: the sum, and what was let in without an approval."""
    if not judged:
        return {}
    told = {JUDGE: f"{judged} judged, {sum(r.action == DENY for r in rulings)} denied"}
    let = [r.message for r in rulings if r.action in (WARN, AUDIT)]
    return {**told, "unapproved": "; ".join(let[:5])} if let else told


def _by_tag(image: str, said: ImageRuling) -> bool:
    return bool(said.digest) and "@" not in image


def _told(image: str, said: ImageRuling | None, path: Path) -> Iterator[Ruling]:
    if said is None:
        why = f"{show(path)} was not judged: there are too many images, or there is no time left"
        yield Ruling(JUDGE, "", UNASSESSED, why, path)
        return
    action = _ACTIONS.get(said.outcome, AUDIT)
    where = f"image {image[:300]} ({show(path)})"
    against = [reason for reason in said.reasons if reason.effect == DENY]
    for reason in said.reasons:
        source = f"{reason.check}: " if reason.check else ""
        own = WARN if action == DENY and against and reason not in against else action
        yield Ruling(JUDGE, reason.check, own, f"{where}: {source}{reason.message}", path)
    if action == DENY and not said.reasons:
        yield Ruling(JUDGE, "", DENY, f"{where}: it is not approved", path)


def _opened(opinion: Opinion, request: Request, snapshot: Snapshot) -> Opinion:
    """Break-glass: what is denied is let in for whom it may be, and told loudly."""
    denied = [r for r in opinion.rulings if r.action in (DENY, UNASSESSED)]
    why = _annotation(request, BREAK_GLASS)
    if not denied or not why:
        return opinion
    if not snapshot.glass.holds(request.user):
        note = f"the annotation {BREAK_GLASS} does not count for this user"
        more = Ruling(JUDGE, BREAK_GLASS, WARN, note)
        return msgspec.structs.replace(opinion, rulings=(*opinion.rulings, more))
    let = [
        msgspec.structs.replace(r, action=WARN, message=f"let in by {BREAK_GLASS}: {r.message}")
        if r.action in (DENY, UNASSESSED)
        else r
        for r in opinion.rulings
    ]
    told = {**opinion.annotations, "break-glass": f"{request.user.username}: {why[:500]}"}
    return Opinion(tuple(let), opinion.ask, (), told, glass=True)


def _static(request: Request) -> bool:
    """Whether a node tells of a static pod: it runs already, and only its picture is refused. The
    API server lets nodes make no other pods (NodeRestriction).
    """
    pod = (request.group, request.kind, request.operation) == ("", "Pod", "CREATE")
    return pod and "system:nodes" in request.user.groups and bool(_annotation(request, _MIRROR))


def _annotation(request: Request, name: str) -> str:
    metadata = (request.object or {}).get("metadata")
    return strings(metadata.get("annotations") if isinstance(metadata, dict) else None).get(
        name, ""
    )


def _pointer(path: Path) -> str:
    """RFC 6901."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
