"""Every error a user can meet, one tree.

    VideoJobError                 reason, message, place (uri, segment, time), hint, retryable
    ├── ManifestError             the manifest is wrong: fix it, not retryable
    ├── InputError                the video is wrong, or cannot be read
    │   ├── InputNotFound, InputNotVideo, InputContainerInvalid, InputCorrupt, InputChanged, InputTooLarge,
    │   │   InputEncrypted
    │   ├── InputUnavailable                (the only retryable one)
    │   ├── NoVideoStream, NoFrames, ResolutionLimitExceeded, InputAccessDenied
    │   ├── DecodeTimeout, DecoderCrashed, FormatNotAllowed, InputAddressForbidden
    ├── ModelError                the model is wrong, or does not fit
    │   ├── ModelNotFound, ModelLoadFailed, ModelSignatureMismatch, InvalidModelOutput
    ├── ServerError               the inference server
    │   ├── ServerUnavailable, ServerStartFailed, InferenceTimeout, RequestTooLarge
    ├── SinkError                 the result store: SinkUnavailable, StaleEpoch, ItemTooLarge, ResultsIncomplete
    ├── ClusterError              Kubernetes: ClusterUnavailable, ClusterRefused
    ├── TableNotAllowed           the results table is not one of this installation's
    ├── UnsupportedField          a field asks for what this version does not do on a cluster
    ├── NoPlacement               no allowed hardware can run the job
    ├── PricesUnavailable         a source of prices fails, or answers with what is none
    ├── JobTooLarge               more than one summary is made of
    ├── FoldFailed                a summary could not be made, though everything for it is there
    ├── UsageError                the command line is wrong: nothing was started
    ├── SetupError                this machine lacks a part; the hint says how to get it
    │   ├── CredentialsRejected
    ├── DeadlineExceeded          activeDeadlineSeconds is over
    ├── WorkerLost                a worker process died in the middle of a segment
    ├── ProcessingFault           a fault of the program that one video brought out: the others are processed
    └── Cancelled                 a signal asked for the stop: nothing is lost, a rerun goes on

`reason` is a stable CamelCase word: it is what `kubectl get vj` shows, what a script may test for and what the
troubleshooting page is sorted by. What it means, what to do about it and whether it is retryable stands in one table,
`videojob.reasons`; an error adds a hint of its own only where it knows better. Errors cross process borders as plain
dictionaries (`as_dict`, `error_from_dict`), never as pickles: the decoder process is not trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from videojob.error_base import VideoJobError as VideoJobError  # noqa: PLC0414 - others take it from here


class ManifestError(VideoJobError):
    """The manifest cannot be accepted."""

    reason = "InvalidManifest"


class InputError(VideoJobError):
    """The video is wrong or out of reach."""

    reason = "InputInvalid"


class InputNotFound(InputError):
    """No such object."""


class InputAccessDenied(InputError):
    """The object, or the key that it is encrypted with, may not be used by who reads."""


class InputUnavailable(InputError):
    """The object is there, but could not be read now."""


class InputNotVideo(InputError):
    """Empty, text, or bytes that no known container starts with."""


class InputContainerInvalid(InputError):
    """The container's own structure is broken, as when an MP4 has no moov box."""


class InputCorrupt(InputError):
    """A stretch of the video cannot be decoded and onCorruption is Fail."""


class InputEncrypted(InputError):
    """The pictures are encrypted or scrambled."""


class InputChanged(InputError):
    """The object was replaced while the job ran."""


class InputTooLarge(InputError):
    """More bytes than we accept to download."""


class NoVideoStream(InputError):
    """A container without a video stream."""


class NoFrames(InputError):
    """A video stream without one decodable frame."""


class ResolutionLimitExceeded(InputError):
    """The header claims a picture larger than we accept; nothing was allocated."""


class DecodeTimeout(InputError):
    """The demuxer or decoder made no progress in time."""


class DecoderCrashed(InputError):
    """The decoder process died on this file; the job goes on without it."""


class FormatNotAllowed(InputError):
    """A playlist or meta format that would make the demuxer open something else."""


class InputAddressForbidden(InputError):
    """An http input that leads to a loopback, link-local or private address."""


class ModelError(VideoJobError):
    """The model is wrong or does not fit."""

    reason = "ModelInvalid"


class ModelNotFound(ModelError):
    """No such model in the repository or on the server."""


class ModelLoadFailed(ModelError):
    """The server refused to load the model; the message has its words."""


class ModelSignatureMismatch(ModelError):
    """Names, shapes or types of the model's tensors are not what its description says."""


class InvalidModelOutput(ModelError):
    """The model answered with NaN, infinities or shapes that its decoder cannot read."""


class ServerError(VideoJobError):
    """The inference server."""


class ServerUnavailable(ServerError):
    """No answer from the server, retries included."""


class ServerStartFailed(ServerError):
    """The embedded server did not come up; the message has the end of its log."""


class InferenceTimeout(ServerError):
    """A request passed its deadline."""


class RequestTooLarge(ServerError):
    """The server, or a proxy before it, takes no message as large as a request with this model's frames."""


class SinkError(VideoJobError):
    """The result store."""


class SinkUnavailable(SinkError):
    """No answer from the store, retries included."""


class StaleEpoch(SinkError):
    """A newer run of the same job owns the results: this one must stop writing."""


class ItemTooLarge(SinkError):
    """A result item is over the store's limit and could not be spilled."""


class ResultsIncomplete(SinkError):
    """The commits do not cover every segment exactly once."""


class ClusterError(VideoJobError):
    """Kubernetes."""


class ClusterUnavailable(ClusterError):
    """No answer from the API server, or none that can be used."""

    retry_after_s = 0.0
    """Not to be asked again before that."""


class ClusterRefused(ClusterError):
    """The API server refused a request."""

    code = 0
    """Of its answer; 0 when it was not the server that refused."""


class TableNotAllowed(VideoJobError):
    """The results table is not one of this installation's."""


class UnsupportedField(VideoJobError):
    """A field asks for what this version does not do on a cluster."""


class NoPlacement(VideoJobError):
    """No allowed hardware can run the job."""


class PricesUnavailable(VideoJobError):
    """A source of prices fails, or its answer cannot be used."""


class JobTooLarge(VideoJobError):
    """More segments, videos or appearances than one summary is made of."""


class FoldFailed(VideoJobError):
    """The process that makes a job's summary ended without one, again and again."""


class UsageError(VideoJobError):
    """An argument or option of the command line is missing or wrong."""

    reason = "InvalidUsage"


class SetupError(VideoJobError):
    """A part is missing on this machine."""

    reason = "SetupIncomplete"


class CredentialsRejected(SetupError):
    """AWS rejects the credentials, whatever is asked for: they are expired or invalid."""


class DeadlineExceeded(VideoJobError):
    """The job ran longer than it may."""


class WorkerLost(VideoJobError):
    """A worker process died in the middle of a segment."""


class ProcessingFault(VideoJobError):
    """Probing or processing one video ended in an error that nobody foresaw."""


class Cancelled(VideoJobError):
    """The run was stopped by a signal."""


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
        hint=values.get("hint") or None,
        retryable=values.get("retryable"),
    )
