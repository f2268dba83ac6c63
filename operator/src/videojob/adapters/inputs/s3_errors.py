"""Our words for what boto3 raises about an object: the one place where S3's codes are read.

S3 says why it refuses a request in the body of its answer, and an answer to HEAD has none: `is_mute` tells such an
error, and who met it asks with a GET for one byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import botocore.exceptions

from videojob.errors import (
    CredentialsRejected,
    InputAccessDenied,
    InputChanged,
    InputNotFound,
    InputUnavailable,
    SetupError,
    VideoJobError,
)

_SETUP_ERRORS = (
    botocore.exceptions.NoCredentialsError,
    botocore.exceptions.PartialCredentialsError,
    botocore.exceptions.CredentialRetrievalError,
    botocore.exceptions.SSOError,
    botocore.exceptions.ProfileNotFound,
    botocore.exceptions.NoRegionError,
    botocore.exceptions.ParamValidationError,
    botocore.exceptions.ConfigParseError,
    botocore.exceptions.ConfigNotFound,
)
_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "UnrecognizedClientException",
    }
)
_CLOCK = "RequestTimeTooSkewed"
_KMS = ("perform: kms:", ":kms:", "ciphertext refers to")
_PASSING = frozenset({"SlowDown", "RequestTimeout", "Throttling", "ThrottlingException", "KMS.ThrottlingException"})


@dataclass(frozen=True, slots=True)
class _Answer:
    """S3's refusal: its code ("" or the status again when it had no body), sentence, status and headers."""

    code: str
    sentence: str
    status: int
    headers: dict[str, str]

    @property
    def words(self) -> str:
        """The code and, where there is more, the sentence."""
        return f"{self.code or self.status}: {self.sentence}" if self.sentence else self.code or str(self.status)

    @property
    def is_deletion(self) -> bool:
        """Whether what was asked for is a delete marker."""
        return self.headers.get("x-amz-delete-marker") == "true"


def _answer(error: botocore.exceptions.ClientError) -> _Answer:
    details, about = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, sentence = str(details.get("Code", "")), str(details.get("Message", ""))
    if code.isdigit() or not code:
        code, sentence = "", ""  # botocore's words for a status that came without a body
    headers = {name.lower(): str(value) for name, value in about.get("HTTPHeaders", {}).items()}
    return _Answer(code, sentence, int(about.get("HTTPStatusCode", 0)), headers)


def is_mute(error: botocore.exceptions.ClientError) -> bool:
    """Whether S3 refused without a reason, and may tell one when it is asked otherwise."""
    answer = _answer(error)
    return not answer.code and not answer.is_deletion and 400 <= answer.status < 500 and answer.status != 429


@contextmanager
def s3_errors_named(uri: str, *, requester_pays: bool) -> Iterator[None]:
    """Raises boto3's errors as ours; `requester_pays`: whether the request agreed to pay."""
    try:
        yield
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise s3_error(error, uri, requester_pays=requester_pays) from error


def s3_error(error: Exception, uri: str, *, requester_pays: bool = False) -> VideoJobError:
    """Our word for what boto3 raised."""
    if isinstance(error, botocore.exceptions.ClientError):
        return _refusal(_answer(error), uri, requester_pays=requester_pays)
    if isinstance(error, botocore.exceptions.ParamValidationError):
        return InputNotFound(f"not a bucket and key that S3 can have: {error}", uri=uri, hint="Correct the manifest.")
    if isinstance(error, _SETUP_ERRORS):
        hint = "Log in to AWS, for example with `aws sso login` or AWS_PROFILE, and set AWS_DEFAULT_REGION."
        return SetupError(f"AWS cannot be used from here: {error}", uri=uri, hint=hint)
    return InputUnavailable(f"S3 cannot be read: {error}", uri=uri)


def _refusal(answer: _Answer, uri: str, *, requester_pays: bool) -> VideoJobError:
    return (
        _identity(answer, uri)
        or _now(answer, uri)
        or _missing(answer, uri)
        or _denied(answer, uri, requester_pays=requester_pays)
        or InputUnavailable(f"S3 answered {answer.words}", uri=uri, retryable=False)
    )


def _identity(answer: _Answer, uri: str) -> VideoJobError | None:
    """The error for credentials that are good for nothing."""
    if answer.code in _CREDENTIALS:
        return CredentialsRejected(f"AWS rejects the credentials ({answer.words})", uri=uri)
    if answer.code == _CLOCK:
        hint = "Set this machine's clock: AWS accepts a difference of 15 minutes."
        return CredentialsRejected(f"AWS rejects the time of the request ({answer.words})", uri=uri, hint=hint)
    return None


def _now(answer: _Answer, uri: str) -> VideoJobError | None:
    """The error for what is otherwise at another time."""
    if answer.code in _PASSING or answer.status >= 500 or answer.status == 429:
        return InputUnavailable(f"S3 answered {answer.words}", uri=uri)
    if answer.code == "InvalidObjectState":
        hint = "Restore the object from its archive class first."
        return InputUnavailable(f"the object is archived ({answer.words})", uri=uri, hint=hint, retryable=False)
    if answer.status == 412:
        return InputChanged("the object was replaced while it was read", uri=uri)
    return None


def _missing(answer: _Answer, uri: str) -> VideoJobError | None:
    """The error for what is not there."""
    if answer.is_deletion:
        hint = "Remove its delete marker, or name an earlier versionId (`aws s3api list-object-versions` lists them)."
        return InputNotFound("the object was deleted: its version is a delete marker", uri=uri, hint=hint)
    if answer.code == "NoSuchBucket":
        return InputNotFound("S3 has no such bucket", uri=uri, hint="Check the bucket's name in the manifest.")
    if answer.code == "NoSuchVersion" or "version id" in answer.sentence.lower():
        hint = "`aws s3api list-object-versions` lists the versions of the key."
        return InputNotFound(f"the object has no such version ({answer.words})", uri=uri, hint=hint)
    if answer.code == "NoSuchKey":
        hint = "Check the key: case, spaces and characters count. `aws s3 ls` shows what there is."
        return InputNotFound("the bucket has no object with this key", uri=uri, hint=hint)
    if answer.status == 404:
        words = f"S3 has no such bucket, object or version ({answer.words})"
        return InputNotFound(words, uri=uri, hint="Check the manifest.")
    return None


def _denied(answer: _Answer, uri: str, *, requester_pays: bool) -> VideoJobError | None:
    """The error for what this identity may not do."""
    if answer.code.startswith("KMS.") or any(words in answer.sentence.lower() for words in _KMS):
        hint = "Allow kms:Decrypt on that key to the identity that reads: in its own policy and in the key's."
        words = f"the key that the object is encrypted with may not be used ({answer.words})"
        return InputAccessDenied(words, uri=uri, hint=hint)
    if answer.status != 403:
        return None
    hint = (
        "Either it does not exist (S3 says so only to who may list the bucket), or s3:GetObject is missing, or the "
        "bucket belongs to another account than expected."
    )
    if not requester_pays:
        hint += " If the requester pays for this bucket, set requesterPays: true at the input."
    return InputAccessDenied(f"S3 denies access ({answer.words})", uri=uri, hint=hint)
