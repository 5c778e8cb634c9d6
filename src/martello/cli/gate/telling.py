"""What the gate would say of manifests, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from martello.core.path import show
from martello.core.resource import Resource
from martello.gate.judge import DENY, WARN, Opinion, Request, Verdict
from martello.report.text import clean, plural

_WORDS = {DENY: "denied", WARN: "warned"}


class Told(msgspec.Struct, frozen=True, eq=False):
    """One object with what is said of it."""

    resource: Resource
    opinion: Opinion
    verdict: Verdict

    @property
    def word(self) -> str:
        """denied, warned, admitted; `-` for what has no images."""
        if not self.verdict.allowed:
            return "denied"
        if self.verdict.warnings:
            return "warned"
        return "admitted" if self.opinion.annotations else "-"


def created(resource: Resource, namespace: str = "") -> Request:
    """The creation of an object, as the API server would ask about it."""
    ref = resource.ref
    group = ref.api_version.rpartition("/")[0]
    space = ref.namespace or namespace
    return Request("CREATE", group, ref.version, "", ref.kind, ref.name, space, resource.raw)


def table(told: Sequence[Told], unread: Sequence[str]) -> str:
    """A line for each object with images, what speaks against it below, and the sum."""
    lines: list[str] = []
    for one in told:
        if one.word == "-":
            continue
        ref = one.resource.ref
        name = f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name
        lines.append(f"{one.word:<9} {ref.kind} {name}  {one.resource.locate()}")
        for ruling in one.verdict.rulings:
            if ruling.action in _WORDS:
                place = one.resource.locate(ruling.path)
                lines.append(f"          {_WORDS[ruling.action]}: {ruling.message}  {place}")
    lines += [f"not read  {text}" for text in unread]
    words = [one.word for one in told if one.word != "-"]
    counts = ", ".join(f"{words.count(w)} {w}" for w in ("denied", "warned", "admitted"))
    lines.append(f"{plural(len(words), 'object')} with images: {counts}; {len(unread)} not read")
    return "\n".join(clean(line) for line in lines)


def json_text(told: Sequence[Told], unread: Sequence[str]) -> str:
    """The same as one document."""
    objects = [
        {
            "kind": one.resource.ref.kind,
            "namespace": one.resource.ref.namespace,
            "name": one.resource.ref.name,
            "location": str(one.resource.locate()),
            "verdict": one.word,
            "rulings": [
                {
                    "action": _WORDS[ruling.action],
                    "check": ruling.source,
                    "path": show(ruling.path),
                    "message": ruling.message,
                }
                for ruling in one.verdict.rulings
                if ruling.action in _WORDS
            ],
            "ask": list(one.opinion.ask),
        }
        for one in told
        if one.word != "-"
    ]
    content = msgspec.json.encode({"objects": objects, "unread": list(unread)})
    return msgspec.json.format(content, indent=2).decode()
