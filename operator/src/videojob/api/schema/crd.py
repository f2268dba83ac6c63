"""The CustomResourceDefinition, made from the models. `crds/videojob.yaml` is this module's output."""

from __future__ import annotations

from typing import Any

import yaml

from videojob.api.schema.structural import Schema, structural_schema
from videojob.api.spec import VideoJobSpec
from videojob.api.status import VideoJobStatus
from videojob.api.text import DNS_LABEL, MAX_NAME_LENGTH
from videojob.api.videojob import GROUP, KIND, VERSION, VideoJob

PLURAL = "videojobs"
HEADER = (
    "# Generated from the pydantic models by `videojob crd`. Do not edit: change operator/src/videojob/api instead.\n"
)

_COLUMNS = (
    ("Status", "string", '.status.conditions[?(@.type=="Succeeded")].reason', "What the job is doing, in one word."),
    ("Progress", "string", ".status.columns.progress", "Frames done of all frames."),
    ("FPS", "string", ".status.columns.framesPerSecond", "Frames per second."),
    ("GPUs", "string", ".status.columns.gpus", "GPUs in use."),
    ("ETA", "string", ".status.columns.eta", "Time to the end."),
    ("Cost", "string", ".status.columns.cost", "Spent so far, in US dollars."),
    ("Age", "date", ".metadata.creationTimestamp", "Time since the job was created."),
)
FINISHED, TIME_TO_LIVE, OBSERVED = "Finished", "TTL", "Observed"
"""Columns by which the controller tells from a list alone which jobs need no look."""
_WIDE_COLUMNS = (
    # A status of one word does not say why there is no node.
    ("Message", "string", ".status.message", "The state in one sentence, with what to do."),
    (FINISHED, "string", ".status.completionTime", "When the job was over."),
    (TIME_TO_LIVE, "integer", ".spec.ttlSecondsAfterFinished", "Seconds that it is kept after that."),
    (OBSERVED, "integer", ".status.observedGeneration", "Generation of the spec that the status is about."),
)
"""With `-o wide` alone."""


def crd() -> dict[str, Any]:
    """The CustomResourceDefinition as plain values."""
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _root_schema()},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            *(
                {"name": name, "type": kind, "jsonPath": path, "description": description}
                for name, kind, path, description in _COLUMNS
            ),
            *(
                {"name": name, "type": kind, "jsonPath": path, "description": description, "priority": 1}
                for name, kind, path, description in _WIDE_COLUMNS
            ),
        ],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["vj"],
                "categories": ["all", "video"],
            },
            "versions": [version],
        },
    }


def crd_yaml() -> str:
    """The CustomResourceDefinition as text; the same models give the same text."""
    return HEADER + yaml.dump(crd(), Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


def _root_schema() -> Schema:
    return {
        "description": " ".join(str(VideoJob.__doc__).split()),
        "type": "object",
        "properties": {
            "apiVersion": {"description": _description("api_version"), "type": "string"},
            "kind": {"description": _description("kind"), "type": "string"},
            "metadata": {
                "type": "object",
                "properties": {"name": {"type": "string", "maxLength": MAX_NAME_LENGTH, "pattern": DNS_LABEL}},
            },
            "spec": structural_schema(VideoJobSpec),
            "status": structural_schema(VideoJobStatus),
        },
        "required": ["spec"],
        "x-kubernetes-validations": [rule.as_validation() for rule in VideoJob.TRANSITIONS],
    }


def _description(attribute: str) -> str:
    return str(VideoJob.model_fields[attribute].description)


class _Dumper(yaml.SafeDumper):
    """Writes every value out where it is used: readers of a CRD expect no anchors."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the base class's signature
        return True
