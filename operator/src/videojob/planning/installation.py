"""What this installation has: its models, how each can be served, and how workers run. Frozen values, made from the
controller's configuration file; nothing here reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

Accelerator = Literal["cpu", "gpu"]
CapacityType = Literal["spot", "on-demand"]
Backend = Literal["onnxruntime", "tensorrt", "python"]
Toleration = Mapping[str, Any]
"""As Kubernetes spells it: key, operator, value, effect."""


@dataclass(frozen=True, slots=True)
class S3Source:
    """A model's folder in a bucket: every object below `prefix`."""

    bucket: str
    prefix: str
    region: str | None = None
    expected_bucket_owner: str | None = None


@dataclass(frozen=True, slots=True)
class PvcSource:
    """A model's folder in a PersistentVolumeClaim of the servers' namespace; `path` is relative to the volume."""

    claim_name: str
    path: str


@dataclass(frozen=True, slots=True)
class ImageSource:
    """A model's folder in a container image, at the absolute `path`."""

    reference: str
    path: str


ModelSource = S3Source | PvcSource | ImageSource


@dataclass(frozen=True, slots=True)
class ServerVariant:
    """How one model is served on one kind of hardware.

    Attributes:
        accelerator: what it computes on.
        backend: which form of the model's configuration is rendered for it.
        frames_per_second: what one replica answers, measured or taken from a published figure.
        cpu: Kubernetes quantity requested for a replica. memory: the same, and the limit.
        gpus: `nvidia.com/gpu` of a replica; 0 on CPUs.
        instances: model instances in a replica.
        start_s: seconds from the request for a replica to its first answer, when nothing is warm.
        max_replicas: most replicas of this variant, whatever is asked for.
        engine_cache_claim: PersistentVolumeClaim that keeps built TensorRT engines; None keeps them in the pod.
        disk: most that the model's folder takes, and most that engines take in the pod, a Kubernetes quantity.
    """

    accelerator: Accelerator
    backend: Backend
    frames_per_second: Fraction
    cpu: str = "2"
    memory: str = "4Gi"
    gpus: int = 0
    instances: int = 2
    start_s: int = 60
    max_replicas: int = 10
    engine_cache_claim: str | None = None
    disk: str = "4Gi"


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """One model.

    Attributes:
        name: as in the repository and in `spec.model.name`.
        version: the one that is served.
        digest: "sha256:..." over the model's folder; what is served must have it.
        source: where the folder is.
        variants: by accelerator.
    """

    name: str
    version: int
    digest: str
    source: ModelSource
    variants: Mapping[Accelerator, ServerVariant]


@dataclass(frozen=True, slots=True)
class AcceleratorSettings:
    """What holds for all servers on one kind of hardware.

    Attributes:
        image: the Triton image.
        idle_s: how long a server without work is kept.
        node_selector, tolerations: where its pods may go.
        gpu_models: GPU models that nodes can be asked for, the preferred one first; each server has one of them. Empty
            when nodes carry no label that tells it.
        gpu_label: the label of nodes with the GPU model.
    """

    image: str
    idle_s: int
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    gpu_models: tuple[str, ...] = ()
    gpu_label: str = ""


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How worker and planner pods run.

    Attributes:
        service_account: of the pods, in each tenant's namespace.
        cpu, memory: Kubernetes quantities requested; `memory_limit` the limit.
        scratch: size limit of the folder that input blocks are kept in, a Kubernetes quantity.
        frames_per_second: what one worker decodes and sends, for sizing.
        start_s: seconds of a worker's pod before and after its work, on a node that has the image; the default was
            measured on the real node of the tests (docs/reference/benchmarks.md).
        max_workers: most worker pods of one job.
        grace_s: seconds between the signal to stop and the kill.
        env: environment of the pods, as AWS endpoints and the region.
        node_selector, tolerations: where they may go.
    """

    service_account: str = "videojob-worker"
    cpu: str = "1"
    memory: str = "1Gi"
    memory_limit: str = "1536Mi"
    scratch: str = "4Gi"
    frames_per_second: Fraction = Fraction(60)
    start_s: int = 6
    max_workers: int = 200
    grace_s: int = 60
    env: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultsSettings:
    """Where results go.

    Attributes:
        table: of jobs that name none. allowed_tables: further ones that jobs may name.
        region: AWS region of tables whose job names none; None leaves it to the environment.
        create_table: the controller makes the default table when it is not there.
        retention_s: how long items are kept, see `results.stored.retention`; None keeps them for good.
    """

    table: str
    allowed_tables: tuple[str, ...] = ()
    region: str | None = None
    create_table: bool = False
    retention_s: int | None = None


DEFAULT_CONTROLLER = "videojob"
"""The controllerName of VideoJobs that name none, and of installations that are not told another."""


@dataclass(frozen=True, slots=True)
class Installation:
    """The whole installation, as decisions see it.

    Attributes:
        image: of planner and worker pods. image_pull_policy: as Kubernetes spells it.
        namespaces: that are watched; empty for all.
        controller_name: the VideoJobs that are served are those of this name.
        scope_owner: the Role beside the scope's Lease, with which that goes; "" for none.
        server_namespace: where servers run.
        server_service_account: of the servers. server_priority_class: of their pods; "" for the cluster's default.
        accelerators: settings by kind of hardware; one that is missing is not offered.
        karpenter: which flavour gives nodes, and so which labels constrain them.
        models: by name.
        backends: that run jobs, by their names in spec.compute.backend.
    """

    image: str
    server_namespace: str
    results: ResultsSettings
    accelerators: Mapping[Accelerator, AcceleratorSettings]
    models: Mapping[str, InstalledModel]
    worker: WorkerSettings = WorkerSettings()
    namespaces: tuple[str, ...] = ()
    controller_name: str = DEFAULT_CONTROLLER
    scope_owner: str = ""
    image_pull_policy: str = "IfNotPresent"
    server_service_account: str = "videojob-triton"
    server_priority_class: str = ""
    karpenter: Literal["karpenter", "autoMode", "none"] = "none"
    backends: tuple[str, ...] = ("kubernetes",)
