"""Hits become alerts: one for each rule and group, as long as its hits follow one another.

An alert begins with the first hit of a group and grows with each one that comes within its rule's
window after the last; a later one begins another alert. Ids depend on the events alone, so the
same events give the same alerts however they were cut into batches.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from martello.core.alert import SHOWN, Alert, Evidence, alert_id
from martello.practices.monitor.ir import columns
from martello.practices.monitor.rule import SEVERITIES, Hit, Pack, Rule
from martello.practices.monitor.say import columns_of, plain, render

MOST_GROUPS: Final = 250_000  # open alerts; the least recent goes first, and is counted
_SECOND: Final = 1_000_000_000
_LONGEST: Final = 1_000  # characters of a value kept as evidence
# What every alert says where, who and what.
_ENTITY: Final = ("k8s_ns", "pod_workload", "pod_name", "container_name", "actor_user", "node")
# What a person wants to see of an event, whatever its rule reads.
_SHOWN: Final = (
    *("kind", "source", "cluster", "node", "k8s_ns", "pod_workload", "pod_name", "container_name"),
    *("actor_origin", "actor_user", "actor_as", "actor_agent", "actor_ips"),
    *("api_verb", "api_uri", "api_code"),
    *("proc_exe", "proc_args", "proc_parent_exe", "file_path", "net_dst_ip", "net_dst_port"),
)
# Why an alert is graver than its rule: the severity it is raised to and the reasons.
Raise = Callable[[Rule, Mapping[str, Any]], tuple[str, tuple[str, ...]]]


class Grouping:
    """The alerts that are open, by rule and group. Hits are given in the order of their time."""

    def __init__(
        self, pack: Pack, *, cluster: str = "", most: int = MOST_GROUPS, raised: Raise | None = None
    ) -> None:
        self._pack = pack
        self._cluster = cluster
        self._most = most
        self._raised = raised
        self._open: OrderedDict[tuple[str, ...], Alert] = OrderedDict()
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
                missing = plain(None)
                key = (rule.id, *(alert.entity.get(name, missing) for name in _group(rule)))
                self._open[key] = alert
                self._before[alert.id] = alert.last

    def resumed(self) -> None:
        """What comes from now on is new."""
        self._before = {}

    def add(self, hits: Iterable[Hit]) -> tuple[Alert, ...]:
        """The alerts that these hits begin or change, each once, with one revision more."""
        changed: dict[str, Alert] = {}
        for hit in hits:
            rule = self._pack.rules.get(hit.rule)
            if rule is None:
                continue
            key = (rule.id, *(plain(hit.event.get(name)) for name in _group(rule)))
            known = self._open.pop(key, None)
            if known is not None and _time(hit) <= self._before.get(known.id, 0):
                self._open[key] = known
                continue
            if known is not None and _time(hit) - known.last <= _window(rule) * _SECOND:
                again = known.id in changed
                alert = self._grown(known, rule, hit, known.revision + (not again))
            else:
                alert = self._begun(rule, hit)
            self._open[key] = alert
            changed[alert.id] = alert
            if len(self._open) > self._most:
                self._open.popitem(last=False)
                self.dropped += 1
        return tuple(changed.values())

    def amended(self, alert: str, columns: Mapping[str, Any]) -> Alert | None:
        """An open alert told again with what became known later; None where it is open no more."""
        key = next((key for key, one in self._open.items() if one.id == alert), None)
        if key is None:
            return None
        known = self._open[key]
        rule = self._pack.rules[known.rule]
        first = known.evidence[0]
        told = {**first.columns, **columns}
        evidence = (msgspec.structs.replace(first, columns=told), *known.evidence[1:])
        changed = msgspec.structs.replace(
            known,
            says=known.says if rule.message is not None else _said(rule, told),
            evidence=evidence,
            revision=known.revision + 1,
        )
        self._open[key] = changed
        return changed

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
            names = self._reads[rule.id] = tuple(dict.fromkeys((*_SHOWN, *sorted(wanted))))
        kept = {
            name: _short(event[name]) for name in names if event.get(name) not in (None, [], "")
        }
        return Evidence(str(event.get("id", "")), int(event.get("time") or 0), kept)


def _group(rule: Rule) -> tuple[str, ...]:
    by = rule.correlate.by if rule.correlate is not None else ()
    return rule.group or by or _ENTITY


def _said(rule: Rule, event: Mapping[str, Any]) -> str:
    """What a rule says of an event: `say` alone where the event's raw is not kept."""
    if rule.message is not None and event.get("raw"):
        return plain(rule.message(event))
    return render(rule.say, event) if rule.say else rule.title


def _window(rule: Rule) -> int:
    """Seconds. A correlation is armed again when it was false for as long as it looks back."""
    return rule.window if rule.correlate is None else max(1, rule.correlate.within)


def _time(hit: Hit) -> int:
    return int(hit.event.get("time") or hit.event.get("seen") or 0)


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LONGEST:
        return value[: _LONGEST - 1] + "…"
    if isinstance(value, list | tuple):
        return [_short(one) for one in value[:50]]
    return value
