"""One nftables table as data, written as one atomic transaction: all of it, or what changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

TABLE: Final = "martello"
_SAFE: Final = re.compile(r"[^A-Za-z0-9 ./_:,=-]")
_COMMENT: Final = 96
_A_LINE: Final = 16


class Set(msgspec.Struct, frozen=True):
    """A named set, or a map where `kind` says so; `elements` are key → value (empty in a set), as
    they are written.
    """

    name: str
    type: str
    elements: dict[str, str]
    kind: str = "set"
    interval: bool = False


class Chain(msgspec.Struct, frozen=True):
    """A chain: its rules, one a line; `hook` makes it a base chain."""

    name: str
    lines: tuple[str, ...]
    hook: str = ""


class Ruleset(msgspec.Struct, frozen=True):
    """A whole table; `notes` say what it does not enforce, and why."""

    chains: tuple[Chain, ...]
    sets: tuple[Set, ...] = ()
    notes: tuple[str, ...] = ()
    table: str = TABLE

    @property
    def text(self) -> str:
        """The transaction that puts this table in the place of any earlier one."""
        return render(self)


def comment_of(text: str) -> str:
    """A text safe between quotes: what is no plain letter or mark becomes `?`; cut short."""
    plain = _SAFE.sub("?", text)
    return plain if len(plain) <= _COMMENT else plain[: _COMMENT - 1] + "~"


def render(ruleset: Ruleset) -> str:
    """The table in one transaction: an earlier table of the same name goes as this one comes, no
    other table is touched. Policies of base chains are `accept` and the rules deny: a base chain
    is hooked a moment before its rules hold, and must let pass what the old table decides.
    """
    sets = sorted(ruleset.sets, key=lambda s: _order(s.name))
    chains = sorted(ruleset.chains, key=lambda c: _order(c.name))
    return removal(ruleset.table) + "\n".join(_block(ruleset.table, sets, chains)) + "\n"


def removal(table: str = TABLE) -> str:
    """The transaction after which there is no such table; right where there is none, too."""
    return f"add table inet {table}\ndelete table inet {table}\n"


def change(old: Ruleset, new: Ruleset) -> str:
    """The least transaction from one ruleset to the next: elements, chains and sets that differ.
    Empty where nothing does. A set that changes its type makes it the whole table.
    """
    before, after = {s.name: s for s in old.sets}, {s.name: s for s in new.sets}
    kept = before.keys() & after.keys()
    if old.table != new.table or any(_shape(before[n]) != _shape(after[n]) for n in kept):
        return render(new)
    was, now = {c.name: c for c in old.chains}, {c.name: c for c in new.chains}
    if any(was[n].hook != now[n].hook for n in was.keys() & now.keys()):
        return render(new)
    table = f"inet {new.table}"
    born = [after[name] for name in _sorted(after.keys() - before.keys())]
    fresh = [now[name] for name in _sorted(now.keys() - was.keys())]
    # what is new as a block: nft 1.0.6 does not take elements into an interval map otherwise
    out = _block(new.table, born, fresh) if born or fresh else []
    for name in _sorted(before):
        held = before[name].elements
        if name in after:
            wanted = after[name].elements
            gone = [key for key in held if wanted.get(key) != held[key]]
            out += _elements("delete", table, name, gone)
        elif before[name].kind == "map":  # lets go of the chains it points to
            out += _elements("delete", table, name, list(held))
    for name in _sorted(kept):
        held = before[name].elements
        more = [_pair(k, v) for k, v in after[name].elements.items() if held.get(k) != v]
        out += _elements("add", table, name, more)
    for name in _sorted(was.keys() & now.keys()):
        if was[name].lines != now[name].lines:
            out.append(f"flush chain {table} {name}")
            out += [f"add rule {table} {name} {line}" for line in now[name].lines]
    dead = _sorted(was.keys() - now.keys())
    out += [f"flush chain {table} {name}" for name in dead]
    out += [f"delete chain {table} {name}" for name in dead]
    out += [f"delete {before[n].kind} {table} {n}" for n in _sorted(before.keys() - after.keys())]
    return "\n".join(out) + "\n" if out else ""


def braced(values: Iterable[str]) -> str:
    """An anonymous set."""
    return "{ " + ", ".join(values) + " }"


def _shape(one: Set) -> tuple[str, str, bool]:
    return one.kind, one.type, one.interval


def _block(table: str, sets: Iterable[Set], chains: Iterable[Chain]) -> list[str]:
    lines = [line for one in sets for line in _set(one)]
    lines += [line for chain in chains for line in _chain(chain)]
    return [f"table inet {table} {{", *lines, "}"]


def _elements(verb: str, table: str, name: str, elements: Sequence[str]) -> list[str]:
    return [f"{verb} element {table} {name} {braced(elements)}"] if elements else []


def _pair(key: str, value: str) -> str:
    return f"{key} : {value}" if value else key


def _set(one: Set) -> list[str]:
    out = [f"\t{one.kind} {one.name} {{", f"\t\ttype {one.type}"]
    if one.interval:
        out.append("\t\tflags interval")
    if one.elements:
        pairs = [_pair(key, value) for key, value in one.elements.items()]
        rows = [", ".join(pairs[at : at + _A_LINE]) for at in range(0, len(pairs), _A_LINE)]
        out.append("\t\telements = { " + ",\n\t\t\t".join(rows) + " }")
    return [*out, "\t}"]


def _chain(chain: Chain) -> list[str]:
    out = [f"\tchain {chain.name} {{"]
    if chain.hook:
        out.append(f"\t\t{chain.hook};")
    return [*out, *(f"\t\t{line}" for line in chain.lines), "\t}"]


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted(names, key=_order)


def _order(name: str) -> tuple[str, int, str]:
    """Names by their letters, then by their number: m_k2 before m_k10."""
    found = re.search(r"\d+", name)
    return (name[: found.start()], int(found[0]), name) if found else (name, -1, name)
