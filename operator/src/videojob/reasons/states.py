"""Reasons of a job as a whole, in the order of its life."""

from __future__ import annotations

from videojob.reasons.row import ONLY_ON_A_CLUSTER, RERUN, RESUME, Phase, Reason, failed, waiting, working

STATES = (
    waiting(
        "Queued",
        "The job waits for Kueue to admit it, or for the results table before it begins.",
        "Wait, or ask Kueue why: kubectl describe workload.",
        """\
The message says which. Where it is Kueue, the job has Kueue's label, and Kueue has not admitted it. Its inference
server is not started before that. "resource … unavailable in ClusterQueue" means that the queue has no quota for
something that workers request: it must cover `cpu`, `memory` and `ephemeral-storage`.
""",
    ),
    waiting(
        "Suspended",
        "The job is suspended by spec.suspend.",
        "Set spec.suspend to false to resume it.",
        """\
Workers end their segment within the grace period or drop it, the inference server scales to zero when no other job
needs it, and what is committed is kept. `kubectl videojob resume NAME` sets the field. `activeDeadlineSeconds` does not
count meanwhile, and starts again from then on.
""",
    ),
    waiting(
        "ProvisioningGPU",
        "A GPU node was requested and is not ready yet.",
        "After ten minutes check the NodeClaims: quota and capacity are the usual causes.",
        """\
A new GPU node takes two to five minutes, most of it for pulling Triton's image. When no node can be provisioned,
`CapacityReady` says so: see [InsufficientCapacity](#insufficientcapacity).
""",
    ),
    waiting(
        "ProvisioningCPU",
        "A CPU node was requested and is not ready yet.",
        "After five minutes check the NodeClaims: limits of the NodePool are the usual cause.",
        """\
A new node takes one to two minutes. When no node can be provisioned, `CapacityReady` says so: see
[InsufficientCapacity](#insufficientcapacity).
""",
    ),
    waiting(
        "InsufficientCapacity",
        "No node can be provisioned for the pods; a reason of CapacityReady.",
        "The message quotes Karpenter or the scheduler, and says what to change.",
        """\
Karpenter reports that it can provision no node, or the scheduler has reported for two minutes that no node fits (ten
where Karpenter provisions nodes). Usual changes: other `instanceTypes`, both `capacityTypes`, the NodePool whose limit
is reached, the requirements of the NodePools, the account's quota for that family. Nothing is billed meanwhile. The job
continues by itself when a node comes; `activeDeadlineSeconds` bounds the wait. While the status says "a node is being
provisioned", Karpenter has ordered one from EC2: a refusal by EC2 is reported at the NodeClaim that the status
names.

```console
$ kubectl get nodepools,nodeclaims
$ kubectl describe videojob NAME
```
""",
    ),
    waiting(
        "ImagePullFailed",
        "An image cannot be pulled.",
        "Check the chart's image values and that the nodes may pull from that registry.",
        """\
The kubelet cannot pull the image of the workers, of Triton or of a model; the message quotes it. Check the chart's
values `image` and `triton.images`, that the nodes reach that registry, and that they may read from it. The job
continues by itself when the image can be pulled.
""",
    ),
    waiting(
        "CreationRefused",
        "Kubernetes rejects the job's pods or other objects.",
        "The message quotes Kubernetes and says what to change; the controller retries by itself.",
        """\
Usual causes: the namespace is not among the chart's `tenants`, so that it has no service account for workers; a
`priorityClassName` that does not exist; a ResourceQuota or LimitRange; a level of Pod Security or an admission policy.
The controller retries at the latest after five minutes, and no server is billed meanwhile.

```console
$ kubectl get events --field-selector reason=FailedCreate
$ kubectl describe resourcequota
```
""",
    ),
    waiting(
        "LoadingModel",
        "The inference server starts or loads the model.",
        "After five minutes check the server's log: kubectl logs.",
        """\
The server's node is ready, and the server starts, fetches its model or builds its engine. A TensorRT engine that is
built for the first time takes minutes; keep it (`engineCacheClaim` in the chart's values). When the server ended in an
error, the message quotes its last error; after three such ends without one answer the job fails with `ModelLoadFailed`.

```console
$ kubectl -n videojob-system logs -l videojob.dev/model=MODEL --all-containers --prefix
```
""",
    ),
    waiting(
        "Stalled",
        "A server was billed for long without a commit: the workers are suspended and the server is released.",
        "Fix what the message names; suspend and resume the job to retry at once.",
        """\
While a server's pod has a node, it costs money. When the job demands a server and commits nothing for half an
hour of that time (ten times its longest segment, or twice the start of the server, where that is more), the controller
suspends the workers and releases the server; the message names the cause. After the same time it retries, because
the problem may have passed. The third try without a commit fails the job with [NoProgress](#noprogress). A commit, or a
resume by you, resets the count. Waiting for capacity, for Kueue, for a resume or for the results table does not
count. `status.stall` of the VideoJob has the count:

```console
$ kubectl describe videojob NAME
$ kubectl get pods -l videojob.dev/job-name=NAME
```
""",
    ),
    working("Probing", "The input videos are fetched and probed."),
    working("Processing", "Segments are running."),
    working("Aggregating", "All segments are done, the summary is being written."),
    Reason(
        "Completed",
        Phase.SUCCEEDED,
        "Every frame that was asked for is in the results.",
        "Read the results.",
        "Read the results.",
    ),
    Reason(
        "PartiallyCompleted",
        Phase.SUCCEEDED,
        "The results are complete except for the gaps and inputs that they name.",
        "Check the gaps and inputs; repair them and run it again, which runs all segments of the changed plan.",
        "Check the gaps and inputs; repair them and create a new VideoJob, which processes every segment again.",
        details="""\
It is no failure. The outcome, the summary and the report name the inputs that could not be used, and the gaps.
`videojob run` ends with exit code 3.
""",
    ),
    failed(
        "DeadlineExceeded",
        "The job ran longer than activeDeadlineSeconds and was stopped.",
        machine="Raise activeDeadlineSeconds and run it again: finished segments are kept.",
        cluster="Resume the VideoJob, if need be with a higher limit: "
        "`videojob resume NAME --active-deadline-seconds N`. Finished segments are kept.",
        details="""\
To need less time, sample fewer frames ([sampling](sampling-and-gate.md)). On a cluster the time in which a job was
suspended does not count.
""",
    ),
    failed(
        "BudgetExceeded",
        "The job reached budget.maxCost and was stopped, or no plan was cheap enough to start.",
        machine=ONLY_ON_A_CLUSTER,
        cluster=f"Raise spec.budget. {RESUME}",
        details="No version reports it yet: a `budget` is rejected on clusters with `UnsupportedField`.\n",
    ),
    failed(
        "BackoffLimitExceeded",
        "A segment, or the planner, failed more often than backoffLimit allows.",
        machine=ONLY_ON_A_CLUSTER,
        cluster=f"Fix the last error, which the message names. {RESUME}",
        details="""\
Each time it failed with a retryable error. The message has the last one; look up its reason on this page. The logs of
the pods are still there:

```console
$ kubectl logs -l videojob.dev/job-name=NAME --prefix --tail=-1
```

`OOMKilled` in the message means that workers need a larger `worker.memoryLimit` in the chart's values.
""",
    ),
    failed(
        "NoProgress",
        "A server was billed in three tries without a commit, or the planner did not end within a day.",
        machine=ONLY_ON_A_CLUSTER,
        cluster=f"Fix the cause, which the message names. {RESUME}",
        details="""\
The job was [Stalled](#stalled) before. Workers without a node, an image that cannot be pulled, a container that crashes
and a server that answers no request are the usual causes.
""",
    ),
    failed(
        "NoPlacement",
        "No hardware that the job allows can run it.",
        machine=ONLY_ON_A_CLUSTER,
        cluster="Relax spec.compute in a new VideoJob; the message says what this installation offers.",
        details="""\
The installation serves the model on no hardware that `spec.compute` allows, or not one worker fits into `limits.cpus`.
""",
    ),
    failed(
        "Cancelled",
        "The run was stopped by a signal.",
        machine=RERUN,
        cluster="Do nothing: Kubernetes recreates the pod, which continues with the open segments.",
        retryable=True,
        details="`videojob run` ends with exit code 130.\n",
    ),
)
