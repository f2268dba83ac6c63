"""What was found against the truth: frames, times, boxes, gaps, notices, or the specific error. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bench.odd_videos.cases import Box, Case, Found, Interval, Refused, Shown, Verdict

_ROUNDING_MS = 1
"""Containers whose clock ticks in milliseconds round."""
_HEADED = 3
"""So many times or lines are named; of more only the number."""


def judge(case: Case, found: Found) -> Verdict:
    """One case's line of the table."""
    if isinstance(case.truth, Refused):
        return Verdict(case, _error_words(found), tuple(_refusal(case.truth, found)))
    if found.error is not None:
        return Verdict(case, _error_words(found), () if case.truth.may_be_refused else ("it was refused",))
    differences = [*_frames(case.truth, found), *_gaps(case.truth, found), *_notice(case.truth, found)]
    off_px = 0.0
    if case.truth.pictures is not None:
        off_px, wrong = _pictures(case.truth, found)
        differences += wrong
    if case.truth.presence is not None:
        off, wrong = _presence(case.truth.presence, found.presence, case.truth.tolerance_px)
        off_px = max(off_px, off)
        differences += wrong
    return Verdict(case, _found_words(case.truth, found, off_px), tuple(differences))


def _error_words(found: Found) -> str:
    if found.error is None:
        return f"{found.frames} frames, no error"
    reason, words = found.error
    return f"`{reason}`: {words}"


def _found_words(truth: Shown, found: Found, off_px: float) -> str:
    words = [f"{found.frames} frames"]
    if truth.presence is not None:
        words.append(f"{sum(map(len, found.presence.values()))} times of presence")
    if truth.presence is not None or truth.pictures is not None:
        words.append(f"boxes off by {off_px:.1f} px at most" if off_px else "boxes exact")
    words += [f"gap {gap.start_ms / 1000:.3f} to {gap.end_ms / 1000:.3f} s ({gap.reason})" for gap in found.gaps]
    words += [f"notice: {line}" for line in found.notices]
    return "; ".join(words)


def _refusal(truth: Refused, found: Found) -> Iterator[str]:
    if found.error is None:
        yield "it was not refused"
        return
    reason, words = found.error
    if truth.reason not in {None, reason}:
        yield f"the reason is not {truth.reason}"
    for one in truth.words:
        if one not in words:
            yield f"the error does not say: {one}"


def _frames(truth: Shown, found: Found) -> Iterator[str]:
    # Of damaged files whose pictures are known, each is compared.
    if (truth.pictures is None or not truth.has_gaps) and found.frames != truth.frames:
        yield f"{found.frames} frames, not {truth.frames}"
    if not found.frames:
        yield "no frame counts"


def _gaps(truth: Shown, found: Found) -> Iterator[str]:
    if found.gaps and not truth.has_gaps:
        yield "there is a gap where nothing is lost"
    if truth.has_gaps and not found.gaps:
        yield "no gap is named"


def _notice(truth: Shown, found: Found) -> Iterator[str]:
    if truth.notice and not any(truth.notice in line for line in found.notices):
        yield f"no notice says: {truth.notice}"


def _pictures(truth: Shown, found: Found) -> tuple[float, list[str]]:
    """How far the boxes are off at most, and each kind of difference."""
    pictures = truth.pictures or {}
    unknown, wrong, off_px = [], [], 0.0
    matched: set[int] = set()
    for time_ms, boxes in found.boxes.items():
        own = next((pictures_ms for pictures_ms in _near(time_ms) if pictures_ms in pictures), None)
        if own is None:
            unknown.append(time_ms)
            continue
        matched.add(own)
        if set(boxes) != set(pictures[own]):
            wrong.append(time_ms)
            continue
        off = max(_off_px(boxes[label], pictures[own][label]) for label in boxes)
        off_px = max(off_px, off)
        if off > truth.tolerance_px:
            wrong.append(time_ms)
    lost = [time_ms for time_ms in pictures if time_ms not in matched]
    silent = [time_ms for time_ms in lost if not _in_gap(time_ms, found)] if truth.has_gaps else lost
    counted_in_gap = [
        time_ms for time_ms in found.boxes if any(gap.start_ms <= time_ms < gap.end_ms for gap in found.gaps)
    ]
    lines = {
        "pictures at times that none has": unknown,
        "pictures with other boxes": wrong,
        "pictures that are lost in silence": silent,
        "pictures that count inside a gap": counted_in_gap,
    }
    return off_px, [f"{len(times)} {what}: {_some(times)}" for what, times in lines.items() if times]


def _near(time_ms: int) -> Iterator[int]:
    yield from sorted(range(time_ms - _ROUNDING_MS, time_ms + _ROUNDING_MS + 1), key=lambda one: abs(one - time_ms))


def _in_gap(time_ms: int, found: Found) -> bool:
    return any(gap.start_ms - _ROUNDING_MS <= time_ms < gap.end_ms + _ROUNDING_MS for gap in found.gaps)


def _presence(
    truth: Mapping[str, tuple[Interval, ...]], found: Mapping[str, tuple[Interval, ...]], tolerance_px: float
) -> tuple[float, list[str]]:
    differences, off_px = [], 0.0
    for label in sorted({*truth, *found}):
        expected, got = truth.get(label, ()), found.get(label, ())
        if len(expected) != len(got):
            differences.append(f"{label} is present {len(got)} times, not {len(expected)}")
            continue
        for right, one in zip(expected, got, strict=True):
            times = abs(right.first_ms - one.first_ms), abs(right.last_ms - one.last_ms)
            if max(times) > _ROUNDING_MS:
                differences.append(
                    f"{label} from {one.first_ms} to {one.last_ms} ms, not {right.first_ms} to {right.last_ms}"
                )
            off = _shape_off_px(right, one.box)
            off_px = max(off_px, off)
            if off > tolerance_px:
                differences.append(f"{label} at {one.box}, not {right.box or 'a square'}")
    return off_px, differences


def _shape_off_px(truth: Interval, box: Box | None) -> float:
    if box is None:
        return 0.0
    if truth.is_square:
        x_min, y_min, x_max, y_max = box
        return abs((x_max - x_min) - (y_max - y_min))
    return _off_px(box, truth.box) if truth.box else 0.0


def _off_px(one: Box, other: Box) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _some(times: list[int]) -> str:
    shown = ", ".join(f"{time_ms} ms" for time_ms in sorted(times)[:_HEADED])
    return shown if len(times) <= _HEADED else f"{shown}, ..."
