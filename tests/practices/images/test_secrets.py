"""Secrets: each shape, what only looks like one, and that no value is ever shown."""

from __future__ import annotations

import base64
import itertools
import random
import re
import string
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.locks import Bytes, wants

from martello.core.package import Leak
from martello.practices.images.secrets import (
    READERS,
    blacked,
    reader,
    scan_config,
    scan_text,
    wanted,
)
from martello.practices.images.secrets.config import SecretRules
from martello.practices.images.secrets.rules import Shape, built_in, harmless

_MADE = random.Random(7)


def _made(alphabet: str, count: int) -> str:
    return "".join(_MADE.choice(alphabet) for _ in range(count))


_WORD = string.ascii_letters + string.digits
_UPPER = string.ascii_uppercase + string.digits
_HEX = "0123456789abcdef"
_PEM = "-----BEGIN RSA PRIVATE KEY-----\n" + "\n".join(_made(_WORD, 64) for _ in range(4))
_ENCRYPTED = _PEM.replace(
    "-----\n", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00FF\n\n", 1
)
_JWT = ".".join(
    (
        base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("="),
        base64.urlsafe_b64encode(b'{"sub":"somebody","iat":1516239022}').decode().rstrip("="),
        _made(_WORD, 43),
    )
)
_PAIR = base64.b64encode(b"robot:" + _made(_WORD, 12).encode()).decode()

# rule, path, the text with the secret between two bars
SHAPES = [
    ("private-key", "deploy", f"-----BEGIN |{_PEM[11:]}\n|-----END RSA PRIVATE KEY-----"),
    ("encrypted-private-key", "k.pem", f"-----BEGIN |{_ENCRYPTED[11:]}|"),
    ("aws-access-key-id", "a.sh", f"key=|AKIA{_made(_UPPER, 16)}|"),
    ("aws-secret-access-key", "a.ini", f"aws_secret_access_key = |{_made(_WORD, 40)}|"),
    ("gcp-service-account", "sa.json", '{"type": |"service_account"|}'),
    ("gcp-api-key", "a.js", f"const k = '|AIza{_made(_WORD, 35)}|'"),
    ("gcp-oauth-token", "a", f"|ya29.{_made(_WORD, 60)}|"),
    ("azure-storage-account-key", "a", f"AccountName=x;AccountKey=|{_made(_WORD, 86)}==|;"),
    ("azure-sas-token", "a", f"https://x.local/c?sv=2020-01-01&se=x&sig=|{_made(_WORD, 44)}|"),
    ("azure-entra-client-secret", "a", f"id |{_made(_WORD, 3)}8Q~{_made(_WORD, 34)}|"),
    ("azure-container-registry-credential", "a", f"|{_made(_WORD, 42)}+ACR{_made(_WORD, 6)}|"),
    ("github-pat", "a", f"|ghp_{_made(_WORD, 36)}|"),
    ("github-oauth", "a", f"|gho_{_made(_WORD, 36)}|"),
    ("github-app-token", "a", f"|ghs_{_made(_WORD, 36)}|"),
    ("github-refresh-token", "a", f"|ghr_{_made(_WORD, 76)}|"),
    ("github-fine-grained-pat", "a", f"|github_pat_{_made(_WORD, 22)}_{_made(_WORD, 59)}|"),
    ("gitlab-pat", "a", f"|glpat-{_made(_WORD, 20)}|"),
    ("hugging-face-access-token", "a", f"|hf_{_made(_WORD, 34)}|"),
    ("slack-access-token", "a", f"|xoxb-{_made('0123456789', 12)}-{_made(_WORD, 24)}|"),
    ("slack-app-token", "a", f"|xapp-1-{_made(_UPPER, 10)}-1234567890-{_made(_HEX, 64)}|"),
    ("slack-web-hook", "a", f"https://|hooks.slack.com/services/T0/B0/{_made(_WORD, 40)}|"),
    ("stripe-secret-token", "a", f"|sk_live_{_made(_WORD, 24)}|"),
    ("stripe-publishable-token", "a", f"|pk_live_{_made(_WORD, 24)}|"),
    ("npm-access-token", "a", f"|npm_{_made(_WORD, 36)}|"),
    ("npmrc-auth", "root/.npmrc", f"//npm.local/:_authToken=|{_made(_HEX, 32)}|"),
    ("pypi-upload-token", "a", f"|pypi-AgEIcHlwaS5vcmc{_made(_WORD, 80)}|"),
    ("pypirc-password", "root/.pypirc", f"[x]\npassword: |{_made(_WORD, 9)}|"),
    ("netrc-password", "root/.netrc", f"machine x.local login me password |{_made(_WORD, 9)}|"),
    ("rubygems-api-token", "a", f"|rubygems_{_made(_HEX, 48)}|"),
    ("crates-io-token", "root/.cargo/credentials.toml", f'token = "|cio{_made(_WORD, 32)}|"'),
    ("docker-config-auth", "root/.docker/config.json", f'{{"x":{{"auth":"|{_PAIR}|"}}}}'),
    ("dockerconfig-secret", "s.yaml", f"  .dockerconfigjson: |eyJhdXRocyI6{_made(_WORD, 40)}|"),
    ("kubeconfig-client-key", "c", f"    client-key-data: |{_made(_WORD, 200)}|"),
    ("kubeconfig-token", "root/.kube/config", f"users:\n    token: |{_made(_WORD, 40)}|"),
    ("jwt-token", "a", f"x |{_JWT}|"),
    ("url-password", "a", f"postgres://app:|{_made(_WORD, 9)}|@db.local/app"),
    ("shadow-password", "etc/shadow", f"root:|$6$abc${_made(_WORD, 86)}|:19000:0:::::"),
    ("pgpass-password", "root/.pgpass", f"db.local:5432:app:me:|{_made(_WORD, 9)}|"),
    ("openai-api-key", "a", f"|sk-proj-{_made(_WORD, 40)}T3BlbkFJ{_made(_WORD, 40)}|"),
    ("anthropic-api-key", "a", f"|sk-ant-api03-{_made(_WORD, 93)}|"),
    ("hashicorp-tf-api-token", "a", f"|{_made(_WORD, 14)}.atlasv1.{_made(_WORD, 64)}|"),
    ("vault-token", "a", f"|hvs.{_made(_WORD, 90)}|"),
    ("digitalocean-token", "a", f"|dop_v1_{_made(_HEX, 64)}|"),
    ("databricks-api-token", "a", f"|dapi{_made(_HEX, 32)}|"),
    ("grafana-api-token", "a", f"|glsa_{_made(_WORD, 32)}_{_made(_HEX, 8)}|"),
    ("sendgrid-api-token", "a", f"|SG.{_made(_WORD, 22)}.{_made(_WORD, 43)}|"),
    ("sendinblue-api-token", "a", f"|xkeysib-{_made(_HEX, 64)}-{_made(_WORD, 16)}|"),
    ("twilio-api-key", "a", f"twilio |SK{_made(_HEX, 32)}|"),
    ("mailgun-token", "a", f"mailgun_key = '|key-{_made(_HEX, 32)}|'"),
    ("mailchimp-api-key", "a", f"|{_made(_HEX, 32)}-us20|"),
    ("heroku-api-key", "a", f"HEROKU_API_KEY: |{_made(_HEX, 8)}-0a1b-4c2d-8e3f-{_made(_HEX, 12)}|"),
    ("shopify-token", "a", f"|shpat_{_made(_HEX, 32)}|"),
    ("new-relic-user-api-key", "a", f"|NRAK-{_made(_UPPER, 27)}|"),
    ("postman-api-token", "a", f"|PMAK-{_made(_HEX, 24)}-{_made(_HEX, 34)}|"),
    ("pulumi-api-token", "a", f"|pul-{_made(_HEX, 40)}|"),
    ("linear-api-token", "a", f"|lin_api_{_made(_WORD, 40)}|"),
    ("doppler-api-token", "a", f"|dp.pt.{_made(_WORD, 43)}|"),
    ("dynatrace-api-token", "a", f"|dt0c01.{_made(_UPPER, 24)}.{_made(_UPPER, 64)}|"),
    ("planetscale-token", "a", f"|pscale_pw_{_made(_WORD, 43)}|"),
    ("alibaba-access-key-id", "a", f"|LTAI{_made(_WORD, 20)}|"),
    ("private-packagist-token", "a", f"|packagist_ort_{_made(_HEX, 68)}|"),
    ("age-secret-key", "a", f"|AGE-SECRET-KEY-1{_made('QPZRY9X8GF2TVDW0', 58)}|"),
    ("discord-api-token", "a", f"discord |M{_made(_WORD, 23)}.Gabc12.{_made(_WORD, 38)}|"),
    ("telegram-bot-token", "a", f"|123456789:AA{_made(_WORD, 33)}|"),
    ("symfony-default-secret", "a", "|ThisTokenIsNotSoSecretChangeIt|"),
    ("maven-settings-password", "m/settings.xml", f"<password>|{_made(_WORD, 9)}|</password>"),
    ("authorization-header", "a", f"Authorization: Basic |{_made(_WORD, 30)}|"),
    ("generic-secret", "a.py", f'db_password = "|{_made(_WORD, 24)}|"'),
    ("settings-secret", "a.env", f"export APP_SECRET=|{_made(_WORD, 24)}|"),
]  # fmt: skip


def _split(text: str) -> tuple[str, str]:
    before, secret, after = text.split("|")
    return before + secret + after, secret


def _rules(leaks: tuple[Leak, ...]) -> list[str]:
    return [leak.rule for leak in leaks]


@pytest.mark.parametrize(("rule", "path", "text"), SHAPES, ids=[shape[0] for shape in SHAPES])
def test_a_shape_is_found_and_not_shown(rule: str, path: str, text: str) -> None:
    whole, secret = _split(text)
    data = f"first\nbefore {whole} after\n" if path == "a" else f"first\n{whole}\n"
    (leak,) = scan_text(path, data.encode())
    assert leak.rule == rule
    assert leak.path == path
    assert leak.line == data[: data.index(secret)].count("\n") + 1
    assert "*" in leak.shown
    for line in secret.split("\n"):
        parts = [part for part in re.split(r"[ \-]", line) if len(part) > 8]
        assert not any(part in str(leak) for part in parts)


def test_every_rule_of_the_table_has_a_shape_here() -> None:
    assert {shape[0] for shape in SHAPES} == {rule.id for rule in built_in()}
    assert len({rule.id for rule in built_in()}) == len(built_in())


def test_every_rule_compiles_and_has_words_in_lower_case() -> None:
    for rule in built_in():
        assert isinstance(rule, Shape)
        assert rule.words, rule.id
        assert all(word == word.lower() for word in rule.words), rule.id
        assert rule.spans(b"", b"") == []
        assert rule.severity in ("critical", "high", "medium", "low")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a", "AKIAIOSFODNN7EXAMPLE"),
        ("a", "sk_live_xxxxxxxxxxxxxxxxxxxxxxxx"),
        ("a", "ghp_000000000000000000000000000000000000"),
        ("a.ini", "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ("a", "postgres://user:password@db/app postgres://u:$PASSWORD@db/app http://a:<pass>@b"),
        ("a", "https://x.local/a:b see https://x.local:8080/@scope"),
        ("a.py", "password = get_password_from_somewhere_else()"),
        ("a.py", 'password = "${DATABASE_PASSWORD_OF_THE_APP}"'),
        ("a.yaml", "secretName: my-very-long-name-of-a-secret"),
        ("a.yaml", "token: /var/run/secrets/kubernetes.io/serviceaccount/token"),
        ("a.env", "API_KEY=changeme-changeme-changeme"),
        ("root/.npmrc", "//npm.local/:_authToken=${NPM_TOKEN}"),
        ("root/.docker/config.json", '{"auths": {"x": {"auth": ""}}, "credsStore": "pass"}'),
        ("etc/shadow", "root:*:19000:0:99999:7:::\ndaemon:!:19000::::::\n"),
        ("a", "-----BEGIN PUBLIC KEY-----\n" + "A" * 64),
        ("a", 'if line.startswith("-----BEGIN RSA PRIVATE KEY-----"): pass'),
        ("a", "eyJhbGciOiJ.eyJ"),
        ("a", "eyNoSuchHeaderInThisToken.eyAndNothingInThisPart00.signature0000"),
    ],
)
def test_what_only_looks_like_a_secret_is_let_pass(path: str, text: str) -> None:
    assert scan_text(path, text.encode()) == ()


@pytest.mark.parametrize(
    "path",
    [
        "app/node_modules/x/test/key.pem",
        "usr/local/lib/python3.11/test/keycert.pem",
        "usr/lib/python3/dist-packages/x.py",
        "usr/share/doc/openssl/key.pem",
        "README.md",
        "package-lock.json",
        "srv/logo.PNG",
    ],
)
def test_files_of_packages_and_prose_are_not_looked_at(path: str) -> None:
    assert not wanted(path)
    assert scan_text(path, _PEM.encode()) == ()


def test_binary_files_hold_no_text_and_utf_16_does() -> None:
    token = f"ghp_{_made(_WORD, 36)}"
    assert scan_text("a", b"\0" + token.encode()) == ()
    assert _rules(scan_text("a", token.encode("utf-16"))) == ["github-pat"]


def test_all_secrets_of_a_line_are_blacked_out_in_each_that_is_shown() -> None:
    one, two = f"ghp_{_made(_WORD, 36)}", f"AKIA{_made(_UPPER, 16)}"
    leaks = scan_text("a", f"x {one} y {two} z\r\n".encode())
    assert [leak.shown for leak in leaks] == [f"x {'*' * 40} y {'*' * 20} z"] * 2


def test_of_very_many_secrets_none_is_shown() -> None:
    """Nobody looks for more than some hundreds in one text: what is left is not shown at all."""
    tokens = [f"ghp_{_made(_WORD, 33)}{number:03}" for number in range(1000)]
    other = f"AKIA{_made(_UPPER, 16)}"
    text = " ".join((*tokens, other))
    for shown in (blacked(text), *(leak.shown for leak in scan_text("a.env", text.encode()))):
        assert "ghp_" not in shown
        assert other not in shown


def test_a_long_line_is_cut_and_stays_printable() -> None:
    token = f"ghp_{_made(_WORD, 36)}"
    data = b"\x1b[31m" + b"a " * 5000 + token.encode() + b" \xff" * 5000
    (leak,) = scan_text("a.js", data)
    assert len(leak.shown) < 250
    assert leak.shown.isprintable()
    assert "*" * 40 in leak.shown


def test_a_specific_rule_goes_before_a_general_one() -> None:
    token = f"glpat-{_made(_WORD, 20)}"
    assert _rules(scan_text("a.env", f"CI_TOKEN={token}\n".encode())) == ["gitlab-pat"]


def test_the_general_rules_do_not_find_what_a_disabled_one_would() -> None:
    rules = SecretRules(disabled=frozenset(("gitlab-pat",)))
    token = f"glpat-{_made(_WORD, 20)}"
    assert scan_text("a.env", f"CI_TOKEN={token}\n".encode(), rules) == ()


def test_the_number_of_leaks_of_a_file_is_bounded() -> None:
    data = "\n".join(f"ghp_{_made(_WORD, 36)}" for _ in range(1000)).encode()
    assert len(scan_text("a", data)) == 200


def _config(**inner: Any) -> dict[str, Any]:
    return {"config": inner}


def test_the_configuration_is_searched() -> None:
    password, token, build = _made(_WORD, 12), f"ghp_{_made(_WORD, 36)}", _made(_WORD, 20)
    config = {
        "config": {
            "Env": ["PATH=/usr/bin", f"DB_PASSWORD={password}", "POSTGRES_PASSWORD=hunter",
                    "GPG_KEY=7169605F62C751356D054A26A821E680E5FA6305", "TOKEN_FILE=/run/token",
                    "PYTHON_SHA256=" + _made(_HEX, 64), "SECRET=$OTHER", "EMPTY_PASSWORD="],
            "Labels": {"ci": token},
            "Cmd": ["server", "--url", f"redis://:{password}x@cache"],
        },
        "history": [
            {"created_by": f"|2 API_TOKEN={build} VERSION=1 /bin/sh -c make # buildkit"},
            {"created_by": f"ENV DB_PASSWORD={password}"},
            {"empty_layer": True},
        ],
    }  # fmt: skip
    leaks = scan_config(config)
    assert [(leak.rule, leak.path) for leak in leaks] == [
        ("config-secret", "config:Env/DB_PASSWORD"),
        ("config-secret", "config:Env/POSTGRES_PASSWORD"),
        ("github-pat", "config:Labels/ci"),
        ("url-password", "config:Cmd"),
        ("config-secret", "config:history/0"),
    ]
    assert not any(one in str(leaks) for one in (password, token, build, "hunter"))


@pytest.mark.parametrize(
    "config",
    [{}, {"config": None}, {"config": {"Env": 1, "Labels": [], "Cmd": [1]}, "history": "x"},
     {"history": [None, {"created_by": 1}]}],
)  # fmt: skip
def test_a_strange_configuration_holds_nothing(config: dict[str, Any]) -> None:
    assert scan_config(config) == ()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("root/.aws/credentials", True),
        ("srv/credentials", False),
        ("root/.kube/config", True),
        ("etc/ssh/config", False),
        ("etc/shadow", True),
        ("app/settings.py", True),
        ("root/.ssh/id_ed25519", True),
        ("usr/lib/python3/x.py", False),
        ("app/node_modules/x/index.js", False),
        ("bin/busybox", False),
    ],
)
def test_the_reader_of_images_looks_where_people_put_secrets(path: str, expected: bool) -> None:
    assert wants(READERS[0], path) is expected


def test_the_reader_leaves_large_files_and_takes_rules() -> None:
    data = f"ghp_{_made(_WORD, 36)}".encode()
    assert len(READERS[0].read("app/a.py", Bytes(data)).leaks) == 1
    assert READERS[0].read("app/a.py", Bytes(data + b" " * (1 << 20))).leaks == ()
    off = reader(SecretRules(disabled=frozenset(("github-pat",))))
    assert off.read("app/a.py", Bytes(data)).leaks == ()


_HARD = [
    "-----BEGIN PRIVATE KEY-----", "password=", "token: ", "a.", "://", "x://a:", "ey", ".ey",
    "A", " ", "\n", "0", '"', "'", "sig=&sv=", "client-key-data:", "\\n", "::::", "AKIA", "ghp_",
    "authorization: bearer ", "secret" , "pass", "_", "-", "<password>", "sk-", "T3BlbkFJ", "$6$:",
]  # fmt: skip


@pytest.mark.parametrize("path", ["a.env", "root/.npmrc", "etc/shadow", "root/.kube/config"])
def test_work_grows_with_the_size_alone(path: str) -> None:
    def seconds(text: str, count: int) -> float:
        data = (text * count).encode()
        begin = time.process_time()
        scan_text(path, data)
        return time.process_time() - begin

    for one in [*_HARD, *(a + b for a, b in itertools.pairwise(_HARD))]:
        small, large = seconds(one, 500), seconds(one, 4000)
        # Quadratic work would be 64 times as much: 8 is what it should be.
        assert large < 0.2 or large < 30 * small, one


@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from(_HARD), max_size=40).map("".join).map(str.encode)
)
def test_no_text_breaks_the_search(data: bytes) -> None:
    for leak in scan_text("a.env", data):
        assert leak.shown.isprintable()
        assert msgspec.json.encode(leak)


def test_words_of_people_are_harmless_and_random_ones_are_not() -> None:
    for value in (b"", b"password", b"my-secret", b"xxxxxxxxxxxx", b"{{ x }}", b"<token>", b"%s"):
        assert harmless(value)
    assert not harmless(_made(_WORD, 20).encode())


def test_many_secrets_on_one_line_take_no_time_with_their_square() -> None:
    line = "A_TOKEN=k8Qz81nVw0pX " * 20_000
    found = scan_config({"history": [{"created_by": line}]})
    assert found
    assert "k8Qz" not in found[0].shown
    assert "k8Qz" not in blacked(line)
