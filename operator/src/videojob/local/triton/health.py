"""What a starting server says of itself, over its HTTP endpoint."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_TIMEOUT_S = 5.0
_TAIL_BYTES = 4000
_TAIL_LINES = 15


class HealthProbe:
    """Asks one server.

    Args:
        host, port: its HTTP endpoint.
        headers: what opens its restricted calls.
    """

    def __init__(self, host: str, port: int, headers: Mapping[str, str]) -> None:
        self._host = host
        self._port = port
        self._headers = dict(headers)

    def live(self) -> bool:
        """Whether it answers; Triton opens its endpoints after the models are loaded, or refused."""
        try:
            status, _ = self._ask("GET", "/v2/health/live")
        except OSError:
            return False
        return status == 200

    def model_states(self) -> dict[str, Mapping[str, Any]]:
        """`state` and `reason` of every model by name; raises OSError when the server does not tell."""
        status, body = self._ask("POST", "/v2/repository/index")
        if status != 200:
            raise OSError(f"HTTP {status}: {body[:200].decode(errors='replace')}")
        entries: list[Mapping[str, Any]] = json.loads(body)
        return {str(entry.get("name")): entry for entry in entries}

    def _ask(self, method: str, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_S)
        try:
            connection.request(method, path, headers=self._headers)
            response = connection.getresponse()
            return response.status, response.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()


def log_tail(path: Path) -> str:
    """The last lines of a log, for a message."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            data = file.read()
    except OSError as error:
        return f"(no log: {error})"
    lines = data.decode(errors="replace").strip().splitlines()
    return "\n".join(lines[-_TAIL_LINES:])


def log_since(path: Path, start: int) -> str:
    """What was written to a log behind its first `start` bytes; "" when there is no log."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
