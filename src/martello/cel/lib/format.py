"""Kubernetes' named string formats, such as `format.dns1123Label()`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from martello.cel import re2
from martello.cel.lib.time import days_before
from martello.cel.types import STRING, Library, Overload, Type, list_of, optional_of
from martello.cel.values import NONE, Optional

_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_LABEL}(\.{_LABEL})*"
_NAME: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_UUID: Final = "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$"
_BASE64: Final = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$"
_TIME: Final = "^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$"
_DATE: Final = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

Check = Callable[[str], list[str]]


class Format:
    """A named format: `check` lists what is wrong, `weight` (a pattern's length) is its cost."""

    __slots__ = ("check", "name", "weight")

    def __init__(self, name: str, check: Check, weight: int) -> None:
        self.name = name
        self.check = check
        self.weight = weight

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Format) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


def _whole(pattern: str, longest: int, what: str) -> Check:
    anchored = f"^{pattern}$"

    def check(text: str) -> list[str]:
        wrong: list[str] = []
        if len(text.encode("utf-8", "replace")) > longest:
            wrong.append(f"must be no more than {longest} bytes")
        if not re2.compile(anchored).matches(text):
            wrong.append(f"{what} (it must match '{pattern}')")
        return wrong

    return check


def _prefix(check: Check) -> Check:
    """The same for the beginning of a generated name, which may end in a dash."""
    return lambda text: check(f"{text[:-2]}a" if len(text) > 1 and text.endswith("-") else text)


dns1123_label: Final = _whole(_LABEL, 63, "must be lower case letters, digits and inner dashes")
dns1123_subdomain: Final = _whole(_SUBDOMAIN, 253, "must be lower case labels joined by dots")
_dns1035_label: Final = _whole(
    "[a-z]([-a-z0-9]*[a-z0-9])?", 63, "must be lower case letters, digits and inner dashes"
)
_name_part: Final = _whole(_NAME, 63, "must be letters, digits and inner '-', '_' or '.'")
_label_value: Final = _whole(
    f"({_NAME})?", 63, "must be empty, or letters, digits and inner '-', '_' or '.'"
)


def _qualified_name(text: str) -> list[str]:
    prefix, slash, name = text.partition("/")
    if "/" in name:
        return ["must be a name with an optional DNS subdomain and '/' before it"]
    if not slash:
        prefix, name = "", text
    wrong = [f"prefix part {problem}" for problem in (dns1123_subdomain(prefix) if prefix else ())]
    if slash and not prefix:
        wrong.append("prefix part must not be empty")
    if not name:
        wrong.append("name part must not be empty")
    return wrong + [f"name part {problem}" for problem in _name_part(name)]


def _uri(text: str) -> list[str]:
    from martello.cel.lib.url import is_url

    return [] if is_url(text) else ["must be an absolute URL or path"]


def _matching(pattern: str, what: str) -> Check:
    return lambda text: [] if re2.compile(pattern).matches(text) else [what]


def is_date(text: str) -> bool:
    """Whether the text is a day of the calendar, as `2006-01-02`."""
    if not re2.compile(_DATE).matches(text):
        return False
    year, month, day = int(text[:4]), int(text[5:7]), int(text[8:])
    if not 1 <= month <= 12:
        return False
    following = (year + 1, 1) if month == 12 else (year, month + 1)
    return 1 <= day <= days_before(*following, 1) - days_before(year, month, 1)


def is_date_time(text: str) -> bool:
    """Whether the text is a date and a time of day with its zone, as RFC 3339 writes them."""
    parts = text.lower().split("t")
    if len(text) < 4 or len(parts) < 2 or not is_date(parts[0]):
        return False
    clock = parts[1]
    if not re2.compile(_TIME).matches(clock):
        return False
    return clock[:2] <= "23" and clock[3:5] <= "59" and clock[6:8] <= "59"


FORMATS: Final[dict[str, Format]] = {
    name: Format(name, check, weight)
    for name, check, weight in (
        ("dns1123Label", dns1123_label, 30),
        ("dns1123Subdomain", dns1123_subdomain, 60),
        ("dns1035Label", _dns1035_label, 30),
        ("qualifiedName", _qualified_name, 60),
        ("dns1123LabelPrefix", _prefix(dns1123_label), 30),
        ("dns1123SubdomainPrefix", _prefix(dns1123_subdomain), 60),
        ("dns1035LabelPrefix", _prefix(_dns1035_label), 30),
        ("labelValue", _label_value, 40),
        ("uri", _uri, 1103),
        ("uuid", _matching(_UUID, "does not match the UUID format"), len(_UUID)),
        ("byte", _matching(_BASE64, "invalid base64"), 84),
        ("date", lambda text: [] if is_date(text) else ["invalid date"], len(_TIME)),
        ("datetime", lambda text: [] if is_date_time(text) else ["invalid datetime"], len(_TIME)),
    )
}


def named(name: str) -> Optional:
    """The format of a name, if there is one."""
    found = FORMATS.get(name)
    return NONE if found is None else Optional(found)


def validate(format: Format, text: str) -> Optional:
    """What is wrong with the text; none when nothing is."""
    wrong = format.check(text)
    return Optional(wrong) if wrong else NONE


def _cost(format: Format, text: str, _result: Optional) -> int:
    return -(-(len(text) + 1) // 10) * -(-format.weight // 4)


def _constant(format: Format) -> Overload:
    name = f"format.{format.name}"
    return Overload(name, name, (), TYPE, lambda: format)


TYPE: Final = Type("kubernetes.NamedFormat")

LIBRARY: Final = Library(
    "format",
    (
        Overload(
            "validate",
            "format-validate",
            (TYPE, STRING),
            optional_of(list_of(STRING)),
            validate,
            member=True,
            cost=_cost,
        ),
        Overload("format.named", "format-named", (STRING,), optional_of(TYPE), named),
        *(_constant(format) for format in FORMATS.values()),
    ),
    since=31,
    types={TYPE.name: TYPE},
    classes={Format: TYPE},
)
