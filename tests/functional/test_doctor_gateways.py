"""`videojob doctor` looks at the nodes' network in EC2's API, as moto answers it."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from support.doctor import a_node, node_facts
from support.s3 import use_endpoint
from videojob.cli.cluster.doctor_facts import gateway_facts
from videojob.kube.doctor.aws import gateway_findings
from videojob.kube.doctor.findings import Finding

REGION = "us-east-1"


@pytest.fixture
def ec2(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    use_endpoint(monkeypatch, s3_url)
    return boto3.client("ec2", region_name=REGION)


def an_instance(ec2: Any) -> tuple[str, str]:
    """(VPC, instance) of a network of its own."""
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    images = ec2.describe_images()["Images"]
    made = ec2.run_instances(ImageId=images[0]["ImageId"], MinCount=1, MaxCount=1, SubnetId=subnet)
    return vpc, made["Instances"][0]["InstanceId"]


def findings(instance: str) -> dict[str, Finding]:
    node = a_node() | {"spec": {"providerID": f"aws:///{REGION}a/{instance}"}}
    found = gateway_facts(node_facts(nodes=[node]), None)
    assert found is not None
    return {one.check: one for one in gateway_findings(found)}


def make_gateway(ec2: Any, vpc: str, service: str, **more: Any) -> None:
    name = f"com.amazonaws.{REGION}.{service}"
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=name, VpcEndpointType="Gateway", **more)


def test_a_missing_gateway_is_told_with_its_price(ec2: Any) -> None:
    vpc, instance = an_instance(ec2)
    found = findings(instance)
    assert {one.level for one in found.values()} == {"warning"}
    assert found["S3 gateway"].seen.startswith(f"{vpc} has no gateway endpoint for S3")
    assert "each GB of video costs $0.045" in found["S3 gateway"].advice


def test_gateways_with_routes_are_found(ec2: Any) -> None:
    vpc, instance = an_instance(ec2)
    (table,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    make_gateway(ec2, vpc, "s3", RouteTableIds=[table["RouteTableId"]])
    make_gateway(ec2, vpc, "dynamodb")
    levels = {check: one.level for check, one in findings(instance).items()}
    assert levels == {"S3 gateway": "ok", "DynamoDB gateway": "warning"}


def test_an_instance_that_ec2_does_not_know_is_not_judged(ec2: Any) -> None:
    assert {one.level for one in findings("i-0123456789abcdef0").values()} == {"not checked"}


def test_without_ec2_the_rights_that_it_takes_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    use_endpoint(monkeypatch, "http://127.0.0.1:9")
    found = findings("i-0123456789abcdef0")
    assert {one.level for one in found.values()} == {"not checked"}
    assert "ec2:DescribeVpcEndpoints" in found["S3 gateway"].advice


@pytest.mark.parametrize("provider", ["", "kind://docker/kind/worker"])
def test_nodes_that_are_no_instances_have_no_gateways(provider: str) -> None:
    assert gateway_facts(node_facts(nodes=[a_node() | {"spec": {"providerID": provider}}]), None) is None
