"""A segment's commit as rows of the SQLite file, and back; `schema.sql` has the tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from videojob.results.aggregate.document import (
    Document,
    items,
    mapping,
    result_document,
    result_from_document,
    text,
    timings_document,
    timings_from_document,
)
from videojob.results.aggregate.segment_results import RunRecord, SegmentCommit

_TABLES = ("windows", "window_classes", "presence", "tracks")
"""Tables of `results.aggregate.document` that a commit fills row by row."""

SERVER_WORK = (
    "create table if not exists server_work (run_id integer not null, segment integer not null, work text not null,"
    " primary key (run_id, segment), foreign key (run_id, segment) references segments)"
)
"""What the server did during a segment; made when the first is stored, as older versions have files without it."""

ROWS = (*_TABLES, "gaps")
"""All tables whose rows belong to a segment."""


def insert_commit(db: sqlite3.Connection, run_id: int, commit: SegmentCommit) -> None:
    """Stores a segment's result, whose key must be free."""
    document = result_document(commit.result)
    tables = {name: document.pop(name, None) for name in (*_TABLES, "gaps")}
    key: dict[str, Document] = {"run_id": run_id}
    timings = timings_document(commit.timings)
    server = timings.pop("server", None)
    _insert(db, "segments", [key | document | {"digest": commit.digest} | timings])
    key["segment"] = commit.result.segment
    for name in _TABLES:
        _insert(db, name, [key | row for row in _table_rows(tables[name])])
    _insert(db, "gaps", [key | dict(mapping(gap)) for gap in items(tables["gaps"])])
    if server is not None:
        db.execute(SERVER_WORK)
        _insert(db, "server_work", [key | {"work": json.dumps(server)}])


def _insert(db: sqlite3.Connection, table: str, rows: Sequence[Mapping[str, Document]]) -> None:
    """Adds rows of one shape; their names come from `results.aggregate.document`, never from outside."""
    if rows:
        names = ", ".join(rows[0])
        marks = ", ".join("?" * len(rows[0]))
        statement = f"insert into {table} ({names}) values ({marks})"  # noqa: S608 (see above)
        db.executemany(statement, [tuple(row.values()) for row in rows])


def _table_rows(table: Document) -> Iterator[dict[str, Document]]:
    if table is None:
        return
    columns = mapping(table)
    for row in zip(*(items(column) for column in columns.values()), strict=True):
        yield dict(zip(columns, row, strict=True))


def read_commit(db: sqlite3.Connection, run: RunRecord, segment: int) -> SegmentCommit:
    """A stored segment, which must be there."""
    (run_id,) = db.execute("select run_id from runs where uid = ? and epoch = ?", (run.uid, run.epoch)).fetchone()
    (head,) = _select(db, "segments", run_id, segment)
    document: dict[str, Document] = dict(head)
    for table in _TABLES:
        rows = _select(db, table, run_id, segment)
        if rows:
            document[table] = {name: [row[name] for row in rows] for name in rows[0]}
    document["gaps"] = _select(db, "gaps", run_id, segment)
    head["server"] = _server_work(db, run_id, segment)
    return SegmentCommit(
        result=result_from_document(document), digest=text(head["digest"]), timings=timings_from_document(head)
    )


def _server_work(db: sqlite3.Connection, run_id: int, segment: int) -> Document:
    if db.execute("select 1 from sqlite_master where type = 'table' and name = 'server_work'").fetchone() is None:
        return None  # the file of an older version
    rows = _select(db, "server_work", run_id, segment)
    work: Document = json.loads(text(rows[0]["work"])) if rows else None
    return work


def _select(db: sqlite3.Connection, table: str, run_id: int, segment: int) -> list[dict[str, Document]]:
    statement = f"select * from {table} where run_id = ? and segment = ? order by rowid"  # noqa: S608 (constants)
    found = db.execute(statement, (run_id, segment))
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found]
