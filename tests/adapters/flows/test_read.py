"""The facade: detection, files and patterns, compression, bad lines, standard input, following."""

from __future__ import annotations

import gzip
import io
import json
import threading
from pathlib import Path

import pytest
from tests.support.network.flowlines import raw, read

from martello.adapters.flows.read import read_flows
from martello.adapters.zstd import zstd
from martello.core.errors import BadInput

HUBBLE = json.dumps(
    {
        "flow": {
            "verdict": "FORWARDED",
            "IP": {"source": "10.0.1.1", "destination": "10.0.2.2"},
            "l4": {"TCP": {"source_port": 40000, "destination_port": 80}},
        }
    }
)
CONNTRACK = (
    "tcp 6 9 ESTABLISHED src=10.0.1.1 dst=10.0.2.2 sport=4 dport=80 src=10.0.2.2 dst=10.0.1.1"
)


def test_it_can_be_walked_again(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(raw([HUBBLE, HUBBLE]))
    found = read_flows([str(tmp_path / "a")])
    assert list(found) == list(found)
    assert (found.lines, found.flows) == (2, 2)


def test_each_file_is_read_by_its_own_reader(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(raw([HUBBLE, "", HUBBLE]))
    (tmp_path / "b.jsonl").write_bytes(raw([CONNTRACK]))
    found = read_flows([str(tmp_path / "*.jsonl"), str(tmp_path / "a.jsonl")])
    witnesses = [Path(flow.witness).name for flow in found]
    assert witnesses == ["a.jsonl:1", "a.jsonl:3", "b.jsonl:1"]
    assert list(found.readers.values()) == ["hubble", "conntrack"]
    assert (found.lines, found.flows, found.bad) == (3, 3, 0)


@pytest.mark.parametrize("press", [gzip.compress, zstd.compress])
def test_compressed_files(tmp_path: Path, press: object) -> None:
    file = tmp_path / "flows"
    assert callable(press)
    packed = press(raw([HUBBLE] * 3))
    file.write_bytes(packed)
    assert len(list(read_flows([str(file)]))) == 3
    file.write_bytes(packed[:-6])
    with pytest.raises(BadInput, match="cannot read"):
        list(read_flows([str(file)]))


def test_a_bomb_is_not_unpacked_whole(tmp_path: Path) -> None:
    file = tmp_path / "bomb.zst"
    press = zstd.ZstdCompressor()
    with file.open("wb") as out:
        out.write(press.compress(raw([HUBBLE] * 100)))
        for _ in range(300):
            out.write(press.compress(bytes(1 << 20)))
        out.write(press.flush())
    with pytest.raises(BadInput, match="cannot read") as error:
        list(read_flows([str(file)]))
    assert error.value.why == "it unpacks to more than 1000 times its size"


def test_log_files_of_containers() -> None:
    stamp = "2026-03-01T10:00:00.1Z stdout F "
    flows, found = read(stamp + HUBBLE, stamp + HUBBLE, max_bad=0)
    assert (len(flows), found.readers) == (2, {"stdin": "hubble"})


def test_a_mark_at_the_start_and_ends_of_windows() -> None:
    flows, _ = read(b"\xef\xbb\xbf" + HUBBLE.encode() + b"\r", HUBBLE + "\r", max_bad=0)
    assert len(flows) == 2


def test_nothing_is_no_fault() -> None:
    flows, found = read(max_bad=0)
    assert (flows, found.lines, found.readers) == ([], 0, {})


def test_few_bad_lines_are_counted_and_shown() -> None:
    flows, found = read(*[HUBBLE] * 98, '{"flow":1}', "\x1b[31m", '{"x', "{}", max_bad=0.04)
    assert (len(flows), found.bad) == (98, 4)
    assert found.first_bad == tuple(
        f"stdin:{number}: it is no flow of Hubble" for number in (99, 100, 101)
    )


def test_too_many_are_refused_and_named() -> None:
    with pytest.raises(BadInput, match="2 of 3 lines are no flows") as error:
        read(HUBBLE, "{}", "{}", max_bad=0.01)
    assert error.value.why == "stdin:2: it is no flow of Hubble; stdin:3: it is no flow of Hubble"
    assert len(read(HUBBLE, "{}", max_bad=0.01)[0]) == 1  # one of at least a hundred


def test_a_hopeless_file_is_not_read_on() -> None:
    found = read_flows(["-"], stdin=io.BytesIO(raw([HUBBLE, *["{}"] * 9000])), max_bad=0.01)
    with pytest.raises(BadInput):
        list(found)
    assert found.lines < 1100


@pytest.mark.parametrize("text", ["hello\nworld\n", "\0\1\2", "{}\n" * 200, "[1]\n"])
def test_an_unknown_format_is_said(text: str) -> None:
    with pytest.raises(BadInput, match="cannot tell what flows stdin holds") as error:
        list(read_flows(["-"], stdin=io.BytesIO(text.encode())))
    assert "hubble, goldmane, calico" in error.value.next


def test_paths_that_are_not_there(tmp_path: Path) -> None:
    for path in ("no\x1b[31m", str(tmp_path / "*.jsonl"), str(tmp_path)):
        with pytest.raises(BadInput, match="cannot read") as error:
            read_flows([path])
        assert str(error.value).replace("\n", "").isprintable()
    for wrong in ({"reader": "pcap"}, {"max_bad": 2.0}):
        with pytest.raises(BadInput):
            read_flows(["-"], **wrong)
    with pytest.raises(BadInput, match="no flows to read"):
        read_flows([])


def test_standard_input_is_read_as_it_comes() -> None:
    def write(end: int) -> None:
        with open(end, "wb", buffering=0) as out:
            out.write(raw([HUBBLE]))
            assert went_on.wait(4)
            out.write(raw([HUBBLE])[:20])
            out.write(raw([HUBBLE])[20:])

    import os

    went_on = threading.Event()
    reading, writing = os.pipe()
    writer = threading.Thread(target=write, args=(writing,))
    writer.start()
    with open(reading, "rb") as stdin:
        flows = iter(read_flows(["-"], stdin=stdin))
        assert next(flows).witness == "stdin:1"  # before anything more was written
        went_on.set()
        assert next(flows).witness == "stdin:2"
        assert next(flows, None) is None
    writer.join()


def test_a_file_that_grows_is_followed(tmp_path: Path) -> None:
    file = tmp_path / "flows.jsonl"
    file.write_bytes(raw([HUBBLE]) + b'{"flow"')
    flows = iter(read_flows([str(file)], follow=True))
    assert next(flows).witness.endswith(":1")
    with file.open("ab") as out:
        out.write(raw([HUBBLE])[7:])
    assert next(flows).witness.endswith(":2")
    # cut, and written anew; then moved away, with a last line, and made anew
    file.write_bytes(b"")
    writer = threading.Timer(0.3, lambda: file.write_bytes(raw([HUBBLE.replace("80", "8")])))
    writer.start()
    assert next(flows).port == 8
    writer.join()
    with file.open("ab") as out:
        file.rename(tmp_path / "old")
        file.write_bytes(raw([HUBBLE.replace("80", "10")]))
        out.write(HUBBLE.replace("80", "9").encode())
    assert [next(flows).port, next(flows).port] == [9, 10]
    flows.close()  # type: ignore[attr-defined]
    with pytest.raises(BadInput, match="several"):
        read_flows([str(file), "-"], follow=True)
