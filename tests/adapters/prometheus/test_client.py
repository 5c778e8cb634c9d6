"""A hostile or broken server: bounded in time and size, clear errors, no credential shown."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.certificates import Authority
from tests.support.http import serve as serve_plain
from tests.support.resources.prometheus_fake import Reply, error, serving
from tests.support.resources.sampled import quick, read
from tests.support.resources.series import BEGIN, container
from tests.support.tls import tls_server

from martello.adapters.prometheus.settings import Settings, settings
from martello.adapters.prometheus.source import Prometheus
from martello.core.errors import BadInput, MartelloError, NotPermitted, Unreachable

SECRET = "wooden-horse-42"
ONE = container("container_cpu_usage_seconds_total", [BEGIN + 30.0], [1.0], "shop/web-0/app")


def _failing(chosen: Settings) -> tuple[MartelloError, Prometheus]:
    source = Prometheus(chosen, metrics=("cpu",))
    with pytest.raises(MartelloError) as raised:
        read(source, BEGIN, BEGIN + 3600)
    return raised.value, source


def _query(reply: Reply) -> Callable[[str, Mapping[str, str]], Reply | None]:
    return lambda path, params: reply if path == "query" else None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"<html>sign in</html>",
        b'{"status":"success"',
        b'{"status":7}',
        b'{"status":"success","data":[1]}',
        b'{"status":"success","data":{"resultType":"vector","result":[]}}',
        b'{"status":"success","data":{"resultType":"matrix","result":{"a":1}}}',
        b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"pod":7}}]}}',
        b'{"status":"success","data":{"result":[{"metric":{"pod":"p","container":"c"},'
        b'"values":{"1":2}}]}}',
        b'{"status":"success","data":{"result":[{"metric":{"pod":"p","container":"c"},'
        b'"values":[[1]]}]}}',
        b'{"status":"success","data":{"result":[{"metric":{"pod":"p","container":"c"},'
        b'"values":[[1,true]]}]}}',
        b'{"status":"success","data":{"result":[{"metric":{"pod":"p","container":"c"},'
        b'"values":[[1,"1e999"]]}]}}',
        b'{"status":"error","error":"' + SECRET.encode() + b'\\u0007"}',
        b'{"status":"success","data":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"status":"success","warnings":"none","data":{"result":[]}}',
        b"\xff\xfe\x00",
    ],
    ids=range(18),
)
def test_what_is_no_answer_of_prometheus(body: bytes) -> None:
    with serving([ONE]) as fake:
        fake.instead = _query(Reply(body=body))
        failed, source = _failing(quick(fake.url))
    assert isinstance(failed, Unreachable)
    assert failed.what == f"{fake.url} is no Prometheus API"
    assert SECRET not in str(failed)
    assert len(str(failed)) < 600
    assert str(failed).replace("\n", "").isprintable()
    assert source.counts.queries < 10


@pytest.mark.parametrize("path", ["label/namespace/values", "series"])
def test_names_and_labels_of_another_type(path: str) -> None:
    with serving([ONE]) as fake:
        fake.instead = lambda asked, _: (
            Reply(body=b'{"status":"success","data":[{"a":1}]}') if asked == path else None
        )
        failed, _ = _failing(quick(fake.url))
    assert "is no Prometheus API" in failed.what


def test_a_body_without_end_is_cut_and_asked_for_in_smaller_pieces() -> None:
    sent: list[int] = []

    def forever(out: Any) -> None:
        while not out.wait(0):
            sent.append(1 << 16)
            out.write(b" " * (1 << 16))

    with serving([ONE]) as fake:
        fake.instead = _query(Reply(write=forever))
        chosen = quick(fake.url, largest=1 << 20, smallest=1000.0)
        source = Prometheus(chosen, metrics=("cpu",))
        found = read(source, BEGIN, BEGIN + 3600)
    assert {gap.why for gap in found.gaps[:-1]} == {"its answer is larger than 1 MiB"}
    assert source.counts.queries <= 10
    assert source.counts.halved == 2


@pytest.mark.parametrize("status", [200, 500])
def test_a_gzip_bomb_does_not_burst(status: int) -> None:
    bomb = gzip.compress(bytes(48 << 20), 1)
    reply = Reply(status, bomb, {"Content-Encoding": "gzip"})
    with serving([ONE]) as fake:
        fake.instead = _query(reply)
        source = Prometheus(quick(fake.url, largest=4 << 20, smallest=4000.0), metrics=("cpu",))
        tracemalloc.start()
        try:
            if status == 200:
                found = read(source, BEGIN, BEGIN + 3600)
                assert found.gaps[0].why == "its answer is larger than 4 MiB"
            else:
                with pytest.raises(Unreachable, match="did not answer"):
                    read(source, BEGIN, BEGIN + 3600)
                assert source.counts.bytes < 1 << 20
            assert tracemalloc.get_traced_memory()[1] < 16 << 20
        finally:
            tracemalloc.stop()


def test_gzip_that_is_none_or_ends_early() -> None:
    good = gzip.compress(b'{"status":"success","data":{"result":[]}}')
    with serving([ONE]) as fake:
        fake.instead = _query(Reply(200, b"no gzip at all", {"Content-Encoding": "gzip"}))
        failed, _ = _failing(quick(fake.url))
        assert "it is not the gzip that it says it is" in failed.why
        fake.instead = _query(Reply(200, good[:-9], {"Content-Encoding": "gzip"}))
        failed, _ = _failing(quick(fake.url))
        assert "its gzip ends too early (5 tries)" in failed.why
        fake.instead = _query(Reply(200, good, {"Content-Encoding": "br"}))
        failed, _ = _failing(quick(fake.url))
        assert "packed in a way that we did not ask for" in failed.why


def test_a_body_that_drips_is_given_up_in_time() -> None:
    def drip(out: Any) -> None:
        while not out.wait(0.05):
            out.write(b" ")

    with serving([ONE]) as fake:
        fake.instead = _query(Reply(write=drip))
        chosen = quick(fake.url, seconds=0.4, smallest=4000.0)
        source = Prometheus(chosen, metrics=("cpu",))
        found = read(source, BEGIN, BEGIN + 3600)
    assert found.gaps[0].why == "its answer did not come within 0.4 s"


def test_a_connection_that_breaks_in_the_middle_is_tried_again_in_smaller_pieces() -> None:
    def broken(out: Any) -> None:
        out.write(b'{"status":"succ')

    def cut(path: str, params: Mapping[str, str]) -> Reply | None:
        if path != "query":
            return None
        headers = {"Content-Length": "1000000"}
        return Reply(write=broken, headers=headers) if len(fake.queries()) < 3 else None

    with serving([ONE]) as fake:
        fake.instead = cut
        source = Prometheus(quick(fake.url), metrics=("cpu",))
        found = read(source, BEGIN, BEGIN + 3600)
        assert len(found.chunks) == 1
        assert source.counts.halved == 2
        fake.instead = _query(Reply(write=broken, headers={"Content-Length": "1000000"}))
        failed, source = _failing(quick(fake.url))
    assert isinstance(failed, Unreachable)
    assert "5 tries" in failed.why


def test_redirects_are_not_followed_and_take_no_credentials(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(SECRET)
    with serve_plain(lambda path: (200, {})) as other, serving([ONE]) as fake:
        location = {"Location": f"{other.url.replace('//', '//me:word@')}/login?next={SECRET}"}
        fake.instead = lambda path, params: Reply(302, b"", location)
        chosen = settings(
            fake.url, token_file=str(token), headers=[f"X-Api-Key: {SECRET}", "Cookie: a=b"]
        )
        failed, source = _failing(chosen)
        assert other.asked == []
    assert isinstance(failed, Unreachable)
    assert f"to {other.url[7:]}" in failed.why
    assert "credentials do not follow" in failed.why
    assert SECRET not in str(failed)
    assert "word" not in str(failed)
    assert source.counts.queries == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 422, 429, 500, 503, 302, 204, 101])
def test_a_server_that_repeats_what_we_sent_shows_no_secret(tmp_path: Path, status: int) -> None:
    file = tmp_path / "user"
    file.write_text(f"alice:{SECRET}")

    def echo(path: str, params: Mapping[str, str]) -> Reply:
        sent = json.dumps(fake.headers[-1]) + SECRET + "alice:" + SECRET
        return error(status, "execution", sent)

    with serving([ONE]) as fake:
        fake.instead = echo
        chosen = settings(fake.url, user_file=str(file), headers=["X-Key: another-secret"])
        failed, _ = _failing(msgspec.structs.replace(chosen, sleep=lambda seconds: None))
    told = f"{failed} {failed!r} {failed.__cause__!r} {failed.__context__!r}"
    for secret in (SECRET, "another-secret", "YWxpY2U6", "alice:wood"):
        assert secret not in told


def test_the_settings_show_no_secret(tmp_path: Path) -> None:
    chosen = settings(
        f"https://alice:{SECRET}@prom.example/path", headers=["X-Scope-OrgID: team-secret"]
    )
    assert SECRET not in repr(chosen)
    assert "team-secret" not in repr(chosen)
    assert chosen.url == "https://prom.example/path"


def test_a_path_that_is_missing_is_told() -> None:
    with serve_plain(lambda path: (404, b"404 page not found")) as server:
        failed, source = _failing(quick(server.url))
    assert failed.what == f"{server.url} is no Prometheus API"
    assert "/api/v1/query (404)" in failed.why
    assert "/prometheus" in failed.next
    assert source.counts.queries == 1


def test_certificates_are_verified_and_shown(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.server("prometheus", "127.0.0.1")
    mine = authority.client("martello")
    body = b'{"status":"success","data":[]}'
    with tls_server(certificate, key, body, clients=authority.file) as url:
        failed, source = _failing(quick(url))
        assert failed.what.startswith("cannot trust 127.0.0.1")
        assert "--ca" in failed.next
        assert source.counts.queries == 1
        failed, _ = _failing(quick(url, ca=str(authority.file)))
        assert isinstance(failed, Unreachable)
        ours = quick(url, ca=str(authority.file), cert=str(mine[0]), key=str(mine[1]))
        assert not read(Prometheus(ours, metrics=("cpu",)), BEGIN, BEGIN + 60).chunks
        anyone = quick(url, insecure=True, cert=str(mine[0]), key=str(mine[1]))
        assert not read(Prometheus(anyone, metrics=("cpu",)), BEGIN, BEGIN + 60).chunks
    with pytest.raises(BadInput, match="cannot use"):
        read(Prometheus(quick(url, ca=str(tmp_path / "none")), metrics=("cpu",)), 0, 1)


def test_a_token_that_is_gone(tmp_path: Path) -> None:
    with serving([ONE]) as fake:
        failed, source = _failing(quick(fake.url, token_file=str(tmp_path / "none")))
    assert isinstance(failed, NotPermitted)
    assert source.counts.queries == 0
