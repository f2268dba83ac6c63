"""Canonical bytes of results: JSON with sorted keys, no spaces, no floats, UTF-8. Equal values are equal bytes.

The digest of a segment's canonical bytes is what a sink compares to tell a lost acknowledgement from a second,
different result.
"""

from __future__ import annotations

import hashlib
import json

from videojob.results.document import Document, mapping, result_document, result_from_document
from videojob.results.values import SegmentResult


def canonical(document: Document) -> bytes:
    """The document's canonical JSON."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def parse(data: bytes) -> Document:
    """The document in JSON bytes; raises ValueError for bad JSON and for floats."""
    document: Document = json.loads(data, parse_float=_refuse_float, parse_constant=_refuse_float)
    return document


def encode(result: SegmentResult) -> bytes:
    """The result's canonical bytes; `decode` reads them back."""
    return canonical(result_document(result))


def decode(data: bytes) -> SegmentResult:
    """The inverse of `encode`; raises KeyError, TypeError or ValueError on anything else."""
    return result_from_document(mapping(parse(data)))


def digest(result: SegmentResult) -> str:
    """sha256 hex over the canonical bytes."""
    return bytes_digest(encode(result))


def bytes_digest(data: bytes) -> str:
    """sha256 hex."""
    return hashlib.sha256(data).hexdigest()


def _refuse_float(literal: str) -> Document:
    raise ValueError(f"results hold whole numbers only, found {literal}")
