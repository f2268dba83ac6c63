"""`videojob profile MODEL`: what this machine does with a model, what limits it, and what a million frames cost."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from videojob.adapters.files.package_data import offers
from videojob.adapters.machine import instance_type
from videojob.adapters.triton.channel import TritonOptions
from videojob.adapters.triton.client import connect
from videojob.cli.terminal import cell, console, tell, write_json
from videojob.errors import ModelNotFound, UsageError
from videojob.local.host import usable_cpus
from videojob.local.models.catalogue import look_up
from videojob.local.models.paths import BUILT_IN_MODELS, cache_folder
from videojob.local.models.ready import ensure_built
from videojob.local.profile import Profile, decode_rate, profile_server
from videojob.local.triton.server import EmbeddedTriton
from videojob.planning.throughput.profile import bottleneck, usd_per_million


@dataclass(frozen=True, slots=True)
class _Cost:
    """What the machine costs: US dollars per hour on demand, of which type; or why that is unknown."""

    type: str
    usd_per_h: Decimal | None
    unknown: str = ""


def profile(
    model: Annotated[str, typer.Argument(help="One of this machine's models.")],
    *,
    video: Annotated[Path | None, typer.Option(help="Video to measure decoding with.")] = None,
    on_type: Annotated[
        str | None,
        typer.Option("--instance-type", help="EC2 instance type of this machine.", show_default="what it says itself"),
    ] = None,
    region: Annotated[str, typer.Option(help="AWS region whose price counts.")] = "us-east-1",
    seconds: Annotated[float, typer.Option(min=1.0, max=600.0, help="Seconds for each measurement.")] = 10.0,
    repository: Annotated[Path | None, typer.Option(help="Folder of models, instead of this machine's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, nothing else.")] = False,
) -> None:
    """Measure this machine with a model: what limits it, the best batch, frames/s, $ per million frames.

    It starts the embedded Triton for it. Let nothing else run meanwhile.
    """
    cost = _cost(on_type, region)
    found = _measured(model, repository, video, seconds)
    rates = _rates(found)
    limit = bottleneck(rates)
    if as_json:
        write_json(_document(model, found, rates, limit, cost))
    else:
        _show(model, found, rates, limit, cost)


def _measured(model: str, repository: Path | None, video: Path | None, seconds: float) -> Profile:
    folder = ensure_built(model) if repository is None and model in BUILT_IN_MODELS else None
    entry = look_up(model, repository)
    if entry.contract is None:
        raise entry.error or ModelNotFound("the model cannot be used", uri=model)
    with tempfile.TemporaryDirectory(prefix="videojob-profile-") as logs:
        server = EmbeddedTriton.start(
            folder or entry.folder.parent,
            [model],
            cache_folder=cache_folder(),
            log_path=Path(logs) / "triton.log",
            cpus=usable_cpus(),
        )
        with server:
            inference = connect(server.grpc_address, model, options=TritonOptions(headers=server.grpc_headers))
            try:
                found = profile_server(inference, seconds=seconds)
                contract = inference.contract
            finally:
                inference.close()
    if video is None:
        return found
    decoded = decode_rate(video, contract, seconds=seconds)
    return Profile(found.server, found.transport_per_s, found.input_size, decoded)


def _rates(found: Profile) -> dict[str, float]:
    """Frames per second that the whole machine can do of each, were there nothing else to do."""
    cores = usable_cpus()
    rates = {"model": found.server.frames_per_s, "transport": cores * found.transport_per_s}
    if found.decode_per_s is not None:
        rates["decode"] = cores * found.decode_per_s
    return rates


def _cost(asked: str | None, region: str) -> _Cost:
    name = asked or instance_type()
    if not name:
        return _Cost("", None, "the price of this machine is unknown: name its type by --instance-type")
    table = offers(region)
    prices = [one.price.usd_per_h for one in table.offers if one.type.name == name and one.capacity_type == "on-demand"]
    if prices:
        return _Cost(name, min(prices))
    if asked is not None:
        raise UsageError(f"no price is known of {name} in {region}", hint="Leave --instance-type out, and do without.")
    return _Cost(name, None, f"the price of this machine is unknown: the static table has no {name} in {region}")


def _show(model: str, found: Profile, rates: Mapping[str, float], limit: str, cost: _Cost) -> None:
    out, server = console(), found.server
    width, height = found.input_size
    tell(out, f"{model} at {width} x {height}: {rates[limit]:.4g} frames/s, limited by {_WORDS[limit]}", "bold")
    tell(out, f"The model reaches {server.frames_per_s:.4g} frames/s with batches of {server.best_batch}.")
    table = Table(box=None, pad_edge=False)
    for head in ("BATCH", "FRAMES/S"):
        table.add_column(head, justify="right", no_wrap=True)
    for batch, rate in server.by_batch.items():
        table.add_row(cell(str(batch)), cell(f"{rate:.4g}"))
    out.print(table)
    tell(out, f"One vCPU sends {found.transport_per_s:.4g} frames/s" + _decoding(found) + ".")
    if cost.usd_per_h is None:
        tell(out, f"{cost.unknown[0].upper()}{cost.unknown[1:]}.")
    else:
        usd = usd_per_million(cost.usd_per_h, rates[limit])
        tell(out, f"${usd:.2f} per million frames on {cost.type} (${cost.usd_per_h.normalize():f}/h on demand).")


_WORDS = {"model": "the model", "transport": "sending frames to the server", "decode": "decoding"}


def _decoding(found: Profile) -> str:
    if found.decode_per_s is None:
        return "; decoding was not measured, --video does"
    return f" and decodes {found.decode_per_s:.4g} pictures/s"


def _document(model: str, found: Profile, rates: Mapping[str, float], limit: str, cost: _Cost) -> dict[str, Any]:
    server = found.server
    usd = None if cost.usd_per_h is None else usd_per_million(cost.usd_per_h, rates[limit])
    return {
        "model": model,
        "inputSize": list(found.input_size),
        "bottleneck": limit,
        "framesPerSecond": rates[limit],
        "machineFramesPerSecond": dict(rates),
        "bestBatch": server.best_batch,
        "framesPerSecondByBatch": {str(batch): rate for batch, rate in server.by_batch.items()},
        "sideBySide": server.side_by_side,
        "transportFramesPerSecondPerVcpu": found.transport_per_s,
        "decodePicturesPerSecondPerVcpu": found.decode_per_s,
        "instanceType": cost.type or None,
        "usdPerHour": None if cost.usd_per_h is None else str(cost.usd_per_h),
        "usdPerMillionFrames": None if usd is None else f"{usd:.6f}",
    }
