"""Writing to the result table: each put under a condition or of content that its key names, and all of it counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import uuid4

from botocore.exceptions import ClientError

from videojob.adapters.aws.dynamodb.attributes import from_attributes, to_attributes
from videojob.adapters.aws.dynamodb.calls import CONDITION_FAILED, NO_ANSWER, Caller, cancellation_reasons, error_code
from videojob.results.aggregate.document import Document
from videojob.results.aggregate.segment_results import WriteUsage
from videojob.results.stored.items import Item
from videojob.results.stored.retention import dated
from videojob.results.stored.write_cost import item_bytes, write_units

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        ConsumedCapacityTypeDef,
        PutItemOutputTypeDef,
        TransactWriteItemTypeDef,
        WriteRequestTypeDef,
    )

Answer = TypeVar("Answer")
_BATCH_ITEMS = 25
_BATCH_BYTES = 400_000  # the service takes 16 MB, but a request is seventy times its size while it is made
_ABSENT = "attribute_not_exists(PK)"


class TableWriter:
    """Writes to one table; threads may share it. All raise what `Caller.call` raises.

    Args:
        table: its name.
        client: the connection.
        caller: repeats and counts.
        retention_s: how long items are kept, see `results.stored.retention`; None does not date them.
        now_s: seconds since the epoch.
    """

    def __init__(
        self,
        table: str,
        client: DynamoDBClient,
        caller: Caller,
        retention_s: int | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._client = client
        self._caller = caller
        self._retention_s = retention_s
        self._now_s = now_s
        self._usage = WriteUsage()
        self._lock = threading.Lock()

    def usage(self) -> WriteUsage:
        """What was consumed so far."""
        with self._lock:
            return replace(self._usage, throttled=self._caller.throttled)

    def dated(self, item: Item) -> Item:
        """The item as `put_if_absent`, `change` and `put_all` store it: with the time at which it expires, if any."""
        return dated(item, self._now_s(), self._retention_s)

    def put_if_absent(self, item: Item) -> Mapping[str, Document] | None:
        """Stores the item unless its key is there; returns None, or the item that is there."""
        item = self.dated(item)  # once for all attempts: an item of our own is known by being equal
        attributes, attempts = to_attributes(item), 0

        def attempt() -> PutItemOutputTypeDef:
            nonlocal attempts
            attempts += 1
            return self._client.put_item(
                TableName=self._table,
                Item=attributes,
                ConditionExpression=_ABSENT,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                ReturnConsumedCapacity="TOTAL",
            )

        try:
            answer = self._call(attempt, write_units(item_bytes(item)))
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            stored = blocking_item(error.response)
            self._count([], write_units(max(item_bytes(item), item_bytes(stored))))
            if attempts > 1 and error.response.get("Item") == attributes:
                self._count([item])  # our own, from an attempt whose answer was lost
            return stored
        self._count([item], _units([answer["ConsumedCapacity"]]))
        return None

    def change(self, item: Item, condition: str, known: Mapping[str, Document]) -> bool:
        """Sets the attributes of an item that is there; returns whether the condition on it held.

        Args:
            item: with its keys and what is to be set.
            condition: in which "#name" stands for an attribute of `item`.
            known: values of the condition, as in {":before": 1}.
        """
        item = self.dated(item)
        fields = {name: value for name, value in item.items() if name not in {"PK", "SK"}}
        changes = ", ".join(f"#{name} = :{name}" for name in fields)
        values = to_attributes({f":{name}": value for name, value in fields.items()} | dict(known))
        units = write_units(item_bytes(item))
        try:
            answer = self._call(
                lambda: self._client.update_item(
                    TableName=self._table,
                    Key=to_attributes({"PK": item["PK"], "SK": item["SK"]}),
                    UpdateExpression=f"SET {changes}",
                    ConditionExpression=condition,
                    ExpressionAttributeNames={f"#{name}": name for name in fields},
                    ExpressionAttributeValues=values,
                    ReturnConsumedCapacity="TOTAL",
                ),
                units,
            )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            self._count([], units)
            return False
        self._count([item], _units([answer["ConsumedCapacity"]]))
        return True

    def put_all(self, items: Sequence[Item], *, expire: bool = True) -> None:
        """Stores items whose keys name their content, so that storing them again changes nothing but their expiry.

        Args:
            items: to store.
            expire: date them.
        """
        for own in _batches(items):
            batch = [self.dated(item) for item in own] if expire else own
            self._caller.drain(_puts(batch), self._write_batch)
            self._count(batch)

    def remove_all(self, partition: str, sort_keys: Sequence[str]) -> None:
        """Removes items of a partition; one that is gone already is no error."""
        for at in range(0, len(sort_keys), _BATCH_ITEMS):
            keys = [to_attributes({"PK": partition, "SK": key}) for key in sort_keys[at : at + _BATCH_ITEMS]]
            pending: Sequence[WriteRequestTypeDef] = [{"DeleteRequest": {"Key": key}} for key in keys]
            self._caller.drain(pending, self._write_batch)

    def delete_all(self, keys: Sequence[Item]) -> None:
        """Removes items; nothing happens for those that are not there."""
        for at in range(0, len(keys), _BATCH_ITEMS):
            batch = keys[at : at + _BATCH_ITEMS]
            requests: list[WriteRequestTypeDef] = [{"DeleteRequest": {"Key": to_attributes(key)}} for key in batch]
            self._caller.drain(requests, self._write_batch)

    def transact(self, parts: Sequence[TransactWriteItemTypeDef], written: Sequence[Item]) -> None:
        """All or nothing. Raises ClientError when a condition failed: `cancellation_reasons` tells which.

        Args:
            parts: of the transaction.
            written: items that it stores or changes.
        """
        # One token for all attempts: a repeated attempt whose answer was lost counts as the same transaction. The
        # service forgets it after ten minutes, and then the conditions hold.
        token = uuid4().hex
        units = sum(write_units(item_bytes(item), transactional=True) for item in written)
        units += (len(parts) - len(written)) * write_units(0, transactional=True)
        try:
            answer = self._call(
                lambda: self._client.transact_write_items(
                    TransactItems=parts, ClientRequestToken=token, ReturnConsumedCapacity="TOTAL"
                ),
                units,
            )
        except ClientError as error:
            if cancellation_reasons(error):
                self._count([], units)
            raise
        self._count(written, _units(answer.get("ConsumedCapacity", [])))

    def put_part(self, item: Item) -> TransactWriteItemTypeDef:
        """The part of a transaction that stores an item, as it is, unless its key is there; see `dated`."""
        return {
            "Put": {
                "TableName": self._table,
                "Item": to_attributes(item),
                "ConditionExpression": _ABSENT,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def absent_part(self, partition: str, sort: str) -> TransactWriteItemTypeDef:
        """The part of a transaction that fails it when the key is there."""
        key = to_attributes({"PK": partition, "SK": sort})
        return {"ConditionCheck": {"TableName": self._table, "Key": key, "ConditionExpression": _ABSENT}}

    def _call(self, attempt: Callable[[], Answer], units: int) -> Answer:
        """As `Caller.call`. What an attempt without an answer took nobody tells: it counts as written."""

        def counted() -> Answer:
            try:
                return attempt()
            except NO_ANSWER:
                self._count([], units)
                raise

        return self._caller.call(counted)

    def _write_batch(self, requests: Sequence[WriteRequestTypeDef]) -> Sequence[WriteRequestTypeDef]:
        """One batch; returns what the service left over. The caller repeats it, so a lost answer is counted here."""
        try:
            answer = self._client.batch_write_item(RequestItems={self._table: requests}, ReturnConsumedCapacity="TOTAL")
        except NO_ANSWER:
            self._count([], sum(write_units(_request_bytes(request)) for request in requests))
            raise
        self._count([], _units(answer.get("ConsumedCapacity", [])))
        return cast("Sequence[WriteRequestTypeDef]", answer["UnprocessedItems"].get(self._table, []))

    def _count(self, written: Sequence[Item], units: float = 0.0) -> None:
        more = WriteUsage(units, len(written), payload_bytes=sum(map(item_bytes, written)))
        with self._lock:
            self._usage += more


def blocking_item(answer: Mapping[str, Any]) -> Mapping[str, Document]:
    """The item that stood in a condition's way, as `ReturnValuesOnConditionCheckFailure` returned it."""
    return from_attributes(answer.get("Item", {}))


def failed_condition(reason: Mapping[str, Any]) -> bool:
    """Whether this part's condition is why a transaction was cancelled."""
    return reason.get("Code") == "ConditionalCheckFailed"


def _puts(items: Sequence[Item]) -> Sequence[WriteRequestTypeDef]:
    """As the client takes them, which is many times their size: nobody but the call should hold it."""
    return [{"PutRequest": {"Item": to_attributes(item)}} for item in items]


def _request_bytes(request: WriteRequestTypeDef) -> int:
    """Of what one write of a batch names."""
    (write,) = cast("Mapping[str, Mapping[str, Any]]", request).values()
    (item,) = write.values()
    return item_bytes(from_attributes(item))


def _units(consumed: Sequence[ConsumedCapacityTypeDef]) -> float:
    return sum(entry.get("CapacityUnits", 0.0) for entry in consumed)


def _batches(parts: Sequence[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    size_bytes = 0
    for part in parts:
        part_bytes = item_bytes(part)
        if batch and (len(batch) == _BATCH_ITEMS or size_bytes + part_bytes > _BATCH_BYTES):
            yield batch
            batch, size_bytes = [], 0
        batch.append(part)
        size_bytes += part_bytes
    if batch:
        yield batch
