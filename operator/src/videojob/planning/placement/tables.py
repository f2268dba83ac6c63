"""Which results table a job uses on a cluster, and whether it may. Pure."""

from __future__ import annotations

from videojob.api.spec import VideoJobSpec
from videojob.errors import TableNotAllowed
from videojob.planning.installation import Installation


def results_table(spec: VideoJobSpec, installation: Installation) -> tuple[str, str | None]:
    """(table, region) that a job's results go to."""
    target = spec.results.dynamodb
    if target is None:
        return installation.results.table, installation.results.region
    return target.table_name, target.region or installation.results.region


def check_table(spec: VideoJobSpec, installation: Installation) -> None:
    """Refuses a table that this installation's controller and workers have no business with, before any call to it.

    Raises:
        TableNotAllowed: it is not one of the installation's, or in another region.
    """
    target = spec.results.dynamodb
    if target is None:
        return
    allowed = {installation.results.table, *installation.results.allowed_tables}
    if target.table_name not in allowed:
        raise TableNotAllowed(
            f"results may not be written to table {target.table_name}",
            hint=f"Leave spec.results.dynamodb out, or name one of: {', '.join(sorted(allowed))}.",
        )
    own = installation.results.region or installation.worker.env.get("AWS_REGION")
    if target.region not in {None, own}:
        raise TableNotAllowed(
            f"results may not be written to region {target.region}",
            hint=f"Leave spec.results.dynamodb.region out: this installation's is {own or 'another one'}.",
        )
