"""What the chart renders is what Kubernetes takes: by kubeconform, and by a real kube-apiserver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.apiserver import ApiServer, running_apiserver
from support.chart_matrix import MATRIX
from support.charts import DryRun, crd_folder, kubeconform, of_kind, pods, render, write_schemas

FOREIGN_CRD = Path(__file__).parents[1] / "support" / "eks_nodeclass.yaml"
CASES = pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX.keys())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A kube-apiserver that knows VideoJob, and all that the chart makes objects of."""
    with running_apiserver(tmp_path_factory.mktemp("chart")) as running:
        (crd,) = of_kind(render(), "CustomResourceDefinition")
        running.install_crd(json.dumps(crd))
        for path in (*sorted(crd_folder().glob("*.yaml")), FOREIGN_CRD):
            running.install_crd(path.read_text())
        yield running


@pytest.fixture(scope="module")
def schemas(server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That server's own schemas, for kubeconform."""
    folder = tmp_path_factory.mktemp("schemas")
    write_schemas(server, folder)
    return folder


@CASES
def test_kubeconform_finds_nothing(values: dict[str, Any], schemas: Path) -> None:
    # The CRD's own schema is recursive: the server judges that.
    assert kubeconform(render(values), schemas, without_schema=["CustomResourceDefinition"]) == []


@CASES
def test_a_real_apiserver_takes_every_object(values: dict[str, Any], server: ApiServer) -> None:
    judge = DryRun(server, {})
    refused = {item["metadata"]["name"]: judge.refusal(item) for item in render(values)}
    assert {name: why for name, why in refused.items() if why} == {}


@CASES
def test_every_pod_is_admitted_where_pod_security_restricted_is_enforced(
    values: dict[str, Any], server: ApiServer
) -> None:
    judge = DryRun(server, {})
    for name, pod in pods(render(values)):
        # A PriorityClass that is not there is refused too, and says nothing of Pod Security.
        spec = {key: value for key, value in pod["spec"].items() if key != "priorityClassName"}
        metadata = {"name": "pod", "namespace": "restricted", **pod["metadata"]}
        whole = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        assert judge.refusal(whole) == "", name


def test_the_judges_see_a_misspelt_field_and_a_pod_with_too_much_power(server: ApiServer, schemas: Path) -> None:
    (deployment,) = of_kind(render(), "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["resource"] = {}
    judge = DryRun(server, {})
    assert "unknown field" in judge.refusal(deployment)
    (found,) = kubeconform([deployment, *of_kind(render(), "Service")], schemas)
    assert "resource" in found
    ((_, pod),) = pods(of_kind(render(), "Deployment"))
    del pod["spec"]["securityContext"]["seccompProfile"]
    metadata = {"name": "pod", "namespace": "restricted"}
    refusal = judge.refusal({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod["spec"]})
    assert 'violates PodSecurity "restricted' in refusal
