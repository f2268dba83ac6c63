"""`videojob models`: build, add, list and show what can be run."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from videojob.adapters.triton.model_repository import CONFIG_NAME, model_digest, read_model
from videojob.cli.terminal import cell, console, write_json
from videojob.errors import ModelNotFound
from videojob.local.models.catalogue import CatalogueEntry, catalogue, look_up
from videojob.local.models.fetch import model_file, shown_source
from videojob.local.models.paths import BUILT_IN_MODELS, cache_folder, default_repository, require_tools
from videojob.vision.contract import refuse_other_protocols, three_numbers
from videojob.vision.tensors import ModelContract, PixelInput

app = typer.Typer(help="The models that can be run on this machine.", no_args_is_help=True, add_completion=False)

Repository = Annotated[
    Path | None, typer.Option("--repository", help="The model repository; this machine's own by default.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]


class Colour(StrEnum):
    """Order of the channels."""

    RGB = "RGB"
    BGR = "BGR"


class Layout(StrEnum):
    """Order of the axes behind the batch."""

    NHWC = "NHWC"
    NCHW = "NCHW"


class Resize(StrEnum):
    """How a picture of another shape is fitted in."""

    LETTERBOX = "letterbox"
    STRETCH = "stretch"


@app.command()
def build(repository: Repository = None, as_json: Json = False) -> None:
    """Build the models that come with videojob. `videojob run` does it on first use."""
    require_tools()
    # Behind the check, not above: onnx is an extra, and the other commands do without.
    from videojob.local.models.build import build as build_model  # noqa: PLC0415

    place = default_repository() if repository is None else repository
    outcomes = {name: build_model(name, place) for name in BUILT_IN_MODELS}
    if as_json:
        write_json(
            {name: {"folder": str(done.folder), "built": done.built} for name, done in outcomes.items()}, indent=2
        )
        return
    for name, done in outcomes.items():
        state = "built" if done.built else "already built"
        _print_named(name, f"{state}: {done.folder}")


@app.command()
def add(  # long because an option is declared in the signature; the body only hands them on
    source: Annotated[
        str, typer.Argument(help="The ONNX file, or its http or https address.", metavar="FILE", show_default=False)
    ],
    *,
    name: Annotated[str, typer.Option(help="Name of the model.", show_default=False)],
    decoder: Annotated[
        str,
        typer.Option(
            help="Box decoder for its outputs: yolo, yolox, detr, ssd, classification, centerface, or your own."
        ),
    ],
    sha256: Annotated[
        str | None, typer.Option(help="Digest that the file must have; needed for an address.", metavar="HEX")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="File with one class name a line; by default the names in the ONNX file.", exists=True),
    ] = None,
    repository: Repository = None,
    colour: Annotated[Colour | None, typer.Option(help="RGB, but BGR for yolox.", show_default=False)] = None,
    scale: Annotated[float | None, typer.Option(help="Pixels are divided by it: 255, but 1 for yolox.")] = None,
    mean: Annotated[
        str | None, typer.Option(help="Then subtracted: one number, or three as in 0.485,0.456,0.406.")
    ] = None,
    std: Annotated[str | None, typer.Option(help="Then divided by: one number, or three.")] = None,
    resize: Annotated[Resize | None, typer.Option(help="letterbox for yolo and yolox, stretch for others.")] = None,
    pad_value: Annotated[int | None, typer.Option(min=0, max=255, help="What letterbox fills with: 114.")] = None,
    layout: Annotated[Layout | None, typer.Option(help="Needed only when the graph's axes are ambiguous.")] = None,
    long_side: Annotated[int | None, typer.Option(min=1, help="Input size of a graph that takes any: 640.")] = None,
    stride: Annotated[int | None, typer.Option(min=1, help="What its sides are multiples of: 32.")] = None,
    output: Annotated[list[str] | None, typer.Option(help="Output to read, in the decoder's order; repeat it.")] = None,
    option: Annotated[list[str] | None, typer.Option(help="Option of the decoder, as in iou=0.5; repeat it.")] = None,
    max_batch: Annotated[int, typer.Option(min=1, max=1024, help="Frames per execution, if the graph allows.")] = 16,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a model of that name.")] = False,
    as_json: Json = False,
) -> None:
    """Add an ONNX model: inspect it, write its folder, try it out. Nothing is left behind when it does not fit."""
    require_tools()
    from videojob.local.models.add import AddRequest, PixelOptions  # noqa: PLC0415 - as in `build`
    from videojob.local.models.add import add as add_model  # noqa: PLC0415

    request = AddRequest(
        path=Path(source),
        shown=shown_source(source),
        name=name,
        decoder=decoder,
        labels=labels,
        pixels=PixelOptions(
            colour=None if colour is None else colour.value,
            scale=scale,
            mean=_three_numbers("--mean", mean),
            std=_three_numbers("--std", std),
            resize=None if resize is None else resize.value,
            pad_value=pad_value,
            layout=None if layout is None else layout.value,
            long_side=long_side,
            stride=stride,
        ),
        outputs=tuple(output or ()),
        decoder_options=_options(option or []),
        max_batch=max_batch,
        replace=replace,
    )
    with model_file(source, sha256, cache_folder() / "downloads") as path:
        place = default_repository() if repository is None else repository
        done = add_model(dataclasses.replace(request, path=path), place)
    if as_json:
        write_json(
            {
                "name": done.model.name,
                "folder": str(done.model.folder),
                "notes": list(done.notes),
                "trial": dataclasses.asdict(done.trial),
                "model": _document(done.model.contract()),
            },
            indent=2,
        )
        return
    _print_named(done.model.name, f"added: {done.model.folder}")
    trial = done.trial
    _print(f"  tested with noise at {trial.width} x {trial.height}: {trial.frame_ms:.1f} ms per frame on one core")
    for note in done.notes:
        _print(cell(f"  {note}", "yellow"))
    _print(f"  use it: model.name: {done.model.name} in a VideoJob")


@app.command("list")
def list_models(repository: Repository = None, as_json: Json = False) -> None:
    """List the models that can be run."""
    entries = catalogue(repository)
    if as_json:
        write_json([_entry_document(entry) for entry in entries], indent=2)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("MODEL", "DECODER", "CLASSES", "INPUT", "BATCH", "STATE"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        contract = entry.contract
        if contract is None:
            table.add_row(*map(cell, (entry.name, "-", "-", "-", "-")), Text(str(entry.error), style="red"))
            continue
        cells = (
            entry.name,
            contract.decoder,
            _classes_text(contract),
            _size_text(contract.pixels),
            str(contract.max_batch or 1),
            _state_text(entry),
        )
        table.add_row(*map(cell, cells))
    console().print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="The model.", show_default=False)],
    repository: Repository = None,
    as_json: Json = False,
) -> None:
    """Show how a model is fed and read. Fails when its description is wrong."""
    entry = look_up(name, repository)
    if entry.error is not None:
        raise entry.error
    if as_json:
        write_json(_entry_document(entry), indent=2)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in _facts(entry):
        table.add_row(cell(label), cell(text))
    _print(cell(entry.name, "bold"))
    console().print(table)


@app.command()
def digest(
    model: Annotated[str, typer.Argument(help="The model's folder, or the name of one of this machine's models.")],
    repository: Repository = None,
    as_json: Json = False,
) -> None:
    """Print the digest over a model's files, by which a cluster's catalogue pins it."""
    folder = Path(model)
    # Through the look-up, so that a name that is none is reported with the names that exist.
    folder = folder if (folder / CONFIG_NAME).is_file() else look_up(model, repository).folder
    found_model = read_model(folder.resolve())
    refuse_other_protocols(found_model.config)
    if not found_model.versions:
        raise ModelNotFound("the model has no weights yet", uri=str(folder), hint="Run `videojob models build`.")
    found = model_digest(folder)
    if as_json:
        write_json({"folder": str(folder), "digest": found}, indent=2)
    else:
        _print(found)


def _facts(entry: CatalogueEntry) -> list[tuple[str, str]]:
    contract = entry.contract
    if contract is None:
        return []
    pixels = contract.pixels
    options = ", ".join(f"{key}={value}" for key, value in contract.decoder_options.items())
    fill = f" with {pixels.pad_value}" if pixels.resize == "letterbox" else ""
    return [
        ("state", _state_text(entry)),
        ("folder", str(entry.folder)),
        ("input", f"{pixels.name}: {pixels.dtype} {pixels.layout} {pixels.colour}, {_size_text(pixels)}"),
        ("fitted in by", f"{pixels.resize}{fill}"),
        ("outputs", ", ".join(contract.outputs)),
        ("decoder", f"{contract.decoder} ({options})" if options else contract.decoder),
        ("classes", ", ".join(contract.labels) or "without names"),
        ("batch", f"up to {contract.max_batch or 1}, in {contract.instances} instances at once"),
    ]


def _classes_text(contract: ModelContract) -> str:
    few = ", ".join(contract.labels[:2])
    return f"{few}, … ({len(contract.labels)})" if len(contract.labels) > 3 else ", ".join(contract.labels) or "-"


def _size_text(pixels: PixelInput) -> str:
    if pixels.width:
        return f"{pixels.width} x {pixels.height}"
    return f"longer side {pixels.long_side}, multiples of {pixels.stride}"


def _state_text(entry: CatalogueEntry) -> str:
    if entry.versions:
        return f"ready, version {entry.versions[-1]}"
    return "built on first use" if entry.name in BUILT_IN_MODELS else "without weights"


def _entry_document(entry: CatalogueEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "folder": str(entry.folder),
        "versions": list(entry.versions),
        "error": None if entry.error is None else entry.error.as_shown(),
        "model": None if entry.contract is None else _document(entry.contract),
    }


def _document(contract: ModelContract) -> dict[str, Any]:
    return dataclasses.asdict(contract)


def _three_numbers(flag: str, text: str | None) -> tuple[float, float, float] | None:
    if text is None:
        return None
    found = three_numbers(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is neither one number nor three with commas", param_hint=flag)
    return found


def _options(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for key, equals, value in pairs:
        if not key or not equals or not value:
            raise typer.BadParameter(f"{key + equals + value!r} is not KEY=VALUE", param_hint="--option")
    return {key: value for key, _, value in pairs}


def _print_named(name: str, text: str) -> None:
    _print(Text.assemble(cell(name, "bold"), "  ", cell(text)))


def _print(text: Text | str) -> None:
    console().print(text if isinstance(text, Text) else cell(text), soft_wrap=True)
