"""The small prices beside that of an instance. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class SmallPrices:
    """US dollars of one region, each by the unit in its name; a month has 730 hours.

    Attributes:
        region, as_of_s: where and when they held. is_scaled: whether they are another region's.
    """

    region: str
    as_of_s: int
    control_plane_usd_per_h: Decimal
    auto_mode_share_of_on_demand: Decimal
    disk_usd_per_gib_month: Decimal
    disk_usd_per_iops_month: Decimal
    disk_usd_per_mibps_month: Decimal
    nat_usd_per_gb: Decimal
    zone_crossing_usd_per_gb: Decimal
    """For a byte that is sent and received: both directions together."""
    public_ipv4_usd_per_h: Decimal
    s3_get_usd_per_1000: Decimal
    s3_put_usd_per_1000: Decimal
    dynamodb_write_usd_per_million: Decimal
    lambda_x86_usd_per_gb_s: Decimal
    lambda_arm_usd_per_gb_s: Decimal
    lambda_request_usd_per_million: Decimal
    sagemaker_share_of_on_demand: Decimal
    is_scaled: bool = False
