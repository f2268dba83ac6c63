"""The controller's configuration file: read strictly, turned into the values that decisions are made from.

The chart renders it from its values, so a mistake in it is a mistake in those.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import Field, ValidationError, field_validator

from videojob.api.base import Items, Model
from videojob.api.text import ControllerName
from videojob.api.units import DecimalField, DecimalText
from videojob.controller.price_config import PricesModel, settings_of
from videojob.errors import SetupError
from videojob.kube.render.pods import LEAST_MEMORY_BYTES
from videojob.planning.cost.price_settings import PriceSettings
from videojob.planning.installation import (
    DEFAULT_CONTROLLER,
    Accelerator,
    AcceleratorSettings,
    ImageSource,
    Installation,
    InstalledModel,
    ModelSource,
    PvcSource,
    ResultsSettings,
    S3Source,
    ServerVariant,
    WorkerSettings,
)
from videojob.planning.placement.gpus import gpu_models
from videojob.planning.placement.quantities import bytes_of
from videojob.results.stored.retention import DAY_S

T = TypeVar("T")
Positive = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
MOST_RETENTION_DAYS = 36_500
_WORKER = WorkerSettings()
_VARIANT = ServerVariant("cpu", "onnxruntime", Fraction(1))
"""These two hold the defaults, also of the chart's values: a test compares them."""


class ResultsModel(Model):
    """Where results go."""

    table: str = "videojob-results"
    allowed_tables: Items[str] = ()
    region: str | None = None
    create_table: bool = False
    retention_days: Annotated[int, Field(ge=0, le=MOST_RETENTION_DAYS)] = 0


class WorkerModel(Model):
    """How planner and worker pods run."""

    service_account: str = _WORKER.service_account
    cpu: str = _WORKER.cpu
    memory: str = _WORKER.memory
    memory_limit: str = _WORKER.memory_limit
    scratch: str = _WORKER.scratch
    frames_per_second: DecimalField = DecimalText(str(_WORKER.frames_per_second))
    start_seconds: Annotated[int, Field(ge=0, le=3600)] = _WORKER.start_s
    max_workers: Positive = _WORKER.max_workers
    grace_period_seconds: Positive = _WORKER.grace_s
    env: dict[str, str] = Field(default_factory=dict)
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: Items[dict[str, Any]] = ()

    @field_validator("memory_limit")
    @classmethod
    def _is_enough(cls, value: str) -> str:
        if bytes_of(value) < LEAST_MEMORY_BYTES:
            raise ValueError(f"{value} is not enough for a worker, {LEAST_MEMORY_BYTES >> 20}Mi is the least")
        return value


class AcceleratorModel(Model):
    """What holds for all servers on one kind of hardware."""

    image: str
    idle_seconds: Natural = 60
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: Items[dict[str, Any]] = ()
    gpu_models: Items[str] = ()
    gpu_families: Items[str] = ()
    gpu_model_label: str = ""


class TritonModel(Model):
    """Where and how servers run."""

    namespace: str
    service_account: str = "videojob-triton"
    priority_class_name: str = ""
    cpu: AcceleratorModel | None = None
    gpu: AcceleratorModel | None = None


class S3Model(Model):
    """A model's folder in a bucket."""

    bucket: str
    prefix: str
    region: str | None = None
    expected_bucket_owner: str | None = None


class PvcModel(Model):
    """A model's folder in a volume."""

    claim_name: str
    path: str = ""


class ImageModel(Model):
    """A model's folder in an image."""

    reference: str
    path: str


class SourceModel(Model):
    """Exactly one place."""

    s3: S3Model | None = None
    pvc: PvcModel | None = None
    image: ImageModel | None = None


class VariantModel(Model):
    """How a model is served on one kind of hardware."""

    backend: Literal["onnxruntime", "tensorrt", "python"] = "onnxruntime"
    frames_per_second: DecimalField
    cpu: str = _VARIANT.cpu
    memory: str = _VARIANT.memory
    gpus: Natural = _VARIANT.gpus
    instances: Positive = _VARIANT.instances
    start_seconds: Positive = _VARIANT.start_s
    max_replicas: Positive = _VARIANT.max_replicas
    engine_cache_claim: str | None = None
    disk: str = _VARIANT.disk


class CatalogueEntryModel(Model):
    """One model."""

    version: Positive = 1
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    source: SourceModel
    variants: dict[Literal["cpu", "gpu"], VariantModel]


class ConfigModel(Model):
    """The whole file."""

    image: str
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    namespaces: Items[str] = ()
    controller_name: ControllerName = DEFAULT_CONTROLLER
    scope_owner: str = ""
    results: ResultsModel = ResultsModel()
    worker: WorkerModel = WorkerModel()
    triton: TritonModel
    karpenter: Literal["karpenter", "autoMode", "none"] = "none"
    models: dict[str, CatalogueEntryModel] = Field(default_factory=dict)
    prices: PricesModel = PricesModel()


def read_config(path: Path) -> Installation:
    """The installation as the file describes it.

    Raises:
        SetupError: the file cannot be read, or something in it is wrong; names each mistake.
    """
    return _read(path, installation_of)


def read_price_settings(path: Path, region: str) -> PriceSettings:
    """What the same file says of prices.

    Args:
        path: of the file.
        region: of the process's environment, where the file names none.

    Raises:
        SetupError: as for `read_config`.
    """
    return _read(path, lambda config: price_settings_of(config, region))


def price_settings_of(config: ConfigModel, region: str = "") -> PriceSettings:
    """The same of a file that was checked."""
    return settings_of(config.prices, config.karpenter, config.results.region or region)


def _read(path: Path, made: Callable[[ConfigModel], T]) -> T:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        return made(ConfigModel.model_validate(values, by_alias=True, by_name=False))
    except (OSError, yaml.YAMLError) as error:
        raise SetupError(f"the configuration cannot be read: {error}", uri=str(path)) from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        hint = "It comes from the chart's values: correct them and upgrade."
        raise SetupError(f"the configuration is wrong: {problems}", uri=str(path), hint=hint) from error


def installation_of(config: ConfigModel) -> Installation:
    """The values of a file that was checked."""
    worker = config.worker
    kinds: dict[Accelerator, AcceleratorModel | None] = {"cpu": config.triton.cpu, "gpu": config.triton.gpu}
    return Installation(
        image=config.image,
        image_pull_policy=config.image_pull_policy,
        namespaces=config.namespaces,
        controller_name=config.controller_name,
        scope_owner=config.scope_owner,
        server_namespace=config.triton.namespace,
        server_service_account=config.triton.service_account,
        server_priority_class=config.triton.priority_class_name,
        karpenter=config.karpenter,
        results=ResultsSettings(
            table=config.results.table,
            allowed_tables=config.results.allowed_tables,
            region=config.results.region,
            create_table=config.results.create_table,
            retention_s=config.results.retention_days * DAY_S or None,
        ),
        worker=WorkerSettings(
            service_account=worker.service_account,
            cpu=worker.cpu,
            memory=worker.memory,
            memory_limit=worker.memory_limit,
            scratch=worker.scratch,
            frames_per_second=worker.frames_per_second.fraction,
            start_s=worker.start_seconds,
            max_workers=worker.max_workers,
            grace_s=worker.grace_period_seconds,
            env=worker.env,
            node_selector=worker.node_selector,
            tolerations=worker.tolerations,
        ),
        accelerators={
            kind: AcceleratorSettings(
                one.image,
                one.idle_seconds,
                one.node_selector,
                one.tolerations,
                gpu_models=(one.gpu_models or gpu_models(one.gpu_families)) if one.gpu_model_label else (),
                gpu_label=one.gpu_model_label,
            )
            for kind, one in kinds.items()
            if one is not None
        },
        models={name: _model(name, entry) for name, entry in config.models.items()},
    )


def _model(name: str, entry: CatalogueEntryModel) -> InstalledModel:
    variants = {kind: _variant(kind, one) for kind, one in entry.variants.items()}
    return InstalledModel(name, entry.version, entry.digest, _source(name, entry.source), variants)


def _source(name: str, source: SourceModel) -> ModelSource:
    given: list[ModelSource] = []
    if source.s3 is not None:
        s3 = source.s3
        given.append(S3Source(s3.bucket, s3.prefix, s3.region, s3.expected_bucket_owner))
    if source.pvc is not None:
        given.append(PvcSource(source.pvc.claim_name, source.pvc.path))
    if source.image is not None:
        given.append(ImageSource(source.image.reference, source.image.path))
    if len(given) != 1:
        raise SetupError(f"models.{name}.source needs exactly one of s3, pvc and image")
    return given[0]


def _variant(kind: Accelerator, one: VariantModel) -> ServerVariant:
    return ServerVariant(
        accelerator=kind,
        backend=one.backend,
        frames_per_second=Fraction(one.frames_per_second.fraction),
        cpu=one.cpu,
        memory=one.memory,
        gpus=one.gpus,
        instances=one.instances,
        start_s=one.start_seconds,
        max_replicas=one.max_replicas,
        engine_cache_claim=one.engine_cache_claim,
        disk=one.disk,
    )
