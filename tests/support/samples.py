"""The sample videos that scripts/samples installs."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).resolve().parents[2] / ".cache" / "samples"


def sample_path(name: str) -> Path:
    """Path of a sample.

    bikes.mp4 is 640x272 with 250 frames, bigbuckbunny.mp4 1280x720 with 132, carphone.mp4 176x144 with 120.
    """
    path = _FOLDER / name
    if not path.is_file():
        raise FileNotFoundError(f"no sample {name}: run `make setup` (or scripts/samples) first")
    return path
