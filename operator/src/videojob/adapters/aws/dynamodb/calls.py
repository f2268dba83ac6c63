"""One call to DynamoDB: repeated when that can help, counted, and its errors said in our words.

botocore's own retries are switched off, so that every throttled answer is seen, counted and shown.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ChecksumError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError
from tenacity import (
    RetryCallState,
    RetryError,
    Retrying,
    retry_base,
    retry_if_exception,
    retry_if_result,
    stop_before_delay,
    wait_random_exponential,
)

from videojob.errors import SetupError, SinkError, SinkUnavailable

Answer = TypeVar("Answer")
Request = TypeVar("Request")

CONDITION_FAILED = "ConditionalCheckFailedException"
TRANSACTION_CANCELLED = "TransactionCanceledException"

_THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingException",
        "Throttling",
        "ThrottlingError",
        "LimitExceededException",
    }
)
_TRANSIENT = _THROTTLED | {
    "InternalServerError",
    "ReplicatedWriteConflictException",
    "RequestTimeout",
    "ServiceUnavailable",
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
}
NO_ANSWER = (HTTPClientError, BotoConnectionError, ChecksumError, ResponseParserError)
"""The service may or may not have executed the request."""
_DENIED = {
    "AccessDeniedException",
    "UnrecognizedClientException",
    "ExpiredTokenException",
    "InvalidSignatureException",
    "IncompleteSignatureException",
    "MissingAuthenticationTokenException",
}

_WHAT_TO_ALLOW = (
    "Allow this identity dynamodb:GetItem, PutItem, UpdateItem, ConditionCheckItem, Query and BatchWriteItem on the"
    " table (and CreateTable and DescribeTable to create it, DescribeTimeToLive and UpdateTimeToLive to let items"
    " expire), and check its credentials."
)


class Denied(SinkError):
    """This identity may not do that, or is none."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient to be.

    Attributes:
        give_up_s: no attempt starts later than this after the first, in seconds.
        first_wait_s, max_wait_s: bounds of the random, exponentially growing wait between attempts, in seconds.
        sleep: waits that many seconds.
        answered: notified of each call that came to its end.
    """

    give_up_s: float = 60.0
    first_wait_s: float = 0.05
    max_wait_s: float = 5.0
    sleep: Callable[[float], None] = time.sleep
    answered: Callable[[], None] = lambda: None


class Caller:
    """Makes calls on one table under a policy.

    Args:
        table: its name, for messages.
        policy: see there.

    Attributes:
        throttled: answers that asked to slow down, so far.
    """

    def __init__(self, table: str, policy: RetryPolicy) -> None:
        self._table = table
        self._policy = policy
        self.throttled = 0
        self._lock = threading.Lock()

    def call(self, attempt: Callable[[], Answer]) -> Answer:
        """What `attempt` returns, after as many attempts as it takes.

        Raises:
            ClientError: a condition failed or a transaction was cancelled: the caller knows what that means.
            SinkUnavailable: no answer in time. SinkError, SetupError: not retryable.
            MemoryError: this process has no room for the answer.
        """
        try:
            answer = self._retrying(retry_if_exception(is_transient))(attempt)
            self._policy.answered()
            return answer
        except ClientError as error:
            if error_code(error) in {CONDITION_FAILED, TRANSACTION_CANCELLED} and not is_transient(error):
                raise
            raise self.refusal(error) from error
        except (BotoCoreError, ResponseParserError) as error:
            if lacks_memory(error):
                raise MemoryError(str(error)) from error
            raise self.failure(error) from error

    def drain(self, pending: Sequence[Request], attempt: Callable[[Sequence[Request]], Sequence[Request]]) -> None:
        """Calls `attempt` with what the last attempt left over, until nothing is.

        Raises:
            SinkUnavailable: something was left over for too long. Others as in `call`.
        """
        left = pending

        def rest() -> Sequence[Request]:
            nonlocal left
            left = self.call(lambda: attempt(left))
            self._add_throttled(bool(left))
            return left

        retrying = self._retrying(retry_if_result(bool))
        try:
            retrying(rest)
        except RetryError as error:
            raise self._unavailable(f"{len(left)} items were left over for lack of write capacity") from error

    def _retrying(self, condition: retry_base) -> Retrying:
        policy = self._policy
        return Retrying(
            retry=condition,
            wait=wait_random_exponential(multiplier=policy.first_wait_s, max=policy.max_wait_s),
            stop=stop_before_delay(policy.give_up_s),
            sleep=policy.sleep,
            after=self._count,
            reraise=True,
        )

    def _count(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        self._add_throttled(isinstance(error, ClientError) and is_throttled(error))

    def _add_throttled(self, answers: int) -> None:
        with self._lock:
            self.throttled += answers

    def _unavailable(self, message: str) -> SinkUnavailable:
        return SinkUnavailable(message, uri=self._uri)

    @property
    def _uri(self) -> str:
        return f"dynamodb:{self._table}"

    def refusal(self, error: ClientError) -> SinkError:
        """The service's error in our words."""
        code, words = error_code(error), error.response.get("Error", {}).get("Message", "")
        if is_transient(error):
            return self._unavailable(f"no successful answer within {self._policy.give_up_s:g} s: {code}: {words}")
        if code == "ResourceNotFoundException":
            return table_missing(self._table)
        if code == "ValidationException" and "key" in words.lower():
            return table_mismatch(self._table, words)
        refused = f"DynamoDB refused the call: {code}: {words}"
        if code in _DENIED:
            return Denied(refused, uri=self._uri, hint=_WHAT_TO_ALLOW)
        return SinkError(refused, uri=self._uri)

    def failure(self, error: BotoCoreError | ResponseParserError) -> SinkError | SetupError:
        """The client library's error in our words."""
        if isinstance(error, NoCredentialsError | PartialCredentialsError | NoRegionError):
            return SetupError(
                f"AWS access is not set up: {error}",
                uri=self._uri,
                hint="Set AWS_PROFILE and AWS_DEFAULT_REGION, or give the pod a role (EKS Pod Identity or IRSA).",
            )
        if isinstance(error, NO_ANSWER):
            return self._unavailable(f"no answer within {self._policy.give_up_s:g} s: {error}")
        return SinkError(f"the call to DynamoDB failed: {error}", uri=self._uri)


def table_missing(table: str) -> SinkError:
    """The error for a table that is not there; its hint makes one."""
    return SinkError(
        f"there is no DynamoDB table {table!r} in this account and region",
        uri=f"dynamodb:{table}",
        hint=(
            "Create it with `videojob run --create-table`, or with: aws dynamodb create-table"
            f" --table-name {table} --billing-mode PAY_PER_REQUEST"
            " --attribute-definitions AttributeName=PK,AttributeType=S AttributeName=SK,AttributeType=S"
            " --key-schema AttributeName=PK,KeyType=HASH AttributeName=SK,KeyType=RANGE"
        ),
    )


def table_mismatch(table: str, found: str) -> SinkError:
    """The error for a table that was made for something else."""
    return SinkError(
        f"the DynamoDB table {table!r} has other keys than results need: {found}",
        uri=f"dynamodb:{table}",
        hint="Its partition key must be PK and its sort key SK, both strings; name another table.",
    )


def error_code(error: ClientError) -> str:
    """The service's word for what went wrong."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_throttled(error: ClientError) -> bool:
    """Whether the answer were throttled."""
    if error_code(error) == TRANSACTION_CANCELLED:
        return any(code in _THROTTLED for code in cancellation_codes(error))
    return error_code(error) in _THROTTLED


def is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed a moment later."""
    if isinstance(error, NO_ANSWER):
        return not lacks_memory(error)
    if not isinstance(error, ClientError):
        return False
    if error_code(error) == TRANSACTION_CANCELLED:
        failed = {code for code in cancellation_codes(error) if code != "None"}
        return bool(failed) and failed <= _TRANSIENT
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error_code(error) in _TRANSIENT or status == 429 or status >= 500


def lacks_memory(error: BaseException) -> bool:
    """Whether botocore took this process's want of memory for a failure of the connection."""
    return isinstance(error.__context__, MemoryError)


def cancellation_codes(error: ClientError) -> list[str]:
    """Per item of a cancelled transaction why it failed; "None" for those that did not."""
    return [str(reason.get("Code", "None")) for reason in cancellation_reasons(error)]


def cancellation_reasons(error: ClientError) -> list[Mapping[str, Any]]:
    """Per item of a cancelled transaction its code and, where asked for, the item that stood in the way."""
    return list(error.response.get("CancellationReasons", []))
