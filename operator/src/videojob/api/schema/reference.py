"""The reference page of the API, made from the CRD's schema and the table of reasons."""

from __future__ import annotations

import json
from collections.abc import Iterator

from videojob.api.rules import VALIDATIONS
from videojob.api.schema.crd import crd
from videojob.api.schema.structural import Schema
from videojob.api.spec import MUTABLE_AFTER_START
from videojob.api.text import WORDING
from videojob.api.units import INT_OR_STRING
from videojob.api.videojob import API_VERSION, KIND
from videojob.reasons.guide import reference_tables

_HEAD = f"""<!-- Generated from the pydantic models by `videojob crd --format markdown`. Do not edit. -->
# {KIND}

`{API_VERSION}`, kind `{KIND}`, short name `vj`. A file may hold several, separated by `---`.

- Durations are written as Go does, in whole numbers: `90m`, `1h30m`, `500ms`.
- Scores, rates and money are decimal numbers: a whole one with or without quotes (`2`), any other in quotes (`"0.35"`).
- A field that is null counts as absent. Unknown fields are refused.
- Anchors, aliases, merge keys, tags, doubled fields and files over 1 MiB are refused.
- Once a job has started, only {", ".join(f"`{name}`" for name in MUTABLE_AFTER_START)} may change.
"""


def reference_markdown() -> str:
    """The page as Markdown; the same models give the same text."""
    schema = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    parts = [_HEAD]
    for name in ("spec", "status"):
        parts += _sections(name, schema["properties"][name])
    parts += reference_tables()
    return "\n".join(parts)


def _sections(path: str, schema: Schema) -> Iterator[str]:
    """A section for this object, then one for each object in it."""
    properties: dict[str, Schema] = schema["properties"]
    yield f"## {path}\n\n{schema['description']}\n"
    rules = [rule["message"] for rule in schema.get(VALIDATIONS, ())]
    if rules:
        yield f"Rules: {'; '.join(rules)}.\n"
    required = set(schema.get("required", ()))
    rows = [_row(name, field, required=name in required) for name, field in properties.items()]
    yield "| field | type | default | meaning |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    for name, field in properties.items():
        inner, suffix = (field["items"], "[]") if "items" in field else (field, "")
        if "properties" in inner:
            yield from _sections(f"{path}.{name}{suffix}", inner)


def _row(name: str, field: Schema, *, required: bool) -> str:
    default = "required" if required else _default(field)
    meaning = _cell(" ".join([field["description"], *_limits(field)]))
    return f"| `{name}` | {_type(field)} | {default} | {meaning} |"


def _default(field: Schema) -> str:
    value = field.get("default")
    simple = isinstance(value, str | bool | int) and value != ""
    return f"`{json.dumps(value)}`" if simple else ""


def _type(field: Schema) -> str:
    if "items" in field:
        return f"list of {_type(field['items'])}"
    if INT_OR_STRING in field:
        return "whole number or text"
    if "enum" in field:
        return _cell(" or ".join(f"`{word}`" for word in field["enum"]))
    return {"string": "text", "integer": "whole number", "boolean": "true or false"}.get(field["type"], "group")


def _limits(field: Schema) -> list[str]:
    """Sentences about what is accepted, those that the description does not say."""
    sentences = []
    if "minimum" in field and field["maximum"] < 2**53 - 1:
        sentences.append(f"From {field['minimum']} to {field['maximum']}.")
    if "maxItems" in field:
        sentences.append(f"At most {field['maxItems']}.")
    if "pattern" in field:
        sentences.append(f"Form: {WORDING[field['pattern']]}.")
    sentences += [f"It {rule['message']}." for rule in field.get(VALIDATIONS, ()) if rule["message"].startswith("must")]
    return sentences


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
