"""The results tables as the controller reads them: connections, what is remembered, and when it is read again."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from support.fakes import FakeClock
from support.job_desk import OneTable
from videojob.controller.stores import Stores
from videojob.errors import SetupError
from videojob.ports import JobStore

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
