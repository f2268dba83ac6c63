"""The command line of a Triton server on a cluster. Pure."""

from __future__ import annotations

HTTP_PORT = 8000
GRPC_PORT = 8001
METRICS_PORT = 8002
_EXIT_S = 30


def triton_arguments(model: str, repository: str, *, gpu: bool) -> list[str]:
    """Arguments of `tritonserver` for one model.

    Args:
        model: its name.
        repository: folder that holds it.
        gpu: whether it computes on GPUs.
    """
    return [
        f"--model-repository={repository}",
        # Only what is asked for is loaded, and nobody can ask for more over the network.
        "--model-control-mode=explicit",
        f"--load-model={model}",
        # A model that does not load ends the server: its last words are then the pod's, and reach the job.
        "--exit-on-error=true",
        "--strict-readiness=true",
        f"--exit-timeout-secs={_EXIT_S}",
        f"--http-port={HTTP_PORT}",
        f"--grpc-port={GRPC_PORT}",
        f"--metrics-port={METRICS_PORT}",
        # Metrics of the GPU are sampled with CPU time; those of a CPU server cannot be had in a container.
        f"--allow-gpu-metrics={'true' if gpu else 'false'}",
        "--allow-cpu-metrics=false",
    ]
