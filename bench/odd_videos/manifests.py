"""Manifests that YAML or S3 make odd: what `videojob validate` says of words that YAML takes for something else, and of
a whole bucket. The project's own ones with what must be said, and those of a folder with what their comment says.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.odd_videos.product import command

_RIGHT = "# right: "
_VALID = ("is valid",)
_PLAIN = "file: {path: plain.mp4}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One manifest: its one input and its model as YAML, what is odd, and words that the answer must have."""

    name: str
    what: str
    source: str
    model: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the product said: `right` is None where a reader judges."""

    name: str
    expected: str
    said: str
    right: bool | None = None


OWN = (
    Manifest("off.yaml", "a class called off", _PLAIN, "{name: m, classes: [off, y]}", ('"off"', '"y"')),
    Manifest("number.yaml", "classes that are numbers", _PLAIN, "{name: m, classes: [12, 1e3]}", ('"12"', '"1e3"')),
    Manifest(
        "null.yaml", "a class that YAML takes for nothing", _PLAIN, "{name: m, classes: [~, null]}", ('"~"', '"null"')
    ),
    Manifest(
        "all.yaml",
        "all of a bucket whose requester pays",
        's3: {bucket: cams, prefix: "", requesterPays: true}',
        "{name: m}",
        _VALID,
    ),
    Manifest("none.yaml", "a bucket with neither key nor prefix", "s3: {bucket: cams}", "{name: m}", ("prefix",)),
    Manifest(
        "both.yaml",
        "all of a bucket, and one key",
        's3: {bucket: cams, key: a.mp4, prefix: ""}',
        "{name: m}",
        ("key", "prefix"),
    ),
)


def own_answers(folder: Path) -> list[Answer]:
    """Writes the project's own manifests there and asks the product."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_own(one, folder / one.name) for one in OWN]


def answers(folder: Path) -> list[Answer]:
    """What the product says of each manifest of a folder."""
    found = []
    for path in sorted(folder.glob("*.yaml")):
        first, *_ = path.read_text(encoding="utf-8").splitlines() or [""]
        found.append(Answer(path.name, first.removeprefix(_RIGHT), _validated(path)))
    return found


def _own(manifest: Manifest, path: Path) -> Answer:
    path.write_text(
        "apiVersion: videojob.dev/v1alpha1\nkind: VideoJob\nmetadata: {name: m}\nspec:\n  inputs:\n"
        f"    - {manifest.source}\n  model: {manifest.model}\n",
        encoding="utf-8",
    )
    said = _validated(path)
    expected = f"{manifest.what}: it says {' and '.join(manifest.words)}"
    return Answer(manifest.name, expected, said, all(word in said for word in manifest.words))


def _validated(path: Path) -> str:
    done = command("validate", path)
    lines = (done.stdout or done.stderr).replace(f"{path}:", "").replace(f"{path}", path.name).splitlines()
    return " / ".join(line.strip() for line in lines if line.strip())
