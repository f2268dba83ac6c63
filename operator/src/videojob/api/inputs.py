"""Where videos come from: the `inputs` of a VideoJob's spec."""

from __future__ import annotations

from typing import ClassVar

from videojob.api.base import Model
from videojob.api.rules import exactly_one_of, needs
from videojob.api.text import Account, Bucket, DnsLabel, FilePath, HttpUrl, KeyPrefix, ObjectKey, VersionId


class S3Input(Model):
    """Videos in an S3 bucket: one by `key`, or all below a `prefix`."""

    bucket: Bucket
    """The bucket's name."""
    key: ObjectKey | None = None
    """Key of one video."""
    prefix: KeyPrefix | None = None
    """Beginning of the keys of many videos: each object below it with a video's extension, in natural order. "" stands
    for all of the bucket."""
    version_id: VersionId | None = None
    """Version of the object; without it the newest one at the start of the job is pinned."""
    expected_bucket_owner: Account | None = None
    """AWS account that must own the bucket; a request to another owner's bucket fails."""
    requester_pays: bool = False
    """Agree to pay for what is read, where the bucket's owner makes the requester pay; without it S3 denies access."""

    RULES: ClassVar = (exactly_one_of("key", "prefix"), needs("versionId", "key"))


class HttpInput(Model):
    """A video on a public web server."""

    url: HttpUrl
    """Address of the video, http or https, without user name or fragment. Addresses inside private networks are
    refused, also when a redirect or a name leads there."""


class FileInput(Model):
    """Videos on the machine that runs the job; for `videojob run`, not for a cluster."""

    path: FilePath
    """Path of a video, or of a folder: each video directly in it, by extension and in natural order of the names.
    A relative path starts at the manifest's folder. No URL, no protocol, no ".."; a file name with a colon is written
    with "./" before it."""


class Input(Model):
    """One source of video: exactly one of `s3`, `http` and `file`."""

    name: DnsLabel | None = None
    """Short name of the input in results and reports; unique in the job. By default its address is shown."""
    s3: S3Input | None = None
    http: HttpInput | None = None
    file: FileInput | None = None

    RULES: ClassVar = (exactly_one_of("s3", "http", "file"),)

    @property
    def source(self) -> S3Input | HttpInput | FileInput:
        """The one source that is set."""
        source = self.s3 or self.http or self.file
        assert source is not None, "RULES demand exactly one"  # noqa: S101 - for the type checker
        return source
