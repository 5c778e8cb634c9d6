"""What the access reports show: plain words, made by the command line."""

from __future__ import annotations

import msgspec


class Chain(msgspec.Struct, frozen=True):
    """One grant from end to end: binding, subject, role and rule, each with its place."""

    binding: str
    binding_where: str
    subject: str
    subject_where: str
    subject_note: str  # who else is meant
    role: str
    role_where: str
    rule: str
    rule_where: str
    rule_from: str = ""  # the role that it was written in, where that is another one
    scope: str = ""  # a namespace, or empty for everywhere


class Near(msgspec.Struct, frozen=True):
    """A grant that misses in one field."""

    chain: Chain
    field: str
    says: str


class Answer(msgspec.Struct, frozen=True):
    """The answer to one question: allowed, denied or unknown, with why."""

    verdict: str
    who: str
    groups: tuple[str, ...]
    groups_known: bool
    request: dict[str, str]
    words: str
    chains: tuple[Chain, ...] = ()
    because: tuple[str, ...] = ()
    nearest: tuple[Near, ...] = ()
    closing: str = ""  # the last line of `why`
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    full: bool = False
    exit: int = 0


class Holder(msgspec.Struct, frozen=True):
    """A subject that may, by which bindings. `scopes` are namespaces; empty for everywhere."""

    subject: str
    note: str
    scopes: tuple[str, ...]
    chains: tuple[Chain, ...]
    because: tuple[str, ...] = ()
    system: bool = False
    perhaps: bool = False


class Holders(msgspec.Struct, frozen=True):
    """Everybody who may do one thing. `folded` counts those of the control plane, not listed."""

    words: str
    request: dict[str, str]
    holders: tuple[Holder, ...]
    folded: int = 0
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    exit: int = 0


class Right(msgspec.Struct, frozen=True):
    """One line of a list of rights: verbs on resources, or on paths, by which bindings."""

    scope: str
    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    names: tuple[str, ...]
    by: tuple[str, ...]
    where: str
    says: str = ""  # the verbs, resources and names in words


class Rights(msgspec.Struct, frozen=True):
    """Everything that somebody may do."""

    who: str
    groups: tuple[str, ...]
    rights: tuple[Right, ...]
    folded: int = 0  # rules of the defaults that everybody has
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    exit: int = 0


class Identity(msgspec.Struct, frozen=True):
    """A way to be somebody here: `kind` is anonymous, mapped, bootstrap, token, or cloud (outward).

    `who` may, `becomes` says as whom, `life` is that of a token in seconds, 0 for ever, None for
    what is no token. `grave` where it may do everything, or needs no end and no credential.
    """

    kind: str
    who: str
    becomes: str
    where: str
    life: int | None = None
    grave: bool = False
    note: str = ""


class Identities(msgspec.Struct, frozen=True):
    """All ways to be somebody, as far as objects show them."""

    rows: tuple[Identity, ...]
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    exit: int = 0
