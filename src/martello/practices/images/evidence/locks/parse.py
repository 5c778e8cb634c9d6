"""The edge of lock files: bytes to text, JSON, TOML, YAML or XML, bounded, and packages of them."""

from __future__ import annotations

import re
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from martello.core.package import Package
from martello.practices.images.ecosystems import LANGUAGES
from martello.practices.images.evidence.model import Body

LARGEST: Final = 32 << 20  # bytes of JSON or lines
LARGEST_SLOW: Final = 16 << 20  # bytes of TOML, YAML or XML
_DEEPEST: Final = 100
_MOST_DOTS: Final = 50
_DOTS: Final = 50_000_000
_LONGEST: Final = 1024  # of a name or a version
# Each alternative also takes what does not end, so that no place is looked at twice.
_LOOSE: Final = re.compile(
    r'"(?:[^"\\]|\\.)*+"?|//[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?|,(?=\s*+[}\]])|\s++', re.DOTALL
)
_KEPT: Final = '" \t\r\n'
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def text(body: Body, largest: int = LARGEST) -> str:
    """The file as text. Raises ValueError where it is not UTF-8, or UTF-16 with its mark."""
    data = body.whole(largest)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16")
    return data.decode("utf-8-sig")


def table(value: Any) -> dict[str, Any]:
    """The value if it is a mapping, else an empty one: for parts that a format lets be absent."""
    return value if isinstance(value, dict) else {}


def rows(value: Any) -> list[dict[str, Any]]:
    """The mappings of a list; empty where it is none."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def word(value: Any) -> str:
    """The value if it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def words(value: Any) -> list[str]:
    """The texts of a list; empty where it is none."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def json(body: Body) -> dict[str, Any]:
    """A JSON object. Raises ValueError."""
    return _mapping(orjson.loads(_utf8(body)))


def loose_json(body: Body) -> dict[str, Any]:
    """A JSON object with comments and trailing commas. Raises ValueError."""
    plain = _LOOSE.sub(lambda found: found[0] if found[0][0] in _KEPT else "", text(body))
    return _mapping(orjson.loads(plain))


def toml(body: Body) -> dict[str, Any]:
    """A TOML document. Raises ValueError."""
    plain = text(body, LARGEST_SLOW)
    # The parser takes time with the square of a key's parts, which a line alone can hold.
    dots = (line.count(".") for line in plain.split("\n"))
    if sum(count * count for count in dots if count > _MOST_DOTS) > _DOTS:
        raise ValueError("its keys have too many parts")
    try:
        return tomllib.loads(plain)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def yaml(body: Body) -> dict[str, Any]:
    """The first document of a YAML file, as `yaml_text` reads it. Raises ValueError."""
    return yaml_text(text(body, LARGEST_SLOW))


def yaml_text(source: str) -> dict[str, Any]:
    """The first document of a YAML text, a mapping. All scalars are texts, as they stand: 1.10
    stays 1.10. Raises ValueError.
    """
    # Built of events: the composer of libyaml's binding calls itself at each level and can crash.
    from yaml import YAMLError

    try:
        return _mapping(next(_documents(source), None))
    except (YAMLError, TypeError, IndexError) as error:
        raise ValueError(f"not YAML: {' '.join(str(error).split())[:200]}") from error


def _documents(source: str) -> Iterator[Any]:
    import yaml as pyyaml

    loader = getattr(pyyaml, "CBaseLoader", pyyaml.BaseLoader)(source)
    current: list[Any] = []
    stack: list[tuple[list[Any], str | None]] = []
    anchors: dict[str, Any] = {}
    while (event := loader.get_event()) is not None:
        if isinstance(event, pyyaml.ScalarEvent):
            value: Any = event.value
            anchor = event.anchor
        elif isinstance(event, pyyaml.CollectionStartEvent):
            stack.append((current, event.anchor))
            current = []
            if len(stack) > _DEEPEST:
                raise ValueError(f"nested more than {_DEEPEST} deep")
            continue
        elif isinstance(event, pyyaml.CollectionEndEvent):
            ends = isinstance(event, pyyaml.MappingEndEvent)
            value = dict(zip(current[::2], current[1::2], strict=True)) if ends else current
            current, anchor = stack.pop()
        elif isinstance(event, pyyaml.AliasEvent):
            value, anchor = anchors.get(event.anchor or ""), None
        else:
            if isinstance(event, pyyaml.DocumentEndEvent):
                yield current[0]
            continue
        current.append(value)
        if anchor:
            anchors[anchor] = value


def xml(body: Body) -> ElementTree.Element:
    """The root of an XML document without a document type. Raises ValueError."""
    plain = text(body, LARGEST_SLOW)
    if "<!DOCTYPE" in plain or "<!ENTITY" in plain:
        raise ValueError("an XML document type, which project files have no use for")
    try:
        # Without a document type there are no entities to expand.
        return ElementTree.fromstring(re.sub(r"\A\s*<\?xml[^>]*\?>", "", plain))  # noqa: S314
    except ElementTree.ParseError as error:
        raise ValueError(f"not XML: {error}") from error


def package(
    kind: str,
    name: str,
    version: str,
    *,
    dev: bool = False,
    licences: Iterable[str] = (),
) -> Package:
    """A package of a language. Raises ValueError for names and versions that are none."""
    if not name or max(len(name), len(version)) > _LONGEST or _CONTROL.search(name + version):
        raise ValueError(f"no package name and version: {name[:60]!r} {version[:60]!r}")
    return Package(
        type=kind,
        name=name,
        version=version,
        ecosystem=LANGUAGES.get(kind, ""),
        licences=tuple(licences),
        dev=dev,
    )


def unique(packages: Iterable[Package]) -> tuple[Package, ...]:
    """Each name and version once, in order of name; needed at run time if any of them is."""
    found: dict[tuple[str, str], Package] = {}
    for one in packages:
        key = (one.name, one.version)
        if key not in found or (found[key].dev and not one.dev):
            found[key] = one
    return tuple(found[key] for key in sorted(found))


def _utf8(body: Body) -> bytes:
    data = body.whole(LARGEST)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16").encode()
    return data.removeprefix(b"\xef\xbb\xbf")


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("no mapping of names to values")
    return value
