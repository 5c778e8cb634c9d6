"""`access can`, `why` and `who-can`: one word, the chain of each grant, the exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.asked import ask

EDIT = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: ci-edit, namespace: shop}
subjects: [{kind: Group, name: "system:serviceaccounts:shop", apiGroup: rbac.authorization.k8s.io}]
roleRef: {kind: ClusterRole, name: edit, apiGroup: rbac.authorization.k8s.io}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: api, namespace: shop}
"""
HOSTILE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: "a\\u001b[31mb"}
subjects: [{kind: User, name: "joe\\u001b[2J\\r"}]
roleRef: {kind: ClusterRole, name: view, apiGroup: rbac.authorization.k8s.io}
"""


@pytest.mark.parametrize(
    ("words", "code", "word"),
    [
        ("get secrets/db -n shop --as shop/deployer", 0, "allowed"),
        ("get secret/db -n shop --as system:serviceaccount:shop:deployer", 0, "allowed"),
        ("list deploy -n shop --as shop/deployer", 0, "allowed"),
        ("get secrets/db -n data --as shop/deployer", 1, "denied"),
        ("get pods/exec -n shop --as shop/deployer", 1, "denied"),
        ("delete nodes/worker-1 --as kube-system/log-agent", 0, "allowed"),
        ("get /healthz --as shop/deployer", 0, "allowed"),
        ("get /metrics --as shop/deployer", 1, "denied"),
        ("get frobs.example.com -n shop --as kube-system/log-agent", 0, "allowed"),
        ("use frobs.example.com -n shop --as shop/deployer", 1, "denied"),
        ("get secrets -n shop --as joe --as-group system:masters", 0, "allowed"),
        ("list secrets -n shop --as-group system:serviceaccounts:shop", 1, "denied"),
    ],
)
def test_one_word_and_the_exit_code(words: str, code: int, word: str) -> None:
    done = ask("access", "can", *words.split(), "-f", "demo")
    assert done.out.splitlines()[0] == word, done
    assert done.code == code
    assert all(len(line) <= 80 for line in done.out.splitlines())


def test_why_shows_binding_subject_role_and_rule_with_their_places(tmp_path: Path) -> None:
    (tmp_path / "ci.yaml").write_text(EDIT)
    words = "why create pods/exec -n shop --as system:serviceaccount:shop:api -f ci.yaml"
    done = ask("access", *words.split(), cwd=tmp_path)
    lines = [line.strip() for line in done.out.splitlines()]
    assert lines[:2] == ["allowed", "RoleBinding shop/ci-edit  ci.yaml:2"]
    assert "subject  Group system:serviceaccounts:shop" in lines
    assert "(every account of shop, api among them)" in lines
    assert "role     ClusterRole edit" in lines
    assert any("from ClusterRole system:aggregate-to-edit  bootstrap" in line for line in lines)
    assert lines[-1] == "only grant: without it the answer is no."
    assert done.code == 0


def test_why_not_says_what_misses_by_one_word() -> None:
    words = ["why", "delete", "deploy/web", "-n", "shop", "--as", "shop/deployer", "-f", "demo"]
    told = " ".join(ask("access", *words).out.split())
    assert told.startswith("denied no grant to shop/deployer matches: delete deployments/web")
    assert "it has not the verb delete (shop/shop.yaml:22)" in told


def test_without_a_namespace_it_says_where_it_would_hold() -> None:
    done = ask("access", "can", "get", "secrets", "--as", "shop/deployer", "-f", "demo")
    assert done.code == 1
    assert "it holds in shop" in " ".join(done.out.split())


def test_an_account_that_does_not_exist_is_answered_and_told() -> None:
    done = ask("access", "can", "get", "pods", "-n", "shop", "--as", "shop/ghost", "-f", "demo")
    assert "no ServiceAccount shop/ghost is here" in " ".join(done.out.split())


def test_who_can_folds_the_control_plane() -> None:
    few = ask("access", "who-can", "get", "secrets/db", "-n", "data", "-f", "demo")
    assert few.out.splitlines()[0] == "1 subject may get secrets/db in data"
    assert "ClusterRoleBinding log-agent → ClusterRole cluster-admin" in few.out
    folded = few.out.splitlines()[-1]
    assert folded.startswith("and ")
    assert folded.endswith(" of the control plane: --system")
    count = int(folded.split()[1])
    everybody = ask(
        "access", "who-can", "get", "secrets/db", "-n", "data", "--system", "-f", "demo"
    )
    assert everybody.out.startswith(f"{1 + count} subjects may get")
    assert "Group system:masters  (passes every authorizer)" in everybody.out
    assert few.code == everybody.code == 0


def test_who_can_without_a_namespace_tells_where_it_holds() -> None:
    done = ask("access", "who-can", "get", "secrets", "-f", "demo")
    assert "ServiceAccount shop/deployer  in shop" in done.out


def test_list_tells_everything_but_what_everybody_has() -> None:
    done = ask("access", "can", "--list", "--as", "shop/deployer", "-f", "demo")
    assert done.out.splitlines()[0] == "in shop"
    assert "get, list secrets  by RoleBinding shop/deployer" in done.out
    assert done.out.splitlines()[-1].endswith("that everybody has: --system")


CORE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: core}
rules:
- {apiGroups: [""], resources: ["*"], verbs: ["*"]}
- {nonResourceURLs: ["*"], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: core}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: core}
subjects: [{kind: User, name: joe@example.com}]
"""


def test_wildcards_are_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "core.yaml").write_text(CORE)
    words = ("access", "can", "--list", "--as", "joe@example.com", "-f", "core.yaml")
    out = ask(*words, cwd=tmp_path).out
    assert "  every verb on everything (core)  by ClusterRoleBinding core" in out
    assert "  get on every path  by ClusterRoleBinding core" in out


def test_what_may_be_misspelled_is_said() -> None:
    done = ask(
        "access", "can", "gte", "secrets", "-n", "shpo", "--as", "shop/deployer", "-f", "demo"
    )
    told = " ".join(done.out.split())
    assert "note: no verb gte is known here: it is asked literally; the nearest is get" in told
    assert "note: nothing here lies in namespace shpo" in told
    near = ask("access", "can", "get", "secrets", "--as", "shop/deployer", "-f", "demo")
    assert "it holds in shop: -n shop" in near.out


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("can get secrets -f demo", "it is not said who asks"),
        ("can get --as joe -f demo", "a verb and one resource are asked for"),
        ("can get pods -n a -n b --as joe -f demo", "one question is about one namespace"),
        ("can --list get --as joe -f demo", "--list takes no verb"),
        ("who-can get / pods -f demo", "a verb and one resource are asked for"),
        ("why get pods --as user: -f demo", "nobody is named"),
        ("wy get pods", "no such command: wy"),
    ],
)
def test_errors_say_what_and_what_next(words: str, what: str) -> None:
    done = ask("access", *words.split())
    assert done.code == 2
    lines = done.err.splitlines()
    assert lines[0] == what
    assert lines[-1].startswith("next: ")


def test_what_could_not_be_read_turns_no_into_unknown(tmp_path: Path) -> None:
    (tmp_path / "ci.yaml").write_text(EDIT)
    (tmp_path / "bad.yaml").write_text("kind: [")
    words = ["access", "can", "get", "nodes", "--as", "shop/api", "-f", str(tmp_path)]
    assert ask(*words).code == 3
    assert ask(*words, "--allow-incomplete").code == 1


def test_names_of_an_attacker_reach_no_terminal(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(HOSTILE)
    for words in (["who-can", "get", "pods"], ["can", "--list", "--as", "joe\x1b[2J\r"]):
        done = ask("access", *words, "-f", str(tmp_path))
        assert "\x1b" not in done.out
        assert "\r" not in done.out
        assert "\\x1b" in done.out


BOOLEAN = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: y, namespace: shop}
subjects: [{kind: User, name: jo}]
roleRef: {kind: ClusterRole, name: view, apiGroup: rbac.authorization.k8s.io}
"""


def test_a_no_is_unknown_where_not_everything_could_be_read(tmp_path: Path) -> None:
    (tmp_path / "ci.yaml").write_text(f"{EDIT}---{BOOLEAN}")
    words = ["access", "can", "get", "pods", "-n", "shop", "--as", "jo", "-f", "ci.yaml"]
    done = ask(*words, "--as-group", "ops", cwd=tmp_path)
    assert (done.code, done.out.splitlines()[0]) == (3, "unknown")
    assert "metadata.name is a boolean" in " ".join(done.out.split())
    done = ask(*words, "--as-group", "ops", "--allow-incomplete", cwd=tmp_path)
    assert (done.code, done.out.splitlines()[0]) == (1, "denied")


def test_what_admission_and_authentication_refuse_is_told_beside_the_answer(
    tmp_path: Path,
) -> None:
    done = ask("access", "can", "update", "nodes/n2", "--as", "node/n1", "-f", "demo")
    assert done.code == 0
    assert "NodeRestriction" in done.out
    command = "[kube-apiserver, --anonymous-auth=false, --authorization-mode=RBAC]"
    (tmp_path / "server.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: kube-system}\n"
        f"spec: {{containers: [{{name: c, image: x, command: {command}}}]}}\n"
    )
    words = ["access", "can", "get", "/version", "--as", "system:anonymous", "-f", "server.yaml"]
    done = ask(*words, cwd=tmp_path)
    assert done.code == 0
    assert "lets no request in without credentials" in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("can get --as jo", "because 1 word was given"),
        ("can get secrets/a/b/c --as jo", "a resource has a name and one subresource at most"),
    ],
)
def test_words_that_are_no_question(words: str, why: str) -> None:
    done = ask("access", *words.split(), "-f", "demo")
    assert done.code == 2
    assert why in done.err


def test_who_can_lists_those_of_whom_it_is_not_known(tmp_path: Path) -> None:
    text = BOOLEAN.replace("name: y, namespace: shop", "name: b")
    (tmp_path / "b.yaml").write_text(text)
    done = ask("access", "who-can", "get", "pods", "-n", "shop", "-f", "b.yaml", cwd=tmp_path)
    assert done.code == 0
    assert done.out.splitlines()[0] == "nobody is known for sure who may get pods in shop"
    assert "User jo  perhaps" in done.out


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("hello: [\n")
    for words in (["access", "who-can", "get", "pods"], ["paths"]):
        done = ask(*words, "-f", "bad.yaml", cwd=tmp_path)
        assert done.code == 2
        first, because, _ = done.err.splitlines()
        assert first == "nothing to ask in bad.yaml"
        assert because.startswith("because bad.yaml:2:1: ")


def test_doubts_of_one_cause_are_one_line(tmp_path: Path) -> None:
    spaces = "".join(
        f"---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"
        f"---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: api, namespace: {name}}}\n"
        for name in ("a", "b", "c")
    )
    lines = CORE.replace("ClusterRole", "Role").splitlines(keepends=True)
    bound = "".join(line for line in lines if "nonResourceURLs" not in line)
    bound = bound.replace("kind: User, name: joe@example.com", "kind: ServiceAccount, name: api")
    (tmp_path / "all.yaml").write_text(bound + spaces)
    done = ask("access", "who-can", "get", "secrets", "-f", "all.yaml", cwd=tmp_path)
    assert done.out.count("its namespace is not written") == 1, done.out
    assert "  ServiceAccount default/api  perhaps  in default\n" in done.out
    grant = CORE.replace("kind: ClusterRoleBinding", "kind: RoleBinding").replace(
        "metadata: {name: core}\nroleRef", "metadata: {name: NAME, namespace: NAME}\nroleRef"
    )
    others = "".join("---" + grant.replace("NAME", name) for name in ("a", "b", "c"))
    (tmp_path / "all.yaml").write_text(bound + spaces + others)
    done = ask("access", "who-can", "get", "secrets", "-f", "all.yaml", cwd=tmp_path)
    assert "ServiceAccount a/api  perhaps  and 2 subjects more" in done.out
    assert done.out.count("its namespace is not written") == 1, done.out


def test_the_rights_of_a_node_are_more_than_its_roles() -> None:
    done = ask("access", "can", "--list", "--as", "node/worker-1", "-f", "demo")
    assert "note: the Node authorizer gives a node more: what its pods need" in done.out


def test_users_of_the_platform_are_folded_like_its_own(tmp_path: Path) -> None:
    """EKS lets nobody be mapped to a name that begins with `eks:`."""
    binding = (
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\n"
        "metadata: {name: 'eks:addon-cluster-admin'}\n"
        "roleRef: {kind: ClusterRole, name: cluster-admin}\n"
        "subjects: [{kind: User, name: 'eks:addon-manager'}]\n"
    )
    (tmp_path / "eks.yaml").write_text(binding)
    done = ask("access", "who-can", "delete", "nodes", "-f", ".", cwd=tmp_path)
    assert done.out.startswith("nobody but the control plane may delete nodes")
    assert "eks:addon-manager" not in done.out
    told = ask("access", "who-can", "delete", "nodes", "-f", ".", "--system", cwd=tmp_path)
    assert "User eks:addon-manager" in told.out
    assert ask("paths", "-f", ".", cwd=tmp_path).out.startswith("no path from ")
    assert "eks:addon-manager" in ask("paths", "-f", ".", "--system", cwd=tmp_path).out
    scanned = ask("scan", ".", "--allow-incomplete", "-o", "json", cwd=tmp_path)
    assert '"findings": []' in scanned.out
