"""Where a run's time went: who was busy, and what one frame waits for on its way.

Two different questions. Decoders, runners and the server work side by side, so their busy seconds add up to more than
the run took; the busiest sets the pace. A frame's own way is longer than its share of the work, since frames wait for
each other to fill a batch: that wait is the price of throughput, not a loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from videojob.results import words
from videojob.results.run_facts import RunFacts


@dataclass(frozen=True, slots=True)
class _Part:
    """One kind of work.

    Attributes:
        busy_s: seconds of work, waiting not counted; `lanes` of it run side by side.
        way_s: what one frame spends there on average, waiting for its batch counted.
    """

    name: str
    what: str
    busy_s: float
    lanes: int
    way_s: float


@dataclass(frozen=True, slots=True)
class PartRow:
    """One line of the table and its pieces of the two bars, widths in percent."""

    name: str
    what: str
    colour: int
    busy: str
    share: str
    busy_width: str
    utilisation: str
    way: str
    way_width: str


@dataclass(frozen=True, slots=True)
class Spent:
    """The whole section.

    Attributes:
        verdict: what set the pace, one sentence.
        busy_total, way_total: what the two bars add up to.
    """

    rows: tuple[PartRow, ...]
    verdict: str
    busy_total: str
    way_total: str
    wall: str


def spent_of(facts: RunFacts) -> Spent | None:
    """The section, or None when this run processed nothing."""
    if not facts.frames_selected or facts.wall_s <= 0:
        return None
    parts = _parts(facts)
    busy_s = sum(part.busy_s for part in parts)
    way_s = sum(part.way_s for part in parts)
    if not busy_s or not way_s:
        return None
    return Spent(
        rows=tuple(_row(part, colour, busy_s, way_s, facts.wall_s) for colour, part in enumerate(parts)),
        verdict=_verdict(parts, facts.wall_s),
        busy_total=words.duration(busy_s * 1000),
        way_total=words.duration(way_s * 1000),
        wall=words.duration(facts.wall_s * 1000),
    )


def _parts(facts: RunFacts) -> Sequence[_Part]:
    times, server = facts.timings, facts.statistics
    frames = facts.frames_selected
    inferred = max(1, facts.frames_inferred)
    requests = server.requests or server.inferences or 1
    compute_s = server.compute_input_s + server.compute_infer_s + server.compute_output_s
    # A batch's time is counted once per request in it; per execution it is time that the model really took.
    model_s = compute_s * server.executions / requests
    after_s = times.boxes_s + times.aggregate_s
    workers = max(1, facts.workers)
    return (
        _Part("Decode", "read, decode, scale", times.decode_s, workers, times.decode_s / frames),
        _Part("Prepare", "pixels for the model", times.prepare_s, workers, times.prepare_s / inferred),
        _Part("Transport", "frames to the server", times.transport_s, workers, times.transport_s / inferred),
        _Part("Queue", "waiting for a batch", 0.0, 1, server.queue_s / requests),
        _Part("Compute", "the model itself", model_s, max(1, facts.model_instances), compute_s / requests),
        _Part("Results", "boxes, windows", after_s, workers, after_s / frames),
    )


def _row(part: _Part, colour: int, busy_s: float, way_s: float, wall_s: float) -> PartRow:
    return PartRow(
        name=part.name,
        what=part.what,
        colour=colour,
        busy=words.duration(part.busy_s * 1000) if part.busy_s else words.DASH,
        share=words.percent(part.busy_s / busy_s) if part.busy_s else words.DASH,
        busy_width=f"{100 * part.busy_s / busy_s:.2f}",
        utilisation=words.percent(_utilisation(part, wall_s)) if part.busy_s else words.DASH,
        way=words.duration(part.way_s * 1000) if part.way_s else words.DASH,
        way_width=f"{100 * part.way_s / way_s:.2f}",
    )


def _utilisation(part: _Part, wall_s: float) -> float:
    return min(1.0, part.busy_s / (wall_s * part.lanes))


def _verdict(parts: Sequence[_Part], wall_s: float) -> str:
    pace = max(parts, key=lambda part: _utilisation(part, wall_s))
    busy = words.percent(_utilisation(pace, wall_s))
    if _utilisation(pace, wall_s) < 0.6:
        return f"No stage was busy for more than {busy} of the time: they waited for each other, or for the machine."
    advice = {
        "Decode": "fewer frames (sampling) or more cores would speed it up",
        "Compute": "a smaller model, fewer frames (sampling, gate) or an accelerator would speed it up",
    }
    tail = f"; {advice[pace.name]}" if pace.name in advice else ""
    return f"{pace.name} set the pace, busy {busy} of the time{tail}."
