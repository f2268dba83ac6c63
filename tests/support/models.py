"""The built model repository, made once for all tests."""

from __future__ import annotations

import functools
from pathlib import Path

from videojob.local.models.build import build

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def built_repository() -> Path:
    """A repository with `face_detector`, weights included; built at the first call, kept between test runs."""
    repository = ROOT / ".cache" / "models"
    build("face_detector", repository)
    return repository
