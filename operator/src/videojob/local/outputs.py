"""Where a run's per-frame files lie, which of them a segment must have, and what is made of them at the end.

    <output>/detections/<run>/video-0000/seg-000000.parquet
    <output>/preview-<mode>/<run>/video-0000/seg-000000.mp4
    <output>/preview-<mode>/<run>/video-0000.mp4               a video's segments joined

`<run>` is the epoch with the start of the plan's digest, as `epoch-2-1c9d0f3a`: files of another plan never lie in it,
not even when the result store was deleted or changed in between. What lies under the name of a segment is complete
(`adapters.files.part_file`), so that its being there says that the segment has it.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from videojob.adapters.files.preview import PreviewMode, join_previews
from videojob.errors import SinkError
from videojob.local.run_types import JobPlan
from videojob.results.aggregate.segment_results import RunRecord
from videojob.video.info import Segment
from videojob.worker.segment.task import VideoPlan

_DIGEST_DIGITS = 8  # of the plan's: enough to tell the plans of one job apart
_MOST_NAMED = 3  # places in one notice; a person needs no longer list to know where to look


@dataclass(frozen=True, slots=True)
class OutputConfig:
    """Which per-frame outputs are wanted; picklable.

    Attributes:
        folder: the job's output folder.
        detections: a Parquet file per segment.
        preview: how previews look; None makes none.
    """

    folder: Path
    detections: bool = False
    preview: PreviewMode | None = None

    def detections_folder(self, run: RunRecord) -> Path | None:
        """All detections of a run; None when they are not wanted."""
        return self.folder / "detections" / run_folder(run) if self.detections else None

    def preview_folder(self, run: RunRecord) -> Path | None:
        """All previews of a run; None when they are not wanted."""
        return None if self.preview is None else self.folder / f"preview-{self.preview}" / run_folder(run)

    def detections_file(self, run: RunRecord, segment: Segment) -> Path | None:
        """One segment's detections; None when they are not wanted."""
        return _segment_file(self.detections_folder(run), segment, ".parquet")

    def preview_file(self, run: RunRecord, segment: Segment) -> Path | None:
        """One segment's preview; None when it is not wanted."""
        return _segment_file(self.preview_folder(run), segment, ".mp4")

    def lacking(self, plan: JobPlan) -> frozenset[int]:
        """Committed segments without a file that is wanted: it was not asked for then, or is lost."""
        return frozenset(
            segment.index
            for segment in plan.segments
            if segment.index in plan.committed and not self.is_complete(plan.run, segment)
        )

    def is_complete(self, run: RunRecord, segment: Segment) -> bool:
        """Whether every file that is wanted of a segment is there."""
        expected = (self.detections_file(run, segment), self.preview_file(run, segment))
        return all(path is None or _is_there(path) for path in expected)


def _is_there(path: Path) -> bool:
    """Also False where nobody may look: who writes there next gets the error, with the file's name in it."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def run_folder(run: RunRecord) -> str:
    """The name of the folders that hold one plan's files and no other's."""
    return f"epoch-{run.epoch}-{run.plan_digest[:_DIGEST_DIGITS]}"


def video_name(video: int) -> str:
    """Of a video's folder and of its joined preview; sorts in the manifest's order."""
    return f"video-{video:04d}"


def _segment_file(folder: Path | None, segment: Segment, suffix: str) -> Path | None:
    if folder is None:
        return None
    return folder / video_name(segment.video) / f"seg-{segment.index:06d}{suffix}"


def finish_outputs(
    outputs: OutputConfig, plan: JobPlan, failed: Collection[VideoPlan], notice: Callable[[str], None]
) -> None:
    """Joins previews and says what a person should know of the files. The results stand already: nothing is raised.

    Args:
        outputs: what was wanted.
        plan: of the run that ended.
        failed: videos that are not in the results; theirs are not joined.
        notice: notified of every file that could not be made, and of files that other plans left.
    """
    try:
        _finish(outputs, plan, {video.video for video in failed}, notice)
    except OSError as error:
        notice(f"the folders of per-frame files cannot be read: {error}")


def _finish(outputs: OutputConfig, plan: JobPlan, left_out: Collection[int], notice: Callable[[str], None]) -> None:
    for video in plan.videos:
        segments = [segment for segment in plan.segments if segment.video == video.video]
        if video.video in left_out or not segments:
            continue
        lacking = [str(segment.index) for segment in segments if not outputs.is_complete(plan.run, segment)]
        if lacking:
            notice(f"files of {video.uri} are missing: results differ from the stored ones in segment {_some(lacking)}")
        else:
            _join(outputs, plan.run, segments, notice)
    _tell_of_others(outputs, plan.run, notice)


def _join(outputs: OutputConfig, run: RunRecord, segments: Sequence[Segment], notice: Callable[[str], None]) -> None:
    folder = outputs.preview_folder(run)
    parts = [path for segment in segments if (path := outputs.preview_file(run, segment)) is not None]
    if folder is None:
        return
    try:
        join_previews(parts, folder / f"{video_name(segments[0].video)}.mp4")
    except SinkError as error:
        notice(f"the preview could not be joined into one file; its segments are kept. {error}")


def _tell_of_others(outputs: OutputConfig, run: RunRecord, notice: Callable[[str], None]) -> None:
    """Files of earlier plans are the user's to remove; faces that are not blurred may be among them."""
    current = {outputs.detections_folder(run), outputs.preview_folder(run)} - {None}
    if not current:
        return
    found = [*outputs.folder.glob("detections/epoch-*"), *outputs.folder.glob("preview-*/epoch-*")]
    others = [str(folder) for folder in sorted(found) if folder.is_dir() and folder not in current]
    if others:
        notice(f"files of earlier plans or of another preview mode are still there: {_some(others)}")


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
