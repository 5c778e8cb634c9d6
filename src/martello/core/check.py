"""What a check is, whichever way it is written, and what it answers with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from martello.core.path import Path
from martello.core.resource import Ref, Resource

PROFILES: Final = ("default", "strict", "opt-in")
AREAS: Final = {
    "IMG": "images",
    "NET": "network",
    "MON": "monitor",
    "RES": "resources",
    "ACC": "access",
    "POD": "access",
}


class Hit(msgspec.Struct, frozen=True):
    """What a check found in one object: where, in which element, and why. The catalogue makes
    findings of hits.
    """

    resource: Resource
    path: Path
    message: str
    element: str = ""
    evidence: tuple[str, ...] = ()
    severity: str = ""  # where it differs from the check's
    unassessed: bool = False  # no verdict: `message` is the reason
    asked: bool = True  # of what is unassessed: whether somebody asked for a verdict
    once: bool = False  # of all objects one finding is made: they have one cause, and one remedy
    # The check and the object whose finding, where there is one, mends this one as well.
    because: tuple[str, Ref] | None = None


class Example(msgspec.Struct, frozen=True):
    """A manifest (one or more YAML documents) that is good or bad; `at` is where the finding
    points.
    """

    good: bool
    text: str
    at: str = ""
    params: Mapping[str, Any] = {}
    kubernetes: str = ""
    message: str = ""
    fixed: str = ""  # an expression that holds once the fix is applied


class Check(msgspec.Struct, frozen=True, eq=False):
    """One check. `rule` holds the CEL part of a YAML check, `function` is a Python check; exactly
    one is given.
    """

    id: str
    name: str
    title: str
    severity: str
    profile: str
    practice: str
    why: str
    kinds: tuple[str, ...]  # ("workload",) or `Kind.group` names
    fix: str
    frameworks: Mapping[str, Any]
    aliases: Mapping[str, tuple[str, ...]]
    file: str
    params: Mapping[str, Any] = {}
    needs: tuple[str, ...] = ()  # kinds without which an answer is worthless
    facts: tuple[str, ...] = ()  # what must be handed in from outside the cluster
    examples: tuple[Example, ...] = ()
    rule: Mapping[str, Any] | None = None
    function: Callable[..., Iterable[Hit]] | None = None


class Declared(msgspec.Struct, frozen=True, eq=False):
    """What `@check` noted on a function; the catalogue makes a Check of it and the function's
    docstring.
    """

    id: str
    severity: str
    kinds: tuple[str, ...]
    profile: str
    needs: tuple[str, ...]
    facts: tuple[str, ...]
    fix: str
    frameworks: Mapping[str, Any]
    aliases: Mapping[str, tuple[str, ...]]
    params: Mapping[str, Any]
    examples: tuple[Example, ...]


F = TypeVar("F", bound=Callable[..., Iterable[Hit]])


def check(
    id: str,
    *,
    severity: str,
    kinds: tuple[str, ...],
    fix: str,
    profile: str = "default",
    needs: tuple[str, ...] = (),
    facts: tuple[str, ...] = (),
    frameworks: Mapping[str, Any] | None = None,
    aliases: Mapping[str, tuple[str, ...]] | None = None,
    params: Mapping[str, Any] | None = None,
    examples: tuple[Example, ...] = (),
) -> Callable[[F], F]:
    """Declares a function to be a check over several objects.

    The function gets one resource of `kinds` (or a Workload, for `("workload",)`; or nothing, for
    `("cluster",)`), the Cluster, and, where
    `params` or `facts` are declared, `params=` and `facts=` mappings; it yields Hits. Its docstring
    is the page: the first line is
    the title, the rest says why it matters.
    """
    declared = Declared(
        id,
        severity,
        kinds,
        profile,
        needs,
        facts,
        fix,
        frameworks or {},
        aliases or {},
        params or {},
        examples,
    )

    def mark(function: F) -> F:
        function.__martello_check__ = declared  # type: ignore[attr-defined]
        return function

    return mark
