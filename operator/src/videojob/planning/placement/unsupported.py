"""What a cluster cannot do for a VideoJob, found out before anything starts. Pure."""

from __future__ import annotations

from videojob.api.spec import VideoJobSpec
from videojob.errors import UnsupportedField
from videojob.planning.installation import Installation
from videojob.planning.placement.tables import check_table


def check_supported(spec: VideoJobSpec, installation: Installation) -> None:
    """Refuses what would be dangerous to ignore.

    Raises:
        UnsupportedField: a field asks for what this version does not do on a cluster.
        TableNotAllowed: see `check_table`.
    """
    given = {
        "spec.inputs[].file": any(item.file is not None for item in spec.inputs),
        "spec.compute.backend": spec.compute.backend not in {"auto", *installation.backends},
        "spec.budget": spec.budget is not None,
        "spec.results.detections": spec.results.detections_enabled,
        "spec.results.preview": spec.results.preview is not None and spec.results.preview.enabled,
    }
    refused = [name for name, is_given in given.items() if is_given]
    if refused:
        raise UnsupportedField(
            f"this version does not support on a cluster: {', '.join(refused)}",
            hint="Leave it out, or run the job on one machine with `videojob run`.",
        )
    check_table(spec, installation)


def ignored_on_clusters(spec: VideoJobSpec) -> tuple[str, ...]:
    """Fields that are set and have no effect yet, as users write them; the job runs all the same."""
    return ("spec.notifications",) if spec.notifications is not None else ()
