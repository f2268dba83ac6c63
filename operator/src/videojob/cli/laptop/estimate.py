"""`videojob estimate`: what a job would cost on a cluster, when it would end, and on which hardware."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from videojob.adapters.clock import SystemClock
from videojob.cli.exit_codes import ExitCode
from videojob.cli.laptop.quick import ALL_FRAMES, DEFAULT_MODEL, DEFAULT_RATE, QuickOptions
from videojob.cli.laptop.run import subject
from videojob.cli.terminal import cell, console, tell, write_json
from videojob.errors import NoPlacement, UsageError
from videojob.local.estimate import Headers, question_of, read_headers
from videojob.local.models.catalogue import look_up
from videojob.planning.placement.plan.candidates import servers
from videojob.planning.placement.plan.choose import Plan
from videojob.planning.placement.plan.explain import hardware, in_two_sentences, notices
from videojob.planning.placement.plan.make import plan_among
from videojob.planning.placement.plan.option import Outcome
from videojob.planning.placement.plan.refusal import type_problems, why_no_plan
from videojob.planning.placement.plan.relax import NoPlan
from videojob.planning.placement.plan.search import Question, cheapest, outcomes
from videojob.planning.placement.plan.units import dollars, duration
from videojob.printable import printable

_HOURS_OF_MONTH = 730
_SHOWN_FAILURES = 5
_REGION = re.compile(r"[a-z]{2}(-[a-z]+){1,3}-\d")
"""Of any region, also of one that AWS opens later: there the prices of us-east-1 stand in, and a notice says so."""
_LEAST_SHOWN = Decimal("0.0001")


def estimate(
    what: Annotated[
        list[str],
        typer.Argument(
            help="A manifest (.yaml, .yml, .json), or videos: files, folders, and http, https or s3 addresses.",
            metavar="FILE…",
        ),
    ],
    *,
    model: Annotated[
        str | None, typer.Option(help="Model to run, for videos without a manifest.", show_default=DEFAULT_MODEL)
    ] = None,
    fps: Annotated[
        str | None,
        typer.Option(
            help=f"Frames per second of video time, or {ALL_FRAMES}; for videos without a manifest.",
            show_default=DEFAULT_RATE,
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Which VideoJob, when the file holds several.")] = None,
    region: Annotated[str, typer.Option(help="AWS region whose prices count.")] = "us-east-1",
    model_repository: Annotated[Path | None, typer.Option(help="Folder of models, instead of this machine's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, nothing else.")] = False,
) -> None:
    """Estimate what a job would cost on a cluster, when it would end and on which hardware; starts nothing."""
    if _REGION.fullmatch(region) is None:
        raise UsageError(f"{printable(region)} is no name of an AWS region", hint="Give one such as eu-central-1.")
    job, base = subject(what, name, QuickOptions(model, fps, None, None, force=False), silent=True)
    entry = look_up(job.spec.model.name, model_repository)
    if entry.contract is None:
        raise entry.error or NoPlacement("the model cannot be used")
    headers = read_headers(job, base)
    if not headers.infos:
        raise headers.failed[0] if headers.failed else NoPlacement("there are no videos", hint="Name some.")
    asked = question_of(job, headers.infos, entry, entry.contract, region)
    every = outcomes(asked)
    found = plan_among(asked, every)
    now_s = SystemClock().now_s()
    if isinstance(found, NoPlan):
        raise NoPlacement(why_no_plan(asked), hint=" ".join(found.changes) or "Allow more hardware in spec.compute.")
    answer = Estimate(found, asked, headers, now_s, *comparisons(asked, every))
    if as_json:
        write_json(document(answer))
    else:
        _show(answer)
    raise typer.Exit(ExitCode.PARTIAL if headers.failed else ExitCode.OK)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an estimate says.

    Attributes:
        plan: what would run. asked: of what it depends. headers: of the videos. now_s: the time from which ages count.
        on_demand: the cheapest way without spot instances; None where the job allows none.
        always_on_usd: a month of the cheapest GPU that is never turned off; None where there is none.
    """

    plan: Plan
    asked: Question
    headers: Headers
    now_s: float
    on_demand: Outcome | None
    always_on_usd: Decimal | None


def document(answer: Estimate) -> dict[str, Any]:
    """The estimate for a script: amounts in US dollars as text with nine decimals, times in seconds."""
    plan, asked, headers = answer.plan, answer.asked, answer.headers
    on_demand, always_on = answer.on_demand, answer.always_on_usd
    return {
        "videos": len(headers.infos),
        "failed": [error.as_shown() for error in headers.failed],
        "frames": asked.work.frames,
        "region": asked.offers.region,
        "chosen": _as_dict(plan.chosen),
        "summary": in_two_sentences(plan, asked),
        "usdLow": _amount(plan.usd_low),
        "usdHigh": _amount(plan.usd_high),
        "instanceTypes": [one.way.server.type.name for one in plan.members],
        "fallback": None
        if plan.fallback is None
        else _as_dict(plan.fallback) | {"afterSeconds": round(plan.fallback_after_s)},
        "runnersUp": [_as_dict(one.outcome) | {"why": one.why} for one in plan.runners_up],
        "onDemandUsd": None if on_demand is None else _amount(on_demand.usd),
        "alwaysOnUsdPerMonth": None if always_on is None else _amount(always_on),
        "notices": _all_notices(answer),
    }


def _amount(usd: Decimal) -> str:
    return f"{usd:.9f}"


def _as_dict(outcome: Outcome) -> dict[str, Any]:
    way = outcome.way
    return {
        "accelerator": way.accelerator,
        "instanceType": way.server.type.name,
        "capacityType": way.server.capacity_type,
        "zone": way.server.zone,
        "replicas": way.replicas,
        "nodes": outcome.server_nodes,
        "workerInstanceType": None if way.workers is None else way.workers.type.name,
        "workerNodes": outcome.worker_nodes,
        "usd": _amount(outcome.usd),
        "usdP90": _amount(outcome.usd_p90),
        "endsInSeconds": round(outcome.ends_s),
        "endsInSecondsP90": round(outcome.ends_p90_s),
        "costs": {name: _amount(getattr(outcome.costs, name)) for name in outcome.costs.__slots__},
    }


def comparisons(asked: Question, every: Sequence[Outcome]) -> tuple[Outcome | None, Decimal | None]:
    """The cheapest way without spot instances, and a month of the cheapest GPU that is never turned off.

    Args:
        asked: see `Question`.
        every: its `outcomes`.
    """
    on_demand = [one for one in every if one.way.server.capacity_type == "on-demand"]
    hours = (
        [
            one.offer.price.usd_per_h
            for one in servers(asked.offers.offers, asked.around, replace(asked.allowed, accelerators=("gpu",)))
            if one.offer.capacity_type == "on-demand"
            and asked.speeds.replica(asked.work.models["gpu"], one.offer.type) is not None
        ]
        if "gpu" in asked.allowed.accelerators
        else []
    )
    always_on = min(hours) * _HOURS_OF_MONTH if hours else None
    best = min(on_demand, key=cheapest, default=None)
    if best is not None and best.way.workers is not None and best.way.workers.capacity_type == "spot":
        # Its servers alone are on demand: what decodes for them has to be, too, and then other servers may be cheaper.
        strict = replace(asked, allowed=replace(asked.allowed, capacity_types=("on-demand",)))
        best = min(outcomes(strict), key=cheapest, default=None)
    return best, always_on


def _show(answer: Estimate) -> None:
    out = console()
    plan, asked, headers = answer.plan, answer.asked, answer.headers
    chosen, on_demand = plan.chosen, answer.on_demand
    videos = f"{len(headers.infos)} video{'s' * (len(headers.infos) != 1)}"
    tell(out, f"{videos}, {asked.work.frames:,} frames to infer, {asked.offers.region}")
    tell(out, "")
    tell(out, f"{dollars(chosen.usd)}  (up to {dollars(plan.usd_high)} in nine of ten cases)", "bold")
    tell(out, f"Done in about {duration(chosen.ends_s)} ({duration(chosen.ends_p90_s)} in nine of ten cases).")
    tell(out, in_two_sentences(plan, asked))
    if len(plan.members) > 1:
        tell(out, f"Any of these may be launched: {', '.join(one.way.server.type.name for one in plan.members)}.")
    if plan.fallback is not None:
        after = duration(plan.fallback_after_s)
        tell(out, f"If no capacity comes within {after}: {hardware(plan.fallback)}, {dollars(plan.fallback.usd)}.")
    tell(out, "")
    out.print(_parts(chosen))
    out.print(_runners_up(plan))
    if on_demand is not None:
        tell(out, f"Without spot instances: {dollars(on_demand.usd)} with {hardware(on_demand)}.")
    if answer.always_on_usd is not None:
        tell(out, f"A GPU that is never turned off: {dollars(answer.always_on_usd)} a month.")
    _tell_notices(headers, _all_notices(answer), lambda text: tell(out, text))


def _all_notices(answer: Estimate) -> list[str]:
    """What is left out, then how far the figures can be trusted."""
    unused = [f"spec.compute.instanceTypes: {one}." for one in type_problems(answer.asked)]
    return [*answer.headers.notices, *unused, *notices(answer.plan, answer.asked, answer.now_s)]


def _parts(outcome: Outcome) -> Table:
    table = Table("part", "US dollars", title="Where the money goes", title_justify="left")
    for name in outcome.costs.__slots__:
        value: Decimal = getattr(outcome.costs, name)
        if value:
            table.add_row(cell(_PARTS[name]), cell(dollars(value) if value >= _LEAST_SHOWN else f"< ${_LEAST_SHOWN}"))
    return table


_PARTS = {
    "start": "servers start",
    "work": "servers answer",
    "tail": "servers idle at the end",
    "decoding": "nodes that decode",
    "redo": "work that spot interruptions undo",
    "disk": "disks and addresses",
    "image": "image through a NAT gateway",
    "crossing": "traffic between zones",
    "writes": "writes to the results table",
    "requests": "requests to S3",
}


def _runners_up(plan: Plan) -> Table:
    table = Table("hardware", "US dollars", "done in", "why not", title="Runners-up", title_justify="left")
    for one in plan.runners_up:
        price, end = dollars(one.outcome.usd), duration(one.outcome.ends_s)
        table.add_row(cell(hardware(one.outcome)), cell(price), cell(end), cell(one.why))
    return table


def _tell_notices(headers: Headers, words: Iterable[str], say: Callable[[str], None]) -> None:
    for text in words:
        say(f"Note: {text}")
    for error in headers.failed[:_SHOWN_FAILURES]:
        say(f"Not estimated: {printable(str(error))}")
    more = len(headers.failed) - _SHOWN_FAILURES
    if more > 0:
        say(f"Not estimated: {more} more videos, see --json.")
