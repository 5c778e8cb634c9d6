"""Syslog into Debian's rsyslog over UDP, TCP and TLS, and what its messages are made of."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import Authority
from tests.support.sinks import (
    HOSTILE,
    alert,
    free_port,
    hostile,
    listens,
    process,
    program,
    until,
)

from martello.adapters.sinks import open_sink
from martello.adapters.sinks.syslog import message
from martello.core.alert import Alert
from martello.core.sink import NotSent, Sink


class Rsyslog:
    """A running rsyslog: its ports, and the messages that it wrote, parsed by itself."""

    def __init__(self, directory: Path, pid: int, ports: dict[str, int]) -> None:
        self.directory = directory
        self.pid = pid
        self.ports = ports

    @property
    def told(self) -> list[dict[str, Any]]:
        """What it understood of each message."""
        path = self.directory / "out"
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("}")]

    def wait(self, count: int) -> list[dict[str, Any]]:
        """So many messages."""
        until(lambda: len(self.told) >= count)
        return self.told


CONFIG = """
global(workDirectory="{dir}" maxMessageSize="16k"
  DefaultNetstreamDriverCAFile="{ca}" DefaultNetstreamDriverCertFile="{cert}"
  DefaultNetstreamDriverKeyFile="{key}")
module(load="imudp") module(load="imtcp" {tls})
input(type="imudp" address="127.0.0.1" port="{udp}" ruleset="out")
input(type="imtcp" address="127.0.0.1" port="{tcp}" ruleset="out")
template(name="parsed" type="list" option.jsonf="on") {{
  property(outname="pri" name="pri" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="id" name="msgid" format="jsonf")
  property(outname="at" name="timereported" dateformat="rfc3339" format="jsonf")
  property(outname="data" name="structured-data" format="jsonf")
  property(outname="text" name="msg" format="jsonf")
  property(outname="version" name="protocol-version" format="jsonf")
}}
ruleset(name="out") {{ action(type="omfile" file="{dir}/out" template="parsed") }}
"""
TLS = 'StreamDriver.Name="{driver}" StreamDriver.Mode="1" StreamDriver.AuthMode="anon"'


def _driver() -> str:
    """The library of TLS that is installed with it."""
    for name, file in (("ossl", "lmnsd_ossl.so"), ("gtls", "lmnsd_gtls.so")):
        if any(Path("/usr/lib").glob(f"*/rsyslog/{file}")):
            return name
    return ""


@contextlib.contextmanager
def rsyslog(directory: Path, *, tls: bool = False) -> Iterator[Rsyslog]:
    """Runs it in the foreground."""
    binary = program("rsyslogd", "rsyslog-openssl")
    directory.mkdir(exist_ok=True)
    authority = Authority(directory)
    cert, key = authority.server("rsyslog", "127.0.0.1")
    ports = {"udp": free_port(socket.SOCK_DGRAM), "tcp": free_port()}
    config = directory / "rsyslog.conf"
    driver = TLS.format(driver=_driver()) if tls else ""
    config.write_text(
        CONFIG.format(dir=directory, ca=authority.file, cert=cert, key=key, tls=driver, **ports)
    )
    command = [binary, "-n", "-f", str(config), "-i", str(directory / "pid")]
    with process(command, lambda: listens(ports["tcp"]), directory / "log") as pid:
        yield Rsyslog(directory, pid, ports)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rsyslog]:
    with rsyslog(tmp_path_factory.mktemp("rsyslog")) as found:
        yield found


def test_rsyslog_understands_every_part(running: Rsyslog) -> None:
    before = len(running.told)
    one = alert(says="sh in a pod", severity="critical")
    for scheme, port in (("syslog", running.ports["udp"]), ("syslog+tcp", running.ports["tcp"])):
        sink = open_sink(f"{scheme}://127.0.0.1:{port}")
        sink.check()
        sink.send(one)
    for told in running.wait(before + 2)[before:]:
        assert told["pri"] == str(13 * 8 + 2)
        assert (told["app"], told["id"], told["version"]) == ("martello", "MON-131", "1")
        assert told["at"] == "2026-08-01T12:00:05.000000Z"
        assert told["text"] == "[critical] MON-131 Shell in a container: sh in a pod"
        assert f'key="{one.key}"' in told["data"]
        assert 'namespace="shop"' in told["data"]


def test_hostile_texts_stay_one_message_each(running: Rsyslog) -> None:
    before = len(running.told)
    tcp = open_sink(f"syslog+tcp://127.0.0.1:{running.ports['tcp']}")
    for text in (HOSTILE, '"] <1>1 - - - - - x', "\n<13>1 - - - - - forged\n", "é" * 9_000):
        one = hostile()
        tcp.send(alert(text, says=text, title=text, cluster=text, entity=dict(one.entity)))
    told = running.wait(before + 4)[before:]
    assert len(told) == 4
    for each in told:
        assert each["app"] == "martello"
        assert each["data"].startswith("[martello@32473 id=")
        assert each["data"].endswith('"]')
        assert each["text"].lstrip("\ufeff").isprintable()


def test_messages_have_the_grammar_of_rfc_5424() -> None:
    told = message(alert(says='a "quoted" \\ ] thing'), "host name\n")
    head = told.split(b" ")
    assert head[0] == b"<107>1"
    assert head[1] == b"2026-08-01T12:00:05.000000Z"
    assert head[2] == b"hostname"
    assert head[3:6] == [b"martello", str(os.getpid()).encode(), b"MON-131"]
    assert told.endswith(b': a "quoted" \\ ] thing')
    assert b"\xef\xbb\xbf" not in told
    assert b"\xef\xbb\xbf[high]" in message(alert(says="é"), "h")
    odd = message(alert(entity={"k8s_ns": 'x"]\\'}), "h")
    assert b'namespace="x\\"\\]\\\\"' in odd
    for largest in (800, 1_400):
        cut = message(alert(says="é" * 9_000), "h", largest)
        assert len(cut) <= largest
        assert cut.decode()


def test_rsyslog_takes_it_over_tls_and_a_stranger_is_not_told(tmp_path: Path) -> None:
    program("rsyslogd", "rsyslog-openssl")
    if not _driver():
        pytest.skip("rsyslog knows no TLS: apt-get install rsyslog-openssl")
    with rsyslog(tmp_path / "r", tls=True) as running:
        url = f"syslog+tls://127.0.0.1:{running.ports['tcp']}"
        sink = open_sink(f"{url}?ca={tmp_path / 'r' / 'ca.crt'}")
        sink.check()
        for n in (1, 2, 3):
            delivered(sink, alert(revision=n))
        told = running.wait(3)
        assert len({one["data"] for one in told}) == 3
        with pytest.raises(NotSent, match=r"(?i)certificate"):
            open_sink(url).send(alert())
        assert len(running.told) == len(told)


def delivered(sink: Sink, one: Alert) -> None:
    """Sends as the outbox does: again where it was not sent. This rsyslog breaks a handshake now
    and then where the machine is busy.
    """
    for left in reversed(range(5)):
        try:
            sink.send(one)
            return
        except NotSent:
            if not left:
                raise
            time.sleep(0.2)


def stop(pid: int) -> None:
    """Stops a process; every thread of it stands still then."""
    os.kill(pid, signal.SIGSTOP)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        threads = [one / "stat" for one in Path(f"/proc/{pid}/task").iterdir()]
        if all(one.read_text().rpartition(")")[2].split()[0] == "T" for one in threads):
            return
        time.sleep(0.01)
    raise AssertionError(f"{pid} runs on")


def test_d2_what_rsyslog_had_not_read_when_it_was_killed_is_sent_again(tmp_path: Path) -> None:
    with rsyslog(tmp_path / "r") as running:
        sink = open_sink(f"syslog+tcp://127.0.0.1:{running.ports['tcp']}")
        sink.send(alert())
        assert len(running.wait(1)) == 1
        stop(running.pid)  # it takes connections and reads nothing
        failed: list[NotSent] = []

        def send() -> None:
            try:
                sink.send(alert("lost"))
            except NotSent as error:
                failed.append(error)

        thread = threading.Thread(target=send)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()  # it waits for rsyslog's word
        os.kill(running.pid, signal.SIGKILL)
        thread.join(40)
        assert not thread.is_alive()
        assert len(failed) == 1
        assert not failed[0].never


def test_a_receiver_that_resets_has_not_taken_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def reset() -> None:
            opened, _ = listening.accept()
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            opened.close()

        thread = threading.Thread(target=reset)
        thread.start()
        with pytest.raises(NotSent):
            open_sink(f"syslog+tcp://127.0.0.1:{listening.getsockname()[1]}").send(alert())
        thread.join()


def test_nobody_there_is_told() -> None:
    sink = open_sink(f"syslog+tcp://127.0.0.1:{free_port()}")
    for call in (sink.check, lambda: sink.send(alert())):
        with pytest.raises(NotSent, match="refused"):
            call()
