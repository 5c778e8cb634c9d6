"""Where paths begin and end: as people write it, and as it is told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from martello.core.errors import BadInput
from martello.paths.facts import Facts
from martello.paths.find import ANONYMOUS, GOALS
from martello.paths.model import Proposition

_WORDS: Final[dict[str, Proposition]] = {
    "internet": ("internet",),
    "anonymous": ANONYMOUS,
    "cluster-admin": ("admin", ""),
    "node": ("goal", "node"),
    "secrets": ("goal", "secrets"),
}
_FROM: Final = "internet, anonymous, pods:NS/WORKLOAD, sa:NS/NAME, user:NAME, group:NAME"
_TO: Final = (
    "cluster-admin, admin:NS, namespace:NS, node[:NAME], secrets[:NS], secret:NS/NAME, sa:NS/NAME, "
    "starve:NS, crown"
)


def footholds(words: Iterable[str], facts: Facts) -> tuple[Proposition, ...] | None:
    """What --from names; None where it is not given. Raises BadInput for what is not there."""
    found = tuple(_read(word, facts, _FROM, ("internet", "anonymous")) for word in words)
    return found or None


def goals(
    words: Iterable[str], facts: Facts, own: tuple[Proposition, ...] = ()
) -> tuple[Proposition, ...] | None:
    """What --to names, `crown` being one's own goals; None where it is not given. Raises BadInput
    for what is not there.
    """
    found: list[Proposition] = []
    for word in words:
        if word != "crown":
            found.append(_read(word, facts, _TO, ("cluster-admin", "node", "secrets")))
        elif own:
            found += own
        else:
            next = 'name some there: secrets = ["NAMESPACE/NAME"]'
            raise BadInput("nothing that [crown] of martello.toml names is here", "", next)
    return tuple(dict.fromkeys(found)) or None


def own(words: Collection[str], named: tuple[Proposition, ...]) -> tuple[Proposition, ...]:
    """One's own goals where they count: by default, and where --to says so."""
    return named if not words or "crown" in words else ()


def _read(word: str, facts: Facts, forms: str, plain: tuple[str, ...]) -> Proposition:
    if word in plain:
        return _WORDS[word]
    kind, _, rest = word.partition(":")
    space, slash, name = rest.partition("/")
    made: Proposition | None = None
    if kind in ("user", "group", "node", "secrets", "admin", "namespace", "starve") and rest:
        made = (kind, rest)
    elif kind == "pods" and rest:
        made = ("pods-of", rest if slash else f"/{rest}")  # files may leave the namespace out
    elif kind == "sa" and slash and space and name:
        made = ("account", space, name)
    elif kind == "secret" and slash and space and name:
        made = ("secret", space, name)
    if made is None:
        raise BadInput(f"{word} is no place of a path", "", f"one of: {forms}")
    if facts.program.find(made) is None:
        known = [n for n in facts.program.names if n[0] == made[0] and len(n) == len(made)]
        near = _nearest(made, known)
        why = f"the nearest is {near}" if near else "nothing here is called so"
        raise BadInput(f"not here: {words(made)}", why, f"one of: {forms}")
    return made


def _nearest(made: Proposition, known: list[Proposition]) -> str:
    from martello.cli.errors import nearest

    if not known:
        return ""
    named = {"/".join(one[1:]): one for one in known}
    return words(named[nearest("/".join(made[1:]), named)])


def words(place: Proposition) -> str:
    """A foothold, a goal, or what a step gives, as it is told."""
    kind, *rest = place
    name = "/".join(rest).removeprefix("/")
    if kind == "pods-of":
        return f"pods of {name}"
    if kind == "admin":
        return f"admin of {name}" if name else "cluster-admin"
    if kind == "goal":
        return {"node": "node", "secrets": "secrets of a namespace"}.get(name, name)
    if kind in ("secrets", "pods"):
        return f"{kind} of {name}"
    if kind == "starve":
        return f"starving {name}"
    if kind in ("code", "pod"):
        at, on = rest[0].removeprefix("/"), rest[-1] if len(rest) > (kind == "code") + 1 else "?"
        return f"{'code in' if kind == 'code' else kind} {at}" + (f" on {on}" if on != "?" else "")
    if kind in ("holds", "gained"):
        role, home, called, scope = (*rest, "", "", "", "")[:4]
        where = f" in {scope}" if scope else ""
        may = "may be bound to " if kind == "gained" else ""
        return f"{may}{role} {home}/{called}{where}" if home else f"{may}{role} {called}{where}"
    if kind in ("can", "one", "has", "anybody"):
        return f"may {_right(rest)}"
    if kind == "reaches":
        return f"port of {name}"
    if kind == "node" and name == "?":
        return "node"
    if kind == "anonymous":
        return "anybody without credentials"
    return f"{kind} {name}" if name else kind


def _right(parts: Sequence[str]) -> str:
    """Rights with their namespaces and names, and whose they are where that is said."""
    key = next((at for at, part in enumerate(parts) if " " in part), 0)
    where = ", ".join(part for part in dict.fromkeys(parts[key + 1 :]) if part)
    who = "/".join(parts[1:key])
    what = parts[key].replace(".rbac.authorization.k8s.io", "")
    return what + (f" in {where}" if where else "") + (f", as {who}" if who else "")


def space(place: Proposition) -> str:
    """The namespace that a place lies in; empty outside of all."""
    kind, *rest = place
    if kind in ("pods-of", "code", "reaches"):
        return rest[0].partition("/")[0]
    if kind in ("account", "secret", "secrets", "admin", "pods", "accounts", "starve"):
        return rest[0] if rest else ""
    return rest[3] if kind == "holds" and len(rest) > 3 else ""


def asked_goals(
    given: tuple[Proposition, ...] | None, own: tuple[Proposition, ...] = ()
) -> tuple[Proposition, ...]:
    """The goals that count: those of --to, else the usual ones and one's own."""
    return given if given is not None else (*GOALS, *own)
