"""Opens the result store that a run was asked to use."""

from __future__ import annotations

from videojob.adapters.dynamodb import DynamoDbSettings, DynamoDbSink
from videojob.adapters.sqlite import SqliteSink
from videojob.errors import SetupError
from videojob.local.values import SinkConfig
from videojob.ports import Sink


def open_sink(config: SinkConfig) -> Sink:
    """A new connection.

    Raises:
        SinkError: the store does not answer, or has no such table.
    """
    if config.kind == "sqlite":
        if config.path is None:
            raise SetupError("the SQLite sink needs a file")
        config.path.parent.mkdir(parents=True, exist_ok=True)
        return SqliteSink(config.path)
    if config.table is None:
        raise SetupError(
            "the DynamoDB sink needs a table", hint="Set results.dynamodb.tableName in the manifest, or give --table."
        )
    return DynamoDbSink(DynamoDbSettings(config.table, config.region, config.endpoint_url))
