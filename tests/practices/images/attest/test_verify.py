"""Who vouches for an image: every way in which a signature does not hold has its own words."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from martello.core.artifact import (
    OCI_MANIFEST,
    Descriptor,
    Index,
    Manifest,
    digest_of,
    parse_manifest,
)
from martello.core.errors import BadInput
from martello.core.finding import Waived
from martello.core.package import Package
from martello.core.vulnerability import Affected, Data, Feed, Match, Ruled
from martello.practices.images.attest import artifacts, dsse, intoto, predicates, simple
from martello.practices.images.attest.artifacts import Artifact, Push
from martello.practices.images.attest.bundle import MEDIA, bundle
from martello.practices.images.attest.keys import new_key, private_key, public_keys
from martello.practices.images.attest.verify import Verdict, Wanted, required, verify
from martello.practices.images.policy import Attestation, ImagePolicy, Signed, Signer, Spec

_KEYS = (
    *("payload", "payloadType", "signatures", "sig", "keyid", "mediaType", "dsseEnvelope"),
    *("verificationMaterial", "publicKey", "hint", "messageSignature", "signature", "critical"),
    *("image", "identity", "docker-manifest-digest", "docker-reference", "type", "_type"),
    *("subject", "digest", "name", "predicateType", "predicate", "sha256"),
)
AT = datetime(2031, 6, 1, 12, tzinfo=UTC)
KEY = private_key(new_key()[0], "release.pub")
OTHER = private_key(new_key()[0], "other.pub")
NAME = "reg.local/shop/api"
IMAGE = b'{"schemaVersion":2}'
DIGEST = digest_of(IMAGE)
WEEK = timedelta(days=7)
VULN = Wanted(DIGEST, intoto.VULN, WEEK)
TWO = Wanted(DIGEST)


def _predicate(at: datetime = AT) -> dict[str, Any]:
    feed = Feed("osv:PyPI", "r1", "2031-06-01T00:00:00Z", 10)
    data = Data("ab" * 32, (feed,), 12.0)
    return predicates.vulnerabilities({"summary": {}}, data, at, at, "1.0")


def _envelope(
    digest: str = DIGEST,
    *,
    type: str = intoto.VULN,
    key: Any = KEY,
    at: datetime = AT,
    name: str = NAME,
    version: str = intoto.V01,
) -> bytes:
    return dsse.sign(intoto.statement(digest, name, type, _predicate(at), version), key)


def _att(envelope: bytes) -> Artifact:
    return Artifact("dsse", envelope, "sha256-x.att", digest_of(envelope))


def _sig(digest: str = DIGEST, key: Any = KEY, name: str = NAME) -> Artifact:
    payload = simple.payload(digest, name)
    text = base64.b64encode(key.sign(payload)).decode()
    return Artifact("simple", payload, "sha256-x.sig", digest_of(payload), text)


def _judged(*found: Artifact, wanted: Wanted = VULN, keys: Any = (KEY.public,)) -> Verdict:
    return verify(found, keys, wanted, AT)


def _kinds(verdict: Verdict) -> list[str]:
    return [failure.kind for failure in verdict.failures]


def test_a_signature_and_an_attestation_hold() -> None:
    signed = _judged(_sig(), wanted=TWO)
    assert [(v.type, v.key, v.digest) for v in signed.verified] == [("", "release.pub", DIGEST)]
    for version in (intoto.V01, intoto.V1):
        attested = _judged(_att(_envelope(version=version)))
        assert attested.ok
        assert attested.verified[0].type == intoto.VULN
        assert json.loads(attested.verified[0].predicate)["scanner"]["version"] == "1.0"
    wrapped = Artifact("bundle", bundle(_envelope(), KEY.public.hint), "sha256:1")
    assert _judged(wrapped).ok


def test_s6_the_hint_decides_nothing() -> None:
    for hint in ("", "someone else", OTHER.public.hint):
        assert _judged(Artifact("bundle", bundle(_envelope(), hint), "w")).ok
        foreign = Artifact("bundle", bundle(_envelope(key=OTHER), KEY.public.hint), "w")
        assert _kinds(_judged(foreign)) == ["wrong key"]
    body = json.loads(_envelope(key=OTHER))
    body["signatures"][0]["keyid"] = KEY.public.hint
    assert _kinds(_judged(_att(json.dumps(body).encode()))) == ["wrong key"]


def test_each_failure_has_its_own_kind_and_words() -> None:
    far = "sha256:" + "f" * 64
    cases: list[tuple[str, Verdict]] = [
        ("absent", _judged()),
        ("absent", _judged(_att(_envelope(type=intoto.SPDX)))),
        ("absent", _judged(_att(_envelope()), wanted=TWO)),
        ("wrong key", _judged(_att(_envelope(key=OTHER)))),
        ("wrong key", _judged(_sig(key=OTHER), wanted=TWO)),
        ("other digest", _judged(_att(_envelope(far)))),
        ("other digest", _judged(_sig(far), wanted=TWO)),
        ("other name", _judged(_sig(), wanted=Wanted(DIGEST, name="reg.local/shop/web"))),
        ("other name", _judged(_att(_envelope()), wanted=Wanted(DIGEST, intoto.VULN, name="x"))),
        ("too old", _judged(_att(_envelope(at=AT - timedelta(days=8))))),
        ("too old", _judged(_att(_envelope(at=AT + timedelta(hours=1))))),
        ("malformed", _judged(_att(b"{}"))),
        ("malformed", _judged(Artifact("bundle", b"[]", "w"))),
        ("malformed", _judged(Artifact("unread", b"", "w", why="it is truncated"))),
    ]
    for kind, verdict in cases:
        assert (_kinds(verdict), verdict.ok) == ([kind], False)
    messages = {verdict.failures[0].message for _, verdict in cases}
    assert len(messages) >= 11
    assert any("8.0 days old" in message for message in messages)


def test_the_name_is_compared_as_runtimes_read_it() -> None:
    found = _sig(name="nginx")
    assert _judged(found, wanted=Wanted(DIGEST, name="docker.io/library/nginx:1.25")).ok
    assert not _judged(found, wanted=Wanted(DIGEST, name="docker.io/other/nginx")).ok


def test_s5_a_signature_on_an_index_counts_for_the_children_that_it_lists() -> None:
    def index(*digests: str) -> Index:
        children = [{"mediaType": OCI_MANIFEST, "digest": d, "size": 1} for d in digests]
        media = "application/vnd.oci.image.index.v1+json"
        raw = json.dumps({"schemaVersion": 2, "mediaType": media, "manifests": children})
        parsed = parse_manifest(raw.encode())
        assert isinstance(parsed, Index)
        return parsed

    lists, other = index("sha256:" + "1" * 64, DIGEST), index("sha256:" + "1" * 64)
    for make in (_sig, lambda digest: _att(_envelope(digest))):
        wanted = TWO if make is _sig else VULN
        within = msgspec.structs.replace(wanted, index=lists)
        assert _judged(make(lists.digest), wanted=within).verified[0].digest == lists.digest
        assert _judged(make(DIGEST), wanted=within).ok
        without = msgspec.structs.replace(wanted, index=other)
        assert _kinds(_judged(make(other.digest), wanted=without)) == ["not listed"]
        assert _kinds(_judged(make(lists.digest), wanted=wanted)) == ["other digest"]
    # What is said of a child says nothing of the index.
    assert _kinds(_judged(_sig(DIGEST), wanted=Wanted(lists.digest))) == ["other digest"]


def test_a_bundle_with_a_plain_signature_holds_for_the_manifest() -> None:
    def plain(signature: bytes) -> Artifact:
        body = {
            "mediaType": MEDIA,
            "verificationMaterial": {"publicKey": {"hint": "x"}},
            "messageSignature": {
                "messageDigest": {"algorithm": "SHA2_256", "digest": "AAAA"},
                "signature": base64.b64encode(signature).decode(),
            },
        }
        return Artifact("bundle", json.dumps(body).encode(), "w")

    assert _judged(plain(KEY.sign(IMAGE)), wanted=TWO).ok
    assert _kinds(_judged(plain(KEY.sign(IMAGE + b"\n")), wanted=TWO)) == ["wrong key"]
    named = Wanted(DIGEST, name=NAME)
    assert _kinds(_judged(plain(KEY.sign(IMAGE)), wanted=named)) == ["other name"]
    assert _kinds(_judged(plain(KEY.sign(IMAGE)))) == ["absent"]


def test_a_signature_said_as_a_statement_holds() -> None:
    found = Artifact("bundle", bundle(dsse.sign(intoto.signed(DIGEST, NAME), KEY), ""), "w")
    assert _judged(found, wanted=TWO).ok
    assert _judged(found, wanted=Wanted(DIGEST, name=NAME)).ok
    assert _kinds(_judged(found, wanted=Wanted(DIGEST, name="other"))) == ["other name"]
    assert _kinds(_judged(found)) == ["absent"]


def test_keyless_ones_are_recognised_and_count_as_absent() -> None:
    body = json.loads(bundle(_envelope(key=OTHER), ""))
    body["verificationMaterial"] = {"certificate": {"rawBytes": "AAAA"}, "tlogEntries": []}
    assert _kinds(_judged(Artifact("bundle", json.dumps(body).encode(), "w"))) == ["keyless"]
    payload = msgspec.structs.replace(_sig(key=OTHER), keyless=True)
    assert _kinds(_judged(payload, wanted=TWO)) == ["keyless"]


def test_s3_the_bytes_received_are_verified_not_what_they_mean() -> None:
    payload = intoto.statement(DIGEST, NAME, intoto.VULN, _predicate())
    signed = json.loads(dsse.sign(payload, KEY))
    spaced = json.dumps(json.loads(payload), indent=1).encode()
    assert json.loads(spaced) == json.loads(payload)
    altered = {**signed, "payload": base64.b64encode(spaced).decode()}
    assert _kinds(_judged(_att(json.dumps(altered).encode()))) == ["wrong key"]
    again = json.dumps({**signed, "more": 1}, indent=3).encode()  # the envelope may be rewritten
    assert _judged(_att(again)).ok


def test_tampering_with_any_byte_is_noticed() -> None:
    envelope = _envelope()
    held = refused = 0
    for place in range(0, len(envelope), 7):
        altered = bytearray(envelope)
        altered[place] ^= 0x01
        verdict = _judged(_att(bytes(altered)))
        if verdict.ok:  # only a bit that base64 does not use, or an unused key of JSON
            held += 1
            was, now = dsse.parse(envelope), dsse.parse(bytes(altered))
            assert (was.type, was.payload) == (now.type, now.payload)
        refused += not verdict.ok
    assert refused > 100
    assert held <= 1
    payload, signature = _sig().content, _sig().signature
    for place in range(len(payload)):
        altered = bytearray(payload)
        altered[place] ^= 0x20
        found = msgspec.structs.replace(_sig(), content=bytes(altered))
        assert _kinds(_judged(found, wanted=TWO)) == ["wrong key"]
    for text in ("", "A", "!!!!", signature[:-8], signature + signature, "AAAA"):
        found = msgspec.structs.replace(_sig(), signature=text)
        assert not _judged(found, wanted=TWO).ok


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b.update(payloadType="application/json"),
        lambda b: b.update(signatures=[]),
        lambda b: b.update(signatures=b["signatures"] * 33),
        lambda b: b.update(signatures="x"),
        lambda b: b.update(payload="*"),
        lambda b: b.pop("payload"),
    ],
)
def test_envelopes_of_another_form_are_malformed(change: Callable[[Any], Any]) -> None:
    body = json.loads(_envelope())
    change(body)
    assert _kinds(_judged(_att(json.dumps(body).encode()))) == ["malformed"]


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"null",
        b"\xff",
        b"[" * 200_000,
        b'{"_type":"x","subject":[{"digest":{}}],"predicateType":"t"}',
        b'{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"t"}',
    ],
)
def test_signed_nonsense_is_malformed(body: bytes) -> None:
    assert _kinds(_judged(_att(dsse.sign(body, KEY)))) == ["malformed"]
    text = base64.b64encode(KEY.sign(body)).decode()
    found = Artifact("simple", body, "w", signature=text)
    assert _kinds(_judged(found, wanted=TWO)) == ["malformed"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(_KEYS) | st.text(), inner),
)


@given(st.binary() | _JSON.map(lambda value: json.dumps(value).encode()))
def test_nothing_attached_raises(body: bytes) -> None:
    signature = base64.b64encode(KEY.sign(body)).decode()
    kinds: tuple[Any, ...] = ("simple", "dsse", "bundle")
    for kind in kinds:
        assert not _judged(Artifact(kind, body, "w", signature=signature)).ok
        assert not _judged(Artifact(kind, body, "w", signature=signature), wanted=TWO).ok
    assert not _judged(_att(dsse.sign(body, KEY))).ok


def test_the_published_vector_of_dsse() -> None:
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    numbers = ec.EllipticCurvePublicNumbers(
        46950820868899156662930047687818585632848591499744589407958293238635476079160,
        5640078356564379163099075877009565129882514886557779369047442380624545832820,
        ec.SECP256R1(),
    )
    pem = numbers.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    text = (
        "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="
    )
    raw = base64.b64decode(text)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    envelope = dsse.Envelope("http://example.com/HelloWorld", b"hello world", (("", der),))
    keys = public_keys(pem, "vector")
    assert dsse.signers(envelope, keys) == keys


def test_openssl_verifies_the_envelope_and_the_payload(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs the Debian package openssl")
    envelope = dsse.parse(_envelope())
    found = _sig()
    signed = {
        "dsse": (dsse.pae(envelope.type, envelope.payload), envelope.signatures[0][1]),
        "simple": (found.content, base64.b64decode(found.signature)),
    }
    (tmp_path / "k.pub").write_bytes(KEY.public.pem)
    for name, (message, signature) in signed.items():
        (tmp_path / name).write_bytes(message)
        (tmp_path / f"{name}.sig").write_bytes(signature)
        command = ["openssl", "dgst", "-sha256", "-verify", "k.pub"]
        command += ["-signature", f"{name}.sig", name]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.stdout.strip() == "Verified OK"


def _manifest(push: Push) -> Manifest:
    parsed = parse_manifest(push.manifest)
    assert isinstance(parsed, Manifest)
    return parsed


def _found(*pushes: Push) -> list[Artifact]:
    found: list[Artifact] = []
    for push in pushes:
        blobs = {blob.descriptor.digest: blob.content for blob in push.blobs}
        where = push.tag or push.digest

        def read(descriptor: Descriptor, blobs: dict[str, bytes] = blobs) -> bytes:
            return blobs[descriptor.digest]

        found += artifacts.found_in(_manifest(push), read, where)
    return found


def test_the_sig_manifest_is_cosigns_and_grows_once_a_key() -> None:
    payload = simple.payload(DIGEST, NAME)
    push = artifacts.signature(DIGEST, payload, KEY.sign(payload), KEY.public)
    assert push is not None
    assert push.tag == DIGEST.replace(":", "-") + ".sig"
    body = json.loads(push.manifest)
    assert body["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    (layer,) = body["layers"]
    assert layer["mediaType"] == "application/vnd.dev.cosign.simplesigning.v1+json"
    assert layer["digest"] == digest_of(payload)
    assert set(layer["annotations"]) == {"dev.cosignproject.cosign/signature"}
    config = json.loads(push.blobs[0].content)
    assert config["rootfs"] == {"type": "layers", "diff_ids": [digest_of(payload)]}
    assert verify(_found(push), (KEY.public,), TWO, AT).ok
    first = _manifest(push)
    assert artifacts.signature(DIGEST, payload, KEY.sign(payload), KEY.public, first) is None
    second = artifacts.signature(DIGEST, payload, OTHER.sign(payload), OTHER.public, first)
    assert second is not None
    assert len(_manifest(second).layers) == 2
    assert verify(_found(second), (OTHER.public,), TWO, AT).ok


def test_the_payload_is_written_as_cosign_writes_it() -> None:
    assert simple.payload("sha256:aa", "reg.local/a") == (
        b'{"critical":{"identity":{"docker-reference":"reg.local/a"},'
        b'"image":{"docker-manifest-digest":"sha256:aa"},'
        b'"type":"cosign container image signature"},"optional":null}'
    )
    claims = json.loads(simple.payload("sha256:aa", "a", {"run": "7", "by": "ci"}))["optional"]
    assert claims == {"by": "ci", "run": "7"}


def test_the_att_manifest_keeps_what_others_attached() -> None:
    foreign = _envelope(key=OTHER, type="https://example.com/x")
    push = artifacts.attestation(DIGEST, foreign, "https://example.com/x")
    assert push is not None
    raw = json.loads(push.manifest)
    raw["annotations"] = {"kept": "yes"}
    raw["layers"][0]["annotations"]["dev.sigstore.cosign/bundle"] = "{}"
    there = parse_manifest(json.dumps(raw).encode())
    assert isinstance(there, Manifest)
    mine = _envelope()
    added = artifacts.attestation(DIGEST, mine, intoto.VULN, there)
    assert added is not None
    body = json.loads(added.manifest)
    assert body["annotations"] == {"kept": "yes"}
    assert body["layers"][0] == raw["layers"][0]
    assert body["layers"][1]["mediaType"] == "application/vnd.dsse.envelope.v1+json"
    assert body["layers"][1]["annotations"]["predicateType"] == intoto.VULN
    assert len(json.loads(added.blobs[0].content)["rootfs"]["diff_ids"]) == 2
    assert artifacts.attestation(DIGEST, mine, intoto.VULN, _manifest(added)) is None
    newer = _envelope(at=AT + timedelta(minutes=1))
    replaced = artifacts.attestation(
        DIGEST, newer, intoto.VULN, _manifest(added), {digest_of(mine)}
    )
    assert replaced is not None
    found = [layer.digest for layer in _manifest(replaced).layers]
    assert found == [digest_of(foreign), digest_of(newer)]


def test_an_index_under_the_tag_is_refused() -> None:
    raw = b'{"schemaVersion":2,"manifests":[]}'
    index = parse_manifest(raw)
    with pytest.raises(BadInput):
        artifacts.attestation(DIGEST, b"{}", intoto.VULN, index)


def test_the_referrer_is_the_one_of_the_bundle_specification() -> None:
    subject = Descriptor(OCI_MANIFEST, DIGEST, len(IMAGE))
    push = artifacts.referrer(subject, bundle(_envelope(), KEY.public.hint), intoto.VULN, AT)
    body = json.loads(push.manifest)
    assert body["artifactType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert body["config"]["mediaType"] == "application/vnd.oci.empty.v1+json"
    assert body["config"]["digest"].startswith("sha256:44136fa3")
    assert body["subject"]["digest"] == DIGEST
    assert body["annotations"]["dev.sigstore.bundle.content"] == "dsse-envelope"
    assert body["annotations"]["dev.sigstore.bundle.predicateType"] == intoto.VULN
    assert body["annotations"]["org.opencontainers.image.created"] == "2031-06-01T12:00:00Z"
    wire = json.loads(push.blobs[1].content)
    assert set(wire) == {"mediaType", "verificationMaterial", "dsseEnvelope"}
    assert wire["verificationMaterial"] == {"publicKey": {"hint": KEY.public.hint}}
    assert verify(_found(push), (KEY.public,), VULN, AT).ok
    again = artifacts.referrer(subject, bundle(_envelope(), KEY.public.hint), intoto.VULN, AT)
    assert again.digest == push.digest


def test_artefacts_are_opened_whatever_their_type_says() -> None:
    """N13: one large registry lists `application/vnd.oci.empty.v1+json`."""
    subject = Descriptor(OCI_MANIFEST, DIGEST, len(IMAGE))
    push = artifacts.referrer(subject, bundle(_envelope(), ""), intoto.VULN, AT)
    body = json.loads(push.manifest)
    del body["artifactType"]
    raw = msgspec.structs.replace(push, manifest=json.dumps(body).encode())
    assert verify(_found(raw), (KEY.public,), VULN, AT).ok


def test_what_cannot_be_fetched_is_told() -> None:
    push = artifacts.attestation(DIGEST, _envelope(), intoto.VULN)
    assert push is not None

    def read(descriptor: Descriptor) -> bytes:
        raise BadInput("cannot read", "it is gone")

    found = artifacts.found_in(_manifest(push), read, "w")
    assert _judged(*found).failures[0].message == "it cannot be read: it is gone"


def test_what_a_policy_requires() -> None:
    signed = Signed(
        by=(Signer(key="release.pub"),), attestations=(Attestation(type="vuln", max_age="7d"),)
    )
    policy = ImagePolicy("p", Spec(signed=signed))
    wanted = Wanted(DIGEST, name=NAME)

    def checks(*found: Artifact) -> list[str]:
        reasons = required(policy, found, (KEY.public,), wanted, AT)
        return [reason.check for reason in reasons]

    assert checks(_sig(), _att(_envelope())) == []
    assert checks() == ["IMG-007", "IMG-008"]
    assert checks(_sig()) == ["IMG-008"]
    assert checks(_att(_envelope())) == ["IMG-007"]
    assert checks(_sig(key=OTHER), _att(_envelope(key=OTHER))) == ["IMG-007", "IMG-008"]
    assert checks(_sig(), _att(_envelope(at=AT - timedelta(days=8)))) == ["IMG-008"]
    assert checks(_sig(name="elsewhere/x"), _att(_envelope())) == []
    named = ImagePolicy("p", Spec(signed=msgspec.structs.replace(signed, match_name=True)))
    reasons = required(named, (_sig(name="elsewhere/x"),), (KEY.public,), wanted, AT)
    assert "elsewhere/x" in reasons[0].message
    assert required(ImagePolicy("p"), (), (), wanted, AT) == ()


@pytest.mark.parametrize(
    ("found", "wanted", "same"),
    [
        (intoto.VULN, intoto.VULN, True),
        ("cosign.sigstore.dev/attestation/vuln/v1", intoto.VULN, True),
        ("https://cyclonedx.org/bom/v1.6", intoto.CYCLONEDX, True),
        ("https://spdx.dev/Document/v2.3", intoto.SPDX, True),
        ("https://cyclonedx.org/bomb", intoto.CYCLONEDX, False),
        (intoto.VULN + "/v2", intoto.VULN, False),
        ("", intoto.VULN, False),
    ],
)
def test_types(found: str, wanted: str, same: bool) -> None:
    assert intoto.same_type(found, wanted) is same


def test_names_of_types() -> None:
    assert intoto.predicate_type("vuln") == intoto.VULN
    assert intoto.predicate_type("https://example.com/x/v1") == "https://example.com/x/v1"
    for name in ("vulns", "", "a b://c"):
        with pytest.raises(BadInput):
            intoto.predicate_type(name)


def test_the_result_counts_what_is_not_waived() -> None:
    package = Package("deb", "openssl", "3.0.9-1", "Debian:12")
    affected = Affected("CVE-2031-1", "Debian:12", "openssl")
    high = Match("CVE-2031-1", package, "3.0.9-1", affected, "affected", "high", exploited="2031")
    low = msgspec.structs.replace(high, id="CVE-2031-2", severity="low", exploited="")
    ruled = [Ruled(low), Ruled(high, Waived("ana", "why", "", "w"))]
    body = predicates.result_of(ruled)
    assert (body["summary"]["high"], body["summary"]["low"]) == (0, 1)
    assert [line["id"] for line in body["vulnerabilities"]] == ["CVE-2031-1", "CVE-2031-2"]
    assert body["vulnerabilities"][0]["waived"]["by"] == "ana"


def test_the_type_of_a_bill_of_materials() -> None:
    assert predicates.bill({"bomFormat": "CycloneDX"}) == intoto.CYCLONEDX
    assert predicates.bill({"spdxVersion": "SPDX-2.3"}) == intoto.SPDX
    with pytest.raises(BadInput):
        predicates.bill({})
