"""The checks that carry a `pss` mapping violate exactly what the Pod Security Standards forbid."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from io import BytesIO
from random import Random
from typing import Any, Final

import pytest

from martello.adapters.manifests import read_paths
from martello.catalogue.frameworks import violated
from martello.catalogue.load import packaged, read
from martello.catalogue.scan import scan

Pod = dict[str, Any]
PODS: Final = 100
VERSIONS: Final = range(38)
OVERRIDDEN: Final = {
    "capabilities_baseline": 22,
    "hostPathVolumes": 0,
    "procMount": 35,
    "seccompProfile_baseline": 19,
}

# The oracle: the published standard, once more as plain Python. A rule says whether all is well.

BASELINE_CAPABILITIES: Final = {
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
    *("NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
}
SYSCTLS: Final = (
    *((0, f"net.ipv4.{name}") for name in ("ip_local_port_range", "ip_unprivileged_port_start")),
    *((0, f"net.ipv4.{name}") for name in ("tcp_syncookies", "ping_group_range")),
    *((0, "kernel.shm_rmid_forced"), (27, "net.ipv4.ip_local_reserved_ports")),
    *((29, f"net.ipv4.tcp_keepalive_{name}") for name in ("time", "intvl", "probes")),
    *((29, "net.ipv4.tcp_fin_timeout"), (32, "net.ipv4.tcp_rmem"), (32, "net.ipv4.tcp_wmem")),
    *((37, f"net.ipv4.tcp_{name}") for name in ("slow_start_after_idle", "notsent_lowat")),
)
VOLUMES: Final = (
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"),
    *("image", "persistentVolumeClaim", "projected", "secret"),
)
KINDS: Final = ("containers", "initContainers", "ephemeralContainers")
PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")


def everyone(pod: Pod) -> list[Pod]:
    return [c for kind in KINDS for c in pod["spec"].get(kind, [])]


def contexts(pod: Pod) -> list[Pod]:
    holders = [pod["spec"], *everyone(pod)]
    return [h.get("securityContext", {}) for h in holders]


def windows(pod: Pod, version: int) -> bool:
    return version >= 25 and pod["spec"].get("os") == {"name": "windows"}


def user_namespace(pod: Pod, version: int) -> bool:
    return version >= 35 and pod["spec"].get("hostUsers", True) is False


def annotated(pod: Pod, prefix: str) -> Iterator[str]:
    for key, value in pod["metadata"].get("annotations", {}).items():
        if key.startswith(prefix):
            yield value


def app_armor(pod: Pod, version: int) -> bool:
    values = annotated(pod, "container.apparmor.security.beta.kubernetes.io/")
    named = all(v in ("", "runtime/default") or v.startswith("localhost/") for v in values)
    profiles = [c["appArmorProfile"] for c in contexts(pod) if "appArmorProfile" in c]
    return named and all(p.get("type") in ("RuntimeDefault", "Localhost") for p in profiles)


def capabilities_baseline(pod: Pod, version: int) -> bool:
    added = [c.get("capabilities", {}).get("add", []) for c in contexts(pod)[1:]]
    return all(set(names) <= BASELINE_CAPABILITIES for names in added)


def capabilities_restricted(pod: Pod, version: int) -> bool:
    if windows(pod, version):
        return True
    held = [c.get("capabilities", {}) for c in contexts(pod)[1:]]
    return all(
        "ALL" in c.get("drop", []) and set(c.get("add", [])) <= {"NET_BIND_SERVICE"} for c in held
    )


def host_namespaces(pod: Pod, version: int) -> bool:
    return not any(pod["spec"].get(key) for key in ("hostNetwork", "hostPID", "hostIPC"))


def host_paths(pod: Pod, version: int) -> bool:
    return not any("hostPath" in v for v in pod["spec"].get("volumes", []))


def host_ports(pod: Pod, version: int) -> bool:
    return not any(p.get("hostPort") for c in everyone(pod) for p in c.get("ports", []))


def handler_hosts(pod: Pod, version: int) -> bool:
    for container in everyone(pod):
        hooks = container.get("lifecycle", {})
        handlers = [container.get(p, {}) for p in PROBES]
        handlers += [hooks.get("postStart", {}), hooks.get("preStop", {})]
        if any(h.get(k, {}).get("host") for h in handlers for k in ("httpGet", "tcpSocket")):
            return False
    return True


def privileged(pod: Pod, version: int) -> bool:
    return not any(c.get("privileged") for c in contexts(pod)[1:])


def proc_mount(pod: Pod, version: int) -> bool:
    return user_namespace(pod, version) or proc_mount_restricted(pod, version)


def proc_mount_restricted(pod: Pod, version: int) -> bool:
    return all(c.get("procMount", "Default") == "Default" for c in contexts(pod)[1:])


def se_linux(pod: Pod, version: int) -> bool:
    types = {"", "container_t", "container_init_t", "container_kvm_t"}
    if version >= 31:
        types.add("container_engine_t")
    options = [c.get("seLinuxOptions", {}) for c in contexts(pod)]
    return all(
        o.get("type", "") in types and not o.get("user") and not o.get("role") for o in options
    )


def seccomp_set_well(pod: Pod) -> bool:
    profiles = [c["seccompProfile"] for c in contexts(pod) if "seccompProfile" in c]
    return all(p.get("type") in ("RuntimeDefault", "Localhost") for p in profiles)


def seccomp_baseline(pod: Pod, version: int) -> bool:
    if version >= 19:
        return seccomp_set_well(pod)
    values = list(annotated(pod, "seccomp.security.alpha.kubernetes.io/pod"))
    for container in everyone(pod):
        key = f"container.seccomp.security.alpha.kubernetes.io/{container['name']}"
        values += [v for k, v in pod["metadata"].get("annotations", {}).items() if k == key]
    known = ("runtime/default", "docker/default")
    return all(v in known or v.startswith("localhost/") for v in values)


def seccomp_restricted(pod: Pod, version: int) -> bool:
    if windows(pod, version):
        return True
    own, *containers = contexts(pod)
    everywhere = all("seccompProfile" in c for c in containers)
    return seccomp_set_well(pod) and ("seccompProfile" in own or everywhere)


def sysctls(pod: Pod, version: int) -> bool:
    safe = {name for since, name in SYSCTLS if since <= version}
    return all(s["name"] in safe for s in contexts(pod)[0].get("sysctls", []))


def host_process(pod: Pod, version: int) -> bool:
    return not any(c.get("windowsOptions", {}).get("hostProcess") for c in contexts(pod))


def escalation(pod: Pod, version: int) -> bool:
    if windows(pod, version):
        return True
    return all(c.get("allowPrivilegeEscalation") is False for c in contexts(pod)[1:])


def restricted_volumes(pod: Pod, version: int) -> bool:
    return all(any(k in v for k in VOLUMES) for v in pod["spec"].get("volumes", []))


def non_root(pod: Pod, version: int) -> bool:
    if user_namespace(pod, version):
        return True
    own, *containers = contexts(pod)
    default = own.get("runAsNonRoot", True) and own.get("runAsNonRoot")
    return own.get("runAsNonRoot") is not False and all(
        c.get("runAsNonRoot", default) for c in containers
    )


def user(pod: Pod, version: int) -> bool:
    if user_namespace(pod, version):
        return True
    return all(c.get("runAsUser", 1) != 0 for c in contexts(pod))


Rule = Callable[[Pod, int], bool]
BASELINE: Final[dict[str, tuple[int, Rule]]] = {
    "appArmorProfile": (0, app_armor),
    "capabilities_baseline": (0, capabilities_baseline),
    "hostNamespaces": (0, host_namespaces),
    "hostPathVolumes": (0, host_paths),
    "hostPorts": (0, host_ports),
    "hostProbesAndHostLifecycle": (34, handler_hosts),
    "privileged": (0, privileged),
    "procMount": (0, proc_mount),
    "seLinuxOptions": (0, se_linux),
    "seccompProfile_baseline": (0, seccomp_baseline),
    "sysctls": (0, sysctls),
    "windowsHostProcess": (0, host_process),
}
RESTRICTED: Final[dict[str, tuple[int, Rule]]] = {
    "allowPrivilegeEscalation": (8, escalation),
    "capabilities_restricted": (22, capabilities_restricted),
    "procMount_restricted": (35, proc_mount_restricted),
    "restrictedVolumes": (0, restricted_volumes),
    "runAsNonRoot": (0, non_root),
    "runAsUser": (23, user),
    "seccompProfile_restricted": (19, seccomp_restricted),
}


def expected(level: str, pod: Pod, version: int) -> tuple[str, ...]:
    def broken(rules: dict[str, tuple[int, Rule]]) -> list[str]:
        return sorted(
            id for id, (since, rule) in rules.items() if since <= version and not rule(pod, version)
        )

    baseline = broken(BASELINE)
    if level == "baseline":
        return tuple(baseline)
    kept = [id for id in baseline if version < OVERRIDDEN.get(id, 1000)]
    return (*kept, *broken(RESTRICTED))


# Each pod starts out accepted by the restricted standard, or nearly bare, and gets a few changes.


def random_pod(random: Random, name: str) -> Pod:
    spec: Pod = {"containers": [{"name": "c0", "image": "x"}]}
    for kind, prefix in (
        ("containers", "d"),
        ("initContainers", "i"),
        ("ephemeralContainers", "e"),
    ):
        if random.random() < 0.35:
            spec.setdefault(kind, []).append({"name": f"{prefix}1", "image": "x"})
    pod: Pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    if random.random() < 0.7:
        spec["securityContext"] = {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        for container in everyone(pod):
            container["securityContext"] = {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }
    for _ in range(random.randrange(4)):
        random.choice((change_pod, change_container, change_security))(random, pod)
    return pod


def change_pod(random: Random, pod: Pod) -> None:
    spec = pod["spec"]
    key, value = random.choice(
        [
            ("hostNetwork", random.choice([True, False])),
            ("hostPID", True),
            ("hostIPC", True),
            ("hostUsers", False),
            ("hostUsers", True),
            ("os", {"name": random.choice(["windows", "linux"])}),
            ("volumes", [random_volume(random) for _ in range(2)]),
            ("annotations", random_annotations(random, pod)),
        ]
    )
    (pod["metadata"] if key == "annotations" else spec)[key] = value


def random_volume(random: Random) -> Pod:
    path = random.choice(
        ["/", "/var/log", "/etc", "/var/run/docker.sock", "/run", "/srv/app", "/dev"]
    )
    kind: tuple[str, Any] = random.choice(
        [("hostPath", {"path": path})] * 4
        + [(k, {}) for k in VOLUMES]
        + [("nfs", {"server": "s", "path": "/"}), ("iscsi", {}), ("gitRepo", {}), ("rbd", {})]
    )
    return {"name": "v", kind[0]: kind[1]}


def random_annotations(random: Random, pod: Pod) -> dict[str, str]:
    names = [c["name"] for c in everyone(pod)] + ["nobody"]
    found = {}
    for prefix in (
        "container.apparmor.security.beta.kubernetes.io/",
        "container.seccomp.security.alpha.kubernetes.io/",
    ):
        if random.random() < 0.5:
            found[prefix + random.choice(names)] = random.choice(PROFILES)
    if random.random() < 0.5:
        found["seccomp.security.alpha.kubernetes.io/pod"] = random.choice(PROFILES)
    return found


PROFILES: Final = [
    "runtime/default",
    "docker/default",
    "localhost/a",
    "unconfined",
    "localhost",
    "",
]


def change_container(random: Random, pod: Pod) -> None:
    container = random.choice(everyone(pod))
    host = random.choice(["", "127.0.0.1", "db"])
    handler = {random.choice(["httpGet", "tcpSocket"]): {"port": 80, "host": host}}
    if random.random() < 0.4:
        container["ports"] = [{"containerPort": 81}, {"containerPort": 80, "hostPort": 8080}]
        container["ports"][1]["hostPort"] = random.choice([0, 8080])
    elif random.random() < 0.5:
        container[random.choice(PROBES)] = handler
    else:
        container["lifecycle"] = {random.choice(["postStart", "preStop"]): handler}


def change_security(random: Random, pod: Pod) -> None:
    holder = random.choice([pod["spec"], *everyone(pod)])
    context = holder.setdefault("securityContext", {})
    profile = {"type": random.choice(["RuntimeDefault", "Localhost", "Unconfined"])}
    types = [
        "",
        "container_t",
        "container_init_t",
        "container_kvm_t",
        "container_engine_t",
        "spc_t",
    ]
    fields: list[tuple[str, Any]] = [
        ("seccompProfile", profile),
        ("appArmorProfile", profile),
        ("runAsUser", random.choice([0, 1000])),
        ("runAsNonRoot", random.choice([True, False])),
        ("seLinuxOptions", {random.choice(["type", "type", "user", "role"]): random.choice(types)}),
        ("windowsOptions", {"hostProcess": random.choice([True, False])}),
    ]
    if holder is pod["spec"]:
        names = [name for _, name in SYSCTLS] + ["kernel.msgmax", "net.ipv4.ip_forward"]
        fields += [("sysctls", [{"name": random.choice(names), "value": "1"}])] * 4
    else:
        added = random.choice(
            [
                ["NET_BIND_SERVICE"],
                ["CHOWN"],
                ["NET_RAW"],
                ["SYS_ADMIN"],
                ["all"],
                ["cap_chown"],
                [],
            ]
            + [[name] for name in sorted(BASELINE_CAPABILITIES)]
        )
        dropped = random.choice([["ALL"], ["all"], ["NET_RAW"], []])
        fields += [
            ("privileged", random.choice([True, False])),
            ("allowPrivilegeEscalation", random.choice([True, False])),
            ("procMount", random.choice(["Default", "Unmasked"])),
            ("capabilities", {"add": added, "drop": dropped}),
            ("capabilities", {"add": added, "drop": ["ALL"]}),
        ]
    key, value = random.choice(fields)
    context[key] = value


@pytest.mark.parametrize("seed", range(3))
def test_every_version_violates_what_the_standard_forbids(seed: int) -> None:
    random = Random(seed)
    pods = {f"p{n}": random_pod(random, f"p{n}") for n in range(PODS)}
    listed = {"apiVersion": "v1", "kind": "List", "items": list(pods.values())}
    reading = read_paths(["-"], stdin=BytesIO(json.dumps(listed).encode()))
    assert len(reading.resources) == PODS
    own = (read(source) for source in packaged() if source.practice == "access")
    checks = [check for check in own if "pss" in check.frameworks]
    upstream = {c.id: (c.frameworks["pss"]["level"], c.frameworks["pss"]["check"]) for c in checks}
    assert {id for _, id in upstream.values()} == {*BASELINE, *RESTRICTED}
    ids = [check.id for check in checks]
    for version in VERSIONS:
        result = scan(reading, checks, ids=ids, kubernetes=version, today=date(2026, 1, 1))
        assert not result.unassessed
        hits: dict[str, set[tuple[str, str]]] = {name: set() for name in pods}
        for finding in result.findings:
            hits[finding.ref.name].add(upstream[finding.check])
        for name, pod in pods.items():
            for level in ("baseline", "restricted"):
                found = violated(level, version, hits[name])
                assert found == expected(level, pod, version), (version, level, pod)
