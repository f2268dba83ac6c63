"""The base of every API model: how a manifest's words become attributes, and where a model's own rules are checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    Strict,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

from videojob.api.rules import RULE_ERROR, VALIDATIONS, Rule

T = TypeVar("T")
Items = Annotated[tuple[T, ...], Strict(False)]
"""A list in the manifest, a tuple in Python; its items stay strict."""


def _whole_float(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole_float)
"""Annotation behind a whole number's bounds: `2.0` is one too, as it is for the kube-apiserver."""


class Model(BaseModel):
    """One object of the API: strict types, no unknown field, immutable.

    A field that is null counts as absent: the kube-apiserver drops nulls before it looks, so we do.
    """

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    RULES: ClassVar[tuple[Rule[Any], ...]] = ()
    """What must hold between the fields; subclasses set it."""

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, value: object) -> object:
        if isinstance(value, Mapping):
            return {key: item for key, item in value.items() if item is not None}
        return value

    @model_validator(mode="after")
    def _check_rules(self) -> Model:
        broken = [rule for rule in self.RULES if not rule.holds(self)]
        if broken:
            raise ValidationError.from_exception_data(type(self).__name__, [_line_error(rule) for rule in broken])
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Adds the rules' CEL texts."""
        json_schema = handler(schema)
        if cls.RULES:
            handler.resolve_ref_schema(json_schema)[VALIDATIONS] = [rule.as_validation() for rule in cls.RULES]
        return json_schema

    def as_manifest(self) -> dict[str, Any]:
        """JSON-able values under the names that users write; absent fields are left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def _line_error(rule: Rule[Any]) -> InitErrorDetails:
    error = PydanticCustomError(RULE_ERROR, "{message}", {"message": rule.message})
    return InitErrorDetails(type=error, loc=tuple(rule.field.split(".")) if rule.field else (), input=None)
