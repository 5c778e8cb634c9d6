"""`martello gate install`: what a cluster needs to ask the gate, printed."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.gate.opening import data_directory, exempt, exempt_flags
from martello.core.errors import BadInput


@click.command("install")
@click.option("--url", default="", metavar="URL", help="The gate, outside the cluster: https://…")
@click.option(
    "--service", default="", metavar="NAMESPACE/NAME[:PORT]", help="The gate, as a Service."
)
@click.option(
    "--ca", default="", metavar="FILE", help="Who signed its certificate [default: of --data]."
)
@click.option("--data", default="", metavar="DIR", help="The directory of `gate serve`.")
@click.option("--fail-open", is_flag=True, help="Let everything in while the gate is down.")
@click.option("--no-pin", is_flag=True, help="Do not pin tags to digests.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["yaml", "admission", "kubeconfig"]),
    default="yaml",
    help="Webhook configurations; or, for the API server's ImagePolicyWebhook, its "
    "AdmissionConfiguration or kubeconfig.",
)
@click.option(
    "--kubeconfig-file",
    default="/etc/kubernetes/martello-gate.kubeconfig",
    metavar="FILE",
    help="Where that kubeconfig will lie on the control plane.",
)
@exempt_flags
@options.debug
def command(**flags: Any) -> int:
    """Print the webhook configurations of the gate. Nothing is changed:

    martello gate install --service martello/gate | kubectl apply -f -
    """
    import yaml

    from martello.gate import install

    if flags["output"] == "admission":
        file = flags["kubeconfig_file"]
        documents = [install.admission_configuration(file, fail_open=flags["fail_open"])]
    else:
        where = _where(flags)
        authority = _authority(flags)
        if flags["output"] == "kubeconfig":
            documents = [install.kubeconfig(where, authority)]
        else:
            documents = list(
                install.webhooks(
                    where,
                    authority,
                    exempt=exempt(flags),
                    fail_open=flags["fail_open"],
                    pin=not flags["no_pin"],
                )
            )
    click.echo(yaml.safe_dump_all(documents, sort_keys=False).rstrip())
    return 0


def _where(flags: dict[str, Any]) -> Any:
    from martello.gate import install

    if bool(flags["url"]) == bool(flags["service"]):
        raise BadInput("where is the gate?", "name it by --url or by --service", "--url https://…")
    return install.at_url(flags["url"]) if flags["url"] else install.at_service(flags["service"])


def _authority(flags: dict[str, Any]) -> bytes:
    from martello.cli.images.flow import read_file

    file = flags["ca"] or str(data_directory(flags["data"]) / "ca.crt")
    content: bytes = read_file(file, 1 << 20)
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise BadInput(f"cannot use {file}", "it holds no certificate in PEM", "--ca FILE")
    return content
