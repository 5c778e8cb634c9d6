"""The Pod Security Standards at every version: which checks change, and when, is known."""

from __future__ import annotations

from collections.abc import Mapping

from martello.catalogue.frameworks import OVERRIDES, framework
from martello.catalogue.load import load

# The minor versions at which the rule of an upstream check begins or changes.
CHANGES: Mapping[str, frozenset[int]] = {
    "appArmorProfile": frozenset((0,)),
    "capabilities_baseline": frozenset((0,)),
    "hostNamespaces": frozenset((0,)),
    "hostPathVolumes": frozenset((0,)),
    "hostPorts": frozenset((0,)),
    "hostProbesAndHostLifecycle": frozenset((34,)),
    "privileged": frozenset((0,)),
    "procMount": frozenset((0, 35)),
    "seLinuxOptions": frozenset((0, 31)),
    "seccompProfile_baseline": frozenset((0, 19)),
    "sysctls": frozenset((0, 27, 29, 32, 37)),
    "windowsHostProcess": frozenset((0,)),
    "allowPrivilegeEscalation": frozenset((8, 25)),
    "capabilities_restricted": frozenset((22, 25)),
    "procMount_restricted": frozenset((35,)),
    "restrictedVolumes": frozenset((0,)),
    "runAsNonRoot": frozenset((0, 35)),
    "runAsUser": frozenset((23, 35)),
    "seccompProfile_restricted": frozenset((19, 25)),
}


def test_every_upstream_check_has_its_equal() -> None:
    ids = {c.frameworks["pss"]["check"] for c in load() if "pss" in c.frameworks}
    assert ids == set(CHANGES)


def test_rules_change_where_upstream_changes_and_nowhere_else() -> None:
    for check in load():
        if "pss" not in check.frameworks or check.rule is None:
            continue
        since = {entry["since"] for entry in check.rule["versions"]}
        assert since <= CHANGES[check.frameworks["pss"]["check"]], check.id


def test_the_frameworks_hold_what_is_in_force() -> None:
    for version in range(38):
        begun = {id for id, changes in CHANGES.items() if min(changes) <= version}
        replaced = {old for old, (_, since) in OVERRIDES.items() if version >= since}
        baseline = {c.id for c in framework(f"pss-baseline@1.{version}").controls}
        restricted = {c.id for c in framework(f"pss-restricted@1.{version}").controls}
        assert restricted == begun - replaced
        assert baseline <= begun
        assert baseline - replaced <= restricted
