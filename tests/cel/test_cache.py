"""Programs as data: same results, no compiler loaded, no trust in what others may write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from martello.cel import cache
from martello.cel.env import Env
from martello.cel.issues import BadInput
from martello.cel.types import DYN, INT, Library, Overload
from martello.cel.values import EvalError

ENV = Env.kubernetes("1.34", variables={"object": DYN})
TEXTS = [
    "object.spec.containers.all(c, c.image.matches('^[a-z]+$') && c.n < 5u)",
    "object.a.startsWith('x') || type(object.a) == string",
    "quantity('1Gi').isLessThan(quantity('2Gi')) && size(object.spec.containers) == 1",
]
POD = {"a": "xyz", "spec": {"containers": [{"image": "nginx", "n": 1}]}}


def test_a_loaded_program_is_the_same_program() -> None:
    programs = [ENV.compile(text) for text in TEXTS]
    loaded = cache.load(cache.dump(programs))
    assert [p.source for p in loaded] == TEXTS
    for before, after in zip(programs, loaded, strict=True):
        assert after.parameters == before.parameters
        assert after.reads == before.reads
        assert after(object=POD) == before(object=POD)


def test_a_loaded_program_tells_where_it_fails() -> None:
    (program,) = cache.load(cache.dump([ENV.compile("1 == 1 && object.b.c == 2")]))
    with pytest.raises(EvalError) as raised:
        program(object={})
    start, end = program.locate(raised.value)
    assert program.source[start:end] == "object.b"


def test_a_loaded_program_is_attached_before_it_is_traced() -> None:
    (program,) = cache.load(cache.dump([ENV.compile("object.a == 'xyz'")]))
    with pytest.raises(EvalError, match="attach"):
        program.trace({"object": POD})
    assert program.attach(ENV).trace({"object": POD}).value is True
    assert program.run({"object": POD}).cost == 3


def test_functions_of_the_caller_are_handed_in_again() -> None:
    def twice(value: int) -> int:
        return 2 * value

    ours = Library("ours", (Overload("twice", "twice_int", (INT,), INT, twice),))
    data = cache.dump([ENV.extend(functions=[ours]).compile("twice(2)")])
    assert cache.load(data, [ours])[0]() == 4
    with pytest.raises(EvalError) as raised:
        cache.load(data)[0]()
    assert raised.value.needs == "ours"


def test_running_from_a_cache_loads_no_compiler(tmp_path: Path) -> None:
    file = tmp_path / "programs"
    file.write_bytes(cache.dump([ENV.compile(TEXTS[0])]))
    code = (
        "import sys; from martello.cel import cache;"
        f"(p,) = cache.load(open({str(file)!r}, 'rb').read());"
        f"assert p(object={POD!r}) is True;"
        "print(*(m for m in sys.modules if m.startswith('martello')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    for name in ("syntax", "check", "emit", "env", "compiler", "trace"):
        assert f"martello.cel.{name}" not in loaded
    assert "martello.cel.lib.quantity" not in loaded


def test_a_directory_keeps_programs(tmp_path: Path) -> None:
    directory = cache.Directory(tmp_path / "cache")
    name = cache.key(ENV.fingerprint, *TEXTS)
    assert directory.read(name) is None
    directory.write(name, cache.dump([ENV.compile(text) for text in TEXTS]))
    kept = directory.read(name)
    assert kept is not None
    assert [program.source for program in cache.load(kept)] == TEXTS
    assert [file.name for file in directory.path.iterdir()] == [name]
    assert cache.key(ENV.fingerprint, *TEXTS[1:]) != name


def test_a_directory_open_to_others_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "cache"
    place.mkdir(mode=0o755)
    place.chmod(0o755)
    with pytest.raises(BadInput, match="open to others"):
        cache.Directory(place)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    with pytest.raises(BadInput):
        cache.Directory(link)


def test_a_file_that_is_not_whole_or_writable_by_others_is_ignored(tmp_path: Path) -> None:
    directory = cache.Directory(tmp_path / "cache")
    name = cache.key("x")
    directory.write(name, b"kept")
    file = directory.path / name
    whole = file.read_bytes()
    for broken in (whole[:-1], whole[:-1] + b"x", b"", whole[: len(whole) // 2]):
        file.write_bytes(broken)
        assert directory.read(name) is None
    file.write_bytes(whole)
    file.chmod(0o666)
    assert directory.read(name) is None
    file.unlink()
    other = tmp_path / "other"
    other.write_bytes(whole)
    file.symlink_to(other)
    assert directory.read(name) is None
