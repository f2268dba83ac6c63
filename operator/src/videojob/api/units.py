"""Numbers that travel as text: durations and decimals.

The Kubernetes API has no floats, and a float could not hold 0.1 exactly. So a manifest writes scores, rates and money
as whole numbers (2) or decimal strings ("0.35") and durations as Go does ("1h30m"). Both are strings here, as they were
written, and offer their exact value as a property.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

DURATION_PATTERN = r"^([0-9]{1,5}h)?([0-9]{1,7}m)?([0-9]{1,8}s)?([0-9]{1,9}ms)?$"
DECIMAL_PATTERN = r"^[0-9]{1,9}(\.[0-9]{1,6})?$"
INT_OR_STRING = "x-kubernetes-int-or-string"
_UNIT_MS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}


class _Text(str):
    """A string of a fixed form; made from anything else it raises ValueError."""

    __slots__ = ()
    pattern = ""
    min_length = 1
    max_length = 1
    wording = ""

    def __new__(cls, text: str) -> _Text:
        """Checks the form."""
        if not cls.min_length <= len(text) <= cls.max_length or re.search(cls.pattern, text) is None or "\n" in text:
            raise ValueError(f"{text!r} is not {cls.wording}")
        return super().__new__(cls, text)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A strict string of this form, kept as this class."""
        text = core_schema.str_schema(
            pattern=cls.pattern, min_length=cls.min_length, max_length=cls.max_length, strict=True
        )
        return core_schema.no_info_after_validator_function(
            cls, text, serialization=core_schema.plain_serializer_function_ser_schema(str.__str__)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of the string."""
        return {
            "type": "string",
            "pattern": cls.pattern,
            "minLength": cls.min_length,
            "maxLength": cls.max_length,
        }


class Duration(_Text):
    """A length of time as Go writes it, in whole hours, minutes, seconds, milliseconds: "1h30m", "500ms"."""

    __slots__ = ()
    pattern = DURATION_PATTERN
    min_length = 2
    max_length = 32
    wording = 'a duration such as "90m", "1h30m" or "500ms"'

    @property
    def ms(self) -> int:
        """The value in milliseconds."""
        return sum(int(count) * _UNIT_MS[unit] for count, unit in re.findall(r"([0-9]+)(ms|[hms])", self))

    @property
    def seconds(self) -> Fraction:
        """The value in seconds, exact."""
        return Fraction(self.ms, 1000)


class DecimalText(_Text):
    """A number of at most nine digits and six decimals, never negative: "0.35", "25"."""

    __slots__ = ()
    pattern = DECIMAL_PATTERN
    min_length = 1
    max_length = 16
    wording = 'a decimal number such as 25 or "0.35"'

    @property
    def fraction(self) -> Fraction:
        """The exact value."""
        return Fraction(str(self))

    @property
    def decimal(self) -> Decimal:
        """The exact value, for money."""
        return Decimal(str(self))

    @property
    def ppm(self) -> int:
        """The value in parts per million, exact."""
        return int(self.fraction * 1_000_000)


def _whole_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


@dataclass(frozen=True, slots=True)
class WholeToo:
    """Annotation: a whole number is accepted without quotes, too. A float never is: it may have lost digits."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Turns a whole number into text before the text is checked."""
        return core_schema.no_info_before_validator_function(_whole_text, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of the text, whose keywords hold for strings alone, opened for integers."""
        json_schema = {key: value for key, value in handler(schema).items() if key != "type"}
        return {INT_OR_STRING: True, **json_schema}


DecimalField = Annotated[DecimalText, WholeToo()]
"""A decimal of the spec: 2, "2" and "2.5" are accepted, 2.5 is not. `between` gives its bounds."""
