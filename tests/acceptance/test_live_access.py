"""What may not be read is unassessed, what was read is kept for later, what fails says so."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from tests.support.apiserver import ApiServer
from tests.support.command import Done
from tests.support.corners import UNFILLED, VALUES
from tests.support.filled import Filled
from tests.support.forked import martello

from martello.adapters.cluster.kinds import REQUIRED, Kind
from martello.catalogue.load import load

pytestmark = pytest.mark.apiserver

JSON = ("-o", "json", "--fail-on", "never")
HALVES = {"even": (REQUIRED[::2], REQUIRED[1::2]), "odd": (REQUIRED[1::2], REQUIRED[::2])}
RBAC = "rbac.authorization.k8s.io"
Identity = tuple[str, ...]


class Half(NamedTuple):
    """What a service account may list of what every server serves, and what not."""

    kubeconfig: Path
    readable: Sequence[Kind]
    hidden: Sequence[Kind]


@pytest.fixture(scope="module")
def accounts(cluster: Filled) -> Mapping[str, Half]:
    """Two service accounts that may list every second kind."""
    halves = {}
    for name, (readable, hidden) in HALVES.items():
        rules = [
            {"apiGroups": [kind.group], "resources": [kind.resource], "verbs": ["list"]}
            for kind in readable
        ]
        account = {"name": name, "namespace": "live"}
        role = f"live-{name}"
        reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}
        bound = {"roleRef": reference, "subjects": [{"kind": "ServiceAccount", **account}]}
        cluster.server.apply(
            [
                _object("v1", "ServiceAccount", account),
                _object(f"{RBAC}/v1", "ClusterRole", {"name": role}, rules=rules),
                _object(f"{RBAC}/v1", "ClusterRoleBinding", {"name": role}, **bound),
            ]
        )
        halves[name] = Half(_as(cluster.server, name), readable, hidden)
    return halves


@pytest.fixture(scope="module", params=HALVES)
def half(accounts: Mapping[str, Half], request: pytest.FixtureRequest) -> Half:
    """One of them."""
    return accounts[request.param]


@pytest.fixture(scope="module")
def bundled(half: Half, tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, Path]:
    """What the service account sees, and the bundle that it kept."""
    bundle = tmp_path_factory.mktemp("bundle") / "half.bundle"
    words = ("scan", "cluster", *JSON, "--save-bundle", str(bundle))
    return martello(*words, kubeconfig=half.kubeconfig), bundle


@pytest.fixture(scope="module")
def whole(cluster: Filled, accounts: Mapping[str, Half]) -> Done:
    """What the administrator sees, with the service accounts there."""
    return martello("scan", "cluster", *JSON, kubeconfig=cluster.admin)


def test_half_of_it_is_unassessed(half: Half, bundled: tuple[Done, Path]) -> None:
    done, _ = bundled
    assert done.code == 3
    told = {u["reason"] for u in done.report["unassessed"] if u["asked"] and not u["check"]}
    for kind in half.hidden:
        reason = f"{kind.group_kind}: list {kind.group_resource} was refused (403)"
        assert any(line.startswith(reason) for line in told), kind.group_kind
    optional = "PodSecurityPolicy.policy"  # served up to 1.24
    assert len([line for line in told if not line.startswith(optional)]) == len(half.hidden)


def test_the_readable_half_is_judged_as_before(
    half: Half, bundled: tuple[Done, Path], whole: Done
) -> None:
    """Nothing is found for want of what was hidden, and nothing that was readable is lost."""
    done, _ = bundled
    found, all_found = _identities(done), _identities(whole)
    filled = "LimitRange" in {kind.name for kind in half.readable}
    new = {identity for identity in found - all_found if filled or identity[0] not in UNFILLED}
    assert sorted(new) == []
    whose = {check.id: check for check in load()}
    readable = {kind.name for kind in half.readable}
    alone = {i for i in all_found if i[1] in readable and whose[i[0]].rule is not None}
    assert len(alone) > 500
    assert sorted(alone - found) == []


def test_doctor_names_what_stays_unassessed(half: Half) -> None:
    done = martello("doctor", kubeconfig=half.kubeconfig)
    assert done.code == 3
    for kind in half.hidden:
        assert f"refused    {kind.group_kind} " in done.out
    for kind in half.readable:
        assert f"listable   {kind.group_kind}\n" in done.out
    hidden = {kind.group_kind for kind in half.hidden}
    blind, _, partly = done.out.partition("judge only what can be listed")
    for check in load():
        if hidden.intersection(check.needs) or hidden.issuperset(check.kinds):
            assert f"  {check.id}  {check.title}\n" in blind, check.id
        elif check.kinds == ("workload",) and not check.needs:
            assert check.id in partly, check.id
            assert check.id not in blind, check.id


def test_a_bundle_gives_the_same_offline(bundled: tuple[Done, Path], tmp_path: Path) -> None:
    done, bundle = bundled
    again = martello("scan", f"bundle:{bundle}", *JSON, kubeconfig=tmp_path / "none")
    assert again.code == done.code == 3
    assert again.report == done.report


def test_a_bundle_of_everything_keeps_no_secret(cluster: Filled, tmp_path: Path) -> None:
    bundle = tmp_path / "all.bundle"
    words = ("--save-bundle", str(bundle))
    done = martello("scan", "cluster", *JSON, *words, kubeconfig=cluster.admin)
    kept = gzip.decompress(bundle.read_bytes()).decode()
    assert "DB_PASSWORD" in kept
    assert "DATABASE_PASSWORD" in kept
    for value in VALUES:
        assert value not in kept
        assert value not in done.out
    again = martello("scan", f"bundle:{bundle}", *JSON)
    assert again.report == done.report


def test_the_grant_of_doctor_makes_it_complete(cluster: Filled, whole: Done) -> None:
    """A reader of its own, so that the other tests still see half."""
    words = ("doctor", "--grant", "--subject", "serviceaccount:live/reader")
    granted = martello(*words)
    assert granted.code == 0
    account = _object("v1", "ServiceAccount", {"name": "reader", "namespace": "live"})
    cluster.server.apply([account])
    reader = _as(cluster.server, "reader")
    before = martello("scan", "cluster", *JSON, kubeconfig=reader)
    assert (before.code, before.report["findings"]) == (3, [])
    cluster.server.apply(yaml.safe_load_all(granted.out))
    after = martello("scan", "cluster", *JSON, kubeconfig=reader)
    assert after.code == 0
    assert not [u for u in after.report["unassessed"] if u["asked"]]
    mine = {i for i in _identities(after) if not i[3].startswith("martello-")}
    assert mine == _identities(whole)
    assert martello("doctor", kubeconfig=reader).code == 0


def test_several_contexts(cluster: Filled, tmp_path: Path) -> None:
    """Two are judged side by side; of one that is gone the other is judged, and that is said."""
    config = json.loads(cluster.admin.read_text())
    context, gone = config["contexts"][0]["context"], "https://127.0.0.1:1"
    config["clusters"].append({"name": "gone", "cluster": {"server": gone}})
    config["contexts"] += [
        {"name": "twin", "context": context},
        {"name": "gone", "context": {**context, "cluster": "gone"}},
    ]
    file = _kubeconfig(tmp_path, config)
    words = ("scan", "cluster:test", "cluster:twin", *JSON, "-n", "shop")
    both = martello(*words, kubeconfig=file)
    assert both.code == 0
    counted = [f["object"]["cluster"] for f in both.report["findings"]]
    assert counted.count("test") == counted.count("twin") == len(counted) // 2 > 0
    words = ("scan", "cluster:test", "cluster:gone", *JSON, "-n", "shop")
    one = martello(*words, kubeconfig=file)
    assert one.code == 3
    assert {f["object"]["cluster"] for f in one.report["findings"]} == {"test"}
    assert any("cannot reach https://127.0.0.1:1" in u["reason"] for u in one.report["unassessed"])


@pytest.mark.parametrize(
    ("change", "words", "code", "told"),
    [
        (("clusters", "cluster", "server"), ("cluster",), 4, "cannot reach https://127.0.0.1:1"),
        (("users", "user", "token"), ("cluster",), 4, "does not accept who we are (401)"),
        ((), ("cluster:tset",), 2, "test"),
    ],
)
def test_errors_have_three_lines(
    cluster: Filled,
    tmp_path: Path,
    change: Sequence[str],
    words: Sequence[str],
    code: int,
    told: str,
) -> None:
    config = json.loads(cluster.admin.read_text())
    if change:
        config[change[0]][0][change[1]][change[2]] = "https://127.0.0.1:1"
    done = martello("scan", *words, *JSON, kubeconfig=_kubeconfig(tmp_path, config))
    assert (done.code, done.out) == (code, "")
    what, because, after = done.err.splitlines()
    assert told in done.err
    assert what
    assert because.startswith("because ")
    assert after.startswith("next: ")
    examined = martello("doctor", *words, kubeconfig=_kubeconfig(tmp_path, config))
    assert examined.code == code


def _identities(done: Done) -> set[Identity]:
    found = set()
    for finding in done.report["findings"]:
        ref = finding["object"]
        words = (finding["check"], ref["kind"], ref["namespace"], ref["name"])
        found.add((*words, finding["path"], finding["message"], *finding["elements"]))
    return found


def _object(api: str, kind: str, metadata: Mapping[str, str], **more: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": dict(metadata), **more}


def _as(server: ApiServer, account: str) -> Path:
    return server.kubeconfig({"token": server.service_account_token("live", account)})


def _kubeconfig(directory: Path, config: Mapping[str, Any]) -> Path:
    file = directory / "config"
    file.write_text(json.dumps(config))
    return file
