"""Canonical bytes of results: JSON with sorted keys, no spaces, no floats, UTF-8. Equal values are equal bytes.

The digest of a segment's canonical bytes is what a sink compares to tell a lost acknowledgement from a second,
different result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping

from videojob.results.aggregate.columns import Column
from videojob.results.aggregate.document import Document, mapping, result_document, result_from_document
from videojob.results.aggregate.segment_results import SegmentResult

_PIECE = 1 << 16


def canonical(document: Document) -> bytes:
    """The document's canonical JSON."""
    return _text(document).encode("utf-8")


def canonical_pieces(document: Document) -> Iterator[bytes]:
    """The document's canonical JSON piece by piece: for documents with `Column`s, which may be large."""
    pieces: list[str] = []
    size = 0
    for piece in _pieces(document):
        pieces.append(piece)
        size += len(piece)
        if size >= _PIECE:
            yield "".join(pieces).encode("utf-8")
            pieces, size = [], 0
    yield "".join(pieces).encode("utf-8")


def canonical_document(summary: bytes | Mapping[str, Document]) -> Mapping[str, Document]:
    """The document that is to be stored; raises ValueError for bytes that could not be given back as they are."""
    if not isinstance(summary, bytes):
        return summary
    document = mapping(parse(summary))
    if canonical(document) != summary:
        raise ValueError("the summary is not canonical JSON: it could not be given back byte for byte")
    return document


def document_digest(document: Document) -> str:
    """sha256 hex over the canonical JSON, of which little is in memory at a time."""
    made = hashlib.sha256()
    for piece in canonical_pieces(document):
        made.update(piece)
    return made.hexdigest()


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


def _text(document: Document) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _pieces(value: Document) -> Iterator[str]:
    if isinstance(value, Column):
        yield from _bracketed("[", (",".join(map(str, block)) for block in value.blocks()), "]")
    elif isinstance(value, Mapping):
        yield "{"
        for at, name in enumerate(sorted(value)):
            yield f"{',' if at else ''}{_text(name)}:"
            yield from _pieces(value[name])
        yield "}"
    elif isinstance(value, list | tuple):
        yield "["
        for at, inner in enumerate(value):
            if at:
                yield ","
            yield from _pieces(inner)
        yield "]"
    else:
        yield _text(value)


def _bracketed(begin: str, parts: Iterable[str], end: str) -> Iterator[str]:
    yield begin
    for at, part in enumerate(parts):
        yield f",{part}" if at else part
    yield end


def _refuse_float(literal: str) -> Document:
    raise ValueError(f"results hold whole numbers only, found {literal}")
