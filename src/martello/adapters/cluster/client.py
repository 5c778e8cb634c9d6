"""A thin client of one API server: JSON in, raw dicts out, pages, retries, bounded answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx
import orjson

import martello
from martello.adapters.cluster.failure import Denied, TooLarge, lost, unauthorized, words
from martello.adapters.cluster.kubeconfig import Access
from martello.core.errors import BadInput, Unreachable

JSON: Final = "application/json"
MERGE: Final = "application/merge-patch+json"
METADATA: Final = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
TRIES: Final = 3
LARGEST: Final = 64 << 20  # bytes of one answer, unpacked
Change = tuple[str, dict[str, Any]]  # ADDED, MODIFIED, DELETED or BOOKMARK, and the object
_MOST_PAGES: Final = 20_000
_AGAIN: Final = frozenset((429, 500, 502, 503, 504))
_WAIT: Final = 0.25  # seconds before the second try, doubled before each further one
_LONGEST_WAIT: Final = 10.0


class Client:
    """One connection pool to one API server. Errors: Denied for a status, Unreachable and
    NotPermitted (401) where there is no use in going on.
    """

    def __init__(self, access: Access, *, seconds: float = 30.0, largest: int = LARGEST) -> None:
        self.server = access.server
        self._access = access
        self._largest = largest
        name = access.server_name
        self._extensions: dict[str, Any] = {"sni_hostname": name} if name else {}
        headers = [("Accept", JSON), ("User-Agent", f"martello/{martello.__version__}")]
        headers += access.credentials.headers()
        try:
            self._http = httpx.AsyncClient(
                base_url=access.server,
                headers=headers,
                verify=trust(access),
                timeout=httpx.Timeout(seconds, connect=min(seconds, 10.0)),
                proxy=access.proxy or None,
                # As Go does: no proxy of the environment for this machine itself.
                trust_env=not _local(access.server),
            )
        except (ValueError, ImportError, httpx.InvalidURL) as error:
            raise BadInput(
                f"cannot use the address of {access.name}",
                words(str(error)),
                "correct server or proxy-url in the kubeconfig",
            ) from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """One object. Raises Denied where the server says no."""
        return await self._call("GET", path, params, None, JSON)

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Creates what is only asked, never kept: a review."""
        return await self._call("POST", path, None, body, JSON)

    async def write(
        self, method: str, path: str, body: Mapping[str, Any], *, dry_run: bool
    ) -> dict[str, Any]:
        """Creates (POST), merges into (PATCH) or deletes (DELETE) an object, or only tries to, in
        the server, where it is a dry run. Raises Denied.
        """
        params = {"dryRun": "All"} if dry_run else None
        if (
            dry_run and method == "DELETE"
        ):  # with options in the body, those of the URL do not count
            params, body = None, {**body, "dryRun": ["All"]}
        kind = MERGE if method == "PATCH" else JSON
        return await self._call(method, path, params, body, JSON, kind)

    async def pages(
        self, path: str, *, limit: int, labels: str = "", accept: str = JSON
    ) -> AsyncIterator[tuple[int, list[Any]]]:
        """The objects of a collection, page by page, each with the number of the attempt.

        Where the server forgot the list it was reading from (410), the attempt counts up and the
        list starts anew: what came before is to be dropped. After two such starts it goes on with
        the token that the server offers, which may miss what changed meanwhile.
        """
        attempt, token = 0, ""
        for _ in range(_MOST_PAGES):
            params = {"limit": str(limit)}
            if labels:
                params["labelSelector"] = labels
            if token:
                params["continue"] = token
            try:
                answer = await self._call("GET", path, params, None, accept)
            except TooLarge:
                if limit == 1:
                    why = f"one object of it is larger than {self._largest >> 20} MiB"
                    raise Denied(413, why) from None
                limit = max(1, limit // 8)
                continue
            except Denied as denied:
                if denied.status != 410 or not token:
                    raise
                offered = _continue(denied.body)
                if attempt < 2:
                    attempt, token = attempt + 1, ""
                elif offered and offered != token:
                    token = offered
                else:
                    raise
                continue
            items = answer.get("items")
            if items is not None and not isinstance(items, list):
                raise Denied(502, "its answer is no list")
            yield attempt, items or []
            previous, token = token, _continue(answer)
            if not token:
                return
            if token == previous:
                raise Denied(502, "its pages repeat themselves")
        raise Denied(502, "its list does not end")

    async def watch(
        self, path: str, version: str = "0", *, seconds: int = 240
    ) -> AsyncIterator[list[Change]]:
        """What changes in a collection after a version (of version "0" first all that is there, as
        ADDED), until the server ends it after so many seconds: what has come together, together,
        and nothing as soon as it has begun. Raises Denied: 410 where it does not know the version
        any more, 413 for an object that is too large, another where it does not let us.
        """
        params = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
        }
        request = self._request("GET", path, params, None, JSON, JSON)
        request.extensions["timeout"]["read"] = seconds + 30.0
        held = bytearray()
        try:
            answer = await self._http.send(request, stream=True)
            try:
                if answer.status_code != 200:
                    content = (await answer.aread())[: self._largest]
                    self._judge(answer.status_code, content)
                    raise Denied(answer.status_code, "it does not watch")
                yield []
                async for part in answer.aiter_bytes():
                    held += part
                    if len(held) > self._largest:
                        raise Denied(413, f"one object is larger than {self._largest >> 20} MiB")
                    *lines, rest = held.split(b"\n") if b"\n" in part else (held,)
                    if lines:
                        held = rest
                        yield [_change(line) for line in lines if line]
            finally:
                await answer.aclose()
        except (httpx.TransportError, OSError) as error:
            raise lost(self.server, error, 1) from None
        except (httpx.InvalidURL, UnicodeError) as error:
            raise BadInput(f"cannot use the address {self.server}", words(str(error))) from None

    async def _call(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        accept: str,
        kind: str = JSON,
    ) -> dict[str, Any]:
        for tried in range(1, TRIES + 1):
            wait = _WAIT * 2 ** (tried - 1)
            try:
                request = self._request(method, path, params, body, accept, kind)
                status, headers, content = await self._send(request)
            except (httpx.TransportError, OSError) as error:
                trouble = lost(self.server, error, tried)
                if tried == TRIES or trouble.what.startswith("cannot trust"):
                    raise trouble from None
            except (httpx.InvalidURL, UnicodeError) as error:
                raise BadInput(f"cannot use the address {self.server}", words(str(error))) from None
            else:
                if status not in _AGAIN or tried == TRIES:
                    return self._judge(status, content)
                with contextlib.suppress(ValueError):
                    wait = max(wait, float(headers.get("Retry-After", "0")))
            await asyncio.sleep(min(wait, _LONGEST_WAIT))
        raise AssertionError("the last try returns or raises")

    async def _send(self, request: httpx.Request) -> tuple[int, httpx.Headers, bytes]:
        answer = await self._http.send(request, stream=True)
        try:
            parts: list[bytes] = []
            size = 0
            async for part in answer.aiter_bytes():
                size += len(part)
                if size > self._largest:
                    raise TooLarge
                parts.append(part)
            return answer.status_code, answer.headers, b"".join(parts)
        finally:
            await answer.aclose()

    def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        accept: str,
        kind: str,
    ) -> httpx.Request:
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = kind
        request = self._http.build_request(
            method,
            path,
            params=params,
            headers=headers,
            content=None if body is None else orjson.dumps(body),
            extensions=dict(self._extensions),
        )
        if self._access.own is not None:
            uri = request.url.raw_path.decode("ascii")
            request.headers["Audit-ID"] = self._access.own.name(method, uri, time.time())
        return request

    def _judge(self, status: int, content: bytes) -> dict[str, Any]:
        try:
            body: Any = orjson.loads(content)
        except orjson.JSONDecodeError:
            body = None
        if status < 300 and isinstance(body, dict):
            return body
        if status < 400:
            raise Unreachable(
                f"{self.server} is no API server",
                f"it answered with status {status} and no JSON object",
                "check the server address and proxy-url in the kubeconfig",
            )
        told = body.get("message") if isinstance(body, dict) else content[:200].decode("latin-1")
        if status == 401:
            raise unauthorized(self.server, self._access.credentials.source, words(told))
        raise Denied(status, words(told) or "no reason given", body)


def _change(line: bytes | bytearray) -> Change:
    """Raises Denied for an error that stands in the stream, and for what is no change."""
    try:
        told: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        told = None
    kind, found = (told.get("type"), told.get("object")) if isinstance(told, dict) else ("", None)
    if not isinstance(kind, str) or not isinstance(found, dict):
        raise Denied(502, "its answer is no change")
    if kind == "ERROR":
        status = found.get("code")
        why = words(found.get("message")) or "no reason given"
        raise Denied(status if isinstance(status, int) else 500, why, found)
    return kind, found


def trust(access: Access) -> ssl.SSLContext:
    """Whom we believe to be the server, and the certificate that we show it."""
    try:
        context = ssl.create_default_context(
            cadata=access.authority.decode("ascii") if access.authority else None
        )
    except (ssl.SSLError, ValueError):
        why = "what it names as certificate-authority is no PEM certificate"
        raise BadInput(f"cannot read the cluster of {access.name}", why) from None
    # Cluster authorities are often made without the extensions that X.509 asks for; kubectl
    # accepts them too.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if access.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.credentials.certificate:
        _show(context, access)
    return context


def _show(context: ssl.SSLContext, access: Access) -> None:
    """Loads the client certificate; the ssl module takes it from files only."""
    mine = access.credentials
    with tempfile.TemporaryDirectory(prefix="martello-") as directory:
        file = os.path.join(directory, "client.pem")
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(mine.key.reveal().encode() + b"\n" + mine.certificate)
        try:
            context.load_cert_chain(file, password=lambda: "")
        except (ssl.SSLError, OSError):
            why = f"{mine.source} is no certificate with its (unencrypted) key"
            raise BadInput(f"cannot read the user of {access.name}", why) from None


def _local(server: str) -> bool:
    try:
        host = urlsplit(server).hostname or ""
    except ValueError:
        return False
    return host in ("localhost", "::1") or host.startswith("127.")


def _continue(body: Any) -> str:
    metadata = body.get("metadata") if isinstance(body, dict) else None
    token = metadata.get("continue") if isinstance(metadata, dict) else None
    return token if isinstance(token, str) else ""
