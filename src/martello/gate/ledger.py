"""The ledger in the store, as the gate uses it: opened when it is there, read, given work."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from martello.core.approval import Approvals
from martello.core.errors import BadInput
from martello.gate.asking import JOB
from martello.store import approvals, claim
from martello.store.approvals import Verifier
from martello.store.changes import Sign, Watch
from martello.store.seen import SeenHeads
from martello.store.state import State

SYSTEM_GROUPS: Final = (
    "system:authenticated",
    "system:unauthenticated",
    "system:serviceaccounts",
)


class StoreLedger:
    """The store behind `open`, which may fail and is then called again the next time."""

    def __init__(
        self,
        open: Callable[[], State],
        trusted: Mapping[str, Sequence[Verifier]],
        seen: SeenHeads | None = None,
    ) -> None:
        self._open = open
        self._trusted = trusted
        self._seen = seen
        self._state: State | None = None
        self._watch: Watch | None = None

    def sign(self) -> Sign:
        """See Ledger."""
        if self._watch is None:
            self._watch = Watch(self._opened())
        return self._watch.sign()

    def read(self) -> Approvals:
        """See Ledger. Raises Refused where a chain was changed by anybody but its issuer."""
        return approvals.snapshot(self._opened(), self._trusted, seen=self._seen)

    def write(self, items: Sequence[str]) -> None:
        """Asks for scans; what was done or given up before is asked for again."""
        state = self._opened()
        if claim.enqueue(state, JOB, items) < len(items):
            claim.reopen(state, JOB, items)

    def close(self) -> None:
        """Lets go of the store."""
        with contextlib.suppress(Exception):
            if self._watch is not None:
                self._watch.close()
            if self._state is not None:
                self._state.close()
        self._watch = self._state = None

    def _opened(self) -> State:
        if self._state is None:
            self._state = self._open()
        return self._state


def break_glass_groups(groups: Sequence[str]) -> frozenset[str]:
    """Groups whose members may break the glass. Raises BadInput for one that nearly everybody is
    in.
    """
    for group in groups:
        if group in SYSTEM_GROUPS:
            why = "everybody is in it: break-glass would be the door"
            raise BadInput(f"the group {group} cannot break the glass", why)
    return frozenset(groups)
