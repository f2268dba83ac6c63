"""Rules that a schema's keywords cannot say, each declared once for both sides.

A `Rule` has a CEL text, which goes into the CRD and runs in the kube-apiserver, and a Python predicate, which runs in
pydantic when a manifest is loaded. tests/contract puts the same manifests before both and demands the same verdict.

Three places take rules:

- a model: `RULES` of `videojob.api.base.Model`, about several fields of one object;
- a single value: an annotation such as `between("1s", "1h")`;
- an update: `TransitionRule`, about the old object and the new one, in CEL alone: only the API server has both.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from videojob.api.units import DecimalText, Duration

T = TypeVar("T")
RULE_ERROR = "rule"
VALIDATIONS = "x-kubernetes-validations"


@dataclass(frozen=True, slots=True)
class Rule(Generic[T]):
    """What must hold of one value.

    Attributes:
        cel: the condition in CEL; `self` is the value. True means valid.
        holds: the same condition in Python.
        message: what is wrong when it does not hold, one sentence without a full stop.
        field: for a model's rule, the field (as users write it) that the error is shown at; "" for the whole object.
    """

    cel: str
    holds: Callable[[T], bool]
    message: str
    field: str = ""

    def as_validation(self) -> dict[str, str]:
        """The entry of `x-kubernetes-validations`."""
        entry = {"rule": self.cel, "message": self.message}
        return entry | {"fieldPath": f".{self.field}"} if self.field else entry


@dataclass(frozen=True, slots=True)
class TransitionRule:
    """What must hold between an object and its update.

    Attributes:
        cel: the condition in CEL; `oldSelf` is the stored object, `self` the new one.
        message: what is wrong when it does not hold.
        field: dotted path, as users write it, that the error is shown at.
    """

    cel: str
    message: str
    field: str

    def as_validation(self) -> dict[str, str]:
        """The entry of `x-kubernetes-validations`."""
        return {"rule": self.cel, "message": self.message, "fieldPath": f".{self.field}"}


@dataclass(frozen=True, slots=True)
class ValueRules:
    """Annotation: rules for one value, checked after its type."""

    rules: tuple[Rule[Any], ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Adds the check behind the type's own validation."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Adds the CEL texts to the schema."""
        json_schema = handler(schema)
        json_schema.setdefault(VALIDATIONS, []).extend(rule.as_validation() for rule in self.rules)
        return json_schema

    def _check(self, value: T) -> T:
        for rule in self.rules:
            if not rule.holds(value):
                raise PydanticCustomError(RULE_ERROR, "{message}", {"message": rule.message})
        return value


def between(low: str, high: str) -> ValueRules:
    """Bounds, both included, for a `Duration` or a `DecimalText`."""
    if low[-1].isdigit():
        return _between_decimals(DecimalText(low), DecimalText(high))
    return _between_durations(Duration(low), Duration(high))


def _between_durations(low: Duration, high: Duration) -> ValueRules:
    def holds(value: Duration) -> bool:
        return low.ms <= value.ms <= high.ms

    cel = f"duration(self) >= duration('{low}') && duration(self) <= duration('{high}')"
    return ValueRules((Rule(cel, holds, f"must be at least {low} and at most {high}"),))


def _between_decimals(low: DecimalText, high: DecimalText) -> ValueRules:
    def holds(value: DecimalText) -> bool:
        return low.fraction <= value.fraction <= high.fraction

    cel = f"double(self) >= double('{low}') && double(self) <= double('{high}')"
    return ValueRules((Rule(cel, holds, f"must be at least {low} and at most {high}"),))


def never(pattern: str, message: str) -> ValueRules:
    """Refuses a text in which `pattern` is found; the pattern must mean the same to RE2 and to Python."""
    compiled = re.compile(pattern, re.ASCII)  # RE2 classes are ASCII
    escaped = pattern.replace("\\", "\\\\").replace("'", "\\'")

    def holds(value: str) -> bool:
        return compiled.search(value) is None

    return ValueRules((Rule(f"!self.matches('{escaped}')", holds, message),))


def _is_set(value: object, name: str) -> bool:
    return getattr(value, _attribute(name)) is not None


def _attribute(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def _listing(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def exactly_one_of(*names: str) -> Rule[Any]:
    """A model's rule: one of these optional fields is there, and no other."""

    def holds(value: object) -> bool:
        return sum(_is_set(value, name) for name in names) == 1

    flags = ", ".join(f"has(self.{name})" for name in names)
    return Rule(f"[{flags}].exists_one(there, there)", holds, f"give exactly one of {_listing(names)}")


def at_least_one_of(*names: str) -> Rule[Any]:
    """A model's rule: one or more of these optional fields are there."""

    def holds(value: object) -> bool:
        return any(_is_set(value, name) for name in names)

    return Rule(" || ".join(f"has(self.{name})" for name in names), holds, f"give at least one of {_listing(names)}")


def needs(name: str, other: str) -> Rule[Any]:
    """A model's rule: the optional field `name` has a meaning only beside the optional field `other`."""

    def holds(value: object) -> bool:
        return not _is_set(value, name) or _is_set(value, other)

    return Rule(f"!has(self.{name}) || has(self.{other})", holds, f"{name} needs {other} beside it", field=name)


@dataclass(frozen=True, slots=True)
class ListType:
    """Annotation: how Kubernetes merges a list, and with it which items count as the same.

    Attributes:
        kind: "atomic" (replaced as a whole), "set" (no value twice), "map" (no key twice).
        key: for a map, the field (as users write it) that tells items apart.
    """

    kind: str
    key: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Adds the check for doubles."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Adds the list type to the schema."""
        json_schema = handler(schema)
        json_schema["x-kubernetes-list-type"] = self.kind
        if self.kind == "map":
            json_schema["x-kubernetes-list-map-keys"] = [self.key]
        return json_schema

    def _check(self, items: tuple[T, ...]) -> tuple[T, ...]:
        if self.kind == "atomic":
            return items
        seen: set[object] = set()
        for item in items:
            identity = getattr(item, _attribute(self.key)) if self.kind == "map" else item
            if identity in seen:
                raise PydanticCustomError(RULE_ERROR, "{message}", {"message": f"{identity!r} occurs twice"})
            seen.add(identity)
        return items
