"""What it means for a job that pods do not run: which reason, the message to quote, what to change. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from videojob.api.spec import VideoJobSpec
from videojob.planning.diagnosis.messages import sentence
from videojob.planning.diagnosis.nodes import plain_words, what_to_change
from videojob.planning.diagnosis.rejected import REFUSED, what_to_allow
from videojob.planning.installation import Accelerator, Installation
from videojob.planning.state.ending import Ending
from videojob.planning.state.observed import NODE_PROVISIONING, PodProblem, ServerObserved
from videojob.planning.state.pods import JobObserved

REFUSED_S: Mapping[str, float] = {"none": 120.0, "karpenter": 600.0, "autoMode": 600.0}
"""By node provisioner: a pod without one for so long, and without a sign of one, does not just wait for it."""
SAID_NO_S = 12.0
"""A refusal counts when it has stood for so long. Against a NodePool's limits Karpenter counts each node that it orders
as the largest that it could become, so that it refuses for a moment what it makes in its next loop."""
_LEAST_POLL_S, _MOST_POLL_S = 3.0, 30.0
CRASHES = 3
"""A server that never answered and ended in an error so often will do so again."""
NO_PODS = frozenset({"refused", "unschedulable", "image"})
"""Problems of pods that do not run at all, which a person has to solve."""
_MAKERS = frozenset({"karpenter", "cluster-autoscaler"})
MORE_CRASHES = 10
"""The same for one that has answered, because nodes go and processes are killed without any fault of the model; and for
one that says itself that it may come up later, as when a bucket does not answer. With Kubernetes' growing pauses that
takes half an hour."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why something is not there yet.

    Attributes:
        reason: the job's. capacity_reason: the one of CapacityReady, "" when capacity is there.
        message: for people, with what to change.
    """

    reason: str
    capacity_reason: str
    message: str

    @property
    def is_refused(self) -> bool:
        """No node or pod will be created: something has to change, and the message says what."""
        return self.capacity_reason in {"InsufficientCapacity", REFUSED}


def waiting_for(
    problem: PodProblem | None,
    accelerator: Accelerator,
    spec: VideoJobSpec,
    installation: Installation,
    now_s: float,
    *,
    what: str,
) -> Waiting:
    """Why pods are not ready.

    Args:
        problem: as observed; None when nothing is known, as right after they were asked for.
        accelerator: what they need.
        spec: of the job, which may ask for what is not available.
        installation: where nodes come from.
        now_s: seconds since the epoch.
        what: the pods as text, "the inference server".
    """
    provisioning = "ProvisioningGPU" if accelerator == "gpu" else "ProvisioningCPU"
    if problem is None:
        return Waiting(provisioning, provisioning, f"waiting for the pod of {what}")
    said = f"{problem.source}: {problem.message}" if problem.source else problem.message
    match problem.kind:
        case "starting":
            return Waiting("LoadingModel", "", f"{what} starts and loads the model")
        case "refused":
            words = sentence(f"Kubernetes rejects {what}: {said}", what_to_allow(said))
            return Waiting(REFUSED, REFUSED, words)
        case "image":
            return Waiting("ImagePullFailed", "", f"{what} cannot start: {said}")
        case "crashed":
            return Waiting("LoadingModel", "", f"{what} ended in an error and is restarted: {said}")
        case _:
            return _unschedulable(problem, spec, installation, now_s, what=what, provisioning=provisioning)


def _unschedulable(
    problem: PodProblem, spec: VideoJobSpec, installation: Installation, now_s: float, *, what: str, provisioning: str
) -> Waiting:
    words = plain_words(problem.source, problem.message)
    if problem.source == NODE_PROVISIONING:
        return Waiting(provisioning, provisioning, f"a node is being provisioned for {what}: {words}")
    said = f"{problem.source}: {words}" if problem.source else words
    patience_s = SAID_NO_S if problem.source in _MAKERS else REFUSED_S[installation.karpenter]
    if now_s - problem.since_s < patience_s:
        if installation.karpenter != "none" and problem.source == "scheduler":
            # That no node has room is why one is asked for.
            return Waiting(provisioning, provisioning, f"{what} waits for a node from Karpenter")
        return Waiting(provisioning, provisioning, f"{what} waits for a node: {said}")
    advice = what_to_change(spec, installation, problem.message)
    return Waiting(
        provisioning, "InsufficientCapacity", f"no node can be provisioned for {what}: {said.rstrip('.')}. {advice}"
    )


def requeue_after_s(problem: PodProblem | None, now_s: float) -> float:
    """When to requeue a job whose pods wait: no event tells that their node came, or why it does not.

    The longer they wait, the rarer: a thousand jobs may wait for one node. That pods are there at all, events tell.
    """
    if problem is None:
        return _MOST_POLL_S
    return min(_MOST_POLL_S, max(_LEAST_POLL_S, (now_s - problem.since_s) / 2))


def load_failure(server: ServerObserved | None, *, was_ready: bool) -> str:
    """Words of a server that will not come up however often it is started; "" while there is hope.

    Args:
        server: as observed.
        was_ready: it has answered during this job.
    """
    problem = None if server is None else server.problem
    if server is None or problem is None or server.ready > 0 or problem.kind != "crashed":
        return ""
    most = MORE_CRASHES if was_ready or problem.retryable else CRASHES
    if problem.restarts < most:
        return ""
    code = "" if problem.exit_code is None else f" (exit code {problem.exit_code})"
    return f"the inference server ended in an error {problem.restarts} times{code}: {problem.message}"


def cause_of(running: JobObserved | None, server: ServerObserved | None, server_words: str) -> str:
    """Why nothing is committed, as far as it shows.

    Args:
        running: the workers' Job.
        server: of the job.
        server_words: why that is not ready.
    """
    if server is None or not server.ready:
        return server_words
    if running is None:
        return "there are no worker pods"
    problem = None if running.ready else running.problem
    if problem is not None and (words := _words_of(problem)):
        return f"{words}: {problem.source}: {problem.message}" if problem.source else f"{words}: {problem.message}"
    again = "the workers end repeatedly without a commit"
    if running.error is not None:
        return f"{again}, the last with {running.error.get('reason')}: {running.error.get('message', '')}"
    if problem is not None:
        return "the workers do not become ready" if problem.kind == "starting" else f"{again}: {problem.message}"
    return "the workers run but commit nothing"


def _words_of(problem: PodProblem) -> str:
    """What keeps workers from working at all; "" when it is not that."""
    if problem.kind == "crashed" and problem.exit_code != Ending.STOPPED:
        return f"the workers crash with exit code {problem.exit_code}"
    words = {
        "unschedulable": "the workers cannot be scheduled",
        "image": "the workers' image cannot be pulled",
        "refused": "Kubernetes rejects the workers' pods",
    }
    return words.get(problem.kind, "")
