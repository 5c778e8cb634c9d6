"""The daemon under load: an API server sends 30 batches of 400 events a second, for ten seconds.

    acknowledged   from the first byte of a batch until 200: p99 below 50 ms
    told           from the batch's first byte until its alert is printed: p99 below 1 s

The sender is a process of its own, with bodies that were made before. Every batch holds one event
that a rule knows, by a user that nobody else is.
"""

from __future__ import annotations

import http.client
import json
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

from bench.process import _environment

BATCHES: Final = 30  # a second
EVENTS: Final = 400
SECONDS: Final = 10
SENDERS: Final = 4  # connections
ACK: Final = 0.050
TOLD: Final = 1.0
_RULE: Final = """
id: TST-101
title: Secrets read
kind: audit
severity: high
when: e.api_verb == "list" && e.k8s_resource == "secrets" && e.actor_agent == "bench"
group: [actor_user]
"""


def main() -> int:
    """Prints the figures; 1 where one misses its limit."""
    with tempfile.TemporaryDirectory() as place:
        return _measured(Path(place))


def _measured(place: Path) -> int:
    (place / "rules.yaml").write_text(_RULE, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "martello.cli.main", "monitor", "run", "--plain"]
    command += ["--listen", f"127.0.0.1:{port}", "--silence", "0"]
    command += ["--rules", "default", "--rules", str(place / "rules.yaml")]
    env = {**_environment(), "HOME": str(place), "XDG_STATE_HOME": str(place)}
    daemon = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    )
    assert daemon.stdout is not None
    assert daemon.stderr is not None
    told: dict[str, float] = {}
    reader = threading.Thread(target=_listen, args=(daemon.stdout, told), daemon=True)
    reader.start()
    try:
        while not daemon.stderr.readline().startswith("listening"):
            if daemon.poll() is not None:
                raise SystemExit("the daemon has ended")
        threading.Thread(target=daemon.stderr.read, daemon=True).start()
        _send(port, place, -BATCHES, 1, told)  # what is compiled and cached at first
        sent = _send(port, place, 0, SECONDS, told)
    finally:
        used = _cpu(daemon.pid)
        daemon.terminate()
        daemon.wait(60)
    status = _table(sent, told)
    print(f"  CPU {used:.1f} s of the daemon, its start and {SECONDS + 1} s of load")
    return status


def _cpu(pid: int) -> float:
    """Seconds of CPU of a process so far (proc_pid_stat(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _listen(stream: object, told: dict[str, float]) -> None:
    for line in stream:  # type: ignore[attr-defined]
        alert = json.loads(line)
        if alert["rule"] == "TST-101":
            told.setdefault(alert["entity"]["actor_user"], time.perf_counter())


def _send(
    port: int, place: Path, first: int, seconds: int, told: dict[str, float]
) -> list[tuple[str, float, float, int]]:
    """Batches at their time: the user, when it was sent, how long until the answer, the status."""
    bodies = [_body(first + n) for n in range(BATCHES * seconds)]
    work: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    done: list[tuple[str, float, float, int]] = []

    def run() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while (number := work.get()) is not None:
            begun = time.perf_counter()
            connection.request("POST", "/audit", bodies[number])
            answer = connection.getresponse()
            answer.read()
            took = time.perf_counter() - begun
            done.append((f"user-{first + number}", begun, took, answer.status))
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(SENDERS)]
    for one in threads:
        one.start()
    begun = time.perf_counter()
    for number in range(len(bodies)):
        time.sleep(max(0.0, begun + number / BATCHES - time.perf_counter()))
        work.put(number)
    for _ in threads:
        work.put(None)
    for one in threads:
        one.join()
    waited = time.monotonic() + 20
    while any(user not in told for user, *_ in done) and time.monotonic() < waited:
        time.sleep(0.05)
    return done


def _body(batch: int) -> bytes:
    """An EventList of events of 1.3 KB; the first one lists secrets."""
    at = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
    items = []
    for number in range(EVENTS):
        bad = number == 0
        name = f"pod-{number % 50}"
        resource = {"resource": "secrets" if bad else "pods", "namespace": "shop", "name": name}
        items.append(
            {
                "kind": "Event",
                "apiVersion": "audit.k8s.io/v1",
                "level": "Metadata",
                "auditID": f"{batch & 0xFFFFFFFF:08x}-0000-4000-8000-{number:012d}",
                "stage": "ResponseComplete",
                "requestURI": f"/api/v1/namespaces/shop/{resource['resource']}/{name}",
                "verb": "list" if bad else "get",
                "user": {
                    "username": f"user-{batch}" if bad else f"system:serviceaccount:shop:{name}",
                    "groups": ["system:serviceaccounts", "system:authenticated"],
                },
                "sourceIPs": ["10.1.2.3"],
                "userAgent": "bench" if bad else "kube-probe/v1.31.0 (linux/amd64)",
                "objectRef": {**resource, "apiVersion": "v1"},
                "responseStatus": {"metadata": {}, "code": 200},
                "requestReceivedTimestamp": at,
                "stageTimestamp": at,
                "annotations": {
                    "authorization.k8s.io/decision": "allow",
                    "authorization.k8s.io/reason": "RBAC: allowed " + "x" * 500,
                },
            }
        )
    told = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": items}
    return json.dumps(told, separators=(",", ":")).encode()


def _table(sent: list[tuple[str, float, float, int]], told: dict[str, float]) -> int:
    acks = sorted(took for _, _, took, _ in sent)
    late = sorted(told[user] - begun for user, begun, _, _ in sent if user in told)
    refused = sum(status != 200 for *_, status in sent)
    print(f"monitor run, {BATCHES} batches of {EVENTS} events a second for {SECONDS} s")
    bad = refused > 0 or len(late) < len(sent)
    for name, found, limit in (("acknowledged", acks, ACK), ("told", late, TOLD)):
        p50, p99 = _percentile(found, 50), _percentile(found, 99)
        missed = p99 > limit
        bad |= missed
        verdict = "MISSED" if missed else "met"
        print(
            f"  {name:<14} p50 {p50 * 1000:7.1f} ms   p99 {p99 * 1000:7.1f} ms   "
            f"max {found[-1] * 1000:7.1f} ms   limit {limit * 1000:5.0f} ms  {verdict}"
        )
    print(f"  refused {refused}, not told {len(sent) - len(late)}")
    return int(bad)


def _percentile(found: list[float], share: float) -> float:
    return found[min(len(found) - 1, int(len(found) * share / 100))] if found else float("inf")


if __name__ == "__main__":
    raise SystemExit(main())
