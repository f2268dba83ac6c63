"""VideoJob: the one kind of this API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from videojob.api.base import Model
from videojob.api.metadata import Metadata
from videojob.api.rules import TransitionRule
from videojob.api.spec import MUTABLE_AFTER_START, MUTABLE_WITH_RESUMES, VideoJobSpec
from videojob.api.status import VideoJobStatus

GROUP = "videojob.dev"
VERSION = "v1alpha1"
KIND = "VideoJob"
API_VERSION = f"{GROUP}/{VERSION}"


class VideoJob(Model):
    """Videos to run a model on, by when and for how much; and the state of that."""

    api_version: Literal["videojob.dev/v1alpha1"] = Field(default="videojob.dev/v1alpha1")
    """Always videojob.dev/v1alpha1."""
    kind: Literal["VideoJob"] = Field(default="VideoJob")
    """Always VideoJob."""
    metadata: Metadata
    """Name, namespace, labels."""
    spec: VideoJobSpec
    """The desired job."""
    status: VideoJobStatus | None = None
    """The observed state of the job; never read from a manifest."""

    TRANSITIONS: ClassVar[tuple[TransitionRule, ...]] = ()
    """What must hold between a stored job and its update."""

    @classmethod
    def from_manifest(cls, values: Mapping[str, Any]) -> VideoJob:
        """A job from the words that users write, and only those (`framesPerSecond`, never `frames_per_second`).

        Raises:
            pydantic.ValidationError: with all that is wrong; `videojob.api.loading.load` says it for people.
        """
        return cls.model_validate(dict(values), by_alias=True, by_name=False)


def _immutable(field: str) -> TransitionRule:
    before, after = f"oldSelf.spec.{field}", f"self.spec.{field}"
    cel = (
        "!has(oldSelf.status) || !has(oldSelf.status.startTime) || "
        f"(has({before}) == has({after}) && (!has({before}) || {before} == {after}))"
    )
    message = "cannot change once the job has started: delete it and create it again"
    if field in MUTABLE_WITH_RESUMES:
        cel = f"{cel} || {_resumes('self')} > {_resumes('oldSelf')}"
        message = "cannot change once the job has started, except together with a greater spec.resumes"
    return TransitionRule(cel, message, f"spec.{field}")


def _resumes(version: str) -> str:
    return f"(has({version}.spec.resumes) ? {version}.spec.resumes : 0)"


_GROWING = TransitionRule(f"{_resumes('self')} >= {_resumes('oldSelf')}", "can only grow", "spec.resumes")

VideoJob.TRANSITIONS = (
    *(
        _immutable(str(field.alias))
        for field in VideoJobSpec.model_fields.values()
        if field.alias not in MUTABLE_AFTER_START
    ),
    _GROWING,
)
