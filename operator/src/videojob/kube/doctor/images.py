"""Which image the servers pull. PURE."""

from __future__ import annotations

from collections.abc import Iterator

from videojob.kube.doctor.findings import Finding, ok, warning
from videojob.planning.installation import Installation

_OFFICIAL = "nvidia/tritonserver"
_ADVICE = "Build Triton without GPU support and name it in triton.cpu.image: docs/guides/install-eks.md says how."


def image_findings(installation: Installation) -> Iterator[Finding]:
    """Whether servers on CPUs pull an image for GPUs: gigabytes on each new node before the first frame.

    NVIDIA publishes none without CUDA and TensorRT. After `docker pull` that of 24.06 had 15.5 GB
    (triton-inference-server/server issue 7474).
    """
    check = "image of CPU servers"
    cpu, gpu = (installation.accelerators.get(kind) for kind in ("cpu", "gpu"))
    if cpu is None or not any("cpu" in model.variants for model in installation.models.values()):
        return
    is_same = gpu is not None and gpu.image == cpu.image
    if is_same or _OFFICIAL in cpu.image:
        seen = f"they pull {cpu.image}, which is built for GPUs: about 15 GB unpacked, on each new node"
        yield warning(check, seen, _ADVICE)
    else:
        yield ok(check, cpu.image)
