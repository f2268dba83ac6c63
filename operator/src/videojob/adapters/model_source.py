"""Fetches a model's folder from S3: every object below a prefix, whole, into a local folder."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from videojob.errors import ModelLoadFailed, ModelNotFound, SetupError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_MOST_FILES = 1000
_MOST_BYTES = 50 << 30


def fetch_model(address: str, folder: Path, *, owner: str | None = None, region: str | None = None) -> None:
    """Copies what lies below "s3://bucket/prefix" into an empty folder, names kept.

    Args:
        address: of the model's folder.
        folder: where to.
        owner: AWS account that must own the bucket; None: not checked.
        region: of the bucket; None takes the environment's.

    Raises:
        ModelNotFound: nothing lies there, or this identity may not see it.
        ModelLoadFailed: it is too large or oddly named.
        SetupError: AWS cannot be used from here.
    """
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    prefix = f"{prefix.strip('/')}/"
    extra = {"ExpectedBucketOwner": owner} if owner else {}
    try:
        client = _client(region)
        total_bytes = 0
        files: list[tuple[str, Path]] = []
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **extra):  # type: ignore[arg-type]
            for item in page.get("Contents", []):
                if not item["Key"].endswith("/"):
                    files.append((item["Key"], _inside(folder, item["Key"].removeprefix(prefix), address)))
                    total_bytes += item["Size"]
        if len(files) > _MOST_FILES or total_bytes > _MOST_BYTES:
            raise ModelLoadFailed(f"{len(files)} files of {total_bytes:,} bytes are no model", uri=address)
        for key, path in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(bucket, key, str(path), ExtraArgs=extra)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        hint = "Check the catalogue's source, and that the servers' identity may list and read it."
        raise ModelNotFound(f"S3 answered {code}", uri=address, hint=hint, retryable=True) from error
    except BotoCoreError as error:
        raise SetupError(f"AWS cannot be used from here: {error}", uri=address, retryable=True) from error
    if not files:
        raise ModelNotFound("nothing lies below this prefix", uri=address, hint="Check the catalogue's source.")


def _inside(folder: Path, name: str, address: str) -> Path:
    """Where an object goes; a name that leads out of the folder is refused."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts:
        raise ModelLoadFailed(f"an object is named {name!r}", uri=address)
    return folder.joinpath(*parts)


def _client(region: str | None) -> S3Client:
    config = Config(retries={"mode": "standard", "total_max_attempts": 6}, user_agent_extra="videojob")
    return boto3.session.Session().client("s3", region_name=region, config=config)
