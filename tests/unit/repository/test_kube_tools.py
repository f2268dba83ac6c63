"""The installer of the Kubernetes programs: pinned, and from nowhere that is written down here."""

from __future__ import annotations

import re
import subprocess
import sys

from support.tree import ROOT

MODULES = ROOT / "tools" / "kubernetes"
SCRIPT = ROOT / "scripts" / "kube-tools"


def test_an_unknown_program_is_a_usage_error() -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "kubelet-of-mars"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "kubelet-of-mars" in done.stderr


def test_every_module_pins_its_sources_by_hash() -> None:
    folders = sorted(path.parent.name for path in MODULES.glob("*/go.mod"))
    assert folders == ["apiserver", "coredns", "etcd", "helm", "karpenter", "kubeconform", "kueue", "kwok"]
    for folder in folders:
        assert re.search(r"^\S+ v\S+ h1:\S{44}$", (MODULES / folder / "go.sum").read_text(), re.MULTILINE)


def test_the_staging_modules_are_of_the_release_that_the_installer_names() -> None:
    version = re.search(r'KUBERNETES_VERSION = "v1\.(\S+)"', SCRIPT.read_text())
    assert version is not None
    text = (MODULES / "apiserver" / "go.mod").read_text()
    assert f"k8s.io/kubernetes v1.{version[1]}" in text
    assert set(re.findall(r"=> k8s\.io/\S+ (\S+)", text)) == {f"v0.{version[1]}"}
