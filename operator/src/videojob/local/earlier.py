"""What earlier plans of a job on this machine left that the present one can use: the segments that both have.

Each epoch's plan is kept as text in the output folder, `plans/`. Nothing depends on these files: without them a changed
plan begins with nothing, as it does where model or settings changed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from videojob.errors import SinkError, SinkUnavailable
from videojob.local.run_types import SinkConfig
from videojob.ports.results import Sink
from videojob.results.aggregate.segment_results import RunRecord, SegmentCommit
from videojob.results.stored.codec import digest
from videojob.video.carry_over import NewPlace, carried
from videojob.video.identity import digest_of

FOLDER = "plans"
_MOST_KEPT = 8
_KEY_DIGITS = 16


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """An epoch with the text of its plan."""

    run: RunRecord
    text: str


@dataclass(frozen=True, slots=True)
class EarlierPlans:
    """The plans of one job's epochs in one store.

    Attributes:
        output: folder of the run.
        sink: where the results are; another store has other epochs.
        notice: called with a sentence that a person should know.
    """

    output: Path
    sink: SinkConfig
    notice: Callable[[str], None]

    def keep(self, run: RunRecord, text: str) -> None:
        """Remembers the plan of a run that has begun, and forgets those that are too old or of a store that is gone."""
        path = self._path(run)
        kept = self._read(path) if path.exists() else None
        try:
            if kept is None or kept.text != text:
                path.parent.mkdir(parents=True, exist_ok=True)
                part = path.with_suffix(f".{os.getpid()}.part")
                part.write_text(json.dumps({"run": asdict(run), "plan": text}), encoding="utf-8")
                part.replace(path)
            for epoch, old in self._files(run).items():
                if epoch > run.epoch or epoch <= run.epoch - _MOST_KEPT:
                    old.unlink(missing_ok=True)
        except OSError as error:
            self.notice(f"the plan cannot be stored, so a changed plan will start without finished segments: {error}")

    def before(self, run: RunRecord, newest: RunRecord | None) -> Iterator[KeptPlan]:
        """Plans of the epochs before `run`, the newest first.

        Args:
            run: as it was begun.
            newest: the job's epoch in the store before that; a plan that it does not bear out is of another store.
        """
        if newest is None:
            return
        for epoch, path in sorted(self._files(run).items(), reverse=True):
            kept = self._read(path)
            if kept is None or kept.run.uid != run.uid or epoch >= run.epoch or epoch > newest.epoch:
                continue
            if epoch == newest.epoch and kept.run.plan_digest != newest.plan_digest:
                return
            yield kept

    def _path(self, run: RunRecord) -> Path:
        place = self.sink.path.name if self.sink.path is not None else self.sink.table
        names = [self.sink.kind, str(place), str(self.sink.region), str(self.sink.endpoint_url), run.uid]
        key = hashlib.sha256("\n".join(names).encode()).hexdigest()[:_KEY_DIGITS]
        return self.output / FOLDER / f"{key}-{run.epoch}.json"

    def _files(self, run: RunRecord) -> dict[int, Path]:
        key = self._path(run).name.partition("-")[0]
        found = self._path(run).parent.glob(f"{key}-*.json")
        return {int(path.stem.partition("-")[2]): path for path in found if path.stem.partition("-")[2].isdigit()}

    def _read(self, path: Path) -> KeptPlan | None:
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            kept = KeptPlan(RunRecord(**values["run"]), str(values["plan"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.notice(f"an earlier plan at {path} cannot be read and is not used: {type(error).__name__}: {error}")
            return None
        return kept if digest_of(kept.text) == kept.run.plan_digest else None

    def take_over(self, sink: Sink, run: RunRecord, text: str, newest: RunRecord | None) -> None:
        """Commits under `run` what earlier epochs have of its segments.

        Raises:
            SinkUnavailable, StaleEpoch: the store does not answer, or another run owns the job.
        """
        lacking = set(range(run.segments)) - sink.committed(run)
        taken = 0
        for kept in self.before(run, newest):
            places = {old: new for old, new in carried(kept.text, text).items() if new.segment in lacking}
            if not places:
                continue
            for commit in self._stored(sink, kept.run):
                place = places.get(commit.result.segment)
                if place is not None:
                    sink.commit(run, _moved(commit, place))
                    lacking.remove(place.segment)
                    taken += 1
        if taken:
            self.notice(f"{taken} finished segments of an earlier plan are reused")

    def _stored(self, sink: Sink, run: RunRecord) -> Iterator[SegmentCommit]:
        try:
            yield from sink.commits(run)
        except SinkUnavailable:
            raise
        except SinkError as error:
            self.notice(f"results of an earlier plan cannot be used: {error}")


def _moved(commit: SegmentCommit, place: NewPlace) -> SegmentCommit:
    result = replace(commit.result, segment=place.segment, video=place.video)
    return replace(commit, result=result, digest=digest(result))
