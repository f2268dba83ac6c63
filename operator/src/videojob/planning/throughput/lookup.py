"""What a plan asks the catalogue of speeds. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from videojob.planning.cost.instance_types import InstanceType
from videojob.planning.throughput.rate import ColdStart, Figure


@dataclass(frozen=True, slots=True)
class ModelOnHardware:
    """Whose speed is asked for.

    Attributes:
        model: its name. digest: of its files, which its measurements are kept under.
        input_pixels: width times height of the model's input.
        backend: as the installation's variant names it.
        installed_frames_per_s: what the installation's values say of one replica; 0 when they say nothing.
        installed_hardware: the GPU model or CPU family that they say it of; "" for a T4, or vCPUs of c7i.
        replica_cpus: vCPUs of one replica on CPUs; 0 on a GPU.
        installed_start_s: what the installation's values say of a start from zero; 0 when they say nothing.
        keeps_engines: built engines are kept on a volume, so that a start has to build none.
    """

    model: str
    digest: str
    input_pixels: int
    backend: str
    installed_frames_per_s: float = 0.0
    replica_cpus: float = 0.0
    installed_hardware: str = ""
    installed_start_s: float = 0.0
    keeps_engines: bool = False


@dataclass(frozen=True, slots=True)
class VideoKind:
    """What decoding costs, as far as it depends on the video.

    Attributes:
        codec: FFmpeg's name. pixels: of one picture as it is stored.
        keyframes_only: whether only these are decoded.
        sent_pixels: of the model's input, as each frame is sent to it; 0 leaves sending out.
    """

    codec: str
    pixels: int
    keyframes_only: bool = False
    sent_pixels: int = 0


class Speeds(Protocol):
    """The catalogue of speeds, for one reconcile or one estimate.

    Of an instance type, only its family, its GPU's model and whether it has a whole GPU count.
    """

    def replica(self, model: ModelOnHardware, hardware: InstanceType) -> Figure | None:
        """Frames per second of one replica on that hardware; None when nothing tells, not even by extrapolation."""
        ...

    def decode(self, video: VideoKind, hardware: InstanceType) -> Figure:
        """Frames per second that one vCPU decodes, resizes and, where `sent_pixels` says of what size, sends."""
        ...

    def start(self, model: ModelOnHardware, hardware: InstanceType) -> ColdStart:
        """How long a server's first answer takes on a node that is not there yet."""
        ...
