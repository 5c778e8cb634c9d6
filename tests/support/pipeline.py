"""A place to promote images from: layouts, an archive, a database, keys; commands run in a process
of their own, or in this one, which is faster.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support import shop
from tests.support.command import SRC, Done
from tests.support.forked import martello
from tests.support.images import Image, docker_archive, image, index, layer, write_layout
from tests.support.registry import RealRegistry, skopeo

from martello.adapters.registry.client import connect
from martello.core.artifact import Manifest, parse_manifest
from martello.practices.images.attest.keys import PrivateKey, new_key, private_key

FIXED = shop.STATUS.replace("3.0.9-1", "3.0.11-1~deb12u2")


def good(platform: str = "linux/amd64", mark: str = "") -> Image:
    """The shop with everything mended; `mark` makes it another image."""
    base = {"etc/os-release": shop.RELEASE, "var/lib/dpkg/status": FIXED}
    return image(
        layer(base),
        layer({"app/main.py": f"print(1) {mark}\n"}),
        config={"User": "65532"},
        platform=platform,
    )


def laid_out(there: Path) -> Path:
    """Images in every form, a database, two keys."""
    write_layout(there / "bad", {"1": shop.shop()})
    write_layout(there / "good", {"1": good()})
    write_layout(there / "mixed", {"1": index(good(), shop.shop("linux/arm64"))})
    write_layout(there / "both", {"1": index(good(), good("linux/arm64"))})
    (there / "good.tar").write_bytes(docker_archive({"shop/api:1": good()}))
    shop.database(there)
    for name in ("release", "other"):
        private, public = new_key()
        (there / f"{name}.pem").write_bytes(private)
        (there / f"{name}.pub").write_bytes(public)
    return there


def environment(place: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Nothing of the user's is touched."""
    return {
        "MARTELLO_DATABASE": str(place / "advisories.db"),
        "MARTELLO_STATE": f"sqlite:///{place / 'state.db'}",
        "MARTELLO_LOCAL": "0",
        "HOME": str(place / "home"),
        **(more or {}),
    }


def inside(place: Path, *words: str, env: Mapping[str, str] | None = None) -> Done:
    """An image command there, in this very process."""
    from martello.cli.errors import run as entered
    from martello.cli.main import cli

    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(place),
        _variables(environment(place, env)),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = entered(cli, ["image", *words])
    assert code != 70, err.getvalue()
    return Done(code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _variables(more: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def run(place: Path, *words: str, env: Mapping[str, str] | None = None) -> Done:
    """An image command there, in a process of its own."""
    return martello("image", *words, cwd=place, env=environment(place, env))


def promote(place: Path, source: str, target: str, *more: str, **options: Any) -> Done:
    """Promotes with the release key."""
    return run(place, "promote", source, target, "--key", "release.pem", *more, **options)


def policy(place: Path, name: str, spec: str) -> str:
    """The file of a policy."""
    head = "apiVersion: martello.dev/v1alpha1\nkind: ImagePolicy\n"
    (place / f"{name}.yaml").write_text(f"{head}metadata: {{name: {name}}}\nspec:\n{spec}")
    return f"{name}.yaml"


def signer(place: Path, name: str = "release") -> PrivateKey:
    """One of the keys, in this process."""
    return private_key((place / f"{name}.pem").read_bytes(), name)


def stored(registry: RealRegistry) -> set[str]:
    """The digests of all that the registry keeps, manifests too."""
    blobs = registry.directory / "data" / "docker" / "registry" / "v2" / "blobs" / "sha256"
    return {path.parent.name for path in blobs.glob("*/*/data")}


def repositories(registry: RealRegistry) -> set[str]:
    """The repositories that hold anything at all."""
    root = registry.directory / "data" / "docker" / "registry" / "v2" / "repositories"
    return {str(path.parent.relative_to(root)) for path in root.rglob("_layers")}


def tampered(registry: RealRegistry, name: str) -> None:
    """One bit of a blob changes on the registry's disk."""
    blobs = registry.directory / "data" / "docker" / "registry" / "v2" / "blobs" / "sha256"
    file = blobs / name[7:9] / name[7:] / "data"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def manifest_of(registry: RealRegistry, name: str) -> Manifest:
    """What a tag means, without the command line."""
    with connect(f"{registry.url}/{name}") as found:
        held = found.held(found.reference)
    assert held is not None, name
    manifest = parse_manifest(*held)
    assert isinstance(manifest, Manifest)
    return manifest


def tags(registry: RealRegistry, repository: str) -> set[str]:
    """The tags of a repository."""
    with connect(f"{registry.url}/{repository}") as found:
        return set(found.tags())


def back(registry: RealRegistry, name: str, out: Path, *more: str) -> Path:
    """skopeo's copy of an image, as an OCI layout."""
    source = f"docker://{registry.url}/{name}"
    skopeo("copy", "--src-tls-verify=false", *more, source, f"oci:{out}:1")
    return out


def same(layout: Path, made: Image) -> None:
    """Every blob of the image lies in the layout, bit for bit."""
    for name, content in made.blobs.items():
        assert (layout / "blobs" / "sha256" / name[7:]).read_bytes() == content, name


def started(place: Path, source: str, target: str) -> subprocess.Popen[str]:
    """A promotion on its way, in a process of its own."""
    words = ("image", "promote", source, target, "--key", "release.pem")
    own = {**os.environ, **environment(place), "PYTHONPATH": str(SRC)}
    return subprocess.Popen(
        [sys.executable, "-m", "martello.cli.main", *words],
        cwd=place,
        env=own,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def stalling(registry: RealRegistry, request: str) -> Iterator[tuple[str, threading.Event]]:
    """A proxy before a registry that never answers the first request whose line holds a text, nor
    any after it. Gives its host:port, and what is set when that request came.
    """
    reached = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if reached.is_set() or request in f"{self.command} {self.path} ":
                reached.set()
                self.close_connection = True
                return
            way = http.client.HTTPConnection("127.0.0.1", registry.port)
            headers = {k: v for k, v in self.headers.items() if k.lower() != "transfer-encoding"}
            way.request(self.command, self.path, body, headers)
            got = way.getresponse()
            content = got.read()
            self.send_response(got.status)
            for name, value in got.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "date"):
                    self.send_header(name, value)
            length = got.getheader("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            way.close()

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, format: str, *arguments: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", reached
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
