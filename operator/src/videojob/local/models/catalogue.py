"""What models there are: those of a repository, and the built-in ones that are built when they are first used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from videojob.adapters.triton.model_repository import CONFIG_NAME, read_model
from videojob.errors import ModelError, ModelNotFound
from videojob.local.models.paths import BUILT_IN_MODELS, default_repository, described_repository
from videojob.vision.tensors import ModelContract


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One model.

    Attributes:
        name: of the model. folder: where its config.pbtxt lies.
        versions: those with weights; none for a built-in model that was not used yet.
        contract: how it is fed and read; None when its description is wrong.
        error: what is wrong then.
    """

    name: str
    folder: Path
    versions: tuple[int, ...]
    contract: ModelContract | None
    error: ModelError | None


def catalogue(repository: Path | None = None) -> list[CatalogueEntry]:
    """All models, by name; one that is broken does not hide the others.

    Args:
        repository: None for this machine's own, the built-in models included.
    """
    place = default_repository() if repository is None else repository
    folders = {path.parent.name: path.parent for path in place.glob(f"*/{CONFIG_NAME}")}
    if repository is None:
        folders = {name: described_repository() / name for name in BUILT_IN_MODELS} | folders
    return [_entry(folders[name]) for name in sorted(folders)]


def look_up(name: str, repository: Path | None = None) -> CatalogueEntry:
    """The model of this name.

    Raises:
        ModelNotFound: there is none; the hint names those there are.
    """
    entries = {entry.name: entry for entry in catalogue(repository)}
    if name not in entries:
        place = default_repository() if repository is None else repository
        raise ModelNotFound("no model has this name", uri=name, hint=f"{place} has: {', '.join(entries) or 'none'}.")
    return entries[name]


def _entry(folder: Path) -> CatalogueEntry:
    versions: tuple[int, ...] = ()
    try:
        model = read_model(folder)
        versions = model.versions
        return CatalogueEntry(folder.name, folder, versions, model.contract(), None)
    except ModelError as error:
        return CatalogueEntry(folder.name, folder, versions, None, error)
