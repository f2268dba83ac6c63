"""`videojob run` with a video on a web server that is away: at first, to the end, and when everything was done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.command import manifest
from support.http_server import FileServer, Page, file_server
from support.inputs import loopback_http
from support.samples import sample_path
from videojob.adapters.clock import SystemClock
from videojob.adapters.sqlite.sink import SqliteSink
from videojob.api.loading.load import load_manifests
from videojob.local.pool import StopRequest
from videojob.local.run import LocalRun
from videojob.local.run_types import JobPlan, RunOptions, RunOutcome, RunProgress, SinkConfig
from videojob.local.triton.server import EmbeddedTriton
from videojob.worker.steps.inputs import InputResolver

AWAY = 503
PATH = "/web.mp4"


@dataclass
class Said:
    """A `RunObserver` that remembers."""

    notices: list[str] = field(default_factory=list)

    def stage(self, text: str) -> None: ...

    def planned(self, plan: JobPlan) -> None: ...

    def progress(self, progress: RunProgress) -> None: ...

    def notice(self, text: str) -> None:
        self.notices.append(text)


@dataclass
class Laptop:
    """Runs one job; the server is back after so many pauses."""

    folder: Path
    web: FileServer
    triton: EmbeddedTriton
    paused_s: list[float] = field(default_factory=list)
    said: Said = field(default_factory=Said)

    def run(self, output: str = "out", *, back_after: int | None = None, only_web: bool = False) -> RunOutcome:
        web = {"http": {"url": self.web.url.replace("127.0.0.1", "web.example") + PATH}}
        files = [{"file": {"path": str(sample_path(name))}} for name in ("carphone.mp4", "bikes.mp4")]
        listed = [web] if only_web else [files[0], web, files[1]]
        job = manifest(self.folder, inputs=listed, backoffLimit=2, sampling={"framesPerSecond": "0.5"})
        out = self.folder / output
        out.mkdir(exist_ok=True)
        options = RunOptions(
            self.folder,
            out,
            SinkConfig("sqlite", out / "results.sqlite3"),
            triton_url=self.triton.grpc_address,
            workers=1,
        )
        self.paused_s.clear()

        def pause(seconds: float) -> None:
            self.paused_s.append(seconds)
            if back_after is not None and len(self.paused_s) >= back_after:
                self.back()

        with loopback_http() as http:
            return LocalRun(
                load_manifests(job)[0],
                options,
                self.said,
                StopRequest(),
                SystemClock(),
                inputs=lambda manifests, cache: InputResolver(manifests, cache, http=http),
                pause=pause,
            ).run()

    def leave(self) -> None:
        self.web.pages[PATH].statuses.extend([AWAY] * 1000)

    def back(self) -> None:
        self.web.pages[PATH].statuses.clear()


@pytest.fixture
def laptop(tmp_path: Path, face_server: EmbeddedTriton) -> Iterator[Laptop]:
    with file_server() as web:
        web.pages[PATH] = Page(sample_path("carphone.mp4").read_bytes())
        laptop = Laptop(tmp_path, web, face_server)
        laptop.leave()
        yield laptop


def reasons(outcome: RunOutcome) -> list[tuple[int, str]]:
    return [(video.video, "" if video.error is None else video.error.reason) for video in outcome.failed]


def test_a_video_that_is_away_at_first_is_asked_for_again_and_is_in_the_results(laptop: Laptop) -> None:
    outcome = laptop.run(back_after=2)
    assert (outcome.state, outcome.segments_run, reasons(outcome)) == ("Completed", 3, [])
    assert laptop.paused_s == [10, 20]
    assert laptop.said.notices[0].startswith("http://web.example")
    assert "InputUnavailable, retried in 10 s" in laptop.said.notices[0]


def test_a_video_that_stays_away_is_given_up_and_a_rerun_takes_it_up_with_the_others_kept(laptop: Laptop) -> None:
    outcome = laptop.run()
    assert (outcome.state, outcome.segments_run, reasons(outcome)) == (
        "PartiallyCompleted",
        2,
        [(1, "InputUnavailable")],
    )
    assert laptop.paused_s == [10, 20]
    assert "it was retried" in str(outcome.failed[0].error)
    assert outcome.report is not None
    still = laptop.run()
    assert (still.state, still.summary, still.segments_run) == ("PartiallyCompleted", outcome.summary, 0)
    laptop.back()
    whole = laptop.run()
    assert (whole.state, whole.segments_run, whole.segments_kept) == ("Completed", 1, 2)
    assert whole.summary == laptop.run("undisturbed").summary


def test_a_job_whose_videos_are_all_away_fails_with_that_reason_and_begins_nothing(laptop: Laptop) -> None:
    outcome = laptop.run(only_web=True)
    assert (outcome.state, outcome.run, reasons(outcome)) == ("Failed", None, [(0, "InputUnavailable")])
    assert outcome.error is not None
    assert (outcome.error.reason, outcome.error.retryable) == ("InputUnavailable", True)


def test_results_that_have_a_video_are_not_replaced_by_others_without_it(laptop: Laptop) -> None:
    laptop.back()
    done = laptop.run()
    laptop.leave()
    outcome = laptop.run()
    assert (outcome.state, outcome.run, reasons(outcome)) == ("Failed", None, [(1, "InputUnavailable")])
    assert "an earlier run has results of a video that cannot be read now" in laptop.said.notices[-1]
    with closing(SqliteSink(laptop.folder / "out" / "results.sqlite3")) as sink:
        (run,) = sink.runs()
        assert sink.summary(run.uid) == done.summary
