"""A small cluster with owners, Services and addresses, and flows between its pods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.support.network.objects import Object, namespace, node

from martello.core.flow import Flow, Peer

BEGIN = 1_700_000_000.0  # when the pods of tests started, seconds since 1970


def time(seconds: float) -> str:
    """A time after the beginning, as Kubernetes writes it."""
    return datetime.fromtimestamp(BEGIN + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def port(number: int, name: str = "", protocol: str = "TCP") -> Object:
    """A declared port."""
    return {"containerPort": number, "protocol": protocol, **({"name": name} if name else {})}


def workload(
    space: str,
    name: str,
    ips: Sequence[str | Sequence[str]] = (),
    *,
    kind: str = "Deployment",
    labels: Mapping[str, str] | None = None,
    match: Mapping[str, str] | None = None,
    ports: Sequence[Object] = (),
    nodes: Sequence[str] = ("n1",),
    env: Mapping[str, str] | None = None,
    phase: str = "Running",
    start: float = 0.0,
    end: float | None = None,
    **pod_spec: Any,
) -> list[Object]:
    """A workload with its ReplicaSet where it has one, and a pod for each address."""
    own = dict(labels if labels is not None else {"app": name})
    container: Object = {"name": "main", "image": "example.com/a:1", "ports": list(ports)}
    if env:
        container["env"] = [{"name": key, "value": value} for key, value in env.items()]
    spec: Object = {"containers": [container], **pod_spec}
    template = {"metadata": {"labels": own}, "spec": spec}
    uid = f"{space}-{kind}-{name}".lower()
    if kind == "CronJob":
        body: Object = {"schedule": "@daily", "jobTemplate": {"spec": {"template": template}}}
        version = "batch/v1"
    else:
        selector = {"matchLabels": dict(match if match is not None else own)}
        body = {"selector": selector, "template": template, "replicas": len(ips)}
        version = "apps/v1"
    made = [_object(version, kind, space, name, uid, body)]
    owner, extra = (kind, name, uid), dict[str, str]()
    if kind == "Deployment" and ips:
        owner, extra = ("ReplicaSet", f"{name}-5d8", f"{uid}-rs"), {"pod-template-hash": "5d8"}
        middle = _object(version, "ReplicaSet", space, owner[1], owner[2], body)
        middle["metadata"]["ownerReferences"] = [_owned((kind, name, uid))]
        made.append(middle)
    if kind == "CronJob" and ips:
        owner = ("Job", f"{name}-28", f"{uid}-job")
        extra = {"job-name": f"{name}-28", "controller-uid": f"{uid}-job"}
        job = _object("batch/v1", "Job", space, owner[1], owner[2], {"template": template})
        job["metadata"]["ownerReferences"] = [_owned((kind, name, uid))]
        made.append(job)
    for number, ip in enumerate(ips):
        pod_name = f"{owner[1]}-{number}"
        metadata = {
            "name": pod_name,
            "namespace": space,
            "uid": f"{uid}-{number}",
            "labels": {**own, **extra},
            "ownerReferences": [_owned(owner)],
            "creationTimestamp": time(start),
        }
        texts = [ip] if isinstance(ip, str) else list(ip)
        status: Object = {
            "phase": phase,
            "podIP": texts[0],
            "podIPs": [{"ip": text} for text in texts],
            "startTime": time(start),
        }
        if end is not None:
            ended = {"state": {"terminated": {"finishedAt": time(end)}}}
            status["containerStatuses"] = [ended]
        where = nodes[number % len(nodes)]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}
        made.append({**pod, "spec": {**spec, "nodeName": where}})
    return made


def service(
    space: str,
    name: str,
    ip: str,
    ports: Iterable[tuple[int, int | str, str]],
    selector: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    **spec: Any,
) -> Object:
    """A Service; ports are (port, targetPort, protocol)."""
    listed = [
        {"name": f"p{number}-{protocol.lower()}", "port": number, "targetPort": target}
        | {"protocol": protocol}
        for number, target, protocol in ports
    ]
    body: Object = {"clusterIP": ip, "clusterIPs": [ip], "ports": listed, **spec}
    if selector is not None:
        body["selector"] = dict(selector)
    made = _object("v1", "Service", space, name, f"{space}-svc-{name}", body)
    made["metadata"]["labels"] = dict(labels or {})
    return made


def endpoint_slice(
    space: str, name: str, port_name: str, number: int, ips: Iterable[str], protocol: str = "TCP"
) -> Object:
    """An EndpointSlice of a Service with one port."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-x",
            "namespace": space,
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "ports": [{"name": port_name, "port": number, "protocol": protocol}],
        "endpoints": [{"addresses": [ip]} for ip in ips],
    }


def flow(
    source: str,
    destination: str,
    number: int,
    protocol: str = "TCP",
    at: float = 60.0,
    **more: Any,
) -> Flow:
    """A flow between two addresses, by default one that began at its source."""
    more.setdefault("reply", False)
    more.setdefault("source_port", 40000)
    when = BEGIN + at if at else 0.0
    return Flow(Peer(ip=source), Peer(ip=destination), protocol, number, at=when, **more)


def shop() -> list[Object]:
    """A shop: web → api → db, DNS at port 5353, a CronJob, a workload without replicas; two nodes
    and the API server on the first.
    """
    return [*_shop()]


def _shop() -> Iterator[Object]:
    control = {"node-role.kubernetes.io/control-plane": ""}
    for name, ip, labels in (("n1", "192.0.2.1", control), ("n2", "192.0.2.2", {})):
        made = node(name, [ip], labels)
        made["spec"] = {"podCIDR": f"10.1.{name[1:]}.0/24"}
        yield made
    for name in ("default", "kube-system", "shop", "ops"):
        yield namespace(name, {})
    dns = [port(5353, "dns", "UDP"), port(5353, "dns-tcp")]
    yield from workload(
        "kube-system", "coredns", ["10.1.1.5", "10.1.2.5"], ports=dns, nodes=("n1", "n2")
    )
    yield service(
        "kube-system",
        "kube-dns",
        "10.96.0.10",
        [(53, "dns", "UDP"), (53, "dns-tcp", "TCP")],
        {"app": "coredns"},
    )
    yield service("default", "kubernetes", "10.96.0.1", [(443, 6443, "TCP")])
    yield endpoint_slice("default", "kubernetes", "p443-tcp", 6443, ["192.0.2.1"])
    web = {"app": "web", "app.kubernetes.io/version": "1.2", "exposed": "true"}
    yield from workload(
        "shop",
        "web",
        ["10.1.1.10", "10.1.2.10"],
        labels=web,
        match={"app": "web"},
        ports=[port(8080, "http")],
        nodes=("n1", "n2"),
        env={"API_URL": "http://api:80/v1", "CACHE_HOST": "cache"},
    )
    yield from workload("shop", "api", ["10.1.1.11"], ports=[port(9000, "grpc")])
    yield from workload("shop", "db", ["10.1.2.12"], kind="StatefulSet", ports=[port(5432)])
    yield from workload("shop", "cache", ["10.1.2.13"], ports=[port(6379)], nodes=("n2",))
    yield from workload(
        "shop", "report", kind="CronJob", env={"DB": "postgres://u:p@db.shop.svc:5432/x"}
    )
    yield from workload("shop", "asleep")
    yield from workload("ops", "prometheus", ["10.1.2.20"], nodes=("n2",))
    yield service("shop", "api", "10.96.1.1", [(80, "grpc", "TCP")], {"app": "api"})
    yield service("shop", "web", "10.96.1.2", [(80, 8080, "TCP")], {"exposed": "true"})
    yield service("shop", "db", "10.96.1.3", [(5432, 5432, "TCP")], {"app": "db"})
    yield service("shop", "cache", "10.96.1.4", [(6379, 6379, "TCP")], {"app": "cache"})


def shopping() -> list[Flow]:
    """What the shop does on a day."""
    web, other, api, db = "10.1.1.10", "10.1.2.10", "10.1.1.11", "10.1.2.12"
    return [
        flow(web, "10.96.0.10", 53, "UDP", 30, count=40),
        flow(web, "10.96.1.1", 80, at=31, count=20),
        flow(other, api, 9000, at=40, count=20),
        flow(api, "10.96.1.3", 5432, at=50, count=30),
        flow("10.1.2.20", web, 8080, at=60, count=9),
        flow(api, "203.0.113.9", 443, at=70, count=3, names=("pay.example.com",)),
        flow(db, "10.1.1.5", 5353, "UDP", 80, count=2),
        flow("192.0.2.2", db, 5432, at=20, count=500),
    ]


def _owned(owner: tuple[str, str, str]) -> Object:
    kind, name, uid = owner
    version = "batch/v1" if kind in ("Job", "CronJob") else "apps/v1"
    found = {"apiVersion": version, "kind": kind, "name": name, "uid": uid}
    return {**found, "controller": True}


def _object(version: str, kind: str, space: str, name: str, uid: str, spec: Object) -> Object:
    metadata = {"name": name, "namespace": space, "uid": uid}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
