"""Where a job's frames are answered, chosen by price: of all that meets the deadline, what costs least. Pure.

`planning.placement.choice` says what the model and the job allow at all; here these ways are compared in dollars.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from videojob.api.spec import VideoJobSpec
from videojob.errors import NoPlacement
from videojob.planning.cost.price import PriceSource
from videojob.planning.installation import Accelerator, CapacityType, Installation, InstalledModel
from videojob.planning.placement.choice import allowed_kinds, model_of, most_workers
from videojob.planning.placement.market import Market, RunningServer
from videojob.planning.placement.plan.choose import Plan, choose, fastest
from videojob.planning.placement.plan.explain import in_two_sentences
from videojob.planning.placement.plan.option import Evaluator, Outcome
from videojob.planning.placement.plan.relax import no_plan
from videojob.planning.placement.plan.search import Question, outcomes
from videojob.planning.placement.plan.surroundings import (
    Allowed,
    ReplicaNeeds,
    Surroundings,
    WarmServer,
    WorkerNeeds,
)
from videojob.planning.placement.plan.units import duration
from videojob.planning.placement.plan.workload import (
    GETS_OF_SEGMENT,
    WRITES_OF_SEGMENT,
    Decoding,
    Workload,
)
from videojob.planning.placement.pools import fitting
from videojob.planning.placement.quantities import bytes_of, cpus_of
from videojob.planning.state.observed import NODE_PROVISIONING, ServerObserved
from videojob.planning.state.placement import Estimate, Place, PriceWord, Rival, ServerKey
from videojob.planning.throughput.lookup import ModelOnHardware, VideoKind
from videojob.video.plan import DecodedFrames, PlanHead

INPUT_PIXELS = 640 * 640
"""Of a model's input, where the installation does not say."""
_UNKNOWN_VIDEO = "h264", 1920 * 1080, 30
"""Codec, pixels and frames per second of videos that a plan of an earlier release says nothing of."""
_GPU_TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
_NODE_ENDS_S = 30.0
"""After a server's idle time, until its node is gone: `consolidateAfter` of the chart's NodePools."""
_MOST_TYPES = 64
_MIB = 1 << 20
_WORDS: Mapping[PriceSource, PriceWord] = {
    PriceSource.OVERRIDE: "values",
    PriceSource.KARPENTER: "karpenter",
    PriceSource.AWS: "aws",
    PriceSource.STATIC: "static",
}


def priced_place(
    spec: VideoJobSpec, installation: Installation, head: PlanHead, market: Market, *, left_s: float | None
) -> Place | None:
    """The cheapest way to run a job in time; None where nothing that is on offer can run it, whatever it costs.

    Where nothing meets the deadline in nine of ten cases, but something may, the fastest is taken.

    Args:
        spec: of the job.
        installation: what there is.
        head: of the job's plan.
        market: what is on offer.
        left_s: seconds until the deadline; None without one.

    Raises:
        ModelNotFound: see `choice.model_of`.
        NoPlacement: the job allows nothing that the model is served on, or nothing can meet the deadline.
    """
    model = model_of(spec, installation)
    case = _Case(spec, installation, head, market, model, tuple(allowed_kinds(spec, installation, model)))
    warm = [(case.warm(one), one.key) for one in market.servers if case.may_join(one)]
    question = case.question([one for one, _ in warm], left_s)
    found = outcomes(question)
    if not found:
        return None
    plan = choose(question, found)
    if plan is not None:
        why = in_two_sentences(plan, question)
    else:
        evaluator = Evaluator(question.work, question.around, question.speeds, question.small)
        least_s = min(evaluator.earliest_end_s(one.way) for one in found)
        plan = _late(question, found, least_s)
        if plan is None:
            raise _refusal(question, found, least_s)
        why = f"{in_two_sentences(plan, question)} It may end after the deadline."
    joined = next((key for server, key in warm if server is plan.chosen.way.warm), None)
    key = joined or _key(plan, spec, model, installation)
    rate = question.speeds.replica(question.work.models[key.accelerator], plan.chosen.way.server.type)
    per_s = None if rate is None else rate.mean if left_s is None else rate.low
    exact = None if per_s is None else Fraction(max(1, round(per_s * 1000)), 1000)
    return at_rate(Place(key, model, model.variants[key.accelerator], why, _estimate(plan)), exact)


def at_rate(place: Place, replica_frames_per_s: Fraction | None) -> Place:
    """The place with the speed of a replica that its choice expected; None leaves the installation's."""
    if replica_frames_per_s is None:
        return place
    variant = replace(place.variant, frames_per_second=replica_frames_per_s)
    return replace(place, variant=variant, replica_frames_per_s=replica_frames_per_s)


def _late(question: Question, found: Sequence[Outcome], least_s: float) -> Plan | None:
    """What should end soonest, if anything may meet the deadline though not in nine of ten cases."""
    if question.allowed.deadline_s is None or least_s > question.allowed.deadline_s:
        return None
    soonest = fastest(found)
    unhurried = replace(question, allowed=replace(question.allowed, deadline_s=None))
    return choose(unhurried, [one for one in found if one.ends_p90_s <= soonest.ends_p90_s])


def _refusal(question: Question, found: Sequence[Outcome], least_s: float) -> NoPlacement:
    changes = no_plan(question, found).changes
    left_s = max(0.0, question.allowed.deadline_s or 0.0)
    words = f"nothing on offer can end within the {duration(left_s)} until the deadline"
    words = f"{words}: it takes at least {duration(least_s)}"
    return NoPlacement(words, hint=" Or: ".join(changes[:3]) or "Give the job more time: spec.deadline.completeWithin.")


def allowed_by(spec: VideoJobSpec, kinds: Sequence[Accelerator], left_s: float | None) -> Allowed:
    """What a job allows, seen from now.

    Args:
        spec: of the job.
        kinds: what its model may compute on.
        left_s: seconds until its deadline; None without one.
    """
    compute, limits = spec.compute, spec.compute.limits
    return Allowed(
        accelerators=tuple(kinds),
        capacity_types=tuple(sorted(compute.capacity_types or ())),
        instance_types=tuple(sorted(compute.instance_types or ())),
        gpus=None if limits is None else limits.gpus,
        cpus=None if limits is None else limits.cpus,
        workers=None if limits is None else limits.workers,
        deadline_s=left_s,
        max_usd=None if spec.budget is None else spec.budget.max_cost.decimal,
    )


@dataclass(frozen=True, slots=True)
class _Case:
    """A job with what it may use: the arguments of `priced_place`, the model and what it may compute on."""

    spec: VideoJobSpec
    installation: Installation
    head: PlanHead
    market: Market
    model: InstalledModel
    kinds: tuple[Accelerator, ...]

    def question(self, warm: Sequence[WarmServer], left_s: float | None) -> Question:
        """What the plan depends on."""
        market = self.market
        around = Surroundings(
            replica={kind: self._replica(kind) for kind in self.kinds},
            worker=self._worker(),
            warm=tuple(warm),
            auto_mode=market.auto_mode,
        )
        allowed = allowed_by(self.spec, self.kinds, left_s)
        return Question(self._workload(), allowed, around, market.offers, market.small, market.speeds)

    def _replica(self, kind: Accelerator) -> ReplicaNeeds:
        variant, settings = self.model.variants[kind], self.installation.accelerators[kind]
        tolerations = (*settings.tolerations, _GPU_TOLERATION) if variant.gpus else settings.tolerations
        return ReplicaNeeds(
            millicpu=math.ceil(cpus_of(variant.cpu) * 1000),
            memory_mib=math.ceil(bytes_of(variant.memory) / _MIB),
            gpus=variant.gpus,
            max_replicas=variant.max_replicas,
            gpu_models=settings.gpu_models,
            idle_s=settings.idle_s + _NODE_ENDS_S,
            pools=fitting(self.market.pools, settings.node_selector, tolerations),
        )

    def _worker(self) -> WorkerNeeds:
        worker = self.installation.worker
        return WorkerNeeds(
            millicpu=math.ceil(cpus_of(worker.cpu) * 1000),
            memory_mib=math.ceil(bytes_of(worker.memory) / _MIB),
            max_workers=most_workers(self.spec, self.installation),
            pools=fitting(self.market.pools, worker.node_selector, worker.tolerations),
        )

    def _workload(self) -> Workload:
        head, keyframes_only = self.head, bool(self.spec.sampling.keyframes_only)
        return Workload(
            models={kind: self._served(kind) for kind in self.kinds},
            frames=max(1, head.frames),
            frame_bytes=3 * INPUT_PIXELS,
            decodings=tuple(
                Decoding(VideoKind(one.codec, one.pixels, keyframes_only, INPUT_PIXELS), one.frames)
                for one in head.decoded or _guessed(head)
            ),
            segments=max(1, head.segments),
            write_units=head.segments * WRITES_OF_SEGMENT,
            get_requests=head.segments * GETS_OF_SEGMENT,
        )

    def _served(self, kind: Accelerator) -> ModelOnHardware:
        variant = self.model.variants[kind]
        return ModelOnHardware(
            model=self.model.name,
            digest=self.model.digest,
            input_pixels=INPUT_PIXELS,
            backend=variant.backend,
            installed_frames_per_s=float(variant.frames_per_second),
            replica_cpus=0.0 if variant.gpus else float(cpus_of(variant.cpu)),
            installed_start_s=float(variant.start_s),
            keeps_engines=variant.engine_cache_claim is not None,
        )

    def may_join(self, one: RunningServer) -> bool:
        """Whether the job may send its frames to a server: what that is restricted to, the job allows."""
        key, compute = one.key, self.spec.compute
        if key.model != self.model.name or key.version != self.model.version or key.accelerator not in self.kinds:
            return False
        if not one.seen.replicas or not _is_coming(one.seen) or not (one.seen.instance_type or key.instance_types):
            return False
        return _within(key.capacity_types, compute.capacity_types or ()) and _within(
            key.instance_types, compute.instance_types or ()
        )

    def warm(self, one: RunningServer) -> WarmServer:
        """Such a server, as a plan compares it."""
        seen, key, variant = one.seen, one.key, self.model.variants[one.key.accelerator]
        # Before its node is there, what it is bound to tells what it will be.
        may_be_spot = not key.capacity_types or "spot" in key.capacity_types
        return WarmServer(
            instance_type=seen.instance_type or key.instance_types[0],
            capacity_type=seen.capacity_type or ("spot" if may_be_spot else "on-demand"),
            zone=seen.zone or "",
            replicas=seen.replicas,
            ready_in_s=0.0 if seen.ready else float(variant.start_s),
            share=1 / (1 + one.jobs),
        )


def _is_coming(seen: ServerObserved) -> bool:
    """Whether a server answers or is on its way, so that nothing is wrong with it."""
    problem = seen.problem
    return seen.ready > 0 or problem is None or problem.kind == "starting" or problem.source == NODE_PROVISIONING


def _within(own: Sequence[str], allowed: Sequence[str]) -> bool:
    return not allowed or (bool(own) and set(own) <= set(allowed))


def _guessed(head: PlanHead) -> tuple[DecodedFrames, ...]:
    codec, pixels, per_s = _UNKNOWN_VIDEO
    return (DecodedFrames(codec, max(head.frames, head.duration_ms * per_s // 1000), pixels),)


def _key(plan: Plan, spec: VideoJobSpec, model: InstalledModel, installation: Installation) -> ServerKey:
    """A server of its own: bound to the set of types, of which the node provisioner takes what it gets cheapest."""
    way = plan.chosen.way
    types = tuple(sorted({one.way.server.type.name for one in plan.members}))[:_MOST_TYPES]
    gpu, settings = way.server.type.gpu, installation.accelerators[way.accelerator]
    return ServerKey(
        model=model.name,
        version=model.version,
        accelerator=way.accelerator,
        capacity_types=_capacity_types(way.server.capacity_type, spec),
        instance_types=types,
        gpu=gpu if way.accelerator == "gpu" and settings.gpu_label and gpu in settings.gpu_models else "",
    )


def _capacity_types(chosen: CapacityType, spec: VideoJobSpec) -> tuple[CapacityType, ...]:
    """Spot leaves on-demand as what the node provisioner falls back to; on-demand was chosen over spot, and stays."""
    return tuple(sorted(spec.compute.capacity_types or ())) if chosen == "spot" else (chosen,)


def _estimate(plan: Plan) -> Estimate:
    chosen = plan.chosen
    price = chosen.way.server.price
    return Estimate(
        usd=chosen.usd,
        low_usd=plan.usd_low,
        high_usd=plan.usd_high,
        ends_in_s=chosen.ends_s,
        ends_in_p90_s=chosen.ends_p90_s,
        source=_WORDS[price.source],
        as_of_s=price.as_of_s,
        precision=price.precision.value,
        rivals=tuple(
            Rival(one.outcome.way.server.type.name, one.outcome.way.server.capacity_type, one.outcome.usd, one.why)
            for one in plan.runners_up
        ),
    )
