"""The install guides: their policies are policies, and they name what the chart makes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from botocore.session import Session

from support.tree import ROOT
from videojob.kube.render.pods import pod_security

EKS = (ROOT / "docs" / "guides" / "install-eks.md").read_text()
KIND = (ROOT / "docs" / "guides" / "install-kind.md").read_text()
# What a right is called by where the request is called otherwise.
OTHER_NAMES = {
    "dynamodb:ConditionCheckItem": "dynamodb:TransactWriteItems",
    "s3:GetObjectVersion": "s3:GetObject",
    "s3:ListBucket": "s3:ListObjectsV2",
    "sts:TagSession": "sts:AssumeRole",
}


def statements() -> dict[str, dict[str, Any]]:
    documents = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", EKS, re.DOTALL)]
    assert all(document["Version"] == "2012-10-17" for document in documents)
    return {one["Sid"]: one for document in documents for one in document["Statement"]}


def actions(statement: dict[str, Any]) -> list[str]:
    found = statement["Action"]
    return [found] if isinstance(found, str) else found


def test_every_action_is_one_that_the_service_has() -> None:
    for statement in statements().values():
        for action in actions(statement):
            service, operation = OTHER_NAMES.get(action, action).split(":")
            assert operation in Session().get_service_model(service).operation_names, action


def test_a_worker_reaches_only_results_of_its_own_namespace() -> None:
    statement = statements()["ResultsOfOwnNamespace"]
    keys = statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    assert keys == ["${aws:PrincipalTag/kubernetes-namespace}.*"]
    # These would read or write without a key, or end a run: the condition would not hold them.
    assert not {"dynamodb:Scan", "dynamodb:UpdateItem", "dynamodb:DeleteItem"} & set(actions(statement))
    assert not any(action.startswith("dynamodb:PartiQL") for action in actions(statement))


def test_a_worker_reads_only_videos_of_its_own_namespace() -> None:
    own = "${aws:PrincipalTag/kubernetes-namespace}/*"
    assert statements()["ReadVideos"]["Resource"].endswith(f"-videos/{own}")
    assert statements()["FindVideos"]["Condition"] == {"StringLike": {"s3:prefix": [own]}}


def test_no_statement_allows_all_of_anything() -> None:
    for name, statement in statements().items():
        assert not any("*" in action for action in actions(statement)), name
        # IAM knows no resources for what only describes EC2 or reads the price list.
        describes = all(action.startswith(("ec2:Describe", "pricing:Get")) for action in actions(statement))
        assert describes or statement.get("Resource") != "*", name


def test_engines_of_tensorrt_are_kept_in_a_claim_that_the_guide_makes_for_all_servers() -> None:
    values = yaml.safe_load((ROOT / "charts" / "videojob" / "values-eks.yaml").read_text())
    variants = [variant for model in values["models"].values() for variant in model["variants"].values()]
    wanted = {variant.get("engineCacheClaim") for variant in variants if variant["backend"] == "tensorrt"}
    heredocs = re.findall(r"<<EOF\n(.*?)EOF\n", EKS, re.DOTALL)
    made = [item for text in heredocs for item in yaml.safe_load_all(text)]
    claims = {item["metadata"]["name"]: item for item in made if item["kind"] == "PersistentVolumeClaim"}
    classes = {item["metadata"]["name"]: item for item in made if item["kind"] == "StorageClass"}
    assert wanted == set(claims)
    for claim in claims.values():
        assert claim["metadata"]["namespace"] == "videojob-system", "where servers run"
        assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
        user = str(pod_security()["runAsUser"])
        parameters = classes[claim["spec"]["storageClassName"]]["parameters"]
        assert (parameters["uid"], parameters["gid"]) == (user, user)


@pytest.mark.parametrize("text", [EKS, KIND], ids=["EKS", "kind"])
def test_commands_name_files_that_are_there(text: str) -> None:
    names = set(re.findall(r"(?<![\w/.-])((?:charts|docs|examples)/[\w./-]+\.(?:yaml|md))", text))
    assert names
    assert [name for name in names if not (ROOT / name).exists()] == []
