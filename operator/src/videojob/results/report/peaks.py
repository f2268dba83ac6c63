"""Which moments are worth a picture."""

from __future__ import annotations

from videojob.results.aggregate.segment_results import Presence
from videojob.results.aggregate.summary import Summary, class_label
from videojob.results.report.content import Peak


def choose_peaks(summary: Summary, limit: int = 12) -> tuple[Peak, ...]:
    """The best peaks, every class of every video in turn, so that a frequent class cannot crowd out a rare one.

    Args:
        summary: with the presence intervals.
        limit: how many at most.

    Returns:
        Peaks by video, then time.
    """
    queues: list[list[Peak]] = []
    for video in summary.videos:
        by_class: dict[int, list[Presence]] = {}
        for span in video.presence:
            by_class.setdefault(span.class_id, []).append(span)
        for _, spans in sorted(by_class.items()):
            best_first = sorted(spans, key=lambda span: (-span.peak_score_ppm, span.peak_ms))
            queues.append([_peak(summary, video.video, span) for span in best_first[:limit]])
    chosen: list[Peak] = []
    for turn in range(limit):
        round_of = sorted((queue[turn] for queue in queues if turn < len(queue)), key=lambda peak: -peak.score_ppm)
        chosen += round_of[: limit - len(chosen)]
    return tuple(sorted(chosen, key=lambda peak: (peak.video, peak.time_ms, peak.class_id)))


def _peak(summary: Summary, video: int, span: Presence) -> Peak:
    label = class_label(summary.identity.labels, span.class_id)
    return Peak(video, span.class_id, label, span.peak_ms, span.peak_score_ppm, span.peak_box)
