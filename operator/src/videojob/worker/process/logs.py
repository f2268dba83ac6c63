"""Logs of what runs on a cluster: one JSON object a line on stderr, each bound to what it is about."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

_CHATTY = ("httpx", "httpcore", "kopf", "botocore", "boto3")
"""Libraries that tell of every request: our own lines say what matters."""
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """One line per record: time, level, message, the record's extras and what the process is bound to."""

    def __init__(self, bound: Mapping[str, object]) -> None:
        super().__init__()
        self._bound = dict(bound)

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON; what JSON cannot hold is written as text."""
        values: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._bound,
            **{name: value for name, value in vars(record).items() if name not in _OWN},
        }
        if record.exc_info:
            values["exception"] = self.formatException(record.exc_info)
        return json.dumps(values, default=str)


def log_json(bound: Mapping[str, object], level: int = logging.INFO) -> None:
    """Makes the whole process log so.

    Args:
        bound: what every line says, as the job's name.
        level: least one that is written.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(bound))
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.basicConfig(level=level, handlers=[handler], force=True)
