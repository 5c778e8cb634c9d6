"""A real API server makes of every snippet what the table says, and so what the reader makes."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.support.apiserver import ApiServer
from tests.support.yaml_snippets import REFUSED, SNIPPETS

from martello.adapters.manifests import parse_documents

# A ControllerRevision keeps its data as the JSON that the server made of the YAML.
PATH = "/apis/apps/v1/namespaces/default/controllerrevisions"
HEADER = "apiVersion: apps/v1\nkind: ControllerRevision\nmetadata: {name: s}\nrevision: 1\n"


class Server:
    """Posts YAML and gives back what would have been stored."""

    def __init__(self, server: ApiServer) -> None:
        trust = ssl.create_default_context(cafile=str(server.ca))
        headers = {
            "Authorization": f"Bearer {server.tokens['admin']}",
            "Content-Type": "application/yaml",
            "Accept": "application/json",
        }
        self.client = httpx.Client(
            base_url=server.url, headers=headers, verify=trust, timeout=30, trust_env=False
        )

    def post(self, body: bytes) -> Any:
        answer = self.client.post(PATH, content=body, params={"dryRun": "All"})
        if answer.is_error:
            assert answer.status_code in (400, 422, 500), answer.text
            return REFUSED
        return json.loads(answer.content, parse_int=as_kubernetes)["data"]


def as_kubernetes(digits: str) -> int | float:
    """An integer of JSON as the server's decoders take it: a float where 64 bits do not hold it."""
    number = int(digits)
    return number if -(2**63) <= number < 2**63 else float(number)


@pytest.fixture(scope="module")
def server(apiserver: ApiServer) -> Iterator[Server]:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
    apiserver.apply([namespace])
    server = Server(apiserver)
    yield server
    server.client.close()


def as_object(text: str) -> str:
    """The snippet as the data of an object."""
    indented = "".join(f"  {line}" for line in text.splitlines(keepends=True))
    return f"{HEADER}data:\n{indented}"


@pytest.mark.apiserver
def test_snippets(server: Server) -> None:
    differences = []
    for text, value in SNIPPETS:
        if "---" in text:
            continue  # several documents are no request
        stored = server.post(as_object(text).encode())
        if json.dumps(stored, sort_keys=True) != json.dumps(value, sort_keys=True):
            differences.append((text, value, stored))
    assert differences == []


@pytest.mark.apiserver
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-le", "utf-16-be"])
def test_byte_order_marks(server: Server, encoding: str) -> None:
    mark = "" if encoding == "utf-8-sig" else "\ufeff"
    body = (mark + as_object("a: é\n")).encode(encoding)
    assert server.post(body) == {"a": "é"}


@pytest.mark.apiserver
def test_an_alias_bomb(server: Server) -> None:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    text = as_object("\n".join(lines))
    assert server.post(text.encode()) == REFUSED
    assert parse_documents(text.encode(), "a.yaml").broken
