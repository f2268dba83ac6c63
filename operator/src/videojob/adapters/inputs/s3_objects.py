"""Objects in S3, pinned before the first byte and read under that pin.

`HeadObject` gives the version id, or in a bucket without versions the ETag; every read asks for exactly that one
(`VersionId`, `If-Match`), so an object that is replaced while a job runs is noticed and never mixed. The expected owner
of the bucket goes with every call, and so does the consent to pay. Credentials, region and endpoint come from the usual
AWS settings.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict, cast

import boto3
import botocore.exceptions
from botocore.config import Config

from videojob.adapters.inputs.naming import left_out_text, looks_like_video, may_be_video, natural_key
from videojob.adapters.inputs.paged import PagedVideo
from videojob.adapters.inputs.ranges import RangedObject
from videojob.adapters.inputs.s3_errors import is_mute, s3_error, s3_errors_named
from videojob.adapters.inputs.transfer import (
    Body,
    Download,
    Progress,
    TransferPolicy,
    cache_entry,
    no_progress,
)
from videojob.errors import InputChanged, InputNotFound, InputUnavailable, ManifestError
from videojob.ports.inputs import FetchedInput, Paging
from videojob.printable import printable

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

MAX_OBJECTS = 10_000
_CONNECT_TIMEOUT_S = 10
_READ_TIMEOUT_S = 60
_ATTEMPTS = 6
_CONNECTIONS = 32  # several videos may be read at once, each by several threads
# The one version of a bucket without versions, and of what was there before it had them: it can be overwritten, so it
# names an object, and only the ETag pins its content.
_NULL_VERSION = "version:null"
_CHUNK_BYTES = 256 << 10  # what is lost when a connection breaks


@dataclass(frozen=True, slots=True)
class Listed:
    """One object found under a prefix."""

    uri: str
    size_bytes: int


class _Terms(TypedDict):
    ExpectedBucketOwner: NotRequired[str]
    RequestPayer: NotRequired[Literal["requester"]]


class _Where(_Terms):
    Bucket: str
    Key: str
    VersionId: NotRequired[str]


@dataclass(frozen=True, slots=True)
class _Found:
    """One object: the arguments that name it, its ETag, its pin and its length."""

    where: _Where
    etag: str
    version: str
    size_bytes: int


def s3_client(attempts: int = _ATTEMPTS) -> S3Client:
    """A client with the machine's AWS settings, bounded timeouts and botocore's own backoff for throttling and 5xx.

    Args:
        attempts: of every call, the first one included.
    """
    config = Config(
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        max_pool_connections=_CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": attempts},
        user_agent_extra="videojob",
    )
    try:
        return boto3.session.Session().client("s3", config=config)
    except botocore.exceptions.BotoCoreError as error:
        raise s3_error(error, "s3") from error


def split_uri(uri: str) -> tuple[str, str]:
    """(bucket, key) of "s3://bucket/key"; raises ValueError for anything else."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ValueError(f"not an S3 address: {uri!r}")
    return bucket, key


class S3Objects:
    """Implements `ports.InputFetcher` for "s3://bucket/key".

    Versions are "version:ID" for an object version and "etag:TAG" for a bucket without versions.

    Args:
        client: as `s3_client` makes it.
        policy: limits and patience.
        progress: told while a download runs.
        expected_owner: 12-digit account that must own the bucket; None: not checked.
        requester_pays: agrees to pay for what is read, where the bucket asks for that.
    """

    def __init__(
        self,
        client: S3Client,
        policy: TransferPolicy | None = None,
        progress: Progress = no_progress,
        expected_owner: str | None = None,
        *,
        requester_pays: bool = False,
    ) -> None:
        self._client = client
        self._policy = policy or TransferPolicy()
        self._progress = progress
        self._expected_owner = expected_owner
        self._requester_pays = requester_pays

    def expand(self, bucket: str, prefix: str, left_out: Callable[[str], None] = lambda _: None) -> list[Listed]:
        """The videos under a prefix, by extension (`naming.VIDEO_EXTENSIONS`), in natural order of their keys.

        Args:
            bucket: its name.
            prefix: beginning of the keys; "" for all of the bucket.
            left_out: notified of what is not taken, though it may be a video.

        Raises:
            InputNotFound: no bucket, or no video under the prefix.
            InputUnavailable: S3 does not answer, retries included.
            InputAccessDenied, CredentialsRejected: as `fetch`.
            ManifestError: more than MAX_OBJECTS videos.
        """
        uri = f"s3://{bucket}/{prefix}"
        found: dict[str, int] = {}
        others: list[str] = []
        seen = 0
        paginator = self._client.get_paginator("list_objects_v2")
        with self._errors_named(uri):
            for page in paginator.paginate(Bucket=bucket, Prefix=prefix, **self._terms()):
                if "IsTruncated" not in page:
                    # An answer that was cut off before its first byte would pass for an empty bucket.
                    raise InputUnavailable("the list of objects is incomplete", uri=uri)
                for item in page.get("Contents", []):
                    seen += 1
                    if looks_like_video(item["Key"]):
                        found[item["Key"]] = item["Size"]
                    elif may_be_video(item["Key"]):
                        others.append(printable(item["Key"].removeprefix(prefix)))
                if len(found) > MAX_OBJECTS:
                    hint = "Split the job by longer prefixes."
                    raise ManifestError(f"more than {MAX_OBJECTS:,} videos under the prefix", uri=uri, hint=hint)
        words = left_out_text(printable(uri), others)
        if words:
            left_out(words)
        if not found:
            raise InputNotFound(
                f"no video under the prefix ({seen} objects, recognised by extension)",
                uri=uri,
                hint="Check the prefix; an object with another extension can be named by its key.",
            )
        return [Listed(f"s3://{bucket}/{key}", found[key]) for key in sorted(found, key=natural_key)]

    def fetch(self, uri: str, version: str | None, folder: Path) -> FetchedInput:
        """Downloads one object, or takes it from the cache.

        Args:
            uri: "s3://bucket/key".
            version: the pin it must have, or None for what is there now.
            folder: the cache.

        Raises:
            InputNotFound: no such bucket, object or version, or it was deleted.
            InputAccessDenied: it may not be read, or its key not be used.
            CredentialsRejected: AWS rejects the credentials, for every object.
            InputChanged: another content than `version`, or replaced during the download.
            InputTooLarge: over the limit.
            InputUnavailable: S3 does not answer, retries included.
        """
        found = self._find(uri, version)
        self._policy.check_size(uri, found.size_bytes)
        entry = cache_entry(folder, uri, found.version, found.where["Key"].rsplit("/", 1)[-1])
        with entry.locked():
            if not entry.path.exists():
                download = Download(entry, found.size_bytes, self._policy, self._progress)
                download.run(lambda offset: self._body(uri, found, offset))
        return FetchedInput(uri, entry.path, found.version)

    def page(self, uri: str, version: str | None, folder: Path, paging: Paging) -> FetchedInput:
        """One object, its bytes to come as they are read; raises what `fetch` raises, now or when they are read."""
        found = self._find(uri, version)
        ranged = RangedObject(uri, found.version, found.size_bytes, partial(self._range, uri, found))
        place = folder / secrets.token_hex(8)
        pages = PagedVideo(ranged, place, paging, self._policy, progress=self._progress)
        return FetchedInput(uri, pages.path, found.version, pages=pages)

    def _find(self, uri: str, version: str | None) -> _Found:
        bucket, key = split_uri(uri)
        where = self._where(bucket, key, version)
        with self._errors_named(uri):
            head = self._head(where, uri)
        etag = head["ETag"]
        found = _pin(head.get("VersionId"), etag)
        if version not in {None, _NULL_VERSION, found}:
            raise InputChanged("the content of the object has changed", uri=uri)
        pinned = self._where(bucket, key, version if version == _NULL_VERSION else found)
        return _Found(pinned, etag, found, head["ContentLength"])

    def _where(self, bucket: str, key: str, version: str | None) -> _Where:
        where = cast("_Where", {"Bucket": bucket, "Key": key} | self._terms())
        if version is not None and version.startswith("version:"):
            where["VersionId"] = version.removeprefix("version:")
        return where

    def _terms(self) -> _Terms:
        """What goes with every call."""
        terms = _Terms()
        if self._expected_owner:
            terms["ExpectedBucketOwner"] = self._expected_owner
        if self._requester_pays:
            terms["RequestPayer"] = "requester"
        return terms

    def _head(self, where: _Where, uri: str) -> HeadObjectOutputTypeDef:
        """The object's headers. An answer to HEAD has no body: when S3 refuses it without a word, a GET asks why."""
        try:
            return self._client.head_object(**where)
        except botocore.exceptions.ClientError as error:
            if is_mute(error):
                self._client.get_object(**where, Range="bytes=0-0")["Body"].close()
                raise InputUnavailable("S3 refused to describe the object, and then sent it", uri=uri) from error
            raise

    def _errors_named(self, uri: str) -> AbstractContextManager[None]:
        return s3_errors_named(uri, requester_pays=self._requester_pays)

    @contextmanager
    def _body(self, uri: str, found: _Found, offset: int) -> Iterator[Body]:
        with self._pieces(uri, found, f"{offset}-") as pieces:
            yield Body(offset, pieces)

    def _range(self, uri: str, found: _Found, start: int, stop: int) -> AbstractContextManager[Iterator[bytes]]:
        return self._pieces(uri, found, f"{start}-{stop - 1}")

    @contextmanager
    def _pieces(self, uri: str, found: _Found, span: str) -> Iterator[Iterator[bytes]]:
        with self._errors_named(uri):
            answer = self._client.get_object(**found.where, IfMatch=found.etag, Range=f"bytes={span}")
            # Not `with answer["Body"]`: that gives the bare response, which does not notice a short body.
            with closing(answer["Body"]) as stream:
                yield stream.iter_chunks(_CHUNK_BYTES)


def _pin(version_id: str | None, etag: str) -> str:
    pin = f"version:{version_id}"
    return f"etag:{etag}" if version_id is None or pin == _NULL_VERSION else pin
