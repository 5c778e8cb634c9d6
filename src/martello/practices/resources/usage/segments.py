"""Whose pods these are by their names, and where a workload became another one.

A Deployment's pods carry the hash of their template in their name (`web-7d9c5b6f4-x2x7q`): a new
hash is a new template, with another image, command or limits. A limit of memory that changes is a
cut too, with or without a new name.
"""

from __future__ import annotations

import re
from typing import Final

from martello.core.usage import Owned

# letters of hashes: Kubernetes leaves out vowels and what looks like them
_SAFE: Final = "[bcdfghjklmnpqrstvwxz2456789]"
_DEPLOYMENT: Final = re.compile(rf"(.+)-({_SAFE}{{6,10}})-{_SAFE}{{5}}")
_NUMBERED: Final = re.compile(r"(.+)-\d{1,5}")
_CRON: Final = re.compile(rf"(.+)-\d{{8,10}}-{_SAFE}{{5}}")
_DAEMON: Final = re.compile(rf"(.+)-{_SAFE}{{5}}")


def template(pod: str) -> str:
    """The hash of the template in a pod's name; empty where it has none."""
    match = _DEPLOYMENT.fullmatch(pod)
    return match[2] if match and not match[2].isdigit() else ""


def workload(owned: Owned) -> str:
    """Whose pod it is: as the source says, else by its name (`deploy/web`)."""
    if owned.workload:
        return owned.workload
    for kind, shape in (
        ("cronjob", _CRON),
        ("deploy", _DEPLOYMENT),
        ("sts", _NUMBERED),
        ("ds", _DAEMON),
    ):
        match = shape.fullmatch(owned.pod)
        if match:
            return f"{kind}/{match[1]}"
    return f"pod/{owned.pod}"
