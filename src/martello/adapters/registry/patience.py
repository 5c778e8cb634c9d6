"""Waiting for a registry that asks for it: Retry-After, else jittered back-off, within a budget."""

from __future__ import annotations

import email.utils
import math
from typing import Final

import httpx

from martello.adapters.registry.settings import Settings

AGAIN: Final = frozenset((429, 502, 503, 504))  # the distribution specification's temporary ones
_FIRST: Final = 0.25
_LONGEST: Final = 10.0


class Patience:
    """What is left of it for one request."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.tries = 1
        self.waited = 0.0
        self._asked: float | None = None

    def wait(self, asked: float | None = None) -> bool:
        """Sleeps as long as was asked for, else a little longer each time; False, at once, where
        the tries or the budget would be used up.
        """
        self._asked = asked
        step = min(_LONGEST, _FIRST * 2 ** (self.tries - 1))
        seconds = step * (0.5 + self._settings.chance() / 2) if asked is None else asked
        if self.tries >= self._settings.tries or self.waited + seconds > self._settings.budget:
            return False
        self._settings.sleep(seconds)
        self.tries += 1
        self.waited += seconds
        return True

    def words(self) -> str:
        """What was tried."""
        count = "1 try" if self.tries == 1 else f"{self.tries} tries"
        text = f"after {count} and {self.waited:.3g} s of waiting"
        if self._asked is not None and self.waited + self._asked > self._settings.budget:
            more = f"it asks for {self._asked:.6g} s more"
            return f"{text} ({more}, our budget is {self._settings.budget:g} s)"
        return text


def retry_after(headers: httpx.Headers, now: float) -> float | None:
    """The seconds that a Retry-After header asks for, written as a number or a date; None where
    there is none that can be read.
    """
    text = headers.get("retry-after", "").strip()[:64]
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - now
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
