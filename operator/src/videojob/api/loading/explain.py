"""Says pydantic's errors in the words of a manifest: what is wrong, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Sequence, Sized
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from videojob.api.text import WORDING

MAX_SHOWN = 60
_FOREIGN = frozenset(
    """template podTemplate image imagePullPolicy imagePullSecrets serviceAccount serviceAccountName volumes
    volumeMounts env envFrom command args securityContext nodeSelector tolerations affinity hostNetwork containers
    """.split()  # noqa: SIM905 - reads better than twenty quoted words
)


def _shown(value: object, written: str | None = None) -> str:
    text = written or (repr(value) if isinstance(value, str) else str(value))
    if isinstance(value, bool) and not written:
        text = text.lower()
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def is_consequence(error: ErrorDetails) -> bool:
    """Whether an error only follows from another one: pydantic counts a list's good items, not those that are there."""
    if error["type"] != "too_short":
        return False
    value, least = error["input"], int(error["ctx"]["min_length"])
    return isinstance(value, Sized) and len(value) >= least


def explain(error: ErrorDetails, root: type[BaseModel], written: str | None = None) -> tuple[str, str]:
    """What is wrong and what would be right, from one of pydantic's errors.

    Args:
        error: of `ValidationError.errors()`.
        root: the model that was validated, to find the names that could have been meant.
        written: the value as the text has it, where it was read as something else than text: `no` is false.

    Returns:
        (what, fix); `fix` may be empty.
    """
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    match kind:
        case "rule":
            answer = str(context["message"]), ""
        case "missing":
            answer = "this field is missing", "Add it."
        case "extra_forbidden":
            answer = _unknown_field(error["loc"], root)
        case "literal_error":
            what = f"{_shown(value, written)} is not one of the allowed values"
            answer = what, _suggest_word(written or value, str(context["expected"]))
        case "string_pattern_mismatch":
            wording = WORDING.get(str(context["pattern"]), f"text that matches {context['pattern']}")
            answer = f"{_shown(value)} does not fit", f"Expected: {wording}."
        case _ if kind.endswith("_type"):
            answer = _wrong_type(kind.removesuffix("_type"), value, written, error["loc"])
        case _:
            answer = _out_of_bounds(kind, value, context, written)
    return answer


def _unknown_field(path: Sequence[str | int], root: type[BaseModel]) -> tuple[str, str]:
    name = str(path[-1])
    what = f"there is no field {_shown(name)} here"
    if name in _FOREIGN:
        return what, "A VideoJob has no pod settings: image, account, volumes and environment are the operator's."
    names = field_names(root, path[:-1])
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    lower = {known.lower(): known for known in names}
    guess = lower.get(name.lower().replace("_", "").replace("-", "")) or (close[0] if close else None)
    return what, f"Did you mean {guess}?" if guess else f"Known are {', '.join(names)}." if names else ""


def field_names(root: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """Names of the fields, as users write them, of the model at `path` below `root`; empty when there is none."""
    model: type[BaseModel] | None = root
    for part in path:
        if model is None or isinstance(part, int):
            continue
        fields = {field.alias: field for field in model.model_fields.values()}
        model = _model_in(fields[part].annotation) if part in fields else None
    return [] if model is None else [str(field.alias) for field in model.model_fields.values()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType, Annotated, tuple):
        return next((found for part in get_args(annotation) if (found := _model_in(part)) is not None), None)
    return None


def _suggest_word(value: object, expected: str) -> str:
    words = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    close = difflib.get_close_matches(str(value), words, n=1, cutoff=0.6)
    same = [word for word in words if word.lower() == str(value).lower()]
    guess = next(iter(same or close), None)
    return f"Did you mean {guess}?" if guess else f"Write {expected.replace(chr(39), '')}."


_TYPE_WORDS = {
    "string": "text",
    "int": "a whole number",
    "bool": "true or false",
    "model": "a group of fields",
    "dict": "a group of fields",
    "tuple": 'a list, each item behind a "-"',
}


def _wrong_type(expected_type: str, value: object, written: str | None, path: Sequence[str | int]) -> tuple[str, str]:
    found = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "fields"}
    shown = _shown(value, written)
    what = f"found {found.get(type(value), 'something else')} ({shown})"
    if value is None or value == {}:
        what = f"found nothing ({shown})" if written else "found nothing"
    fix = f"Expected: {_TYPE_WORDS.get(expected_type, expected_type)}."
    if expected_type == "string" and (isinstance(value, (int, float)) or (value is None and written)):
        name = f"{path[-1]}: " if path and isinstance(path[-1], str) else ""
        fix = f'Write it in quotes: {name}"{shown}".'
    elif expected_type in ("int", "bool") and isinstance(value, str):
        fix = f"Expected: {_TYPE_WORDS[expected_type]}, without quotes."
    return what, fix


def _out_of_bounds(kind: str, value: object, context: dict[str, Any], written: str | None) -> tuple[str, str]:
    size = len(value) if isinstance(value, (str, list, tuple, dict)) else 0
    texts = {
        "string_too_long": (f"this text has {size} characters", f"At most {context.get('max_length')} are allowed."),
        "string_too_short": (
            f"{_shown(value)} is too short",
            f"At least {context.get('min_length')} characters are needed.",
        ),
        "too_long": (
            f"there are {context.get('actual_length') or size} items",
            f"At most {context.get('max_length')} are allowed.",
        ),
        "too_short": ("there are too few items", f"At least {context.get('min_length')} must be there."),
        "greater_than_equal": (f"{_shown(value, written)} is too small", f"The least is {context.get('ge')}."),
        "less_than_equal": (f"{_shown(value, written)} is too large", f"The most is {context.get('le')}."),
    }
    return texts.get(kind, (f"{_shown(value)} is not accepted ({kind})", ""))
