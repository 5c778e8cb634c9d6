"""Who opened the shell: an exec in the audit log and the processes that it started in a container.

A process that was not started by the container's own came from outside; where the API server has
seen an exec or attach into that container within its span, its user is who sits behind it. The
log may come after the process: then what has been told is told again, with the user.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from sys import getsizeof
from typing import Any, Final

import msgspec

from martello.practices.monitor.engine.terms import text

SESSIONS: Final = frozenset(("exec", "attach", "ephemeralcontainers"))
ENTERED: Final = "entered"
_SECOND: Final = 1_000_000_000
_SLACK: Final = 2 * _SECOND  # between the clocks of the API server and of a node
_LONGEST: Final = 12 * 3600 * _SECOND  # a session whose end was not seen
_WAITS: Final = 30 * _SECOND  # for the audit log to come after the process
_MOST_PODS: Final = 50_000
_MOST_SESSIONS: Final = 100  # of one pod
_MOST_ALL: Final = 100_000  # of all pods
_MOST_BYTES: Final = 32 << 20  # of all sessions, about
_MOST_WAITING: Final = 10_000
_MOST_WAITING_BYTES: Final = 16 << 20
_EACH: Final = 300  # bytes of a session or of what waits for one, besides its texts
Pod = tuple[str, str]


class Session(msgspec.Struct):
    """One exec or attach: who, into what, from when to when (ns UTC; 0: not over)."""

    id: str
    user: str
    agent: str
    container: str
    how: str
    first: int
    last: int = 0

    def spans(self, time: int) -> bool:
        """Whether something at a time may have come of it."""
        end = self.last or self.first + _LONGEST
        return self.first - _SLACK <= time <= end + _SLACK


class Waiting(msgspec.Struct, frozen=True):
    """An event of a process that nobody is known for yet; `token` is the caller's."""

    pod: Pod
    container: str
    time: int
    token: str


class Trail:
    """Sessions by pod, and processes that wait for one."""

    def __init__(self) -> None:
        self._pods: OrderedDict[Pod, list[Session]] = OrderedDict()
        self._sessions = 0
        self._bytes = 0  # of the sessions
        self._waiting: OrderedDict[Pod, list[Waiting]] = OrderedDict()
        self._waits = 0
        self._waiting_bytes = 0

    def note(self, event: Mapping[str, Any]) -> list[tuple[str, Session]]:
        """Learns of a session from an audit event. Gives the tokens that waited for it."""
        pod = _pod(event)
        if pod is None or event.get("k8s_subresource") not in SESSIONS:
            return []
        if int(event.get("api_code") or 101) >= 400:
            return []
        sessions = self._pods.pop(pod, [])
        self._pods[pod] = sessions
        id_ = str(event.get("api_id") or event.get("id") or "")
        known = next((one for one in sessions if one.id == id_), None)
        if known is None:
            known = _session(id_, event)
            sessions.append(known)
            self._count(pod, known, 1)
            if len(sessions) > _MOST_SESSIONS:
                self._count(pod, sessions.pop(0), -1)
        while (
            len(self._pods) > _MOST_PODS or self._sessions > _MOST_ALL or self._bytes > _MOST_BYTES
        ):
            oldest, gone = self._pods.popitem(last=False)
            for one in gone:
                self._count(oldest, one, -1)
        if event.get("api_stage") == "ResponseComplete" and known.how != "ephemeralcontainers":
            known.last = max(known.last, int(event.get("time") or 0))
            known.first = min(known.first, int(event.get("time") or 0) - _ms(event))
        return self._settle(pod, known)

    def _count(self, pod: Pod, one: Session, more: int) -> None:
        self._sessions += more
        self._bytes += more * _size(*pod, one.id, one.user, one.agent, one.container)

    def behind(self, event: Mapping[str, Any]) -> Session | None:
        """The session that an event of a container came of. Of several users none is told."""
        pod = _pod(event)
        if pod is None or ENTERED not in (event.get("proc_flags") or ()):
            return None
        time = int(event.get("time") or 0)
        container = str(event.get("container_name") or "")
        found = [
            one
            for one in self._pods.get(pod, ())
            if one.spans(time)
            and (not one.container or not container or one.container == container)
        ]
        if len({one.user for one in found}) > 1:
            users = " or ".join(sorted({one.user for one in found})[:5])
            return msgspec.structs.replace(found[-1], user=users)
        return max(found, key=lambda one: one.first) if found else None

    def wait(self, event: Mapping[str, Any], token: str) -> None:
        """Remembers that nobody is known for an event that came from outside of its container."""
        pod = _pod(event)
        if pod is not None and ENTERED in (event.get("proc_flags") or ()):
            container = str(event.get("container_name") or "")
            told = Waiting(pod, container, int(event.get("time") or 0), token)
            self._waiting.setdefault(pod, []).append(told)
            self._expect(told, 1)
            while self._waits > _MOST_WAITING or self._waiting_bytes > _MOST_WAITING_BYTES:
                longest = next(iter(self._waiting))
                self._expect(self._waiting[longest].pop(0), -1)
                if not self._waiting[longest]:
                    del self._waiting[longest]

    def _settle(self, pod: Pod, session: Session) -> list[tuple[str, Session]]:
        found: list[tuple[str, Session]] = []
        kept: list[Waiting] = []
        for one in self._waiting.pop(pod, []):
            self._expect(one, -1)
            same = not session.container or not one.container or session.container == one.container
            if same and session.spans(one.time):
                found.append((one.token, session))
            elif one.time > session.first - _WAITS:
                kept.append(one)
        for one in kept:
            self._waiting.setdefault(pod, []).append(one)
            self._expect(one, 1)
        return found

    def _expect(self, one: Waiting, more: int) -> None:
        self._waits += more
        self._waiting_bytes += more * _size(*one.pod, one.container, one.token)


def _size(*texts: str) -> int:
    return _EACH + sum(map(getsizeof, texts))


def _session(id_: str, event: Mapping[str, Any]) -> Session:
    time = int(event.get("time") or 0)
    return Session(
        id_,
        str(event.get("actor_as") or event.get("actor_user") or ""),
        str(event.get("actor_agent") or ""),
        str(event.get("container_name") or ""),
        str(event.get("k8s_subresource")),
        time - _ms(event),
    )


def _ms(event: Mapping[str, Any]) -> int:
    """How long a request took, in ns, where it is told."""
    return int(event.get("api_ms") or 0) * 1_000_000


def _pod(event: Mapping[str, Any]) -> Pod | None:
    name = text(event.get("pod_name"))
    if event.get("kind") == "audit":
        if event.get("k8s_resource") != "pods":
            return None
        name = text(event.get("k8s_name"))
    space = text(event.get("k8s_ns"))
    return (space, name) if space and name else None
