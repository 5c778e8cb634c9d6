"""`network can` and `explain`: one sentence, the rule with file and line, the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.network.asked import ask

from martello.demo import texts

CILIUM = """
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: odd, namespace: shop}
spec: {endpointSelector: {}, unheardOf: 1}
"""
BROKEN = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: bad, namespace: shop}
spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/99}}]}]}
"""


def lay_down(folder: Path) -> None:
    """The manifests of the demo, in a directory `shop`."""
    (folder / "shop").mkdir()
    for name, text in texts().items():
        (folder / name).write_bytes(text)


@pytest.mark.parametrize(
    ("ends", "code", "sentence"),
    [
        (("shop/web", "data/db:5432"), 0, "yes: shop/web → data/db TCP 5432 passes"),
        (
            ("shop/web", "shop/checkout:8082"),
            1,
            "no: shop/web → shop/checkout TCP 8082 is dropped on the way in",
        ),
        (("shop/web", "data/db"), 0, "yes: shop/web → data/db passes on TCP 5432"),
        (("shop/mail", "8.8.8.8:53/udp"), 0, "yes: shop/mail → 8.8.8.8 UDP 53 passes"),
        (("shop/cart", "data/db:5432/udp"), 1, "no: shop/cart → data/db UDP 5432 is dropped"),
        (("shop/web", "shop/svc/web:80"), 0, "yes: shop/web → shop/svc/web TCP 8080 passes"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_one_sentence_and_the_exit_code(ends: tuple[str, str], code: int, sentence: str) -> None:
    done = ask("can", *ends, "-f", "demo")
    assert done.out.splitlines()[0].startswith(sentence), done
    assert done.code == code
    assert all(len(line) <= 80 for line in done.out.splitlines())


def test_a_denial_names_the_rule_and_its_line_and_what_would_mend_it() -> None:
    lines = " ".join(ask("can", "shop/web", "shop/checkout:8082", "-f", "demo").out.split())
    assert "in shop/checkout denied isolated by netpol/checkout" in lines
    assert "ingress[0] of netpol/checkout wants app=cart, pod has app=web" in lines
    assert "(shop/shop.yaml:274:7)" in lines
    assert "fix add {podSelector: {matchLabels: {app: web}}} to ingress[0].from" in lines


def test_the_mended_policy_lets_it_pass(tmp_path: Path) -> None:
    """What `fix` says is right: done by hand, the answer is yes."""
    lay_down(tmp_path)
    file = tmp_path / "shop" / "shop.yaml"
    more = (
        "matchLabels: {app: cart}\n        - podSelector: {matchLabels: {app: web}}\n      ports:\n"
    )
    text = file.read_text().replace("matchLabels: {app: cart}\n      ports:\n", more)
    file.write_text(text)
    assert ask("can", "shop/web", "shop/checkout:8082", "-f", str(tmp_path / "shop")).code == 0


def test_what_is_not_understood_is_unknown(tmp_path: Path) -> None:
    lay_down(tmp_path)
    (tmp_path / "shop" / "odd.yaml").write_text(CILIUM)
    done = ask("can", "shop/web", "shop/cart:8081", "-f", str(tmp_path / "shop"))
    assert done.code == 3
    assert done.out.startswith("unknown: shop/web → shop/cart TCP 8081 is not decided")


def test_a_file_that_cannot_be_read_makes_the_answer_incomplete(tmp_path: Path) -> None:
    lay_down(tmp_path)
    (tmp_path / "shop" / "broken.yaml").write_text("a: [")
    words = ("can", "shop/web", "data/db:5432", "-f", str(tmp_path / "shop"))
    done = ask(*words)
    assert done.code == 3
    assert "broken.yaml" in done.out
    assert ask(*words, "--allow-incomplete").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("can", "shop/wbe", "data/db", "-f", "demo"), "there is no place 'shop/wbe'"),
        (("can", "shop/web", "data/db:x/y", "-f", "demo"), "cannot read the port of data/db:x/y"),
        (("can", "shop/web", "data/db:70000", "-f", "demo"), "no port 70000"),
        (("can", "shop/web", "shop/svc/wbe:80", "-f", "demo"), "no Service shop/wbe"),
        (
            ("can", "shop/web", "shop/svc/web:81", "-f", "demo"),
            "the Service shop/web has no port 81",
        ),
        (("can", "shop/web", "data/db:nope", "-f", "demo"), "no port nope at data/db"),
        (("can", "a/b", "c/d", "-f", "demo", "--cni", "kalico"), "there is no profile 'kalico'"),
        (("can", "a/b", "c/d", "-f", "demo", "--pod-cidr", "x"), "'x' is no range"),
        (("explain", "a", "b", "c", "-f", "demo"), "explain takes two places, or one policy"),
        (("explain", "netpol/dbb", "-f", "demo"), "no policy netpol/dbb"),
        (("explain", "netpol/default-deny", "-f", "demo"), "netpol/default-deny is in several"),
        (("matrix", "-f", "demo", "-n", "shpo"), "no namespace shpo"),
        (("matrix", "-f", "demo", "--hops", "2"), "--hops needs --from"),
        (("matrix", "-f", "demo", "--from", "a/b", "--exposure"), "--exposure and --from are two"),
        (("matrix", "-f", "demo", "-o", "png"), "no such report format: png"),
        (("firewall", "-f", "demo"), "no node is named"),
        (("firewall", "n1", "-f", "demo"), "no node 'n1'"),
        (("firewall", "n1", "-f", "demo", "--confirm-within", "1s"), "no time: 1s"),
        (("learn", "--flows", "none*", "-f", "demo"), ""),
        (("diff", "demo", "git:no-such-revision"), "no revision no-such-revision"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else None,
)
def test_wrong_input_is_told(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = ask(*words, cwd=tmp_path)
    assert done.code == 2, done
    lines = done.err.strip().splitlines()
    assert lines[0].startswith(said)
    assert lines[-1].startswith("next: ")


def test_a_policy_that_would_be_refused_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(BROKEN)
    done = ask("can", "internet", "10.0.0.1:80", "-f", str(tmp_path))
    assert done.code == 2
    assert "bad.yaml:5" in done.err
    linted = ask("lint", "-f", str(tmp_path))
    assert linted.code == 1
    assert "NET-039" in linted.out


def test_a_policy_in_words() -> None:
    out = ask("explain", "-n", "data", "netpol/db", "-f", "demo").out
    assert "for  pods with app=db of namespace data: data/db" in out
    assert "accept TCP 5432 from all pods of any namespace" in out
    assert "(shop/data.yaml:99:7)" in out
    assert "out  not governed by it" in out


def test_explain_ends_well_whatever_the_answer() -> None:
    done = ask("explain", "shop/web", "shop/checkout:8082", "-f", "demo", "-o", "json")
    assert done.code == 0
    answer = json.loads(done.out)
    assert answer["schema"] == "martello-network/v1"
    assert (answer["kind"], answer["verdict"]) == ("answer", "no")
    assert [line["mark"] for line in answer["lines"]] == ["out", "in", "fix", "also"]


BLOCK = """
{apiVersion: v1, kind: Namespace, metadata: {name: a}}
---
{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: a}, spec: {containers: []}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: a, labels: {app: db}},
  spec: {containers: []}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: a},
  spec: {podSelector: {matchLabels: {app: db}}, ingress: [
    {from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}}
"""


def test_flags_of_the_plugin_settle_what_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(BLOCK)
    words = ("can", "a/x", "a/db:80", "-f", str(tmp_path))
    done = ask(*words)
    assert done.code == 3
    assert "may be settled by --cni and --pod-cidr" in " ".join(done.out.split())
    assert ask(*words, "--cni", "cilium").code == 1
    assert ask(*words, "--cni", "calico").code == 3
    assert ask(*words, "--cni", "calico", "--pod-cidr", "10.1.0.0/16").code == 0
    assert ask(*words, "--cni", "calico", "--pod-cidr", "172.16.0.0/16").code == 1


def test_what_goes_on_below_is_aligned_with_what_it_continues() -> None:
    lines = ask("explain", "shop/web", "shop/checkout:8082", "-f", "demo").out.splitlines()
    start = lines[2].index("isolated by")
    assert [len(line) - len(line.lstrip()) for line in lines[3:5]] == [start, start]
    assert lines[5].startswith("  fix  add")
    assert lines[6].startswith("       opens:")


def test_a_reason_without_room_goes_on_below_its_place(tmp_path: Path) -> None:
    """Names of files are not broken, and no line is wider than the screen."""
    deep = tmp_path / "a-directory-with-a-much-longer-name"
    deep.mkdir()
    lay_down(deep)
    words = ("explain", "shop/web", "data/db", "-f", "a-directory-with-a-much-longer-name")
    out = ask(*words, cwd=tmp_path).out
    assert "\n       (a-directory-with-a-much-longer-name/shop/data.yaml:99:7)" in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_what_was_asked_for_is_not_told_again() -> None:
    out = ask("explain", "shop/web", "data/db:5432", "-f", "demo").out
    assert "also between these passes: none" in out
    assert "also between these passes perhaps: ping, and what else has no ports" in out
    assert (
        "also between these passes:" not in ask("explain", "shop/web", "data/db", "-f", "demo").out
    )
    translated = ask("explain", "shop/cart", "data/svc/db:5432", "-f", "demo").out
    assert "TCP 5432 passes" in translated
    assert "also between these passes: none" in translated


@pytest.mark.parametrize(
    ("end", "note"),
    [
        ("shop/web:8080", "note what leads there from outside: ingress shop/Ingress/shop to TCP"),
        ("shop/web:9999", "note that is what policies say; no Ingress, Service or host port"),
        ("kube-system/log-agent", "note it is on the network of its node"),
        ("shop/cart:8081", ""),
    ],
)
def test_what_leads_there_from_the_internet_is_told_beside_the_policies(
    end: str, note: str
) -> None:
    out = " ".join(ask("can", "internet", end, "-f", "demo").out.split())
    assert note in out
    assert ("note" in out) == bool(note)


def test_whom_a_rule_wants_is_said_in_words() -> None:
    out = " ".join(ask("can", "internet", "data/db:5432", "-f", "demo").out.split())
    assert "isolated by netpol/default-deny, netpol/db; nearest rule ingress[0] of netpol/db" in out
    assert "wants any pod of any namespace or pods with app=checkout of namespace data or" in out
    assert "everything" not in out


def test_an_answer_for_some_addresses_is_not_one_for_the_internet(tmp_path: Path) -> None:
    text = BROKEN.partition("spec:")[0] + (
        "spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 8.8.8.8/32}}]}]}\n---\n"
        "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop},"
        " spec: {containers: [{name: c, image: x}]}}\n"
    )
    (tmp_path / "a.yaml").write_text(text)
    done = ask("can", "internet", "shop/web:80", "-f", str(tmp_path))
    first = "yes: internet → shop/web TCP 80 passes, but only from 8.8.8.8"
    assert done.out.splitlines()[0] == first


def test_a_policy_of_another_namespace_is_named() -> None:
    done = ask("explain", "netpol/db", "-n", "shop", "-f", "demo")
    assert done.code == 2
    assert done.err.splitlines() == [
        "no policy netpol/db in shop",
        "because -n names another namespace",
        "next: did you mean networkpolicy/db in data?",
    ]
