"""requirements.txt, Pipfile.lock, poetry.lock, pdm.lock, uv.lock, pylock.toml."""

from __future__ import annotations

import pytest
from tests.support.locks import parsed, together, told


def test_requirements_give_what_is_pinned() -> None:
    text = """# comment
a==1.0
B.b[extra,other] == 2.0 ; python_version < "3.9"  # why
c===3.0+local \\
    --hash=sha256:00 \\
    --hash=sha256:11
d == 4.0, < 5
(broken
e>=5.0
f==6.*
g @ https://x.local/g-7.0-py3-none-any.whl#sha256=00
h @ git+https://x.local/h
-e .
-e git+https://x.local/i
./beside
--index-url https://x.local/simple
-r more.in
-r requirements/base.txt
"""
    found = parsed("requirements.txt", text)
    assert told(found.packages) == ["B.b 2.0", "a 1.0", "c 3.0+local", "d 4.0", "g 7.0"]
    whys = [one.why for one in found.unread]
    assert whys[0].startswith("it refers to more.in,")
    assert "no pinned version of (broken, e, f, h, git+https://x.local/i" in whys[1]


def test_requirements_for_development_say_so_by_their_name() -> None:
    assert told(parsed("dev-requirements.txt", "a==1\n").packages) == ["a 1 dev"]
    assert told(parsed("requirements-dev.txt", "a==1\n").packages) == ["a 1 dev"]
    assert told(parsed("requirements.txt", "a==1\n").packages) == ["a 1"]


def test_requirements_may_have_a_byte_order_mark_or_be_utf_16() -> None:
    assert told(parsed("requirements.txt", b"\xef\xbb\xbfa==1\r\n").packages) == ["a 1"]
    assert told(parsed("requirements.txt", "a==1\r\n".encode("utf-16")).packages) == ["a 1"]


def test_pipfile_lock_has_a_section_for_development() -> None:
    text = """{"_meta": {}, "default": {"a": {"version": "==1.0"}, "g": {"git": "https://x.local"},
      "own": {"path": ".", "editable": true}, "any": {"version": "*"}},
      "develop": {"b": {"version": "==2.0"}, "a": {"version": "==1.0"}},
      "docs": {"c": {"version": "===3.0"}}}"""
    assert told(parsed("Pipfile.lock", text).packages) == [
        "a 1.0",
        "any ",
        "b 2.0 dev",
        "c 3.0",
        "g ",
    ]


def test_poetry_says_category_or_groups() -> None:
    old = """[[package]]
name = "a"
version = "1.0"
category = "main"
[[package]]
name = "b"
version = "2.0"
category = "dev"
"""
    new = """[[package]]
name = "a"
version = "1.0"
groups = ["main", "dev"]
[[package]]
name = "b"
version = "2.0"
groups = ["dev", "docs"]
[[package]]
name = "beside"
version = "0.1"
groups = ["main"]
[package.source]
type = "directory"
url = "../beside"
"""
    for text in (old, new):
        assert told(parsed("poetry.lock", text).packages) == ["a 1.0", "b 2.0 dev"]


def test_between_them_pyproject_toml_says_it() -> None:
    lock = """[[package]]
name = "a"
version = "1.0"
[package.dependencies]
B_x = ">=2"
[[package]]
name = "b-x"
version = "2.0"
[[package]]
name = "c"
version = "3.0"
"""
    project = """[tool.poetry.dependencies]
python = "^3.11"
A = "^1"
[tool.poetry.group.test.dependencies]
c = "*"
"""
    found = together({"p/poetry.lock": lock, "p/pyproject.toml": project})["p/poetry.lock"]
    assert told(found.packages) == ["a 1.0", "b-x 2.0", "c 3.0 dev"]
    assert told(parsed("poetry.lock", lock).packages) == ["a 1.0", "b-x 2.0", "c 3.0"]


def test_pdm_says_groups() -> None:
    text = """[[package]]
name = "a"
version = "1.0"
groups = ["default", "test"]
[[package]]
name = "a"
version = "1.0"
extras = ["x"]
groups = ["default"]
[[package]]
name = "b"
version = "2.0"
groups = ["test", "dev"]
[[package]]
name = "mine"
version = "0.1"
path = "./mine"
"""
    assert told(parsed("pdm.lock", text).packages) == ["a 1.0", "b 2.0 dev"]


def test_uv_follows_what_the_project_needs() -> None:
    text = """version = 1
[[package]]
name = "app"
version = "0.1"
source = { virtual = "." }
dependencies = [{ name = "a" }]
[package.optional-dependencies]
more = [{ name = "b", version = "2.0" }]
[package.dev-dependencies]
dev = [{ name = "d" }]
[[package]]
name = "a"
version = "1.0"
source = { registry = "https://x.local/simple" }
dependencies = [{ name = "c", marker = "sys_platform == 'win32'" }]
[[package]]
name = "b"
version = "2.0"
source = { git = "https://x.local/b#00" }
[[package]]
name = "b"
version = "1.0"
source = { registry = "https://x.local/simple" }
[[package]]
name = "c"
version = "3.0"
source = { registry = "https://x.local/simple" }
[[package]]
name = "d"
version = "4.0"
source = { registry = "https://x.local/simple" }
"""
    assert told(parsed("uv.lock", text).packages) == [
        "a 1.0",
        "b 1.0 dev",
        "b 2.0",
        "c 3.0",
        "d 4.0 dev",
    ]


def test_pylock_leaves_out_what_has_no_version() -> None:
    text = """lock-version = "1.0"
[[packages]]
name = "a"
version = "1.0"
[[packages]]
name = "b"
version = "2.0"
marker = "'dev' in dependency_groups"
[[packages]]
name = "c"
vcs = { type = "git", url = "https://x.local/c" }
[[packages]]
name = "mine"
version = "0.1"
directory = { path = "." }
"""
    assert told(parsed("pylock.web.toml", text).packages) == ["a 1.0", "b 2.0 dev"]
    with pytest.raises(ValueError, match="lock-version"):
        parsed("pylock.toml", 'lock-version = "2.0"\n')


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("poetry.lock", "[[package]"),
        ("poetry.lock", "[[package]]\nname = 1\n"),
        ("uv.lock", "a = " + "[" * 100_000),
        ("Pipfile.lock", "no"),
        ("requirements.txt", b"\xff\xfe\x00"),
        ("requirements.txt", b"\xc3\x28"),
    ],
)
def test_a_broken_lock_file_is_told(path: str, text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parsed(path, text)
