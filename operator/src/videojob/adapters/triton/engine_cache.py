"""Built TensorRT engines on a volume that replicas share: what is there is whole, or it is not there.

ONNX Runtime writes an engine in place, and a file that a killed server left half written fails every later load. So a
server writes into a folder of its own pod, and never sees the volume. What it built is published when it is ready:

- each file under a name that begins with the hash of its content, by a rename;
- then `set.json`, which names the files and their hashes, by a rename: the moment from which they count.

One replica builds while the others wait: who made `building` and marks it again and again. That is a matter of cost
alone. Two that build at once, because a clock or a network stood still, publish the same set twice.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from videojob.adapters.triton.model_repository import file_sha256

_LOG = logging.getLogger(__name__)
SET_NAME = "set.json"
BUILDING_NAME = "building"
STALE_S = 120.0
"""A builder that has not marked its claim for so long is gone."""
_HASH_DIGITS = 16
_PART = ".part"


@dataclass(frozen=True, slots=True)
class EngineCache:
    """One set of engines, and this pod's copy of it.

    Attributes:
        shared: folder of the set on the volume; made when it does not exist.
        local: folder that this pod's server reads and writes.
        holder: names this pod in the claim to build.
    """

    shared: Path
    local: Path
    holder: str

    @property
    def finished(self) -> Path:
        """Folder of marks, one for each file in `local` that is whole."""
        return self.local.parent / ".finished"

    def take(self) -> int:
        """Copies what is published into this pod, each file checked against its hash.

        What does not match is removed from the volume, so that it fails no other server.

        Returns:
            How many files there are now; 0 when nothing usable is published.

        Raises:
            OSError: the volume or the pod's folder cannot be used.
        """
        self._make_folders()
        published = self._published()
        for name, digest in published.items():
            source, place = self.shared / _stored_name(name, digest), self.local / name
            try:
                shutil.copyfile(source, place)
            except FileNotFoundError:
                return self._spoilt(source, place, "is missing")
            if file_sha256(place) != digest:
                return self._spoilt(source, place, "differs from what was published")
            (self.finished / name).touch()
        return len(published)

    def claim(self) -> bool:
        """Whether this pod may build; a claim that nobody marks any more is taken over."""
        self._make_folders()
        building = self.shared / BUILDING_NAME
        if self._age_s(building) > STALE_S:
            _LOG.warning("a replica stopped building engines, its claim is taken over")
            building.unlink(missing_ok=True)
        try:
            with building.open("x", encoding="utf-8") as file:
                file.write(self.holder)
        except FileExistsError:
            return self._holds(building)
        return True

    def mark(self) -> None:
        """Shows that this pod still builds; nothing when the claim is another's."""
        building = self.shared / BUILDING_NAME
        if self._holds(building):
            with contextlib.suppress(FileNotFoundError):
                os.utime(building)

    def release(self) -> None:
        """Gives up this pod's claim, when it has it."""
        building = self.shared / BUILDING_NAME
        if self._holds(building):
            building.unlink(missing_ok=True)

    def publish(self) -> int:
        """Publishes what the server of this pod has built; for a server that is ready, whose files are whole.

        Returns:
            How many files are new.

        Raises:
            OSError: the volume or the pod's folder cannot be used.
        """
        self._make_folders()
        known = self._published()
        found = {path.name: file_sha256(path) for path in sorted(self.local.iterdir()) if path.is_file()}
        for name in found:
            (self.finished / name).touch()
        new = {name: digest for name, digest in found.items() if known.get(name) != digest}
        for name, digest in new.items():
            with (self.local / name).open("rb") as source:
                self._write(_stored_name(name, digest), source)
        if new:
            files = known | found
            self._write(SET_NAME, BytesIO(json.dumps({"files": files}, sort_keys=True).encode()))
            self._sweep({_stored_name(name, digest) for name, digest in files.items()})
        return len(new)

    def _make_folders(self) -> None:
        for folder in (self.shared, self.local, self.finished):
            folder.mkdir(parents=True, exist_ok=True)

    def _published(self) -> dict[str, str]:
        """Names and hashes of the set; empty when there is none, or none that can be read."""
        path = self.shared / SET_NAME
        try:
            files = json.loads(path.read_text(encoding="utf-8"))["files"]
            return {str(name): str(digest) for name, digest in files.items() if "/" not in name}
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            _LOG.warning("a set of engines cannot be read and was removed", extra={"error": str(error)})
            path.unlink(missing_ok=True)
            return {}

    def _spoilt(self, source: Path, place: Path, words: str) -> int:
        _LOG.warning(
            "an engine on the volume is unusable, the set was removed", extra={"file": source.name, "why": words}
        )
        (self.shared / SET_NAME).unlink(missing_ok=True)
        source.unlink(missing_ok=True)
        for path in (place, *self.finished.iterdir(), *self.local.iterdir()):
            path.unlink(missing_ok=True)
        return 0

    def _write(self, name: str, content: BinaryIO) -> None:
        part = self.shared / f".{name}-{uuid4().hex}{_PART}"
        try:
            with part.open("wb") as file:
                shutil.copyfileobj(content, file)
                file.flush()
                os.fsync(file.fileno())
            part.rename(self.shared / name)
        finally:
            part.unlink(missing_ok=True)

    def _sweep(self, named: set[str]) -> None:
        """Removes what no set names and nobody has touched lately: earlier sets, parts of servers that were killed."""
        for path in self.shared.iterdir():
            if path.name not in {SET_NAME, BUILDING_NAME, *named} and self._age_s(path) > STALE_S:
                path.unlink(missing_ok=True)

    def _holds(self, building: Path) -> bool:
        try:
            return building.read_text(encoding="utf-8") == self.holder
        except FileNotFoundError:
            return False

    def _age_s(self, path: Path) -> float:
        """Seconds since a file was touched, by the volume's own clock; 0 for one that is not there."""
        probe = self.shared / f".clock-{uuid4().hex}{_PART}"
        probe.touch()
        try:
            return probe.stat().st_mtime - path.stat().st_mtime
        except FileNotFoundError:
            return 0.0
        finally:
            probe.unlink(missing_ok=True)


def _stored_name(name: str, digest: str) -> str:
    return f"{digest[:_HASH_DIGITS]}-{name}"
