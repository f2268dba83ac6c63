"""What `videojob doctor` asks AWS, with the credentials of whoever runs it: reads only, quick to give up.

A refusal is an answer: `Refused` says why this identity cannot see a thing, `Absent` that AWS has no such thing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

T = TypeVar("T")
_CONFIG = Config(retries={"total_max_attempts": 2, "mode": "standard"}, connect_timeout=3, read_timeout=10)
_ABSENT = frozenset({"ResourceNotFoundException", "NoSuchBucket", "404", "NotFound", "NoSuchResourceException"}) | {
    "InvalidInstanceID.NotFound"
}


class Refused(Exception):
    """This identity cannot see it, or AWS cannot be reached; the message says why."""


class Absent(Exception):
    """There is no such thing."""


def table_state(table: str, region: str | None) -> tuple[str, str]:
    """(status, keys) of a DynamoDB table, the keys as in "PK S, SK S". Raises Refused and Absent."""

    def ask() -> tuple[str, str]:
        description = _client("dynamodb", region).describe_table(TableName=table)["Table"]
        kinds = {item["AttributeName"]: item["AttributeType"] for item in description["AttributeDefinitions"]}
        keys = ", ".join(f"{key['AttributeName']} {kinds[key['AttributeName']]}" for key in description["KeySchema"])
        return description["TableStatus"], keys

    return _answer(ask)


def time_to_live(table: str, region: str | None) -> tuple[str, str]:
    """(status, attribute) of what deletes a DynamoDB table's items, as in ("ENABLED", "expires_at"); "" for none.

    Raises Refused and Absent.
    """

    def ask() -> tuple[str, str]:
        found = _client("dynamodb", region).describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        return found.get("TimeToLiveStatus", "DISABLED"), found.get("AttributeName", "")

    return _answer(ask)


def has_objects(bucket: str, prefix: str, region: str | None, owner: str | None) -> bool:
    """Whether anything lies below a prefix. Raises Refused and Absent."""
    extra = {"ExpectedBucketOwner": owner} if owner else {}
    folder = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def ask() -> bool:
        answer = _client("s3", region).list_objects_v2(Bucket=bucket, Prefix=folder, MaxKeys=1, **extra)
        return bool(answer.get("KeyCount", 0))

    return _answer(ask)


def quota(service: str, code: str, region: str | None) -> float:
    """The value of a quota. Raises Refused and Absent."""

    def ask() -> float:
        answer = _client("service-quotas", region).get_service_quota(ServiceCode=service, QuotaCode=code)
        return float(answer["Quota"]["Value"])

    return _answer(ask)


def gateways(instance: str, region: str | None) -> tuple[str, frozenset[str]]:
    """(VPC of an instance, services that it reaches through a gateway endpoint with a route, as in "s3").

    Raises Refused and Absent.
    """

    def ask() -> tuple[str, frozenset[str]]:
        client = _client("ec2", region)
        found = client.describe_instances(InstanceIds=[instance])["Reservations"]
        vpc = str(found[0]["Instances"][0]["VpcId"])
        filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "vpc-endpoint-type", "Values": ["Gateway"]}]
        endpoints = client.describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]
        working = [one for one in endpoints if one["State"].lower() == "available" and one.get("RouteTableIds")]
        return vpc, frozenset(one["ServiceName"].rpartition(".")[2] for one in working)

    return _answer(ask)


def _client(service: Any, region: str | None) -> Any:
    return boto3.session.Session().client(service, region_name=region, config=_CONFIG)


def _answer(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _ABSENT:
            raise Absent(str(error)) from error
        raise Refused(f"AWS refused: {error.response.get('Error', {}).get('Message') or code} ({code})") from error
    except (BotoCoreError, ValueError) as error:
        raise Refused(f"AWS cannot be reached: {error}") from error
