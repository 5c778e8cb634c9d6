"""Events for tests of the store, and a lake in a directory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from martello.adapters import batch
from martello.store import segments
from martello.store.files import LocalFiles
from martello.store.lake import Lake, Segment
from martello.store.segments import Name, Owned
from martello.store.state import State, open_state

NOON: Final = 1_785_585_600_000_000_000  # 2026-08-01T12:00:00Z, ns
SECOND: Final = 1_000_000_000
DAY: Final = 86_400 * SECOND
NAME: Final = Name("prod", "audit", "webhook")


def audit_event(i: int, seed: int = 1, **given: Any) -> dict[str, Any]:
    """The i-th audit event of a seed, one a second from noon on."""
    random = Random(seed * 1_000_003 + i)
    user = random.choice(["alice", "bob", "system:serviceaccount:ci:runner"])
    time = NOON + i * SECOND
    event = {
        "id": f"{seed:08x}{i:024x}",
        "kind": "audit",
        "action": random.choice(["get", "list", "create", "delete"]),
        "source": "webhook",
        "cluster": "prod",
        "time": time,
        "seen": time + SECOND // 10,
        "k8s_ns": random.choice(["shop", "ci", "kube-system", None]),
        "k8s_resource": random.choice(["pods", "secrets", "configmaps"]),
        "k8s_name": f"object-{random.randrange(50)}",
        "actor_user": user,
        "actor_groups": ["system:authenticated", f"team-{random.randrange(3)}"],
        "actor_ips": [f"10.0.0.{random.randrange(9)}"],
        "api_code": random.choice([200, 201, 403]),
        "api_annotations": {"authorization.k8s.io/decision": "allow"},
        "spec_privileged": random.choice([None, [True, None, False]]),
        "raw": f'{{"auditID":"{seed}-{i}","user":"{user}"}}',
    }
    event.update(given)
    return {name: value for name, value in event.items() if value is not None}


def audit_events(count: int, seed: int = 1, start: int = 0, **given: Any) -> list[dict[str, Any]]:
    """So many of them."""
    return [audit_event(i, seed, **given) for i in range(start, start + count)]


class Store:
    """State and lake below a directory, and one source that writes into it."""

    def __init__(self, directory: Path, name: Name = NAME) -> None:
        self.directory = directory
        self.state: State = open_state(f"sqlite:///{directory / 'state.db'}")
        self.files = LocalFiles(directory / "lake")
        self.lake = Lake(self.files)
        self.mine: Owned = segments.own(self.state, name, "test", 600)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.state.close()

    def write(self, events: Sequence[dict[str, Any]], kind: str = "audit") -> tuple[Segment, ...]:
        """Writes and commits events as the next positions of the source."""
        first = self.mine.committed
        last = first + len(events)
        table = batch.table(kind, events)
        written = self.lake.write(kind, table, self.mine.name.key, first, last)
        mine = segments.commit(self.state, self.mine, last, written)
        assert mine is not None
        self.mine = mine
        self.lake.recent.keep(kind, table["id"].to_pylist())
        return written

    def path(self, file: str) -> Path:
        """Where a file of the lake is."""
        return self.files.root / file


def plain(segment: Segment) -> dict[str, Any]:
    """A segment as a dictionary."""
    found = msgspec.to_builtins(segment)
    assert isinstance(found, dict)
    return found
