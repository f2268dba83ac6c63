"""`videojob crd`: the CustomResourceDefinition, for `kubectl apply -f -`, and its reference page."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from videojob.api.schema.crd import crd_yaml
from videojob.api.schema.reference import reference_markdown


class CrdFormat(StrEnum):
    """What to write."""

    YAML = "yaml"
    MARKDOWN = "markdown"


def crd(
    form: Annotated[CrdFormat, typer.Option("--format", help="The CRD, or its reference page.")] = CrdFormat.YAML,
) -> None:
    """Print the CustomResourceDefinition, for `kubectl apply -f -`."""
    sys.stdout.write(crd_text(form))


def crd_text(form: CrdFormat = CrdFormat.YAML) -> str:
    """The CRD as YAML (the content of crds/videojob.yaml), or its reference (docs/reference/videojob.md)."""
    return crd_yaml() if form is CrdFormat.YAML else reference_markdown()
