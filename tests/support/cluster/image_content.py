"""What lies in an image's archive: its configuration, its files, and how much of it belongs to which package."""

from __future__ import annotations

import json
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MB = 1_000_000
SITE_PACKAGES = "site-packages"
BASE = "base image"
OTHERS = "smaller packages"
_LISTED_FROM_BYTES = 5 * MB
_CHUNK_BYTES = 1 << 20
_PACKAGES = {
    "av": "PyAV",
    "av.libs": "PyAV",
    "cv2": "OpenCV",
    "opencv_python_headless.libs": "OpenCV",
    "numpy": "NumPy",
    "numpy.libs": "NumPy",
    "grpc": "grpcio",
    "ml_dtypes": "ml-dtypes",
    "pydantic_core": "pydantic-core",
    "rapidjson": "python-rapidjson",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One part of the image, in bytes: as it lies on a node's disk, and as a registry keeps and sends it."""

    name: str
    unpacked_bytes: int
    gzip_bytes: int


@dataclass(frozen=True, slots=True)
class Image:
    """An archive of the kind docker-archive.

    Attributes:
        config: as the runtime reads it: User, Env, Entrypoint, Labels.
        layers: names of the layers inside the archive, the base's first.
        base_layers: how many of them are the base's.
    """

    archive: Path
    config: dict[str, Any]
    layers: tuple[str, ...]
    base_layers: int

    def files(self, *, own: bool = False) -> Iterator[tarfile.TarInfo]:
        """All entries, or those of the layers that the Dockerfile adds; names without a leading slash."""
        for layer in self.layers[self.base_layers if own else 0 :]:
            with self._opened(layer) as tar:
                yield from tar

    def rows(self, *, pack: bool = False) -> list[Row]:
        """The parts, the largest first, small packages together at the end; not packed, `gzip_bytes` are 0."""
        sizes: dict[str, _Sum] = {}
        for number, layer in enumerate(self.layers):
            with self._opened(layer) as tar:
                for entry in tar:
                    name = BASE if number < self.base_layers else part_of(entry.name)
                    sizes.setdefault(name, _Sum()).add(tar if pack else None, entry)
        rows = [one.row(name) for name, one in sizes.items()]
        listed = [row for row in rows if row.unpacked_bytes >= _LISTED_FROM_BYTES]
        small = [row for row in rows if row.unpacked_bytes < _LISTED_FROM_BYTES]
        listed.sort(key=lambda row: -row.unpacked_bytes)
        rest = Row(OTHERS, sum(row.unpacked_bytes for row in small), sum(row.gzip_bytes for row in small))
        return [*listed, rest]

    @contextmanager
    def _opened(self, layer: str) -> Iterator[tarfile.TarFile]:
        with tarfile.open(self.archive) as whole:
            file = whole.extractfile(layer)
            assert file is not None, layer
            with tarfile.open(fileobj=file) as tar:
                yield tar


class _Sum:
    def __init__(self) -> None:
        self._packer = zlib.compressobj(6, zlib.DEFLATED, 31)
        self._unpacked = self._packed = 0

    def add(self, tar: tarfile.TarFile | None, entry: tarfile.TarInfo) -> None:
        if not entry.isreg():
            return
        self._unpacked += entry.size
        if tar is None:
            return
        file = tar.extractfile(entry)
        assert file is not None, entry.name
        while chunk := file.read(_CHUNK_BYTES):
            self._packed += len(self._packer.compress(chunk))

    def row(self, name: str) -> Row:
        return Row(name, self._unpacked, self._packed and self._packed + len(self._packer.flush()))


def part_of(path: str) -> str:
    """The package that a file of the virtual environment belongs to, by its top name."""
    parts = path.split("/")
    if SITE_PACKAGES not in parts[:-1]:
        return OTHERS
    top = parts[parts.index(SITE_PACKAGES) + 1]
    name = top.split(".cpython")[0]
    return _PACKAGES.get(name, name)


def read_image(archive: Path) -> Image:
    """Of an archive whose base is one layer."""
    with tarfile.open(archive) as tar:
        (manifest,) = _json(tar, "manifest.json")
        config = _json(tar, manifest["Config"])["config"]
    return Image(archive, config, tuple(manifest["Layers"]), base_layers=1)


def _json(tar: tarfile.TarFile, name: str) -> Any:
    file = tar.extractfile(name)
    assert file is not None, name
    return json.load(file)
