"""Which error each refusal of S3 becomes, and which refusals say nothing by themselves."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from videojob.adapters.inputs.s3_errors import is_mute, s3_error
from videojob.errors import (
    CredentialsRejected,
    InputAccessDenied,
    InputChanged,
    InputNotFound,
    InputUnavailable,
    SetupError,
    VideoJobError,
)

URI = "s3://films/a.mp4"


def refused(status: int, code: str = "", sentence: str = "", **headers: str) -> ClientError:
    """As boto3 raises it; without a body, boto3 puts the status in the place of the code."""
    told: Any = {"Code": code or str(status), "Message": sentence or "Bad Request"}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    about: Any = {"HTTPStatusCode": status, "HTTPHeaders": names}
    return ClientError({"Error": told, "ResponseMetadata": about}, "HeadObject")


@pytest.mark.parametrize(
    ("status", "code", "kind", "again"),
    [
        (400, "ExpiredToken", CredentialsRejected, True),
        (400, "InvalidToken", CredentialsRejected, True),
        (400, "TokenRefreshRequired", CredentialsRejected, True),
        (403, "InvalidAccessKeyId", CredentialsRejected, True),
        (403, "SignatureDoesNotMatch", CredentialsRejected, True),
        (403, "RequestTimeTooSkewed", CredentialsRejected, True),
        (400, "KMS.DisabledException", InputAccessDenied, False),
        (400, "KMS.KMSInvalidStateException", InputAccessDenied, False),
        (400, "KMS.NotFoundException", InputAccessDenied, False),
        (400, "KMS.ThrottlingException", InputUnavailable, True),
        (403, "AccessDenied", InputAccessDenied, False),
        (403, "AllAccessDisabled", InputAccessDenied, False),
        (403, "InvalidObjectState", InputUnavailable, False),
        (404, "NoSuchKey", InputNotFound, False),
        (404, "NoSuchBucket", InputNotFound, False),
        (404, "NoSuchVersion", InputNotFound, False),
        (412, "PreconditionFailed", InputChanged, False),
        (400, "AuthorizationHeaderMalformed", InputUnavailable, False),
        (503, "SlowDown", InputUnavailable, True),
        (500, "InternalError", InputUnavailable, True),
    ],
)
def test_a_code_has_its_error_with_s3s_sentence(
    status: int, code: str, kind: type[VideoJobError], *, again: bool
) -> None:
    raised = refused(status, code, "what S3 says of it")
    assert not is_mute(raised)
    error = s3_error(raised, URI)
    assert (type(error), error.retryable, error.uri) == (kind, again, URI)
    assert "what S3 says of it" in error.message or kind in {InputNotFound, InputChanged}
    assert error.hint


@pytest.mark.parametrize(
    ("status", "mute"), [(400, True), (403, True), (404, True), (405, True), (429, False), (503, False)]
)
def test_a_refusal_without_a_body_is_asked_about(status: int, *, mute: bool) -> None:
    assert is_mute(refused(status)) is mute
    assert str(status) in s3_error(refused(status), URI).message
    assert "Bad Request" not in s3_error(refused(status), URI).message


@pytest.mark.parametrize("status", [404, 405])
def test_a_delete_marker_is_known_by_its_header(status: int) -> None:
    raised = refused(status, x_amz_delete_marker="true")
    assert not is_mute(raised)
    assert "delete marker" in s3_error(raised, URI).message


@pytest.mark.parametrize(
    "sentence",
    [
        "User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: kms:Decrypt on this resource",
        "The ciphertext refers to a customer master key that does not exist, or you are not allowed to access.",
        "Access to arn:aws-cn:kms:cn-north-1:1:key/1 is denied",
    ],
)
def test_a_denial_by_the_key_is_told_from_one_by_the_object(sentence: str) -> None:
    error = s3_error(refused(403, "AccessDenied", sentence), URI)
    assert sentence in error.message
    assert "kms:Decrypt" in error.hint


def test_who_agreed_to_pay_is_not_told_to() -> None:
    denied = refused(403, "AccessDenied", "Access Denied")
    assert "requesterPays" in s3_error(denied, URI).hint
    assert "requesterPays" not in s3_error(denied, URI, requester_pays=True).hint


def test_no_credentials_and_no_connection_keep_their_errors() -> None:
    assert type(s3_error(NoCredentialsError(), URI)) is SetupError
    away = s3_error(EndpointConnectionError(endpoint_url="https://s3"), URI)
    assert (type(away), away.retryable) == (InputUnavailable, True)
