"""`videojob speeds`: what a cluster has measured of models, decoding and starts; shown, exported, imported."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from videojob.adapters.kubernetes.speeds import change_book
from videojob.cli.cluster.connection import Access, Connected, connected
from videojob.cli.cluster.doctor_facts import FactReader, Release
from videojob.cli.display import plural
from videojob.cli.options import with_options
from videojob.cli.terminal import cell, console, tell, write_json
from videojob.errors import SetupError, UsageError
from videojob.kube.doctor.findings import NotRead
from videojob.kube.kinds import CONFIG_MAPS
from videojob.kube.names import SPEEDS
from videojob.kube.speeds import book_of
from videojob.planning.throughput.book import MOST_BYTES, Book, NotACatalogue, parse, text_of
from videojob.planning.throughput.measured import Measurement, Quantity
from videojob.ports.cluster import Cluster

app = typer.Typer(
    help="What a cluster has measured: speeds of models and decoding.", no_args_is_help=True, add_completion=False
)

SystemNamespace = Annotated[
    str | None, typer.Option("--system-namespace", help="Namespace of the installation.", show_default="wherever it is")
]
_DIGEST_CHARS = 19
_NO_CATALOGUE = "Export one by `videojob speeds export`."


@dataclass(frozen=True, slots=True)
class Where:
    """Whose catalogue: the namespace of the controller, and the digests of its models; None when unknown."""

    namespace: str
    digests: tuple[str, ...] | None


@app.command("list")
@with_options
def list_speeds(
    *,
    access: Access,
    system_namespace: SystemNamespace = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")] = False,
) -> None:
    """Show what was measured on the cluster, with the spread of each figure."""
    with connected(access) as there:
        found = _stored(there, _where(there, system_namespace).namespace).measurements()
    if as_json:
        write_json([_document(one) for one in found])
        return
    if not found:
        tell(console(), "Nothing was measured yet: the first job that ends feeds the catalogue.")
        return
    table = Table(box=None, pad_edge=False)
    for head in ("WHAT", "OF", "ON", "PIXELS", "FIGURE", "9 OF 10 WITHIN", "SAMPLES", "LAST"):
        table.add_column(head, no_wrap=True)
    for one in found:
        table.add_row(*map(cell, _cells(one)))
    console().print(table)


@app.command("export")
@with_options
def export_speeds(
    file: Annotated[Path | None, typer.Argument(help="File to write.", show_default="standard output")] = None,
    *,
    access: Access,
    system_namespace: SystemNamespace = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write the cluster's catalogue of speeds as JSON."""
    with connected(access) as there:
        text = text_of(_stored(there, _where(there, system_namespace).namespace))
    if file is None:
        typer.echo(text, nl=False)
        return
    if file.exists() and not force:
        raise UsageError(f"{file} is there already", hint="Name another file, or give --force.")
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}", hint="Name another file.") from error


@app.command("import")
@with_options
def import_speeds(
    file: Annotated[Path, typer.Argument(help="File that `videojob speeds export` wrote.")],
    *,
    access: Access,
    system_namespace: SystemNamespace = None,
) -> None:
    """Add an exported catalogue to the cluster's own. A file with one impossible figure is rejected whole."""
    book = read_book(file)
    with connected(access) as there:
        tell(console(), imported(there.api, _where(there, system_namespace), book))


def imported(cluster: Cluster, where: Where, book: Book) -> str:
    """Adds a book to the cluster's; returns what was done.

    Raises:
        UsageError: nothing in it is about a model of this installation, or about decoding.
        SetupError: what is stored there is no catalogue.
    """
    known = book if where.digests is None else book.of_models(where.digests)
    left_out = book.series.keys() - known.series.keys()
    names = ", ".join(sorted({book.series[one].name or one.of[:_DIGEST_CHARS] for one in left_out}))
    if not known.series:
        raise UsageError(
            "the file has nothing for this installation" + (f", which does not have {names}" if names else ""),
            hint="A model is known by its digest: `videojob models digest` prints it.",
        )
    try:
        change_book(cluster, where.namespace, lambda before: before.merged(known))
    except NotACatalogue as error:
        raise _spoiled(where.namespace, error) from error
    count, rest = len(known.series), len(left_out)
    done = f"{count} {plural(count, 'figure')} imported into {where.namespace}/{SPEEDS}."
    more = f"\n{rest} {plural(rest, 'figure')} left out: this installation does not have {names}." if rest else ""
    return done + more


def read_book(file: Path) -> Book:
    """An exported catalogue.

    Raises:
        UsageError: the file cannot be read, or is no catalogue.
    """
    try:
        with file.open("rb") as opened:
            text = opened.read(4 * MOST_BYTES).decode("utf-8")  # a longer one is rejected for its length in any case
        return parse(text)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", hint="Name another file.") from error
    except (NotACatalogue, UnicodeDecodeError) as error:
        words = "it is not text" if isinstance(error, UnicodeDecodeError) else str(error)
        raise UsageError(f"{file} is not taken: {words}", hint=_NO_CATALOGUE) from error


def _where(there: Connected, system: str | None) -> Where:
    """Where the catalogue is kept.

    Raises:
        SetupError: no controller is found.
    """
    reader = FactReader(there.api, system)
    found = reader.controllers()
    if isinstance(found, NotRead):
        if system is None:
            raise SetupError(f"the installation cannot be found: {found.why}", hint="Give --system-namespace.")
        return Where(system, None)
    if not found:
        raise SetupError("no controller of VideoJob is installed here", hint="`videojob doctor` tells more.")
    release: Release = reader.release(found[0])
    installed = release.installation
    digests = None if installed is None else tuple(one.digest for one in installed.models.values())
    return Where(release.namespace, digests)


def _stored(there: Connected, namespace: str) -> Book:
    try:
        return book_of(there.api.get(CONFIG_MAPS, namespace, SPEEDS))
    except NotACatalogue as error:
        raise _spoiled(namespace, error) from error


def _spoiled(namespace: str, error: NotACatalogue) -> SetupError:
    return SetupError(
        f"the ConfigMap {namespace}/{SPEEDS} has no catalogue of speeds: {error}",
        hint="Delete it: the next job that ends begins a new one.",
    )


def _cells(one: Measurement) -> tuple[str, ...]:
    subject, unit = one.subject, "s" if one.subject.quantity in _PARTS else "/s"
    last = datetime.fromtimestamp(one.at_s, UTC).strftime("%Y-%m-%d")
    return (
        subject.quantity,
        one.name or subject.of[:_DIGEST_CHARS] or "-",
        subject.hardware,
        f"{subject.pixels:,}" if subject.pixels else "-",
        f"{one.mean:.4g} {unit}",
        f"{one.low:.4g} to {one.high:.4g}",
        str(one.samples),
        last,
    )


_PARTS = frozenset({Quantity.NODE, Quantity.IMAGE, Quantity.MODEL, Quantity.ENGINE})


def _document(one: Measurement) -> dict[str, Any]:
    subject = one.subject
    return {
        "quantity": subject.quantity,
        "of": subject.of,
        "name": one.name,
        "pixels": subject.pixels,
        "hardware": subject.hardware,
        "runtime": subject.runtime,
        "batch": subject.batch,
        "unit": "seconds" if subject.quantity in _PARTS else "framesPerSecond",
        "mean": one.mean,
        "low": one.low,
        "high": one.high,
        "samples": one.samples,
        "lastMeasured": datetime.fromtimestamp(one.at_s, UTC).isoformat(),
    }
