"""Hits become alerts: one for each rule and group, as long as its hits follow one another.

An alert begins with the first hit of a group and grows with each one that comes within its rule's
window after the last; a later one begins another alert, and so does one from long before the first:
a single event from a clock that is ahead takes no others into its alert. Ids depend on the events
alone, so the same events give the same alerts however they were cut into batches.

Open alerts are kept as bytes, some 1 KB each, for there may be many.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from martello.core.alert import SHOWN, Alert, Evidence, alert_id
from martello.practices.monitor.engine.ir import columns
from martello.practices.monitor.engine.packing import pack
from martello.practices.monitor.engine.rule import SEVERITIES, Hit, Pack, Rule
from martello.practices.monitor.engine.say import columns_of, plain, render

MOST_GROUPS: Final = 60_000  # open alerts; the least recent goes first, and is counted
MOST_BYTES: Final = 64 << 20  # of all of them
_SECOND: Final = 1_000_000_000
_LONGEST: Final = 1_000  # characters of a value kept as evidence
# What every alert says where, who and what.
_ENTITY: Final = ("k8s_ns", "pod_workload", "pod_name", "container_name", "actor_user", "node")
# What a person wants to see of an event, whatever its rule reads.
ASIDE: Final = (
    *("kind", "source", "cluster", "node", "k8s_ns", "pod_workload", "pod_name", "container_name"),
    *("actor_origin", "actor_user", "actor_as", "actor_agent", "actor_ips"),
    *("api_verb", "api_uri", "api_code"),
    *("proc_exe", "proc_args", "proc_parent_exe", "file_path", "net_dst_ip", "net_dst_port"),
)
# Why an alert is graver than its rule: the severity it is raised to and the reasons.
Raise = Callable[[Rule, Mapping[str, Any]], tuple[str, tuple[str, ...]]]
_LATE: Final = b"late"  # the key of an alert about what was long before the one that is open
_decode: Final = msgspec.msgpack.Decoder(Alert).decode


class _Open(msgspec.Struct, frozen=True, gc=False):
    """An alert that is open: when it began, until when a hit belongs to it (ns), and itself without
    what its rule says (empty while hits are added: it is at hand then).
    """

    id: str
    rule: str
    first: int
    until: int
    packed: bytes = b""


class Grouping:
    """The alerts that are open, by rule and group. Hits are given in the order of their time."""

    def __init__(
        self,
        pack: Pack,
        *,
        cluster: str = "",
        most: int = MOST_GROUPS,
        most_bytes: int = MOST_BYTES,
        raised: Raise | None = None,
    ) -> None:
        self._pack = pack
        self._cluster = cluster
        self._most = most
        self._most_bytes = most_bytes
        self._raised = raised
        self._open: OrderedDict[bytes, _Open] = OrderedDict()
        self._places: dict[str, bytes] = {}  # by id: its key
        self._bytes = 0  # of what is packed
        self._reads: dict[str, tuple[str, ...]] = {}
        self._before: dict[str, int] = {}  # alerts of an earlier run: their last event then
        self.dropped = 0  # open alerts that were let go for want of room

    def resume(self, alerts: Iterable[Alert]) -> None:
        """Goes on with the alerts of an earlier run. Events that it had judged come once more:
        until `resumed` they change nothing.
        """
        for alert in sorted(alerts, key=lambda one: one.last):
            rule = self._pack.rules.get(alert.rule)
            if rule is not None and alert.evidence:
                key = _key(rule, alert.entity)
                self._keep(key, alert, alert.last + _window(rule))
                self._pack_up(key, alert)
                self._before[alert.id] = alert.last
                self._bounded(0)

    def resumed(self) -> None:
        """What comes from now on is new."""
        self._before = {}

    def add(
        self, hits: Iterable[Hit], silenced: Callable[[Hit], bool] = lambda _: False
    ) -> tuple[Alert, ...]:
        """The alerts that these hits begin or change, each once, with one revision more. Hits that
        are silenced are in no alert; they keep one open as the others do, lest the alert falls into
        several where an exception takes hits out of its middle.
        """
        changed: dict[str, Alert] = {}
        for hit in hits:
            rule = self._pack.rules.get(hit.rule)
            if rule is None:
                continue
            time, window, quiet = _time(hit), _window(rule), silenced(hit)
            key = _key(rule, hit.event)
            known = self._open.get(key)
            if known is not None and time < known.first - window:
                key += _LATE
                known = self._open.get(key)
            if known is not None and known.first - window <= time <= known.until:
                before = changed.get(known.id) or self._alert(rule, known)
                judged = known.id in self._before and time <= self._before[known.id]
                until = known.until if judged else max(known.until, time + window)
                self._keep(key, before, until)
                if quiet or judged:
                    self._pack_up(key, before)
                    continue
                again = known.id in changed
                alert = self._grown(before, rule, hit, before.revision + (not again))
            elif quiet:
                continue
            else:
                alert, until = self._begun(rule, hit), time + window
            self._keep(key, alert, until)
            changed[alert.id] = alert
            self._bounded(time)
        for alert in changed.values():
            place = self._places.get(alert.id)
            if place is not None:
                self._pack_up(place, alert)
        self._bounded(0)
        return tuple(changed.values())

    def amended(self, alert: str, event: str, columns: Mapping[str, Any]) -> Alert | None:
        """An open alert told again with what became known later of one of its events; None where
        it is open no more, or that event not kept with it.
        """
        key = self._places.get(alert)
        kept = self._open.get(key) if key is not None else None
        rule = self._pack.rules.get(kept.rule) if kept is not None else None
        if key is None or kept is None or rule is None:
            return None
        known = self._alert(rule, kept)
        at = next((n for n, one in enumerate(known.evidence) if one.event == event), None)
        if at is None:
            return None
        evidence = list(known.evidence)
        told = {**evidence[at].columns, **columns}
        evidence[at] = msgspec.structs.replace(evidence[at], columns=told)
        again = not at and rule.message is None
        changed = msgspec.structs.replace(
            known,
            says=_said(rule, told) if again else known.says,
            evidence=tuple(evidence),
            revision=known.revision + 1,
        )
        self._pack_up(key, changed)
        return changed

    def _keep(self, key: bytes, alert: Alert, until: int) -> None:
        """Notes an alert as the most recent one; what it is comes with `_pack_up`."""
        gone = self._open.pop(key, None)
        if gone is not None:
            self._bytes -= len(gone.packed)
            if gone.id != alert.id:
                self._places.pop(gone.id, None)
        self._open[key] = _Open(alert.id, alert.rule, alert.first, until)
        self._places[alert.id] = key

    def _pack_up(self, key: bytes, alert: Alert) -> None:
        kept = self._open[key]
        bare = msgspec.structs.replace(
            alert, rule="", rule_hash="", title="", why="", fix="", attack=()
        )
        packed = pack(bare)
        self._bytes += len(packed) - len(kept.packed)
        self._open[key] = msgspec.structs.replace(kept, packed=packed)

    def _alert(self, rule: Rule, kept: _Open) -> Alert:
        """An open alert with what its rule says of itself."""
        return msgspec.structs.replace(
            _decode(kept.packed),
            rule=rule.id,
            rule_hash=rule.hash,
            title=rule.title,
            why=rule.why,
            fix=rule.fix,
            attack=rule.attack,
        )

    def _bounded(self, time: int) -> None:
        """Lets the least recent go where there are too many; what is over is not missed. Without
        need none goes: hits of correlations come later than others of their time.
        """
        while self._open:
            oldest = next(iter(self._open.values()))
            full = len(self._open) > self._most or self._bytes > self._most_bytes
            if not full:
                return
            self.dropped += oldest.until >= time
            _, gone = self._open.popitem(last=False)
            self._bytes -= len(gone.packed)
            self._places.pop(gone.id, None)

    def _begun(self, rule: Rule, hit: Hit) -> Alert:
        event = hit.event
        names = _group(rule)
        entity = {name: plain(event[name]) for name in names if event.get(name) not in (None, [])}
        severity = rule.severity
        raised: tuple[str, ...] = ()
        if self._raised is not None:
            told, raised = self._raised(rule, event)
            if raised:
                severity = max(severity, told, key=SEVERITIES.index)
        return Alert(
            alert_id(rule.id, entity, str(event.get("id", ""))),
            rule.id,
            rule.hash,
            severity,
            rule.title,
            _said(rule, event),
            entity,
            _time(hit),
            _time(hit),
            why=rule.why,
            fix=rule.fix,
            cluster=str(event.get("cluster") or self._cluster),
            attack=rule.attack,
            evidence=tuple(self._evidence(rule, one) for one in hit.related or (event,)),
            raised=raised,
        )

    def _grown(self, known: Alert, rule: Rule, hit: Hit, revision: int) -> Alert:
        evidence = known.evidence
        if len(evidence) < SHOWN:
            evidence = (*evidence, self._evidence(rule, hit.event))
        return msgspec.structs.replace(
            known,
            first=min(known.first, _time(hit)),
            last=max(known.last, _time(hit)),
            repeats=known.repeats + 1,
            revision=revision,
            evidence=evidence,
        )

    def _evidence(self, rule: Rule, event: Mapping[str, Any]) -> Evidence:
        names = self._reads.get(rule.id)
        if names is None:
            wanted = {*columns(rule.tree), *columns_of(rule.say), *rule.group} - {"raw"}
            names = self._reads[rule.id] = tuple(dict.fromkeys((*ASIDE, *sorted(wanted))))
        kept = {
            name: _short(event[name]) for name in names if event.get(name) not in (None, [], "")
        }
        return Evidence(str(event.get("id", "")), int(event.get("time") or 0), kept)


def _key(rule: Rule, event: Mapping[str, Any]) -> bytes:
    """The same for hits of one group; of an event or of an alert's entity."""
    told = "\0".join((rule.id, *(plain(event.get(name)) for name in _group(rule))))
    return hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=16).digest()


def _group(rule: Rule) -> tuple[str, ...]:
    by = rule.correlate.by if rule.correlate is not None else ()
    return rule.group or by or _ENTITY


def _said(rule: Rule, event: Mapping[str, Any]) -> str:
    """What a rule says of an event: `say` alone where the event's raw is not kept."""
    if rule.message is not None and event.get("raw"):
        return plain(rule.message(event))
    return render(rule.say, event) if rule.say else rule.title


def _window(rule: Rule) -> int:
    """In ns. A correlation is false for as long as it looks back, before it is armed again."""
    within = rule.correlate.within if rule.correlate is not None else 1
    return max(1, rule.window, within) * _SECOND


def _time(hit: Hit) -> int:
    return int(hit.event.get("time") or hit.event.get("seen") or 0)


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LONGEST:
        return value[: _LONGEST - 1] + "…"
    if isinstance(value, list | tuple):
        return [_short(one) for one in value[:50]]
    return value
