"""Turns pydantic's JSON schema into the structural schema that a CustomResourceDefinition takes.

Kubernetes accepts no `$ref`, no `title`, no `const`, no `additionalProperties: false` and no union with null. Every
keyword that this converter does not know raises: nothing that a model demands is lost silently.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from videojob.api.rules import VALIDATIONS
from videojob.api.units import INT_OR_STRING

Schema = dict[str, Any]
_DROPPED = frozenset({"title", "$defs", "additionalProperties"})
_KEPT = (
    "description",
    "type",
    "format",
    "enum",
    "default",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    INT_OR_STRING,
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    VALIDATIONS,
)
_RULE_KEYS = ("rule", "message", "fieldPath")
_NESTED = frozenset({"properties", "required", "items"})
_UNION = frozenset({"$ref", "anyOf", "const"})


class SchemaError(Exception):
    """A model says something that a structural schema cannot."""


def structural_schema(model: type[BaseModel]) -> Schema:
    """The structural schema of a model, its references resolved.

    Raises:
        SchemaError: the model uses what Kubernetes cannot express.
    """
    source: Schema = json.loads(json.dumps(model.model_json_schema(by_alias=True)))
    return _convert(source, source.get("$defs", {}), model.__name__)


def _convert(source: Schema, definitions: Mapping[str, Schema], place: str) -> Schema:
    source = _resolve(source, definitions, place)
    unknown = set(source) - _DROPPED - _NESTED - set(_KEPT)
    if unknown:
        raise SchemaError(f"{place}: no structural form is known for {', '.join(sorted(unknown))}")
    schema = {keyword: source[keyword] for keyword in _KEPT if keyword in source}
    if INT_OR_STRING in schema:
        schema["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if isinstance(schema.get("default"), dict):
        schema["default"] = _without_nulls(schema["default"])
    if "description" in schema:
        schema["description"] = " ".join(schema["description"].split())
    if VALIDATIONS in schema:
        schema[VALIDATIONS] = [{key: rule[key] for key in _RULE_KEYS if key in rule} for rule in schema[VALIDATIONS]]
    if isinstance(source.get("additionalProperties"), dict):
        schema["additionalProperties"] = _convert(source["additionalProperties"], definitions, f"{place}.*")
    if "items" in source:
        schema["items"] = _convert(source["items"], definitions, f"{place}[]")
    if "properties" in source:
        names = source["properties"]
        schema["properties"] = {name: _convert(names[name], definitions, f"{place}.{name}") for name in names}
    if source.get("required"):
        schema["required"] = source["required"]
    _demand_bounds(schema, place)
    return schema


def _without_nulls(values: Schema) -> Schema:
    """A group's default without its absent fields, which are null in pydantic only."""
    return {
        name: _without_nulls(value) if isinstance(value, dict) else value
        for name, value in values.items()
        if value is not None
    }


def _resolve(source: Schema, definitions: Mapping[str, Schema], place: str) -> Schema:
    """Unfolds references, optional values and constants until a plain schema is left; outer keywords win."""
    while _UNION & set(source):
        outer = {keyword: value for keyword, value in source.items() if keyword not in _UNION}
        if "$ref" in source:
            inner = definitions[source["$ref"].removeprefix("#/$defs/")]
        elif "anyOf" in source:
            inner = _only_choice(source["anyOf"], place)
            if outer.get("default", ...) is None:
                del outer["default"]
        else:
            inner = {"enum": [source["const"]]}
        source = inner | outer
    return source


def _only_choice(choices: list[Schema], place: str) -> Schema:
    real = [choice for choice in choices if choice != {"type": "null"}]
    if len(real) != 1:
        raise SchemaError(f"{place}: a union of {len(real)} types has no structural form")
    return real[0]


def _demand_bounds(schema: Schema, place: str) -> None:
    """Every text, list and number has a bound, so that the cost of checking one object has one."""
    kind = "string" if INT_OR_STRING in schema else schema.get("type")
    bound = {"string": "maxLength", "array": "maxItems", "integer": "maximum"}.get(str(kind))
    if kind not in {"string", "array", "integer", "boolean", "object"}:
        raise SchemaError(f"{place}: the type {kind!r} is not for this API")
    if bound and bound not in schema and "enum" not in schema:
        raise SchemaError(f"{place}: {kind} without {bound}")
    if kind == "array" and "x-kubernetes-list-type" not in schema:
        raise SchemaError(f"{place}: a list without a list type")
    if kind == "object" and not ({"properties", "additionalProperties"} & set(schema)):
        raise SchemaError(f"{place}: an object without properties")
