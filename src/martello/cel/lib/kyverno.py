"""Kyverno's functions: look-ups that the caller answers, and the few that need nobody.

Look-ups hang on variables (`VARIABLES`: `resource`, `http`, …), each bound to a context of its
class below. `time.now()` asks the clock that `answering` sets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from martello.cel.equality import is_map
from martello.cel.lib import kyverno_image
from martello.cel.lib.operators import instant
from martello.cel.types import (
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Library,
    Overload,
    Type,
    list_of,
    map_of,
)
from martello.cel.values import Duration, EvalError, Timestamp

Provider = Callable[[str, tuple[Any, ...]], Any]


class Context:
    """What a variable such as `resource` is bound to; `provider(function, arguments)` answers."""

    __slots__ = ("provider",)
    name = ""

    def __init__(self, provider: Provider | None = None) -> None:
        self.provider = provider

    def ask(self, function: str, args: tuple[Any, ...]) -> Any:
        """The provider's answer; without one an `EvalError` that says which look-up was needed."""
        if self.provider is None:
            needs = f"{self.name}.{function}"
            raise EvalError(f"nobody answers {needs} here", needs=needs)
        return self.provider(function, args)


class ResourceContext(Context):
    """The variable `resource`: objects of the cluster."""

    __slots__ = ()
    name = "resource"


class HttpContext(Context):
    """The variable `http`: requests to other services."""

    __slots__ = ()
    name = "http"


class GlobalContext(Context):
    """The variable `globalContext`: data that Kyverno keeps at hand."""

    __slots__ = ()
    name = "globalContext"


class ImageContext(Context):
    """The variable `image`: manifests and configurations from registries."""

    __slots__ = ()
    name = "image"


class JsonContext(Context):
    """The variable `json`: text to values and back."""

    __slots__ = ()
    name = "json"


class YamlContext(Context):
    """The variable `yaml`: text to values."""

    __slots__ = ()
    name = "yaml"


_now: ContextVar[Timestamp | None] = ContextVar("now", default=None)


@contextmanager
def answering(now: Timestamp) -> Iterator[None]:
    """Within, `time.now()` is `now`."""
    token = _now.set(now)
    try:
        yield
    finally:
        _now.reset(token)


def _time_now() -> Timestamp:
    now = _now.get()
    if now is None:
        raise EvalError("nobody answers time.now here", needs="time.now")
    return now


def to_cron(moment: Timestamp) -> str:
    """Minute, hour, day, month and weekday (Sunday 0) of a moment in UTC."""
    from martello.cel.lib.time import date_of

    days, rest = divmod(moment.seconds, 86400)
    _, month, day = date_of(days)
    return f"{rest // 60 % 60} {rest // 3600} {day} {month} {(days + 4) % 7}"


def truncate(moment: Timestamp, unit: Duration) -> Timestamp:
    """The moment rounded down to a multiple of the unit since the year 1."""
    if unit.nanos <= 0:
        return moment
    since = moment.total + 62_135_596_800 * 1_000_000_000
    return instant(moment.total - since % unit.nanos)


def parse_service_account(user: str) -> dict[str, str]:
    """Namespace and name of a service account; both empty for any other user."""
    namespace = name = ""
    if user.startswith("system:serviceaccount:"):
        first, colon, second = user.removeprefix("system:serviceaccount:").partition(":")
        if colon:
            namespace, name = first, second
    return {"Namespace": namespace, "Name": name}


def round_to(value: float, places: int) -> float:
    """`value` to so many decimal places."""
    if not 0 <= places <= 300:
        raise EvalError("math.round: bad number of places")
    return round(value, places)


def list_to_map(keys: Any, values: Any, key: str, value: str) -> dict[str, Any]:
    """`listObjToMap`: a field of each key object to a field of the value object beside it."""
    if len(keys) != len(values):
        raise EvalError("listObjToMap: the lists differ in length")
    made: dict[str, Any] = {}
    for one, other in zip(keys, values, strict=True):
        name = one.get(key) if is_map(one) else None
        if type(name) is not str or not is_map(other):
            raise EvalError("listObjToMap: the lists must hold objects, the keys be strings")
        made[name] = other.get(value)
    return made


def _digest(algorithm: str) -> Callable[[str], str]:
    def digest(text: str) -> str:
        import hashlib

        made = hashlib.new(algorithm, text.encode("utf-8", "replace"), usedforsecurity=False)
        return made.hexdigest()

    return digest


def _needing(name: str) -> Callable[..., Any]:
    def refuse(*_args: Any) -> Any:
        raise EvalError(f"nobody answers {name} here", needs=name)

    return refuse


RESOURCE: Final = Type("resource.Context")
HTTP: Final = Type("http.Context")
GLOBAL: Final = Type("globalcontext.Context")
IMAGE_DATA: Final = Type("imagedata.Context")
JSON: Final = Type("json.Json")
YAML: Final = Type("yaml.Yaml")
_OBJECT: Final = map_of(STRING, DYN)
_LABELS: Final = map_of(STRING, STRING)
_S: Final = STRING

# (context, function, arguments, result); arguments a GVR stands in are dyn.
_LOOK_UPS: Final[tuple[tuple[Type, str, tuple[Type, ...], Type], ...]] = (
    (RESOURCE, "Get", (_S, _S, _S), _OBJECT),
    (RESOURCE, "Get", (_S, _S, _S, _S), _OBJECT),
    (RESOURCE, "Get", (DYN, _S), _OBJECT),
    (RESOURCE, "List", (_S, _S), _OBJECT),
    (RESOURCE, "List", (_S, _S, _S), _OBJECT),
    (RESOURCE, "List", (_S, _S, _LABELS), _OBJECT),
    (RESOURCE, "List", (_S, _S, _S, _LABELS), _OBJECT),
    (RESOURCE, "List", (DYN,), _OBJECT),
    (RESOURCE, "Post", (_S, _S, _OBJECT), _OBJECT),
    (RESOURCE, "Post", (_S, _S, _S, _OBJECT), _OBJECT),
    (RESOURCE, "ToGVR", (_S, _S), DYN),
    (HTTP, "Get", (_S,), DYN),
    (HTTP, "Get", (_S, _LABELS), DYN),
    (HTTP, "Post", (_S, DYN), DYN),
    (HTTP, "Post", (_S, DYN, _LABELS), DYN),
    (HTTP, "Client", (_S,), HTTP),
    (GLOBAL, "Get", (_S,), DYN),
    (GLOBAL, "Get", (_S, _S), DYN),
    (IMAGE_DATA, "GetMetadata", (_S,), DYN),
    (JSON, "unmarshal", (DYN,), DYN),
    (JSON, "marshal", (DYN,), STRING),
    (YAML, "parse", (_S,), DYN),
)


def _look_up(
    context: Type, name: str, spelled: str, args: tuple[Type, ...], result: Type
) -> Overload:
    def ask(receiver: Context, *values: Any) -> Any:
        return receiver.ask(name, values)

    label = "_".join(kind.name for kind in args)
    id = f"{context.name}_{spelled}_{label}"
    return Overload(spelled, id, (context, *args), result, ask, member=True)


def _look_ups() -> list[Overload]:
    made: list[Overload] = []
    for context, name, args, result in _LOOK_UPS:
        camel = "toGVR" if name == "ToGVR" else name[0].lower() + name[1:]
        for spelled in {name: None, camel: None}:
            made.append(_look_up(context, name, spelled, args, result))
    return made


def _functions() -> list[Overload]:
    table: tuple[tuple[str, tuple[Type, ...], Type, Callable[..., Any]], ...] = (
        ("time.now", (), TIMESTAMP, _time_now),
        ("time.toCron", (TIMESTAMP,), STRING, to_cron),
        ("time.truncate", (TIMESTAMP, DURATION), TIMESTAMP, truncate),
        ("parseServiceAccount", (_S,), _LABELS, parse_service_account),
        ("user.parseServiceAccount", (_S,), _LABELS, parse_service_account),
        ("math.round", (DOUBLE, INT), DOUBLE, round_to),
        ("listObjToMap", (list_of(DYN), list_of(DYN), _S, _S), _OBJECT, list_to_map),
        ("transform.listObjToMap", (list_of(DYN), list_of(DYN), _S, _S), _OBJECT, list_to_map),
        ("random", (), STRING, _needing("random")),
        ("random", (_S,), STRING, _needing("random")),
        ("x509.decode", (_S,), DYN, _needing("x509.decode")),
    )
    made = [
        Overload(name, f"kyverno_{name}_{len(params)}", params, result, function)
        for name, params, result, function in table
    ]
    for algorithm in ("md5", "sha1", "sha256"):
        for name in (algorithm, f"hash.{algorithm}"):
            made.append(Overload(name, f"kyverno_{name}", (_S,), STRING, _digest(algorithm)))
    return made


_CLASSES: Final[dict[type, Type]] = {
    ResourceContext: RESOURCE,
    HttpContext: HTTP,
    GlobalContext: GLOBAL,
    ImageContext: IMAGE_DATA,
    JsonContext: JSON,
    YamlContext: YAML,
    kyverno_image.Image: kyverno_image.TYPE,
}
VARIABLES: Final[dict[str, Type]] = {
    "resource": RESOURCE,
    "http": HTTP,
    "globalContext": GLOBAL,
    "image": IMAGE_DATA,
    "json": JSON,
    "yaml": YAML,
}

LIBRARY: Final = Library(
    "kyverno",
    (*_look_ups(), *_functions(), *kyverno_image.OVERLOADS),
    types={kind.name: kind for kind in _CLASSES.values()},
    classes=_CLASSES,
)
