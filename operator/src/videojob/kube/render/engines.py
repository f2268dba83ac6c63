"""How a server's pod keeps TensorRT engines: in a folder of its own, and on a volume for other replicas. Pure.

The server itself uses only its own folder. `adapters.triton.engine_cache` copies engines from there to the volume.
"""

from __future__ import annotations

from typing import Any

from videojob.kube.render.pods import CONTAINER_SECURITY, environment
from videojob.kube.render.triton_args import HTTP_PORT
from videojob.planning.installation import Installation, InstalledModel, ServerVariant
from videojob.planning.state.placement import ServerKey

ENGINES_FOLDER = "/engines"
CACHE_FOLDER = f"{ENGINES_FOLDER}/cache"
FINISHED_FOLDER = f"{ENGINES_FOLDER}/.finished"
SHARED_FOLDER = "/shared-engines"
POD_NAME = "POD_NAME"
_DIGEST_CHARACTERS = 12
_START = f"""\
for file in {CACHE_FOLDER}/*; do
  if [ -f "$file" ] && [ ! -e "{FINISHED_FOLDER}/${{file##*/}}" ]; then rm -f "$file"; fi
done
exec tritonserver "$@"
"""
"""ONNX Runtime writes engines in place. What a server that was killed left half written would end each further one."""


def builds_engines(variant: ServerVariant) -> bool:
    """Whether a server of this variant has engines at all."""
    return variant.backend == "tensorrt"


def shares_engines(variant: ServerVariant) -> bool:
    """Whether they are kept on a volume for other replicas."""
    return builds_engines(variant) and variant.engine_cache_claim is not None


def server_release(image: str) -> str:
    """What pins the software in an image: the first digits of its digest, else its tag; "" for a reference without.

    Args:
        image: as in "nvcr.io/nvidia/tritonserver:26.07-py3", or with "@sha256:...".
    """
    name, _, digest = image.partition("@")
    if digest:
        return digest.removeprefix("sha256:")[:_DIGEST_CHARACTERS]
    _, colon, tag = name.rpartition(":")
    return tag if colon and "/" not in tag else ""


def start_command(variant: ServerVariant) -> list[str]:
    """The command of the server's container; its arguments are those of `tritonserver`."""
    return ["sh", "-c", _START, "sh"] if builds_engines(variant) else ["tritonserver"]


def engine_arguments(key: ServerKey, model: InstalledModel, variant: ServerVariant, image: str) -> list[str]:
    """Arguments of `videojob worker` about engines, for a variant that builds some.

    The set's folder is named by all that decides which engines fit: model, image and server.
    """
    if not builds_engines(variant):
        return []
    arguments = [f"--engines={CACHE_FOLDER}"]
    if shares_engines(variant):
        digest = model.digest.removeprefix("sha256:")[:_DIGEST_CHARACTERS]
        release = server_release(image) or "unknown"
        hardware = key.gpu or "-".join([key.accelerator, *key.instance_types])
        arguments.append(f"--shared-engines={SHARED_FOLDER}/{model.name}-{digest}/{release}/{hardware}")
    return arguments


def engine_environment() -> list[dict[str, Any]]:
    """Tells a container the name of its pod, which holds the claim to build."""
    return [{"name": POD_NAME, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]


def share_container(model: str, arguments: list[str], installation: Installation) -> dict[str, Any]:
    """The container beside the server that publishes what it built, and then only waits for the end.

    Args:
        model: whose readiness shows that all engines are built.
        arguments: as `engine_arguments` gives them.
        installation: for the image.
    """
    ready = f"http://127.0.0.1:{HTTP_PORT}/v2/models/{model}/ready"
    return {
        "name": "share-engines",
        "image": installation.image,
        "imagePullPolicy": installation.image_pull_policy,
        "args": ["worker", "share-engines", *arguments, f"--ready={ready}"],
        "env": [*environment({"HOME": "/tmp", "TMPDIR": "/tmp"}), *engine_environment()],  # noqa: S108 - of this pod
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": dict(CONTAINER_SECURITY),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [*engine_mounts(shared=True), {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - of this pod
    }


def engine_mounts(*, shared: bool) -> list[dict[str, Any]]:
    """Mounts of a container that reads or writes engines; the server's own has `shared` False."""
    mounts = [{"name": "engines", "mountPath": ENGINES_FOLDER}]
    return [*mounts, {"name": "shared-engines", "mountPath": SHARED_FOLDER}] if shared else mounts


def shared_volume(variant: ServerVariant) -> list[dict[str, Any]]:
    """The volume for other replicas, if there is one."""
    if not shares_engines(variant):
        return []
    return [{"name": "shared-engines", "persistentVolumeClaim": {"claimName": variant.engine_cache_claim}}]
