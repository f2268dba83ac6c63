"""Reasons of the result store, of the machine, of commands and of Kubernetes."""

from __future__ import annotations

from videojob.reasons.row import ONLY_ON_A_CLUSTER, RERUN, RESUME, RESUME_OR_CREATE, failed

RUNNING = (
    failed(
        "SinkError",
        "The result store rejected a request.",
        machine="Check the table or file that the message names, and your rights to it.",
        cluster=f"Check the table and the role that the message names. {RESUME}",
        details="""\
There is no such table, it has other keys, a permission is missing ([DynamoDB](dynamodb.md)), or a database file is of
another version or not ours. The message says which.
""",
    ),
    failed(
        "SinkUnavailable",
        "The result store does not answer.",
        machine=RERUN,
        cluster="Do nothing: the job continues when the table answers. Check the table's capacity if it lasts.",
        retryable=True,
        details="""\
The store did not answer for a minute (a pod waits five), or other writers did not release the database. Nothing that is
committed is lost. Check `--endpoint-url`, network and table capacity. Do not put `results.sqlite3` on a network file
system.
""",
    ),
    failed(
        "StaleEpoch",
        "A newer run of the same job owns the results.",
        machine="Do nothing: the newer run continues.",
        cluster="Do nothing: the newer run continues.",
        details="The newer run was started with other settings while this one ran.\n",
    ),
    failed(
        "ItemTooLarge",
        "A piece of a result is too large for the store, even alone.",
        machine="Use longer windows, a higher threshold or fewer classes, then run it again.",
        cluster="Use longer windows, a higher threshold or fewer classes, in a new VideoJob.",
    ),
    failed(
        "ResultsIncomplete",
        "The commits do not cover every segment.",
        machine="Run the job again: finished segments are kept.",
        cluster="Wait for the end of a running VideoJob, or resume one that has failed (`videojob resume NAME`).",
        retryable=True,
        details="`videojob results` reports it while a job is not finished.\n",
    ),
    failed(
        "JobTooLarge",
        "The job has more videos, segments or appearances than one summary is made of.",
        machine=ONLY_ON_A_CLUSTER,
        cluster="Divide its inputs among several VideoJobs.",
        details="""\
Too many videos or segments are found before a server is paid for
([limits](../design/017-the-fold-has-its-own-process.md)). Too many appearances show at the end: everything is processed
then, but the summary would take more memory than it may.
Longer segments (`compute.segmentSeconds`), a longer `aggregation.presenceGap` and a higher threshold help, too.
""",
    ),
    failed(
        "PricesUnavailable",
        "A source of prices cannot be used.",
        machine="The message names the cause; the static table stands in.",
        cluster="The next source stands in. The message names the cause, and `videojob doctor` checks it.",
        retryable=True,
        details="""\
Prices come from the chart's values, Karpenter's metrics, AWS' price APIs or the project's static table, in this order.
A source fails when it does not answer, lacks a permission, or answers with what is no price in US dollars.
""",
    ),
    failed(
        "FoldFailed",
        "The summary could not be made, though all segments are processed.",
        machine=ONLY_ON_A_CLUSTER,
        cluster=f"The controller's log has the cause: report it, and fix it if you can. {RESUME}",
        details="""\
The process that folds the segments' results was killed, hung or failed in three tries. `kubectl logs` of the controller
has its messages. Check its pod for `OOMKilled`, too.
""",
    ),
    failed(
        "InvalidManifest",
        "The manifest cannot be accepted.",
        machine="`videojob validate FILE` lists every problem with its line and field.",
        cluster="`videojob validate FILE` lists every problem with its line and field.",
        details="Exit code 2; nothing was started.\n",
    ),
    failed(
        "InvalidUsage",
        "An argument or option of the command is wrong.",
        machine="The command's --help lists its options.",
        cluster="The command's --help lists its options.",
        details="Exit code 2; nothing was started.\n",
    ),
    failed(
        "SetupIncomplete",
        "A part, a permission or room is missing where the program runs.",
        machine="The message says what is missing; install or free it, then run it again.",
        cluster="The message says what is missing: provide it, then repeat the command or resume the VideoJob.",
        details="""\
It may be the extra `local` or `parquet`, AWS credentials or region, room on the disk or in `/dev/shm`, a kernel that
lets the decoder enter its sandbox, or an output folder that no other run works in.
""",
    ),
    failed(
        "CredentialsRejected",
        "AWS rejects the credentials: they are expired, invalid, or from a machine whose clock is wrong.",
        machine="Log in to AWS again, for example with `aws sso login`, then run it again: what is here is kept.",
        cluster=f"Check the Pod Identity or IRSA role of the workers' service account. {RESUME}",
        retryable=True,
        details="""\
No input could be read with them, so the job does not begin with those that it had. `aws sts get-caller-identity` says
whether they are valid. A copied session token (`AWS_SESSION_TOKEN`) ends after hours; a profile with SSO or a role
renews itself while a job runs.
""",
    ),
    failed(
        "WorkerLost",
        "A worker process died in the middle of a segment.",
        machine="Out of memory is the usual cause: use fewer --workers. If the job Failed, run it again: finished "
        "segments are kept. If it ended PartiallyCompleted, run this video as a job of its own.",
        cluster=f"Out of memory is the usual cause: raise worker.memoryLimit in the chart's values. {RESUME_OR_CREATE}",
        retryable=True,
        details="""\
It died again at each retry (`backoffLimit`), so its video was given up. The other videos are processed, and the job
ends `PartiallyCompleted`; without results of another video it fails. `dmesg` shows whether the kernel killed the worker
for lack of memory.

On a cluster it means that pods died in this segment without a message, as the kernel kills them at
`worker.memoryLimit`, which the message names; `kubectl describe pod` says `OOMKilled`. Two pods must have died so, or
one when no other pod may come (`backoffLimit`). A node that is removed does not count. The other videos are processed,
and the job ends `PartiallyCompleted`. Below `backoffLimit: 2` such a segment fails the job.
""",
    ),
    failed(
        "ProcessingFault",
        "An unexpected error occurred in this video; the other videos are processed.",
        machine="Report it with its message and the video's properties, and leave the video out until it is fixed.",
        cluster="Report it with its message and the video's properties, and leave the video out until it is fixed.",
        details="""\
It is a bug that this video triggers: the message names it, and the log has the traceback (on one
machine the terminal). The job ends `PartiallyCompleted`, and a rerun with the same settings keeps that outcome. With a
version in which it is fixed, run this video as a job of its own. `ffmpeg -i FILE -c copy whole.mkv` often makes
a file that does not trigger it.
""",
    ),
    failed(
        "InternalError",
        "An unexpected error occurred.",
        machine="Run it again; if it comes back, report it with its message, the manifest and run.json.",
        cluster="Report it with its message, the manifest and the pods' logs.",
    ),
    failed(
        "ClusterError",
        "The API server's answer cannot be used.",
        machine=ONLY_ON_A_CLUSTER,
        cluster="Check the versions of Kubernetes and of VideoJob with `videojob doctor`.",
    ),
    failed(
        "ClusterUnavailable",
        "The API server does not answer.",
        machine="Check the network and the kubeconfig's context.",
        cluster="Check the network and the kubeconfig's context.",
        retryable=True,
        details="`kubectl config current-context` says which cluster is meant.\n",
    ),
    failed(
        "ClusterRefused",
        "The API server rejected a request.",
        machine="Check your rights with `kubectl auth can-i`.",
        cluster="Check your rights with `kubectl auth can-i`.",
        details="""\
When the message says `forbidden`, the account lacks a right. When a child of a job belongs to somebody else, delete or
rename that object: the controller never takes over a foreign one.
""",
    ),
    failed(
        "TableNotAllowed",
        "The results table is not one of this installation's.",
        machine=ONLY_ON_A_CLUSTER,
        cluster="Leave spec.results.dynamodb out of a new VideoJob, or have the table added to results.allowedTables.",
        details="""\
`results.dynamodb.tableName` is neither the installation's table nor one of `results.allowedTables` in the chart's
values, or `results.dynamodb.region` is another region than the installation's (`aws.region`).
""",
    ),
    failed(
        "UnsupportedField",
        "A field asks for what this version does not do on a cluster.",
        machine=ONLY_ON_A_CLUSTER,
        cluster="Leave it out of a new VideoJob, or run the job on one machine with `videojob run`.",
        details="""\
These are `file` inputs, the backends `local`, `lambda` and `sagemaker`, a `budget`, per-frame `detections`, and a
`preview`. To ignore them would cost money or leave results out, so the job does not start. A running job that gets a
`budget` ends, and keeps its finished segments: remove it, then resume the job. `notifications` are ignored, and an
Event says so.
""",
    ),
)
