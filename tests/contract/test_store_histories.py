"""Random histories of one job's store: pods that are late, work twice or come to other results, a table that loses
answers, throttles and fails. Whatever happens, what is stored is what a plain model of the store holds, in which
nothing ever fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.dynamodb import AWS_ENVIRONMENT, Fault, FaultyDynamoDb, faulty_proxy, settings_for
from support.results import planned, run_record, segment_commit, segment_result
from videojob.adapters.aws.dynamodb.job_store import DynamoDbJobStore
from videojob.adapters.aws.dynamodb.sink import DynamoDbSettings
from videojob.adapters.sqlite.sink import SqliteSink
from videojob.errors import SinkError, StaleEpoch
from videojob.ports.results import CommitOutcome, FailOutcome, Sink
from videojob.results.aggregate.segment_results import RunRecord, SegmentCommit
from videojob.video.plan import SegmentFailure

HISTORIES = 60
SEGMENTS = 3
PODS = 3
SPILL_BYTES = 1200
"""Small: results of many windows are stored in parts."""
FAULTS = (Fault.DROP_ANSWER, Fault.THROTTLE, Fault.SERVER_ERROR)


@dataclass(frozen=True)
class Step:
    """What one pod does, which faults its first requests meet, and what another pod does in the middle of it."""

    act: str
    pod: int = 0
    segment: int = 0
    variant: int = 0
    faults: tuple[Fault | None, ...] = ()
    twin: Step | None = None
    late: bool = False
    """The twin comes before the first write, not before the first read."""


def steps(*, twins: bool = True) -> st.SearchStrategy[Step]:
    acts = st.sampled_from(["begin", *["commit"] * 5, "fail", "fail", "finalise"])
    return st.builds(
        Step,
        acts,
        st.integers(0, PODS - 1),
        st.integers(0, SEGMENTS - 1),
        st.sampled_from([0, 0, 0, 1, 2]),
        st.lists(st.sampled_from([None, *FAULTS]), max_size=3).map(tuple) if twins else st.just(()),
        (st.none() | steps(twins=False)) if twins else st.none(),
        st.booleans(),
    )


histories = st.lists(steps(), min_size=4, max_size=10)


def a_commit(step: Step, epoch: int) -> SegmentCommit:
    """The result of a segment; only variant 0 is what every pod should come to, and each epoch has its own."""
    windows = 14 if step.segment == 1 else 2
    score_ppm = 1000 * epoch + step.variant
    return segment_commit(segment_result(planned(SEGMENTS)[step.segment], windows=windows, score_ppm=score_ppm))


@dataclass
class Model:
    """The store as it should be: plain values, one thing after another."""

    plans: list[str] = field(default_factory=list)
    committed: dict[int, dict[int, str]] = field(default_factory=dict)
    failed: dict[int, set[int]] = field(default_factory=dict)
    refused: dict[int, set[int]] = field(default_factory=dict)
    summaries: dict[int, bytes] = field(default_factory=dict)

    def begin(self, plan: str) -> int:
        if not self.plans or self.plans[-1] != plan:
            self.plans.append(plan)
            epoch = len(self.plans)
            self.committed[epoch], self.failed[epoch], self.refused[epoch] = {}, set(), set()
        return len(self.plans)

    def act(self, step: Step, epoch: int) -> object:
        """What the step should come to; the class of the error that it should end in."""
        if epoch != len(self.plans):
            return StaleEpoch
        committed = self.committed[epoch]
        if step.act == "commit":
            digest = a_commit(step, epoch).digest
            known = committed.setdefault(step.segment, digest)
            if known != digest:
                self.refused[epoch].add(step.segment)
                return CommitOutcome.OTHER_KEPT
            return CommitOutcome.STORED
        if step.act == "fail":
            return self._fail(step.segment, epoch)
        summary = b'{"a":%d}' % step.variant
        known_summary = self.summaries.get(epoch)
        self.summaries.setdefault(epoch, summary)
        return known_summary is None or (False if known_summary == summary else SinkError)

    def _fail(self, segment: int, epoch: int) -> FailOutcome:
        if segment in self.committed[epoch]:
            return FailOutcome.COMMITTED
        if segment in self.failed[epoch]:
            return FailOutcome.ALREADY_STORED
        self.failed[epoch].add(segment)
        return FailOutcome.STORED


def done(store: Sink, step: Step, run: RunRecord) -> object:
    """What the step came to."""
    try:
        if step.act == "commit":
            return store.commit(run, a_commit(step, run.epoch))
        if step.act == "fail":
            assert isinstance(store, DynamoDbJobStore)
            return store.fail(run, SegmentFailure(step.segment, 0, {"reason": "InputCorrupt"}))
        return store.finalise(run, b'{"a":%d}' % step.variant, None)
    except SinkError as error:
        return type(error)


@dataclass
class Player:
    """Plays a history: each pod with a store and an idea of its own of which run this is."""

    uid: str
    stores: list[Sink]
    others: list[Sink]
    proxy: FaultyDynamoDb | None = None
    model: Model = field(default_factory=Model)
    runs: list[RunRecord] = field(default_factory=list)

    def play(self, history: list[Step]) -> None:
        self.model.begin("plan-0")
        first = self.stores[0].begin(run_record(self.uid, plan="plan-0", segments=SEGMENTS))
        self.runs = [first] * PODS
        for step in history:
            twin = None if step.twin is None else replace(step.twin, pod=(step.pod + 1 + step.twin.pod % 2) % PODS)
            late = step.late and twin is not None and twin.act != "begin"
            if self.proxy is None:
                if twin is not None:
                    self._one(self.others, twin)
                self._one(self.stores, step)
            else:
                self._disturbed(self.proxy, step, twin, late=late)

    def _disturbed(self, proxy: FaultyDynamoDb, step: Step, twin: Step | None, *, late: bool) -> None:
        faults, waiting = list(step.faults), [] if twin is None else [twin]

        def rule(operation: str, _before: int) -> Fault | None:
            if waiting and (not late or operation not in {"GetItem", "Query"}):
                self._one(self.others, waiting.pop())
            return faults.pop(0) if faults else None

        proxy.rule = rule
        self._one(self.stores, step, lost=Fault.DROP_ANSWER in step.faults)
        proxy.rule = lambda _operation, _before: None

    def _one(self, stores: list[Sink], step: Step, *, lost: bool = False) -> None:
        store, run = stores[step.pod], self.runs[step.pod]
        if step.act == "begin":
            plan = f"plan-{step.variant}"
            begun = store.begin(run_record(self.uid, plan=plan, segments=SEGMENTS))
            assert begun.epoch == self.model.begin(plan)
            self.runs[step.pod] = begun
            return
        came_to = done(store, step, run)
        wanted = self._wanted(step, run, came_to)
        same = {CommitOutcome.STORED, CommitOutcome.ALREADY_STORED}
        assert came_to == wanted or (lost and {came_to, wanted} <= same), step

    def _wanted(self, step: Step, run: RunRecord, came_to: object) -> object:
        stored = step.segment in self.model.committed[run.epoch]
        wanted = self.model.act(step, run.epoch)
        if wanted is CommitOutcome.STORED and stored:
            return CommitOutcome.ALREADY_STORED
        return wanted

    def check(self, reader: Sink) -> None:
        """What is stored is what the model holds, epoch by epoch."""
        newest = reader.newest(self.uid)
        assert newest is not None
        assert newest.epoch == len(self.model.plans)
        for epoch in range(1, newest.epoch + 1):
            run = replace(newest, epoch=epoch)
            commits = {commit.result.segment: commit.digest for commit in reader.commits(run)}
            assert commits == self.model.committed[epoch]
            assert reader.committed(run) == set(commits)
            assert {one.segment for one in reader.conflicts(run)} == self.model.refused[epoch]
            assert reader.finished(run) == self.model.summaries.get(epoch)
            if isinstance(reader, DynamoDbJobStore):
                assert {one.segment for one in reader.failures(run)} == self.model.failed[epoch]


@dataclass
class Pods:
    """Stores of one table: each pod's own behind a proxy, and another one of each beside it."""

    proxy: FaultyDynamoDb
    disturbed: list[Sink]
    direct: list[Sink]

    def counted(self) -> float:
        """Write units that the disturbed ones say they took."""
        return sum(store.usage().write_units for store in self.disturbed)


@pytest.fixture(scope="module")
def pods(dynamodb_url: str) -> Iterator[Pods]:
    with pytest.MonkeyPatch.context() as patch, ExitStack() as opened:
        proxy = opened.enter_context(faulty_proxy(dynamodb_url))
        for name, value in AWS_ENVIRONMENT.items():
            patch.setenv(name, value)
        direct = replace(settings_for(dynamodb_url), spill_bytes=SPILL_BYTES)
        with closing(DynamoDbJobStore(direct)) as store:
            store.create_table()

        def stores(which: DynamoDbSettings) -> list[Sink]:
            return [opened.enter_context(closing(DynamoDbJobStore(which))) for _ in range(PODS)]

        yield Pods(proxy, stores(replace(direct, endpoint_url=proxy.url)), stores(direct))


@settings(max_examples=HISTORIES)
@given(histories)
def test_the_table_holds_what_a_store_without_faults_would(pods: Pods, history: list[Step]) -> None:
    proxy, counted, charged = pods.proxy, pods.counted(), pods.proxy.charged
    # A job that no other history has: each leaves requests behind.
    player = Player(f"team.{len(proxy.seen)}", pods.disturbed, pods.direct, proxy)
    player.play(history)
    player.check(pods.direct[0])
    assert pods.counted() - counted >= proxy.charged - charged, "no write that the service charges is missing"


@settings(max_examples=HISTORIES)
@given(histories)
def test_the_file_holds_what_a_store_without_faults_would(
    tmp_path_factory: pytest.TempPathFactory, history: list[Step]
) -> None:
    path = tmp_path_factory.mktemp("history") / "results.db"
    without = [_without_failures(step) for step in history if step.act != "fail"]
    with ExitStack() as opened:
        open_sink: Callable[[Path], Sink] = lambda at: opened.enter_context(closing(SqliteSink(at)))  # noqa: E731
        stores = [open_sink(path) for _ in range(PODS)]
        player = Player("uid", stores, stores[::-1])
        player.play(without)
        player.check(open_sink(path))


def _without_failures(step: Step) -> Step:
    """A laptop's run stores no failures: whoever deals out its segments knows them."""
    return replace(step, twin=None) if step.twin is not None and step.twin.act == "fail" else step
