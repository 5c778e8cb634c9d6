"""The API server fixture is real, ready and enforces RBAC."""

from __future__ import annotations

import ssl

import httpx
import pytest
from tests.support.apiserver import ApiServer, Missing, binaries


@pytest.mark.apiserver
def test_it_serves_and_refuses(apiserver: ApiServer) -> None:
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "someone", "namespace": "support"},
    }
    apiserver.apply([account])
    apiserver.apply([account])
    token = apiserver.service_account_token("support", "someone")
    for bearer, status in ((apiserver.tokens["admin"], 200), (token, 403), ("wrong", 401)):
        headers = {"Authorization": f"Bearer {bearer}"}
        url = f"{apiserver.url}/api/v1/namespaces/support/pods"
        with httpx.Client(verify=_trust(apiserver), trust_env=False) as client:
            assert client.get(url, headers=headers).status_code == status


def test_absent_binaries_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    with pytest.raises(Missing, match="set KUBEBUILDER_ASSETS"):
        binaries()


def _trust(server: ApiServer) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(server.ca))
