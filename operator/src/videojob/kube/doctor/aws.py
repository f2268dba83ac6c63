"""Checks of what lies in AWS, as this user's own credentials see it: table, model buckets, quotas. PURE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from videojob.kube.doctor.findings import Finding, NotRead, joined, ok, problem, unchecked, warning

_KEYS = "PK S, SK S"
_EXPIRES_AT = "expires_at"  # as `results.stored.retention` has it
_LEAST_VCPUS = 4
"""Of the smallest instances with a GPU that are any good here: g4dn.xlarge, g5.xlarge, g6.xlarge."""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A DynamoDB table; `keys` as in "PK S, SK S"."""

    status: str
    keys: str


@dataclass(frozen=True, slots=True)
class ExpiryFacts:
    """A DynamoDB table's time to live, as DynamoDB reports it: status, and the attribute that it goes by."""

    status: str
    attribute: str


@dataclass(frozen=True, slots=True)
class Missing:
    """AWS says that there is no such thing."""


def table_finding(table: str, found: TableFacts | Missing | NotRead, *, is_made: bool) -> Finding:
    """The results table; `is_made` when the controller makes one that is not there."""
    check = f"table {table}"
    if isinstance(found, NotRead):
        return unchecked(
            check, found.why, "The controller uses its own permissions: its log says when they are not enough."
        )
    if isinstance(found, Missing):
        if is_made:
            return ok(check, "not found; the controller creates it")
        advice = "Create it (docs/guides/dynamodb.md), or set results.createTable. Check the account and region."
        return problem(check, "not found", advice)
    if found.keys != _KEYS:
        advice = f"Name a table with the keys {_KEYS}: no results can be stored in this one."
        return problem(check, f"its keys are {found.keys}", advice)
    if found.status not in {"ACTIVE", "UPDATING"}:
        return warning(check, f"it is {found.status}", "Wait until it is ACTIVE.")
    return ok(check, f"it is {found.status}, and its keys are {found.keys}")


def expiry_finding(table: str, found: ExpiryFacts | NotRead) -> Finding:
    """Whether a table deletes what has expired, where the installation has a retention."""
    check = f"retention in {table}"
    if isinstance(found, NotRead):
        return unchecked(check, found.why, "Use an identity with dynamodb:DescribeTimeToLive.")
    if found.status not in {"ENABLED", "ENABLING"}:
        advice = "Switch it on, as docs/guides/dynamodb.md says: until then results.retentionDays deletes nothing."
        return warning(check, f"its time to live is {found.status}", advice)
    if found.attribute != _EXPIRES_AT:
        advice = f"Set its time to live to {_EXPIRES_AT}: until then results.retentionDays deletes nothing."
        return warning(check, f"its time to live uses the attribute {found.attribute}", advice)
    return ok(check, f"its time to live is {found.status}, by {found.attribute}")


def bucket_finding(address: str, found: bool | Missing | NotRead) -> Finding:
    """A model's folder in S3; `found` says whether anything lies in it."""
    check = f"model at {address}"
    if isinstance(found, NotRead):
        return unchecked(
            check, found.why, "The servers use their own permissions: a job's reason says when they are not enough."
        )
    if isinstance(found, Missing):
        return problem(check, "there is no such bucket", "Correct models.*.source of the chart, or create the bucket.")
    if not found:
        return problem(check, "no object found there", "Upload the model's folder, or correct models.*.source.")
    return ok(check, "objects found; the digest is verified when a server starts")


@dataclass(frozen=True, slots=True)
class GatewayFacts:
    """The network of a node: its VPC, and the services that it reaches through a gateway endpoint, as in "s3"."""

    vpc: str
    services: frozenset[str]


def gateway_findings(found: GatewayFacts | Missing | NotRead) -> Iterator[Finding]:
    """Whether the bytes of videos and results go to their services directly.

    Prices in us-east-1 as of 2026: a GB that a NAT gateway passes on, by several public sources that agree; that a
    gateway endpoint costs nothing, by AWS itself.
    """
    for service, name, what in (("s3", "S3", "GB of video"), ("dynamodb", "DynamoDB", "GB of results")):
        check = f"{name} gateway"
        if isinstance(found, GatewayFacts):
            if service in found.services:
                yield ok(check, f"{found.vpc} has a gateway endpoint for {name}")
                continue
            seen = f"{found.vpc} has no gateway endpoint for {name} with a route"
            price = f"Behind a NAT gateway each {what} costs $0.045 (us-east-1); a gateway endpoint costs nothing."
            yield warning(check, seen, f"{price} docs/guides/install-eks.md says how to create one.")
        else:
            why = "EC2 does not know the node's instance: check the account and region."
            advice = "Use an identity with ec2:DescribeInstances and ec2:DescribeVpcEndpoints."
            yield unchecked(check, found.why if isinstance(found, NotRead) else why, advice)


def quota_findings(
    quotas: Mapping[str, float | NotRead], used: frozenset[str], instances: str = "G and VT"
) -> Iterator[Finding]:
    """How many vCPUs GPU instances may have in this account and region.

    Args:
        quotas: by how they are paid for, "spot" and "on-demand".
        used: which of them the pools use.
        instances: as text, which ones the quotas are about.
    """
    known = {name: value for name, value in quotas.items() if name in used and not isinstance(value, NotRead)}
    can_start = any(value >= _LEAST_VCPUS for value in known.values())
    for name in sorted(used):
        check, value = f"GPU quota {name}", quotas.get(name)
        if value is None or isinstance(value, NotRead):
            advice = "Set AWS_PROFILE and AWS_DEFAULT_REGION to an identity with servicequotas:GetServiceQuota."
            yield unchecked(check, "not queried" if value is None else value.why, advice)
        elif value >= _LEAST_VCPUS:
            yield ok(
                check, f"{value:g} vCPUs of {instances} instances, so {int(value // _LEAST_VCPUS)} of the smallest"
            )
        else:
            advice = "Request an increase in Service Quotas: see docs/guides/install-eks.md. It may take a day."
            others = joined([other for other in sorted(known) if other != name])
            seen = f"{value:g} vCPUs of {instances} instances: the smallest GPU instance has {_LEAST_VCPUS}"
            yield warning(check, f"{seen}; {others} has enough", advice) if can_start else problem(check, seen, advice)
