"""Where an image is really asked for: its registry, the mirrors before it, and how each is trusted.

A table of registries.conf that fits comes first, else a hosts.toml; plain HTTP is spoken only to
this machine itself and to what is declared insecure.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx
import msgspec

from martello.adapters.registry import certs_d, registries_conf
from martello.adapters.registry.addresses import loopback, usable
from martello.adapters.registry.settings import Settings
from martello.core.errors import BadInput, NotPermitted
from martello.core.image import ImageReference
from martello.core.secret import Secret

# The one name whose API lives elsewhere: a fact of the protocol, not a default.
API_HOSTS: Final = {"docker.io": "registry-1.docker.io"}
_CERTS: Final = ("/etc/containerd/certs.d", "/etc/containers/certs.d", "/etc/docker/certs.d")


class Endpoint(msgspec.Struct, frozen=True):
    """One repository at one host."""

    host: str  # host[:port], as credentials and messages name it
    address: str  # host[:port], as it is connected to
    repository: str
    scheme: str = "https"  # empty: to be found out, see `insecure`
    root: str = "/v2"
    verify: bool = True
    authorities: tuple[str, ...] = ()
    clients: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, Secret] = {}
    params: Mapping[str, str] = {}
    mirror: bool = False
    abilities: frozenset[str] = frozenset(("pull", "resolve", "push"))
    when: str = "all"  # all, digest-only, tag-only

    @property
    def name(self) -> str:
        """Host and repository, as keyrings are asked."""
        return f"{self.host}/{self.repository}"


def endpoints(image: ImageReference, settings: Settings) -> tuple[Endpoint, ...]:
    """Where to ask, in order; the registry itself is last. Raises BadInput for configuration that
    cannot be read, NotPermitted for a registry that it blocks.
    """
    directories = settings.certificates
    if directories is None:
        home = settings.environ.get("HOME", "")
        own = (str(Path(home, ".config/containers/certs.d")),) if home else ()
        directories = (*own, *_CERTS)
    tables = registries_conf.read(settings.registries, settings.environ)
    table = registries_conf.matching(tables, image.name)
    if table is not None:
        found = _by_table(image, table)
    else:
        found = _by_hosts(image, directories) or (_plain(image.name),)
    return tuple(_trusting(endpoint, directories, settings) for endpoint in found)


def _by_table(image: ImageReference, table: registries_conf.Table) -> tuple[Endpoint, ...]:
    if table.blocked:
        why = f"{table.file} blocks {table.prefix}"
        raise NotPermitted(f"{image.name} may not be used", why, "use another registry")
    rest = image.name[len(registries_conf.leading(table.prefix, image.name)) :]
    found = [
        msgspec.structs.replace(
            _plain(mirror.location + rest),
            mirror=True,
            abilities=frozenset(("pull", "resolve")),
            when=mirror.when,
            verify=not mirror.insecure,
        )
        for mirror in table.mirrors
    ]
    itself = _plain(table.location + rest if table.location else image.name)
    found.append(msgspec.structs.replace(itself, verify=not table.insecure))
    return tuple(found)


def _by_hosts(image: ImageReference, directories: tuple[str, ...]) -> tuple[Endpoint, ...]:
    found = []
    for host in certs_d.hosts(image.registry, directories):
        address = host.url.netloc.decode("ascii")
        shown = image.registry if address == API_HOSTS.get(image.registry) else address
        path = host.url.path.rstrip("/")
        root = path if host.override or path.endswith("/v2") else f"{path}/v2"
        foreign = shown != image.registry
        found.append(
            Endpoint(
                host=shown,
                address=API_HOSTS.get(address, address),
                repository=image.repository,
                scheme=host.url.scheme,
                root=root,
                verify=host.verify,
                authorities=host.authorities,
                clients=host.clients,
                headers=host.headers,
                params={"ns": image.registry} if foreign else {},
                mirror=host.mirror,
                abilities=host.abilities,
            )
        )
    return tuple(found)


def _plain(name: str) -> Endpoint:
    host, _, repository = name.partition("/")
    try:
        fine = usable(httpx.URL(f"https://{host}")) and bool(repository)
    except (httpx.InvalidURL, ValueError):
        fine = False
    if not fine:
        raise BadInput(f"cannot use the name {name[:200]}", "it has no host and repository")
    return Endpoint(host, API_HOSTS.get(host, host), repository)


def _trusting(endpoint: Endpoint, directories: tuple[str, ...], settings: Settings) -> Endpoint:
    authorities, clients = certs_d.certificates(endpoint.host, directories)
    insecure = not endpoint.verify or endpoint.host in settings.insecure
    scheme = endpoint.scheme
    explicit = bool(endpoint.params) or scheme == "http"
    if not explicit and (insecure or loopback(httpx.URL(f"https://{endpoint.address}").host)):
        scheme = ""
    return msgspec.structs.replace(
        endpoint,
        scheme=scheme,
        verify=not insecure,
        authorities=endpoint.authorities or authorities,
        clients=endpoint.clients or clients,
    )
