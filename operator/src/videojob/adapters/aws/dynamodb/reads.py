"""Reading the result table: consistent, page by page, as documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from videojob.adapters.aws.dynamodb.attributes import from_attributes, to_attributes
from videojob.adapters.aws.dynamodb.calls import Caller
from videojob.results.aggregate.document import Document
from videojob.results.stored.keys import JOB_KEY

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        GetItemInputTypeDef,
        QueryInputTypeDef,
        QueryOutputTypeDef,
        ScanInputTypeDef,
    )

_PAGE_ITEMS = 100
"""Whole items in one answer. A page of 1 MB, as it would come otherwise, takes twenty times that once it is parsed."""


_PAGE_JSON_BYTES = 200_000
"""Of an answer with whole items, aimed at; what is parsed takes some thirty times that."""


class TableReader:
    """Reads of one table. All raise what `Caller.call` raises.

    Args:
        table: its name.
        client: the connection.
        caller: repeats and counts.
    """

    def __init__(self, table: str, client: DynamoDBClient, caller: Caller) -> None:
        self._table = table
        self._client = client
        self._caller = caller

    def get(self, partition: str, sort: str, paths: Sequence[str] = ()) -> dict[str, Document] | None:
        """One item; None when it is not there.

        Args:
            partition: its key.
            sort: its key.
            paths: of attributes, as in "summary.state", to which the answer is limited; all without.
        """
        request: GetItemInputTypeDef = {
            "TableName": self._table,
            "Key": to_attributes({"PK": partition, "SK": sort}),
            "ConsistentRead": True,
        }
        if paths:
            # By other names throughout: the service has some hundred reserved words.
            names = {step: f"#n{at}" for at, step in enumerate(sorted({s for path in paths for s in path.split(".")}))}
            request["ExpressionAttributeNames"] = {name: step for step, name in names.items()}
            request["ProjectionExpression"] = ", ".join(
                ".".join(names[step] for step in path.split(".")) for path in paths
            )
        answer = self._caller.call(lambda: self._client.get_item(**request))
        return from_attributes(answer["Item"]) if "Item" in answer else None

    def query(
        self,
        partition: str,
        prefix: str,
        projection: str | None = None,
        page_items: int = _PAGE_ITEMS,
        *,
        fits: bool = False,
    ) -> Iterator[dict[str, Document]]:
        """Items of a partition whose sort key starts so, ascending.

        Args:
            partition: its key.
            prefix: of the sort keys.
            projection: names of the attributes to return.
            page_items: whole items that are held at a time: fewer where they are large.
            fits: the first answer has one item, and from its size follows how many each of the others may have.
        """
        request: QueryInputTypeDef = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": "PK = :pk AND begins_with(SK, :prefix)",
            "ExpressionAttributeValues": to_attributes({":pk": partition, ":prefix": prefix}),
        }
        if projection is None:
            request["Limit"] = page_items
        return self._pages(request, projection, fits=fits)

    def keys(self, partition: str) -> Iterator[dict[str, Document]]:
        """The keys of all items of a partition."""
        request: QueryInputTypeDef = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": "PK = :pk",
            "ExpressionAttributeValues": to_attributes({":pk": partition}),
        }
        return self._pages(request, "PK, SK")

    def query_between(
        self, partition: str, first: str, last: str, projection: str | None = None
    ) -> Iterator[dict[str, Document]]:
        """Items of a partition whose sort key is `first`, `last` or between them, ascending; as `query` otherwise."""
        request: QueryInputTypeDef = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": "PK = :pk AND SK BETWEEN :first AND :last",
            "ExpressionAttributeValues": to_attributes({":pk": partition, ":first": first, ":last": last}),
        }
        return self._pages(request, projection)

    def last_key(self, partition: str, at_most: str) -> str | None:
        """The greatest sort key of a partition that is not greater than `at_most`; None when there is none."""
        request: QueryInputTypeDef = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": "PK = :pk AND SK <= :most",
            "ExpressionAttributeValues": to_attributes({":pk": partition, ":most": at_most}),
            "ProjectionExpression": "SK",
            "ScanIndexForward": False,
            "Limit": 1,
        }
        page = self._caller.call(lambda: self._client.query(**request))
        return next((str(from_attributes(item)["SK"]) for item in page["Items"]), None)

    def _pages(
        self, request: QueryInputTypeDef, projection: str | None, *, fits: bool = False
    ) -> Iterator[dict[str, Document]]:
        most_items = 0
        if fits:
            # How large items are the first one tells: a hundred of a busy place take sixty times the memory of a quiet
            # place's, and a fold reads four partitions side by side.
            most_items = request.get("Limit", _PAGE_ITEMS)
            request["Limit"] = 1
        elif projection is None:
            request.setdefault("Limit", _PAGE_ITEMS)
        else:
            request["ProjectionExpression"] = projection
        while True:
            page = self._caller.call(lambda: self._client.query(**request))
            items, last = page["Items"], page.get("LastEvaluatedKey")
            if most_items:
                request["Limit"] = min(most_items, _fitting(page, len(items)))
            del page
            items.reverse()
            while items:
                yield from_attributes(items.pop())  # whoever holds on to items holds no page: see `_PAGE_ITEMS`
            if last is None:
                return
            request["ExclusiveStartKey"] = last

    def scan_jobs(self) -> Iterator[dict[str, Document]]:
        """The state items of all jobs; reads the whole table."""
        request: ScanInputTypeDef = {
            "TableName": self._table,
            "ConsistentRead": True,
            "FilterExpression": "SK = :job",
            "ExpressionAttributeValues": to_attributes({":job": JOB_KEY}),
        }
        while True:
            page = self._caller.call(lambda: self._client.scan(**request))
            yield from map(from_attributes, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _fitting(page: QueryOutputTypeDef, items: int) -> int:
    """How many items the next answer may have; as many as may be where none tells its size."""
    headers = page.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    size_bytes = int(headers.get("content-length", "0"))
    return max(1, _PAGE_JSON_BYTES * max(1, items) // size_bytes) if size_bytes else _PAGE_ITEMS
