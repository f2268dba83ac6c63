"""Reasons of models and of the inference server."""

from __future__ import annotations

from videojob.reasons.row import ONLY_ON_ONE_MACHINE, RERUN, RESUME, failed

MODELS = (
    failed(
        "ModelInvalid",
        "The model cannot be used.",
        machine="`videojob models show NAME` says what is wrong with it.",
        cluster="Have the administrator correct the model in the chart's catalogue, for a new VideoJob.",
    ),
    failed(
        "ModelNotFound",
        "There is no such model in the repository or on the server.",
        machine="`videojob models list` shows which models there are.",
        cluster="Name a model of this installation in a new VideoJob: the administrator has the chart's catalogue.",
        details="""\
With `--model-repository` only that folder counts; with `--triton-url` the model has to be loaded on that server.
""",
    ),
    failed(
        "ModelLoadFailed",
        "The server could not load the model.",
        machine="The message quotes the server; logs/triton.log has the rest.",
        cluster=f"Correct the model, as the message says. {RESUME}",
        details="""\
Missing weights, an operator that ONNX Runtime does not know, and a backend that the embedded server does not have are
the usual causes.

On a cluster the message also names a folder whose digest is not the catalogue's: restore its files, or pin what
`videojob models digest FOLDER` says, under a new version. `OOMKilled` means that the variant's `memory` is too small.
[More on servers](triton.md#on-a-cluster).
""",
    ),
    failed(
        "ModelSignatureMismatch",
        "The model's tensors or parameters are not what its description says.",
        machine="Correct config.pbtxt, or add the model again with `videojob models add --replace`.",
        cluster="Add a corrected model to the catalogue as a new version, for a new VideoJob.",
        details="The message names the parameter and what would be right.\n",
    ),
    failed(
        "InvalidModelOutput",
        "The model's output cannot be decoded into boxes.",
        machine="Check the model's decoder and precision with `videojob models show NAME`.",
        cluster="Add the model with a corrected decoder or precision as a new version, for a new VideoJob.",
        details="""\
It has NaN, infinities, scores outside 0..1 or shapes that its decoder cannot read. Half precision that
overflows and a wrong `decoder` are the usual causes: see [models](models.md).
""",
    ),
    failed(
        "ServerError",
        "The inference server rejected a request.",
        machine="Check the model on that server; the message quotes the server.",
        cluster=f"Check the server's log and the model. {RESUME}",
    ),
    failed(
        "ServerUnavailable",
        "The inference server does not answer.",
        machine=RERUN,
        cluster="Do nothing: the pods are retried when the server is ready. If it stays away, check the server's log.",
        retryable=True,
        details="""\
There was no answer within a minute of retries. With `--triton-url`, check host, port (gRPC, by default 8001, not 8000)
and `curl HOST:8000/v2/health/ready`. With the embedded server, read the end of `logs/triton.log`: lack of memory
ends it.
""",
    ),
    failed(
        "ServerStartFailed",
        "The embedded inference server did not start.",
        machine="The message has the end of its log: free memory, or room in /dev/shm.",
        cluster=ONLY_ON_ONE_MACHINE,
        details="""\
Little memory and a full `/dev/shm` (64 MB in a container by default) are the usual causes: `df -h /dev/shm`.
""",
    ),
    failed(
        "RequestTooLarge",
        "The inference server takes no request as large as this model's frames are.",
        machine="Raise the limit on received gRPC messages of the server, or of the proxy before it.",
        cluster=f"Raise the limit on received gRPC messages of the proxy before the server. {RESUME}",
        details="""\
Triton itself takes messages of up to 2 GiB. A proxy, a service mesh or another server often takes no more than 4 MiB,
which is less than a 1280 x 1280 frame in single precision. Besides raising the limit, you can use the model with a
smaller input (`--long-side`) or with bytes as its input instead of floats. It is not retryable, so the job ends at
once.
""",
    ),
    failed(
        "InferenceTimeout",
        "The inference server did not answer a request in time.",
        machine="Run it again with fewer --workers: finished segments are kept.",
        cluster=f"Use a faster model or fewer workers per server. {RESUME}",
        retryable=True,
        details="""\
It did not answer within a minute, three times. It is overloaded or hangs; with a server of your own, check its queue.
A model that takes seconds per frame needs a smaller input.
""",
    ),
)
