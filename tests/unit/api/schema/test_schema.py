"""The CRD and its reference page are what the models say; the converter loses nothing silently."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import BaseModel, Field

from support.tree import ROOT
from videojob.api.base import Items, Model
from videojob.api.rules import ListType
from videojob.api.schema.crd import crd, crd_yaml
from videojob.api.schema.reference import reference_markdown
from videojob.api.schema.structural import SchemaError, structural_schema
from videojob.api.spec import MUTABLE_AFTER_START, VideoJobSpec
from videojob.api.units import INT_OR_STRING
from videojob.api.videojob import VideoJob
from videojob.cli.programs.crd import CrdFormat, crd_text


def nodes(schema: dict[str, Any], place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield place, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{place}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{place}[]")


def root() -> dict[str, Any]:
    schema: dict[str, Any] = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def test_the_crd_in_the_repository_is_the_generated_one() -> None:
    assert (ROOT / "crds" / "videojob.yaml").read_text(encoding="utf-8") == crd_text()


def test_the_reference_page_in_the_repository_is_the_generated_one() -> None:
    page = (ROOT / "docs" / "reference" / "videojob.md").read_text(encoding="utf-8")
    assert page == crd_text(CrdFormat.MARKDOWN)


def test_the_crd_is_plain_yaml_without_anchors() -> None:
    text = crd_yaml()
    assert yaml.safe_load(text) == crd()
    assert "&id" not in text


def test_every_field_has_a_description() -> None:
    schema = root()
    bare = [
        place
        for part in ("spec", "status")
        for place, node in nodes(schema["properties"][part], part)
        if "description" not in node and not place.endswith("[]")
    ]
    assert bare == []


def test_every_text_list_and_number_has_a_bound() -> None:
    bounds = {"string": "maxLength", "array": "maxItems", "integer": "maximum"}
    for place, node in nodes(root()["properties"]["spec"], "spec"):
        bound = bounds.get("string" if INT_OR_STRING in node else node["type"])
        assert bound is None or bound in node or "enum" in node, place


def test_there_is_nothing_in_it_that_gives_the_cluster_away() -> None:
    forbidden = {"template", "image", "serviceAccountName", "volumes", "env", "command", "args", "securityContext"}
    assert not forbidden & {place.rsplit(".")[-1] for place, _ in nodes(root(), "")}


def test_no_float_is_in_it() -> None:
    assert "number" not in {one.get("type") for _, node in nodes(root()) for one in (node, *node.get("anyOf", ()))}


def test_each_field_of_the_spec_is_immutable_or_named_as_mutable() -> None:
    frozen = {rule.field.removeprefix("spec.") for rule in VideoJob.TRANSITIONS}
    assert frozen | set(MUTABLE_AFTER_START) == {field.alias for field in VideoJobSpec.model_fields.values()}
    assert set(MUTABLE_AFTER_START) == {"suspend", "budget", "deadline", "resumes"}


def test_the_reference_names_every_field_and_every_default() -> None:
    page = reference_markdown()
    for place, node in nodes(root()["properties"]["spec"], "spec"):
        assert f"`{place.rsplit('.')[-1].removesuffix('[]')}`" in page or place in page
        if isinstance(node.get("default"), str):
            assert f'`"{node["default"]}"`' in page


class Inner(Model):
    """Inside."""

    word: Literal["a"] = "a"
    """A word."""


class Good(Model):
    """All that the converter knows."""

    optional: Annotated[str, Field(max_length=5)] | None = None
    inner: Inner = Inner()
    items: Annotated[Items[Inner], Field(max_length=3), ListType("atomic")] = ()
    labels: Annotated[dict[str, Annotated[str, Field(max_length=9)]], Field(max_length=4)] = {}  # noqa: RUF012 - pydantic copies it
    other: Inner | None = Field(default=None, description="Its own words.")


def test_references_optional_values_and_constants_are_unfolded() -> None:
    word = {"description": "A word.", "type": "string", "enum": ["a"], "default": "a"}
    inner = {"description": "Inside.", "type": "object", "properties": {"word": word}}
    atomic = {"type": "array", "default": [], "maxItems": 3, "x-kubernetes-list-type": "atomic", "items": inner}
    assert structural_schema(Good) == {
        "description": "All that the converter knows.",
        "type": "object",
        "properties": {
            "optional": {"type": "string", "maxLength": 5},
            "inner": {**inner, "default": {"word": "a"}},
            "items": atomic,
            "labels": {
                "type": "object",
                "default": {},
                "maxProperties": 4,
                "additionalProperties": {"type": "string", "maxLength": 9},
            },
            "other": {**inner, "description": "Its own words."},
        },
    }


class Unbounded(BaseModel):
    text: str


class FloatInside(BaseModel):
    score: float


class TwoTypes(BaseModel):
    value: Annotated[str, Field(max_length=5)] | Annotated[int, Field(le=5)]


class NoListType(BaseModel):
    items: Annotated[list[Inner], Field(max_length=5)]


class Exclusive(BaseModel):
    number: Annotated[int, Field(gt=5, le=9)]


class Anything(BaseModel):
    value: dict[str, Any]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Unbounded, "string without maxLength"),
        (FloatInside, "'number' is not for this API"),
        (TwoTypes, "a union of 2 types"),
        (NoListType, "a list without a list type"),
        (Exclusive, "no structural form is known for exclusiveMinimum"),
        (Anything, "an object without properties"),
    ],
)
def test_what_a_structural_schema_cannot_say_is_an_error(model: type[BaseModel], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        structural_schema(model)
