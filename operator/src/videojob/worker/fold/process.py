"""The process that folds jobs: `python -P -m videojob.worker.fold.process PARENT_PID MEMORY_BYTES`.

Started by `controller.jobs.folds` only: in the controller's pod, with its rights, and in memory that cannot
grow into the controller's. It reads requests from stdin, folds one job after the other, and answers on stdout (see
`worker.fold.messages`). Killed at any moment, it leaves nothing behind that counts: one conditional transaction stores
the summary.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time

from videojob.adapters.aws.dynamodb.calls import RetryPolicy
from videojob.adapters.aws.dynamodb.job_store import DynamoDbJobStore
from videojob.adapters.aws.dynamodb.sink import DynamoDbSettings
from videojob.errors import JobTooLarge, VideoJobError
from videojob.media.sandbox.restrict import die_with_parent, limit_heap
from videojob.video.identity import run_settings
from videojob.worker.fold.messages import PROGRESS, Folded, FoldRequest, answer_line, request_from_line
from videojob.worker.process.control import ignore_stop_signals, keep_memory_private
from videojob.worker.process.logs import log_json
from videojob.worker.segment.task import unexpected
from videojob.worker.steps.finalise import finalise_run
from videojob.worker.steps.learning import Lesson

_LOG = logging.getLogger(__name__)
_NICE = 3  # the controller and its watches come first
_TELL_EVERY_S = 1.0
_STORE_PATIENCE_S = 60.0


def main() -> None:
    """Folds what stdin asks for, until it ends."""
    parent_pid, memory_bytes = map(int, sys.argv[1:])
    die_with_parent(parent_pid)
    ignore_stop_signals()
    keep_memory_private()
    os.nice(_NICE)
    limit_heap(memory_bytes)
    for line in sys.stdin.buffer:
        request = request_from_line(line)
        metadata = request.job.metadata
        log_json({"component": "fold", "namespace": metadata.namespace, "job": metadata.name})
        _tell(answer_line(_ended(request, memory_bytes)))


def _ended(request: FoldRequest, memory_bytes: int) -> Folded | VideoJobError:
    try:
        return _folded(request)
    except VideoJobError as error:
        return error
    except MemoryError:
        return JobTooLarge(
            f"the summary of {request.head.segments} segments cannot be made in {memory_bytes >> 20} MiB of memory:"
            " they show too many appearances",
            uri=request.run.uid,
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, the job must learn its name
        _LOG.exception("unexpected error")
        return unexpected(error, uri=request.run.uid)


def _folded(request: FoldRequest) -> Folded:
    reported_s = time.monotonic()

    def answered() -> None:
        nonlocal reported_s
        if time.monotonic() - reported_s >= _TELL_EVERY_S:
            reported_s = time.monotonic()
            _tell(PROGRESS)

    retry = RetryPolicy(give_up_s=_STORE_PATIENCE_S, answered=answered)
    settings = DynamoDbSettings(request.table, request.region, retry=retry, retention_s=request.retention_s)
    with contextlib.closing(DynamoDbJobStore(settings)) as store:
        keyframes_only = run_settings(request.job.spec).sampling.keyframes_only
        lesson = Lesson(request.served, keyframes_only=keyframes_only, segments=request.head.segments)
        outcome = finalise_run(store, request.job, request.head, request.run, lesson)
        return Folded(outcome, lesson.learned())


def _tell(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
