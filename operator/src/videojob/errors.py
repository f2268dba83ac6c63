"""Every error a user can meet, one tree.

    VideoJobError                 reason, message, place (uri, segment, time), hint, retryable
    ├── ManifestError             the manifest is wrong: fix it, a retry does not help
    ├── InputError                the video is wrong, or cannot be had
    │   ├── InputNotFound, InputNotVideo, InputContainerInvalid, InputCorrupt, InputChanged, InputTooLarge
    │   ├── InputUnavailable                (the only one that a retry may cure)
    │   ├── NoVideoStream, NoFrames, ResolutionLimitExceeded
    │   ├── DecodeTimeout, DecoderCrashed, FormatNotAllowed, InputAddressForbidden
    ├── ModelError                the model is wrong, or does not fit
    │   ├── ModelNotFound, ModelLoadFailed, ModelSignatureMismatch, InvalidModelOutput
    ├── ServerError               the inference server: ServerUnavailable, ServerStartFailed, InferenceTimeout
    ├── SinkError                 the result store: SinkUnavailable, StaleEpoch, ItemTooLarge, ResultsIncomplete
    ├── ClusterError              Kubernetes: ClusterUnavailable, ClusterRefused
    ├── TableNotAllowed           the results table is not one of this installation's
    ├── UnsupportedField          a field asks for what this version does not do on a cluster
    ├── NoPlacement               no allowed hardware can run the job
    ├── UsageError                the command line is wrong: nothing was started
    ├── SetupError                this machine lacks a part; the hint says how to get it
    ├── DeadlineExceeded          activeDeadlineSeconds is over
    ├── WorkerLost                a worker process died in the middle of a segment
    └── Cancelled                 a signal asked for the stop: nothing is lost, a rerun goes on

`reason` is a stable CamelCase word: it is what `kubectl get vj` shows, what a script may test for and what the
troubleshooting page is sorted by. Errors cross process borders as plain dictionaries (`as_dict`, `error_from_dict`),
never as pickles: the decoder process is not trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from videojob.printable import printable


class VideoJobError(Exception):
    """Base of the tree.

    Args:
        message: what is wrong, for a person, one sentence.
        uri: the object that it is about (a video's URI, a model's name, a file).
        segment: the job-wide index of the segment, when the place is inside a video.
        time_ms: presentation time inside the video, in milliseconds.
        hint: what to do about it.
        retryable: overrides the class's answer to "does trying again help?".
    """

    reason: ClassVar[str] = "InternalError"
    default_hint: ClassVar[str] = ""
    default_retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        uri: str | None = None,
        segment: int | None = None,
        time_ms: int | None = None,
        hint: str | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.uri = uri
        self.segment = segment
        self.time_ms = time_ms
        self.hint = self.default_hint if hint is None else hint
        self.retryable = self.default_retryable if retryable is None else retryable

    def __str__(self) -> str:
        """One line, safe for a terminal; further lines of a message are indented, so that none can pass for ours."""
        uri = printable(self.uri or "")
        place = [part for part in (uri, self._segment_text(), self._time_text()) if part]
        where = f" ({', '.join(place)})" if place else ""
        retry = "a retry may help" if self.retryable else "a retry does not help"
        hint = f" {printable(self.hint)}" if self.hint else ""
        message = printable(self.message, keep="\n").replace("\n", "\n    ")
        return f"{self.reason}: {message}{where}.{hint} ({retry})"

    def _segment_text(self) -> str:
        return "" if self.segment is None else f"segment {self.segment}"

    def _time_text(self) -> str:
        return "" if self.time_ms is None else f"at {self.time_ms / 1000:.3f} s"

    def as_dict(self) -> dict[str, Any]:
        """The error as JSON-able values; `error_from_dict` makes it whole again."""
        return {
            "reason": self.reason,
            "message": self.message,
            "uri": self.uri,
            "segment": self.segment,
            "time_ms": self.time_ms,
            "hint": self.hint,
            "retryable": self.retryable,
        }


class ManifestError(VideoJobError):
    """The manifest cannot be accepted."""

    reason = "InvalidManifest"


class InputError(VideoJobError):
    """The video is wrong or out of reach."""

    reason = "InputInvalid"


class InputNotFound(InputError):
    """No such object."""

    reason = "InputNotFound"
    default_hint = "Check the path or key, and that this identity may read it."


class InputUnavailable(InputError):
    """The object is there, but could not be read now."""

    reason = "InputUnavailable"
    default_retryable = True


class InputNotVideo(InputError):
    """Empty, text, or bytes that no known container starts with."""

    reason = "InputNotVideo"
    default_hint = "Check what the file is; a supported container is MP4/MOV, MKV/WebM, AVI, MPEG-TS, FLV, OGG."


class InputContainerInvalid(InputError):
    """The container's own structure is broken, as when an MP4 has no moov box."""

    reason = "InputContainerInvalid"
    default_hint = "The recording was probably cut off: export it again, or remux it from the source."


class InputCorrupt(InputError):
    """A stretch of the video cannot be decoded and onCorruption is Fail."""

    reason = "InputCorrupt"
    default_hint = "Set onCorruption: Skip to go on without the damaged stretch; it is then named as a gap."


class InputChanged(InputError):
    """The object was replaced while the job ran."""

    reason = "InputChanged"
    default_hint = "Pin a versionId, or start the job again on the new object."


class InputTooLarge(InputError):
    """More bytes than we accept to download."""

    reason = "InputTooLarge"
    default_hint = "Cut the recording into smaller files."


class NoVideoStream(InputError):
    """A container without a video stream."""

    reason = "NoVideoStream"
    default_hint = "The file holds no picture: remove it from the inputs."


class NoFrames(InputError):
    """A video stream without one decodable frame."""

    reason = "NoFrames"
    default_hint = "The file holds no picture: remove it from the inputs."


class ResolutionLimitExceeded(InputError):
    """The header claims a picture larger than we accept; nothing was allocated."""

    reason = "ResolutionLimitExceeded"
    default_hint = "Scale the video down to at most 8192 x 8192."


class DecodeTimeout(InputError):
    """The demuxer or decoder made no progress in time."""

    reason = "DecodeTimeout"
    default_hint = "The file may be built to never end; remux it from the source."


class DecoderCrashed(InputError):
    """The decoder process died on this file; the job goes on without it."""

    reason = "DecoderCrashed"
    default_hint = "The file triggers a decoder fault: transcode it from the source."


class FormatNotAllowed(InputError):
    """A playlist or meta format that would make the demuxer open something else."""

    reason = "FormatNotAllowed"
    default_hint = "Give the media file itself, not a playlist (HLS, DASH, concat, SDP) that points elsewhere."


class InputAddressForbidden(InputError):
    """An http input that leads to a loopback, link-local or private address."""

    reason = "InputAddressForbidden"
    default_hint = "Use a public address, or put the file into S3."


class ModelError(VideoJobError):
    """The model is wrong or does not fit."""

    reason = "ModelInvalid"


class ModelNotFound(ModelError):
    """No such model in the repository or on the server."""

    reason = "ModelNotFound"


class ModelLoadFailed(ModelError):
    """The server refused to load the model; the message has its words."""

    reason = "ModelLoadFailed"


class ModelSignatureMismatch(ModelError):
    """Names, shapes or types of the model's tensors are not what its description says."""

    reason = "ModelSignatureMismatch"


class InvalidModelOutput(ModelError):
    """The model answered with NaN, infinities or shapes that its decoder cannot read."""

    reason = "InvalidModelOutput"


class ServerError(VideoJobError):
    """The inference server."""

    reason = "ServerError"


class ServerUnavailable(ServerError):
    """No answer from the server, retries included."""

    reason = "ServerUnavailable"
    default_retryable = True


class ServerStartFailed(ServerError):
    """The embedded server did not come up; the message has the end of its log."""

    reason = "ServerStartFailed"


class InferenceTimeout(ServerError):
    """A request passed its deadline."""

    reason = "InferenceTimeout"
    default_retryable = True


class SinkError(VideoJobError):
    """The result store."""

    reason = "SinkError"


class SinkUnavailable(SinkError):
    """No answer from the store, retries included."""

    reason = "SinkUnavailable"
    default_retryable = True


class StaleEpoch(SinkError):
    """A newer run of the same job owns the results: this one must stop writing."""

    reason = "StaleEpoch"


class ItemTooLarge(SinkError):
    """A result item is over the store's limit and could not be spilled."""

    reason = "ItemTooLarge"


class ResultsIncomplete(SinkError):
    """The commits do not cover every segment exactly once."""

    reason = "ResultsIncomplete"
    default_retryable = True
    default_hint = "Run the job again: finished segments are kept."


class ClusterError(VideoJobError):
    """Kubernetes."""

    reason = "ClusterError"


class ClusterUnavailable(ClusterError):
    """No answer from the API server, or none that can be used."""

    reason = "ClusterUnavailable"
    default_retryable = True
    default_hint = "Check the network and the kubeconfig's context."
    retry_after_s = 0.0
    """Not to be asked again before that."""


class ClusterRefused(ClusterError):
    """The API server refused a request."""

    reason = "ClusterRefused"
    code = 0
    """Of its answer; 0 when it was not the server that refused."""


class TableNotAllowed(VideoJobError):
    """The results table is not one of this installation's."""

    reason = "TableNotAllowed"


class UnsupportedField(VideoJobError):
    """A field asks for what this version does not do on a cluster."""

    reason = "UnsupportedField"


class NoPlacement(VideoJobError):
    """No allowed hardware can run the job."""

    reason = "NoPlacement"


class UsageError(VideoJobError):
    """An argument or option of the command line is missing or wrong."""

    reason = "InvalidUsage"


class SetupError(VideoJobError):
    """A part is missing on this machine."""

    reason = "SetupIncomplete"


class DeadlineExceeded(VideoJobError):
    """The job ran longer than it may."""

    reason = "DeadlineExceeded"
    default_hint = "Raise activeDeadlineSeconds and run it again: finished segments are kept."


class WorkerLost(VideoJobError):
    """A worker process died in the middle of a segment."""

    reason = "WorkerLost"
    default_retryable = True
    default_hint = "Out of memory is the usual cause: use fewer workers."


class Cancelled(VideoJobError):
    """A signal asked for the stop."""

    reason = "Cancelled"
    default_retryable = True
    default_hint = "Run it again: finished segments are kept."


def _subclasses(root: type[VideoJobError]) -> dict[str, type[VideoJobError]]:
    found = {root.reason: root}
    for child in root.__subclasses__():
        found = _subclasses(child) | found  # where a subclass shares its parent's reason, the parent stands for both
    return found


def error_from_dict(values: Mapping[str, Any]) -> VideoJobError:
    """The error that `as_dict` described; an unknown reason becomes the base class, its reason kept in the message."""
    kind = _subclasses(VideoJobError).get(str(values.get("reason")))
    message = str(values.get("message", ""))
    if kind is None:
        kind, message = VideoJobError, f"{values.get('reason')}: {message}"
    return kind(
        message,
        uri=values.get("uri"),
        segment=values.get("segment"),
        time_ms=values.get("time_ms"),
        hint=values.get("hint"),
        retryable=values.get("retryable"),
    )
