"""Random trees of rules and random events, small enough that they often meet each other."""

from __future__ import annotations

import json
from random import Random
from typing import Any, Final, get_args

from martello.practices.monitor.engine.ir import (
    And,
    At,
    Atom,
    Call,
    Column,
    Constant,
    Key,
    Node,
    Not,
    Or,
    Over,
    Pointer,
    Term,
    Value,
)

WORDS: Final = (
    "",
    "get",
    "GET",
    "create",
    "pods",
    "Pods/exec",
    "secrets",
    "kube-system",
    "system:serviceaccount:kube-system:default",
    "/usr/bin/Straße",
    "ÄÖ",
    "äö",
    "\u212a",  # the sign of Kelvin, which Unicode folds into k
    "\u017f",
    "200",
    "true",
    "a\0b",
    "a\nb",
    "10.0.0.7",
    "fe80::1",
    "10.0.0.0/8",
    "*",
    "a*b?",
    "😀",
    "c2VjcmV0cw==",
    "/api/v1/secrets?watch=true&container=main",
    "registry:5000/a/b:1@sha256:0",
    "system:",
    "x" * 300,
)
PATTERNS: Final = (
    "get|create",
    "^system:",
    r"\d+",
    r"\w+$",
    r"(?i)k",
    r"\bpods\b",
    "(a|b)*c?",
    ".",
    "",
    r"[^a-z]",
    r"(?s)a.b",
    "a.b",
    r"\pL+",
    r"(?i)stra\x{df}e",
    r"x{10,300}",
    r"\Bt",
)
SHELL: Final = (
    "*",
    "?",
    "*pods*",
    "get*",
    "*:default",
    "[a-gG]*",
    "[!a]*",
    r"a\*b\?",
    "äö",
    "ÄÖ",
    "*ß*",
)
_TEXT: Final = (
    "api_verb",
    "k8s_resource",
    "k8s_ns",
    "actor_user",
    "actor_agent",
    "api_uri",
    "spec_sa",
)
_LISTS: Final = ("actor_groups", "actor_ips", "spec_image", "rbac_verbs")
_INT: Final = ("api_code", "api_ms", "seq", "time")
_BOOL: Final = ("spec_host_network", "spec_host_pid")
_TEXT_OPS: Final = (
    "=",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "in",
    "contains",
    "icontains",
    "startswith",
    "istartswith",
    "endswith",
    "iendswith",
    "iequals",
    "bcontains",
    "bstartswith",
)
_OVER: Final[tuple[Over, ...]] = get_args(Over)


def event(random: Random) -> dict[str, Any]:
    """One audit event of few columns, with nulls, empty lists and a body of any shape."""
    found: dict[str, Any] = {"kind": "audit", "id": str(random.random())}
    for name in _TEXT:
        if random.random() < 0.8:
            found[name] = random.choice(WORDS)
    for name in (*_LISTS, "spec_command"):
        if random.random() < 0.7:
            found[name] = [_element(random) for _ in range(random.randrange(4))]
    for name in _INT:
        if random.random() < 0.7:
            found[name] = random.choice((0, 1, 200, 403, 1 << 60))
    for name in _BOOL:
        if random.random() < 0.7:
            found[name] = random.random() < 0.5
    if random.random() < 0.5:
        found["spec_privileged"] = [
            random.choice((True, False, None)) for _ in range(random.randrange(3))
        ]
    if random.random() < 0.5:
        found["spec_uid"] = [random.choice((0, 200, None)) for _ in range(random.randrange(3))]
    if random.random() < 0.6:
        found["api_annotations"] = {
            k: random.choice(WORDS) for k in ("a", "b", "é")[: random.randrange(4)]
        }
    if random.random() < 0.8:
        found["raw"] = json.dumps({"requestObject": value(random, 0), "verb": random.choice(WORDS)})
    return found


def _element(random: Random) -> str | None:
    return None if random.random() < 0.15 else random.choice(WORDS)


def value(random: Random, depth: int) -> Any:
    """Any JSON value."""
    if depth > 3 or random.random() < 0.4:
        return random.choice((None, True, 0, 1.5, *WORDS))
    if random.random() < 0.4:
        return [value(random, depth + 1) for _ in range(random.randrange(4))]
    return {k: value(random, depth + 1) for k in ("spec", "a", "0")[: random.randrange(4)]}


def operand(random: Random) -> Value:
    """A constant of any type, most often a text."""
    if random.random() < 0.75:
        return random.choice(WORDS)
    return random.choice((True, False, 0, 1, 200, 200.0, 1.5, 403, -1, 1 << 70))


def atom(random: Random) -> Atom:
    """One comparison, most often of a kind that rules have."""
    over, null = random.choice(_OVER), random.random() < 0.5
    term = _term(random)
    chance = random.random()
    if chance < 0.08:
        return Atom(term, "exists", (), "one", null)
    if chance < 0.16:
        op = random.choice(("subset", "intersects"))
        return Atom(term, op, _several(random), "one", null)
    if chance < 0.26:
        return Atom(term, random.choice(("=", "!=", "in", "<")), _term(random), over, null)
    if chance < 0.4:
        op = random.choice(("matches", "fullmatch"))
        return Atom(term, op, _some(random, PATTERNS), over, null)
    if chance < 0.5:
        op = random.choice(("glob", "iglob", "like", "ilike"))
        return Atom(term, op, _some(random, SHELL), over, null)
    if chance < 0.56:
        return Atom(term, "cidr", _some(random, ("10.0.0.0/8", "fe80::/10")), over, null)
    if chance < 0.6:
        return Atom(term, "pmatch", _some(random, ("/api", "/usr/*", "pods")), over, null)
    return Atom(term, random.choice(_TEXT_OPS), _several(random), over, null)


def _some(random: Random, among: tuple[str, ...]) -> tuple[Value, ...]:
    return tuple(random.choice(among) for _ in range(random.randrange(1, 3)))


def _several(random: Random) -> tuple[Value, ...]:
    return tuple(operand(random) for _ in range(random.choice((0, 1, 1, 1, 2, 3))))


def _term(random: Random, depth: int = 0) -> Term:
    chance = random.random()
    if chance < 0.35:
        return Column(random.choice(_TEXT))
    if chance < 0.55:
        return Column(random.choice(_LISTS))
    if chance < 0.68:
        return Column(random.choice((*_INT, *_BOOL, "spec_privileged", "spec_uid", "proc_name")))
    if chance < 0.73:
        return At(Column(random.choice(_LISTS)), random.choice((0, 1, 2, -1)))
    if chance < 0.78:
        return Key(Column("api_annotations"), random.choice(("a", "b", "é")))
    if chance < 0.84 or depth > 1:
        path = random.choice(
            (
                ("verb",),
                ("requestObject", "spec"),
                ("requestObject", "*"),
                ("requestObject", "a", "0"),
            )
        )
        return Pointer(path)
    name = random.choice(
        (
            "lower",
            "upper",
            "text",
            "number",
            "basename",
            "length",
            "b64",
            "dirname",
            "repository",
            "first",
            "words",
            "concat",
            "join",
            "param",
        )
    )
    if name in ("first", "words", "concat", "join"):
        of = tuple(_term(random, depth + 1) for _ in range(random.randrange(1, 3)))
        return Call(name, of, (",",) if name == "join" else ())
    return Call(name, (_term(random, depth + 1),), ("container",) if name == "param" else ())


def tree(random: Random, depth: int = 0) -> Node:
    """A tree of a few atoms."""
    chance = random.random()
    if depth > 3 or chance < 0.45:
        return atom(random)
    if chance < 0.55:
        return Not(tree(random, depth + 1))
    if chance < 0.57:
        return Constant(random.random() < 0.5)
    parts = tuple(tree(random, depth + 1) for _ in range(random.randrange(4)))
    return And(parts) if chance < 0.8 else Or(parts)
