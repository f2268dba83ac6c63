"""Documents as DynamoDB's typed values, and back. Whole numbers only, so nothing passes through Decimal or float."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from videojob.results.aggregate.document import Document

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    Attribute: TypeAlias = AttributeValueTypeDef


def to_attributes(item: Mapping[str, Document]) -> dict[str, Attribute]:
    """An item as the client takes it."""
    return {name: to_attribute(value) for name, value in item.items()}


def to_attribute(value: Document) -> Attribute:
    """One value as the client takes it."""
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, Mapping):
        return {"M": to_attributes(value)}
    return {"L": [to_attribute(inner) for inner in value]}


def from_attributes(item: Mapping[str, Mapping[str, object]]) -> dict[str, Document]:
    """An item as the client gave it; raises ValueError for types that we never write."""
    return {name: _from_attribute(value) for name, value in item.items()}


def _from_attribute(value: Mapping[str, object]) -> Document:
    ((kind, inner),) = value.items()
    if kind == "NULL":
        return None
    if kind == "BOOL" and isinstance(inner, bool):
        return inner
    if kind == "N" and isinstance(inner, str):
        return int(inner)
    if kind == "S" and isinstance(inner, str):
        return inner
    if kind == "M" and isinstance(inner, Mapping):
        return {name: _from_attribute(element) for name, element in inner.items()}
    if kind == "L" and isinstance(inner, Sequence):
        return [_from_attribute(element) for element in inner]
    raise ValueError(f"unexpected DynamoDB type {kind!r}")
