"""Results in one SQLite file: the laptop's store, no server, written by many processes at once.

Every write is one immediate transaction under `synchronous=FULL`, so that what was acknowledged survives `kill -9` and
a power cut, and what was not is not there at all. The tables hold plain columns: `sqlite3 results.db` and
`select * from windows_view` answer most questions; docs/reference/results.md has more.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib import resources
from pathlib import Path

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from videojob.adapters.sink_errors import damaged, never_begun, other_summary, stale
from videojob.adapters.sqlite.rows import ROWS, SERVER_WORK, insert_commit, read_commit
from videojob.errors import SinkError, SinkUnavailable
from videojob.ports.results import CommitOutcome, Sink
from videojob.results.aggregate.document import Document
from videojob.results.aggregate.segment_results import RunRecord, SegmentCommit, SegmentConflict, WriteUsage
from videojob.results.stored.codec import bytes_digest, canonical_document, canonical_pieces, digest
from videojob.results.stored.items import Item, commit_item, job_item, outbox_item, summary_item
from videojob.results.stored.write_cost import item_bytes, write_units

_BUSY_S = 30.0
"""How long a writer waits for the others before it gives up."""

_RETRY_S = 0.05
_SCHEMA_FILE = "schema.sql"
_SCHEMA_VERSION = 2
"""Stored in the file as `user_version`; grows when the tables change."""

_CONFLICTS = (
    "create table if not exists conflicts (run_id integer not null, segment integer not null, kept text not null,"
    " other text not null, primary key (run_id, segment), foreign key (run_id, segment) references segments)"
)


class SqliteSink(Sink):
    """`ports.Sink` over one SQLite file. Threads may share an object, processes open their own.

    Args:
        path: the file; made, with its folder, when it is not there, unless `read_only`.
        busy_s: how long to wait for other writers, in seconds.
        read_only: makes and changes nothing beside the file, so that results can be read where nobody may write; every
            write is a SinkError.

    Raises:
        SinkError: the file is something else, or of another version.
        SinkUnavailable: other writers did not let go of the file in time, or began to write to a file that was opened
            as one that nobody writes to.
    """

    def __init__(self, path: Path, *, busy_s: float = _BUSY_S, read_only: bool = False) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._usage = WriteUsage()
        self._still: tuple[int, ...] | None = None
        with self._errors(), ExitStack() as opened:
            self._db = self._connect_to_read(busy_s) if read_only else self._connect(busy_s)
            opened.callback(self._db.close)
            if read_only:
                _check_layout(_layout(self._db), path)
            else:
                _prepare(self._db, path, busy_s)
            opened.pop_all()

    def _connect(self, busy_s: float) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(f"the folder of the result file cannot be created: {error}", uri=str(self._path)) from error
        return sqlite3.connect(self._path, timeout=busy_s, isolation_level=None, check_same_thread=False)

    def _connect_to_read(self, busy_s: float) -> sqlite3.Connection:
        """With locks and the log when there is a log, otherwise without making either.

        A file with a write-ahead log can only be read with files for log and locks beside it, which SQLite would make
        and leave there. Without a log nobody writes and the file holds everything, so it is read as it is; should
        somebody begin to write, the next read says so instead of mixing old and new pages.
        """
        log = Path(f"{self._path}-wal")
        is_still = not (log.exists() and log.stat().st_size)
        self._still = self._stamp() if is_still else None
        uri = f"{self._path.absolute().as_uri()}?mode=ro{'&immutable=1' if is_still else ''}"
        return sqlite3.connect(uri, uri=True, timeout=busy_s, isolation_level=None, check_same_thread=False)

    def _stamp(self) -> tuple[int, ...]:
        try:
            state = self._path.stat()
        except OSError as error:
            raise SinkError(f"the result file cannot be read: {error}", uri=str(self._path)) from error
        return (state.st_ino, state.st_size, state.st_mtime_ns)

    def _check_still(self) -> None:
        if self._still is not None and self._stamp() != self._still:
            raise SinkUnavailable(
                "a run began to write to the result file while it was being read",
                uri=str(self._path),
                hint="Read it again.",
            )

    def begin(self, run: RunRecord) -> RunRecord:
        with self._transaction() as db:
            row = db.execute(
                "select epoch, plan_digest from runs where uid = ? order by epoch desc limit 1", (run.uid,)
            ).fetchone()
            if row is not None and row[1] == run.plan_digest:
                return replace(run, epoch=row[0])
            begun = replace(run, epoch=1 if row is None else row[0] + 1)
            db.execute(
                "insert into runs (uid, epoch, namespace, name, plan_digest, segments) values (?, ?, ?, ?, ?, ?)",
                (begun.uid, begun.epoch, begun.namespace, begun.name, begun.plan_digest, begun.segments),
            )
        self._count([job_item(begun)])
        return begun

    def commit(self, run: RunRecord, commit: SegmentCommit) -> CommitOutcome:
        with self._transaction() as db:
            run_id = self._owned_run(db, run)
            row = db.execute(
                "select digest from segments where run_id = ? and segment = ?", (run_id, commit.result.segment)
            ).fetchone()
            if row is not None:
                if row[0] == commit.digest:
                    return CommitOutcome.ALREADY_STORED
                # Made when it is first needed: files of earlier releases have no such table, and need none.
                db.execute(_CONFLICTS)
                conflict = (run_id, commit.result.segment, row[0], commit.digest)
                db.execute(
                    "insert or ignore into conflicts (run_id, segment, kept, other) values (?, ?, ?, ?)", conflict
                )
                return CommitOutcome.OTHER_KEPT
            insert_commit(db, run_id, commit)
        self._count(commit_item(run, commit).all)
        return CommitOutcome.STORED

    def committed(self, run: RunRecord) -> frozenset[int]:
        with self._errors(), self._lock:
            rows = self._db.execute(
                "select segment from segments join runs using (run_id) where uid = ? and epoch = ?",
                (run.uid, run.epoch),
            ).fetchall()
        return frozenset(row[0] for row in rows)

    def conflicts(self, run: RunRecord) -> tuple[SegmentConflict, ...]:
        with self._errors(), self._lock:
            if self._db.execute("select 1 from sqlite_master where name = 'conflicts'").fetchone() is None:
                return ()
            rows = self._db.execute(
                "select segment, kept, other from conflicts join runs using (run_id) where uid = ? and epoch = ?"
                " order by segment",
                (run.uid, run.epoch),
            ).fetchall()
        return tuple(SegmentConflict(*row) for row in rows)

    def commits(self, run: RunRecord) -> Iterator[SegmentCommit]:
        for segment in sorted(self.committed(run)):
            with self._errors(), self._lock:
                commit = read_commit(self._db, run, segment)
            if digest(commit.result) != commit.digest:
                raise damaged(f"segment {segment}", run, str(self._path))
            yield commit

    def finalise(self, run: RunRecord, summary: bytes | Mapping[str, Document], notification: str | None) -> bool:
        document = canonical_document(summary)
        data = b"".join(canonical_pieces(document))
        made = bytes_digest(data)
        with self._transaction() as db:
            run_id = self._owned_run(db, run)
            row = db.execute("select digest from summaries where run_id = ?", (run_id,)).fetchone()
            if row is not None:
                if row[0] != made:
                    raise other_summary(run, str(self._path))
                return False
            db.execute(
                "insert into summaries (run_id, digest, summary) values (?, ?, ?)", (run_id, made, data.decode())
            )
            if notification is not None:
                db.execute("insert into outbox (run_id, notification) values (?, ?)", (run_id, notification))
            db.execute("update runs set state = 'Finished' where run_id = ?", (run_id,))
        spilled = summary_item(run, document, made)
        self._count(spilled.parts)
        sent = [] if notification is None else [outbox_item(run, notification)]
        self._count([spilled.head, job_item(run), *sent], transactional=True)
        return True

    def finished(self, run: RunRecord) -> bytes | None:
        with self._errors(), self._lock:
            row = self._db.execute(
                "select summary, digest from summaries join runs using (run_id) where uid = ? and epoch = ?",
                (run.uid, run.epoch),
            ).fetchone()
        summary = None if row is None else str(row[0]).encode()
        if summary is not None and bytes_digest(summary) != row[1]:
            raise damaged("the summary", run, str(self._path))
        return summary

    def summary(self, uid: str) -> bytes | None:
        run = self.finished_run(uid)
        return None if run is None else self.finished(run)

    def finished_run(self, uid: str) -> RunRecord | None:
        with self._errors(), self._lock:
            row = self._db.execute(
                "select uid, namespace, name, plan_digest, segments, epoch from runs join summaries using (run_id)"
                " where uid = ? order by epoch desc limit 1",
                (uid,),
            ).fetchone()
        return None if row is None else RunRecord(*row)

    def newest(self, uid: str) -> RunRecord | None:
        with self._errors(), self._lock:
            row = self._db.execute(
                "select uid, namespace, name, plan_digest, segments, epoch from runs where uid = ?"
                " order by epoch desc limit 1",
                (uid,),
            ).fetchone()
        return None if row is None else RunRecord(*row)

    def runs(self) -> Sequence[RunRecord]:
        with self._errors(), self._lock:
            rows = self._db.execute(
                "select uid, namespace, name, plan_digest, segments, max(epoch) from runs group by uid"
                " order by name, namespace, uid"
            ).fetchall()
        return [RunRecord(*row) for row in rows]

    def delete(self, uid: str) -> int:
        """An item is a row here."""
        deleted = 0
        with self._transaction() as db:
            db.execute(_CONFLICTS)
            db.execute(SERVER_WORK)
            for table in (*ROWS, "server_work", "conflicts", "segments", "summaries", "outbox", "runs"):
                statement = f"delete from {table} where run_id in (select run_id from runs where uid = ?)"  # noqa: S608
                deleted += db.execute(statement, (uid,)).rowcount
        return deleted

    def usage(self) -> WriteUsage:
        """Units are those that DynamoDB's published rule gives for the same items."""
        return self._usage

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _owned_run(self, db: sqlite3.Connection, run: RunRecord) -> int:
        """The run's row, if no newer epoch owns the job."""
        row = db.execute(
            "select run_id, epoch from runs where uid = ? order by epoch desc limit 1", (run.uid,)
        ).fetchone()
        if row is None:
            raise never_begun(run, str(self._path))
        if row[1] != run.epoch:
            raise stale(run, row[1], str(self._path))
        return int(row[0])

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
            self._check_still()
        except sqlite3.OperationalError as error:
            self._check_still()
            raise self._operational(error) from error
        except sqlite3.DatabaseError as error:
            self._check_still()
            raise SinkError(
                f"the result file cannot be used: {error}",
                uri=str(self._path),
                hint="It may be damaged or another kind of file: move it away, or name another --output folder.",
            ) from error

    def _operational(self, error: sqlite3.OperationalError) -> SinkError:
        if "locked" in str(error) or "busy" in str(error):
            return SinkUnavailable(
                f"other writers did not release the result file: {error}",
                uri=str(self._path),
                hint="Stop other runs that write to it; do not put it on a network file system.",
            )
        return SinkError(
            f"the result file cannot be read or written: {error}",
            uri=str(self._path),
            hint="Check that the folder is writable and that the disk has room.",
        )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._errors(), self._lock:
            self._db.execute("begin immediate")
            try:
                yield self._db
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("rollback")
                raise
            self._db.execute("commit")

    def _count(self, written: Sequence[Item], *, transactional: bool = False) -> None:
        sizes = [item_bytes(item) for item in written]
        with self._lock:
            usage = self._usage
            self._usage = replace(
                usage,
                write_units=usage.write_units + sum(write_units(size, transactional=transactional) for size in sizes),
                items=usage.items + len(sizes),
                payload_bytes=usage.payload_bytes + sum(sizes),
            )


def _prepare(db: sqlite3.Connection, path: Path, busy_s: float) -> None:
    """Sets the connection up and makes the tables, whoever comes first."""
    # SQLite's own busy handler does not wait for the switch to the write-ahead log.
    is_locked = retry_if_exception(lambda error: isinstance(error, sqlite3.OperationalError) and "locked" in str(error))
    retrying = Retrying(retry=is_locked, wait=wait_fixed(_RETRY_S), stop=stop_after_delay(busy_s), reraise=True)
    retrying(db.execute, "pragma journal_mode = wal")
    db.execute("pragma synchronous = full")
    db.execute("pragma foreign_keys = on")
    found = _layout(db)
    if found == 0:
        script = resources.files("videojob.adapters.sqlite").joinpath(_SCHEMA_FILE).read_text("utf-8")
        db.executescript(script)
    else:
        _check_layout(found, path)


def _layout(db: sqlite3.Connection) -> int:
    return int(db.execute("pragma user_version").fetchone()[0])


def _check_layout(found: int, path: Path) -> None:
    if found != _SCHEMA_VERSION:
        raise SinkError(
            f"the result file has layout {found}, this version writes {_SCHEMA_VERSION}",
            uri=str(path),
            hint="Move it away, or name another --output folder.",
        )
