"""The results tables as the controller reads them: connections, what is remembered, and when it is read again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from support.decisions import a_head
from support.fakes import FakeClock
from support.job_desk import OneTable
from support.results import run_record
from videojob.controller.jobs.stores import Stores
from videojob.errors import SetupError
from videojob.ports.results import JobStore
from videojob.results.aggregate.segment_results import RunRecord

WAIT_S = 10.0


def test_a_table_is_connected_to_once() -> None:
    asked: list[tuple[str, str | None]] = []

    def connect(table: str, region: str | None) -> JobStore:
        asked.append((table, region))
        return OneTable()

    stores = Stores(connect, FakeClock())
    first = stores.store("t", None)
    assert stores.store("t", None) is first
    assert stores.store("t", "eu-central-1") is not first
    assert stores.store("other", None) is not first
    assert asked == [("t", None), ("t", "eu-central-1"), ("other", None)]


def test_a_connection_that_fails_is_tried_again_by_the_next_who_asks() -> None:
    answers: list[Callable[[], JobStore]] = [OneTable]

    def connect(_table: str, _region: str | None) -> JobStore:
        if len(answers) == 1:
            answers.append(OneTable)
            raise SetupError("no credentials")
        return OneTable()

    stores = Stores(connect, FakeClock())
    with pytest.raises(SetupError):
        stores.store("t", None)
    assert stores.store("t", None) is stores.store("t", None)


def test_a_table_that_hangs_keeps_nobody_else() -> None:
    begun, go_on = threading.Event(), threading.Event()
    made: list[str] = []

    def connect(table: str, _region: str | None) -> JobStore:
        if table == "slow":
            begun.set()
            assert go_on.wait(WAIT_S)
        made.append(table)
        return OneTable()

    stores = Stores(connect, FakeClock())
    slow = [threading.Thread(target=stores.store, args=("slow", None)) for _ in range(2)]
    for thread in slow:
        thread.start()
    assert begun.wait(WAIT_S)
    stores.store("quick", None)
    stores.forget("somebody")
    assert made == ["quick"]
    go_on.set()
    for thread in slow:
        thread.join(WAIT_S)
    assert made == ["quick", "slow"], "who wants the same waits, and takes what was made"


# When commits are read again.


def a_run(segments: int) -> RunRecord:
    return replace(run_record("team.1", segments=segments), epoch=1)


@pytest.mark.parametrize(
    ("segments", "age_s", "moved", "fresh", "reads"),
    [
        (10, 3.9, False, False, 1),
        (10, 4.1, False, False, 2),
        (10, 0.1, True, False, 2),
        (10, 0.1, False, True, 2),
        (1_000, 49.0, False, False, 1),
        (1_000, 51.0, False, False, 2),
        (1_000, 9.9, True, False, 1),
        (1_000, 10.1, True, False, 2),
        (100_000, 4999.0, False, False, 1),
        (100_000, 5001.0, False, False, 2),
        (100_000, 99.0, True, False, 1),
        (100_000, 101.0, True, False, 2),
        (100_000, 0.0, True, True, 2),
    ],
)
def test_commits_are_read_again_the_rarer_the_more_there_are_and_sooner_when_the_job_moves(
    segments: int, age_s: float, moved: bool, fresh: bool, reads: int
) -> None:
    clock, table = FakeClock(), OneTable()
    stores = Stores(lambda _table, _region: table, clock)
    stores.committed(table, a_run(segments), "0-3", fresh=False)
    clock.seconds += age_s
    stores.committed(table, a_run(segments), "0-4" if moved else "0-3", fresh=fresh)
    assert table.reads == reads


def test_a_job_that_moves_with_every_look_is_read_at_its_own_pace() -> None:
    clock, table = FakeClock(), OneTable()
    stores = Stores(lambda _table, _region: table, clock)
    for second in range(1000):
        clock.seconds = float(second)
        stores.committed(table, a_run(100_000), f"0-{second}", fresh=False)
    assert table.reads == 10


def test_runs_do_not_share_what_is_remembered_and_a_forgotten_job_is_read_anew() -> None:
    clock, table = FakeClock(), OneTable()
    stores = Stores(lambda _table, _region: table, clock)
    run = a_run(10)
    for one in (run, replace(run, epoch=2), replace(run, uid="team.2"), run):
        stores.committed(table, one, "", fresh=False)
    assert table.reads == 3
    stores.forget("team.1")
    stores.committed(table, replace(run, uid="team.2"), "", fresh=False)
    assert table.reads == 3
    stores.committed(table, run, "", fresh=False)
    assert table.reads == 4


def test_a_plan_is_read_until_it_is_there_and_then_never_again() -> None:
    table, asked = OneTable(), []

    def called(name: str) -> None:
        asked.append(name)

    table.problem = called
    stores = Stores(lambda _table, _region: table, FakeClock())
    assert stores.head(table, "team.1", 1) is None
    table.head = a_head()
    for _ in range(3):
        assert stores.head(table, "team.1", 1) == a_head()
    assert len(asked) == 2
    assert stores.head(table, "team.1", 2) is None, "another attempt has another plan"
