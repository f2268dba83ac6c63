"""The ONNX file of `videojob models add`: a path, or an address that is read under the rules of http inputs.

An address alone pins nothing: a file from one is accepted by its sha256 only. An interrupted download is continued by
the next call with the same digest.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from videojob.adapters.inputs.http_files import HttpFiles, shown_url
from videojob.errors import SetupError, UsageError
from videojob.printable import printable

_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_SHA256 = re.compile(r"[0-9a-f]{64}")


def is_address(source: str) -> bool:
    """Whether the source is an http or https address, not a path."""
    return _ADDRESS.match(source) is not None


def shown_source(source: str) -> str:
    """The source as messages name it, without the query of an address."""
    return shown_url(source) if is_address(source) else source


@contextmanager
def model_file(
    source: str, sha256: str | None, downloads: Path, http: Callable[[], HttpFiles] = HttpFiles
) -> Iterator[Path]:
    """The file, there as long as the block; a download is removed afterwards.

    Args:
        source: a path, or an http or https address.
        sha256: 64 hexadecimal digits that the file must have; needed for an address.
        downloads: folder for downloads.
        http: makes what downloads.

    Raises:
        UsageError: the digest is missing or malformed.
        InputError: the address cannot be read, or must not be.
        SetupError: the file has another digest.
    """
    expected = _expected(source, sha256)
    if not is_address(source):
        if expected is not None:
            _verify(Path(source), expected, source)
        yield Path(source)
        return
    folder = downloads / str(expected)
    with http() as files:
        fetched = files.fetch(source, None, folder)
    try:
        _verify(fetched.path, str(expected), fetched.uri)
        yield fetched.path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _expected(source: str, sha256: str | None) -> str | None:
    if sha256 is None:
        if is_address(source):
            hint = "Give the digest that the model's publisher states, or download the file and run sha256sum on it."
            raise UsageError("a model from an address needs --sha256", hint=hint)
        return None
    digits = sha256.strip().lower().removeprefix("sha256:")
    if not _SHA256.fullmatch(digits):
        raise UsageError(f"--sha256 {printable(sha256)}: a sha256 has 64 hexadecimal digits")
    return digits


def _verify(path: Path, expected: str, shown: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise SetupError(
            f"the file has another sha256: expected {expected}, found {found}",
            uri=shown,
            hint="Check the source and the digest; nothing was added.",
        )
