"""What requests to AWS ask of a policy: their actions, and the partition keys that they touch.

As the service authorisation reference has it, for the requests that this project makes; another one is an error here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Wire = Mapping[str, Any]
_GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "install-eks.md"
_WRITES = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
_NAMESPACE = "${aws:PrincipalTag/kubernetes-namespace}"


def statements(sid: str) -> list[dict[str, Any]]:
    """All statements of the policy in the guide that has one of this name."""
    documents = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", _GUIDE.read_text(), re.DOTALL)]
    (found,) = [one["Statement"] for one in documents if any(part["Sid"] == sid for part in one["Statement"])]
    return list(found)


def allowed(found: Iterable[Mapping[str, Any]]) -> set[str]:
    """The actions of statements."""
    actions = [one["Action"] for one in found]
    return {name for one in actions for name in ([one] if isinstance(one, str) else one)}


def leading_keys(statement: Mapping[str, Any], namespace: str) -> list[str]:
    """The patterns that a pod of the namespace is kept to."""
    patterns = statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    return [pattern.replace(_NAMESPACE, namespace) for pattern in patterns]


def keys_of(found: Iterable[Mapping[str, Any]], sid: str, namespace: str) -> list[str]:
    """The patterns that object keys, or the prefixes of lists, are kept to for a pod of the namespace."""
    (statement,) = [one for one in found if one["Sid"] == sid]
    patterns = (
        statement["Condition"]["StringLike"]["s3:prefix"]
        if "Condition" in statement
        else [statement["Resource"].removeprefix("arn:aws:s3:::").partition("/")[2]]
    )
    return [pattern.replace(_NAMESPACE, namespace) for pattern in patterns]


def within(key: str, patterns: Iterable[str]) -> bool:
    """Whether a partition key is one that the patterns let through."""
    return any(fnmatchcase(key, pattern) for pattern in patterns)


def table_rights(operation: str, request: Wire) -> list[tuple[str, str | None]]:
    """(action, partition key) of each part of a request to DynamoDB; None where it names no key."""
    keys: list[tuple[str, Any]]
    match operation:
        case "GetItem" | "UpdateItem" | "DeleteItem":
            keys = [(operation, request["Key"])]
        case "PutItem":
            keys = [(operation, request["Item"])]
        case "BatchWriteItem":
            writes = [write for part in request["RequestItems"].values() for write in part]
            keys = [(operation, write["PutRequest"]["Item"]) for write in writes]
        case "TransactWriteItems":
            parts = [part for item in request["TransactItems"] for part in item.items()]
            keys = [(_WRITES[kind], part.get("Item") or part["Key"]) for kind, part in parts]
        case "Query":
            return [(f"dynamodb:{operation}", _queried(request))]
        case "CreateTable" | "DescribeTable" | "DescribeTimeToLive" | "UpdateTimeToLive":
            return [(f"dynamodb:{operation}", None)]
        case _:
            raise ValueError(f"an operation that no policy here knows: {operation}")
    return [(f"dynamodb:{action}", key["PK"]["S"]) for action, key in keys]


def _queried(request: Wire) -> str:
    names = request.get("ExpressionAttributeNames", {})
    for name, value in re.findall(r"(#?\w+)\s*=\s*(:\w+)", request["KeyConditionExpression"]):
        if names.get(name, name) == "PK":
            return str(request["ExpressionAttributeValues"][value]["S"])
    raise ValueError(f"a query without a partition key: {request['KeyConditionExpression']}")


def bucket_key(path: str) -> str:
    """The object key, or the prefix of the list, that a request to S3 asks for, in path style."""
    parts = urlsplit(path)
    key = unquote(parts.path).strip("/").partition("/")[2]
    return key or parse_qs(parts.query, keep_blank_values=True).get("prefix", [""])[0]


def bucket_right(method: str, path: str) -> str:
    """The action of a request to S3 that reads, in path style."""
    parts = urlsplit(path)
    query = parse_qs(parts.query, keep_blank_values=True)
    key = parts.path.strip("/").partition("/")[2]
    if method == "GET" and not key and "list-type" in query:
        return "s3:ListBucket"
    if method in {"GET", "HEAD"} and key and set(query) <= {"versionId"}:
        return "s3:GetObjectVersion" if "versionId" in query else "s3:GetObject"
    raise ValueError(f"a request that no policy here knows: {method} {path}")
