"""A day of mixed events in a real lake: the trend that was planted in it is told first."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

pytest.importorskip("pyarrow")

from martello.adapters.batch import table
from martello.adapters.sensors.shape import Place, gap
from martello.cli.monitor import reporting
from martello.cli.monitor.reporting import daily
from martello.core.alert import Alert
from martello.core.errors import BadInput
from martello.report.monitor import daily as report
from martello.store.files import LocalFiles
from martello.store.intake import Intake
from martello.store.lake import Lake
from martello.store.outbox import Outbox
from martello.store.segments import Name
from martello.store.spool import Spool
from martello.store.state import open_state

BEGIN = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp()) * 1_000_000_000
HOUR = 3_600_000_000_000
USERS = [f"system:serviceaccount:ns-{n}:app" for n in range(20)] + ["alice", "bob"]


def day(random: Random) -> list[dict[str, Any]]:
    """A day of audit, process and network events; from 15:00 on one account is denied ever more."""
    events: list[dict[str, Any]] = []
    for hour in range(24):
        busy = 3 if 8 <= hour < 18 else 1
        for user in USERS:
            for _ in range(random.randrange(5 * busy, 9 * busy)):
                verb, code = random.choice(["get", "list", "patch"]), 200
                if random.random() < 0.03:
                    code = 403
                events.append(request(random, hour, user, verb, code))
        for workload in range(6):
            for _ in range(random.randrange(8, 14)):
                events.append(
                    {
                        "kind": "process",
                        "action": "exec",
                        "k8s_ns": "shop",
                        "pod_workload": f"deploy/w{workload}",
                        "proc_exe": random.choice(["/usr/bin/curl", "/bin/date"]),
                        "time": BEGIN + hour * HOUR + random.randrange(HOUR),
                    }
                )
        if hour >= 15:
            runner = "system:serviceaccount:ci:runner"
            events += [request(random, hour, runner, "get", 403) for _ in range(25)]
    for number, event in enumerate(events):
        event.update(id=f"e{number}", source="test", cluster="prod")
    return events


def request(random: Random, hour: int, user: str, verb: str, code: int) -> dict[str, Any]:
    """One request of an hour."""
    return {
        "kind": "audit",
        "action": verb,
        "api_verb": verb,
        "api_code": code,
        "actor_user": user,
        "k8s_resource": "deployments" if code == 200 else "secrets",
        "k8s_ns": "shop",
        "time": BEGIN + hour * HOUR + random.randrange(HOUR),
    }


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> report.Daily:
    """The report of that day out of a lake on the disk."""
    root = tmp_path_factory.mktemp("lake")
    random = Random(11)
    events = day(random)
    tables = {
        kind: table(kind, [one for one in events if one["kind"] == kind])
        for kind in ("audit", "process")
    }
    alert = Alert(
        *("a1", "MON-112", "h", "high", "Secrets listed in every namespace", "says"),
        {"actor_user": "mallory|<b>"},
        BEGIN + 16 * HOUR,
        BEGIN + 16 * HOUR,
        cluster="prod",
    )
    with open_state(f"sqlite:///{root / 'state.db'}") as state, Spool(root / "spool") as spool:
        lake = Lake(LocalFiles(root / "lake"))
        intake = Intake(state, lake, spool, Name("prod", "test", "x"), "me")
        spool.append(intake.name.key, b"all of it")
        assert intake.flush(lambda _: tables)
        Outbox(state).put([alert], [])
        intake.close()
        since = BEGIN // 1000
        return daily(state, lake, since, since + 24 * 3_600_000_000)


def test_the_planted_trend_is_first(told: report.Daily) -> None:
    first = told.trends[0]
    assert first.says.startswith("Denied requests of system:serviceaccount:ci:runner")
    assert "began at 15:00" in first.says
    assert first.counts[15:] == (25,) * 9
    assert not [one for one in told.trends[1:] if "ci:runner" in one.says]


def test_everything_that_was_kept_is_counted(told: report.Daily) -> None:
    assert sum(told.hours) == sum(told.events.values())
    assert told.events["process"] > 1_000
    assert told.alerts[0].rule == "MON-112"
    assert any(who == "alice" for _, who, _ in told.people)


def test_it_is_told_as_markdown_html_and_json(told: report.Daily, tmp_path: Path) -> None:
    for name in ("markdown", "html", "json"):
        with (tmp_path / name).open("w") as out:
            getattr(report, f"write_{name}")(told, out)
    markdown = (tmp_path / "markdown").read_text()
    changed = markdown.split("## What changed")[1]
    assert changed.strip().startswith("1. **Denied requests of system:serviceaccount:ci:runner")
    assert "mallory\\|\\<b\\>" in markdown
    page = (tmp_path / "html").read_text()
    assert page.index("Denied requests of") < page.index("<h2>Alerts")
    assert page.count("<svg") == 1 + len(told.trends)
    assert "<b>" not in page
    assert json.loads((tmp_path / "json").read_text())["trends"][0]["at"] == 15


def test_a_flood_of_names_leaves_the_report_and_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "_ROWS", 24 * 40)
    random = Random(3)
    events = [request(random, h, f"u{n}", "get", 200) for n in range(300) for h in (1, 2)]
    events += [request(random, h, "mallory", "list", 200) for h in range(12, 24) for _ in range(30)]
    for number, event in enumerate(events):
        event.update(id=f"e{number}", source="test", cluster="prod")
    with open_state(f"sqlite:///{tmp_path / 's.db'}") as state, Spool(tmp_path / "spool") as spool:
        lake = Lake(LocalFiles(tmp_path / "lake"))
        intake = Intake(state, lake, spool, Name("prod", "test", "x"), "me")
        spool.append(intake.name.key, b"all of it")
        assert intake.flush(lambda _: {"audit": table("audit", events)})
        intake.close()
        since = BEGIN // 1000
        told = daily(state, lake, since, since + 24 * 3_600_000_000)
    assert told.trends[0].says.startswith("Requests of mallory")
    assert any("of 301 series of requests the 40 most frequent" in note for note in told.notes)
    assert sum(told.hours) == len(events)


def test_gaps_of_one_reason_are_one_line_and_say_it(tmp_path: Path) -> None:
    """What is counted is told meanwhile; kinds of which there is nothing are not looked for."""
    minute = HOUR // 60
    gaps = [
        gap(Place("prod"), "audit", "unread", BEGIN + at, BEGIN + at, why, 2)
        for at, why in ((0, "it is no JSON"), (5 * minute, "it is no JSON"), (9 * minute, "cut"))
    ]
    stages: list[str] = []
    with open_state(f"sqlite:///{tmp_path / 's.db'}") as state, Spool(tmp_path / "spool") as spool:
        lake = Lake(LocalFiles(tmp_path / "lake"))
        intake = Intake(state, lake, spool, Name("prod", "test", "x"), "me")
        spool.append(intake.name.key, b"all of it")
        told = {
            "gap": table("gap", gaps),
            "audit": table(
                "audit",
                [
                    request(Random(1), 0, "a", "get", 200)
                    | {"id": "e", "source": "test", "cluster": "prod"}
                ],
            ),
        }
        assert intake.flush(lambda _: told)
        intake.close()
        since = BEGIN // 1000
        made = daily(state, lake, since, since + 24 * 3_600_000_000, (), stages.append)
    assert made.gaps == (
        "prod audit: unread: it is no JSON (2 gaps, 4 events, 00:00 to 00:05)",
        "prod audit: unread: cut (2 events, 00:09)",
    )
    assert "counting requests" in stages
    assert "counting audit events" in stages
    assert not [one for one in stages if "connections" in one or "network" in one]


@pytest.mark.parametrize(
    ("since", "until"), [("0m", ""), ("999999w", ""), ("93d", ""), ("1d", "0001-01-01")]
)
def test_a_window_that_cannot_be_told_is_refused(since: str, until: str) -> None:
    with pytest.raises(BadInput, match="no such window"):
        reporting.report_command({"since": since, "until": until})


def test_hostile_names_are_text_in_every_format(tmp_path: Path) -> None:
    evil = "\x1b[2J</title><script>x</script>\n# |[a](http://x)\u202e`"
    hostile = report.Daily(
        *(0, 3_600_000_000, (evil,), {"audit": 1}, (1,)),
        (report.Line(evil, evil, (1,), 0, True),),
        (report.Group("high", evil, evil, 1, 1, (evil,)),),
        ((1, evil, evil),),
        *("known", (evil,), (evil,)),
    )
    for name in ("markdown", "html", "json"):
        with (tmp_path / name).open("w") as out:
            getattr(report, f"write_{name}")(hostile, out)
        text = (tmp_path / name).read_text()
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert name == "json" or "<script" not in text.replace("\\<", "")
    markdown = (tmp_path / "markdown").read_text().splitlines()
    assert len([line for line in markdown if line.startswith("# ")]) == 1
    assert "](http" not in "\n".join(markdown).replace("\\]", "")
