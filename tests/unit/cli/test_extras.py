"""Commands need only the packages that they are about: the extras of a cluster are not missed on a laptop."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata

import pytest
from packaging.utils import canonicalize_name

from support.cluster.pins import needed_by

_WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if {{name, name.partition(".")[0]}} & set({names!r}):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
sys.argv = ["videojob", *{arguments!r}]
from videojob.cli.main import main
main()
"""
CLUSTER = ("kopf", "kubernetes", "prometheus_client")


def without(names: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a command where these packages are not installed, and no cluster is configured."""
    code = _WITHOUT.format(names=names, arguments=arguments)
    environment = os.environ | {"KUBECONFIG": os.devnull}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, env=environment
    )


def missing_beside(extra: str) -> tuple[str, ...]:
    """Packages of this environment that are not installed with `videojob[extra]` alone."""
    installed = needed_by(f"videojob[{extra}]")
    return tuple(
        name
        for name, distributions in metadata.packages_distributions().items()
        if not installed & {canonicalize_name(one) for one in distributions}
    )


def test_a_laptop_needs_nothing_of_a_cluster() -> None:
    done = without(CLUSTER, "version")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("names", "arguments", "words"),
    [
        (CLUSTER, ("watch", "job"), "talking to a cluster needs the Python package kubernetes"),
        (CLUSTER, ("results", "job", "--cluster"), "pip install 'videojob[cluster]'"),
        (("prometheus_client",), ("doctor",), "pip install 'videojob[cluster]'"),
        (("prometheus_client",), ("speeds", "list"), "pip install 'videojob[cluster]'"),
        (("kopf",), ("controller",), "`videojob controller` needs the Python package kopf, which"),
    ],
)
def test_a_package_that_is_missing_is_named_with_the_extra_that_has_it(
    names: tuple[str, ...], arguments: tuple[str, ...], words: str
) -> None:
    done = without(names, *arguments)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [("doctor",), ("speeds", "list"), ("watch", "job"), ("results", "job", "--cluster")], ids=" ".join
)
def test_the_extra_for_a_cluster_brings_all_that_its_commands_import(arguments: tuple[str, ...]) -> None:
    done = without(missing_beside("cluster"), *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no Kubernetes cluster is configured" in done.stderr


def test_a_pod_imports_nothing_of_the_commands_for_people() -> None:
    done = without((*CLUSTER, "rich.live", "videojob.cli.laptop.run", "videojob.local"), "worker", "run", "--help")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_controller_imports_nothing_of_the_commands_for_people() -> None:
    done = without(("videojob.cli.laptop.run", "videojob.cli.cluster.doctor", "videojob.local"), "controller", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "videojob controller [OPTIONS]" in done.stdout
