"""Makes the table that results go to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, WaiterError

from videojob.adapters.aws.dynamodb.calls import Caller, error_code, table_mismatch
from videojob.errors import SinkError, SinkUnavailable
from videojob.results.stored.retention import EXPIRES_AT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient


def create_table(table: str, client: DynamoDBClient, caller: Caller, ready_s: int) -> None:
    """Makes the table, paid per request, and waits until it is usable; does nothing when it is there.

    Args:
        table: its name.
        client: the connection.
        caller: repeats and counts.
        ready_s: how long a new table may take to become usable, in seconds.

    Raises:
        SinkUnavailable: no answer, or the table is not usable in time.
        SinkError: it has other keys, or this identity may not make it.
    """
    caller.call(lambda: _create(table, client))
    caller.call(lambda: _wait(table, client, ready_s))
    description = caller.call(lambda: client.describe_table(TableName=table))["Table"]
    kinds = {item["AttributeName"]: item["AttributeType"] for item in description["AttributeDefinitions"]}
    found = ", ".join(f"{key['AttributeName']} {kinds[key['AttributeName']]}" for key in description["KeySchema"])
    if found != "PK S, SK S":
        raise table_mismatch(table, found)


def enable_expiry(table: str, client: DynamoDBClient, caller: Caller) -> None:
    """Has the table delete what has expired; does nothing when it does.

    Args:
        table: its name.
        client: the connection.
        caller: repeats and counts.

    Raises:
        SinkUnavailable: no answer.
        SinkError: it goes by another attribute, or this identity may not change it.
    """
    caller.call(lambda: _enable_expiry(table, client))


def _enable_expiry(table: str, client: DynamoDBClient) -> None:
    known = client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if known.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}:
        found = known.get("AttributeName")
        if found != EXPIRES_AT:
            raise SinkError(
                f"the DynamoDB table {table!r} deletes items by the attribute {found!r}, not {EXPIRES_AT!r}",
                uri=f"dynamodb:{table}",
                hint=f"Name another table, set the time to live of this one to {EXPIRES_AT}, or ask for no retention.",
            )
        return
    try:
        client.update_time_to_live(
            TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRES_AT}
        )
    except ClientError as error:
        # Somebody else was faster, or an attempt whose answer was lost.
        if error_code(error) != "ValidationException" or "already enabled" not in str(error):
            raise


def _create(table: str, client: DynamoDBClient) -> None:
    try:
        client.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "PK", "AttributeType": "S"},
                {"AttributeName": "SK", "AttributeType": "S"},
            ],
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        )
    except ClientError as error:
        # It is there: made before, or by an attempt whose answer was lost.
        if error_code(error) != "ResourceInUseException":
            raise


def _wait(table: str, client: DynamoDBClient, ready_s: int) -> None:
    try:
        client.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": ready_s})
    except WaiterError as error:
        # The waiter hides the service's errors in its own; a table that is not there yet is no error.
        refusal = ClientError(error.last_response, "DescribeTable")
        if error_code(refusal) not in {"", "ResourceNotFoundException"}:
            raise refusal from error
        raise SinkUnavailable(
            f"the new DynamoDB table {table!r} did not become active within {ready_s} s",
            uri=f"dynamodb:{table}",
            hint="Creating a table can take long: wait until it is active, then run again.",
        ) from error
