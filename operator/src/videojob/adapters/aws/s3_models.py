"""Fetches a model's folder from S3: every object below a prefix, whole, into a local folder.

What pins the content is the digest that the caller compares; here only amount and names are bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from videojob.adapters.inputs.s3_objects import split_uri
from videojob.adapters.triton.model_repository import is_pinned
from videojob.errors import ModelLoadFailed, ModelNotFound, SetupError, UsageError, VideoJobError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_MOST_FILES = 1000
_MOST_BYTES = 50 << 30
_ATTEMPTS = 6
_CONNECT_TIMEOUT_S = 10
_READ_TIMEOUT_S = 60


def fetch_model(address: str, folder: Path, *, owner: str | None = None, region: str | None = None) -> None:
    """Copies what lies below "s3://bucket/prefix" into an empty folder, names kept.

    Args:
        address: of the model's folder; "s3://bucket/detectors/cars" is the folder that holds config.pbtxt.
        folder: where to.
        owner: AWS account that must own the bucket; None: not checked.
        region: of the bucket; None takes the environment's.

    Raises:
        ModelNotFound: nothing lies there, or this identity may not see it.
        ModelLoadFailed: it is too large or oddly named.
        SetupError: S3 does not answer, or AWS cannot be used from here.
        UsageError: the address is none.
    """
    try:
        bucket, prefix = split_uri(address)
    except ValueError as error:
        raise UsageError(str(error), hint="Write s3://bucket/prefix.", retryable=False) from error
    extra = {"ExpectedBucketOwner": owner} if owner else {}
    try:
        client = _client(region)
        for key, path in _listed(client, bucket, prefix, folder, extra).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(bucket, key, str(path), ExtraArgs=extra)
    except ClientError as error:
        raise _refused(error, address) from error
    except (BotoCoreError, Boto3Error) as error:
        raise SetupError(f"S3 cannot be read: {error}", uri=address, retryable=True) from error


def _listed(client: S3Client, bucket: str, prefix: str, folder: Path, extra: Mapping[str, Any]) -> Mapping[str, Path]:
    """Keys of the model's objects, and where each goes."""
    address = f"s3://{bucket}/{prefix}"
    prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    total_bytes = 0
    files: dict[str, Path] = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **extra):
        for item in page.get("Contents", []):
            name = item["Key"].removeprefix(prefix)
            if not name.endswith("/") and name and is_pinned(name):
                files[item["Key"]] = _inside(folder, name, address)
                total_bytes += item["Size"]
        if len(files) > _MOST_FILES or total_bytes > _MOST_BYTES:
            raise ModelLoadFailed(f"{len(files)} files of {total_bytes:,} bytes and more are no model", uri=address)
    if not files:
        raise ModelNotFound(
            "there is no object under this prefix", uri=address, hint="Check the installation's source."
        )
    return files


def _inside(folder: Path, name: str, address: str) -> Path:
    """Where an object goes; a name that is none for a file in the folder is refused."""
    if name != str(PurePosixPath(name)) or name.startswith("/") or "\0" in name:
        raise ModelLoadFailed(
            f"an object is named {name!r}", uri=address, hint="Keep only the model's files under the prefix."
        )
    return folder.joinpath(*PurePosixPath(name).parts)


def _refused(error: ClientError, address: str) -> VideoJobError:
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status >= 500 or status == 429 or code in {"SlowDown", "RequestTimeout", "Throttling"}:
        return SetupError(f"S3 answered {code or status}", uri=address, retryable=True)
    hint = (
        "Check the catalogue's source, that the servers' identity may list and read it, and that the bucket belongs to "
        "the expected account."
    )
    return ModelNotFound(f"S3 answered {code or status}", uri=address, hint=hint)


def _client(region: str | None) -> S3Client:
    config = Config(
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        user_agent_extra="videojob",
    )
    return boto3.session.Session().client("s3", region_name=region, config=config)
