"""A Service as a destination: policies see the address and port of the pod, not of the Service."""

from __future__ import annotations

from martello.cli.network.asking import Destination
from martello.cli.network.opening import Opened
from martello.core.errors import BadInput
from martello.practices.network.outer.services import targets


def service(
    opened: Opened, text: str, namespace: str, name: str, port: str, protocol: str
) -> Destination:
    """The pods behind a Service, each with the port that it listens on. Raises BadInput where there
    is no such Service or port, or nothing is known to be behind it.
    """
    found = opened.cluster.get("Service", namespace, name)
    if found is None:
        from martello.cli.errors import nearest

        known = [f"{s.ref.namespace}/svc/{s.ref.name}" for s in opened.cluster.of_kind("Service")]
        hint = f"the nearest is '{nearest(text, known)}'" if known else "there is no Service here"
        raise BadInput(f"no Service {namespace}/{name}", hint)
    behind = targets(opened.reach.world, opened.cluster, found)
    if not behind.targets:
        why = behind.because or "its selector selects no pod here"
        raise BadInput(f"nothing is known behind {text}", why, "name the pod or the address itself")
    meant = [
        t for t in behind.targets if not port or port == t.name or (port == str(t.port) and t.port)
    ]
    if port.isdecimal() and not meant:
        meant = [t for t in behind.targets if not t.port]  # headless: clients use the pod's own
        meant = [t for t in meant if t.number in (0, int(port))]
    meant = [t for t in meant if not port.isdecimal() or t.protocol == protocol] or meant
    if not meant:
        ports = ", ".join(dict.fromkeys(f"{t.port}/{t.protocol.lower()}" for t in behind.targets))
        raise BadInput(f"the Service {namespace}/{name} has no port {port}", f"it has {ports}")
    ends = tuple((t.place, t.protocol, t.number or int(port or 0)) for t in meant)
    first = ends[0]
    notes: tuple[str, ...] = ()
    if port and port != str(first[2]):
        notes = (f"the Service translates port {port} to {first[1]} {first[2]} of its pods",)
    places = tuple(dict.fromkeys(place for place, _, _ in ends))
    return Destination(text, places, first[1], first[2] if port else 0, notes, ends)
