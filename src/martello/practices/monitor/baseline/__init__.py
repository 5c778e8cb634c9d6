"""What is normal for a workload, a service account, a user: facts that a person can check.

`facts.py` says what of an event is a fact of whom, `known.py` what is known of each, `engine.py`
learns and tells what is new, `rules.py` puts it into rules that alert like any other.
"""

from martello.practices.monitor.baseline.engine import Baselines, Novelty, budget
from martello.practices.monitor.baseline.rules import RULES, hits

__all__ = ["RULES", "Baselines", "Novelty", "budget", "hits"]
