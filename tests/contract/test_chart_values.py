"""The chart's values: what their schema refuses, and that schema, values and README agree."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from support.chart_matrix import MODEL
from support.charts import CHART, DIGEST, ROOT, HelmRefused, config_text, render

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


def model(**changes: Any) -> dict[str, Any]:
    return {"models": {"m": {**copy.deepcopy(MODEL), **changes}}}


def variant(**changes: Any) -> dict[str, Any]:
    return model(variants={"cpu": {**MODEL["variants"]["cpu"], **changes}})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"imgae": {}}, "imgae"),
        ({"image": {"tags": "1"}}, "tags"),
        ({"image": {"digest": "latest"}}, "digest"),
        ({"image": {"digest": "sha256:abc"}}, "digest"),
        ({"image": {"pullPolicy": "Sometimes"}}, "pullPolicy"),
        ({"scope": "all"}, "scope"),
        ({"tenants": ["team-a"]}, "tenants"),
        ({"tenants": [{"namespace": "Team_A"}]}, "namespace"),
        ({"tenants": [{"namespace": "a", "roleArn": "admin"}]}, "roleArn"),
        ({"controller": {"replicas": 2}}, "replicas"),
        ({"controller": {"env": {"A": 1}}}, "env"),
        ({"controller": {"terminationGracePeriodSeconds": 5}}, "terminationGracePeriodSeconds"),
        ({"results": {"table": "a b"}}, "table"),
        ({"results": {"retentionDays": -1}}, "retentionDays"),
        ({"results": {"retentionDays": 0.5}}, "retentionDays"),
        ({"aws": {"identity": "keys"}}, "identity"),
        ({"aws": {"region": "Frankfurt"}}, "region"),
        ({"aws": {"endpoints": {"s3": "minio:9000"}}}, "s3"),
        ({"worker": {"cpu": 1}}, "cpu"),
        ({"worker": {"memory": "1 GB"}}, "memory"),
        ({"worker": {"gracePeriodSeconds": 600}}, "gracePeriodSeconds"),
        ({"worker": {"framesPerSecond": "fast"}}, "framesPerSecond"),
        ({"triton": {"image": "x"}}, "image"),
        ({"triton": {"gpu": {"image": {"digest": "x"}}}}, "digest"),
        ({"triton": {"cpu": {"tolerations": [{"effect": "Never"}]}}}, "effect"),
        (model(digest="none"), "digest"),
        (model(source={}), "source"),
        (model(source={"http": {"url": "x"}}), "source"),
        (model(source={**MODEL["source"], "pvc": {"claimName": "a", "path": ""}}), "source"),
        (model(variants={}), "variants"),
        (model(variants={"tpu": {}}), "variants"),
        (model(variants={"gpu": MODEL["variants"]["cpu"]}), "gpus"),
        (variant(backend="pytorch"), "backend"),
        (variant(framesPerSecond=0.5), "framesPerSecond"),
        (variant(framesPerSecond=-1), "framesPerSecond"),
        (variant(replicas=1), "replicas"),
        ({"models": {"../m": MODEL}}, "../m"),
        ({"networkPolicy": {"defaultDeny": "all"}}, "defaultDeny"),
        ({"networkPolicy": {"egress": {"cidrs": []}}}, "cidrs"),
        ({"networkPolicy": {"apiServer": {"ports": [0]}}}, "ports"),
        ({"karpenter": {"flavor": "eks"}}, "flavor"),
        ({"karpenter": {"amiAlias": "bottlerocket@latest"}}, "amiAlias"),
        ({"karpenter": {"nodeClassRef": {"name": "x"}}}, "nodeClassRef"),
        ({"karpenter": {"gpu": {"capacityTypes": ["cheap"]}}}, "capacityTypes"),
        ({"karpenter": {"gpu": {"volume": {"throughput": 10}}}}, "throughput"),
        ({"karpenter": {"cpu": {"limits": {"cpu": 10}}}}, "limits"),
        ({"monitoring": {"grafana": {}}}, "grafana"),
        ({"trial": {"s3": {"image": ""}}}, "image"),
        ({"test": {"video": {"bucket": "a"}}}, "video"),
        ({"priorityClass": {"value": 2_000_000_000}}, "value"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(values: dict[str, Any], words: str) -> None:
    with pytest.raises(HelmRefused, match="values don't meet the specifications of the schema") as refusal:
        render(values)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"scope": "namespaced", "test": {"enabled": False}}, "tenants"),
        ({"tenants": [{"namespace": "a"}, {"namespace": "a"}]}, "twice"),
        ({"aws": {"identity": "irsa"}}, "controllerRoleArn"),
        ({"karpenter": {"flavor": "karpenter", "nodeRole": "r"}}, "karpenter.clusterName"),
        ({"karpenter": {"flavor": "karpenter", "clusterName": "c"}}, "karpenter.nodeRole"),
        ({"karpenter": {"flavor": "autoMode", "autoMode": {"createNodeClass": True}}}, "karpenter.nodeRole"),
    ],
)
def test_values_that_do_not_go_together_say_what_is_missing(values: dict[str, Any], words: str) -> None:
    with pytest.raises(HelmRefused, match=words):
        render(values)


def blocks(schema: dict[str, Any], values: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any], Any]]:
    """(path, schema, default) for each block of the chart's own."""
    if "properties" in schema:
        yield path, schema, values
        for name, one in schema["properties"].items():
            yield from blocks(one, (values or {}).get(name), f"{path}.{name}".lstrip("."))


def test_schema_and_values_name_the_same_things() -> None:
    for path, schema, values in blocks(SCHEMA, VALUES):
        assert set(schema["properties"]) - {"global"} == set(values), path


def test_every_block_of_the_schema_is_closed() -> None:
    def open_blocks(schema: Any) -> Iterator[Any]:
        if isinstance(schema, dict):
            if "properties" in schema and schema.get("additionalProperties") is not False:
                yield schema
            for one in schema.values():
                yield from open_blocks(one)
        elif isinstance(schema, list):
            for one in schema:
                yield from open_blocks(one)

    assert list(open_blocks(SCHEMA)) == []


def test_the_readme_is_that_of_the_values() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "scripts" / "chart-readme"], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert (CHART / "README.md").read_text() == made


def test_the_chart_has_the_version_of_the_package() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (version, version)


@pytest.mark.parametrize("name", ["values-kind.yaml", "values-eks.yaml"])
def test_values_for_a_place_render_with_that_model_and_image(name: str) -> None:
    chosen = {"models": {"face_detector": {"digest": DIGEST}}}
    config = yaml.safe_load(config_text(render(chosen, files=[name])))
    assert config["models"]["face_detector"]["digest"] == DIGEST
    assert config["image"].split(":")[0].endswith("videojob") or "@sha256:" in config["image"]
