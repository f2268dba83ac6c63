"""`videojob run VIDEO…`: a VideoJob made of the arguments, for whoever has no manifest yet.

The manifest that comes of it can be shown and kept: nothing is run that could not be written down.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml
from pydantic import ValidationError

from videojob.adapters.inputs.naming import looks_like_video
from videojob.api.loading.explain import explain
from videojob.api.text import MAX_NAME_LENGTH
from videojob.api.videojob import API_VERSION, KIND, VideoJob
from videojob.errors import UsageError
from videojob.local.models.paths import BUILT_IN_MODELS
from videojob.printable import printable

MANIFEST_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
ALL_FRAMES = "all"
DEFAULT_MODEL = BUILT_IN_MODELS[0]
DEFAULT_RATE = "2"
DEFAULT_THRESHOLD = "0.5"
_HEAD_BYTES = 4096
_FALLBACK_NAME = "videos"
_WITH_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_LIKE_A_SCHEME = re.compile(r"[A-Za-z0-9+.-]+:|subfile,")
_OPTIONS: dict[tuple[str | int, ...], str] = {
    ("metadata", "name"): "--name",
    ("spec", "model", "name"): "--model",
    ("spec", "model", "threshold"): "--threshold",
    ("spec", "sampling", "framesPerSecond"): "--fps",
}


@dataclass(frozen=True, slots=True)
class QuickOptions:
    """Options that a manifest has fields for; None where the command line has no word about it.

    Attributes:
        model: its name.
        frames_per_second: a decimal, or `ALL_FRAMES`.
        threshold: a decimal from 0 to 1.
        save: file to keep the manifest in.
        force: replace that file.
    """

    model: str | None = None
    frames_per_second: str | None = None
    threshold: str | None = None
    save: Path | None = None
    force: bool = False

    @property
    def given(self) -> list[str]:
        """Names of the options that were given."""
        values = {
            "--model": self.model,
            "--fps": self.frames_per_second,
            "--threshold": self.threshold,
            "--save": self.save,
            "--force": self.force or None,
        }
        return [name for name, value in values.items() if value is not None]

    def manifest(self, videos: Sequence[str], name: str | None, base: Path) -> dict[str, Any]:
        """The manifest as plain values.

        Args:
            videos: paths of videos and folders, and http, https and s3 addresses.
            name: of the job; None makes one of the first video's name.
            base: folder of the manifest, where its relative paths start; those of `videos` start at the current folder.

        Raises:
            UsageError: a video is not there, or its address is of a kind that is not read.
        """
        rate = self.frames_per_second or DEFAULT_RATE
        threshold = _decimal(self.threshold or DEFAULT_THRESHOLD)
        return {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": name or job_name(videos[0])},
            "spec": {
                "inputs": [_input(video, base) for video in videos],
                "model": {"name": self.model or DEFAULT_MODEL, "threshold": threshold},
                **({} if rate == ALL_FRAMES else {"sampling": {"framesPerSecond": _decimal(rate)}}),
            },
        }


def is_manifest(argument: str) -> bool:
    """Whether an argument is a manifest: by its extension, else because it is no video, folder or address.

    A pipe is a manifest, too, and so is a file that begins like one, whatever its name.
    """
    if _WITH_SCHEME.match(argument):
        return False
    path = Path(argument)
    if path.suffix.lower() in MANIFEST_SUFFIXES:
        return not path.is_dir()
    if path.is_fifo() or path.is_char_device():
        return True
    if looks_like_video(path.name) or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return b"apiVersion" in file.read(_HEAD_BYTES)
    except OSError:
        return False


def job_name(video: str) -> str:
    """A valid name for a job from a video's path or address: "/videos/Lobby 2.mp4" becomes "lobby-2"."""
    place = unquote(urlsplit(video).path) if _WITH_SCHEME.match(video) else str(Path(video).resolve())
    words = unicodedata.normalize("NFKD", PurePosixPath(place).stem.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", words).strip("-")[:MAX_NAME_LENGTH].rstrip("-") or _FALLBACK_NAME


def quick_job(manifest: Mapping[str, Any], videos: Sequence[str]) -> VideoJob:
    """The job of the manifest that was made of these videos.

    Raises:
        UsageError: an option or a video is not valid; names it.
    """
    try:
        return VideoJob.from_manifest(manifest)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        what, fix = explain(detail, VideoJob)
        raise UsageError(f"{_blamed(detail['loc'], videos)}: {what}", hint=fix) from error


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """The manifest as YAML."""
    return yaml.safe_dump(dict(manifest), sort_keys=False, allow_unicode=True, width=1000)


def save_manifest(text: str, path: Path, *, replace: bool) -> None:
    """Writes the manifest.

    Raises:
        UsageError: a file is there already, or the name is not that of a manifest.
        OSError: it cannot be written.
    """
    if path.suffix.lower() not in {".yaml", ".yml"}:
        raise UsageError(f"--save {path}: a manifest's name ends in .yaml", hint=f"Give --save {path}.yaml.")
    try:
        with path.open("w" if replace else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        hint = "Give --force to replace it, or another name. To run it as it is, give it without videos."
        raise UsageError(f"--save {path}: the file exists", hint=hint) from error


def _decimal(text: str) -> int | str:
    return int(text) if re.fullmatch(r"0|[1-9][0-9]{0,8}", text) else text


def _input(video: str, base: Path) -> dict[str, Any]:
    if not _WITH_SCHEME.match(video):
        return {"file": {"path": _path(video, base)}}
    address = urlsplit(video)
    if address.scheme in {"http", "https"}:
        return {"http": {"url": video}}
    if address.scheme != "s3":
        hint = "Give a path, or an http, https or s3 address."
        raise UsageError(f"{printable(video)}: videos cannot be read from {address.scheme}://", hint=hint)
    bucket, _, key = video.removeprefix("s3://").partition("/")
    return {"s3": {"bucket": bucket, ("key" if looks_like_video(key) else "prefix"): key}}


def _path(video: str, base: Path) -> str:
    """The path as a manifest in `base` writes it: relative where it can be, without "..", never like a protocol."""
    path = Path(video)
    if not path.exists():
        hint = "Give a manifest (.yaml), videos, folders, or http, https and s3 addresses."
        raise UsageError(f"there is no file {printable(video)}", hint=hint)
    if not path.is_absolute():
        start = Path.cwd()
        path = path if start == base and ".." not in path.parts else path.resolve()
        path = path.relative_to(base) if path.is_absolute() and path.is_relative_to(base) else path
    text = str(path)
    return f"./{text}" if _LIKE_A_SCHEME.match(text) else text


def _blamed(place: Sequence[str | int], videos: Sequence[str]) -> str:
    """The option or video that a field of the manifest came from."""
    match tuple(place):
        case ("spec", "inputs", int(number), *_):
            return printable(videos[number])
        case ("spec", "inputs", *_):
            return "the videos"
        case path:
            return _OPTIONS.get(path, printable(".".join(map(str, path))))
