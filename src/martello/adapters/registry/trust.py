"""Whom we believe to be a registry, and the certificate that we show it."""

from __future__ import annotations

import os
import ssl

from martello.adapters.registry.hosts import Endpoint
from martello.adapters.registry.settings import Settings
from martello.core.errors import BadInput


def context(settings: Settings, endpoint: Endpoint | None = None) -> ssl.SSLContext:
    """The trust for an endpoint, or for any other host where there is none. Raises BadInput for a
    certificate file that cannot be used.
    """
    file = settings.environ.get("SSL_CERT_FILE", "")
    found = _load(file, "SSL_CERT_FILE") if file else _system()
    # Private authorities are often made without the extensions that X.509 asks for; container
    # runtimes accept them too.
    found.verify_flags &= ~ssl.VERIFY_X509_STRICT
    for extra in (settings.authority, *(endpoint.authorities if endpoint else ())):
        if extra:
            _add(found, extra)
    for certificate, key in endpoint.clients if endpoint else ():
        try:
            found.load_cert_chain(certificate, key or None, password=lambda: "")
        except (ssl.SSLError, OSError):
            why = "it is no client certificate with its (unencrypted) key"
            raise BadInput(f"cannot use {certificate}", why) from None
    if endpoint is not None and not endpoint.verify:
        found.check_hostname = False
        found.verify_mode = ssl.CERT_NONE
    return found


def _system() -> ssl.SSLContext:
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and os.path.isdir(paths.capath)):
        return ssl.create_default_context()
    import certifi  # a machine without authorities of its own

    return ssl.create_default_context(cafile=certifi.where())


def _load(file: str, what: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=file)
    except (ssl.SSLError, OSError, ValueError):
        raise BadInput(f"cannot use {what}", f"{file} holds no PEM certificate") from None


def _add(found: ssl.SSLContext, file: str) -> None:
    try:
        found.load_verify_locations(cafile=file)
    except (ssl.SSLError, OSError, ValueError):
        raise BadInput(f"cannot use {file}", "it holds no PEM certificate") from None
