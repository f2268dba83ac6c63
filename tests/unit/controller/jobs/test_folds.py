"""Folds one at a time in processes of their own: what becomes of each, however its process ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue

import pytest

from support.cluster.processes import wait_for
from support.decisions import a_head, a_job
from support.dynamodb import AWS_ENVIRONMENT
from support.results import run_record
from support.tree import ROOT
from videojob.controller.jobs.folds import FoldLimits, Folds
from videojob.controller.keys import JobKey
from videojob.errors import FoldFailed, ItemTooLarge, JobTooLarge, VideoJobError
from videojob.planning.throughput.learn import Served
from videojob.planning.throughput.measured import Quantity, Subject
from videojob.worker.fold.messages import (
    Folded,
    FoldRequest,
    answer_line,
    ended_from_line,
    request_from_line,
)
from videojob.worker.steps.finalise import FinalOutcome

KEY = ("team", "entrance")
DONE = Folded(FinalOutcome("PartiallyCompleted", "1 of 2 inputs failed", 40, "InputCorrupt"))
TAUGHT = Folded(DONE.outcome, {Subject(Quantity.REPLICA, "sha256:1", 9, "t4", "tensorrt", 16): ("yolo", (1.5, 2.0))})
FOREVER = (
    "import sys, threading; open(sys.argv[1], 'w').write(str(__import__('os').getpid())); threading.Event().wait()"
)


def a_request(epoch: int = 1, segments: int = 3) -> FoldRequest:
    run = replace(run_record("team.1", segments=segments), epoch=epoch)
    served = Served("sha256:1", "yolo", "tensorrt", "t4")
    return FoldRequest(a_job(), a_head(segments=segments), run, "results", "eu-central-1", served=served)


@dataclass
class Desk:
    """Folds whose processes run a line of Python; what wakes comes in order."""

    folds: Folds
    woken: SimpleQueue[JobKey] = field(default_factory=SimpleQueue)

    def ended(self, key: JobKey = KEY, epoch: int = 1, segments: int = 3) -> Folded | VideoJobError:
        """How a job's fold ends, asked for until it has."""
        assert self.folds.ask(key, a_request(epoch, segments)) is None
        assert self.woken.get(timeout=60) == key
        assert not self.folds.has(key)
        try:
            found = self.folds.ask(key, a_request(epoch, segments))
        except VideoJobError as error:
            return error
        assert found is not None
        return found


Open = Callable[..., Desk]


@pytest.fixture
def desk() -> Iterator[Open]:
    opened: list[Desk] = []

    def opens(code: str, *arguments: str, silent_s: float = 60.0) -> Desk:
        woken: SimpleQueue[JobKey] = SimpleQueue()
        limits = FoldLimits(silent_s=silent_s, command=(sys.executable, "-c", code, *arguments))
        opened.append(Desk(Folds(woken.put, limits), woken))
        return opened[-1]

    yield opens
    for one in opened:
        one.folds.close()
        assert one.folds.join(30)


def answers(ended: Folded | VideoJobError) -> str:
    return f"import sys; sys.stdin.readline(); sys.stdout.buffer.write({answer_line(ended)!r})"


@pytest.mark.parametrize("ended", [DONE, Folded(None), TAUGHT])
def test_what_a_fold_comes_to_is_told_once(desk: Open, ended: Folded) -> None:
    one = desk(answers(ended))
    assert one.ended() == ended
    assert one.ended() == ended, "asked again, it is folded again"


@pytest.mark.parametrize("error", [JobTooLarge("too much", uri="team.1"), ItemTooLarge("an item")])
def test_an_error_of_a_fold_is_its_jobs(desk: Open, error: VideoJobError) -> None:
    ended = desk(answers(error)).ended()
    assert isinstance(ended, VideoJobError)
    assert (type(ended), ended.as_dict()) == (type(error), error.as_dict())


def test_a_process_that_gets_on_may_take_longer_than_one_that_is_silent(desk: Open) -> None:
    code = f"""
import sys, time
for _ in range(8):
    sys.stdout.buffer.write(b'{{}}\\n'); sys.stdout.buffer.flush(); time.sleep(0.25)
sys.stdout.buffer.write({answer_line(DONE)!r})
"""
    assert desk(code, silent_s=1.5).ended() == DONE


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os.kill(os.getpid(), 9)", "was killed by signal 9"),
        ("raise SystemExit(3)", "ended with exit code 3"),
        ("print('nonsense', flush=True)", "JSONDecodeError"),
        (answers(VideoJobError("KeyError: 'x'")), "failed: KeyError: 'x'"),
    ],
    ids=["killed", "ended", "nonsense", "unexpected error"],
)
def test_a_fold_that_never_has_an_answer_is_tried_some_times_and_then_fails(
    desk: Open, tmp_path: Path, code: str, words: str
) -> None:
    tries = tmp_path / "tries"
    counted = f"open(__import__('sys').argv[1], 'a').write('x')\n{code}"
    ended = desk(counted, str(tries)).ended()
    assert isinstance(ended, FoldFailed)
    assert words in ended.message
    assert tries.read_text() == "xxx"


@pytest.mark.parametrize(("segments", "starts"), [(3, 1), (5000, 3)])
def test_a_process_goes_on_to_the_next_job_unless_it_has_folded_a_large_one(
    desk: Open, tmp_path: Path, segments: int, starts: int
) -> None:
    code = f"""
import sys
open(sys.argv[1], 'a').write('x')
for _ in sys.stdin.buffer:
    sys.stdout.buffer.write({answer_line(DONE)!r}); sys.stdout.buffer.flush()
"""
    one = desk(code, str(tmp_path / "starts"))
    for epoch in (1, 2, 3):
        assert one.ended(epoch=epoch, segments=segments) == DONE
    assert (tmp_path / "starts").read_text() == "x" * starts


def test_a_process_that_hangs_is_killed(desk: Open, tmp_path: Path) -> None:
    ended = desk(FOREVER, str(tmp_path / "pid"), silent_s=0.5).ended()
    assert isinstance(ended, FoldFailed)
    assert "made no progress for 0 s" in ended.message


def pid_in(path: Path) -> int:
    wait_for("the process", lambda: path.exists() and bool(path.read_text()), 60)
    return int(path.read_text())


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True  # just now


def test_one_fold_runs_at_a_time_and_the_fold_of_a_job_that_is_gone_is_killed(desk: Open, tmp_path: Path) -> None:
    code = """
import os, sys, threading
with open(sys.argv[1], 'x') as file:
    file.write(str(os.getpid()))
threading.Event().wait()
"""
    one = desk(code, str(tmp_path / "pid"))
    other = ("team", "other")
    assert one.folds.ask(KEY, a_request()) is None
    first = pid_in(tmp_path / "pid")
    assert one.folds.ask(other, a_request()) is None
    assert one.folds.ask(KEY, a_request()) is None, "asking again begins nothing"
    assert one.folds.has(KEY)
    assert one.folds.has(other)
    (tmp_path / "pid").unlink()
    one.folds.forget(KEY)
    wait_for("its end", lambda: is_gone(first), 30)
    second = pid_in(tmp_path / "pid")
    assert second != first
    assert not one.folds.has(KEY)
    (tmp_path / "pid").unlink()
    assert one.folds.ask(other, a_request(epoch=2)) is None, "a newer run takes the older one's place"
    wait_for("its end", lambda: is_gone(second), 30)
    assert pid_in(tmp_path / "pid") != second
    assert one.woken.empty()


def test_nothing_is_left_of_folds_that_are_closed(desk: Open, tmp_path: Path) -> None:
    one = desk(FOREVER, str(tmp_path / "pid"))
    one.folds.ask(KEY, a_request())
    pid = pid_in(tmp_path / "pid")
    with closing(one.folds):
        pass
    assert one.folds.join(30)
    assert is_gone(pid)
    assert one.woken.empty()


def test_request_and_answers_cross_the_pipe_as_they_are() -> None:
    request = a_request()
    assert request_from_line(request.encode()) == request
    kept = replace(request, retention_s=604_800)
    assert request_from_line(kept.encode()) == kept
    assert ended_from_line(b"{}\n") is None
    assert ended_from_line(answer_line(DONE)) == DONE
    with pytest.raises(ValueError, match="not an outcome"):
        ended_from_line(b'{"outcome": {"state": 1, "more": 2}}')


CONTROLLER = """
import sys, threading
sys.path.insert(0, sys.argv[1])
from support.decisions import a_head, a_job
from support.results import run_record
from videojob.controller.jobs.folds import Folds
from videojob.worker.fold.messages import FoldRequest
folds = Folds(lambda key: None)
request = FoldRequest(a_job(), a_head(segments=3), run_record("team.1"), "results", "eu-central-1")
folds.ask(("team", "entrance"), request)
while folds._in_hand is None or folds._in_hand.process is None:
    pass
print(folds._in_hand.process.pid, flush=True)
threading.Event().wait()
"""


def test_a_fold_does_not_outlive_its_controller() -> None:
    """The kernel ends the real process with whoever started it; its table takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as table:
        environment = os.environ | AWS_ENVIRONMENT
        environment["AWS_ENDPOINT_URL_DYNAMODB"] = f"http://127.0.0.1:{table.getsockname()[1]}"
        command = [sys.executable, "-c", CONTROLLER, str(ROOT / "tests")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as controller:
            try:
                assert controller.stdout is not None
                pid = int(controller.stdout.readline())
                table.settimeout(60)
                table.accept()[0].close()  # by now it has begun
                assert not is_gone(pid)
            finally:
                controller.kill()
        wait_for("its end", lambda: is_gone(pid), 30)
