"""The strings of a manifest: names, addresses and paths, each with a form and a length.

What a form means to a person stands in `WORDING`, keyed by the pattern, so that an error can say what would be right.
Every pattern must mean the same to RE2 (the kube-apiserver), to Rust's regex (pydantic) and to Python's `re`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from videojob.api.rules import never
from videojob.api.units import DECIMAL_PATTERN, DURATION_PATTERN, DecimalText, Duration

DNS_LABEL = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$"
_LABEL_NAME = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
LABEL_VALUE = rf"^({_LABEL_NAME})?$"
QUALIFIED_NAME = rf"^([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*/)?{_LABEL_NAME}$"
MODEL_NAME = r"^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$"
BUCKET = r"^[a-z0-9][a-z0-9.-]*[a-z0-9]$"
ACCOUNT = r"^[0-9]{12}$"
REGION = r"^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$"
TABLE = r"^[A-Za-z0-9_.-]+$"
INSTANCE_TYPE = r"^[a-z0-9-]+\.[a-z0-9-]+$"
TOPIC_ARN = r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?$"
PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
PRINTABLE_OR_NOTHING = r"^[^\x00-\x1f\x7f]*$"
TIMESTAMP = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$"
REASON = r"^[A-Z][A-Za-z0-9]*$"

_BYTE = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"{_BYTE}(\.{_BYTE}){{3}}"
_GLOBAL_IPV6 = r"\[[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{1,34}\]"
_HOST_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DNS_NAME = rf"({_HOST_LABEL}\.)+[A-Za-z]([A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?"
_PORT = r"(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
HTTP_URL = rf"^https?://({_IPV4}|{_GLOBAL_IPV6}|{_DNS_NAME})(:{_PORT})?([/?][^\x00-\x20\x7f\\#]*)?$"

# Loopback, private, link-local, carrier-grade, benchmark, multicast and reserved networks; IPv6 forms that carry an
# IPv4 address (6to4, Teredo); names that only a local resolver knows. The fetcher checks every resolved address again.
FORBIDDEN_ADDRESS = (
    r"^https?://(((0|10|127|22[4-9]|2[345]\d|169\.254|192\.168|172\.(1[6-9]|2\d|3[01])|192\.0\.0|198\.1[89]|"
    r"100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\.[0-9.]+([:/?]|$))|\[2001:0*:|\[2002:)"
)
LOCAL_NAME = r"^https?://([^/?:]*\.)?(?i:localhost|localdomain|local|internal|intranet|lan|svc|home\.arpa)([:/?]|$)"

PARENT_SEGMENT = r"(^|/)\.\.(/|$)"
SCHEME = r"^([A-Za-z0-9+.-]+:|subfile,)"
"""What FFmpeg takes for a protocol, its odd one included."""

WORDING = {
    DNS_LABEL: 'lower-case letters, digits and "-", with a letter or digit at both ends',
    DNS_SUBDOMAIN: 'lower-case letters, digits, "-" and ".", with a letter or digit at both ends of each part',
    LABEL_VALUE: 'at most 63 letters, digits, "-", "_" and ".", with a letter or digit at both ends',
    QUALIFIED_NAME: 'a label name such as "team" or "example.com/team"',
    MODEL_NAME: 'a folder name in the model repository: letters, digits, "-", "_" and "."',
    BUCKET: "a bucket name: 3 to 63 lower-case letters, digits, - and .",
    ACCOUNT: "an AWS account: twelve digits, in quotes",
    REGION: 'an AWS region such as "eu-central-1"',
    TABLE: "a DynamoDB table name: 3 to 255 letters, digits, -, _ and .",
    INSTANCE_TYPE: 'an EC2 instance type such as "g6.xlarge"',
    TOPIC_ARN: 'the ARN of an SNS topic, such as "arn:aws:sns:eu-central-1:123456789012:done"',
    PRINTABLE: "text in one line, without control characters",
    PRINTABLE_OR_NOTHING: "text in one line, without control characters",
    TIMESTAMP: 'a time such as "2026-01-31T12:00:00Z"',
    REASON: 'one CamelCase word such as "Completed"',
    HTTP_URL: "an http or https URL with a full host name and no user name: https://host.example/path/video.mp4",
    DURATION_PATTERN: Duration.wording,
    DECIMAL_PATTERN: DecimalText.wording,
}

MAX_NAME_LENGTH = 52

DnsLabel = Annotated[str, StringConstraints(pattern=DNS_LABEL, min_length=1, max_length=63)]
DnsSubdomain = Annotated[str, StringConstraints(pattern=DNS_SUBDOMAIN, min_length=1, max_length=253)]
ControllerName = Annotated[str, StringConstraints(pattern=DNS_LABEL, min_length=1, max_length=48)]
JobName = Annotated[str, StringConstraints(pattern=DNS_LABEL, min_length=1, max_length=MAX_NAME_LENGTH)]
"""Shorter than a label: names of the Job, its pods and their host names are made by adding to it."""
LabelKey = Annotated[str, StringConstraints(pattern=QUALIFIED_NAME, min_length=1, max_length=317)]
LabelValue = Annotated[str, StringConstraints(pattern=LABEL_VALUE, max_length=63)]
ModelName = Annotated[
    str,
    StringConstraints(pattern=MODEL_NAME, min_length=1, max_length=128),
    never(r"\.\.", "must not have two dots in a row"),
]
ClassName = Annotated[str, StringConstraints(pattern=PRINTABLE, min_length=1, max_length=128)]
Bucket = Annotated[
    str,
    StringConstraints(pattern=BUCKET, min_length=3, max_length=63),
    never(r"\.\.", "must not have two dots in a row"),
]
Account = Annotated[str, StringConstraints(pattern=ACCOUNT, min_length=12, max_length=12)]
Region = Annotated[str, StringConstraints(pattern=REGION, min_length=6, max_length=32)]
TableName = Annotated[str, StringConstraints(pattern=TABLE, min_length=3, max_length=255)]
InstanceType = Annotated[str, StringConstraints(pattern=INSTANCE_TYPE, min_length=3, max_length=48)]
TopicArn = Annotated[str, StringConstraints(pattern=TOPIC_ARN, min_length=1, max_length=512)]
ObjectKey = Annotated[
    str,
    StringConstraints(pattern=PRINTABLE, min_length=1, max_length=1024),
    never(PARENT_SEGMENT, "must not have a .. between slashes"),
]
KeyPrefix = Annotated[
    str,
    StringConstraints(pattern=PRINTABLE_OR_NOTHING, max_length=1024),
    never(PARENT_SEGMENT, "must not have a .. between slashes"),
]
VersionId = Annotated[str, StringConstraints(pattern=PRINTABLE, min_length=1, max_length=1024)]
HttpUrl = Annotated[
    str,
    StringConstraints(pattern=HTTP_URL, min_length=1, max_length=2048),
    never(FORBIDDEN_ADDRESS, "must not lead to a loopback, link-local or private address: put such a file into S3"),
    never(LOCAL_NAME, "must not name a host of a private network: put such a file into S3"),
]
FilePath = Annotated[
    str,
    StringConstraints(pattern=PRINTABLE, min_length=1, max_length=1024),
    never(PARENT_SEGMENT, "must not climb with ..: give the path without it, or an absolute path"),
    never(SCHEME, "must be a plain path without scheme:, write ./ before a file name that has a colon"),
]
Timestamp = Annotated[str, StringConstraints(pattern=TIMESTAMP, min_length=20, max_length=40)]
Reason = Annotated[str, StringConstraints(pattern=REASON, min_length=1, max_length=64)]
ShortText = Annotated[str, StringConstraints(max_length=256)]
LongText = Annotated[str, StringConstraints(max_length=4096)]
