"""Which part of what was read is judged: namespaces and labels, as kubectl means -n and -l."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

import msgspec

from martello.core.errors import BadInput
from martello.core.kinds import built_in
from martello.core.resource import Resource
from martello.core.selector import matches

_KEY: Final = r"[A-Za-z0-9](?:[\w./-]*[A-Za-z0-9])?"
_VALUE: Final = r"(?:[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)?"
_REQUIREMENT: Final = (
    rf"\s*(?:(?P<absent>!)\s*)?(?P<key>{_KEY})\s*"
    rf"(?:(?P<equal>==?|!=)\s*(?P<value>{_VALUE})|"
    rf"(?P<word>in|notin)\s*\((?P<values>[^()]*)\))?\s*(?:,|$)"
)


class Focus(msgspec.Struct, frozen=True):
    """The objects that are judged. The others are there to be looked up: what they name exists."""

    namespaces: tuple[str, ...] = ()
    labels: str = ""  # a label selector; empty: any

    def holds(self, resource: Resource) -> bool:
        """Whether an object is meant. What lies in no namespace is; in files, where a namespace is
        often given later, also what names none.
        """
        namespace = resource.ref.namespace
        if self.namespaces and namespace and namespace not in self.namespaces:
            return False
        if not self.labels or _clusterwide(resource):
            return True
        return matches(selector(self.labels), resource.labels)


@cache
def selector(text: str) -> dict[str, Any]:
    """The LabelSelector that kubectl's `-l` means: `a=b,c!=d,e in (f,g),h,!i`. Raises BadInput."""
    requirements: list[dict[str, Any]] = []
    at = 0
    while at < len(text):
        found = re.compile(_REQUIREMENT).match(text, at)
        if found is None:
            raise BadInput(
                f"no label selector: {text}",
                f"it cannot be read from '{text[at:].strip()}' on",
                "a selector is KEY=VALUE,KEY!=VALUE,KEY in (A,B),KEY,!KEY",
            )
        requirements.append(_requirement(found))
        at = found.end()
    return {"matchExpressions": requirements}


def _requirement(found: re.Match[str]) -> dict[str, Any]:
    key = found["key"]
    if found["equal"]:
        operator = "NotIn" if found["equal"] == "!=" else "In"
        return {"key": key, "operator": operator, "values": [found["value"]]}
    if found["word"]:
        operator = "In" if found["word"] == "in" else "NotIn"
        values = [value.strip() for value in found["values"].split(",")]
        return {"key": key, "operator": operator, "values": values}
    return {"key": key, "operator": "DoesNotExist" if found["absent"] else "Exists"}


def _clusterwide(resource: Resource) -> bool:
    facts = built_in(resource.ref.api_version, resource.ref.kind)
    return facts is not None and not facts.namespaced
