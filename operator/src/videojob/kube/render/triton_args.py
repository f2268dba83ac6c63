"""The command line of a Triton server on a cluster. Pure."""

from __future__ import annotations

HTTP_PORT = 8000
GRPC_PORT = 8001
METRICS_PORT = 8002
POD_UID = "POD_UID"
"""Environment variable of the container that holds the pod's uid; Kubernetes puts it into the arguments."""
CONNECTION_AGE_MS = 30_000
_EXIT_S = 30
_RESTRICTED = "model-repository,shared-memory,trace,logging"


def triton_arguments(model: str, repository: str, *, gpu: bool) -> list[str]:
    """Arguments of `tritonserver` for one model.

    Args:
        model: its name.
        repository: folder that holds it.
        gpu: whether it computes on GPUs.
    """
    # Nobody needs these calls, and with them whoever reaches the port could unload the model or have files written.
    # They cannot be switched off, only locked: the pod's uid is the key, new with each pod and told to nobody.
    lock = f"{_RESTRICTED}:videojob-pod=$({POD_UID})"
    return [
        f"--model-repository={repository}",
        # Only what is asked for is loaded, and nobody can ask for more over the network.
        "--model-control-mode=explicit",
        f"--load-model={model}",
        # What is rendered is complete; what Triton would guess at might be another model.
        "--disable-auto-complete-config",
        # A model that does not load ends the server: the end of its log is then the pod's termination message, and
        # reach the job.
        "--exit-on-error=true",
        "--strict-readiness=true",
        # What is in flight when the pod has to go is answered first.
        f"--exit-timeout-secs={_EXIT_S}",
        f"--http-port={HTTP_PORT}",
        f"--grpc-port={GRPC_PORT}",
        f"--metrics-port={METRICS_PORT}",
        # HTTP is for probes alone; frames come by gRPC.
        "--http-thread-count=2",
        # A client asks for the Service's addresses only when it loses a connection: taken from it now and then, between
        # calls, it finds new replicas. No call is cut off: the old connection ends with its last one.
        f"--grpc-max-connection-age={CONNECTION_AGE_MS}",
        f"--http-restricted-api={lock}",
        f"--grpc-restricted-protocol={lock}",
        # Metrics of the GPU are sampled with CPU time; those of a CPU server cannot be read in a container.
        f"--allow-gpu-metrics={'true' if gpu else 'false'}",
        "--allow-cpu-metrics=false",
        *(() if gpu else ("--pinned-memory-pool-byte-size=0",)),
        # Its tables are wide, and the kubelet keeps 2 KiB of a log's end as the pod's termination message: room for the
        # reason.
        "--log-info=false",
        "--log-format=ISO8601",
    ]
