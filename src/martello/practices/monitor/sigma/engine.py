"""pySigma without a regular expression engine of its own: ours judges expressions when a rule is
lowered, and nothing is written to the terminal.
"""

from __future__ import annotations

import re
from typing import Final

from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RegexEngine, RegexPattern

_ANY: Final = re.compile("")


class Later(RegexEngine):
    """Takes every expression: `lower.py` compiles it with the linear engine, or refuses it."""

    def compile(self, pattern: str, flags: int = 0) -> RegexPattern:
        """A pattern that nobody asks."""
        return _ANY  # type: ignore[return-value]

    @property
    def error(self) -> type[Exception]:
        """What a wrong expression would raise."""
        return re.error


POLICY: Final = SigmaPolicy(regex_engine=Later())
