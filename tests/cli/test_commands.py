"""The command line's contract: help, errors in three lines, exit codes, colour, flags."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tests.support import forked
from tests.support.asked import ask
from tests.support.command import SRC, Done, martello

from martello import __version__
from martello.cli.errors import EXTRAS, run
from martello.cli.main import COMMANDS, cli

ESCAPE = "\x1b["
FINDINGS = ("scan", "demo")


def walk(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command of the tree with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from walk(command, (*path, name))


COMMANDS_BELOW = [(), *(path for path, _ in walk(cli))]


def in_three_lines(done: Done, code: int = 2) -> list[str]:
    """Asserts what every error has in common, and returns its lines."""
    assert done.code == code, done
    assert done.out == ""
    lines = done.err.splitlines()
    assert 2 <= len(lines) <= 3, done.err
    assert lines[-1].startswith("next: ")
    assert len(lines) == 2 or lines[1].startswith("because ")
    return lines


@pytest.mark.parametrize("path", COMMANDS_BELOW, ids=" ".join)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(path: tuple[str, ...], flag: str) -> None:
    done = ask(*path, flag)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: {' '.join(('martello', *path))} ")
    assert max(map(len, done.out.splitlines())) <= 100


@pytest.mark.parametrize("words", [("--help",), ("network", "can", "-h"), ("scan", "--xyzzy")])
def test_a_process_says_what_is_said_in_this_one(words: tuple[str, ...]) -> None:
    assert martello(*words, env={"COLUMNS": "80"}) == ask(*words)


def test_help_lists_every_command_with_its_own_first_line() -> None:
    listed = martello("--help").out
    for name, (_, text) in COMMANDS.items():
        assert re.search(rf"^  {name} +\S", listed, re.MULTILINE)
        assert text.split(":")[0] in " ".join(listed.split())


@pytest.mark.parametrize("path", COMMANDS_BELOW, ids=" ".join)
def test_unknown_flag(path: tuple[str, ...]) -> None:
    lines = in_three_lines(ask(*path, "--xyzzy"))
    assert lines[0] == "no such option '--xyzzy'"
    assert lines[-1].endswith("--help")


@pytest.mark.parametrize("path", [(), ("config",)], ids=" ".join)
def test_a_group_alone_shows_its_help_and_is_no_success(path: tuple[str, ...]) -> None:
    done = martello(*path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: martello ")


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_version(flag: str) -> None:
    assert martello(flag) == Done(0, f"martello {__version__}\n", "")


def test_scan_alone_judges_the_current_directory(tmp_path: Path) -> None:
    done = forked.martello("scan", cwd=tmp_path)
    assert done.code == 3
    assert done.out.splitlines()[-1].startswith("exit 3: nothing to judge")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("explain",), "missing argument 'ID...'"),
        (("completion",), "missing argument '{bash|zsh|fish}'. Choose from: bash, zsh, fish"),
        (("completion", "tcsh"), "invalid value for '{bash|zsh|fish}': 'tcsh'"),
        (("scna",), "no such command: scna"),
        (("config", "shwo"), "no such command 'shwo'. Did you mean 'show'?"),
        (("demo", "x"), "got unexpected extra argument (x)"),
        (("scan", "--shwo", "high"), "no such option '--shwo'. Did you mean '--show'?"),
        (("scan", "-o"), "option '-o' requires an argument"),
        (("scan", "nothing"), "cannot read nothing"),
        (("scan", "nginx:1"), "cannot read nginx:1"),
        (("scan", "bundle:nothing"), "cannot read nothing"),
        (("doctor", "nothing"), "cannot read nothing"),
        (("explain", "POD-999"), "no such check: POD-999"),
        (("explain", "POD-001", "--policies", "nothing"), "no directory nothing"),
        ((*FINDINGS, "--show", "bad"), "invalid value for '--show': 'bad'"),
        ((*FINDINGS, "--fail-on", "bad"), "invalid value for '--fail-on': 'bad'"),
        ((*FINDINGS, "--check", "POD-999"), "no such check: POD-999"),
        ((*FINDINGS, "--skip", "POD-999"), "no such check: POD-999"),
        ((*FINDINGS, "--framework", "nothing"), "no framework nothing"),
        ((*FINDINGS, "--kubernetes", "one"), "no Kubernetes version: one"),
        ((*FINDINGS, "--require", "flows"), "no such practice: flows"),
        ((*FINDINGS, "--baseline", "nothing"), "cannot read nothing"),
        ((*FINDINGS, "--waivers", "nothing"), "no such file or directory: nothing"),
        ((*FINDINGS, "--policies", "nothing"), "no directory nothing"),
        ((*FINDINGS, "-o", "jsn"), "no such report format: jsn"),
        ((*FINDINGS, "-o", "json", "-o", "sarif"), "json and sarif cannot both go to stdout"),
        ((*FINDINGS, "-o", "json=x", "-o", "sarif=x"), "two reports cannot both go to x"),
        ((*FINDINGS, "-o", "json="), "-o json= names no file"),
        ((*FINDINGS, "--context", "prod"), "--context prod names a cluster"),
        (("scan", "cluster:a", "--context", "b"), "cluster:a and --context b name two clusters"),
        ((*FINDINGS, "-l", "app in"), "no label selector: app in"),
        ((*FINDINGS, "--check", "POD-001", "--skip", "POD-001"), "no check is left to run"),
        ((*FINDINGS, "--write-baseline", "no/such/file"), "cannot write no/such/file"),
    ],
)
def test_wrong_input_is_three_lines(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    assert in_three_lines(forked.martello(*words, cwd=tmp_path))[0].startswith(said)


def test_no_cluster_is_told_from_wrong_input(tmp_path: Path) -> None:
    in_three_lines(martello("scan", "cluster", cwd=tmp_path, kubeconfig=tmp_path / "none"), 4)
    in_three_lines(martello("doctor", cwd=tmp_path, kubeconfig=tmp_path / "none"), 4)


def test_a_wrong_setting_says_where_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "martello.toml").write_text('fail-onn = "high"\n')
    lines = in_three_lines(forked.martello("scan", "demo", cwd=tmp_path))
    assert lines[-1] == "next: did you mean 'fail-on'?"
    done = forked.martello("scan", "demo", cwd=tmp_path, env={"MARTELLO_SHOW": "all"})
    assert "unknown setting" in in_three_lines(done)[0]


def test_one_flag_has_one_meaning() -> None:
    """Within one noun; which formats there are, and on which side of a key one stands, differs."""
    meanings: dict[tuple[str, str], set[str]] = {}
    everywhere: dict[str, set[str]] = {}
    for path, command in walk(cli):
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, (path, option.name)
                for flag in (*option.opts, *option.secondary_opts):
                    meanings.setdefault((path[0], flag), set()).add(option.help)
                    everywhere.setdefault(flag, set()).add(option.help)
    others = {where: told for where, told in meanings.items() if len(told) > 1}
    assert {flag for _, flag in others} <= {"-o", "--output", "--key", "--data"}, others
    for flag in ("-A", "-l", "--context", "--kubeconfig", "--db", "--state", "--fail-on", "--all"):
        assert len(everywhere[flag]) == 1, everywhere[flag]
    assert {"-n", "-A", "-l", "-o"} <= set(everywhere)
    assert all(re.fullmatch(r"-[A-Za-z]|--[a-z]+(-[a-z]+)*", flag) for flag in everywhere)


def test_several_reports_in_one_run(tmp_path: Path) -> None:
    words = ("-o", "json=r.json", "-o", "table", "-o", "sarif=r.sarif", "-o", "json=again.json")
    done = forked.martello("scan", "demo", *words, cwd=tmp_path)
    assert done.code == 1
    assert done.out.splitlines()[-1].startswith("exit 1: ")
    assert {p.name for p in tmp_path.iterdir()} == {"r.json", "r.sarif", "again.json"}
    assert (tmp_path / "r.json").read_bytes() == (tmp_path / "again.json").read_bytes()
    assert json.loads((tmp_path / "r.sarif").read_text())["version"] == "2.1.0"


def test_a_file_alone_leaves_stdout_empty(tmp_path: Path) -> None:
    done = forked.martello("scan", "demo", "-o", "json=r.json", cwd=tmp_path)
    assert (done.code, done.out) == (1, "")


def test_flags_work_anywhere_in_the_line(tmp_path: Path) -> None:
    before = forked.martello("scan", "--fail-on", "never", "demo", "-o", "json", cwd=tmp_path)
    behind = forked.martello("scan", "demo", "-o", "json", "--fail-on", "never", cwd=tmp_path)
    assert before == behind
    assert before.code == 0


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "0"}, False),
        ({"CLICOLOR_FORCE": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": ""}, True),
    ],
)
@pytest.mark.parametrize("words", [("demo",), FINDINGS], ids=" ".join)
def test_colour_through_a_pipe(
    words: tuple[str, ...], environment: dict[str, str], coloured: bool
) -> None:
    assert (ESCAPE in martello(*words, env=environment).out) is coloured


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_columns_wrap_and_cut_nothing(columns: int) -> None:
    wide = forked.martello("scan", "demo", "--all").out
    narrow = forked.martello("scan", "demo", "--all", env={"COLUMNS": str(columns)}).out
    assert max(map(len, narrow.splitlines()[:-1])) <= columns
    seconds = re.compile(r"\d+\.\d\s+s")
    assert seconds.sub("", narrow).split() == seconds.sub("", wide).split()


def test_a_screen_of_findings_has_twenty_lines_and_says_what_it_leaves_out() -> None:
    lines = forked.martello("scan", "demo", env={"COLUMNS": "60"}).out.splitlines()
    (more,) = [i for i, line in enumerate(lines) if line.endswith(" more: --all")]
    assert more <= 20
    assert lines[0].startswith("critical")
    assert any(line.startswith("          fix: ") for line in lines[:8])
    start = re.compile(r"(?:critical|high|medium|low) +[A-Z]+-\d{3}  ")
    shown = sum(1 for line in lines if start.match(line))
    left = int(lines[more].split()[0])
    everything = forked.martello("scan", "demo", "--all").out.splitlines()
    assert sum(1 for line in everything if start.match(line)) == shown + left


def on_a_terminal(*words: str, columns: int, env: dict[str, str]) -> str:
    """What a command writes to a terminal of a width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    plain = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "martello.cli.main", *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**plain, "PYTHONPATH": str(SRC), **env},
    )
    os.close(theirs)
    told = b""
    try:
        while chunk := os.read(ours, 65536):
            told += chunk
    except OSError:  # Linux says EIO where the other end is closed
        pass
    os.close(ours)
    process.wait(timeout=30)
    return told.decode()


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("words", [("demo",), ("scan", "demo", "--all")], ids=" ".join)
def test_a_terminal_gets_its_width_and_sixteen_colours(
    words: tuple[str, ...], columns: int
) -> None:
    told = on_a_terminal(*words, columns=columns, env={"TERM": "xterm"})
    assert set(re.findall(r"\x1b\[[\d;]*[A-Za-z]", told)) <= {
        f"{ESCAPE}{code}m" for code in ("0", "1", "2", "31", "32", "33", "35", "36", "1;31")
    }
    bare = re.sub(r"\x1b\[[\d;]*m", "", told)
    assert bare != told
    assert max(map(len, bare.splitlines())) <= columns
    assert all(line == line.rstrip() for line in bare.splitlines())


def test_a_dumb_terminal_gets_no_colour() -> None:
    assert ESCAPE not in on_a_terminal("demo", columns=80, env={"TERM": "dumb"})


INTERRUPTIBLE = """
import signal
from martello.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background ignores it
print("up", flush=True)
main()
"""


def test_interrupted() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, "scan", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SRC)},
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == "up\n"
            time.sleep(0.5)  # by then it waits for more of the stream
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=10) == 130
            assert process.stdout.read() == ""
            assert process.stderr.read().strip() == "interrupted: the result is incomplete"
        finally:
            process.kill()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_that_calls_back(shell: str) -> None:
    script = martello("completion", shell).out
    assert "_MARTELLO_COMPLETE" in script


def test_a_missing_extra_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    @click.command()
    def heavy() -> None:
        raise ModuleNotFoundError("No module named 'polars'", name="polars.internals")

    assert run(heavy, []) == 2
    assert capsys.readouterr().err.splitlines() == [
        "this needs the extra 'monitor' of martello",
        "because polars.internals is not installed",
        "next: pip install 'martello[monitor]'",
    ]


def test_another_missing_module_is_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    @click.command()
    def broken() -> None:
        raise ModuleNotFoundError("No module named 'martello.nothing'", name="martello.nothing")

    assert run(broken, []) == 70
    assert capsys.readouterr().err.startswith("internal error: ModuleNotFoundError\n")


def test_every_extra_of_the_package_is_known() -> None:
    import tomllib

    project = tomllib.loads((SRC.parent / "pyproject.toml").read_text())["project"]
    assert set(EXTRAS.values()) == set(project["optional-dependencies"]) - {"all"}


def test_checks_are_skipped_by_any_of_their_names(tmp_path: Path) -> None:
    for name in ("POD-001", "pod-001", "privileged-container", "CKV_K8S_16", "KSV017"):
        done = forked.martello("scan", "demo", "--skip", name, "-o", "json", cwd=tmp_path)
        assert "POD-001" not in {check["id"] for check in done.report["checks"]}, name


def test_parameters_of_unknown_checks_are_mistakes(tmp_path: Path) -> None:
    (tmp_path / "martello.toml").write_text("[checks.POD-9999]\nx = 1\n")
    assert (
        in_three_lines(forked.martello("scan", "demo", cwd=tmp_path))[0]
        == "no such check: POD-9999"
    )
    (tmp_path / "martello.toml").write_text("[checks.few-replicas]\nmin-replicas = 1\n")
    assert forked.martello("scan", "demo", "--check", "RES-017", cwd=tmp_path).code == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_below_stdout_costs_that_report_alone(tmp_path: Path) -> None:
    program = f"{sys.executable} -m martello.cli.main scan demo -o table -o json=report.json"
    done = subprocess.run(
        f"{program} > /dev/full",
        shell=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "cannot write to stdout"
    assert json.loads((tmp_path / "report.json").read_text())["schema"] == "martello/v1"


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "martello", "--version"],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith(b"martello ")


def test_whoever_closes_stdout_does_not_turn_findings_into_success(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "martello.cli.main", "scan", "demo", "-o", "table"]
    done = subprocess.run(
        [*command, "-o", "json=report.json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SRC)},
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")
    assert json.loads((tmp_path / "report.json").read_text())["summary"]["exit"] == 1


def test_settings_of_a_repository_do_not_reach_the_terminal_raw(tmp_path: Path) -> None:
    (tmp_path / "martello.toml").write_text('exclude = ["a\\u001b[2J\\nb"]\n')
    done = martello("config", "show", cwd=tmp_path)
    assert "\x1b" not in done.out
    assert "a\\x1b[2J\\nb" in done.out
