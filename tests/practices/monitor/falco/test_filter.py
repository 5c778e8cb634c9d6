"""Conditions of Falco's as trees: grammar, types, what is missing, transformers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.monitor.falco_events import scalar

from martello.practices.monitor.engine.scalar import holds
from martello.practices.monitor.falco.events import too_many
from martello.practices.monitor.falco.expression import told
from martello.practices.monitor.falco.fields import sources
from martello.practices.monitor.falco.filter import CannotRun, lower
from martello.practices.monitor.falco.syntax import Malformed, parse

EVENT = {
    "evt.type": "openat",
    "proc.name": "bash",
    "proc.args": "-c id",
    "proc.exe": "/bin/bash",
    "proc.exepath": "/usr/bin/bash",
    "proc.pid": 7,
    "fd.name": "/var/run/docker.sock",
    "fd.typechar": "u",
    "evt.is_open_write": True,
    "user.loginuid": 4294967295,
    "user.uid": 4294967295,
    "evt.arg.flags": "O_RDWR",
    "evt.buffer": "abc def",
}
SOCKET = {
    "evt.type": "connect",
    "fd.name": "10.0.0.1:4000->1.2.3.4:80",
    "fd.cip": "10.0.0.1",
    "fd.cport": 4000,
    "fd.sip": "1.2.3.4",
    "fd.sport": 80,
}


def _said(condition: str, flat: dict[str, Any]) -> bool | None:
    return holds(lower(parse(condition), sources()["syscall"])[0], scalar(flat))


def _audit(condition: str, event: dict[str, Any]) -> bool | None:
    return holds(lower(parse(condition), sources()["k8s_audit"])[0], event)


@pytest.mark.parametrize(
    ("condition", "true"),
    [
        ("F20 not proc.name = sh and proc.pid = 7 or proc.pid = 1", True),
        ("F20 not (proc.name = sh or proc.pid = 7)", False),
        ("F20 proc.name existsand proc.pid=7", True),
        ("F21 proc.name = 'bash'", True),
        ('F21 proc.name = "ba\\"sh"', False),
        ("F21 evt.arg[flags] = O_RDWR", True),
        ("F21 evt.arg.flags = O_RDWR", True),
        ("F22 proc.name in (bash, sh)", True),
        ("F22 proc.name in ()", False),
        ("F22 proc.name in val(proc.exepath)", False),
        ("F22 basename(proc.exepath) in val(proc.name)", True),
        ("F23 proc.name startswith oneof (ba, b)", False),
        ("F23 proc.name != anyof (bash, sh)", True),
        ("F23 proc.name = anyof ()", False),
        ("F24 proc.cwd != x", False),
        ("F24 not proc.cwd != x", True),
        ("F24 proc.name = val(proc.cwd)", False),
        ("F24 proc.name != val(proc.cwd)", False),
        ("F25 proc.aname = sh", False),
        ("F25 proc.name intersects (bash, sh)", True),
        ("F26 proc.pid >= 0x7", True),
        ("F26 user.uid = -1", True),
        ("F26 proc.pid in (6, 7)", True),
        ("F26 evt.is_open_write = true", True),
        ("F26 evt.is_open_write != true", False),
        ("F27 proc.name > 1 and not proc.name < 1", True),
        ("F27 proc.name icontains BAS", True),
        ("F27 fd.name glob /var/*", True),
        ("F27 fd.name iglob /VAR/*", True),
        ("F28 proc.name regex as", False),
        ("F28 proc.name regex .*as.*", True),
        ("F28 proc.name regex 'ba|sh'", False),
        ("F29 fd.name pmatch (/var/run)", True),
        ("F29 fd.name pmatch (/var/ru)", False),
        ("F29 fd.directory pmatch (/var/run/docker.sock)", False),
        ("F30 toupper(proc.name) = BASH", True),
        ("F30 len(proc.name) = 4", True),
        ("F30 len(toupper(proc.name)) in (4, 5)", True),
        ("F30 basename(proc.exepath) = bash", True),
        ('F30 join("-", (proc.name, proc.exepath)) = bash-/usr/bin/bash', True),
        ("F30 concat(proc.name, proc.name) = bashbash", True),
        ("F30 concat(container.id, proc.cmdline) = 'hostbash -c id'", True),
        ("proc.cmdline = 'bash -c id'", True),
        ("proc.exe = /bin/bash", True),
        ("fd.filename = docker.sock and fd.directory = /var/run", True),
        ("fd.typechar = u", True),
        ("container.id = host and not container.id != host", True),
        ("user.loginuid = -1", True),
        ("evt.dir = <", True),
        ("F31 evt.buffer bcontains 62632064", True),
        ("F31 evt.buffer bstartswith 6162 and evt.buffer contains bc", True),
        ("F31 evt.buffer bstartswith oneof (6263, 6162)", True),
    ],
)
def test_conditions(condition: str, true: bool) -> None:
    """F20 to F30, each on one event; the number is written before the condition."""
    text = condition.partition(" ")[2] if condition[0] == "F" else condition
    assert _said(text, EVENT) is true


@pytest.mark.parametrize(
    ("condition", "true"),
    [
        ("evt.type = execve", True),
        ("evt.num >= 0 and not evt.num = 0", True),
        ("evt.arg.path startswith /etc and fs.path.name = /etc/x", True),
        ("proc.cmdline = 'sh -c id' and proc.args = '-c id'", True),
        ("proc.pcmdline = 'bash -l'", True),
        ("proc.tty != 0", True),
        ("evt.res = ENOENT and evt.rawres = -2 and evt.failed = true", True),
        ("evt.is_open_write = true and evt.is_open_create = false", True),
        ("fd.typechar = f and fd.directory = /etc and fd.num < 0", False),
        ("proc.aname = init and proc.aname[1] = bash and proc.aname[0] = sh", True),
        ("proc.is_exe_from_memfd = true and proc.is_exe_upper_layer = false", True),
        ("container.image.repository = r:5000/a and container.id != host", True),
        ("user.uid = 0 and thread.tid exists", False),
    ],
)
def test_k6_events_of_other_sensors(condition: str, true: bool) -> None:
    """What bpftrace and Tetragon fill is enough for most rules."""
    event = {
        "action": "exec",
        "proc_name": "sh",
        "proc_args": "/bin/sh -c id",
        "proc_parent_name": "bash",
        "proc_parent_args": "-bash -l",
        "proc_ancestors": ["bash", "init"],
        "proc_flags": ["memfd"],
        "proc_tty": "pts/0",
        "proc_uid": 0,
        "sys_res": "ENOENT",
        "file_path": "/etc/x",
        "file_flags": ["write"],
        "container_id": "c1",
        "image_ref": "r:5000/a:1",
        "raw": "",
    }
    assert holds(lower(parse(condition), sources()["syscall"])[0], event) is true


@pytest.mark.parametrize(
    ("condition", "true"),
    [
        ("fd.net in (1.2.3.0/24)", True),
        ("fd.net in (10.0.0.0/8, 9.0.0.0/8)", True),
        ("fd.net != 1.2.3.0/24", False),
        ("fd.net != 9.0.0.0/8", True),
        ("fd.snet = 10.0.0.0/8", False),
        ("fd.ip = 10.0.0.1 and fd.sip != 10.0.0.1", True),
        ("fd.port = 80 and fd.sport = http", True),
        ("fd.port < 100", True),
        ("fd.sip = oneof (1.2.3.4, 1.2.3.5)", True),
        ("fd.sip != oneof (1.2.3.4, 1.2.3.5)", True),
        ("fd.sip != anyof (1.2.3.4)", False),
        ("fd.name = '10.0.0.1:4000->1.2.3.4:80'", True),
        ("fd.typechar = 4 and fd.type = ipv4", True),
        ("fd.net exists and fd.sport exists", True),
    ],
)
def test_f26_addresses_and_networks(condition: str, true: bool) -> None:
    """A network contains; a field of both ends asks either, and `!=` both."""
    assert _said(condition, SOCKET) is true
    assert _said(condition, EVENT | {"fd.typechar": "x"}) is False


@pytest.mark.parametrize(
    "condition",
    [
        "F20 proc.name = a AND proc.pid = 1",
        "F21 proc.name = 'a\\q'",
        "F22 proc.name in (a,)",
        "F22 proc.name = (a)",
        "F23 proc.name =oneof (a)",
        "F23 proc.name in oneof (a)",
        "F26 proc.pid contains 1",
        "F26 proc.pid = x",
        "F26 proc.pid = 99999999999999999999",
        "F26 evt.is_open_write = yes",
        "F26 evt.is_open_write > true",
        "F26 fd.sip > 1.2.3.4",
        "F26 fd.sip = localhost",
        "F26 fd.net = 1.2.3.4",
        "F28 proc.name regex '\\\\d'",
        "F28 proc.name regex '(?i)a'",
        "F28 proc.name regex '('",
        "F30 tolower(proc.pid) = 1",
        "F30 b64 (proc.name) = a",
        "F30 proc.name in (tolower(proc.name))",
        "F30 tolower(fd.ip) = a",
        "F30 proc.name = val(tolower(proc.name))",
        "F30 proc.name = val(proc.pid)",
        "F30 proc.name pmatch val(proc.exepath)",
        "F30 join(proc.name, proc.exepath) = a",
        "F31 proc.name bcontains 6162",
        "F31 evt.buffer bcontains 616",
        "proc.nobody = a",
        "evt.type = nosuch",
        "evt.arg.nosuch = a",
        "ka.verb = get",
        "proc.name[1] = a",
        "evt.arg = a",
        "some_macro",
    ],
)
def test_what_falco_refuses_is_refused(condition: str) -> None:
    """Never false instead: a condition that compiles for nobody must be told."""
    text = condition.partition(" ")[2] if condition[0] == "F" else condition
    with pytest.raises(Malformed):
        lower(parse(text), sources()["syscall"])


@pytest.mark.parametrize(
    "condition",
    ["getopt(fd.types, 'a') exists", "F31 evt.buffer bcontains CAFEBABE"],
)
def test_f30_f31_what_cannot_run_says_so(condition: str) -> None:
    with pytest.raises(CannotRun):
        lower(parse(condition.removeprefix("F31 ")), sources()["syscall"])
    with pytest.raises(CannotRun):
        lower(parse("evt.reltime > 5"), sources()["k8s_audit"])


def test_f20_depth_is_bounded_as_falco_counts_it() -> None:
    parse("(" * 199 + "a" + ")" * 199, 1000)
    for depth in (200, 1000, 100_000):
        with pytest.raises(Malformed):
            parse("(" * depth + "a" + ")" * depth, 1000)
    with pytest.raises(Malformed):
        parse("tolower(" * 5000 + "a.b" + ")" * 5000 + " = x", 1000)


def test_long_names_take_no_quadratic_time() -> None:
    parse("a" * 1_000_000, 1000)
    parse("a.b = " + "x" * 1_000_000, 1000)
    with pytest.raises(Malformed):
        parse('a.b = "' + '\\"' * 300_000, 1000)


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("F28 proc.name regex ^bash$", 1),
        ("F28 proc.name regex .*bash", 1),
        ("F28 proc.name regex b.sh", 0),
        ("F11 proc.name = proc.pname", 1),
        ("F11 proc.name in (proc.pname, a)", 1),
        ("F11 proc.name = 'tolower(proc.pname)'", 1),
        ("F11 proc.name = nothing.known", 0),
    ],
)
def test_f11_f28_warnings(condition: str, count: int) -> None:
    text = condition.partition(" ")[2]
    assert len(lower(parse(text), sources()["syscall"])[1]) == count


@pytest.mark.parametrize(
    ("condition", "many"),
    [
        ("evt.type = open", False),
        ("not evt.type != open", False),
        ("evt.type != open", True),
        ("proc.name = a", True),
        ("evt.type in (open, openat) and proc.name = a", False),
        ("evt.type = open or proc.name = a", True),
        ("not (evt.type != open or proc.name = a)", False),
        ("evt.num = 0", False),
        ("evt.num > 0 and evt.source = k8s_audit and evt.is_async = false", True),
        ("evt.type in (acct, add_key)", False),
    ],
)
def test_f11_conditions_that_admit_too_many_events(condition: str, many: bool) -> None:
    assert too_many(parse(condition)) is many


def test_conditions_are_printed_as_falco_prints_them() -> None:
    text = 'not a and (b.c in (x, "y z") or d.e[f] = "g\\"h") and tolower(a.b) exists'
    expected = '(not a and (b.c in (x, "y z") or d.e[f] = "g\\"h") and tolower(a.b) exists)'
    assert told(parse(text)) == expected


BODY = {
    "spec": {
        "hostNetwork": True,
        "securityContext": {"runAsGroup": 9},
        "containers": [
            {"name": "a", "image": "r:5000/x:1", "securityContext": {"privileged": True}},
            {"name": "b", "command": ["sh", "-c"], "ports": [{"containerPort": 80}]},
        ],
        "initContainers": [{"name": "i", "image": "init"}],
        "volumes": [{"name": "v", "hostPath": {"path": "/etc"}}, {"name": "w", "secret": {}}],
    },
    "subjects": [
        {"kind": "User", "name": "u"},
        {"kind": "ServiceAccount", "name": "s", "namespace": "n"},
    ],
    "rules": [{"verbs": ["get", "*"], "resources": ["pods"]}],
    "data": {"b": "1", "a": "password"},
}
AUDIT = {
    "kind": "audit",
    "api_id": "1",
    "api_verb": "create",
    "api_code": 403,
    "api_uri": "/api?dryRun=All",
    "k8s_resource": "pods",
    "actor_user": "ann",
    "actor_groups": ["a", "b"],
    "actor_ips": ["10.0.0.1"],
    "api_annotations": {"authorization.k8s.io/reason": "r"},
    "raw": json.dumps({"requestObject": BODY, "objectRef": {"apiVersion": "v1"}, "x": {"a/b": 5}}),
}


@pytest.mark.parametrize(
    ("condition", "true"),
    [
        ("ka.verb = create and ka.user.name = ann", True),
        ("ka.user.groups in (a, b, c)", True),
        ("evt.num > 0", True),
        ("ka.user.groups in (a)", False),
        ("ka.user.groups intersects (a)", True),
        ("K2 ka.response.code = 403", True),
        ('K2 ka.response.code in ("403")', True),
        ("K2 ka.req.pod.host_network = true", True),
        ('K2 ka.req.configmap.obj contains "\\"b\\":\\"1\\",\\"a\\""', True),
        ("K3 ka.req.pod.containers.privileged in (true)", True),
        ("K3 ka.req.pod.containers.privileged[0] in (true)", True),
        ("K3 ka.req.pod.containers.privileged[1] exists", False),
        ("K3 ka.req.pod.containers.name[1] in (b)", True),
        ("K3 ka.req.pod.initContainers.image in (init)", True),
        ("K3 ka.req.pod.ephemeralContainers.image exists", False),
        ("K3 ka.req.pod.containers.command in ('sh -c')", True),
        ("K3 ka.req.pod.containers.host_port in (80)", True),
        ("K4 ka.target.name exists", False),
        ("K5 ka.req.pod.containers.image.repository in (r:5000/x)", True),
        ("K5 ka.req.pod.containers.image exists", True),
        ("K5 ka.sourceips in (10.0.0.1)", True),
        ("K5 ka.req.pod.containers.eff_run_as_group in (9)", True),
        ("K5 ka.req.pod.containers.eff_run_as_user in (0)", True),
        ("ka.req.pod.volumes.hostpath in (/etc)", True),
        ("ka.req.volume.hostpath[/et*] = true", True),
        ("ka.req.volume.hostpath[/var] = false", True),
        ("ka.req.pod.volumes.volume_type in (hostPath, secret)", True),
        ("ka.req.container.privileged = true", True),
        ("ka.req.binding.subjects.user_names in (u)", True),
        ("ka.req.binding.subjects.serviceaccount_ns_names in (n:s)", True),
        ("ka.req.role.rules.verbs intersects ('*')", True),
        ("ka.req.role.rules.verbs[0] intersects (get)", True),
        ("ka.req.role.rules.verbs[1] exists", False),
        ("ka.uri.param[dryRun] = All", True),
        ("ka.auth.reason = r", True),
        ("jevt.value[/x/a~1b] = 5", True),
        ("jevt.value[/verb] = create", True),
        ("jevt.value[/requestObject/subjects/0/name] = u", True),
        ("jevt.value[/none/0] exists", False),
        ("len(ka.user.groups) = 2", True),
        ("len(ka.req.role.rules.apiGroups) = 0", False),
        ("ka.user.groups = a or ka.verb = create", None),
    ],
)
def test_audit_fields(condition: str, true: bool | None) -> None:
    """K2 to K5. A list with another operator is refused (F25)."""
    text = condition.partition(" ")[2] if condition[0] == "K" else condition
    if true is None:
        with pytest.raises(Malformed):
            _audit(text, AUDIT)
    else:
        assert _audit(text, AUDIT) is true
