"""The names that other tools give to the same checks, in whichever spelling, and whom they mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from martello.core.check import Check

_TRIVY: Final = re.compile(r"(?:AVD-)?KSV-?0*([0-9]+)", re.IGNORECASE)
_KUBESCAPE: Final = re.compile(r"C-?0*([0-9]+)", re.IGNORECASE)


def canonical(peer: str, name: str) -> str:
    """One spelling for a peer's name: `AVD-KSV-0014`, `KSV014` and `KSV-0014` are `KSV-0014`."""
    if peer == "trivy" and (match := _TRIVY.fullmatch(name)):
        return f"KSV-{int(match.group(1)):04d}"
    if peer == "kubescape" and (match := _KUBESCAPE.fullmatch(name)):
        return f"C-{int(match.group(1)):04d}"
    return name.lower() if peer in ("polaris", "checkov") else name


class Names:
    """Finds checks by id, by their own name, or by a name that a peer uses."""

    __slots__ = ("_by_peer", "_own", "ids")

    def __init__(self, checks: Iterable[Check]) -> None:
        self._by_peer: dict[tuple[str, str], set[str]] = {}
        self._own: dict[str, str] = {}
        self.ids: set[str] = set()
        for check in checks:
            self.ids.add(check.id)
            self._own[check.id.lower()] = check.id
            self._own[check.name.lower()] = check.id
            for peer, names in check.aliases.items():
                for name in names:
                    self._by_peer.setdefault((peer, canonical(peer, name)), set()).add(check.id)

    def of_peer(self, peer: str, name: str) -> frozenset[str]:
        """The checks of ours that a peer's name means; `*` means all that the peer has too."""
        if name == "*":
            found = (ids for (p, _), ids in self._by_peer.items() if p == peer)
            return frozenset().union(*found)
        return frozenset(self._by_peer.get((peer, canonical(peer, name)), ()))

    def find(self, name: str) -> frozenset[str]:
        """The checks that a name means, whoever's name it is; empty where it is unknown."""
        own = self._own.get(name.lower())
        if own is not None:
            return frozenset((own,))
        peers: Mapping[str, None] = dict.fromkeys(peer for peer, _ in self._by_peer)
        return frozenset().union(*(self.of_peer(peer, name) for peer in peers if name != "*"))

    def nearest(self, name: str) -> str:
        """The known name most like this one, or nothing."""
        from difflib import get_close_matches

        known = [*self.ids, *(n for n in self._own if n.upper() not in self.ids)]
        known += [n for _, n in self._by_peer]
        return next(iter(get_close_matches(name, known, 1)), "")
