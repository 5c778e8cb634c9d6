"""Each alternative in the patterns of the pod checks: paths, capabilities, names, token shapes."""

from __future__ import annotations

import json
from datetime import date
from functools import cache
from io import BytesIO
from typing import Any, Final

import pytest

from martello.adapters.manifests import read_paths
from martello.catalogue.load import packaged, read
from martello.catalogue.scan import scan
from martello.core.check import Check

DANGEROUS: Final = (
    *("ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "SYS_BOOT", "BPF", "PERFMON"),
    *("NET_ADMIN", "DAC_READ_SEARCH", "MAC_ADMIN", "SYSLOG"),
)
SOCKETS: Final = (
    *("/var/run/docker.sock", "/run/docker.sock", "/run/cri-dockerd.sock", "/run/dockershim.sock"),
    *("/run/containerd/containerd.sock", "/run/containerd/containerd.sock.ttrpc"),
    *("/run/crio/crio.sock", "/run/podman/podman.sock", "/run/user/1000/podman/podman.sock"),
    *("/run", "/run/", "/var/run", "//var/./run", "/run/docker", "/run/containerd/", "/run/crio"),
    *("/run/podman", "/run/k0s", "/run/k3s", "/run/k3s/containerd", "/run/user/1000"),
    *(r"\\.\pipe\docker_engine", r"\\.\pipe\containerd-containerd", r"\\.\pipe\cri-dockerd"),
)
SENSITIVE: Final = (
    *("/", "//", "/.", "/dev", "/dev/", "/usr", "/lib", "/var", "/var/lib/", "/etc", "/etc/passwd"),
    *("/root/.ssh", "/proc", "/sys/fs/cgroup", "/boot", "/run/xtables.lock", "/var/run/netns"),
    *("/var/lib/kubelet", "/var/lib/kubelet/pki", "/var/lib/etcd", "/var//lib/./etcd/member"),
)
PLAIN: Final = (
    *("/var/log", "/srv", "/data/run", "/dev/fuse", "/usr/share", "/lib/modules", "/var/lib/app"),
    *("/etcetera", "/procs", "/home/etc", "/var/running", "/my-docker.sock.d"),
)
NAMED: Final = (
    *("PASSWORD", "db_password", "dbPasswd", "PASSPHRASE", "client-secret", "API_TOKEN", "BEARER"),
    *("CREDENTIAL", "credentials", "apiKey", "API_KEY", "access.key", "ACCOUNT_KEY", "auth-key"),
    *("PRIVATE_KEY", "SECRET_KEY", "SIGNING_KEY", "encryption_key", "SECRET_KEY_BASE", "pwd"),
    *("OCI_CLI_KEY_CONTENT", "DB_PASS", "pass", "DB_PWD", "AZURE_BATCH_KEY", "PASSWORD_2"),
)
UNNAMED: Final = (
    *("TOKEN_TTL", "PASSWORD_FILE", "SECRET_NAME", "PUBLIC_KEY", "KEY", "PWD", "COMPASS"),
    *("AWS_ACCESS_KEY_ID", "MAX_TOKENS", "TOKENIZER"),
)
HARMLESS: Final = (
    *("", " ", "true", "False", "yes", "no", "null", "none", "nil", "changeme", "CHANGE_ME_NOW"),
    *("change-it", "replace-me", "REDACTED", "*****", "your-token", "https://idp.example.com/t"),
    *(
        "vault:secret/data/x#y",
        "op://x/y",
        "ref+vault://x",
        "awssm:x",
        "gcpsm:x",
        "sm://x",
        "env:X",
    ),
    *("file:/x", "secretref:x", "arn:aws:secretsmanager:x", "/run/secrets/x", "/etc/x", "/vault/x"),
    *("$X", "${X}", "$(X)", "<token>", "{{ token }}", "%TOKEN%"),
)
# Put together here, so that no scanner of this repository takes them for real.
SHAPES: Final = (
    *(f"-----BEGIN {kind}PRIVATE KEY-----" for kind in ("", "RSA ", "EC ", "DSA ", "OPENSSH ")),
    *(f"-----BEGIN {kind} PRIVATE KEY-----" for kind in ("ENCRYPTED", "PGP")),
    *(f"{start}{'Z' * 16}" for start in ("AKIA", "ASIA", "sk_live_", "rk_live_", "Bearer ")),
    *(f"gh{kind}_{'z' * 36}" for kind in "oprsu"),
    *(f"xox{kind}-{'1' * 10}" for kind in "abprs"),
    *("github_pat_" + "z" * 22, "glpat-" + "z" * 20, "AIza" + "z" * 35, "npm_" + "z" * 36),
    *("SG." + "z" * 22 + ".z", "dop_v1_" + "a" * 64, "hvs." + "z" * 24, "sk-ant-" + "z" * 20),
    *("eyJ" + "z" * 10 + ".eyJ" + "z" * 10, "https://hooks.slack.com/services/T0/B0/x?@"),
    *("postgres://app:hunter2@db/app", "redis://:hunter2@cache", "bearer " + "z" * 16),
)
SHAPELESS: Final = (
    *("info", "https://example.com/a:b", "postgres://app:$(PW)@db", "postgres://app:${PW}@db"),
    *("postgres://app:<pw>@db", "mail@example.com", "AKIA", "eyJ.eyJ", "-----BEGIN CERTIFICATE"),
)


@cache
def checks() -> dict[str, Check]:
    found = (read(source) for source in packaged() if source.practice == "access")
    return {check.id: check for check in found}


def fires(id: str, **spec: Any) -> bool:
    """Whether a check finds something in a Pod of one container and these fields; `container_*`
    are the container's.
    """
    own = {k.removeprefix("container_"): v for k, v in spec.items() if k.startswith("container_")}
    rest = {k: v for k, v in spec.items() if not k.startswith("container_")}
    pod = {"containers": [{"name": "c", **own}], **rest}
    return found(id, {"apiVersion": "v1", "kind": "Pod", "spec": pod})


def found(id: str, document: dict[str, Any]) -> bool:
    text = json.dumps({"metadata": {"name": "x"}, **document}).encode()
    reading = read_paths(["-"], stdin=BytesIO(text))
    result = scan(reading, [checks()[id]], ids=[id], today=date(2026, 1, 1))
    assert not result.unassessed
    return bool(result.findings)


@pytest.mark.parametrize(
    ("paths", "expected"),
    [(SOCKETS, "POD-008"), (SENSITIVE, "POD-006"), (PLAIN, "POD-005")],
    ids=["sockets", "sensitive", "plain"],
)
def test_a_path_of_the_node_is_reported_once(paths: tuple[str, ...], expected: str) -> None:
    for path in paths:
        volumes = [{"name": "v", "hostPath": {"path": path}}]
        hits = [id for id in ("POD-005", "POD-006", "POD-008") if fires(id, volumes=volumes)]
        assert hits == [expected], path


def test_an_added_capability_is_reported_once() -> None:
    for name in ("NET_RAW", "SYS_TIME", "chown", *DANGEROUS, *(f"cap_{d}" for d in DANGEROUS)):
        context = {"capabilities": {"add": [name]}}
        hits = [id for id in ("POD-010", "POD-011") if fires(id, container_securityContext=context)]
        plain = name.upper().removeprefix("CAP_")
        assert hits == ["POD-011" if plain in DANGEROUS else "POD-010"], name


@pytest.mark.parametrize(
    ("names", "values", "expected"),
    [
        (NAMED, ("hunter2",), True),
        (UNNAMED, ("hunter2",), False),
        (("TOKEN",), HARMLESS, False),
        (("X",), SHAPES, True),
        (("X",), SHAPELESS, False),
    ],
    ids=["named", "unnamed", "harmless", "shapes", "shapeless"],
)
def test_secrets_in_variables_and_config_maps(
    names: tuple[str, ...], values: tuple[str, ...], expected: bool
) -> None:
    for name in names:
        for value in values:
            env = [{"name": name, "value": value}]
            assert fires("POD-038", container_env=env) is expected, (name, value)
            document = {"apiVersion": "v1", "kind": "ConfigMap", "data": {name: value}}
            assert found("POD-040", document) is expected, (name, value)


def test_secrets_in_command_lines() -> None:
    words = ("password", "passwd", "passphrase", "secret", "token", "api-key", "apikey")
    for word in (*words, "access-key", "secret-key", "private-key"):
        for given in ([f"--{word}=hunter2"], [f"--db-{word}", "hunter2"], [f"-{word} 'hunter2'"]):
            assert fires("POD-041", container_args=given), given
        for given in ([f"--{word}=$(X)"], [f"--{word}", "--next"], [f"--{word}-file=x"], [word]):
            assert not fires("POD-041", container_args=given), given
        assert not fires("POD-041", container_args=[f"--{word}=changeme"])
    for name in ("PASSWORD", "PASSWD", "MY_SECRET", "TOKEN", "API_KEY", "ACCESSKEY", "PRIVATE_KEY"):
        assert fires("POD-041", container_command=["sh", "-c", f"{name}=hunter2 serve"])
    for value in SHAPES:
        assert fires("POD-041", container_args=[f"--x={value}"]), value
    for value in SHAPELESS:
        assert not fires("POD-041", container_args=[f"--x={value}"]), value
