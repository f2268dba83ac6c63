"""Opens the result store that a run was asked to use."""

from __future__ import annotations

from contextlib import closing

from videojob.adapters.aws.dynamodb.sink import DynamoDbSettings, DynamoDbSink
from videojob.adapters.sqlite.sink import SqliteSink
from videojob.errors import SetupError
from videojob.local.run_types import SinkConfig
from videojob.ports.results import Sink


def create_table(config: SinkConfig) -> None:
    """Makes the DynamoDB table when it is not there; a SQLite file needs no making.

    Raises:
        SinkError: the store does not answer, or the table has other keys.
    """
    if config.kind == "dynamodb":
        with closing(_dynamodb(config)) as sink:
            sink.create_table()


def open_sink(config: SinkConfig, *, read_only: bool = False) -> Sink:
    """A new connection.

    Args:
        config: which store.
        read_only: a SQLite file is opened without writing anything beside it; DynamoDB decides by its own permissions.

    Raises:
        SinkError: the store does not answer, or has no such table.
    """
    if config.kind == "sqlite":
        if config.path is None:
            raise SetupError("the SQLite sink needs a file")
        return SqliteSink(config.path, read_only=read_only)
    return _dynamodb(config)


def _dynamodb(config: SinkConfig) -> DynamoDbSink:
    if config.table is None:
        raise SetupError(
            "the DynamoDB sink needs a table", hint="Set results.dynamodb.tableName in the manifest, or give --table."
        )
    return DynamoDbSink(DynamoDbSettings(config.table, config.region, config.endpoint_url))
