"""Whether a Triton server is ready, by one request without patience."""

from __future__ import annotations

import httpx

_TIMEOUT_S = 5.0


def answers(url: str) -> bool:
    """Whether a URL answers with 200 now; a server that is not there yet does not."""
    try:
        return httpx.get(url, timeout=_TIMEOUT_S).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
