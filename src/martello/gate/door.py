"""The three doors and what lies behind them: bytes of a review in, bytes of the answer out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from martello.core.errors import BadInput
from martello.gate import imagereview, images, review
from martello.gate.asking import Asking
from martello.gate.judge import (
    UNASSESSED,
    UNKNOWN,
    Judge,
    Moment,
    Opinion,
    Request,
    Ruling,
    Verdict,
    fold,
)
from martello.gate.metrics import Metrics
from martello.gate.snapshot import Keeper

DEADLINE: Final = 2.5  # seconds for an answer; webhooks time out after 3
# In order. Exemptions of a practice are its judge's own.
JUDGES: Final[Mapping[str, Judge]] = {images.JUDGE: images.judge}


class Reply(msgspec.Struct, frozen=True):
    """An HTTP status and a body."""

    status: int
    body: bytes


class Door:
    """Answers reviews. For one thread; nothing here waits for anything."""

    def __init__(
        self,
        keeper: Keeper,
        asking: Asking,
        metrics: Metrics | None = None,
        *,
        judges: Mapping[str, Judge] = JUDGES,
        unknown: Mapping[str, str] = UNKNOWN,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.keeper = keeper
        self.asking = asking
        self.metrics = metrics or Metrics()
        self._judges = judges
        self._unknown = unknown
        self._clock = clock

    def validate(self, body: bytes) -> Reply:
        """AdmissionReview: allowed or denied."""
        return self._reviewed("validate", body)

    def mutate(self, body: bytes) -> Reply:
        """AdmissionReview: the tags of images pinned to their digests. What is denied is left to
        the validating door, which sees the object as it will be.
        """
        return self._reviewed("mutate", body)

    def image_review(self, body: bytes) -> Reply:
        """ImageReview: allowed or denied."""
        try:
            request = imagereview.read(body)
        except BadInput as error:
            return self.refused(400, f"{error.what}: {error.why}")
        verdict = self.judged("imagereview", request)
        return Reply(200, imagereview.answer(verdict))

    def refused(self, status: int, why: str) -> Reply:
        """No verdict: a failure of the webhook, for the API server."""
        self.metrics.count("failures", status=str(status))
        return Reply(status, why.encode())

    def judged(self, door: str, request: Request) -> Verdict:
        """The verdict of all judges on the snapshot of this moment."""
        began = time.perf_counter()
        moment = Moment(
            int(self._clock() * 1_000_000), lambda: time.perf_counter() - began > DEADLINE
        )
        snapshot = self.keeper.current
        opinions: list[Opinion] = []
        for name, judge in self._judges.items():
            try:
                opinions.append(judge(request, snapshot, moment))
            except Exception as error:  # a defect of a judge must not let anything in, or hang
                why = f"the judge of {name} failed: {type(error).__name__}"
                opinions.append(Opinion((Ruling(name, "", UNASSESSED, why, code=500),)))
        verdict = fold(opinions, self._unknown)
        self._counted(door, request, verdict, opinions, time.perf_counter() - began)
        return verdict

    def _reviewed(self, door: str, body: bytes) -> Reply:
        try:
            request = review.read(body)
        except BadInput as error:
            return self.refused(400, f"{error.what}: {error.why}")
        verdict = self.judged(door, request)
        if door == "mutate":
            changed = Verdict(True, patch=verdict.patch if verdict.allowed else ())
            return Reply(200, review.answer(request.uid, changed, patch=True))
        return Reply(200, review.answer(request.uid, verdict))

    def _counted(
        self,
        door: str,
        request: Request,
        verdict: Verdict,
        opinions: list[Opinion],
        seconds: float,
    ) -> None:
        metrics = self.metrics
        word = "denied" if not verdict.allowed else "warned" if verdict.warnings else "allowed"
        metrics.review(door, request.kind, request.operation, word, seconds)
        if door != "mutate" and any(opinion.glass for opinion in opinions):
            metrics.count("break_glass")
        ask = [image for opinion in opinions for image in opinion.ask]
        if ask:
            metrics.count("images_missing", len(ask))
            if not request.dry_run:
                metrics.count("images_asked", self.asking.ask(ask))

    def exposition(self) -> str:
        """The metrics, with the state of snapshot and asking."""
        approvals = self.keeper.current.approvals
        digests = sum(len(rows) for rows in approvals.decided.values())
        gauges = {
            "snapshot_age_seconds": ("Since the ledger was last seen", self.keeper.age()),
            "snapshot_digests": ("Digests that are decided on", float(digests)),
            "snapshot_rows": ("Rows of the ledger", float(approvals.version)),
            "ready": ("Whether there is a snapshot", float(self.keeper.ready)),
        }
        counters = {
            "snapshot_reads": self.keeper.reads,
            "snapshot_failures": self.keeper.failures,
            "asked_written": self.asking.written,
            "asked_dropped": self.asking.dropped,
        }
        return self.metrics.text(gauges, counters)
