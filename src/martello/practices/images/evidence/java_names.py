"""What a jar without Maven's own properties is called: by its manifest and its file's name.

Of the group only what can be told is said: a jar whose group is not known gets none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from martello.practices.images.evidence.text import word

# Artifact, then a version: the first number after a hyphen that is not itself followed by one, save
# for stages of a release (`-rc-1`) and the times of snapshots.
_FILE: Final = re.compile(
    r"(?P<artifact>.+?)-(?P<version>v?\d[\w.+~]*"
    r"(?>-(?:\d{8}\.\d{6}-\d+|(?:alpha|beta|rc|cr|m|sp|b|ea|pre|dev)-\d[\w.]*|[A-Za-z][\w.]*))*)",
    re.IGNORECASE,
)
_PLATFORM: Final = re.compile(
    r"-(?:linux|osx|windows|macosx?|x86_64|amd64|aarch64|natives?|all|shaded|sources|tests?)\b.*"
)
_SLUG: Final = re.compile(r"[A-Za-z0-9][\w.-]*")
_GROUP: Final = re.compile(r"[a-z][\w-]*(?:\.[a-zA-Z_][\w-]*)+")

# Artifacts that are built without Maven and whose manifests name no group: what their names begin
# with, a directory that such a jar has, and the group.
_KNOWN: Final = (
    ("spring-boot", b"org/springframework/boot/", "org.springframework.boot"),
    ("spring-security-", b"org/springframework/security/", "org.springframework.security"),
    ("spring-data-", b"org/springframework/data/", "org.springframework.data"),
    ("spring-cloud-", b"org/springframework/cloud/", "org.springframework.cloud"),
    ("spring-session-", b"org/springframework/session/", "org.springframework.session"),
    ("spring-kafka", b"org/springframework/kafka/", "org.springframework.kafka"),
    ("spring-batch-", b"org/springframework/batch/", "org.springframework.batch"),
    ("spring-integration-", b"org/springframework/integration/", "org.springframework.integration"),
    ("spring-", b"org/springframework/", "org.springframework"),
    ("kotlin-", b"kotlin/", "org.jetbrains.kotlin"),
    ("kotlinx-coroutines-", b"kotlinx/coroutines/", "org.jetbrains.kotlinx"),
    ("kotlinx-serialization-", b"kotlinx/serialization/", "org.jetbrains.kotlinx"),
    ("ktor-", b"io/ktor/", "io.ktor"),
    ("okhttp", b"okhttp3/", "com.squareup.okhttp3"),
    ("okio", b"okio/", "com.squareup.okio"),
    ("retrofit", b"retrofit2/", "com.squareup.retrofit2"),
    ("reactor-core", b"reactor/core/", "io.projectreactor"),
    ("reactor-netty", b"reactor/netty/", "io.projectreactor.netty"),
    ("micrometer-tracing", b"io/micrometer/tracing/", "io.micrometer"),
    ("micrometer-", b"io/micrometer/", "io.micrometer"),
    ("groovy-", b"org/apache/groovy/", "org.apache.groovy"),
    ("groovy", b"groovy/lang/", "org.codehaus.groovy"),
    ("bcprov-", b"org/bouncycastle/", "org.bouncycastle"),
    ("bcpkix-", b"org/bouncycastle/", "org.bouncycastle"),
    ("bcutil-", b"org/bouncycastle/", "org.bouncycastle"),
    ("bctls-", b"org/bouncycastle/", "org.bouncycastle"),
    ("bcpg-", b"org/bouncycastle/", "org.bouncycastle"),
    ("tomcat-embed-", b"org/apache/", "org.apache.tomcat.embed"),
    ("kafka-clients", b"org/apache/kafka/", "org.apache.kafka"),
    ("elasticsearch", b"org/elasticsearch/", "org.elasticsearch"),
    ("lucene-", b"org/apache/lucene/", "org.apache.lucene"),
    ("grpc-", b"io/grpc/", "io.grpc"),
    ("protobuf-java", b"com/google/protobuf/", "com.google.protobuf"),
    ("postgresql", b"org/postgresql/", "org.postgresql"),
    ("mockito-", b"org/mockito/", "org.mockito"),
    ("byte-buddy", b"net/bytebuddy/", "net.bytebuddy"),
    ("json-path", b"com/jayway/jsonpath/", "com.jayway.jsonpath"),
    ("graphql-java", b"graphql/", "com.graphql-java"),
    ("asm", b"org/objectweb/asm/", "org.ow2.asm"),
    ("rxjava", b"io/reactivex/", "io.reactivex.rxjava3"),
)

# Old artifacts whose group has the same name.
_SAME: Final = re.compile(
    "antlr|aopalliance|cglib|classworlds|dom4j|jaxen|jdom|junit|log4j|oro|xalan|xml-apis|xom"
    "|commons-(?:beanutils|chain|cli|codec|collections|configuration|daemon|dbcp|digester|el"
    "|fileupload|httpclient|io|jxpath|lang|logging|net|pool|validator)"
)
_REPOSITORY: Final = re.compile(r"(?:\A|/)(?:repository|maven-repo|maven2|m2)/(.+)\Z")


class Identity(msgspec.Struct, frozen=True):
    """What a jar is called, as far as it can be told; each part may be empty."""

    group: str = ""
    artifact: str = ""
    version: str = ""


def file_identity(stem: str) -> Identity:
    """Artifact and version of a file name without its ending; the stem where it has no version."""
    stem = stem[:255]
    found = _FILE.fullmatch(stem)
    if found is None:
        return Identity(artifact=stem)
    return Identity("", found["artifact"], _PLATFORM.sub("", found["version"]))


def identity(path: str, manifest: dict[str, str], holds: Callable[[bytes], bool]) -> Identity:
    """What the jar of a path is called. `holds` says whether a directory is in it."""
    stem = path.rpartition("/")[2].rpartition(".")[0]
    placed = _placed(path, stem)
    if placed.group:
        return placed
    file = file_identity(stem)
    symbolic = word(manifest.get("bundle-symbolicname", "").partition(";")[0])
    titled = word(manifest.get("implementation-title", ""))
    artifact = file.artifact
    if not file.version and _SLUG.fullmatch(titled):
        artifact = titled.rpartition(":")[2]
    version = (
        file.version
        or word(manifest.get("implementation-version", "").partition(" ")[0])
        or word(manifest.get("bundle-version", ""))
    )
    vendor = word(manifest.get("implementation-vendor-id", ""))
    if vendor == "org.apache" and holds(f"org/apache/{artifact}/".encode()):
        vendor = f"org.apache.{artifact}"
    if _GROUP.fullmatch(vendor):
        return Identity(vendor, artifact, version)
    for start, directory, group in _KNOWN:
        if artifact.startswith(start) and holds(directory):
            return Identity(group, artifact, version)
    same = artifact if _SAME.fullmatch(artifact) else ""
    return Identity(_group_of(symbolic, artifact) or same, artifact, version)


def is_runtime(manifest: dict[str, str]) -> bool:
    """Whether a jar is a part of the Java runtime, which is no library of Maven's."""
    names = (manifest.get("implementation-title", ""), manifest.get("specification-title", ""))
    return any(name.startswith(("Java Runtime", "Java Platform", "OpenJDK")) for name in names)


def _placed(path: str, stem: str) -> Identity:
    """What the place of a jar in a repository as Maven lays it out says."""
    found = _REPOSITORY.search(path.rpartition("/")[0])
    parts = found[1].split("/") if found else []
    if len(parts) < 3 or not stem.startswith(f"{parts[-2]}-{parts[-1]}"):
        return Identity()
    return Identity(".".join(parts[:-2]), parts[-2], parts[-1])


def _group_of(symbolic: str, artifact: str) -> str:
    """The group that a bundle's name was made of, as Maven's bundle plugin makes it: the group, a
    dot, and the artifact without what it repeats of the group.
    """
    group = ""
    if symbolic.endswith(f".{artifact}"):
        group = symbolic.removesuffix(f".{artifact}")
    else:
        head, _, rest = symbolic.rpartition(".")
        last = head.rpartition(".")[2]
        if last and artifact == f"{last}-{rest}":
            group = head
    return group if _GROUP.fullmatch(group) else ""
