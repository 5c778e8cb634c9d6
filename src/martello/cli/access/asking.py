"""May somebody do this, and why: the engine's answer in the words of the report."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from martello.cli.access.opening import Opened
from martello.cli.access.requests import Asked, parse
from martello.cli.access.telling import chain, who_words
from martello.core.errors import BadInput
from martello.practices.access import model
from martello.practices.access.gaps import account_of, phantom
from martello.practices.access.model import Principal
from martello.practices.access.nodes import restricted
from martello.practices.access.posture import anonymous_access
from martello.report.access.model import Answer, Near

EXITS: Final = {"allowed": 0, "denied": 1, "unknown": 3}


def answer(
    opened: Opened, words: tuple[str, ...], flags: dict[str, Any], *, full: bool = False
) -> Answer:
    """The answer to `can` (one grant) or `why` (every grant, or what misses). Raises BadInput."""
    who = principal(opened, flags)
    asked = parse(words, opened.cluster, namespace(flags), flags["subresource"], flags["fields"])
    found = opened.access.why(who, asked.request)
    if opened.missing and found.verdict == "denied" and not flags["allow_incomplete"]:
        found = msgspec.structs.replace(
            found, verdict="unknown", because=(*found.because, "not everything could be read")
        )
    grants = found.grants if full else found.grants[:1]
    chains = tuple(chain(grant, who) for grant in grants)
    return Answer(
        verdict=found.verdict,
        who=who_words(who),
        groups=who.groups,
        groups_known=who.groups_known,
        request={k: v for k, v in msgspec.structs.asdict(asked.request).items() if v},
        words=told(asked),
        chains=chains,
        because=found.because,
        nearest=tuple(_near(grant, field, asked) for grant, field in found.nearest),
        closing=_closing(found) + (_used(who, asked, flags) if full else ""),
        notes=(*asked.notes, *_notes(opened, who, found, asked)),
        missing=opened.missing,
        full=full,
        exit=EXITS[found.verdict],
    )


def principal(opened: Opened, flags: dict[str, Any]) -> Principal:
    """Who is meant by --as and --as-group. Raises BadInput where nobody is named."""
    who, groups = flags["who"], flags["groups"]
    if not who and groups:
        return Principal("", tuple(dict.fromkeys((*groups, "system:authenticated"))), "user")
    if not who:
        raise BadInput(
            "it is not said who asks",
            "the question is about one account, user, node or group",
            "--as NS/ACCOUNT, --as USER [--as-group GROUP], --as node/NAME or --as group:NAME",
        )
    return opened.access.principal(who, groups)


def namespace(flags: dict[str, Any]) -> str:
    """The one namespace that is asked about; empty: all of them. Raises BadInput for several."""
    given: tuple[str, ...] = flags["namespaces"]
    if len(given) > 1:
        raise BadInput("one question is about one namespace", f"{', '.join(given)} are several", "")
    return given[0] if given else ""


def told(asked: Asked) -> str:
    """The question in words: `get secrets/db in data`."""
    if not asked.namespaced:
        return asked.words
    space = asked.request.namespace
    return f"{asked.words} in {space}" if space else f"{asked.words} in every namespace"


def _closing(found: model.Answer) -> str:
    """What the grants mean together."""
    if found.verdict != "allowed" or not found.grants:
        return ""
    bindings = len(dict.fromkeys(id(grant.binding) for grant in found.grants))
    if bindings == 1:
        return "only grant: without it the answer is no."
    return f"{bindings} bindings grant it: to end it, all of them must go."


def _used(who: Principal, asked: Asked, flags: dict[str, Any]) -> str:
    """How often it was done, by the audit log where one is named."""
    if not flags["events"]:
        return ""
    from martello.cli.access.trimming import read_events
    from martello.cli.access.windows import day

    observed, gaps = read_events(flags["events"])
    bare = msgspec.structs.replace(asked.request, name="")
    name = asked.request.name
    uses = [
        use
        for use in observed.uses
        if use.principal.username == who.username
        and use.request == bare
        and (not name or name in use.names or use.more)
    ]
    days = max(1, round((observed.last - observed.first) / 86_400e9))
    window = f"{days} day{'s' * (days != 1)}"
    part = " (a part of the log could not be read)" if gaps else ""
    if not uses:
        return f" It was never used in {window} (audit){part}."
    count = sum(use.count for use in uses)
    last = day(max(use.last for use in uses))
    times = "once" if count == 1 else f"{count:,} times"
    return f" It was used {times} in {window}, last {last} (audit){part}."


def _near(grant: model.Grant, field: str, asked: Asked) -> Near:
    """A grant that misses in one field, and how."""
    made = chain(grant)
    request = asked.request
    wanted = {
        "verb": f"it has not the verb {request.verb}",
        "group": f"its group is not {request.group or 'core'}",
        "resource": f"it has not {request.resource}"
        + (f"/{request.subresource}" if request.subresource else ""),
        "name": f"it is for other names than {request.name}"
        if request.name
        else "it is for single names",
        "namespace": f"it holds in {grant.scope} only",
        "path": f"it has not {request.path}",
    }
    return Near(made, field, wanted.get(field, f"it misses in {field}"))


def _anonymous(opened: Opened) -> list[str]:
    """What is known of requests without credentials getting as far as the authorizer."""
    found = anonymous_access(opened.cluster)
    if found.verdict == "no":
        return [f"the API server lets no request in without credentials ({found.source})"]
    if found.verdict == "paths":
        paths = ", ".join(found.paths[:6])
        return [f"without credentials only {paths} may be asked for ({found.source})"]
    return []


def _notes(opened: Opened, who: Principal, found: model.Answer, asked: Asked) -> tuple[str, ...]:
    notes: list[str] = []
    account = account_of(who.username)
    if account is not None and phantom(opened.cluster, account):
        space = account.namespace
        notes.append(
            f"no ServiceAccount {space}/{account.name} is here: who may create it gets its rights"
        )
    if who.kind == "anonymous":
        notes += _anonymous(opened)
    refused = restricted(who, asked.request, opened.cluster) if found.verdict == "allowed" else ""
    if refused:
        notes.append(f"{refused}, where the admission plugin NodeRestriction is on")
    if found.verdict != "allowed" and not who.groups_known:
        notes.append("the groups of this user are not known: name them by --as-group")
    if not asked.request.namespace and asked.namespaced and found.verdict == "denied":
        spaces = [grant.scope for grant, field in found.nearest if field == "namespace"]
        if spaces:
            named = ", ".join(dict.fromkeys(spaces))
            notes.append(f"asked for every namespace at once; it holds in {named}: -n {spaces[0]}")
    return tuple(notes)
