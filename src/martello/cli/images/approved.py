"""What stands in the approval ledger, chain by chain, and what was decided on one digest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from martello.cli.images.keeping import issuer_of, seen_heads
from martello.core.approval import Approval, stamp
from martello.core.errors import Refused
from martello.practices.images.attest.keys import PublicKey
from martello.report.text import plural
from martello.store import approvals
from martello.store.state import open_state


class Chain(msgspec.Struct, frozen=True):
    """The rows of one issuer. `broken` says why it cannot be trusted."""

    issuer: str
    rows: int = -1  # -1: nobody counted, for its key was not named
    key: str = ""
    broken: str = ""


class Account(msgspec.Struct, frozen=True):
    """Every chain, and the decisions on the digest that was asked for, newest first."""

    state: str
    chains: tuple[Chain, ...]
    decisions: tuple[Approval, ...] = ()

    @property
    def plain(self) -> dict[str, Any]:
        """As JSON has it; times are RFC 3339."""
        return {
            "state": self.state,
            "chains": [
                {
                    "issuer": chain.issuer,
                    "rows": chain.rows if chain.rows >= 0 else None,
                    "verified": bool(chain.key) and not chain.broken,
                    "broken": chain.broken,
                }
                for chain in self.chains
            ],
            "decisions": [_plain(row) for row in self.decisions],
        }


def account(state: str, keys: Sequence[PublicKey], digest: str = "") -> Account:
    """Reads the ledger, and verifies the chains whose keys are named. Raises what the store raises,
    but for a chain that cannot be trusted: that is told.
    """
    by_issuer = {issuer_of(key): key for key in keys}
    seen = seen_heads(state)
    with open_state(state) as opened:
        chains = []
        for issuer in dict.fromkeys((*approvals.issuers(opened), *by_issuer)):
            key = by_issuer.get(issuer)
            if key is None:
                chains.append(Chain(issuer))
                continue
            try:
                rows = approvals.verify(opened, issuer, [key], seen)
                chains.append(Chain(issuer, rows, key.hint))
            except Refused as error:
                chains.append(Chain(issuer, -1, key.hint, error.why))
        decisions = approvals.history(opened, digest) if digest else ()
        return Account(opened.where, tuple(chains), decisions)


def told(found: Account, digest: str) -> list[str]:
    """The account as lines."""
    lines = [f"ledger {found.state}"]
    for chain in found.chains:
        if chain.broken:
            lines.append(f"  broken    {chain.issuer}: {chain.broken}")
        elif chain.key:
            lines.append(f"  verified  {chain.issuer}: {plural(chain.rows, 'row')}")
        else:
            lines.append(f"  unproved  {chain.issuer}: name its public key with --key")
    if not found.chains:
        lines.append("  nobody has decided anything yet: martello image gate --record --key FILE")
    if not digest:
        return lines
    lines += ["", digest]
    for row in found.decisions:
        until = f" until {stamp(row.not_after)}" if row.not_after else ""
        head = f"  {row.outcome:<10} {stamp(row.issued_at)}{until}"
        lines.append(f"{head}  policy {row.policy or 'none'}, by {row.issuer} row {row.seq}")
        lines += [f"             {reason.message}" for reason in row.reasons[:5]]
        if len(row.reasons) > 5:
            lines.append(f"             {len(row.reasons) - 5} more reasons")
    if not found.decisions:
        lines.append("  nobody has decided on it")
    return lines


def _plain(row: Approval) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.to_builtins(row)
    return {**body, "issued_at": stamp(row.issued_at), "not_after": stamp(row.not_after)}
