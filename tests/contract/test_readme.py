"""README and docs are true: outputs compared, commands run, flags, checks and links exist."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from pathlib import Path
from typing import Final

import click
import pytest
from tests.support import senders, shop
from tests.support.asked import ask
from tests.support.command import martello
from tests.support.images import write_layout
from tests.support.monitoring import monitor
from tests.support.ports import free_port

from martello.catalogue.load import load
from martello.cli.main import cli

ROOT: Final = Path(__file__).parents[2]
README: Final = ROOT / "README.md"
WRITTEN: Final = sorted(
    p
    for p in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    if p.parent != ROOT / "docs" / "checks" and p != ROOT / "docs" / "cli.md"
)
EVERYTHING: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
# Flags of other programs that the pages speak of.
FOREIGN: Final = {
    *("--hypothesis-profile", "--audit-log-path", "--audit-webhook-config-file"),
    "--patch-file",  # of kubectl patch
}
FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
OUTPUT: Final = re.compile(
    r"<!-- the output of `martello ([^`]*)`[^\n]*-->\n```\n(.*?)```", re.DOTALL
)
SECONDS: Final = re.compile(r"\d+\.\d s$", re.MULTILINE)


def name(path: Path) -> str:
    """A page as the forge shows it."""
    return str(path.relative_to(ROOT))


def commands(path: Path) -> list[str]:
    """The `martello` lines of the shell blocks, without comments and what they are piped to."""
    blocks = [text for kind, text in FENCE.findall(path.read_text("utf-8")) if kind == "sh"]
    lines = [re.split(r" +#| \| | > ", line)[0] for text in blocks for line in text.splitlines()]
    return [line for line in lines if line.startswith("martello ")]


def anchors(path: Path) -> set[str]:
    """What a link may point at within a page, as forges make it of headings."""
    text = FENCE.sub("", path.read_text("utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


def test_golden_outputs() -> None:
    """README shows what its commands say; MARTELLO_GOLDEN=write puts it there."""
    text = README.read_text("utf-8")
    shown = list(OUTPUT.finditer(text))
    names = ["demo", "network", "paths", "monitor", "resources", "resources"]
    assert [one[1].split()[0] for one in shown] == names
    for one in reversed(shown):
        done = martello(*one[1].split(), env={"COLUMNS": "100"})
        assert done.code in (0, 1)
        true = SECONDS.sub("0.1 s", done.out)
        if os.environ.get("MARTELLO_GOLDEN") == "write":
            text = text[: one.start(2)] + true + text[one.end(2) :]
        else:
            assert one[2] == true
    if os.environ.get("MARTELLO_GOLDEN") == "write":
        README.write_text(text, "utf-8")


def with_images(place: Path) -> None:
    """What the pages on images find: a build, feeds, a database, keys, and the policy that the page
    itself shows.
    """
    write_layout(place / "build", {"": shop.shop()})
    shop.database(place)
    assert martello("image", "key", "release", cwd=place).code == 0
    text = (ROOT / "docs" / "practices" / "images.md").read_text("utf-8")
    policies = [text for kind, text in FENCE.findall(text) if "kind: ImagePolicy" in text]
    (place / "images.yaml").write_text(policies[0], "utf-8")


def with_monitor(place: Path, state: str, lake: str) -> None:
    """What the pages on monitor find: logs, and the store of a daemon that has seen one of them."""
    told = {"rule": "Shell", "output": "a shell", "priority": "Notice"}
    alert = {**told, "output_fields": {"proc.name": "sh"}, "time": senders.moment(time.time())}
    (place / "falco.log").write_text(f"{json.dumps(alert)}\n", "utf-8")
    log = b"".join(json.dumps(senders.event(n)).encode() + b"\n" for n in range(20))
    (place / "audit.log").write_bytes(log)
    with monitor(place, "--state", state, "--lake", lake, port=free_port()) as running:
        assert senders.post(running.port, log) == 200


@pytest.mark.parametrize("page", [page for page in WRITTEN if commands(page)], ids=name)
def test_its_commands_run(page: Path, tmp_path: Path) -> None:
    lines = commands(page)
    if page == README:
        assert len(lines) >= 7
    assert ask("demo", "--write", str(tmp_path / "deploy")).code == 0
    env = {
        "HOME": str(tmp_path / "home"),
        "MARTELLO_DATABASE": str(tmp_path / "advisories.db"),
        "MARTELLO_STATE": f"sqlite:///{tmp_path / 'state.db'}",
        "MARTELLO_LOCAL": "0",
    }
    if any(line.startswith(("martello image ", "martello db ")) for line in lines):
        with_images(tmp_path)
    if any(line.startswith("martello monitor ") for line in lines):
        env["MARTELLO_LAKE"] = (tmp_path / "lake").as_uri()
        with_monitor(tmp_path, env["MARTELLO_STATE"], env["MARTELLO_LAKE"])
    codes = {}
    for line in lines:
        line = line.replace("/etc/kubernetes/", "deploy/").replace(" TARGET", " oci:build")
        words = shlex.split(line)[1:]
        if words[:2] == ["scan", "demo"] or words == ["demo"]:
            continue  # tests/test_demo.py
        if page == README:
            done = martello(*words, cwd=tmp_path, kubeconfig=tmp_path / "none", env=env)
        else:
            done = ask(*words, cwd=tmp_path, env=env)
        codes[line] = done.code
        unreachable = any(word.startswith("cluster") for word in words) or words[0] == "doctor"
        assert done.code in ((4,) if unreachable else (0, 1)), (line, done)
    for line, code in codes.items():
        if " --baseline " in line:
            assert code == 0, "what was accepted a line before does not fail"


def flags() -> set[str]:
    """Every long flag of every command."""
    found = {"--help", "--version"}
    context = click.Context(cli)
    groups: list[click.Command] = [cli]
    while groups:
        command = groups.pop()
        found.update(flag for p in command.params for flag in (*p.opts, *p.secondary_opts))
        if isinstance(command, click.Group):
            below = (command.get_command(context, each) for each in command.list_commands(context))
            groups += [each for each in below if each is not None]
    return found


@pytest.mark.parametrize("page", WRITTEN, ids=name)
def test_the_flags_it_names_exist(page: Path) -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z]+(?:-[a-z]+)*", page.read_text("utf-8")))
    assert page != README or {"--fail-on", "--baseline"} <= named
    assert named - flags() - FOREIGN == set()


@pytest.mark.parametrize("page", WRITTEN, ids=name)
def test_the_checks_it_names_exist(page: Path) -> None:
    areas = "|".join(sorted({check.id.partition("-")[0] for check in load()}))
    text = page.read_text("utf-8")
    named = set(re.findall(rf"\b(?:{areas})-\d{{3}}\b", text))
    assert named - {check.id for check in load()} - rules(text) - {"POD-090"} == set()


def rules(text: str) -> set[str]:
    """The rules of monitor, and those that a page writes as its examples."""
    from martello.practices.monitor import packs
    from martello.practices.monitor.baseline import RULES

    own = set(re.findall(r"^(?:- )?id: (MON-\d{3})$", text, re.MULTILINE))
    return {*packs.default().rules, *(rule.id for rule in RULES), *own}


@pytest.mark.parametrize("page", EVERYTHING, ids=name)
def test_its_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text("utf-8"))
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(target)
    assert broken == []
