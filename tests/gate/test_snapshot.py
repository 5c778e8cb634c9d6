"""The snapshot: when it is read again, what stays where trust ends, cold starts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.support.gate import BAD, GOOD, LATER, NEW, Ledger

from martello.core.approval import DENY, Approvals
from martello.core.errors import MartelloError, Refused, Unreachable
from martello.core.secret import Secret
from martello.gate.judge import Snapshot
from martello.gate.kept import Kept, gate_key
from martello.gate.ledger import StoreLedger, break_glass_groups
from martello.gate.snapshot import Keeper
from martello.practices.images.admit import admit
from martello.practices.images.policy import ImagePolicy, Spec
from martello.store import claim
from martello.store.changes import Watch
from martello.store.seen import SeenHeads
from martello.store.state import State, open_state

POLICY = ImagePolicy("shop", Spec(repositories=("reg.local/shop",)))
API = "reg.local/shop/api"
KEY = Secret("ab" * 32)
MINUTE = 60.0


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_900_000_000.0

    def __call__(self) -> float:
        return self.now


class Setting:
    """A ledger with one approval, and a keeper that reads it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.ledger = Ledger(home, POLICY)
        self.ledger.decide(GOOD)
        self.clock = Clock()
        self.away = False
        self.said: list[str] = []
        self.store = StoreLedger(self._open, self.ledger.trusted, SeenHeads(home / "heads.json"))
        self.kept = Kept(home / "snapshot", KEY, self.ledger.trusted)
        self.keeper = self.made()

    def made(self) -> Keeper:
        return Keeper(
            self.store,
            Snapshot(policies=(POLICY,)),
            self.kept,
            doubt=0,
            clock=self.clock,
            told=self.said.append,
        )

    def _open(self) -> State:
        if self.away:
            raise Unreachable("cannot use the ledger", "it is away")
        return open_state(self.ledger.url)

    def says(self, digest: str, keeper: Keeper | None = None) -> str:
        held = (keeper or self.keeper).current
        at = int(self.clock.now * 1_000_000)
        return admit([f"{API}@{digest}"], held.approvals, held.policies, at).outcome

    def spoil(self, statement: str) -> None:
        with open_state(self.ledger.url) as state, state.writing() as connection:
            connection.execute(text(statement))


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    made = Setting(tmp_path)
    yield made
    made.store.close()


def test_it_is_read_anew_only_when_something_was_written(setting: Setting) -> None:
    keeper = setting.keeper
    assert not keeper.ready
    assert setting.says(GOOD) == "deny"  # nothing was read: an error
    for _ in range(3):
        setting.clock.now += 10
        assert keeper.refresh()
        assert keeper.age() == 0
    assert keeper.reads == 1
    assert (setting.says(GOOD), setting.says(BAD)) == ("allow", "deny")
    before = keeper.current
    setting.ledger.decide(GOOD, DENY, "CVE-2031-1111")
    assert setting.says(GOOD) == "allow"
    assert keeper.refresh()
    assert keeper.reads == 2
    assert setting.says(GOOD) == "deny"
    at = int(setting.clock.now * 1_000_000)
    assert admit([f"{API}@{GOOD}"], before.approvals, before.policies, at).outcome == "allow"
    setting.ledger.resolve(f"{API}:1", GOOD)
    assert keeper.refresh()
    assert keeper.current.approvals.pinned(f"{API}:1", 1) == GOOD


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE approval SET outcome = 'approve'",
        f"UPDATE approval SET digest = '{NEW}'",
        "DELETE FROM approval WHERE seq = 2",
        "DELETE FROM head",
        "DELETE FROM approval",
        "UPDATE head SET signature = x'00'",
    ],
)
def test_a1_an_edited_ledger_is_refused_and_the_old_snapshot_grows_old(
    setting: Setting, statement: str
) -> None:
    setting.ledger.decide(BAD, DENY, "CVE-2031-1111")
    assert setting.keeper.refresh()
    setting.spoil(statement)
    setting.clock.now += MINUTE
    for _ in range(2):
        assert not setting.keeper.refresh()
    assert "cannot be trusted" in setting.keeper.trouble
    assert len(setting.said) == 1  # it is said once
    assert (setting.says(GOOD), setting.says(BAD)) == ("allow", "deny")
    assert setting.keeper.ready
    setting.clock.now += 15 * MINUTE
    assert not setting.keeper.refresh()
    assert setting.says(GOOD) == "deny"
    assert setting.keeper.age() == 16 * MINUTE
    fresh = setting.made()  # and a restart does not forget what was seen
    assert not fresh.refresh()
    assert setting.says(GOOD, fresh) == "deny"


def test_a3_a_cold_start_takes_what_was_kept(setting: Setting) -> None:
    assert setting.keeper.refresh()
    setting.store.close()
    setting.away = True
    cold = setting.made()
    setting.clock.now += MINUTE
    assert not cold.refresh()
    assert cold.load()
    assert cold.age() == MINUTE
    assert setting.says(GOOD, cold) == "allow"
    setting.clock.now += 15 * MINUTE
    assert setting.says(GOOD, cold) == "deny"
    setting.away = False
    assert cold.refresh()
    assert setting.said[-1] == "the ledger is read again"
    assert setting.says(GOOD, cold) == "allow"


def test_what_was_kept_counts_only_unchanged_and_under_the_same_trust(setting: Setting) -> None:
    assert setting.kept.load() is None
    assert setting.keeper.refresh()
    found = setting.kept.load()
    assert found is not None
    assert (found.decided, found.refs) == (
        setting.keeper.current.approvals.decided,
        setting.keeper.current.approvals.refs,
    )
    path = setting.kept.path
    assert path.stat().st_mode & 0o777 == 0o600
    for other in (Kept(path, Secret("cd" * 32), setting.ledger.trusted), Kept(path, KEY, ["k"])):
        with pytest.raises(Refused):
            other.load()
    whole = path.read_bytes()
    for changed in (whole[:-1], whole + b"x", b"", whole.replace(b"approve", b"APPROVE")):
        path.write_bytes(changed)
        with pytest.raises(Refused):
            setting.kept.load()
        cold = setting.made()
        assert not cold.load()
        assert "is not used" in setting.said[-1]


def test_the_key_of_the_gate_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "data" / "snapshot.key"
    first = gate_key(path)
    assert first.reveal() == gate_key(path).reveal()
    assert path.stat().st_mode & 0o777 == 0o600
    assert repr(first) == "Secret(redacted)"
    path.write_text("no key")
    with pytest.raises(MartelloError):
        gate_key(path)


def test_a_sign_differs_after_every_write_of_others(setting: Setting) -> None:
    with open_state(setting.ledger.url) as state:
        watch = Watch(state)
        first = watch.sign()
        assert watch.sign() == first
        setting.spoil("INSERT INTO meta (name, value) VALUES ('a', 'b')")
        second = watch.sign()
        assert (second.rows, second.refs) == (first.rows, first.refs)
        assert second.file != first.file
        setting.ledger.decide(BAD, DENY)
        assert watch.sign().rows == first.rows + 1
        watch.close()


def test_scans_are_asked_for_again_after_they_were_done_or_given_up(setting: Setting) -> None:
    setting.store.write([f"{API}@{NEW}", f"{API}@{BAD}"])
    with open_state(setting.ledger.url) as state:
        one, two = claim.claim(state, "image", 9, 60, "a")
        claim.finish(state, [(one, "")])
        setting.store.write([one.item, two.item])
        progress = claim.progress(state, "image")
        assert (progress.open, progress.leased, progress.done) == (1, 1, 0)


def test_break_glass_is_for_few() -> None:
    assert break_glass_groups(["oncall"]) == {"oncall"}
    with pytest.raises(MartelloError):
        break_glass_groups(["oncall", "system:authenticated"])


def test_an_approval_ends_while_the_snapshot_stays(setting: Setting) -> None:
    assert setting.keeper.refresh()
    held: Approvals = setting.keeper.current.approvals
    key = (POLICY.hash, "")
    assert held.ruled(key, GOOD, LATER - 1) is not None
    assert held.ruled(key, GOOD, LATER) is None
