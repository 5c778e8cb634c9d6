"""The real kube-controller-manager, keeping nothing but the status of quotas."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator

from tests.support.apiserver import ApiServer, Missing, binaries


@contextlib.contextmanager
def controller(server: ApiServer, wanted: bool) -> Iterator[None]:
    """Runs it beside the server, and ends it by its process id; nothing where it is not wanted."""
    if not wanted:
        yield
        return
    binary = shutil.which("kube-controller-manager", path=str(binaries()))
    if binary is None:
        raise Missing("no kube-controller-manager beside kube-apiserver")
    command = [
        binary,
        f"--kubeconfig={server.kubeconfig()}",
        "--controllers=resourcequota",
        "--resource-quota-sync-period=4s",
        "--leader-elect=false",
        "--port=0",
        "--secure-port=0",
        "--use-service-account-credentials=false",
    ]
    log = server.directory / "controller-manager.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=server.directory
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)
