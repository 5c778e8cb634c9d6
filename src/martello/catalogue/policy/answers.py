"""The look-ups that expressions ask for, answered from what is in view; nothing is fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from martello.catalogue.policy.model import KYVERNO, Policy, Request
from martello.catalogue.policy.world import World
from martello.cel.types import DYN, Type
from martello.cel.values import EvalError
from martello.core.image import parse_image
from martello.core.kinds import plural
from martello.core.path import look_up
from martello.core.resource import Resource
from martello.core.selector import matches

Provider = Callable[[str, tuple[Any, ...]], Any]
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


def declared(dialect: str) -> Mapping[str, Type]:
    """The variables that a dialect has beside the request's."""
    from martello.cel.lib import authorizer

    asking = {
        "authorizer": authorizer.AUTHORIZER,
        "authorizer.requestResource": authorizer.RESOURCE,
    }
    if dialect != KYVERNO:
        return asking
    from martello.cel.lib import kyverno

    return {**asking, **kyverno.VARIABLES, "images": DYN, "exceptions": DYN}


def authorizing(request: Request, world: World) -> dict[str, Any]:
    """The authorizer variables: the caller's provider decides for the user of the request."""
    from martello.cel.lib.authorizer import Attributes, Authorizer, ResourceCheck

    decide = world.providers.get("authorizer")
    own = Attributes(None, group=request.group)
    for field in ("resource", "subresource", "namespace", "name"):
        own = own.but(field, getattr(request, field))
    return {
        "authorizer": Authorizer(decide),
        "authorizer.requestResource": ResourceCheck(decide, own),
    }


def answering(policy: Policy, shown: dict[str, Any] | None, world: World) -> dict[str, Any]:
    """Kyverno's contexts, each with the caller's provider; objects come from the cluster in view
    where the caller has no other source.
    """
    from martello.cel.lib import kyverno

    get = world.providers.get
    resources = get("resource") or objects_in_view(world, policy.resource.ref.namespace)
    return {
        "resource": kyverno.ResourceContext(resources),
        "http": kyverno.HttpContext(get("http")),
        "globalContext": kyverno.GlobalContext(get("globalContext")),
        "image": kyverno.ImageContext(get("image")),
        "json": kyverno.JsonContext(get("json")),
        "yaml": kyverno.YamlContext(get("yaml")),
        "images": images_of(shown),
        "exceptions": {"allowedImages": [], "allowedValues": []},
    }


def images_of(shown: dict[str, Any] | None) -> dict[str, list[str]]:
    """`images`: the image references of a Pod by the list of containers they stand in."""
    found: dict[str, list[str]] = {}
    for key in _CONTAINERS:
        elements = look_up(shown, ("spec", key))
        elements = elements if isinstance(elements, list) else []
        images = [look_up(e, ("image",)) for e in elements]
        found[key] = [image for image in images if isinstance(image, str)]
    return found


def objects_in_view(world: World, namespace: str) -> Provider:
    """Answers `resource.Get` (null where there is no such object) and `resource.List`. What is of a
    kind that is not in view at all has no answer.
    """

    def answer(function: str, args: tuple[Any, ...]) -> Any:
        api_version, resource, *rest = args
        if function == "Get" and len(args) == 3:
            rest = [namespace, *rest]
        found = _of_resource(world, api_version, resource)
        if function == "Get":
            wanted = [r for r in found if _lies_in(r, rest[0]) and r.ref.name == rest[1]]
            return wanted[-1].raw if wanted else None
        if function == "List":
            space = rest[0] if rest and isinstance(rest[0], str) else namespace
            labels = rest[-1] if rest and not isinstance(rest[-1], str) else {}
            selector = {"matchLabels": dict(labels.items())}
            kept = [r.raw for r in found if _lies_in(r, space) and matches(selector, r.labels)]
            return {"apiVersion": api_version, "kind": "List", "items": kept}
        raise EvalError(f"nobody answers resource.{function} here", needs=f"resource.{function}")

    return answer


def _lies_in(resource: Resource, namespace: str) -> bool:
    return not namespace or resource.ref.namespace in ("", namespace)


def _of_resource(world: World, api_version: str, resource: str) -> list[Resource]:
    group = api_version.rpartition("/")[0]
    found: list[Resource] = []
    for kind in world.cluster.kinds:
        name, _, its_group = kind.partition(".")
        if its_group == group and plural(name) == resource:
            found += world.cluster.of_kind(kind)
    if not found and not world.complete:
        raise EvalError(f"no {resource} are in view", needs="resource.Get")
    return found


def images_given(images: Iterable[Mapping[str, Any]]) -> Provider:
    """Answers `image.GetMetadata` from prepared data: `{image, manifest, config}` each."""
    exact = {str(each.get("image")): each for each in images}
    by_name = {parse_image(name): each for name, each in exact.items()}

    def answer(function: str, args: tuple[Any, ...]) -> Any:
        found = exact.get(args[0]) or by_name.get(parse_image(args[0]))
        if found is None:
            raise EvalError("the image is not in view", needs=f"image.{function}")
        return dict(found)

    return answer
