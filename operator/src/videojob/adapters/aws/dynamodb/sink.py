"""Results in one DynamoDB table; `results.stored.items` has its keys.

Exactly once rests on conditions alone:

- a segment is committed by one put that fails if the key is there, and then the stored digest tells a lost
  acknowledgement from another result;
- an epoch is part of the partition key, so a writer of an older run writes where nobody reads;
- a job is finished by one transaction: summary if absent, state if the epoch still owns it, outbox entry if absent.

There are no counters and no item per frame. Progress is a consistent query.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from videojob.adapters.aws.dynamodb.attributes import to_attributes
from videojob.adapters.aws.dynamodb.calls import Caller, RetryPolicy, cancellation_reasons
from videojob.adapters.aws.dynamodb.misreads import reads, reads_each
from videojob.adapters.aws.dynamodb.reads import TableReader
from videojob.adapters.aws.dynamodb.table import create_table, enable_expiry
from videojob.adapters.aws.dynamodb.writes import TableWriter, blocking_item, failed_condition
from videojob.adapters.sink_errors import never_begun, other_summary, stale
from videojob.errors import SetupError
from videojob.ports.results import CommitOutcome, Sink
from videojob.results.aggregate.document import Document, text, whole
from videojob.results.aggregate.segment_results import RunRecord, SegmentCommit, SegmentConflict, WriteUsage
from videojob.results.stored.codec import canonical, canonical_document, document_digest
from videojob.results.stored.items import (
    SPILL_BYTES,
    Item,
    checked,
    commit_from_item,
    commit_item,
    conflict_from_item,
    conflict_item,
    finished_run_from_item,
    job_item,
    join_items,
    outbox_item,
    run_from_item,
    summary_item,
)
from videojob.results.stored.keys import (
    CONFLICT_PREFIX,
    FIRST_KEYS,
    JOB_KEY,
    KEY_VERSIONS,
    PLAN_PREFIX,
    SEGMENT_PREFIX,
    SHARDS,
    is_part_key,
    keys_document,
    plan_partition,
    segment_from_key,
    segment_partition,
    summary_sort_key,
)
from videojob.results.stored.retention import EXPIRES_AT, expiry_s

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


@dataclass(frozen=True, slots=True)
class DynamoDbSettings:
    """Which table, and how patiently.

    Attributes:
        table: its name.
        region: as in "eu-central-1"; None takes the environment's.
        endpoint_url: another service than AWS's own, as for DynamoDB Local; None takes the environment's.
        retry: see `RetryPolicy`.
        spill_bytes: items above this size are stored in parts.
        table_ready_s: how long a new table may take to become usable, in seconds.
        retention_s: how long items are kept, see `results.stored.retention`; None keeps them for good.
        now_s: seconds since the epoch.
    """

    table: str
    region: str | None = None
    endpoint_url: str | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    spill_bytes: int = SPILL_BYTES
    table_ready_s: int = 120
    retention_s: int | None = None
    now_s: Callable[[], float] = time.time


def make_client(settings: DynamoDbSettings) -> DynamoDBClient:
    """A client with no retries of its own. Raises SetupError when AWS access is not set up."""
    config = Config(
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=5,
        read_timeout=15,
        tcp_keepalive=True,
        # Types are checked by mypy; checking each of an item's numbers again takes a third of the call.
        parameter_validation=False,
    )
    try:
        return boto3.session.Session().client(
            "dynamodb", region_name=settings.region, endpoint_url=settings.endpoint_url, config=config
        )
    except (BotoCoreError, ValueError) as error:
        raise SetupError(
            f"AWS access is not set up: {error}",
            uri=f"dynamodb:{settings.table}",
            hint="Set AWS_PROFILE and AWS_DEFAULT_REGION, or give the pod a role (EKS Pod Identity or IRSA).",
        ) from error


class DynamoDbSink(Sink):
    """`ports.Sink` over one table. Threads may share an object; a child process makes its own.

    Args:
        settings: which table.
        client: takes the place of the one that `make_client` makes.
    """

    def __init__(self, settings: DynamoDbSettings, client: DynamoDBClient | None = None) -> None:
        self._settings = settings
        self._table = settings.table
        self._client = make_client(settings) if client is None else client
        self._caller = Caller(settings.table, settings.retry)
        self._reader = TableReader(settings.table, self._client, self._caller)
        self._writer = TableWriter(settings.table, self._client, self._caller, settings.retention_s, settings.now_s)

    @reads
    def begin(self, run: RunRecord) -> RunRecord:
        while True:
            known = self._reader.get(run.uid, JOB_KEY)
            if known is not None and known["plan_digest"] == run.plan_digest:
                owner = run_from_item(known)
                return replace(run, epoch=owner.epoch, keys=owner.keys)
            epoch = 1 if known is None else whole(known["epoch"]) + 1
            begun = replace(run, epoch=epoch)
            # Whoever was faster is read again: the answer is then theirs, or the epoch after.
            if self._create(begun) if known is None else self._supersede(begun):
                return begun

    def commit(self, run: RunRecord, commit: SegmentCommit) -> CommitOutcome:
        """A stale run is recognised by reading the job's state first, half a read unit."""
        self._check_epoch(run, self._reader.get(run.uid, JOB_KEY))
        spilled = commit_item(run, commit, self._settings.spill_bytes)
        self._writer.put_all(spilled.parts)
        stored = self._writer.put_if_absent(spilled.head)
        if stored is None:
            return CommitOutcome.STORED
        kept = str(stored.get("digest"))
        if kept == commit.digest:
            return CommitOutcome.ALREADY_STORED
        self._writer.put_if_absent(conflict_item(run, SegmentConflict(commit.result.segment, kept, commit.digest)))
        return CommitOutcome.OTHER_KEPT

    @reads
    def conflicts(self, run: RunRecord) -> tuple[SegmentConflict, ...]:
        return tuple(map(conflict_from_item, self._reader.query(segment_partition(run, 0), CONFLICT_PREFIX)))

    @reads
    def committed(self, run: RunRecord) -> frozenset[int]:
        keys = (
            text(item["SK"])
            for shard in range(SHARDS)
            for item in self._reader.query(segment_partition(run, shard), SEGMENT_PREFIX, "SK")
        )
        return frozenset(segment_from_key(key) for key in keys if not is_part_key(key))

    @reads_each
    def commits(self, run: RunRecord) -> Iterator[SegmentCommit]:
        """One page per shard is in memory at a time, of as many items as fit."""
        pages = (self._reader.query(segment_partition(run, at), SEGMENT_PREFIX, fits=True) for at in range(SHARDS))
        shards = [map(commit_from_item, join_items(items)) for items in pages]
        return heapq.merge(*shards, key=lambda commit: commit.result.segment)

    def finalise(self, run: RunRecord, summary: bytes | Mapping[str, Document], notification: str | None) -> bool:
        """Of a document one part is in memory as the client takes it."""
        document = canonical_document(summary)
        spilled = summary_item(run, document, document_digest(document), self._settings.spill_bytes)
        expires_s = self._finished_expiry_s(run)
        self._writer.put_all(spilled.parts, expire=expires_s is not None)
        writes = [spilled.head] if notification is None else [spilled.head, outbox_item(run, notification)]
        if expires_s is not None:
            writes = [item | {EXPIRES_AT: expires_s} for item in writes]
        try:
            self._finish(run, writes, expires_s)
        except ClientError as error:
            return self._explain_cancelled(run, text(spilled.head["digest"]), error)
        return True

    @reads
    def finished(self, run: RunRecord) -> bytes | None:
        stored = self._reader.query(run.uid, summary_sort_key(run.epoch), page_items=1)  # its parts are large
        item = next(join_items(stored), None)
        return None if item is None else checked(item, canonical(item["summary"]))

    def summary(self, uid: str) -> bytes | None:
        run = self.finished_run(uid)
        return None if run is None else self.finished(run)

    @reads
    def finished_run(self, uid: str) -> RunRecord | None:
        job = self._reader.get(uid, JOB_KEY)
        return None if job is None else finished_run_from_item(job)

    @reads
    def newest(self, uid: str) -> RunRecord | None:
        job = self._reader.get(uid, JOB_KEY)
        return None if job is None else run_from_item(job)

    @reads
    def runs(self) -> Sequence[RunRecord]:
        """Scans the whole table: for a person's question, not for a loop."""
        found = [run_from_item(item) for item in self._reader.scan_jobs()]
        return sorted(found, key=lambda run: (run.name, run.namespace, run.uid))

    @reads
    def delete(self, uid: str) -> int:
        """A plan whose planner died before it stored the head has no name here, and stays."""
        newest = self.newest(uid)
        own = list(self._reader.keys(uid))
        heads = [self._reader.get(uid, text(key["SK"])) for key in own if text(key["SK"]).startswith(PLAN_PREFIX)]
        partitions = [plan_partition(uid, text(head["plan_id"])) for head in heads if head is not None]
        if newest is not None:
            runs = (replace(newest, epoch=at, keys=keys) for at in range(1, newest.epoch + 1) for keys in KEY_VERSIONS)
            partitions += [segment_partition(run, shard) for run in runs for shard in range(SHARDS)]
        deleted = 0
        for partition in partitions:
            keys = list(self._reader.keys(partition))
            self._writer.delete_all(keys)
            deleted += len(keys)
        # While a head or the state is there, a call that was cut off finds what it left.
        own.sort(key=lambda key: (key["SK"] == JOB_KEY, text(key["SK"])))
        self._writer.delete_all(own)
        return deleted + len(own)

    def usage(self) -> WriteUsage:
        """What was consumed since it was opened.

        Units are those that the service reported. For a put whose condition failed it reports none, though it charges
        them: those are by its published rule.
        """
        return self._writer.usage()

    def close(self) -> None:
        self._client.close()

    def create_table(self) -> None:
        """Makes the table if there is none, and with a retention lets its items expire."""
        create_table(self._table, self._client, self._caller, self._settings.table_ready_s)
        if self._settings.retention_s is not None:
            enable_expiry(self._table, self._client, self._caller)

    @reads
    def _check_epoch(self, run: RunRecord, job: Mapping[str, Document] | None) -> None:
        if job is None:
            raise never_begun(run, self._store)
        if job["epoch"] != run.epoch:
            raise stale(run, whole(job["epoch"]), self._store)

    @property
    def _store(self) -> str:
        return f"dynamodb:{self._table}"

    def _create(self, run: RunRecord) -> bool:
        return self._writer.put_if_absent(job_item(run)) is None

    def _supersede(self, run: RunRecord) -> bool:
        """Starts the next epoch unless somebody else just did."""
        return self._writer.change(job_item(run), "#epoch = :before", {":before": run.epoch - 1})

    @reads
    def _finished_expiry_s(self, run: RunRecord) -> int | None:
        """When a job that is finished now expires; None when it is kept.

        A job that began without a retention has commits that never expire, and without its state nobody finds them.
        """
        if self._settings.retention_s is None:
            return None
        job = self._reader.get(run.uid, JOB_KEY)
        if job is None or EXPIRES_AT not in job:
            return None
        return expiry_s(summary_sort_key(run.epoch), self._settings.now_s(), self._settings.retention_s)

    def _finish(self, run: RunRecord, writes: Sequence[Item], expires_s: int | None) -> None:
        """The transaction that finishes an epoch; `writes` starts with the summary's head."""
        state = self._finished_state(run, text(writes[0]["digest"]), expires_s)
        self._writer.transact([*map(self._writer.put_part, writes), state], [*writes, job_item(run)])

    def _finished_state(self, run: RunRecord, digest: str, expires_s: int | None) -> TransactWriteItemTypeDef:
        values: Item = {":state": "Finished", ":digest": digest, ":epoch": run.epoch, ":plan": run.plan_digest}
        values[":segments"] = run.segments
        keys, expiry = "", f" REMOVE {EXPIRES_AT}"
        if expires_s is not None:
            expiry, values[":expires_at"] = f", {EXPIRES_AT} = :expires_at", expires_s
        if run.keys != FIRST_KEYS:
            keys, values[":keys"] = ", finished_keys = :keys", keys_document(run.epoch, run.keys)
        return {
            "Update": {
                "TableName": self._table,
                "Key": to_attributes({"PK": run.uid, "SK": JOB_KEY}),
                "UpdateExpression": "SET #state = :state, finished_epoch = :epoch, finished_plan_digest = :plan,"
                f" finished_segments = :segments, summary_digest = :digest{keys}{expiry}",
                "ConditionExpression": "epoch = :epoch",
                "ExpressionAttributeNames": {"#state": "state"},
                "ExpressionAttributeValues": to_attributes(values),
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _explain_cancelled(self, run: RunRecord, digest: str, error: ClientError) -> bool:
        """False when the same summary is there already; raises for every other reason."""
        reasons = cancellation_reasons(error)
        if not reasons:
            raise self._caller.refusal(error) from error
        if failed_condition(reasons[-1]):
            job = blocking_item(reasons[-1])
            self._check_epoch(run, job or None)
        if failed_condition(reasons[0]) and blocking_item(reasons[0]).get("digest") == digest:
            return False
        if any(map(failed_condition, reasons)):
            raise other_summary(run, self._store) from error
        raise self._caller.refusal(error) from error
