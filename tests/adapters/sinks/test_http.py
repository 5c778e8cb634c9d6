"""Sinks that speak HTTP, against real servers: what they send, what they make of each answer, and
that nothing of an attacker acts and nothing secret shows.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.certificates import Authority
from tests.support.sinks import (
    AT,
    HOSTILE,
    SECOND,
    Answer,
    Receiver,
    alert,
    free_port,
    hostile,
    receiver,
)

from martello.adapters.sensors import otlp as read_otlp
from martello.adapters.sinks import open_sink
from martello.adapters.sinks.http import Http
from martello.adapters.sinks.slack import Slack
from martello.core.alert import Alert
from martello.core.sink import NotSent, Sink


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def _sink(kind: str, server: Receiver) -> Sink:
    url = server.url
    secrets = {"SLACK": f"{url}/services/T0/B0/s3cr3t", "PD": "r0ut1ngk3y"}
    words = {
        "slack": "slack:env:SLACK",
        "pagerduty": f"pagerduty:env:PD?at={url}/v2/enqueue",
        "alertmanager": f"alertmanager+{url}/am",
        "webhook": f"webhook+{url}/hook",
        "falco": f"webhook+{url}/hook?format=falco",
        "ocsf": f"webhook+{url}/hook?format=ocsf",
        "otlp": f"otlp+{url}/v1/logs",
    }
    return open_sink(words[kind], secrets)


KINDS = ("slack", "pagerduty", "alertmanager", "webhook", "falco", "ocsf", "otlp")


def _states() -> tuple[Alert, Alert, Alert]:
    return alert(), alert(revision=2, state="acknowledged"), alert(revision=3, state="closed")


def test_slack_is_told_in_blocks_of_plain_text(server: Receiver) -> None:
    _sink("slack", server).send(alert())
    (got,) = server.posts
    assert got.path == "/services/T0/B0/s3cr3t"
    blocks = got.json["blocks"]
    assert blocks[0]["text"]["text"] == "[high] MON-131 Shell in a container"
    assert blocks[1]["text"]["text"] == "sh was started in shop/web-7f"
    fields = [one["text"] for one in blocks[2]["fields"]]
    assert fields == [
        "cluster: prod",
        "namespace: shop",
        "workload: deploy/web",
        "pod: web-7f",
        "node: n1",
    ]
    assert got.json["text"] == "[high] MON-131 Shell in a container"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str):
        yield value


def test_slack_gets_no_markup_of_an_attacker_and_stays_within_its_limits(server: Receiver) -> None:
    _sink("slack", server).send(hostile())
    message = server.posts[0].json
    blocks = message["blocks"]
    texts = [
        one
        for block in blocks
        for one in (block.get("fields") or block.get("elements") or [block.get("text")])
    ]
    assert {one["type"] for one in texts} == {"plain_text"}
    assert not any(one["emoji"] for one in texts)
    limits = {"header": 150, "section": 3_000, "context": 2_000}
    for block in blocks:
        for one in block.get("fields") or block.get("elements") or [block["text"]]:
            assert 0 < len(one["text"]) <= limits[block["type"]]
    assert len(blocks) <= 50
    for text in _texts(message):
        assert text.isprintable()
        assert not set(text) & set("<>")
        for cut in text.split("&")[1:]:  # every ampersand begins a whole entity
            assert cut.startswith(("amp;", "lt;", "gt;"))


def test_pagerduty_keeps_one_incident_from_trigger_to_resolve(server: Receiver) -> None:
    sink = _sink("pagerduty", server)
    for one in _states():
        sink.send(one)
    told = [got.json for got in server.posts]
    assert [one["event_action"] for one in told] == ["trigger", "acknowledge", "resolve"]
    assert {one["dedup_key"] for one in told} == {alert().id}
    assert {one["routing_key"] for one in told} == {"r0ut1ngk3y"}
    payload = told[0]["payload"]
    assert payload["severity"] == "error"
    assert payload["timestamp"] == "2026-08-01T12:00:00.000000Z"
    assert (payload["source"], payload["component"], payload["group"], payload["class"]) == (
        "prod",
        "deploy/web",
        "shop",
        "MON-131",
    )
    sink.send(hostile())
    last = server.posts[-1]
    assert len(last.json["payload"]["summary"]) <= 1024
    assert len(last.body) < 512_000


def test_d2_a_webhook_has_the_key_of_alert_and_revision(server: Receiver) -> None:
    sink = _sink("webhook", server)
    for one in _states():
        sink.send(one)
    sink.send(alert())
    keys = [got.headers["idempotency-key"] for got in server.posts]
    assert keys == [alert(revision=n).key for n in (1, 2, 3, 1)]
    first = server.posts[0].json
    assert (first["schema"], first["key"]) == ("martello-alert/v1", alert().key)
    assert msgspec.convert({k: v for k, v in first.items() if k != "key"}, Alert) == alert()


def test_a_webhook_speaks_as_falco_does(server: Receiver) -> None:
    _sink("falco", server).send(alert())
    told = server.posts[0].json
    assert told["rule"] == "MON-131 Shell in a container"
    assert told["priority"] == "Error"
    assert told["time"] == "2026-08-01T12:00:05.000000Z"
    assert told["source"] == "syscall"
    assert told["output_fields"]["proc.exepath"] == "/bin/sh"
    assert told["output_fields"]["k8s.ns.name"] == "shop"
    assert told["hostname"] == "n1"
    values = told["output_fields"].values()
    assert all(isinstance(value, str | int | float) for value in values)


def test_what_is_sent_as_falco_our_own_reader_of_falco_reads(server: Receiver) -> None:
    from martello.adapters.sensors import falco

    _sink("falco", server).send(alert())
    (event,) = list(falco.read([server.posts[0].body + b"\n"], "test", AT))
    assert isinstance(event, dict)
    assert event["kind"] == "alert"
    assert event["k8s_ns"] == "shop"
    assert event["proc_exe"] == "/bin/sh"


def test_e5_ocsf_is_class_2004_of_a_pinned_version(server: Receiver) -> None:
    sink = _sink("ocsf", server)
    for one in _states():
        sink.send(one)
    told = [got.json for got in server.posts]
    assert {(one["class_uid"], one["category_uid"]) for one in told} == {(2004, 2)}
    assert {one["metadata"]["version"] for one in told} == {"1.6.0"}
    assert [one["activity_id"] for one in told] == [1, 2, 3]
    assert [one["type_uid"] for one in told] == [200401, 200402, 200403]
    assert [one["status_id"] for one in told] == [1, 2, 4]
    assert told[0]["severity_id"] == 4
    assert told[0]["time"] == AT // 1_000_000
    assert told[0]["finding_info"]["uid"] == alert().id
    assert told[0]["finding_info"]["attacks"] == [{"technique": {"uid": "T1059"}}]
    assert [one["is_alert"] for one in told] == [True, True, False]


def test_otlp_is_what_our_own_reader_of_otlp_reads(server: Receiver) -> None:
    _sink("otlp", server).send(alert())
    got = server.posts[0]
    (event,) = read_otlp.read(got.body, AT, json=True)  # as the door would
    assert event["log_text"] == "sh was started in shop/web-7f"
    assert (event["k8s_ns"], event["pod_name"], event["cluster"]) == ("shop", "web-7f", "prod")
    log = got.json["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    assert log["severityNumber"] == 17
    assert log["timeUnixNano"] == str(AT + 5 * SECOND)
    told = {one["key"]: one["value"] for one in log["attributes"]}
    assert told["martello.alert.key"] == {"stringValue": alert().key}
    assert told["martello.alert.revision"] == {"intValue": "1"}


def test_otlp_believes_a_collector_that_rejects_a_part(server: Receiver) -> None:
    server.answer = lambda _: Answer(
        200,
        b'{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"no\x07"}}'.replace(
            b"\x07", b"\\u0007"
        ),
    )
    with pytest.raises(NotSent, match=r"rejected: no\\x07") as caught:
        _sink("otlp", server).send(alert())
    assert caught.value.never
    for odd in (b"", b"fine", b"[1]", b'{"partialSuccess":7}', b'{"partialSuccess":null}'):
        server.answer = lambda _, odd=odd: Answer(200, odd)  # type: ignore[misc]
        _sink("otlp", server).send(alert())


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_texts_travel_as_plain_ascii(kind: str, server: Receiver) -> None:
    _sink(kind, server).send(hostile())
    (got,) = server.posts
    assert all(0x20 <= byte < 0x7F for byte in got.body)
    assert json.loads(got.body)
    if kind not in ("webhook", "ocsf"):  # those carry the evidence as it is
        told = got.json
        if kind == "pagerduty":
            told["payload"]["custom_details"].pop("evidence")
        assert all(text.isprintable() for text in _texts(told))


@pytest.mark.parametrize("kind", KINDS)
def test_d4_a_sink_is_tried_without_an_alert(kind: str, server: Receiver) -> None:
    said = {"slack": Answer(400, b"no_text"), "pagerduty": Answer(400, b'{"status":"invalid"}')}
    server.answer = lambda _: said.get(kind, Answer())
    sink = _sink(kind, server)
    sink.check()
    for status in (401, 503):
        server.answer = lambda _, status=status: Answer(status, b"")  # type: ignore[misc]
        with pytest.raises(NotSent, match=str(status)):
            sink.check()
    if kind == "slack":
        server.answer = lambda _: Answer(404, b"no_service")
        with pytest.raises(NotSent, match="no_service"):
            sink.check()


@pytest.mark.parametrize("status", [400, 405, 410, 413, 422])
def test_what_is_wrong_with_the_message_never_succeeds(status: int, server: Receiver) -> None:
    server.answer = lambda _: Answer(status, b"bad \x1b[31m payload")
    with pytest.raises(NotSent, match=rf"^{status} bad \\x1b\[31m payload$") as caught:
        _sink("webhook", server).send(alert())
    assert caught.value.never


@pytest.mark.parametrize("status", [301, 302, 401, 403, 404, 408, 425, 429, 500, 502, 503, 504])
def test_what_may_succeed_later_is_tried_again(status: int, server: Receiver) -> None:
    server.answer = lambda _: Answer(status, b"", Location=f"{server.url}/elsewhere")
    with pytest.raises(NotSent) as caught:
        _sink("webhook", server).send(alert())
    assert not caught.value.never
    assert caught.value.retry_after is None
    assert [got.path for got in server.got] == ["/hook"]  # nobody is led elsewhere


def test_d1_retry_after_is_seconds_or_a_date(server: Receiver) -> None:
    now = 1_785_585_600.0
    http = Http(lambda: server.url, clock=lambda: now)
    for said, wanted in (
        ("120", 120.0),
        (formatdate(now + 90, usegmt=True), 90.0),
        (formatdate(now - 90, usegmt=True), 0.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("9" * 400, 999_999_999_999.0),
    ):
        server.answer = lambda _, said=said: Answer(429, Retry_After=said)  # type: ignore[misc]
        with pytest.raises(NotSent) as caught:
            Slack("s", http).send(alert())
        assert caught.value.retry_after == wanted, said


def test_nobody_there_is_no_reason_to_give_up() -> None:
    sink = open_sink(f"webhook+http://127.0.0.1:{free_port()}/hook")
    with pytest.raises(NotSent, match="refused") as caught:
        sink.send(alert())
    assert not caught.value.never


def test_who_answers_byte_by_byte_holds_nobody() -> None:
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"

        def drip() -> None:
            opened, _ = listening.accept()
            with opened:
                opened.recv(1 << 16)
                opened.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while not ended.wait(0.1):
                    try:
                        opened.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        begun = time.monotonic()
        try:
            with pytest.raises(NotSent):
                Slack("s", Http(lambda: url, seconds=0.5)).send(alert())
        finally:
            ended.set()
            thread.join()
        assert time.monotonic() - begun < 20


def test_an_answer_without_end_is_not_read_to_the_end(server: Receiver) -> None:
    server.answer = lambda _: Answer(500, b"x" * (4 << 20))
    with pytest.raises(NotSent) as caught:
        _sink("webhook", server).send(alert())
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("kind", ["slack", "pagerduty", "webhook"])
def test_a_secret_that_the_other_side_repeats_is_not_shown(kind: str, server: Receiver) -> None:
    server.answer = lambda got: Answer(
        403, f"{got.path} {got.headers.get('authorization')} {got.body!r}".encode()
    )
    environ = {
        "SLACK": f"{server.url}/services/s3cr3t",
        "PD": "r0ut1ngk3y",
        "TOKEN": "t0k3n",
    }
    words = {
        "slack": "slack:env:SLACK",
        "pagerduty": f"pagerduty:env:PD?at={server.url}/v2",
        "webhook": f"webhook+{server.url}/hook?token=env:TOKEN",
    }
    sink = open_sink(words[kind], environ)
    with pytest.raises(NotSent) as caught:
        sink.check()
    with pytest.raises(NotSent) as later:
        sink.send(alert())
    shown = f"{caught.value} {later.value} {sink.name} {sink!r}"
    assert not any(secret in shown for secret in ("s3cr3t", "r0ut1ngk3y", "t0k3n"))


def test_tokens_are_read_anew_from_their_file(tmp_path: Path, server: Receiver) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    sink = open_sink(f"webhook+{server.url}/hook?token=file:{file}")
    sink.send(alert())
    file.write_text("second\n")
    sink.send(alert())
    assert [got.headers["authorization"] for got in server.posts] == [
        "Bearer first",
        "Bearer second",
    ]
    file.unlink()
    with pytest.raises(NotSent):
        sink.send(alert())


def test_tls_trusts_whom_it_is_told_to(tmp_path: Path, server: Receiver) -> None:
    import ssl
    from http.server import BaseHTTPRequestHandler, HTTPServer

    authority = Authority(tmp_path)
    certificate, key = authority.server("sink", "127.0.0.1")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            """Says nothing."""

    secured = HTTPServer(("127.0.0.1", 0), Handler)
    secured.handle_error = lambda *_: None  # type: ignore[method-assign]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    secured.socket = context.wrap_socket(secured.socket, server_side=True)
    thread = threading.Thread(target=secured.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    url = f"webhook+https://127.0.0.1:{secured.server_address[1]}/hook"
    try:
        open_sink(f"{url}?ca={authority.file}").send(alert())
        with pytest.raises(NotSent, match=r"(?i)certificate"):
            open_sink(url).send(alert())
    finally:
        secured.shutdown()
        secured.server_close()
        thread.join()


def test_the_hostile_text_is_hostile() -> None:
    assert not HOSTILE.isprintable()
