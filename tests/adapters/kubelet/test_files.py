"""Kubelets' settings and figures from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from martello.adapters.kubelet.files import read_configuration, read_summary
from martello.core.errors import BadInput

DATA = Path(__file__).parent / "data"
OWN = """
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
podPidsLimit: 500
evictionHard: {memory.available: 5%}
"""
KUBEADM = """
apiVersion: kubeadm.k8s.io/v1beta3
kind: ClusterConfiguration
"""


def test_a_file_as_the_kubelet_reads_it_or_answers(tmp_path: Path) -> None:
    assert read_configuration(DATA / "configz.json")["podPidsLimit"] == 1024
    (tmp_path / "config.yaml").write_text(f"{KUBEADM}---{OWN}")
    assert read_configuration(tmp_path / "config.yaml") == {
        "podPidsLimit": 500,
        "evictionHard": {"memory.available": "5%"},
    }


def test_a_summary_names_its_node() -> None:
    name, found = read_summary(DATA / "summary.json")
    assert name == "worker-1"
    assert len(found["pods"]) == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no KubeletConfiguration"),
        (KUBEADM, "holds no KubeletConfiguration"),
        (f"{OWN}---{OWN}", "holds 2 KubeletConfigurations"),
        ("a: [", "config"),
        ("a: &a [*a]", "config"),
        ("\0\0", "config"),
        (OWN + "featureGates: {" + ", ".join(f"g{i}: true" for i in range(201)) + "}", "entries"),
    ],
)
def test_what_is_no_configuration_is_refused(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(BadInput) as error:
        read_configuration(file)
    assert why in f"{error.value.what} {error.value.why}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{}", "no summary"),
        ('{"node": {}}', "does not name its node"),
        ('{"node": {"nodeName": 5}}', "does not name its node"),
        ("", "0 documents"),
        ("a: 1\n---\na: 2", "2 documents"),
    ],
)
def test_what_is_no_summary_is_refused(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "summary"
    file.write_text(text)
    with pytest.raises(BadInput) as error:
        read_summary(file)
    assert why in error.value.why


def test_a_file_that_cannot_be_read_or_is_too_large(tmp_path: Path) -> None:
    for file in (tmp_path / "none", tmp_path):
        with pytest.raises(BadInput):
            read_configuration(file)
    large = tmp_path / "large"
    with large.open("wb") as out:
        out.truncate((16 << 20) + 1)
    with pytest.raises(BadInput, match="16 MiB"):
        read_configuration(large)
