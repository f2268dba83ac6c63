"""Every reason that a VideoJob can show, in one place: what it means and what to do next.

A reason is the one word in the STATUS column of `kubectl get videojobs`. The reference page, the conditions and the
messages of the command line all take their words from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Phase(Enum):
    """What kind of state a reason stands for, and with it the status of the `Succeeded` condition."""

    WAITING = "Unknown: it waits"
    WORKING = "Unknown: it works"
    SUCCEEDED = "True: it ended well"
    FAILED = "False: it ended badly"


@dataclass(frozen=True, slots=True)
class ReasonInfo:
    """One reason.

    Attributes:
        word: stable CamelCase word; scripts may test for it.
        phase: what kind of state it is.
        meaning: one sentence.
        next_step: what to do, one sentence.
        retryable: whether doing the same again can help.
    """

    word: str
    phase: Phase
    meaning: str
    next_step: str
    retryable: bool = False


def _waiting(word: str, meaning: str, next_step: str) -> ReasonInfo:
    return ReasonInfo(word, Phase.WAITING, meaning, next_step)


def _working(word: str, meaning: str) -> ReasonInfo:
    return ReasonInfo(word, Phase.WORKING, meaning, "Nothing: the progress column shows how far it is.")


def _failed(word: str, meaning: str, next_step: str) -> ReasonInfo:
    return ReasonInfo(word, Phase.FAILED, meaning, next_step)


def _retry(word: str, meaning: str, next_step: str) -> ReasonInfo:
    return ReasonInfo(word, Phase.FAILED, meaning, next_step, retryable=True)


_STATES = (
    _waiting("Queued", "The job waits for its turn.", "Nothing, or ask Kueue why: kubectl describe workload."),
    _waiting("Suspended", "The job is held by spec.suspend.", "Set spec.suspend to false to go on."),
    _waiting(
        "ProvisioningGPU",
        "A GPU node was asked for and is not there yet.",
        "After ten minutes look at the NodeClaims: quota and capacity are the usual causes.",
    ),
    _waiting(
        "ProvisioningCPU",
        "A CPU node was asked for and is not there yet.",
        "After five minutes look at the NodeClaims: limits of the NodePool are the usual cause.",
    ),
    _waiting(
        "InsufficientCapacity",
        "No node can be had for the pods; a reason of CapacityReady.",
        "The message has Karpenter's or the scheduler's words, and what to change.",
    ),
    _waiting(
        "ImagePullFailed",
        "An image cannot be pulled.",
        "Check the chart's image values and that the nodes may pull from that registry.",
    ),
    _waiting(
        "CreationRefused",
        "Kubernetes refuses to make the job's pods or other objects.",
        "The message has its words, and what to change; it is tried again by itself.",
    ),
    _waiting(
        "LoadingModel",
        "The inference server starts or loads the model.",
        "After five minutes look at the server's log: kubectl logs.",
    ),
    _working("Probing", "The videos are fetched and measured."),
    _working("Processing", "Segments are running."),
    _working("Aggregating", "All segments are done, the summary is being written."),
    ReasonInfo("Completed", Phase.SUCCEEDED, "Every frame that was asked for is in the results.", "Read the results."),
    ReasonInfo(
        "PartiallyCompleted",
        Phase.SUCCEEDED,
        "The results are there, but for the gaps and inputs that they name.",
        "Look at the gaps; repair or leave out what is damaged.",
    ),
    _failed(
        "DeadlineExceeded",
        "The job ran longer than activeDeadlineSeconds and was stopped.",
        "Raise it, or allow more capacity; finished segments are kept.",
    ),
    _failed(
        "BudgetExceeded",
        "The job reached budget.maxCost and was stopped, or no plan was cheap enough to start.",
        "Raise it, sample fewer frames, or allow spot capacity; finished segments are kept.",
    ),
    _failed(
        "BackoffLimitExceeded",
        "A segment failed more often than backoffLimit allows.",
        "The message has the last error; finished segments are kept.",
    ),
    _failed(
        "NoPlacement",
        "No hardware that the job allows can run it.",
        "The message says what is offered; relax spec.compute accordingly.",
    ),
)
_CLUSTER = (
    _failed("ClusterError", "Kubernetes failed.", "The message has its words."),
    _retry("ClusterUnavailable", "The API server does not answer.", "Check the network and the kubeconfig's context."),
    _failed("ClusterRefused", "The API server refused a request.", "The message has its words; check your rights."),
    _failed(
        "TableNotAllowed",
        "The results table is not one of this installation's.",
        "Leave spec.results.dynamodb out, or ask the administrator for results.allowedTables.",
    ),
    _failed(
        "UnsupportedField",
        "A field asks for what this version does not do on a cluster.",
        "Leave it out, or run the job on one machine with `videojob run`.",
    ),
)
_INPUTS = (
    _failed("InputInvalid", "A video cannot be used.", "The message names the video and the place in it."),
    _failed("InputNotFound", "There is no such object.", "Check path or key, and that this identity may read it."),
    _retry(
        "InputUnavailable", "The object is there but could not be read.", "Try again; check network and throttling."
    ),
    _failed("InputNotVideo", "The file is empty, text, or of no known container.", "Check what the file really is."),
    _failed("InputContainerInvalid", "The container is broken.", "Export the recording again, or remux the source."),
    _failed("InputCorrupt", "A stretch of the video cannot be decoded.", "Set onCorruption: Skip to go on without it."),
    _failed("InputChanged", "The object was replaced while the job ran.", "Pin a versionId, or start the job again."),
    _failed("InputTooLarge", "The object is larger than this machine takes.", "Free space, or split the video."),
    _failed("NoVideoStream", "The file holds no picture.", "Remove it from the inputs."),
    _failed("NoFrames", "Not one frame can be decoded.", "Remove it from the inputs."),
    _failed("ResolutionLimitExceeded", "The header claims too large a picture.", "Scale it to at most 8192 x 8192."),
    _failed("DecodeTimeout", "The decoder made no progress in time.", "Remux the file from its source."),
    _failed(
        "DecoderCrashed", "The decoder died on this file; the rest went on.", "Transcode the file from its source."
    ),
    _failed("FormatNotAllowed", "The file is a playlist that points elsewhere.", "Give the media file itself."),
    _failed(
        "InputAddressForbidden",
        "The address is, or leads to, a private or local one.",
        "Use a public address, or put the file into S3.",
    ),
)
_REST = (
    _failed(
        "InvalidManifest", "The manifest cannot be accepted.", "videojob validate shows every problem and its place."
    ),
    _failed("ModelInvalid", "The model cannot be used.", "videojob models show NAME says what is wrong."),
    _failed("ModelNotFound", "The repository has no such model.", "videojob models list shows what there is."),
    _failed("ModelLoadFailed", "The server refused to load the model.", "The message has the server's words."),
    _failed(
        "ModelSignatureMismatch",
        "The model's tensors are not what its description says.",
        "Correct config.pbtxt, or add the model again with videojob models add.",
    ),
    _failed(
        "InvalidModelOutput", "The model answered with numbers that make no boxes.", "Check decoder and precision."
    ),
    _failed("ServerError", "The inference server failed.", "The message has the server's words."),
    _retry("ServerUnavailable", "The inference server does not answer.", "Run it again: finished segments are kept."),
    _failed("ServerStartFailed", "The embedded server did not start.", "The message has the end of its log."),
    _retry("InferenceTimeout", "An answer did not come in time.", "Run it again, or with fewer workers."),
    _failed("SinkError", "The result store failed.", "The message has the store's words."),
    _retry("SinkUnavailable", "The result store does not answer.", "Run it again: finished segments are kept."),
    _failed("StaleEpoch", "A newer run owns the results.", "Nothing: the newer run goes on."),
    _failed("ItemTooLarge", "A result item is too large for the store.", "Use longer windows or fewer classes."),
    _retry("ResultsIncomplete", "Not every segment is committed.", "Run it again: finished segments are kept."),
    _failed("InvalidUsage", "An argument or option of the command is wrong.", "The command's --help has them all."),
    _failed("SetupIncomplete", "This machine lacks a part.", "The message says how to get it."),
    _retry("WorkerLost", "A worker process died, most often for lack of memory.", "Use fewer workers."),
    _retry("Cancelled", "A signal asked for the stop.", "Run it again: finished segments are kept."),
    _failed("InternalError", "Something failed that has no name yet.", "Run it again; report it with its message."),
)
REASONS: dict[str, ReasonInfo] = {info.word: info for info in (*_STATES, *_CLUSTER, *_INPUTS, *_REST)}
"""By word, in the order of a job's life."""
