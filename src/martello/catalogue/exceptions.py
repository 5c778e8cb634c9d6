"""Files in which other tools keep their exceptions: `.trivyignore`, and kubescape's JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

import msgspec

from martello.core.errors import BadInput
from martello.core.resource import Resource

_EXPIRY: Final = re.compile(r"exp:([0-9]{4}-[0-9]{2}-[0-9]{2})")
_LITERAL: Final = re.compile(r"[A-Za-z0-9_./:-]*")
_ATTRIBUTES: Final = frozenset(("kind", "name", "namespace", "cluster"))


class Exemption(msgspec.Struct, frozen=True):
    """Checks of a peer that are off for the objects in `paths` (globs) and with `attributes`."""

    peer: str
    names: tuple[str, ...]
    reason: str
    source: str
    until: str = ""
    paths: tuple[str, ...] = ()
    attributes: Mapping[str, str] = {}

    def covers(self, resource: Resource) -> bool:
        """Whether the exemption is meant for this object."""
        file = resource.origin.where
        if self.paths and not any(fnmatchcase(file, p) for p in self.paths):
            return False
        ref = resource.ref
        words = {
            "kind": ref.kind,
            "name": ref.name,
            "namespace": ref.namespace,
            "cluster": ref.cluster,
        }
        return all(_is(pattern, words[key]) for key, pattern in self.attributes.items())


def read_exceptions(text: str, file: str) -> tuple[Exemption, ...]:
    """Reads a file by its form: JSON is kubescape's, YAML with `misconfigurations` and plain lines
    are Trivy's. Raises BadInput where it is none of these.
    """
    if text.lstrip().startswith(("[", "{")):
        return tuple(_kubescape(text, file))
    if file.endswith((".yaml", ".yml")):
        return tuple(_trivy_yaml(text, file))
    return tuple(_trivy_lines(text, file))


def _trivy_lines(text: str, file: str) -> Iterator[Exemption]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if words and words[0] != "*":  # Trivy knows names only: a star means nothing to it
            expiry = next((m.group(1) for w in words[1:] if (m := _EXPIRY.fullmatch(w))), "")
            yield Exemption("trivy", (words[0],), "", f"{file}:{number}", expiry)


def _trivy_yaml(text: str, file: str) -> Iterator[Exemption]:
    from martello.catalogue.document import read_document

    document = read_document(text, file)
    data = document.data
    entries = data.get("misconfigurations", []) if isinstance(data, dict) else None
    if not isinstance(entries, list):
        raise BadInput(f"cannot use {file}", "misconfigurations is no list")
    for index, entry in enumerate(entries):
        line = document.lines.get(("misconfigurations", index), 1)
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
            raise BadInput(f"cannot use {file}", f"{file}:{line}: an entry needs an id")
        if entry["id"] == "*":
            continue
        paths = entry.get("paths") or []
        yield Exemption(
            "trivy",
            (entry["id"],),
            str(entry.get("statement") or ""),
            f"{file}:{line}",
            str(entry.get("expired_at") or ""),
            tuple(str(p).replace("**/", "*") for p in paths),
        )


def _kubescape(text: str, file: str) -> Iterator[Exemption]:
    try:
        data = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise BadInput(f"cannot use {file}", str(error)) from None
    for policy in data if isinstance(data, list) else [data]:
        try:
            yield from _policy(policy, file)
        except (TypeError, AttributeError, KeyError):
            reason = "an entry is no postureExceptionPolicy"
            raise BadInput(f"cannot use {file}", reason) from None


def _policy(policy: Any, file: str) -> Iterator[Exemption]:
    names = tuple(
        str(part.get("controlID") or part.get("controlId") or "")
        for part in policy["posturePolicies"]
    )
    for designator in policy["resources"]:
        attributes = {k: str(v) for k, v in designator["attributes"].items()}
        if not attributes.keys() <= _ATTRIBUTES:
            continue  # labels and other designators: we could only guess whom they mean
        yield Exemption(
            "kubescape",
            tuple(name or "*" for name in names),
            str(policy.get("reason") or policy.get("name") or ""),
            file,
            str(policy.get("expirationDate") or "")[:10],
            attributes=attributes,
        )


def _is(pattern: str, text: str) -> bool:
    """Kubescape compares by regular expression, case aside; a plain word is just compared."""
    if _LITERAL.fullmatch(pattern):
        return pattern.lower() == text.lower()
    if pattern == ".*":
        return True
    from martello.cel.re2 import compile
    from martello.cel.values import EvalError

    try:
        return compile(f"(?i)^(?:{pattern})$").matches(text)
    except EvalError:
        return False
